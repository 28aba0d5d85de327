//! A trace played into a store: whole, in parts, and cut short by a kill.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod common;

use std::collections::HashMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use common::{Played, TRACE, command, run, text, write};
use tufstore_testkit::digest;

#[test]
fn a_replay_plays_every_publication_and_says_how_fast() {
    let folder = tempfile::tempdir().unwrap();
    let (data, acks) = (folder.path().join("data"), folder.path().join("acks"));
    let trace = write(&folder.path().join("trace.tsv"), TRACE.as_bytes());
    let arguments =
        ["replay", text(&trace), "--data", text(&data), "--acks", text(&acks), "--publishers", "1"];
    let first = run(&[&arguments[..], &["--output", "json"]].concat()).ok().json();
    for (name, count) in
        [("publications", 3), ("published_before", 0), ("repositories", 2), ("tags", 4), ("publishers", 1)]
    {
        assert_eq!(first[name], count, "{name}");
    }
    assert!(first["bytes_on_disk"].as_u64().unwrap() > 0);
    let lines = fs::read_to_string(&acks).unwrap();
    // As `verify` reads them: role by role of each publication.
    let targets = lines.lines().filter(|line| line.contains(" targets "));
    let targets: Vec<_> = targets.map(|line| line.rsplit_once(' ').unwrap().0).collect();
    let expected = ["app 1 targets 1", "other 2 targets 1", "app 3 targets 2"];
    assert_eq!(targets, expected.map(|line| format!("docker.io/library/{line}")));
    run(&["verify", text(&data), "--acks", text(&acks)]).ok();
    // The keys lie beside the data, an author's for each repository.
    assert!(folder.path().join("data.keys/authors/docker.io/library/app/private").is_dir());

    let again = run(&arguments).ok().stdout;
    assert!(again.contains("3 of 2 repositories"), "{again}");
    assert_eq!(fs::read_to_string(&acks).unwrap(), lines, "nothing was published again");
}

#[test]
fn a_replay_goes_on_where_a_part_of_the_trace_ended() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let part: String = TRACE.lines().take(2).fold(String::new(), |mut part, line| {
        writeln!(part, "{line}").unwrap();
        part
    });
    let part = write(&folder.path().join("part.tsv"), part.as_bytes());
    let whole = write(&folder.path().join("whole.tsv"), TRACE.as_bytes());
    run(&["replay", text(&part), "--data", text(&data)]).ok();
    let rest = run(&["replay", text(&whole), "--data", text(&data), "--output", "json"]).ok().json();
    assert_eq!(rest["published_before"], 2);
    let latest = run(&["lookup", "docker.io/library/app", "latest", "--data", text(&data)]).ok().stdout;
    assert!(latest.contains(&digest("app@0000000000000002").to_string()));
    run(&["verify", text(&data)]).ok();
}

#[test]
fn a_deleted_repository_begins_anew() {
    let played = Played::new();
    played.run(&["delete", "docker.io/library/app", "--yes"]).ok();
    let trace = played.folder.path().join("trace.tsv");
    let again = played.run(&["replay", text(&trace), "--output", "json"]).ok().json();
    assert_eq!(again["published_before"], 1);
    let row = &played.run(&["changes", "--after", "4", "--output", "json"]).ok().json()[0];
    assert_eq!((row["incarnation"].as_u64(), row["revision"].as_u64()), (Some(2), Some(1)));
}

#[test]
fn without_the_authors_keys_a_replay_cannot_go_on() {
    let played = Played::new();
    let more = played.write("more.tsv", format!("{TRACE}4\tapp\t0000000000000003\tlatest\n").as_bytes());
    let other = played.folder.path().join("other-keys");
    let refused = played.run(&["replay", text(&more), "--keys", text(&other)]);
    assert_eq!(refused.code, 4, "{refused:?}");
    assert!(refused.stderr.contains("use the keys folder that the store was made with"), "{refused:?}");
    let inside = played.folder.path().join("data/keys");
    assert_eq!(played.run(&["replay", text(&more), "--keys", text(&inside)]).code, 2);
    played.run(&["replay", text(&more)]).ok();
}

#[test]
fn a_damaged_trace_is_refused_before_anything_is_played() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let trace = write(&folder.path().join("trace.tsv"), format!("{TRACE}nonsense\n").as_bytes());
    let refused = run(&["replay", text(&trace), "--data", text(&data)]);
    assert_eq!(refused.code, 4);
    assert!(refused.stderr.contains("line 4: has 1 fields"), "{refused:?}");
    assert!(!data.exists());
}

#[test]
fn a_killed_replay_keeps_what_it_acknowledged_and_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let (data, acks) = (folder.path().join("data"), folder.path().join("acks"));
    let mut lines = String::new();
    for publication in 0..600 {
        let repository = publication % 7;
        writeln!(lines, "{publication}\tr{repository}\t{publication:016x}\tlatest,v{publication}").unwrap();
    }
    let trace = write(&folder.path().join("trace.tsv"), lines.as_bytes());
    let arguments = ["replay", text(&trace), "--data", text(&data), "--acks", text(&acks)];
    for publications in [1, 90, 250, 420] {
        let mut child = command(&arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        while child.try_wait().unwrap().is_none() && lines_in(&acks) < publications {
            thread::sleep(Duration::from_millis(1));
        }
        child.kill().unwrap();
        child.wait().unwrap();
        run(&["verify", text(&data), "--acks", text(&acks)]).ok();
    }
    let rest = run(&[&arguments[..], &["--output", "json"]].concat()).ok().json();
    assert_eq!(rest["publications"], 600);
    run(&["verify", text(&data), "--acks", text(&acks)]).ok();
    let all: u64 = revisions(&data).values().sum();
    assert_eq!(all, 600, "each publication was made exactly once");
}

fn lines_in(path: &Path) -> usize {
    fs::read_to_string(path).map_or(0, |text| text.lines().count())
}

fn revisions(data: &Path) -> HashMap<String, u64> {
    let rows = run(&["repositories", "--data", text(data), "--output", "json"]).ok().json();
    let row = |row: &serde_json::Value| {
        (row["repository"].as_str().unwrap().to_owned(), row["revision"].as_u64().unwrap())
    };
    rows.as_array().unwrap().iter().map(row).collect()
}

#[test]
fn quickstart_shows_everything_and_its_next_steps_work() {
    let folder = tempfile::tempdir().unwrap();
    let output = command(&["quickstart", "--keep", "demo"]).current_dir(folder.path()).output().unwrap();
    let told = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    for fact in ["1,348 publications", "9,145 tags", "a view, pinned", "closed and reopened", "on disk"] {
        assert!(told.contains(fact), "{fact}: {told}");
    }
    let (view, store) = (digest_after("a view, pinned", &told), digest_after("the store, after it", &told));
    assert_ne!(view, store, "the view stays: {told}");
    let steps: Vec<_> = told.lines().filter_map(|line| line.strip_prefix("  ")).collect();
    assert!(steps.len() >= 5, "{told}");
    for step in steps {
        let mut words = step.split_whitespace();
        let program = words.next().unwrap();
        let status = Command::new(program).args(words).current_dir(folder.path()).output().unwrap().status;
        assert!(status.success(), "{step}");
    }
    let full = command(&["quickstart", "--keep", "demo"]).current_dir(folder.path()).output().unwrap();
    assert_eq!(full.status.code(), Some(4), "nothing is written over");
}

fn digest_after(name: &str, told: &str) -> String {
    let line = told.lines().find(|line| line.starts_with(name)).unwrap();
    line.split("sha256:").nth(1).unwrap().chars().take(12).collect()
}
