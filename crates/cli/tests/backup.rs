//! `tufstore backup` and `tufstore restore`, as an operator uses them: beside a running server, and after a loss.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod common;
mod serving;

use std::path::Path;

use common::{now, run, text, write};
use serving::Server;
use tempfile::TempDir;

const NAME: &str = "reg.example.com/app";

struct Folder(TempDir);

impl Folder {
    fn path(&self, name: &str) -> String {
        text(&self.0.path().join(name)).to_owned()
    }
}

fn folder() -> Folder {
    Folder(tempfile::tempdir().unwrap())
}

fn serve(data: &str, more: &[&str]) -> Server {
    Server::start(Path::new(data), &[&["--no-tls"], more].concat())
}

#[test]
fn a_running_server_is_backed_up_and_restored_with_what_it_signs_with() {
    let folder = folder();
    let [data, full, more, restored] = ["data", "full", "more", "restored"].map(|name| folder.path(name));
    let server = serve(&data, &[]);
    let author = serving::author(&server, NAME, now());
    let author = serving::publish_tag(&server, author, "v1", now());
    let made = run(&["backup", "--data", &data, "--to", &full, "--with-master-key", "--output", "json"]).ok();
    assert_eq!((&made.json()["records"], &made.json()["with_master_key"]), (&1.into(), &true.into()));
    let author = serving::publish_tag(&server, author, "v2", now());
    let made = run(&["backup", "--data", &data, "--to", &more, "--since", &full, "--output", "json"]).ok();
    assert_eq!((&made.json()["after"], &made.json()["to"]), (&1.into(), &2.into()));
    assert!(server.stop().success());

    // Which of the two it is, the operator says.
    assert_eq!(run(&["restore", &full, &more, "--to", &restored]).code, 2);
    let report =
        run(&["restore", &full, &more, "--to", &restored, "--nothing-lost", "--output", "json"]).ok();
    assert_eq!((&report.json()["records"], &report.json()["master_key"]), (&2.into(), &true.into()));
    run(&["verify", &restored]).ok();
    let [of_old, of_new] = [&data, &restored]
        .map(|data| run(&["history", NAME, "--data", data, "--output", "json"]).ok().json());
    assert_eq!(of_old, of_new);
    let server = serve(&restored, &["--key-file", &folder.path("data.key")]);
    serving::publish_tag(&server, author, "v3", now());
    assert!(server.stop().success());
    assert_eq!(run(&["restore", &full, "--to", &restored, "--nothing-lost"]).code, 4, "something is there");
}

#[test]
fn after_a_loss_the_report_says_who_publishes_again_and_then_all_is_well() {
    let folder = folder();
    let [data, full, restored, client] = ["data", "full", "restored", "client"].map(|name| folder.path(name));
    let server = serve(&data, &[]);
    let author = serving::author(&server, NAME, now());
    let before = serving::publish_tag(&server, author, "v1", now());
    run(&["backup", "--data", &data, "--to", &full]).ok();
    let author = serving::publish_tag(&server, before, "v2", now());
    // A client has seen that.
    let cache = |server: &Server, name: &str| {
        let folder = folder.0.path().join(name);
        for role in ["root", "timestamp", "snapshot", "targets"] {
            let file = server.get(&format!("/v2/{NAME}/_trust/tuf/{role}.json"));
            write(&folder.join(format!("{role}.json")), &file.body);
        }
        text(&folder).to_owned()
    };
    let seen = cache(&server, "seen");
    run(&["import", NAME, &seen, "--data", &client]).ok();
    assert!(server.stop().success());

    let rollback = ["restore", &full, "--to", &restored, "--rollback"];
    let refused = run(&rollback);
    assert_eq!(refused.code, 4, "{refused:?}");
    assert!(refused.stderr.contains("--old") && !Path::new(&restored).exists(), "{refused:?}");
    let report = run(&[&rollback[..], &["--old", &data, "--output", "json"]].concat()).ok().json();
    assert_eq!((&report["end"], &report["goes_on_after"]), (&1.into(), &2.into()), "{report}");
    let row = &report["repositories"][0];
    assert_eq!((&row["repository"], &row["signed"]), (&NAME.into(), &true.into()), "{report}");
    assert_eq!(row["publish_above"], serde_json::json!([["targets", 2]]), "{report}");
    run(&["verify", &restored]).ok();
    let changes = run(&["changes", "--after", "2", "--data", &restored, "--output", "json"]).ok();
    assert!(changes.stdout.contains("restored"), "{changes:?}");

    // What the client has seen is newer, until the publisher, who has it, publishes again above that.
    let server = serve(&restored, &["--key-file", &folder.path("data.key")]);
    let refused = run(&["import", NAME, &cache(&server, "older"), "--data", &client]);
    assert_eq!(refused.code, 4, "{refused:?}");
    serving::publish_tag(&server, author, "v3", now());
    run(&["import", NAME, &cache(&server, "newest"), "--data", &client]).ok();
    run(&["lookup", NAME, "v3", "--data", &client]).ok();
    assert!(server.stop().success());
    run(&["verify", &restored]).ok();
}

#[test]
fn a_backup_that_is_damaged_is_named_and_nothing_comes_of_it() {
    let folder = folder();
    let [data, full, restored] = ["data", "full", "restored"].map(|name| folder.path(name));
    run(&["stress", "--data", &data, "--seconds", "1", "--repositories", "2"]).ok();
    run(&["backup", "--data", &data, "--to", &full]).ok();
    let mut bytes = std::fs::read(&full).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    write(Path::new(&full), &bytes);
    let refused = run(&["restore", &full, "--to", &restored, "--nothing-lost"]);
    assert_eq!(refused.code, 4, "{refused:?}");
    assert!(refused.stderr.contains("damaged") && !Path::new(&restored).exists(), "{refused:?}");
    let refused = run(&["backup", "--data", &data, "--to", &folder.path("none/x")]);
    assert_eq!(refused.code, 4, "{refused:?}");
}
