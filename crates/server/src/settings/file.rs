use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::Given;
use super::notary;

/// Why settings cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SettingsError {
    /// Room for all uploads that does not hold one.
    #[error("limits.bodies-bytes is {all}, less than limits.body-bytes, {one}: no such upload would fit")]
    Bodies {
        /// Bytes of one.
        one: usize,
        /// Bytes of all.
        all: usize,
    },
    /// Longer than a year.
    #[error("caches may be told at most 31536000 seconds, a year, and not {seconds}")]
    Caching {
        /// What was given.
        seconds: u32,
    },
    /// The file cannot be read.
    #[error("{} cannot be read", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file asks for what would protect the server, and is not there.
    #[error("{} asks for authentication of type {kind:?}, which this server does not have", path.display())]
    Authentication {
        /// Which file.
        path: PathBuf,
        /// Which type.
        kind: String,
    },
    /// A value that has to be there.
    #[error("{what} is not given")]
    Missing {
        /// What.
        what: &'static str,
    },
    /// What is signed would be expired at once.
    #[error("a lifetime is longer than nothing")]
    NoLifetime,
    /// It could be a registry's.
    #[error(
        "tokens.service is a word without dots, colons and slashes: registries of images have those in their names"
    )]
    ServiceName,
    /// Shorter than the clocks of clients differ, or so long that a role that was taken away stays.
    #[error("tokens.lifetime is from 1min to 1h")]
    TokenLifetime,
    /// A limit that lets nothing through.
    #[error("limits.{what} is 0: nothing would be served")]
    Nothing {
        /// Which.
        what: &'static str,
    },
    /// The file is no notary-server's.
    #[error("{} cannot be read as a configuration of notary-server: {why}", path.display())]
    Notary {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// More than one way to open the master key.
    #[error(
        "the master key is opened by a passphrase, a passphrase file or a key file, and by one of them only"
    )]
    OpenerTwice,
    /// No prefix of names.
    #[error("{prefix:?} is no prefix of repositories: it ends in one /, and begins with none")]
    Prefix {
        /// What was given.
        prefix: String,
    },
    /// More than one way to secure connections.
    #[error(
        "TLS is either off, or by a certificate and key of yours, or by one that is made here for more names"
    )]
    TlsTwice,
    /// The file is not TOML, or has what is not known.
    #[error("{} cannot be used: in line {line}, {why}", path.display())]
    Toml {
        /// Which.
        path: PathBuf,
        /// Where; lines count from 1.
        line: usize,
        /// What is wrong.
        why: String,
    },
}

/// A setting of a file that changes nothing here, and why.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Ignored {
    /// Where it stands in the file.
    pub key: String,
    /// Why it does not apply.
    pub why: &'static str,
}

/// Reads a file of settings: of ours, which is TOML, or of notary-server's, which is JSON.
///
/// `environment`: what it says of a variable by name; variables `NOTARY_SERVER_…` stand above notary-server's files.
///
/// # Errors
/// [`SettingsError`].
pub fn read(
    path: &Path,
    environment: &dyn Fn(&str) -> Option<String>,
) -> Result<(Given, Vec<Ignored>), SettingsError> {
    let text =
        fs::read_to_string(path).map_err(|source| SettingsError::File { path: path.to_owned(), source })?;
    let folder = path.parent().unwrap_or(Path::new(""));
    let (given, ignored) = if text.trim_start().starts_with('{') {
        notary::read(path, &text, environment)?
    } else {
        (toml::from_str(&text).map_err(|error| wrong(path, &text, &error))?, Vec::new())
    };
    Ok((given.relative_to(folder), ignored))
}

/// Without the line itself, which the error would show: it may hold a secret that does not belong there.
fn wrong(path: &Path, text: &str, error: &toml::de::Error) -> SettingsError {
    let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or("");
    let line = before.matches('\n').count() + 1;
    SettingsError::Toml { path: path.to_owned(), line, why: error.message().to_owned() }
}
