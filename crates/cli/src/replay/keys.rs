//! The keys folder of a replay: what the store signs with, and what the authors sign with.
//!
//! ```text
//! master       the master key of the store's online keys, sealed
//! master.key   what opens it
//! authors/     one folder for each repository, named after it: its author's private keys, not encrypted
//! ```

use std::ffi::OsString;
use std::fs::DirBuilder;
use std::path::{self, Path, PathBuf};

use tufstore::crypto::KeyAlgorithm;
use tufstore::terms::{RepositoryName, RoleName};
use tufstore_client::AuthorKeys;
use tufstore_keys::{MasterKeyFile, Opener, SealedOnlineKeys, create_key_file};

use crate::failure::Failure;

const AUTHORS: &str = "authors";
const MASTER: &str = "master";
const OPENER: &str = "master.key";

/// Where the keys of a replay rest.
#[derive(Debug)]
pub(crate) struct KeysFolder(PathBuf);

impl KeysFolder {
    /// The folder beside a data folder that has its keys if none is named.
    pub(crate) fn beside(data: &Path) -> Result<PathBuf, Failure> {
        let unnamed = || Failure::KeysUnnamed { data: data.to_owned() };
        let whole = path::absolute(data).map_err(Failure::file("finding the data folder"))?;
        let mut name: OsString = whole.file_name().ok_or_else(unnamed)?.to_owned();
        name.push(".keys");
        Ok(whole.with_file_name(name))
    }

    /// The keys in `folder`, which must not lie in the data folder: a copy of the data would hold what opens it.
    pub(crate) fn open_or_make(folder: &Path, data: &Path) -> Result<Self, Failure> {
        let whole = |path| path::absolute(path).map_err(Failure::file("finding the keys folder"));
        if whole(folder)?.starts_with(whole(data)?) {
            return Err(Failure::KeysInData { keys: folder.to_owned() });
        }
        make_private(folder)?;
        Ok(Self(folder.to_owned()))
    }

    /// The keys in `named`, or in the folder beside the data folder if none is named.
    pub(crate) fn named_or_beside(named: Option<&Path>, data: &Path) -> Result<Self, Failure> {
        match named {
            Some(folder) => Self::open_or_make(folder, data),
            None => Self::open_or_make(&Self::beside(data)?, data),
        }
    }

    /// What the store signs with; made where nothing is yet.
    pub(crate) fn online(&self) -> Result<SealedOnlineKeys, Failure> {
        let (master, opener) = (self.0.join(MASTER), self.0.join(OPENER));
        let doing = || format!("opening the master key in {}", self.0.display());
        if !opener.exists() && !master.exists() {
            create_key_file(&opener).map_err(Failure::keys(doing()))?;
        }
        let by = Opener::KeyFile(&opener);
        let file = if master.exists() {
            MasterKeyFile::open(&master, by)
        } else {
            MasterKeyFile::create(&master, by)
        };
        let file = file.map_err(Failure::keys(doing()))?;
        file.online_keys(KeyAlgorithm::EcdsaP256).map_err(Failure::keys(doing()))
    }

    /// The keys of an author who has published.
    pub(crate) fn of_author(&self, repository: &RepositoryName) -> Result<AuthorKeys, Failure> {
        let folder = self.author(repository);
        AuthorKeys::load(&folder, None)
            .map_err(Failure::keys(format!("reading the keys in {}", folder.display())))
    }

    /// The keys of an author who has not: those that a replay saved before it was cut short, or new ones.
    pub(crate) fn of_new_author(&self, repository: &RepositoryName) -> Result<AuthorKeys, Failure> {
        if self.author(repository).exists() {
            let saved = self.of_author(repository)?;
            if saved.has(&RoleName::Root) && saved.has(&RoleName::Targets) {
                return Ok(saved);
            }
        }
        AuthorKeys::generate().map_err(Failure::keys(format!("making the keys of {repository}")))
    }

    /// Saves an author's keys.
    pub(crate) fn save(&self, repository: &RepositoryName, keys: &AuthorKeys) -> Result<(), Failure> {
        let folder = self.author(repository);
        make_private(&folder)?;
        keys.save(&folder, None).map_err(Failure::keys(format!("saving the keys in {}", folder.display())))
    }

    /// No segment of a repository's name leads upward or is empty, so this stays below.
    fn author(&self, repository: &RepositoryName) -> PathBuf {
        self.0.join(AUTHORS).join(repository.as_str())
    }
}

/// Makes a folder that only its owner can read, unless it is there.
fn make_private(folder: &Path) -> Result<(), Failure> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt as _;
        builder.mode(0o700);
    }
    builder.create(folder).map_err(Failure::file(format!("making the folder {}", folder.display())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_lie_beside_the_data_and_never_in_it() {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("store");
        let beside = KeysFolder::beside(&data).unwrap();
        assert_eq!(beside, folder.path().join("store.keys"));
        assert!(KeysFolder::open_or_make(&beside, &data).is_ok());
        for inside in [data.join("keys"), data.clone()] {
            let refused = KeysFolder::open_or_make(&inside, &data);
            assert!(matches!(refused, Err(Failure::KeysInData { .. })));
            assert!(!inside.exists());
        }
        assert!(matches!(KeysFolder::beside(Path::new("/")), Err(Failure::KeysUnnamed { .. })));
    }

    #[test]
    fn the_same_keys_are_found_again() {
        let folder = tempfile::tempdir().unwrap();
        let keys =
            KeysFolder::open_or_make(&folder.path().join("keys"), &folder.path().join("data")).unwrap();
        let repository = "docker.io/library/alpine".parse().unwrap();
        let made = keys.of_new_author(&repository).unwrap();
        keys.save(&repository, &made).unwrap();
        let found = keys.of_new_author(&repository).unwrap();
        assert!(made.public(&RoleName::Root).eq(found.public(&RoleName::Root)));
        keys.online().unwrap();
        keys.online().unwrap();
    }

    #[test]
    fn a_lost_opener_is_no_reason_to_make_another() {
        let folder = tempfile::tempdir().unwrap();
        let keys =
            KeysFolder::open_or_make(&folder.path().join("keys"), &folder.path().join("data")).unwrap();
        keys.online().unwrap();
        let opener = folder.path().join("keys/master.key");
        #[expect(clippy::disallowed_methods, reason = "what a careless user does")]
        std::fs::remove_file(&opener).unwrap();
        assert!(matches!(keys.online(), Err(Failure::Keys { .. })));
        assert!(!opener.exists());
    }
}
