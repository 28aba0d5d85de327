//! Memory under random traffic, hostile names included: after a while it stays as it is.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod common;
mod serving;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serving::Server;
use tufstore::crypto::PublicKey;
use tufstore_client::{Author, AuthorKeys, OnlineKeysOfServer};
use tufstore_testkit::digest;

/// Each publication adds some hundred bytes of places and digests for good, and more to the index's cache until that is
/// full, at 32 MiB; the rest is slack of the allocator.
const MAY_GROW: u64 = 24 << 20;

fn resident(server: &Server) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.pid())).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() << 10
}

fn author(server: &Server, name: &str) -> Author {
    use base64::Engine as _;
    let key = |role: &str| {
        let answer = server.get(&format!("/v2/{name}/_trust/tuf/{role}.key"));
        let key: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
        let public = key.pointer("/keyval/public").unwrap().as_str().unwrap();
        PublicKey::from_spki(&base64::engine::general_purpose::STANDARD.decode(public).unwrap()).unwrap()
    };
    let online = OnlineKeysOfServer { timestamp: key("timestamp"), snapshot: Some(key("snapshot")) };
    Author::begin(name.parse().unwrap(), AuthorKeys::generate().unwrap(), online, common::now()).unwrap()
}

/// Publishes to one repository, over and over.
fn publish(server: &Server, name: &str, pause: Duration, over: &AtomicBool) {
    let mut author = author(server, name);
    for round in 0_u64.. {
        if over.load(Ordering::Relaxed) {
            return;
        }
        author.set_tag(&format!("v{}", round % 20), digest(&round.to_string()), 10);
        let signed = author.sign(common::now()).unwrap();
        let files: Vec<_> =
            signed.upload.files().map(|(role, bytes)| (role.as_str().to_owned(), bytes.clone())).collect();
        let answer = server.upload(name, files.iter().map(|(role, bytes)| (role.as_str(), &**bytes)));
        assert_eq!(answer.status, 200, "{}", answer.text());
        author = signed.next;
        thread::sleep(pause);
    }
}

/// Asks for what is there, for what never was, and for nonsense.
fn ask(server: &Server, seed: u64, pause: Duration, over: &AtomicBool, asked: &AtomicU64) {
    let mut random = seed;
    while !over.load(Ordering::Relaxed) {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let number = random >> 33;
        let invented =
            format!("invented.example.com/{number:x}/{}", "x".repeat(usize::try_from(number % 150).unwrap()));
        match number % 9 {
            0 => drop(server.get(&format!("/v2/{invented}/_trust/tuf/root.json"))),
            1 => drop(server.get(&format!("/v2/{invented}/_trust/tuf/timestamp.key"))),
            2 => drop(server.http("POST", &format!("/v2/{invented}/_trust/tuf/snapshot.key"), None, b"")),
            3 => drop(server.upload(&invented, [("targets/%00", &b"{}"[..])])),
            4 => drop(server.upload(&invented, [("root", &[b'['; 5_000][..])])),
            5 => drop(server.get("/v2/reg.example.com/0/_trust/tuf/timestamp.json")),
            6 => drop(server.get("/v2/_trust/changefeed?records=-20")),
            7 => drop(server.get(&format!("/{invented}%ff"))),
            _ => drop(server.get("/metrics")),
        }
        asked.fetch_add(1, Ordering::Relaxed);
        thread::sleep(pause);
    }
}

#[test]
fn memory_stays_as_it_is_under_random_traffic() {
    let long = std::env::var_os("TUFSTORE_LONG").is_some();
    let (warm, then) = if long { (300, 3_300) } else { (4, 8) };
    // The long form is of readers and strangers mostly: every publication adds to history, which takes room by right.
    let pause = |milliseconds| Duration::from_millis(if long { milliseconds } else { 0 });
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(&folder.path().join("store"), &["--no-tls", "--log-level", "error"]);
    let (over, asked) = (AtomicBool::new(false), AtomicU64::new(0));
    #[expect(clippy::disallowed_methods, reason = "how long the test runs")]
    let now = Instant::now;
    thread::scope(|scope| {
        for number in 0..2 {
            let (server, over) = (&server, &over);
            scope.spawn(move || publish(server, &format!("reg.example.com/{number}"), pause(2_000), over));
        }
        for seed in 0..4 {
            let (server, over, asked) = (&server, &over, &asked);
            scope.spawn(move || ask(server, seed, pause(4), over, asked));
        }
        let begun = now();
        while begun.elapsed() < Duration::from_secs(warm) {
            thread::sleep(Duration::from_millis(100));
        }
        let (before, most) = (resident(&server), AtomicU64::new(0));
        while begun.elapsed() < Duration::from_secs(warm + then) {
            most.fetch_max(resident(&server), Ordering::Relaxed);
            thread::sleep(Duration::from_millis(100));
        }
        over.store(true, Ordering::Relaxed);
        let most = most.into_inner();
        assert!(
            most < before + MAY_GROW,
            "from {before} bytes to {most}, after {} requests",
            asked.load(Ordering::Relaxed)
        );
    });
    assert!(asked.into_inner() > 500);
    assert!(server.stop().success());
}
