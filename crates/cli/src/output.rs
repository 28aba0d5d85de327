//! The one place that writes to standard output and standard error.
//!
//! Results go to standard output; progress, notes and errors to standard error. What publishers wrote may hold anything, so
//! what could steer a terminal is escaped in text; exact bytes are written only where they were asked for.

use std::borrow::Cow;
use std::error::Error;
use std::fmt::{self, Write as _};
use std::io::{self, Write as _};
use std::time::Duration;

use comfy_table::{CellAlignment, Table, presets};
use indicatif::{ProgressBar, ProgressStyle};
use serde::{Serialize, Serializer};

use crate::args::Format;
use crate::failure::Failure;

/// Where a command's results go.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Output {
    format: Format,
}

/// One row of a list: a line of the table, or an object of the JSON array.
pub(crate) trait Row: Serialize {
    /// What stands above the columns.
    const COLUMNS: &'static [Column];

    /// One text for each column.
    fn cells(&self) -> Vec<String>;
}

/// A column of a table.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Column {
    /// Starts at the left.
    Text(&'static str),
    /// Ends at the right.
    Number(&'static str),
}

impl Output {
    /// As the command line asked.
    pub(crate) fn new(format: Format) -> Self {
        Self { format }
    }

    /// A list, which may be empty.
    pub(crate) fn list<R: Row>(self, rows: &[R]) -> Result<(), Failure> {
        match self.format {
            Format::Json => json(rows),
            Format::Table => {
                let mut table = plain();
                table.set_header(R::COLUMNS.iter().map(|column| column.name()));
                for row in rows {
                    table.add_row(row.cells().iter().map(|cell| printable(cell)));
                }
                for (at, column) in R::COLUMNS.iter().enumerate() {
                    if let (Column::Number(_), Some(column)) = (column, table.column_mut(at)) {
                        column.set_cell_alignment(CellAlignment::Right);
                    }
                }
                write(trimmed(&table).as_bytes())
            }
        }
    }

    /// A list that has more to say as JSON than its rows.
    pub(crate) fn either<T: Serialize, R: Row>(self, value: &T, rows: &[R]) -> Result<(), Failure> {
        match self.format {
            Format::Json => json(value),
            Format::Table => self.list(rows),
        }
    }

    /// One result: its text, or itself as JSON.
    pub(crate) fn result<T: Serialize>(self, value: &T, text: impl fmt::Display) -> Result<(), Failure> {
        match self.format {
            Format::Json => json(value),
            Format::Table => write(format!("{}\n", printable(&text.to_string())).as_bytes()),
        }
    }
}

fn json<T: Serialize + ?Sized>(value: &T) -> Result<(), Failure> {
    let mut text = serde_json::to_vec_pretty(value).map_err(|error| Failure::Output(error.into()))?;
    text.push(b'\n');
    write(&text)
}

/// Exact bytes to standard output.
pub(crate) fn write(bytes: &[u8]) -> Result<(), Failure> {
    let mut to = io::stdout().lock();
    to.write_all(bytes).and_then(|()| to.flush()).map_err(Failure::Output)
}

impl Column {
    fn name(self) -> &'static str {
        match self {
            Self::Text(name) | Self::Number(name) => name,
        }
    }
}

/// Names and values below each other, as text.
pub(crate) fn facts(rows: &[(&str, String)]) -> String {
    let mut table = plain();
    for (name, value) in rows {
        table.add_row([printable(name), printable(value)]);
    }
    trimmed(&table).trim_end().to_owned()
}

fn plain() -> Table {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING);
    table
}

/// Without the blanks that fill the last column up, and without the first one's margin.
fn trimmed(table: &Table) -> String {
    let mut text = String::new();
    for line in table.lines() {
        text.push_str(line.strip_prefix(' ').unwrap_or(&line).trim_end());
        text.push('\n');
    }
    text
}

/// Something to know beside the result, on standard error.
pub(crate) fn note(text: impl fmt::Display) {
    complain(&text.to_string());
}

/// What went wrong, why down to the first cause, who must act, and what to do.
pub(crate) fn failure(failure: &Failure) {
    complain(&explained(failure));
}

/// An error and its causes in one line.
pub(crate) fn chain(error: &impl Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

fn explained(failure: &Failure) -> String {
    let mut text = format!("tufstore: {failure}");
    let mut cause = failure.source();
    while let Some(error) = cause {
        // A text cannot fail to grow.
        if write!(text, "\n  because: {error}").is_err() {
            break;
        }
        cause = error.source();
    }
    for (name, line) in [("who must act", failure.who_acts()), ("what to do", failure.what_to_do())] {
        if let Some(line) = line {
            text = format!("{text}\n  {name}: {line}");
        }
    }
    text
}

fn complain(text: &str) {
    let mut to = io::stderr().lock();
    for line in text.lines() {
        // Where nobody listens there is nobody to tell.
        if writeln!(to, "{}", printable(line)).is_err() {
            break;
        }
    }
}

/// A question that a person at a terminal answers with yes or no.
pub(crate) fn confirm(question: &str) -> Result<bool, Failure> {
    let mut to = io::stderr().lock();
    write!(to, "{} [y/N] ", printable(question)).and_then(|()| to.flush()).map_err(Failure::Output)?;
    let mut answer = String::new();
    io::stdin()
        .read_line(&mut answer)
        .map_err(|source| Failure::File { doing: "reading the answer".to_owned(), source })?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}

/// What somebody types at a question.
pub(crate) fn ask(question: &str) -> Result<String, Failure> {
    let mut to = io::stderr().lock();
    write!(to, "{question} ").and_then(|()| to.flush()).map_err(Failure::Output)?;
    let mut answer = String::new();
    io::stdin()
        .read_line(&mut answer)
        .map_err(|source| Failure::File { doing: "reading the answer".to_owned(), source })?;
    Ok(answer.trim().to_owned())
}

/// A progress bar on standard error, if that is a terminal.
pub(crate) fn bar(doing: &'static str, all: u64) -> ProgressBar {
    let bar = ProgressBar::new(all);
    let line = "{msg:>12} [{wide_bar:.cyan/blue}] {human_pos}/{human_len} {per_sec} {eta}";
    if let Ok(style) = ProgressStyle::with_template(line) {
        bar.set_style(style.progress_chars("=> "));
    }
    bar.set_message(doing);
    bar
}

/// A text in which nothing steers a terminal: control characters, and those that turn the direction of writing, are
/// escaped as Rust writes them.
pub(crate) fn printable(text: &str) -> Cow<'_, str> {
    let steers = |c: char| {
        (c.is_control() && c != '\n')
            || matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    if !text.contains(steers) {
        return Cow::Borrowed(text);
    }
    let escaped = text.chars().fold(String::new(), |mut escaped, c| {
        if steers(c) {
            escaped.extend(c.escape_default());
        } else {
            escaped.push(c);
        }
        escaped
    });
    Cow::Owned(escaped)
}

/// Bytes as people read them.
pub(crate) fn size(bytes: u64) -> String {
    indicatif::BinaryBytes(bytes).to_string()
}

/// A number with its thousands apart.
pub(crate) fn number(number: u64) -> String {
    indicatif::HumanCount(number).to_string()
}

/// So many in so long, a second.
pub(crate) fn rate(count: u64, time: Duration) -> String {
    number(per_second(count, time))
}

/// So many in so long, a second, in whole ones.
pub(crate) fn per_second(count: u64, time: Duration) -> u64 {
    let nanoseconds = time.as_nanos().max(1);
    u64::try_from(u128::from(count) * 1_000_000_000 / nanoseconds).unwrap_or(u64::MAX)
}

/// For JSON: as it is shown, not as it is stored.
pub(crate) fn as_text<T: fmt::Display, S: Serializer>(value: &T, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(value)
}

/// As [`as_text`], or null.
#[expect(clippy::ref_option, reason = "serde hands a field over like this")]
pub(crate) fn as_text_or_null<T: fmt::Display, S: Serializer>(
    value: &Option<T>,
    to: S,
) -> Result<S::Ok, S::Error> {
    match value {
        Some(value) => to.collect_str(value),
        None => to.serialize_none(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_steer_a_terminal_is_escaped() {
        assert_eq!(printable("v1.0"), "v1.0");
        assert_eq!(printable("a\u{1b}[2Jb\u{202e}c\u{85}"), "a\\u{1b}[2Jb\\u{202e}c\\u{85}");
        assert_eq!(printable("größe"), "größe");
    }

    #[test]
    fn rates_are_whole_and_never_divide_by_zero() {
        assert_eq!(per_second(100, Duration::from_millis(500)), 200);
        assert_eq!(per_second(1, Duration::ZERO), 1_000_000_000);
    }

    #[test]
    fn facts_stand_below_each_other() {
        let rows = [("a", "1".to_owned()), ("longer", "2".to_owned())];
        assert_eq!(facts(&rows), "a       1\nlonger  2");
    }
}
