//! The description of the API against a running server, by a program that knows neither: Schemathesis makes calls of what is
//! described, and some that are not, and looks whether the answers are as described.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::process::Command;

use serde_json::{Value, json};
use tokio::sync::oneshot;
use tufstore_server::directory::Actor;
use tufstore_server::settings::{Settings, Tls};
use tufstore_server::{Clock, Server};
use tufstore_testkit::{NOW, Publisher, digest};

/// Whoever calls. Random names are no likelier than random passwords to be theirs, so that no call takes it away.
const CALLER: (&str, &str) = ("caller-5b1f0c", "correct horse");
/// What has to hold of every answer.
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,\
    response_headers_conformance,response_schema_conformance";
/// Calls of each kind, of each operation.
const CALLS: &str = "40";

fn setup(server: &Server) {
    let mut publisher = Publisher::for_store("reg.example.com/app", &server.store());
    publisher.tag(&[("1.0", digest("1.0"))]);
    publisher.publish(&server.store()).unwrap();
    let directory = server.directory();
    let order = |order: Value| {
        let order = serde_json::from_value(order).unwrap();
        directory.carry_out(order, &Actor::operator(), NOW).unwrap();
    };
    let (name, password) = CALLER;
    order(json!({ "order": "add-user", "name": name, "password": password }));
    let to = json!({ "principal": name });
    order(json!({ "order": "assign-role", "role": "Owner", "scope": "*", "to": to }));
    order(json!({ "order": "add-user", "name": "alice", "password": password }));
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_are_as_described() {
    let schemathesis = std::env::var_os("SCHEMATHESIS").unwrap_or_else(|| "schemathesis".into());
    let folder = tempfile::tempdir().unwrap();
    let mut settings = Settings::new(folder.path().join("store"));
    settings.listen = ([127, 0, 0, 1], 0).into();
    settings.tls = Tls::Off;
    let server = Server::start(settings, Clock::new(|| NOW)).await.unwrap();
    setup(&server);
    let url = server.url();
    let (end, ended) = oneshot::channel::<()>();
    let running = tokio::spawn(server.run(async { drop(ended.await) }));
    let (name, password) = CALLER;
    let mut command = Command::new(schemathesis);
    command
        .current_dir(folder.path())
        .args(["run", &format!("{url}/v1/openapi.json"), "--auth", &format!("{name}:{password}")])
        .args(["--checks", CHECKS, "--max-examples", CALLS, "--phases", "examples,coverage,fuzzing"])
        .args(["--seed", "1", "--max-time", "45", "--warnings", "off", "--suppress-health-check", "all"])
        .args(["--continue-on-failure", "--no-color"]);
    let status = tokio::task::spawn_blocking(move || command.status()).await.unwrap().unwrap();
    drop(end);
    running.await.unwrap().unwrap();
    assert!(status.success(), "the answers are not as described: see above");
}
