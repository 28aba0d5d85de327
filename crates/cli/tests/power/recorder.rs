//! What `recorder.c` recorded.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// One thing that a process did to its files. Paths are relative to the folder that was recorded.
#[derive(Debug)]
pub(crate) enum Entry {
    Create {
        path: String,
    },
    Write {
        path: String,
        offset: u64,
        bytes: Vec<u8>,
    },
    Length {
        path: String,
        length: u64,
    },
    /// Of a file, or of a folder's names.
    Sync {
        path: String,
    },
    Rename {
        from: String,
        to: String,
    },
    Remove {
        path: String,
    },
    Folder {
        path: String,
    },
    NoFolder {
        path: String,
    },
    /// It was to fail, and did: nothing happened.
    Failed,
}

pub(crate) struct Recording {
    pub(crate) entries: Vec<Entry>,
}

impl Recording {
    pub(crate) fn read(path: &Path) -> Self {
        let bytes = fs::read(path).unwrap();
        let (mut rest, mut entries) = (bytes.as_slice(), Vec::new());
        // What a kill cut short did not happen.
        while let Some((entry, after)) = entry(rest) {
            entries.push(entry);
            rest = after;
        }
        Self { entries }
    }
}

fn entry(bytes: &[u8]) -> Option<(Entry, &[u8])> {
    let ([kind], rest) = bytes.split_first_chunk()?;
    let (length, rest) = rest.split_first_chunk()?;
    let (count, rest) = rest.split_first_chunk()?;
    let (offset, rest) = rest.split_first_chunk()?;
    let (path, rest) = rest.split_at_checked(usize::try_from(u32::from_le_bytes(*length)).unwrap())?;
    let (data, rest) = rest.split_at_checked(usize::try_from(u64::from_le_bytes(*count)).unwrap())?;
    let (path, offset) = (String::from_utf8(path.to_vec()).unwrap(), u64::from_le_bytes(*offset));
    let entry = match kind {
        b'c' => Entry::Create { path },
        b'w' => Entry::Write { path, offset, bytes: data.to_vec() },
        b'l' => Entry::Length { path, length: offset },
        b's' => Entry::Sync { path },
        b'r' => Entry::Rename { from: path, to: String::from_utf8(data.to_vec()).unwrap() },
        b'u' => Entry::Remove { path },
        b'd' => Entry::Folder { path },
        b'D' => Entry::NoFolder { path },
        b'f' => Entry::Failed,
        other => panic!("{other}"),
    };
    Some((entry, rest))
}

/// The recorder as a library to load before a program's own, compiled into `folder`.
#[expect(clippy::disallowed_methods, reason = "a file that the compiler reads")]
pub(crate) fn library(folder: &Path) -> PathBuf {
    let (library, source) = (folder.join("recorder.so"), folder.join("recorder.c"));
    fs::write(&source, include_str!("recorder.c")).unwrap();
    let compiled = Command::new("cc")
        .args(["-O1", "-shared", "-fPIC", "-Wall", "-Wextra", "-o"])
        .args([&library, &source])
        .arg("-ldl")
        .status();
    assert!(compiled.unwrap().success());
    library
}
