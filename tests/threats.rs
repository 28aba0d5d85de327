//! Holds `docs/threats.md` and the promises of `docs/reliability.md` to the sources: what they name exists, and every attack test stands there.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// One attack of the tables.
#[derive(Debug, Eq, PartialEq)]
struct Row {
    attack: String,
    rules: Vec<String>,
    tests: Vec<String>,
}

#[test]
fn every_rule_file_exists() {
    let missing: Vec<_> = table()
        .into_iter()
        .chain(promises())
        .flat_map(|row| row.rules.into_iter().map(move |rule| (row.attack.clone(), rule)))
        .filter(|(_, rule)| !root().join(rule).exists())
        .collect();
    assert!(missing.is_empty(), "no such files: {missing:#?}");
}

#[test]
fn every_test_exists() {
    let sources = ["tests", "src", "crates", "proptests"].map(|folder| root().join(folder));
    let known: BTreeSet<String> = sources
        .iter()
        .flat_map(|folder| rust_files(folder))
        .flat_map(|file| tests_in(&read(&file)))
        .collect();
    let missing: Vec<_> = table()
        .into_iter()
        .chain(promises())
        .flat_map(|row| row.tests.into_iter().map(move |test| (row.attack.clone(), test)))
        .filter(|(_, test)| !known.contains(test))
        .collect();
    assert!(missing.is_empty(), "no such tests: {missing:#?}");
}

#[test]
fn every_attack_test_stands_in_the_table() {
    let listed: BTreeSet<String> = table().into_iter().flat_map(|row| row.tests).collect();
    let attacks = ["tests/attacks.rs", "tests/attacks"].map(|path| rust_files(&root().join(path)));
    let attacks = attacks.into_iter().flatten();
    let unlisted: Vec<_> =
        attacks.flat_map(|file| tests_in(&read(&file))).filter(|test| !listed.contains(test)).collect();
    assert!(unlisted.is_empty(), "missing from docs/threats.md: {unlisted:#?}");
}

#[test]
fn every_row_has_an_attack_a_rule_and_a_test_and_stands_once() {
    let mut attacks = BTreeSet::new();
    let mut tests = BTreeSet::new();
    for row in table() {
        assert!(!row.attack.is_empty() && !row.rules.is_empty() && !row.tests.is_empty(), "{row:?}");
        assert!(attacks.insert(row.attack.clone()), "twice: {}", row.attack);
        for test in row.tests {
            assert!(tests.insert(test.clone()), "twice: {test}");
        }
    }
    assert!(attacks.len() > 50, "the tables were not found");
}

#[test]
fn the_reader_takes_the_tables_of_attacks_and_no_other() {
    let text = "| attack | rule | test |\n|---|---|---|\n| a | `src/x.rs`, `src/y/` | `t_1`, `t_2` |\n\n\
                | class | why |\n|---|---|\n| `b` | c |\n";
    let strings = |names: [&str; 2]| names.map(str::to_owned).to_vec();
    let row = Row {
        attack: "a".to_owned(),
        rules: strings(["src/x.rs", "src/y/"]),
        tests: strings(["t_1", "t_2"]),
    };
    assert_eq!(rows_of(text, ATTACKS), [row]);
}

#[test]
fn the_reader_sees_tests_and_not_their_helpers() {
    let source = "fn helper() {}\n#[test]\nfn one() {}\n\n    #[test]\n    #[should_panic]\n    fn two() {}\nfn three() {}";
    assert_eq!(tests_in(source), ["one", "two"]);
}

fn table() -> Vec<Row> {
    rows_of(&read(&root().join("docs/threats.md")), ATTACKS)
}

/// What is promised is held to the sources in the same way.
fn promises() -> Vec<Row> {
    let rows = rows_of(&read(&root().join("docs/reliability.md")), PROMISES);
    assert!(rows.len() > 20, "the table was not found");
    rows
}

const ATTACKS: [&str; 3] = ["attack", "rule", "test"];
const PROMISES: [&str; 3] = ["promise", "where", "test"];

fn rows_of(text: &str, heads: [&str; 3]) -> Vec<Row> {
    let mut rows = Vec::new();
    let mut inside = false;
    for line in text.lines() {
        let Some(cells) = line.strip_prefix('|').and_then(|line| line.strip_suffix('|')) else {
            inside = false;
            continue;
        };
        let cells: Vec<&str> = cells.split('|').map(str::trim).collect();
        if cells == heads {
            inside = true;
        } else if inside && !cells.iter().all(|cell| cell.starts_with("---")) {
            assert_eq!(cells.len(), 3, "{line}");
            rows.push(Row {
                attack: cells[0].to_owned(),
                rules: code_in(cells[1]),
                tests: code_in(cells[2]),
            });
        }
    }
    rows
}

/// What stands between backticks.
fn code_in(cell: &str) -> Vec<String> {
    cell.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

fn tests_in(source: &str) -> Vec<String> {
    let mut tests = Vec::new();
    let mut marked = false;
    for line in source.lines().map(str::trim_start) {
        if line.starts_with("#[test]") || line.starts_with("#[tokio::test") {
            marked = true;
        } else if let Some(rest) = line.strip_prefix("async ").unwrap_or(line).strip_prefix("fn ")
            && marked
        {
            marked = false;
            tests.push(rest.split('(').next().unwrap_or(rest).to_owned());
        }
    }
    tests
}

fn rust_files(path: &Path) -> Vec<PathBuf> {
    if path.is_dir() {
        let mut entries: Vec<_> = fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()).collect();
        entries.sort();
        return entries.iter().flat_map(|entry| rust_files(entry)).collect();
    }
    let rust = path.extension().is_some_and(|extension| extension == "rs");
    rust.then(|| path.to_owned()).into_iter().collect()
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(file: &Path) -> String {
    fs::read_to_string(file).unwrap()
}
