//! How much one client may do, and what it is told beyond.

use std::num::NonZeroU32;

use tokio::io::AsyncWriteExt as _;

use crate::support::{NAME, Running, publication, statuses};

const EMPTY: &str = "--B--\r\n";

fn whole() -> String {
    publication("Content-Length: 7\r\nConnection: close\r\n") + EMPTY
}

#[tokio::test]
async fn of_one_client_so_many_requests_are_answered_at_a_time() {
    let running = Running::plain(|settings| settings.limits.client_requests = 2).await;
    let mut slow = Vec::new();
    for _ in 0..2 {
        let mut stream = running.connect().await;
        stream.write_all((publication("Content-Length: 1000\r\n") + "--B").as_bytes()).await.unwrap();
        slow.push(stream);
    }
    // Until both have arrived, there is room.
    let beyond = loop {
        let answer = running.send(b"GET /v2/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await;
        if statuses(&answer) != [200] {
            break answer;
        }
    };
    assert_eq!(statuses(&beyond), [429]);
    assert!(
        beyond.to_lowercase().contains("retry-after: 60") && beyond.contains("TOOMANYREQUESTS"),
        "{beyond}"
    );
    drop(slow);
    while running.status("/v2/").await != 200 {}
    running.stop().await;
}

#[tokio::test]
async fn beyond_the_publications_of_a_minute_a_client_is_told_to_wait() {
    let two = NonZeroU32::new(2);
    let bounds = [(two, None), (None, two)];
    for (of_one, of_all) in bounds {
        let running = Running::plain(|settings| {
            settings.limits.client_publications_per_minute = of_one;
            settings.limits.publications_per_minute = of_all;
        })
        .await;
        let mut seen = Vec::new();
        for _ in 0..3 {
            seen.extend(statuses(&running.send(whole().as_bytes()).await));
        }
        assert_eq!(seen, [400, 400, 429]);
        assert_eq!(running.status("/v2/").await, 200, "reading goes on");
        running.stop().await;
    }
}

#[tokio::test]
async fn beyond_the_repositories_that_a_server_takes_no_new_one_is_published() {
    let running = Running::plain(|settings| settings.limits.repositories = Some(0)).await;
    let refused = running.send(whole().as_bytes()).await;
    assert_eq!(statuses(&refused), [400]);
    assert!(refused.contains("the server holds 0 repositories, and takes no more"), "{refused}");
    running.stop().await;
}

#[tokio::test]
async fn every_answer_says_that_no_browser_shows_it() {
    let running = Running::plain(|_| {}).await;
    for path in ["/v2/", "/", &format!("/v2/{NAME}/_trust/tuf/root.json"), "/metrics"] {
        let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        let answer = running.send(request.as_bytes()).await.to_lowercase();
        for header in [
            "content-security-policy: default-src 'none'",
            "x-content-type-options: nosniff",
            "x-frame-options: deny",
        ] {
            assert!(answer.contains(header), "{path}: {answer}");
        }
    }
    running.stop().await;
}
