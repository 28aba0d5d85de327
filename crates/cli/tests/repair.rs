//! `tufstore repair`, as an operator meets it.

mod common;
mod serving;

use std::fs;
use std::path::Path;

use common::{now, run, text, write};
use serving::Server;

const NAME: &str = "reg.example.com/app";

#[test]
fn a_damaged_store_is_refused_and_what_can_be_read_of_it_is_saved_and_served() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| text(&folder.path().join(name)).to_owned();
    let (data, repaired, keys) = (path("data"), path("repaired"), path("data.key"));
    let server = Server::start(Path::new(&data), &["--no-tls"]);
    let mut author = serving::author(&server, NAME, now());
    for tag in ["v1", "v2", "v3"] {
        author = serving::publish_tag(&server, author, tag, now());
    }
    assert!(server.stop().success());

    let journal = Path::new(&data).join("journal");
    let segment = fs::read_dir(&journal).unwrap().map(|entry| entry.unwrap().path());
    let segment =
        segment.into_iter().find(|path| path.extension().is_some_and(|end| end == "segment")).unwrap();
    let mut bytes = fs::read(&segment).unwrap();
    // In the last publication.
    let end = bytes.len() - 600;
    bytes[end] ^= 1;
    write(&segment, &bytes);
    // A tag comes from what was read off the record before; the record itself is refused.
    let refused = run(&["show", NAME, "targets", "--data", &data]);
    assert_eq!(refused.code, 4, "{refused:?}");
    assert!(refused.stderr.contains("tufstore repair"), "{refused:?}");
    let scrubbed = run(&["scrub", "--data", &data]);
    assert_eq!(scrubbed.code, 1, "{scrubbed:?}");
    assert!(scrubbed.stdout.contains("tufstore repair"), "{scrubbed:?}");

    // A file that the disk cannot read costs itself.
    fs::create_dir(format!("{data}/tls")).unwrap();
    std::os::unix::fs::symlink("/proc/self/mem", format!("{data}/tls/key")).unwrap();
    write(&Path::new(&data).join("tls/certificate"), b"of the server");
    let without = path("without");
    let repair = run(&["repair", &data, "--to", &without, "--output", "json"]);
    assert_eq!(repair.code, 1, "{repair:?}");
    let unread = &repair.json()["findings"][0];
    assert!(unread["place"] == "tls/key" && unread["repository"].is_null(), "{unread}");
    assert!(
        Path::new(&without).join("tls/certificate").exists() && Path::new(&without).join("master").exists()
    );
    assert!(!Path::new(&without).join("tls/key").exists());
    fs::remove_dir_all(format!("{data}/tls")).unwrap();

    let repair = run(&["repair", &data, "--to", &repaired, "--output", "json"]);
    assert_eq!(repair.code, 1, "{repair:?}");
    let report = repair.json();
    assert_eq!((&report["whole"], &report["saved"]), (&false.into(), &2.into()), "{report}");
    assert!(report["findings"][0]["repository"] == NAME, "{report}");
    assert_eq!(report["verified"].as_array().unwrap().len(), 0, "{report}");
    assert_eq!(run(&["repair", &data, "--to", &repaired]).code, 4, "something is there now");

    run(&["verify", &repaired]).ok();
    run(&["lookup", NAME, "v2", "--data", &repaired]).ok();
    assert_eq!(run(&["lookup", NAME, "v3", "--data", &repaired]).code, 1);
    // The master key came along, so that the server signs with the keys that it had, and the author publishes again.
    let server = Server::start(Path::new(&repaired), &["--no-tls", "--key-file", &keys]);
    serving::publish_tag(&server, author, "v4", now());
    assert!(server.stop().success());
    run(&["lookup", NAME, "v4", "--data", &repaired]).ok();
    run(&["verify", &repaired]).ok();
}
