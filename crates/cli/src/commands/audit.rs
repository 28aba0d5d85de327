//! Who did what, and whether what was exported of it is whole.

use std::fs;
use std::path::Path;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde::Serialize;
use serde_json::Value;
use tufstore::AuditLine;
use tufstore::terms::{Position, UnixTime};
use tufstore_server::Refused;
use tufstore_server::admin::{self, AuditEntry, AuditedEntry, ChangeEntryKind};

use crate::args;
use crate::failure::Failure;
use crate::output::{self, Column, Output, Row, as_text, number};
use crate::store::{self, Reached};

/// How many are asked for at once.
const PAGE: u64 = 1000;

#[derive(Serialize)]
struct AuditRow {
    position: Position,
    #[serde(serialize_with = "as_text")]
    time: UnixTime,
    by: String,
    what: String,
}

impl Row for AuditRow {
    const COLUMNS: &'static [Column] =
        &[Column::Number("POSITION"), Column::Text("TIME"), Column::Text("BY"), Column::Text("WHAT")];

    fn cells(&self) -> Vec<String> {
        let time = UnixTime::from_seconds(self.time.seconds()).to_string();
        vec![self.position.to_string(), time, self.by.clone(), self.what.clone()]
    }
}

#[derive(Serialize)]
#[serde(transparent)]
struct RefusedRow(Refused);

impl Row for RefusedRow {
    const COLUMNS: &'static [Column] = &[
        Column::Text("TIME"),
        Column::Text("FROM"),
        Column::Text("WHO"),
        Column::Text("ASKED"),
        Column::Text("ANSWER"),
    ];

    fn cells(&self) -> Vec<String> {
        let Refused { time, from, who, method, path, status, code, .. } = &self.0;
        vec![
            UnixTime::from_seconds(time.seconds()).to_string(),
            from.to_string(),
            who.clone().unwrap_or_default(),
            format!("{method} {path}"),
            format!("{status} {code}"),
        ]
    }
}

#[derive(Serialize)]
struct Verified {
    lines: u64,
    first: Option<Position>,
    last: Option<Position>,
    /// BLAKE3 of the last line's header.
    digest: Option<String>,
}

/// `tufstore audit`
pub(crate) fn audit(args: &args::Audit, output: Output) -> Result<(), Failure> {
    match (&args.verify, &args.data) {
        (Some(file), _) => verify(file, output),
        (None, Some(folder)) if args.refused => refused(folder, args.limit, output),
        (None, Some(folder)) => {
            show(&store::reach_in(folder, &args.kept)?, args.after, args.limit.unwrap_or(u64::MAX), output)
        }
        (None, None) => Err(Failure::Missing { what: "--data" }),
    }
}

/// Read from the folder, whoever has the store open.
fn refused(folder: &Path, limit: Option<u64>, output: Output) -> Result<(), Failure> {
    let doing = || format!("reading what was refused in {}", folder.display());
    let mut refused =
        tufstore_server::refused_in(folder).map_err(|source| Failure::File { doing: doing(), source })?;
    let limit = limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(usize::MAX);
    // The newest tell most.
    refused.drain(..refused.len().saturating_sub(limit));
    let rows: Vec<_> = refused.into_iter().map(RefusedRow).collect();
    output.list(&rows)
}

fn show(store: &Reached, mut after: Position, limit: u64, output: Output) -> Result<(), Failure> {
    let mut lines: Vec<AuditEntry> = Vec::new();
    loop {
        let left = limit.saturating_sub(u64::try_from(lines.len()).unwrap_or(u64::MAX));
        let page = store.ask(admin::Audit { after, limit: left.min(PAGE) })?;
        let Some(last) = page.lines.last() else { break };
        after = last.position;
        let more = page.more;
        lines.extend(page.lines);
        if !more {
            break;
        }
    }
    store.close()?;
    let rows: Vec<_> = lines.iter().map(AuditRow::from).collect();
    output.either(&lines, &rows)
}

impl From<&AuditEntry> for AuditRow {
    fn from(entry: &AuditEntry) -> Self {
        let by = entry.note.as_ref().map(|note| note.by.to_string()).unwrap_or_default();
        let what = match &entry.what {
            AuditedEntry::Repository { repository, kind, files, .. } => {
                let files: Vec<_> =
                    files.iter().map(|(role, version, _)| format!("{role} {version}")).collect();
                match kind {
                    ChangeEntryKind::Published { .. } => {
                        format!("published {repository}: {}", files.join(", "))
                    }
                    ChangeEntryKind::Restored { .. } => {
                        format!("restored {repository}: {}", files.join(", "))
                    }
                    ChangeEntryKind::Deleted => {
                        let why = entry.note.as_ref().and_then(|note| note.why);
                        let why = why.map(|why| format!(" ({why})")).unwrap_or_default();
                        format!("deleted {repository}{why}")
                    }
                    ChangeEntryKind::Unknown | _ => format!("did something to {repository}"),
                }
            }
            AuditedEntry::Settings { revision } => {
                let did = entry.note.as_ref().map(|note| note.did.iter().map(change).collect::<Vec<_>>());
                did.map_or_else(|| format!("settings {revision}"), |did| did.join("; "))
            }
            AuditedEntry::Unknown | _ => "unknown to this release".to_owned(),
        };
        Self { position: entry.position, time: entry.time, by, what }
    }
}

/// A change in one line: what it was, and then all that it names.
fn change(change: &Value) -> String {
    let text = |value: &Value| match (value.as_str(), time(value)) {
        (Some(text), _) => text.to_owned(),
        (None, Some(time)) => time.to_string(),
        (None, None) => value.to_string(),
    };
    let kind = change.get("change").map(text).unwrap_or_default();
    let fields = change.as_object().into_iter().flatten().filter(|(name, _)| *name != "change");
    fields.fold(kind, |told, (name, value)| format!("{told} {name}={}", text(value)))
}

/// A time, as it is written down; whole seconds are enough to people.
fn time(value: &Value) -> Option<UnixTime> {
    value.get("nanoseconds")?;
    value.get("seconds")?.as_i64().map(UnixTime::from_seconds)
}

/// Each line's header says all that the line says, and follows the one before.
fn verify(file: &Path, output: Output) -> Result<(), Failure> {
    let doing = || format!("reading {}", file.display());
    let text = fs::read(file).map_err(|source| Failure::File { doing: doing(), source })?;
    let unreadable = |source: serde_json::Error| Failure::File { doing: doing(), source: source.into() };
    let said: Vec<Value> = serde_json::from_slice(&text).map_err(unreadable)?;
    let lines: Vec<AuditEntry> = serde_json::from_slice(&text).map_err(unreadable)?;
    let mut before: Option<AuditLine> = None;
    for (entry, said) in lines.iter().zip(&said) {
        let wrong = |what| Failure::AuditWrong { position: entry.position, what };
        let header = BASE64_STANDARD.decode(&entry.header).map_err(|_| wrong("its header cannot be read"))?;
        let line = AuditLine::read(&header).map_err(|_| wrong("its header cannot be read"))?;
        // All of it, so that nobody adds anything that is read by whoever trusts the rest.
        if serde_json::to_value(AuditEntry::from(line.clone())).ok().as_ref() != Some(said) {
            return Err(wrong("it does not say what its header says"));
        }
        let follows = before
            .as_ref()
            .is_none_or(|before| line.previous == before.digest() && line.position > before.position);
        if !follows {
            return Err(wrong("it does not follow the line before: one was changed, left out or put in"));
        }
        before = Some(line);
    }
    let digest = before.map(|line| tufstore::terms::Sha256::new(line.digest()).to_string());
    let verified = Verified {
        lines: u64::try_from(lines.len()).unwrap_or(u64::MAX),
        first: lines.first().map(|line| line.position),
        last: lines.last().map(|line| line.position),
        digest,
    };
    let end = verified.digest.as_deref().unwrap_or("nothing");
    let text = format!("{} lines follow each other; the last one's header is {end}", number(verified.lines));
    output::note(
        "whether they are the store's is told by that: compare it with another export, or a follower's",
    );
    output.result(&verified, text)
}
