//! Opening a store folder.

use std::path::Path;

use tufstore::terms::RepositoryName;
use tufstore::{Options, Store, View};

use crate::failure::Failure;

/// Where a store keeps its journal; a folder without it holds no store.
const JOURNAL: &str = "journal";

/// Opens the store in `folder`; a folder that holds none is a mistake of typing and not the beginning of one.
pub(crate) fn open(folder: &Path) -> Result<Store, Failure> {
    if !folder.join(JOURNAL).is_dir() {
        return Err(Failure::NoStore { folder: folder.to_owned() });
    }
    open_or_make(folder, Options::default())
}

/// Opens the store in `folder`, or makes one.
pub(crate) fn open_or_make(folder: &Path, options: Options) -> Result<Store, Failure> {
    Store::open(folder, options).map_err(|source| Failure::Open { folder: folder.to_owned(), source })
}

/// Closes it and hears whether that went well, which dropping would not tell.
pub(crate) fn close(store: &Store) -> Result<(), Failure> {
    store.close().map_err(Failure::storage("closing the store"))
}

/// Pins a repository that has to be there.
pub(crate) fn view(store: &Store, repository: &RepositoryName) -> Result<View, Failure> {
    store
        .view(repository)
        .map_err(Failure::storage("reading the repository"))?
        .ok_or_else(|| Failure::NoSuchRepository { repository: repository.clone() })
}
