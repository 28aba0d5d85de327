//! Many connections, and the end of all of them.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time;

use crate::support::{Running, publication, rest, statuses};

#[tokio::test]
async fn a_thousand_idle_connections_keep_nobody_waiting() {
    let running = Running::plain(|_| {}).await;
    let mut idle = Vec::new();
    for _ in 0..1_000 {
        idle.push(running.connect().await);
    }
    for _ in 0..50 {
        let answered = time::timeout(Duration::from_secs(5), running.status("/v2/")).await;
        assert_eq!(answered.expect("promptly"), 200);
    }
    // They still work.
    let mut last = idle.pop().unwrap();
    last.write_all(b"GET /v2/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await.unwrap();
    assert_eq!(statuses(&rest(&mut last).await), [200]);
    running.stop().await;
}

#[tokio::test]
async fn slow_uploads_hold_no_worker() {
    let running = Running::plain(|settings| {
        (settings.limits.publications, settings.limits.reads) = (1, 1);
    })
    .await;
    let mut slow = Vec::new();
    for _ in 0..100 {
        let mut stream = running.connect().await;
        stream.write_all((publication("Content-Length: 1000\r\n") + "--B").as_bytes()).await.unwrap();
        slow.push(stream);
    }
    let whole = publication("Content-Length: 7\r\nConnection: close\r\n") + "--B--\r\n";
    let answer =
        time::timeout(Duration::from_secs(5), running.send(whole.as_bytes())).await.expect("promptly");
    assert_eq!(statuses(&answer), [400]);
    assert_eq!(running.status("/v2/a/_trust/tuf/root.json").await, 404);
    drop(slow);
    running.stop().await;
}

#[tokio::test]
async fn who_finds_no_place_waits_for_one() {
    let running = Running::plain(|settings| settings.limits.connections = 2).await;
    let held = [running.connect().await, running.connect().await];
    let mut third = running.connect().await;
    third.write_all(b"GET /v2/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await.unwrap();
    let mut byte = [0];
    let waiting = time::timeout(Duration::from_millis(300), third.read_exact(&mut byte)).await;
    assert!(waiting.is_err(), "there is no place for it yet");
    drop(held);
    let answer = rest(&mut third).await;
    assert_eq!(statuses(&answer), [200], "{answer}");
    running.stop().await;
}

#[tokio::test]
async fn connections_that_break_at_once_hurt_nobody() {
    let running = Running::plain(|settings| settings.limits.connections = 8).await;
    for round in 0..200 {
        let mut stream = running.connect().await;
        if round % 2 == 0 {
            stream.set_zero_linger().unwrap();
        }
        if round % 3 == 0 {
            drop(stream.write_all(b"POST /v2/a/_trust/tuf/ HTTP/1.1\r\nContent-Le").await);
        }
    }
    assert_eq!(running.status("/v2/").await, 200);
    running.stop().await;
}

#[tokio::test]
async fn an_end_waits_for_what_has_begun_and_for_nothing_else() {
    let mut running = Running::plain(|_| {}).await;
    let body = "--B--\r\n";
    let mut uploading = running.connect().await;
    let head = publication(&format!("Content-Length: {}\r\n", body.len()));
    uploading.write_all(head.as_bytes()).await.unwrap();
    let mut idle = running.connect().await;
    idle.write_all(b"GET /v2/ HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    let mut first = [0; 12];
    idle.read_exact(&mut first).await.unwrap();

    running.end();
    // The idle one is closed, new ones are not taken, and the upload goes on.
    drop(rest(&mut idle).await);
    time::sleep(Duration::from_millis(200)).await;
    assert!(!running.task.is_finished());
    assert!(TcpStream::connect(running.address).await.is_err());
    uploading.write_all(body.as_bytes()).await.unwrap();
    let answer = rest(&mut uploading).await;
    assert!(answer.contains("no pre-existing root"), "{answer}");
    assert!(answer.to_lowercase().contains("connection: close"), "{answer}");
    running.task.await.unwrap().unwrap();
}

#[tokio::test]
async fn an_end_does_not_wait_for_ever() {
    let mut running = Running::plain(|settings| settings.limits.drain = Duration::from_millis(300)).await;
    let mut uploading = running.connect().await;
    uploading.write_all((publication("Content-Length: 1000\r\n") + "--B").as_bytes()).await.unwrap();
    time::sleep(Duration::from_millis(100)).await;
    running.end();
    let ended = time::timeout(Duration::from_secs(10), &mut running.task).await;
    ended.expect("in time").unwrap().unwrap();
    drop(rest(&mut uploading).await);
}
