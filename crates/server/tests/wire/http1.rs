//! HTTP/1.1 as it is not meant.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time;

use crate::support::{NAME, Running, publication, rest, statuses};

#[tokio::test]
async fn requests_in_a_row_are_answered_in_order() {
    let running = Running::plain(|_| {}).await;
    let requests = "GET /v2/ HTTP/1.1\r\nHost: x\r\n\r\nGET /none HTTP/1.1\r\nHost: x\r\n\r\n\
                    PATCH /v2/ HTTP/1.1\r\nHost: x\r\n\r\nGET /v2/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    let answers = running.send(requests.as_bytes()).await;
    assert_eq!(statuses(&answers), [200, 404, 405, 200]);
    running.stop().await;
}

#[tokio::test]
async fn methods_ranges_and_conditions_change_nothing() {
    let running = Running::plain(|_| {}).await;
    for (request, status) in [
        ("HEAD /v2/", 404),
        ("HEAD /v2/reg.example.com/app/_trust/tuf/root.json", 404),
        ("PUT /v2/", 404),
        ("DELETE /v2/", 404),
        ("PATCH /v2/", 405),
        ("OPTIONS *", 405),
        ("TRACE /v2/", 405),
        ("BREW /v2/", 405),
    ] {
        let answer = running
            .send(format!("{request} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").as_bytes())
            .await;
        assert_eq!(statuses(&answer), [status], "{request}: {answer}");
    }
    for header in [
        "Range: bytes=0-0",
        "If-Modified-Since: Sun, 06 Nov 2094 08:49:37 GMT",
        "If-None-Match: *",
        "Accept-Encoding: gzip",
        "Authorization: Bearer x",
    ] {
        let request = format!("GET /v2/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{header}\r\n\r\n");
        let answer = running.send(request.as_bytes()).await;
        assert_eq!(statuses(&answer), [200], "{header}");
        assert!(answer.ends_with("{}"), "{header}: {answer}");
    }
    running.stop().await;
}

#[tokio::test]
async fn odd_paths_are_answered_and_never_redirected() {
    let running = Running::plain(|_| {}).await;
    let long = format!("/v2/{}/_trust/tuf/root.json", "a/".repeat(10_000));
    let cases = [
        ("//v2/", 404),
        ("/v2//", 404),
        ("/v2/%2e%2e/_trust/tuf/root.json", 404),
        ("/v2/../v2/", 404),
        ("/v2/a%2Fb/_trust/tuf/root.json", 404),
        ("/v2/%/_trust/tuf/root.json", 404),
        ("/v2/%zz/_trust/tuf/root.json", 404),
        ("/v2/a%00b/_trust/tuf/timestamp.key", 404),
        ("/v2/a%2Fb/_trust/tuf/timestamp.key", 200),
        ("/v2/?x=%ff", 200),
        ("http://elsewhere/v2/", 200),
        (&*long, 404),
    ];
    for (path, status) in cases {
        assert_eq!(running.status(path).await, status, "{path:.60}");
    }
    running.stop().await;
}

#[tokio::test]
async fn what_is_no_http_is_refused_and_closed() {
    let running = Running::plain(|_| {}).await;
    let cases: [(&[u8], &[u16]); 7] = [
        (b"\r\n\r\n\r\nnonsense\r\n\r\n", &[400]),
        (b"GET /v2/ HTTP/9.9\r\n\r\n", &[400]),
        (b"GET /v2/ HTTP/1.1\r\nHost: x\r\nBad Header: y\r\n\r\n", &[400]),
        (b"GET /v2/\x00 HTTP/1.1\r\nHost: x\r\n\r\n", &[400]),
        // Two lengths, or a length and chunks: which one counts is what smuggling is about.
        (
            b"POST /v2/a/_trust/tuf/ HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
            &[400],
        ),
        (b"POST /v2/a/_trust/tuf/ HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", &[400]),
        (b"\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03", &[400]),
    ];
    for (bytes, expected) in cases {
        let answer = running.send(bytes).await;
        assert_eq!(statuses(&answer), expected, "{:?}: {answer}", String::from_utf8_lossy(bytes));
    }
    assert_eq!(running.status("/v2/").await, 200);
    running.stop().await;
}

/// The chunks count, and the connection is not used again: a proxy that counted the length cannot be fooled further.
#[tokio::test]
async fn a_length_beside_chunks_does_not_smuggle_a_second_request() {
    let running = Running::plain(|_| {}).await;
    let body = "0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n";
    let request = publication("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n") + body;
    let mut stream = running.connect().await;
    stream.write_all(request.as_bytes()).await.unwrap();
    stream.shutdown().await.unwrap();
    let answer = rest(&mut stream).await;
    assert!(statuses(&answer).len() <= 1 && !statuses(&answer).contains(&200), "{answer}");
    running.stop().await;
}

#[tokio::test]
async fn too_many_and_too_long_headers_are_refused() {
    let running = Running::plain(|_| {}).await;
    let many = (0..200).map(|number| format!("X-{number}: y\r\n")).collect::<Vec<_>>().concat();
    let long = format!("X: {}\r\n", "y".repeat(200_000));
    for headers in [many, long] {
        let answer = running.send(format!("GET /v2/ HTTP/1.1\r\nHost: x\r\n{headers}\r\n").as_bytes()).await;
        assert_eq!(statuses(&answer), [431], "{answer}");
    }
    running.stop().await;
}

#[tokio::test]
async fn bodies_beyond_the_limit_are_refused_with_a_reason() {
    let running = Running::plain(|settings| settings.limits.body_bytes = 1_000).await;
    let announced =
        running.send(publication("Content-Length: 100000\r\nConnection: close\r\n").as_bytes()).await;
    assert_eq!(statuses(&announced), [400]);
    assert!(announced.contains("the upload has more than 1000 bytes"), "{announced}");
    let chunk = format!("1000\r\n{}\r\n", "x".repeat(0x1000));
    let chunked = publication("Transfer-Encoding: chunked\r\nConnection: close\r\n") + &chunk;
    let sent = running.send(chunked.as_bytes()).await;
    assert_eq!(statuses(&sent), [400], "{sent}");
    running.stop().await;
}

#[tokio::test]
async fn a_client_that_asks_before_it_sends_is_told_to_go_on() {
    let running = Running::plain(|_| {}).await;
    let mut stream = running.connect().await;
    let body = "--B--\r\n";
    let head = publication(&format!(
        "Expect: 100-continue\r\nConnection: close\r\nContent-Length: {}\r\n",
        body.len()
    ));
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut go_on = [0; 25];
    stream.read_exact(&mut go_on).await.unwrap();
    assert_eq!(&go_on, b"HTTP/1.1 100 Continue\r\n\r\n");
    stream.write_all(body.as_bytes()).await.unwrap();
    let answer = rest(&mut stream).await;
    assert!(answer.contains("no pre-existing root and no root provided in update."), "{answer}");
    running.stop().await;
}

#[tokio::test]
async fn who_closes_its_side_is_still_answered() {
    let running = Running::plain(|_| {}).await;
    let mut stream = running.connect().await;
    stream.write_all(b"GET /v2/ HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    stream.shutdown().await.unwrap();
    assert_eq!(statuses(&rest(&mut stream).await), [200]);
    running.stop().await;
}

#[tokio::test]
async fn slow_headers_and_silence_are_not_waited_for() {
    let running = Running::plain(|settings| settings.limits.header = Duration::from_millis(300)).await;
    // Nothing at all, half a header, and a connection that was used once.
    for begun in ["", "GET /v2/ HTTP/1.1\r\nHos", "GET /v2/ HTTP/1.1\r\nHost: x\r\n\r\n"] {
        let mut stream = running.connect().await;
        stream.write_all(begun.as_bytes()).await.unwrap();
        let answer = rest(&mut stream).await;
        assert!(statuses(&answer).iter().all(|status| [200, 408].contains(status)), "{begun:?}: {answer}");
    }
    running.stop().await;
}

#[tokio::test]
async fn slow_bodies_are_answered_in_time() {
    let running = Running::plain(|settings| settings.limits.request = Duration::from_millis(300)).await;
    let mut stream = running.connect().await;
    stream
        .write_all((publication("Content-Length: 100\r\nConnection: close\r\n") + "--B").as_bytes())
        .await
        .unwrap();
    let answer = rest(&mut stream).await;
    assert_eq!(statuses(&answer), [408], "{answer}");
    assert!(answer.contains("did not arrive in time"), "{answer}");
    running.stop().await;
}

#[tokio::test]
async fn a_client_that_takes_no_answer_is_left() {
    let running = Running::plain(|settings| settings.limits.stalled = Duration::from_millis(300)).await;
    let mut stream = running.connect().await;
    // So many answers that no buffer on the way holds them; none is read.
    let request = format!("GET /metrics HTTP/1.1\r\nHost: {NAME}\r\n\r\n");
    let flood = async {
        loop {
            if stream.write_all(request.as_bytes()).await.is_err() {
                break;
            }
        }
    };
    time::timeout(Duration::from_secs(30), flood).await.expect("the server closes");
    assert_eq!(running.status("/v2/").await, 200);
    running.stop().await;
}

/// A client that closes its connections sends on while it is refused, and has to see why.
#[tokio::test]
async fn who_is_refused_before_all_is_sent_sees_why() {
    let running = Running::plain(|settings| settings.api.gun_prefixes = vec!["other/".to_owned()]).await;
    let length = 200 << 10;
    let head = publication(&format!("Connection: close\r\nContent-Length: {length}\r\n"));
    let mut stream = running.connect().await;
    stream.write_all(head.as_bytes()).await.unwrap();
    for _ in 0..10 {
        time::sleep(Duration::from_millis(20)).await;
        stream.write_all(&vec![b'x'; length / 10]).await.unwrap();
    }
    let answer = rest(&mut stream).await;
    assert_eq!(statuses(&answer), [400], "{answer}");
    assert!(answer.contains("INVALID_GUN"), "{answer}");
    // What is announced to be much is not waited for.
    let head = publication("Connection: close\r\nContent-Length: 1000000\r\n");
    assert_eq!(statuses(&running.send(head.as_bytes()).await), [400]);
    // Nor what is sent only when somebody wants it.
    let head = publication("Connection: close\r\nExpect: 100-continue\r\nContent-Length: 1000\r\n");
    assert_eq!(statuses(&running.send(head.as_bytes()).await), [400]);
    running.stop().await;
}
