//! `tufstore collect` and `tufstore scrub`, of a closed folder and through a server, and what a server does by itself.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests")]

mod common;
mod serving;

use std::fs;
use std::path::Path;
use std::time::Duration;

use common::{run, text, write};
use serving::Server;

/// Publishes for a second to a few repositories, and deletes one.
fn store(folder: &Path) -> String {
    let data = text(&folder.join("data")).to_owned();
    let acks = text(&folder.join("acks")).to_owned();
    run(&["stress", "--data", &data, "--repositories", "3", "--seconds", "1", "--acks", &acks]).ok();
    run(&["delete", "example.com/stress/00001", "--yes", "--data", &data]).ok();
    data
}

fn json(arguments: &[&str]) -> serde_json::Value {
    run(&[arguments, &["--output", "json"]].concat()).ok().json()
}

fn journal_bytes(data: &str) -> u64 {
    json(&["status", "--data", data])["journal_bytes"].as_u64().unwrap()
}

#[test]
fn a_collection_frees_space_and_the_store_is_sound_and_holds_what_it_said() {
    let folder = tempfile::tempdir().unwrap();
    let data = store(folder.path());
    let acks = text(&folder.path().join("acks")).to_owned();
    let before = journal_bytes(&data);

    // Fresh timestamps lead to all that living repositories have.
    let deleted = json(&["collect", "--data", &data, "--deleted-only"]);
    assert_eq!(deleted["documents"], 0);
    let freed = deleted["freed_bytes"].as_u64().unwrap();
    assert!(freed > before / 5, "{freed} of {before}");
    assert!(journal_bytes(&data) <= before - freed / 2);

    let verified = json(&["verify", &data, "--acks", &acks]);
    let acknowledged = &verified["acknowledged"];
    assert_eq!((&verified["sound"], &acknowledged["lost"]), (&true.into(), &0.into()));
    assert_eq!(acknowledged["collected"], 0);
    assert!(acknowledged["ended"].as_u64().unwrap() > 0);
    let again = json(&["collect", "--data", &data]);
    assert_eq!(again["freed_bytes"], 0, "{again}");
    run(&["collect", "--data", &data, "--versions", "0"]).code.eq(&2).then_some(()).unwrap();
}

#[test]
fn a_server_collects_when_it_is_asked() {
    let folder = tempfile::tempdir().unwrap();
    let data = store(folder.path());
    let server = Server::start(Path::new(&data), &["--no-tls", "--new-master-key"]);
    let collected = json(&["collect", "--data", &data, "--deleted-only"]);
    assert!(collected["freed_bytes"].as_u64().unwrap() > 0);
    let scrubbed = json(&["scrub", "--data", &data]);
    assert_eq!((&scrubbed["sound"], &scrubbed["repositories"]), (&true.into(), &2.into()));
    assert!(server.stop().success());
    run(&["verify", &data]).ok();
}

#[test]
fn a_server_collects_and_scrubs_by_itself() {
    let folder = tempfile::tempdir().unwrap();
    let data = store(folder.path());
    let config = write(
        &folder.path().join("tufstore.toml"),
        b"[maintenance]\nscrub-every = \"300ms\"\ncollect-every = \"200ms\"\nkeep-versions = 5\nkeep-age = \"30d\"\n",
    );
    let server =
        Server::start(Path::new(&data), &["--no-tls", "--new-master-key", "--config", text(&config)]);
    let gauge = |name: &str| {
        let rendered = server.get("/metrics").text();
        let line =
            rendered.lines().find_map(|line| line.strip_prefix(&format!("{name} ")).map(str::to_owned));
        line.unwrap().parse::<f64>().unwrap()
    };
    for _ in 0..1_000 {
        if gauge("tufstore_collected_bytes_total") > 0.0 && gauge("tufstore_scrubbed_timestamp_seconds") > 0.0
        {
            break;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(gauge("tufstore_collected_bytes_total") > 0.0);
    assert!(gauge("tufstore_scrubbed_timestamp_seconds") > 0.0);
    assert!(gauge("tufstore_damage_findings").abs() < f64::EPSILON);
    assert!(server.stop().success());
    run(&["verify", &data]).ok();
}

#[test]
fn a_scrub_names_what_is_damaged_before_anybody_reads_it() {
    let folder = tempfile::tempdir().unwrap();
    let data = store(folder.path());
    run(&["scrub", "--data", &data]).ok();
    let journal = Path::new(&data).join("journal");
    let mut segments: Vec<_> = fs::read_dir(journal).unwrap().map(|entry| entry.unwrap().path()).collect();
    segments.retain(|path| path.extension().is_some_and(|end| end == "segment"));
    segments.sort();
    let mut bytes = fs::read(&segments[0]).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 4;
    write(&segments[0], &bytes);
    let scrubbed = run(&["scrub", "--data", &data, "--output", "json"]);
    assert_eq!(scrubbed.code, 1, "{scrubbed:?}");
    let findings = scrubbed.json()["findings"].as_array().unwrap().clone();
    let name = segments[0].file_name().unwrap().to_str().unwrap();
    assert!(findings[0]["place"].as_str().unwrap().contains(name), "{findings:?}");
    assert!(findings[0]["what_to_do"].as_str().unwrap().contains("tufstore repair"), "{findings:?}");
}
