//! Reaching a store: its folder, or the server that has it open.

use std::io;
use std::path::Path;

use parking_lot::Mutex;
use tufstore::{IndexKind, Options, StorageError, Store};
use tufstore_server::admin::{AskError, ConnectError, Connection, Opened, Progress, Question};

use crate::args::{Kept, StoreArg};
use crate::failure::Failure;
use crate::{clock, output};

/// Where a store keeps its journal; a folder without it holds no store.
const JOURNAL: &str = "journal";

/// A store that can be asked.
#[derive(Debug)]
pub(crate) enum Reached {
    /// Opened here.
    Folder(Opened),
    /// Opened by a server, which answers through the socket in the folder.
    Server(Mutex<Connection>),
}

/// Reaches a store; a folder that holds none is a mistake of typing and not the beginning of one.
pub(crate) fn reach(store: &StoreArg) -> Result<Reached, Failure> {
    reach_in(&store.data, &store.kept)
}

/// The same for a store in `folder`.
pub(crate) fn reach_in(folder: &Path, kept: &Kept) -> Result<Reached, Failure> {
    is_store(folder, kept)?;
    reach_or_make(folder, kept.options())
}

/// Opens the store in `folder` here, with another index; a server that has it open keeps it as it is.
pub(crate) fn open_with_index(store: &StoreArg, kind: IndexKind) -> Result<Reached, Failure> {
    is_store(&store.data, &store.kept)?;
    let opened = open_or_make(&store.data, store.kept.options().with_index(kind))?;
    Ok(Reached::Folder(Opened::here(opened, &store.data)))
}

/// With a second journal, the first may be lost.
fn is_store(folder: &Path, kept: &Kept) -> Result<(), Failure> {
    let second = kept.second_journal.as_ref().is_some_and(|second| second.is_dir());
    if folder.join(JOURNAL).is_dir() || second {
        Ok(())
    } else {
        Err(Failure::NoStore { folder: folder.to_owned() })
    }
}

/// Reaches the store in `folder`, or makes one.
pub(crate) fn reach_or_make(folder: &Path, options: Options) -> Result<Reached, Failure> {
    // Twice: a server may have ended, or begun, between the one try and the other.
    match try_to_reach(folder, options.clone()) {
        Err(Failure::Open { source: StorageError::InUse { .. }, .. }) => try_to_reach(folder, options),
        reached => reached,
    }
}

fn try_to_reach(folder: &Path, options: Options) -> Result<Reached, Failure> {
    let in_use = match open_or_make(folder, options) {
        Ok(store) => return Ok(Reached::Folder(Opened::here(store, folder))),
        Err(in_use @ Failure::Open { source: StorageError::InUse { .. }, .. }) => in_use,
        Err(failure) => return Err(failure),
    };
    match Connection::open(folder) {
        Ok(connection) => {
            let process = connection.process();
            output::note(format_args!("through the server that has this store open, process {process}"));
            Ok(Reached::Server(Mutex::new(connection)))
        }
        Err(ConnectError::Io(error)) if is_nobody(&error) => Err(in_use),
        Err(source) => Err(Failure::Connect { folder: folder.to_owned(), source }),
    }
}

/// Something else has the store open, or a server whose socket is not there.
fn is_nobody(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused)
}

/// Opens the store in `folder` here, or makes one.
pub(crate) fn open_or_make(folder: &Path, options: Options) -> Result<Store, Failure> {
    Store::open(folder, options).map_err(|source| Failure::Open { folder: folder.to_owned(), source })
}

/// Closes it and hears whether that went well, which dropping would not tell.
pub(crate) fn close(store: &Store) -> Result<(), Failure> {
    store.close().map_err(Failure::storage("closing the store"))
}

impl Reached {
    /// Asks.
    pub(crate) fn ask<Q: Question>(&self, question: Q) -> Result<Q::Answer, Failure> {
        self.ask_for_long(question, &mut |_| {})
    }

    /// Asks what takes its time.
    pub(crate) fn ask_for_long<Q: Question>(
        &self,
        question: Q,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Q::Answer, Failure> {
        match self {
            Self::Folder(opened) => Ok(question.answer(opened, clock::now(), progress)?),
            Self::Server(connection) => match connection.lock().ask(question, progress) {
                Ok(answer) => Ok(answer),
                Err(AskError::Refused(refusal)) => Err(refusal.into()),
                Err(broken) => Err(broken.into()),
            },
        }
    }

    /// Asks one thing and no more.
    pub(crate) fn ask_once<Q: Question>(self, question: Q) -> Result<Q::Answer, Failure> {
        let answer = self.ask(question)?;
        self.close()?;
        Ok(answer)
    }

    /// Closes what was opened here.
    pub(crate) fn close(&self) -> Result<(), Failure> {
        match self {
            Self::Folder(opened) => close(opened.store()),
            Self::Server(_) => Ok(()),
        }
    }
}
