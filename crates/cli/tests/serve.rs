//! The server as an operator starts and ends it.

#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

mod common;
mod serving;

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use common::{command, run, text, write};
use serving::Server;
use tufstore_client::Author;
use tufstore_testkit::digest;

const PLAIN: &[&str] = &["--no-tls"];
const NAME: &str = "reg.example.com/app";

/// What serve says when it does not start.
fn refused(arguments: &[&str], variables: &[(&str, &str)]) -> String {
    let mut command = command(arguments);
    let output = command.envs(variables.iter().copied()).output().unwrap();
    assert_eq!(output.status.code(), Some(4), "{output:?}");
    String::from_utf8(output.stderr).unwrap()
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

/// Publishes as an author would who asks the server for its keys.
fn publish(server: &Server) -> Author {
    let author = serving::author(server, NAME, common::now());
    serving::publish_tag(server, author, "latest", common::now())
}

fn served(server: &Server) -> Vec<Vec<u8>> {
    let file = |role| {
        let answer = server.get(&format!("/v2/{NAME}/_trust/tuf/{role}.json"));
        assert_eq!(answer.status, 200, "{role}");
        answer.body
    };
    ["root", "targets", "snapshot", "timestamp"].map(file).to_vec()
}

#[test]
fn a_first_start_makes_what_it_needs_and_says_what_that_means() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("store");
    let server = Server::start(&data, &[]);
    let key = folder.path().join("store.key");
    assert_eq!((mode(&key), mode(&data), mode(&data.join("master"))), (0o600, 0o700, 0o600));
    assert_eq!(mode(&data.join("tls/server.key")), 0o600);
    assert_eq!(mode(&data.join("admin.sock")), 0o600);
    for said in ["store.key was made", "without it nobody can", "tls/ca.crt", "no token service is named"] {
        server.says(said);
    }
    let certificate = fs::read(server.ca()).unwrap();
    assert!(server.stop().success());
    assert!(!data.join("admin.sock").exists());

    let again = Server::start(&data, &[]);
    assert_eq!(fs::read(again.ca()).unwrap(), certificate);
    again.says("no token service is named");
    assert!(!again.log().contains("was made"));
    assert!(again.stop().success());
}

#[test]
fn a_second_start_serves_the_same_bytes_with_and_without_the_index() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("store");
    let server = Server::start(&data, PLAIN);
    publish(&server);
    let before = served(&server);
    assert!(server.stop().success());
    let again = Server::start(&data, PLAIN);
    assert_eq!(served(&again), before);
    again.kill();
    fs::remove_dir_all(data.join("index")).unwrap();
    let rebuilt = Server::start(&data, PLAIN);
    assert_eq!(served(&rebuilt), before);
    assert!(rebuilt.stop().success());
}

#[test]
fn only_what_sealed_the_master_key_opens_it() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("store");
    let arguments = ["serve", "--listen", "127.0.0.1:0", "--no-tls", "--data", text(&data)];
    let first = Server::start_with(&data, PLAIN, &[("TUFSTORE_PASSPHRASE", "correct horse")]);
    let author = publish(&first);
    assert!(first.stop().success());
    assert!(!folder.path().join("store.key").exists());

    let wrong = refused(&arguments, &[("TUFSTORE_PASSPHRASE", "wrong horse")]);
    assert!(wrong.contains("does not open the master key file"), "{wrong}");
    let mut no_text = command(&arguments);
    let no_text = no_text.env("TUFSTORE_PASSPHRASE", OsStr::from_bytes(b"\xff")).output().unwrap();
    let no_text = String::from_utf8(no_text.stderr).unwrap();
    assert!(no_text.contains("does not open the master key file"), "{no_text}");
    let other = refused(&arguments, &[]);
    assert!(other.contains("sealed by a passphrase"), "{other}");
    assert!(!folder.path().join("store.key").exists());

    let file = write(&folder.path().join("passphrase"), b"correct horse\n");
    let again = Server::start(&data, &["--no-tls", "--passphrase-file", text(&file)]);
    let mut author = author;
    author.set_tag("latest", digest("another"), 10);
    let signed = author.sign(common::now()).unwrap();
    let files: Vec<_> =
        signed.upload.files().map(|(role, bytes)| (role.as_str().to_owned(), bytes.clone())).collect();
    let answer = again.upload(NAME, files.iter().map(|(role, bytes)| (role.as_str(), &**bytes)));
    assert_eq!(answer.status, 200, "the same keys sign: {}", answer.text());
    assert!(again.stop().success());
}

#[test]
fn a_lost_master_key_is_not_replaced_in_silence() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("store");
    let server = Server::start(&data, PLAIN);
    publish(&server);
    assert!(server.stop().success());
    #[expect(clippy::disallowed_methods, reason = "what a careless user does")]
    fs::remove_file(data.join("master")).unwrap();
    let arguments = ["serve", "--listen", "127.0.0.1:0", "--no-tls", "--data", text(&data)];
    let said = refused(&arguments, &[]);
    assert!(said.contains("has records, but no master key") && said.contains("from a backup"), "{said}");
    assert!(!data.join("master").exists());
    let anew = Server::start(&data, &["--no-tls", "--new-master-key"]);
    assert_eq!(served(&anew).len(), 4, "what was signed is served");
    assert!(anew.stop().success());
}

#[test]
fn a_key_file_does_not_lie_in_the_data() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("store");
    let inside = data.join("key");
    let said = refused(
        &["serve", "--listen", "127.0.0.1:0", "--data", text(&data), "--key-file", text(&inside)],
        &[],
    );
    assert!(said.contains("lies in the data folder"), "{said}");
    assert!(!data.exists());
}

#[test]
fn strangers_are_not_let_in_by_accident() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("store");
    let said = refused(&["serve", "--listen", "0.0.0.0:0", "--data", text(&data)], &[]);
    assert!(said.contains("whoever reaches 0.0.0.0:0 could publish and delete"), "{said}");
    assert!(!data.exists());
}

#[test]
fn tokens_that_could_not_be_verified_are_said_before_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("store");
    let keys = folder.path().join("keys.json");
    let settings = |realm: &str| {
        let text =
            format!("[auth]\nrealm = \"{realm}\"\nservice = \"s\"\nissuer = \"i\"\njwks = \"keys.json\"\n");
        write(&folder.path().join("tufstore.toml"), text.as_bytes())
    };
    let start = |config: &Path, said: &str| {
        for check in [&["--check-config"][..], &[]] {
            let arguments =
                ["serve", "--data", text(&data), "--config", text(config), "--listen", "0.0.0.0:0"];
            let refused = refused(&[&arguments, check].concat(), &[]);
            assert!(refused.contains(said), "{refused}");
        }
    };
    let config = settings("https://auth.example.com/token");
    start(&config, "keys.json cannot be read");
    write(&keys, br#"{"keys": [{"kty": "oct", "k": "AAAA"}]}"#);
    start(&config, "there is no key in it that verifies tokens");
    start(&settings("auth.example.com"), "auth.realm is no URL");
    assert!(!data.exists());
    let x = "ypCEhdTFiXfhzA3RC_8Dj6sqV6oSz5XtGaHJtQqyB4w";
    write(
        &keys,
        format!(r#"{{"keys": [{{"kty": "EC", "crv": "P-256", "x": "{x}", "y": "{x}"}}]}}"#).as_bytes(),
    );
    let config = settings("https://auth.example.com/token");
    let server = Server::start(&data, &["--no-tls", "--config", text(&config)]);
    assert_eq!(server.get("/v2/").status, 401);
    assert_eq!(server.get("/metrics").status, 200);
    assert!(!server.log().contains("no token service is named"));
    assert!(server.stop().success());
}

#[test]
fn a_start_that_fails_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (data, other) = (folder.path().join("store"), folder.path().join("other"));
    let server = Server::start(&data, PLAIN);
    let address = format!("127.0.0.1:{}", server.port);
    let said = refused(&["serve", "--listen", &address, "--data", text(&other)], &[]);
    assert!(said.contains(&format!("cannot listen on {address}")), "{said}");
    assert!(!other.exists() && !folder.path().join("other.key").exists());

    let said = refused(&["serve", "--listen", "127.0.0.1:0", "--no-tls", "--data", text(&data)], &[]);
    assert!(said.contains("is in use by"), "{said}");
    assert_eq!(run(&["status", "--data", text(&data)]).ok().code, 0, "its admin socket still answers");
    assert!(server.stop().success());
}

#[test]
fn a_check_says_what_would_happen_and_does_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("store");
    let arguments = ["serve", "--listen", "127.0.0.1:0", "--data", text(&data), "--check-config"];
    let checked = run(&arguments).ok();
    assert!(checked.stdout.contains("would be made"), "{checked:?}");
    assert!(!data.exists() && !folder.path().join("store.key").exists());
    let json = run(&[&arguments[..], &["--output", "json"]].concat()).ok().json();
    assert_eq!(
        (&json["master_key"], &json["certificate"]),
        (&"would be made".into(), &"would be made".into())
    );

    assert!(Server::start(&data, &[]).stop().success());
    let json = run(&[&arguments[..], &["--output", "json"]].concat()).ok().json();
    assert_eq!((&json["master_key"], &json["certificate"]), (&"is there".into(), &"is there".into()));
    let wrong = write(&folder.path().join("other.key"), &[7; 32]);
    fs::set_permissions(&wrong, fs::Permissions::from_mode(0o600)).unwrap();
    let said = refused(&[&arguments[..], &["--key-file", text(&wrong)]].concat(), &[]);
    assert!(said.contains("does not open the master key file"), "{said}");
}

#[test]
fn settings_come_from_flags_above_a_file_above_defaults() {
    let folder = tempfile::tempdir().unwrap();
    let config = write(
        &folder.path().join("tufstore.toml"),
        b"data = \"store\"\nlisten = \"127.0.0.1:1\"\ngun-prefixes = [\"reg.example.com/\"]\n\
          [tls]\noff = true\n[caching]\ncurrent = 0\n",
    );
    // The file's data folder lies beside it; the flags name the same, and another address.
    let server = Server::start(&folder.path().join("store"), &["--config", text(&config)]);
    publish(&server);
    let root = server.get(&format!("/v2/{NAME}/_trust/tuf/root.json"));
    assert!(root.headers.contains("cache-control: max-age=0, no-cache, no-store"), "{}", root.headers);
    let foreign = server.upload("other.example.com/app", [("root", &b"{}"[..])]);
    assert!(foreign.text().contains("Require GUNs with prefix: [reg.example.com/]"), "{}", foreign.text());
    assert_eq!(server.get("/v2/other.example.com/app/_trust/tuf/root.json").status, 404);
    assert!(server.stop().success());

    let wrong = write(&folder.path().join("wrong.toml"), b"data = \"store\"\nlisten-on = \"x\"\n");
    let said = refused(&["serve", "--config", text(&wrong)], &[]);
    assert!(said.contains("listen-on") && said.contains("line 2"), "{said}");
}

#[test]
fn the_configuration_of_a_notary_server_is_taken_over() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("store");
    let config = write(
        &folder.path().join("server-config.json"),
        br#"{"server": {"http_addr": "127.0.0.1:0"},
             "trust_service": {"type": "remote", "hostname": "signer", "port": "7899", "key_algorithm": "ecdsa"},
             "storage": {"backend": "mysql", "db_url": "server@tcp(mysql:3306)/notaryserver?parseTime=True"},
             "repositories": {"gun_prefixes": ["reg.example.com/"]},
             "caching": {"max_age": {"current_metadata": 60}},
             "logging": {"level": "info"}}"#,
    );
    let server = Server::start(&data, &["--config", text(&config)]);
    publish(&server);
    let root = server.get(&format!("/v2/{NAME}/_trust/tuf/root.json"));
    assert!(root.headers.contains("cache-control: public, max-age=60, s-maxage=60, must-revalidate"));
    server.says("no token service is named");
    let log = server.log();
    for key in [
        "storage.backend",
        "storage.db_url",
        "trust_service.type",
        "trust_service.hostname",
        "trust_service.port",
    ] {
        assert_eq!(log.matches(&format!("{key} has no effect")).count(), 1, "{key}: {log}");
    }
    assert!(!log.contains("gun_prefixes has no effect") && !log.contains("key_algorithm has no effect"));
    assert!(server.stop().success());

    let authenticated = write(
        &folder.path().join("token.json"),
        br#"{"server": {"http_addr": "127.0.0.1:0"}, "auth": {"type": "token", "options": {}}}"#,
    );
    let said = refused(&["serve", "--data", text(&data), "--config", text(&authenticated)], &[]);
    assert!(said.contains("auth.options.realm is not given"), "{said}");
    let open = write(&folder.path().join("open.json"), br#"{"server": {"http_addr": ":4443"}}"#);
    let said = refused(&["serve", "--data", text(&data), "--config", text(&open)], &[]);
    assert!(said.contains("could publish and delete"), "{said}");
}

#[test]
fn a_certificate_is_read_again_on_a_signal() {
    let folder = tempfile::tempdir().unwrap();
    let (one, two) = (folder.path().join("one"), folder.path().join("two"));
    for data in [&one, &two] {
        assert!(Server::start(data, &[]).stop().success());
    }
    let (cert, key) = (folder.path().join("cert.pem"), folder.path().join("key.pem"));
    let put = |from: &Path| {
        fs::copy(from.join("tls/server.crt"), &cert).unwrap();
        fs::copy(from.join("tls/server.key"), &key).unwrap();
    };
    put(&one);
    let server = Server::start(&one, &["--tls-cert", text(&cert), "--tls-key", text(&key)]);
    put(&two);
    server.signal("HUP");
    server.says("the certificate was read again");
    write(&cert, b"no certificate");
    server.signal("HUP");
    server.says("the certificate stays as it was");
    assert!(server.stop().success());
}

#[test]
fn who_is_asked_to_end_while_it_starts_does_not_start_first() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("store");
    let arguments = ["serve", "--listen", "127.0.0.1:0", "--no-tls", "--data", text(&data)];
    // Opening the master key by a passphrase takes a while. Too early, the signal ends what has not begun to listen for it.
    let ended = (1..100).any(|tenths| {
        let mut command = command(&arguments);
        command.env("TUFSTORE_PASSPHRASE", "correct horse").stdout(Stdio::piped()).stderr(Stdio::null());
        let child = command.spawn().unwrap();
        thread::sleep(Duration::from_millis(tenths * 10));
        let signal = Command::new("kill").arg("-TERM").arg(child.id().to_string()).status().unwrap();
        assert!(signal.success());
        let output = child.wait_with_output().unwrap();
        output.status.success() && output.stdout.is_empty()
    });
    assert!(ended);
    let server = Server::start_with(&data, PLAIN, &[("TUFSTORE_PASSPHRASE", "correct horse")]);
    publish(&server);
    assert!(server.stop().success());
}

#[test]
fn the_environment_says_what_is_logged_or_nothing_starts() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("store");
    let server = Server::start_with(&data, PLAIN, &[("RUST_LOG", "")]);
    assert_eq!(server.get("/v2/").text(), "{}");
    server.says("answered");
    assert!(server.stop().success());
    let mut wrong = command(&["serve", "--listen", "127.0.0.1:0", "--no-tls", "--data", text(&data)]);
    let output = wrong.env("RUST_LOG", "tufstore=loud").output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    assert!(String::from_utf8(output.stderr).unwrap().contains("RUST_LOG"));
}

#[test]
fn the_log_is_json_where_that_is_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(&folder.path().join("store"), &["--no-tls", "--log-format", "json"]);
    assert_eq!(server.get("/v2/").text(), "{}");
    server.says("\"answered\"");
    let log = server.log();
    let line = log.lines().find(|line| line.contains("\"answered\"")).unwrap();
    let line: serde_json::Value = serde_json::from_str(line).unwrap();
    assert_eq!(line["fields"]["status"], 200);
    assert_eq!(line["span"]["path"], "/v2/");
    assert!(server.stop().success());
}

#[test]
fn what_is_counted_is_what_the_document_says() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("store");
    let config = write(&folder.path().join("tufstore.toml"), b"[lifetimes]\ntimestamp = \"1s\"\n");
    let server = Server::start(&data, &["--no-tls", "--config", text(&config)]);
    publish(&server);
    assert_eq!(server.upload(NAME, []).status, 200);
    assert_eq!(server.upload("none.example.com/x", []).status, 400);
    std::thread::sleep(Duration::from_millis(1_500));
    served(&server);
    run(&["lookup", NAME, "latest", "--data", text(&data)]).ok();
    let rendered = server.get("/metrics").text();
    let kinds: std::collections::BTreeMap<_, _> =
        rendered.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' ')).collect();
    let document = include_str!("../../../docs/metrics.md");
    let documented: std::collections::BTreeMap<_, _> = document
        .lines()
        .filter_map(|line| {
            let mut cells = line.strip_prefix("| `")?.split('|').map(str::trim);
            Some((cells.next()?.strip_suffix('`')?, cells.next()?))
        })
        .filter(|(_, kind)| ["counter", "gauge", "summary", "histogram"].contains(kind))
        .collect();
    assert_eq!(kinds, documented, "{rendered}");
    for line in rendered.lines().filter(|line| !line.starts_with('#') && !line.is_empty()) {
        let labels = line.split_once('{').map_or("", |(_, rest)| rest.split_once('}').unwrap().0);
        for label in labels.split(',').filter_map(|label| label.split_once('=')).map(|(name, _)| name) {
            let name = line.split(['{', ' ']).next().unwrap();
            let family =
                ["_bucket", "_sum", "_count"].iter().find_map(|end| name.strip_suffix(end)).unwrap_or(name);
            let row = document.lines().find(|row| row.starts_with(&format!("| `{family}`"))).unwrap();
            assert!(row.contains(&format!("`{label}`")), "{label} of {family}");
        }
    }
    assert!(server.stop().success());
}

#[test]
fn what_expires_is_counted_and_named() {
    let folder = tempfile::tempdir().unwrap();
    let (data, cache) = (folder.path().join("store"), folder.path().join("cache"));
    let year = 365 * 86_400;
    let published = tufstore::terms::UnixTime::from_seconds(common::now().seconds() - 4 * year);
    let mut old = common::Server::new(NAME, published);
    old.author.set_tag("v1", tufstore_testkit::digest("one"), 1);
    old.publish();
    old.write_cache(&cache);
    run(&["import", NAME, text(&cache), "--data", text(&data)]).ok();
    let server = Server::start(&data, &["--no-tls", "--new-master-key"]);
    let due = published.after(Duration::from_hours(3 * 365 * 24)).seconds();
    let series = format!(
        "tufstore_expires_timestamp_seconds{{repository=\"{NAME}\",role=\"targets\",kind=\"file\"}} {due}"
    );
    let rendered = eventually(|| Some(server.get("/metrics").text()).filter(|text| text.contains(&series)));
    assert!(rendered.contains("tufstore_concerns{kind=\"file\",when=\"now\"} 3"), "{rendered}");
    assert!(server.stop().success());
}

/// What is found within some seconds.
fn eventually<T>(mut find: impl FnMut() -> Option<T>) -> T {
    for _ in 0..1_000 {
        if let Some(found) = find() {
            return found;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("it did not come about")
}
