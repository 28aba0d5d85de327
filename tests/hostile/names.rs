//! Names from outside: read or refused, and written as they were read.

use tufstore::terms::{RepositoryName, RoleName, Sha256, UnixTime};

use crate::script::Script;

/// What is damaged.
const NAMES: [&str; 7] = [
    "docker.io/library/alpine",
    "reg.example.com:5000/Team/app",
    "targets/releases",
    "targets/a/b/c",
    "snapshot",
    "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
    "2036-11-21T04:05:55.244050996Z",
];

/// Damages a name as the script says, and reads it as every kind of name.
///
/// # Panics
/// If one is written otherwise than it was read.
pub(crate) fn are_total(script: &[u8]) {
    let mut script = Script::new(script);
    let mut bytes = script.below(NAMES.len()).map_or("", |chosen| NAMES[chosen]).as_bytes().to_vec();
    while script.damage(&mut bytes).is_some() {}
    let text = String::from_utf8_lossy(&bytes);
    if let Ok(name) = text.parse::<RepositoryName>() {
        assert_eq!(name.as_str(), text);
    }
    if let Ok(role) = text.parse::<RoleName>() {
        assert_eq!(role.as_str(), text);
    }
    if let Ok(digest) = text.parse::<Sha256>() {
        assert_eq!(digest.to_string(), text);
    }
    if let Ok(time) = text.parse::<UnixTime>() {
        assert_eq!(time.to_string().parse(), Ok(time));
    }
}
