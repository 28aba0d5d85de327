use http::HeaderValue;
use proptest::prelude::*;

use super::*;

const KIND: &str = "multipart/form-data; boundary=B";

fn part(name: &str, content: &str) -> String {
    format!(
        "--B\r\nContent-Disposition: form-data; name=\"files\"; filename=\"{name}\"\r\n\
         Content-Type: application/octet-stream\r\n\r\n{content}\r\n"
    )
}

fn files(body: &str) -> Result<Vec<(String, String)>, &'static str> {
    let upload = parse(Some(KIND), Bytes::from(body.to_owned())).map_err(|refused| refused.reason().0)?;
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    Ok(upload.files().map(|(role, bytes)| (role.to_string(), text(bytes))).collect())
}

fn file(role: &str, content: &str) -> (String, String) {
    (role.to_owned(), content.to_owned())
}

#[test]
fn each_part_is_a_file_of_the_role_that_names_it() {
    let body = part("root", "r") + &part("targets/a/b.json", "d") + "--B--\r\n";
    assert_eq!(files(&body), Ok(vec![file("root", "r"), file("targets/a/b", "d")]));
    assert_eq!(files("--B--\r\n"), Ok(vec![]));
}

#[test]
fn of_two_parts_for_a_role_the_last_counts() {
    let body = part("root", "1") + &part("root.json", "2") + "--B--\r\n";
    assert_eq!(files(&body), Ok(vec![file("root", "2")]));
}

#[test]
fn content_is_taken_as_it_is() {
    let content = "{\"a\":\"--B\"}\n--B-\r\n";
    assert_eq!(
        files(&(part("targets", content) + "--B--\r\nwhat comes after")),
        Ok(vec![file("targets", content)])
    );
}

#[test]
fn whatever_is_malformed_is_answered() {
    let whole = part("root", "r") + "--B--\r\n";
    for kind in
        [None, Some(""), Some("text/plain"), Some("multipart/form-data"), Some("multipart/mixed; boundary=B")]
    {
        let refused = parse(kind, Bytes::from(whole.clone())).unwrap_err();
        assert_eq!(refused.reason().0, "MALFORMED_UPLOAD", "{kind:?}");
    }
    let nameless = "--B\r\nContent-Disposition: form-data; name=\"files\"\r\n\r\nx\r\n--B--\r\n";
    let cases = [
        ("", "MALFORMED_UPLOAD"),
        ("no boundary at all", "MALFORMED_UPLOAD"),
        ("--B", "MALFORMED_UPLOAD"),
        (&*part("root", "no end"), "MALFORMED_UPLOAD"),
        ("--B\r\nno header\r\n\r\nx\r\n--B--\r\n", "MALFORMED_UPLOAD"),
        (nameless, "NO_FILENAME"),
        (&*(part("", "x") + "--B--\r\n"), "NO_FILENAME"),
        (&*(part("targets/A", "x") + "--B--\r\n"), "INVALID_ROLE"),
        (&*(part("../root", "x") + "--B--\r\n"), "INVALID_ROLE"),
        (&*(part("root.json.json", "x") + "--B--\r\n"), "INVALID_ROLE"),
    ];
    for (body, code) in cases {
        assert_eq!(files(body), Err(code), "{body:?}");
    }
}

proptest! {
    #[test]
    fn any_body_is_answered(kind in ".{0,40}", body in proptest::collection::vec(any::<u8>(), 0..400)) {
        drop(parse(Some(&kind), Bytes::from(body.clone())));
        drop(parse(Some(KIND), Bytes::from(body)));
    }
}

fn request(body: Body, length: Option<usize>) -> Request<Body> {
    let mut request = Request::new(body);
    if let Some(length) = length {
        request.headers_mut().insert(header::CONTENT_LENGTH, length.into());
    }
    request
}

fn limits(body_bytes: usize, bodies_bytes: usize) -> ServerLimits {
    let request = std::time::Duration::from_millis(50);
    ServerLimits { request, body_bytes, bodies_bytes, ..ServerLimits::default() }
}

#[tokio::test]
async fn a_body_beyond_the_limit_is_refused_as_soon_as_that_is_known() {
    let bodies = Bodies::new(limits(10, 100));
    let announced = bodies.receive(request(Body::empty(), Some(11))).await;
    assert_eq!(announced.err().unwrap().reason(), ("INVALID_UPDATE", "ErrValidation"));
    let sent = bodies.receive(request(Body::from("12345678901"), None)).await;
    assert_eq!(sent.err().unwrap().reason(), ("INVALID_UPDATE", "ErrValidation"));
    assert!(bodies.receive(request(Body::from("1234567890"), None)).await.is_ok());
}

#[tokio::test]
async fn all_bodies_together_have_a_limit_and_give_their_room_back() {
    let bodies = Bodies::new(limits(10, 15));
    let first = bodies.receive(request(Body::from("1234567890"), None)).await.unwrap();
    let second = bodies.receive(request(Body::from("123456"), None)).await;
    assert_eq!(second.err().unwrap().reason().0, "UNAVAILABLE");
    drop(first);
    let body = part("root", "r") + "--B--\r\n";
    let bodies = Bodies::new(limits(body.len(), 2 * body.len() - 1));
    let upload = || {
        let mut upload = request(Body::from(body.clone()), None);
        upload.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(KIND));
        upload
    };
    let read = bodies.receive(upload()).await.unwrap().parse().unwrap();
    assert_eq!(
        bodies.receive(upload()).await.err().unwrap().reason().0,
        "UNAVAILABLE",
        "it is published still"
    );
    drop(read);
    assert!(bodies.receive(upload()).await.is_ok());
    assert_eq!(bodies.room.available_permits(), 2 * body.len() - 1);
}

#[tokio::test]
async fn a_body_that_does_not_come_is_not_waited_for() {
    let never = stream::pending::<Result<Bytes, Infallible>>();
    let late = Bodies::new(limits(10, 15)).receive(request(Body::from_stream(never), None)).await;
    assert_eq!(late.err().unwrap().reason().0, "TIMEOUT");
}
