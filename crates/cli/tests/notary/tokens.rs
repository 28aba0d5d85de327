//! With a token service: who may read, publish and rotate.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::thread;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use rcgen::{CertificateParams, KeyPair};
use serde_json::{Value, json};

use crate::NAME;
use crate::client::Served;

const AUTHOR: &str = "author:a password";
const READER: &str = "reader:a password";
const UNAUTHORISED: &str = "you are not authorized to perform this operation: server returned 401.";

/// A token service for as long as the tests run: authors may do what they ask for, readers read, and nobody else anything.
struct TokenService {
    url: String,
    bundle: String,
    /// The scopes that were asked for.
    asked: Arc<Mutex<Vec<String>>>,
}

impl TokenService {
    fn start() -> Self {
        let pair = KeyPair::generate().unwrap();
        let certificate = CertificateParams::default().self_signed(&pair).unwrap();
        let mut header = Header::new(Algorithm::ES256);
        header.x5c = Some(vec![STANDARD.encode(certificate.der())]);
        let key = EncodingKey::from_ec_der(&pair.serialize_der());
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/token", listener.local_addr().unwrap());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let scopes = Arc::clone(&asked);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let (line, who) = read(&stream);
                let path = line.split(' ').nth(1).unwrap();
                let (_, query) = path.split_once('?').unwrap();
                let scope = form_urlencoded::parse(query.as_bytes()).filter(|(name, _)| name == "scope");
                let scope: Vec<_> = scope.map(|(_, scope)| scope.into_owned()).collect();
                let access: Vec<Value> = scope.iter().map(|scope| grant(scope, who.as_deref())).collect();
                scopes.lock().unwrap().extend(scope);
                let exp = tufstore_server::Clock::system().now().seconds() + 60;
                let claims = json!({ "iss": "auth", "aud": "notary", "exp": exp, "access": access });
                let token = jsonwebtoken::encode(&header, &claims, &key).unwrap();
                let body = json!({ "token": token }).to_string();
                let length = body.len();
                let head =
                    format!("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n");
                stream.write_all(&[head, body].concat().into_bytes()).unwrap();
            }
        });
        Self { url, bundle: certificate.pem(), asked }
    }

    /// A server that believes it.
    fn serve(&self) -> Served {
        let folder = tempfile::tempdir().unwrap();
        write(&folder.path().join("bundle.pem"), &self.bundle);
        let config = folder.path().join("tufstore.toml");
        let realm = &self.url;
        let rest = "service = \"notary\"\nissuer = \"auth\"\nroot-cert-bundle = \"bundle.pem\"\n";
        write(&config, &format!("[auth]\nrealm = \"{realm}\"\n{rest}"));
        let served = Served::new(&["--config", config.to_str().unwrap()]);
        // The server has read both files.
        drop(folder);
        served
    }
}

/// The first line of a request, and who sends it.
fn read(stream: &TcpStream) -> (String, Option<String>) {
    let lines: Vec<_> =
        BufReader::new(stream).lines().map(Result::unwrap).take_while(|line| !line.is_empty()).collect();
    let basic = lines.iter().find_map(|line| line.strip_prefix("Authorization: Basic "));
    let who = basic.map(|basic| String::from_utf8(STANDARD.decode(basic).unwrap()).unwrap());
    (lines.first().unwrap().clone(), who)
}

/// What a scope gives to whom.
fn grant(scope: &str, who: Option<&str>) -> Value {
    let (rest, actions) = scope.rsplit_once(':').unwrap();
    let (kind, name) = rest.split_once(':').unwrap();
    let actions = actions.split(',').filter(|action| match who {
        Some(AUTHOR) => true,
        Some(READER) => *action == "pull",
        _ => false,
    });
    json!({ "type": kind, "name": name, "actions": actions.collect::<Vec<_>>() })
}

#[expect(clippy::disallowed_methods, reason = "files that an operator has")]
fn write(path: &Path, text: &str) {
    fs::write(path, text).unwrap();
}

#[test]
fn who_has_a_token_does_what_it_allows_and_nothing_else() {
    let service = TokenService::start();
    let served = service.serve();
    let author = served.client().known_as(AUTHOR);
    author.run(&["init", "-p", NAME]).ok();
    author.tag(NAME, "v1", "one");
    author.run(&["key", "rotate", NAME, "snapshot", "-r"]).ok();
    author.tag(NAME, "v2", "two");
    assert!(service.asked.lock().unwrap().contains(&format!("repository:{NAME}:push,pull")));
    assert!(service.asked.lock().unwrap().contains(&format!("repository:{NAME}:*")));

    let reader = served.client().known_as(READER);
    assert_eq!(reader.list(NAME).len(), 2);
    let before = served.ours(&["history", NAME]);
    // The keys are the author's, so that it is the token that is not enough.
    tufstore_testkit::copy(&author.path("trust/private"), &reader.path("trust/private"));
    let file = reader.write("content", b"three");
    reader.run(&["add", NAME, "v3", &file]).ok();
    reader.run(&["publish", NAME]).fails(UNAUTHORISED);
    reader.run(&["init", "-p", "reg.example.com/other"]).fails(UNAUTHORISED);
    reader.run(&["key", "rotate", NAME, "timestamp", "-r"]).fails("401");
    reader.run(&["delete", NAME, "--remote"]).fails("401");
    served.client().run(&["list", NAME]).fails("401");
    assert_eq!(served.ours(&["history", NAME]), before);
    assert_eq!(served.ours(&["repositories"]).matches("example.com").count(), 1);

    author.run(&["delete", NAME, "--remote"]).ok();
    assert_eq!(served.ours(&["repositories"]).matches("example.com").count(), 0);
}
