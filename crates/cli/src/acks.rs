//! The file of acknowledgements: `<repository> <position> <role> <version> <sha256>`, a line for each document that a
//! store said was durable.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::{File, OpenOptions};
use std::io::{BufRead as _, BufReader};
use std::path::Path;

use tufstore::terms::{RepositoryName, Version};
use tufstore_server::admin::{Acknowledged, ReceiptEntry, ReceiptFile};

use crate::failure::Failure;

/// Opens the file to add to it.
pub(crate) fn append_to(path: &Path) -> Result<File, Failure> {
    let opened = OpenOptions::new().create(true).append(true).open(path);
    opened.map_err(Failure::file(format!("opening {}", path.display())))
}

/// The lines of one publication.
pub(crate) fn lines(repository: &RepositoryName, receipt: &ReceiptEntry) -> String {
    let mut lines = String::new();
    for ReceiptFile { role, version, sha256, .. } in &receipt.documents {
        // A text cannot fail to grow.
        let written = writeln!(lines, "{repository} {} {role} {version} {sha256}", receipt.position);
        debug_assert!(written.is_ok());
    }
    lines
}

/// Reads the file, by repository. A last line without an end was cut short and acknowledges nothing.
pub(crate) fn read(path: &Path) -> Result<BTreeMap<RepositoryName, Vec<Acknowledged>>, Failure> {
    let doing = || format!("reading {}", path.display());
    let opened = OpenOptions::new().read(true).open(path);
    let mut file = BufReader::new(opened.map_err(Failure::file(doing()))?);
    let mut acknowledged: BTreeMap<_, Vec<_>> = BTreeMap::new();
    let mut line = Vec::new();
    for number in 1_u64.. {
        line.clear();
        file.read_until(b'\n', &mut line).map_err(Failure::file(doing()))?;
        let Some(whole) = line.strip_suffix(b"\n") else { break };
        let parsed = core::str::from_utf8(whole).ok().and_then(parse);
        let (repository, document) =
            parsed.ok_or_else(|| Failure::AcksLine { path: path.to_owned(), number })?;
        acknowledged.entry(repository).or_default().push(document);
    }
    Ok(acknowledged)
}

fn parse(line: &str) -> Option<(RepositoryName, Acknowledged)> {
    let mut parts = line.split(' ');
    let repository = parts.next()?.parse().ok()?;
    let position = parts.next()?.parse().ok()?;
    let role = parts.next()?.parse().ok()?;
    let version = parts.next()?.parse().ok().and_then(Version::new)?;
    let sha256 = parts.next()?.parse().ok()?;
    parts.next().is_none().then_some((repository, Acknowledged { position, role, version, sha256 }))
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn what_was_written_is_read_and_a_line_that_was_cut_is_not() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let digest = "ab".repeat(32);
        write!(&file, "a/b 7 targets/releases 3 {digest}\na/b 8 root 1 {digest}\na/b 9 roo").unwrap();
        let read = read(file.path()).unwrap();
        let repository: RepositoryName = "a/b".parse().unwrap();
        let [first, second] = read[&repository].as_slice() else { panic!("{read:?}") };
        assert_eq!((first.position.get(), first.role.to_string()), (7, "targets/releases".to_owned()));
        assert_eq!((second.version.get(), second.sha256.to_string()), (1, digest));
    }

    #[test]
    fn a_line_of_another_kind_is_named() {
        let file = tempfile::NamedTempFile::new().unwrap();
        writeln!(&file, "a/b 7 9").unwrap();
        assert!(matches!(read(file.path()), Err(Failure::AcksLine { number: 1, .. })));
    }
}
