//! What people do who have a name and a password or token, at a server without TLS: get a token, and sign with it.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]
#![allow(dead_code, reason = "each suite uses its part")]
#![allow(clippy::allow_attributes, reason = "an expectation would fail in the suite that uses all")]

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use tufstore::crypto::PublicKey;
use tufstore::terms::UnixTime;
use tufstore_client::{Author, AuthorKeys, OnlineKeysOfServer};

use crate::serving::{Answer, Server};

/// The header of somebody's name and password.
pub(crate) fn basic(name: &str, secret: &str) -> String {
    format!("Authorization: Basic {}\r\n", STANDARD.encode(format!("{name}:{secret}")))
}

/// Asks the server's token service, as Docker does.
pub(crate) fn ask_token(server: &Server, name: &str, secret: &str, scope: &str) -> Answer {
    let path = format!("/oauth2/token?service=tufstore&scope={scope}");
    server.http_with("GET", &path, &basic(name, secret), b"")
}

/// The header of a token for that, which is given to whoever is known, whatever it allows.
#[track_caller]
pub(crate) fn token(server: &Server, name: &str, secret: &str, scope: &str) -> String {
    let answer = ask_token(server, name, secret, scope);
    assert_eq!(answer.status, 200, "{}", answer.text());
    let answer: Value = serde_json::from_slice(&answer.body).unwrap();
    format!("Authorization: Bearer {}\r\n", answer["token"].as_str().unwrap())
}

/// A token to sign in a repository with.
pub(crate) fn to_sign(server: &Server, name: &str, secret: &str, repository: &str) -> String {
    token(server, name, secret, &format!("repository:{repository}:push,pull"))
}

/// The status of a file of a repository.
pub(crate) fn status(server: &Server, token: &str, repository: &str, file: &str) -> u16 {
    server.http_with("GET", &format!("/v2/{repository}/_trust/tuf/{file}"), token, b"").status
}

/// An author of a new repository; the status of the refusal for whoever may not have one.
pub(crate) fn author(server: &Server, token: &str, repository: &str, now: UnixTime) -> Result<Author, u16> {
    let key = |role: &str| {
        let path = format!("/v2/{repository}/_trust/tuf/{role}.key");
        let answer = server.http_with("GET", &path, token, b"");
        if answer.status != 200 {
            return Err(answer.status);
        }
        let key: Value = serde_json::from_slice(&answer.body).unwrap();
        let public = STANDARD.decode(key["keyval"]["public"].as_str().unwrap()).unwrap();
        Ok(PublicKey::from_spki(&public).unwrap())
    };
    let online = OnlineKeysOfServer { timestamp: key("timestamp")?, snapshot: Some(key("snapshot")?) };
    Ok(Author::begin(repository.parse().unwrap(), AuthorKeys::generate().unwrap(), online, now).unwrap())
}

/// Publishes what was staged: the author who goes on from there, if it was taken.
pub(crate) fn publish(
    server: &Server,
    token: &str,
    author: &Author,
    now: UnixTime,
) -> Result<Author, Answer> {
    let signed = author.sign(now).unwrap();
    let files: Vec<_> =
        signed.upload.files().map(|(role, bytes)| (role.as_str().to_owned(), bytes.clone())).collect();
    let files = files.iter().map(|(role, bytes)| (role.as_str(), &**bytes));
    let answer = server.upload_with(author.repository().as_str(), token, files);
    if answer.status == 200 { Ok(signed.next) } else { Err(answer) }
}
