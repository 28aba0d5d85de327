//! A trace of publications, as text: what was published, when, under which tags. Read line by line, in any size.
//!
//! One line is `<unix seconds> TAB <repository> TAB <content id> TAB <tag>[,<tag>...]`; consecutive lines with the same
//! time and repository are one publication. `crates/cli/data/README.md` describes the format and the slice kept there.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Cursor, Read};
use std::num::ParseIntError;
use std::path::{Path, PathBuf};
use std::str::Utf8Error;

use tufstore::crypto::sha256;
use tufstore::terms::{Sha256, UnixTime};

/// The slice that comes with the program, compressed.
pub(crate) const SLICE: &[u8] = include_bytes!("../data/official-images-slice.tsv.zst");

/// What every zstd frame begins with.
const ZSTD_MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

/// No line is longer, so that a file of another kind is refused before it fills the memory.
const LONGEST_LINE: u64 = 1 << 20;

/// What one repository published at one time.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Publication {
    /// When.
    pub(crate) time: UnixTime,
    /// The repository's name in the trace, which names no registry: `alpine`.
    pub(crate) repository: String,
    /// In the order of the trace. A tag may stand here twice: the later one holds.
    pub(crate) tags: Vec<TagUpdate>,
}

/// A tag that is set or moved.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct TagUpdate {
    /// The tag.
    pub(crate) tag: String,
    /// What it stands for from now on.
    pub(crate) digest: Sha256,
    /// The length of what it stands for, in bytes.
    pub(crate) length: u64,
}

/// Why a trace cannot be read on. Lines count from 1.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum TraceError {
    /// There is no such file, or it may not be read.
    #[error("the trace {} cannot be opened", path.display())]
    Open {
        /// Which file.
        path: PathBuf,
        source: io::Error,
    },
    /// Its beginning cannot be read.
    #[error("the trace cannot be read")]
    Start(#[source] io::Error),
    /// The file ends or breaks in the middle, or its compression is damaged.
    #[error("line {line}: cannot be read")]
    Read { line: u64, source: io::Error },
    /// Longer than any line of a trace.
    #[error("line {line}: longer than {LONGEST_LINE} bytes; is this a trace?")]
    TooLong { line: u64 },
    /// No text.
    #[error("line {line}: not UTF-8")]
    NotUtf8 { line: u64, source: Utf8Error },
    /// Too few or too many fields.
    #[error("line {line}: has {found} fields between tabs, a trace has 4")]
    Fields { line: u64, found: usize },
    /// The first field is no time.
    #[error("line {line}: the first field is not a time in seconds since 1970")]
    Time { line: u64, source: ParseIntError },
    /// The second field is empty.
    #[error("line {line}: the repository has no name")]
    NoRepository { line: u64 },
    /// The third field is no content id.
    #[error("line {line}: the content id is not 16 lower-case hexadecimal digits")]
    ContentId { line: u64 },
    /// The list of tags is empty, or two commas stand together.
    #[error("line {line}: a tag has no name")]
    NoTag { line: u64 },
}

/// Reads publications one after another. After an error it yields nothing more.
pub(crate) struct TraceReader<R> {
    text: R,
    line: u64,
    /// The first line of the next publication, read while looking for the end of the one before.
    ahead: Option<Publication>,
    ended: bool,
}

impl TraceReader<Box<dyn BufRead>> {
    /// Reads a file, compressed or not.
    pub(crate) fn open(path: &Path) -> Result<Self, TraceError> {
        #[expect(
            clippy::disallowed_methods,
            reason = "a file that the user names; the store's own are reached through its Device"
        )]
        let file = File::open(path).map_err(|source| TraceError::Open { path: path.to_owned(), source })?;
        Self::read(file)
    }

    /// Reads anything that can be read, compressed or not: its first bytes tell.
    pub(crate) fn read(mut from: impl Read + 'static) -> Result<Self, TraceError> {
        let mut start = Vec::new();
        let magic_length = u64::try_from(ZSTD_MAGIC.len()).unwrap_or(0);
        from.by_ref().take(magic_length).read_to_end(&mut start).map_err(TraceError::Start)?;
        let compressed = start == ZSTD_MAGIC;
        let whole = BufReader::new(Cursor::new(start).chain(from));
        let text: Box<dyn BufRead> = if compressed {
            Box::new(BufReader::new(zstd::Decoder::with_buffer(whole).map_err(TraceError::Start)?))
        } else {
            Box::new(whole)
        };
        Ok(Self::new(text))
    }
}

impl<R: BufRead> TraceReader<R> {
    /// Reads text that is already decompressed.
    pub(crate) fn new(text: R) -> Self {
        Self { text, line: 0, ahead: None, ended: false }
    }

    /// One line as a publication of its own; `None` at the end.
    fn next_line(&mut self) -> Result<Option<Publication>, TraceError> {
        let line = self.line.saturating_add(1);
        let mut bytes = Vec::new();
        let read = (&mut self.text).take(LONGEST_LINE).read_until(b'\n', &mut bytes);
        let length = read.map_err(|source| TraceError::Read { line, source })?;
        if length == 0 {
            return Ok(None);
        }
        self.line = line;
        if bytes.last() == Some(&b'\n') {
            bytes.pop();
        } else if u64::try_from(length).is_ok_and(|length| length == LONGEST_LINE) {
            return Err(TraceError::TooLong { line });
        }
        let text = str::from_utf8(&bytes).map_err(|source| TraceError::NotUtf8 { line, source })?;
        parse(text, line).map(Some)
    }

    fn next_publication(&mut self) -> Result<Option<Publication>, TraceError> {
        let first = match self.ahead.take() {
            Some(first) => Some(first),
            None => self.next_line()?,
        };
        let Some(mut publication) = first else { return Ok(None) };
        while let Some(more) = self.next_line()? {
            if more.time != publication.time || more.repository != publication.repository {
                self.ahead = Some(more);
                break;
            }
            publication.tags.extend(more.tags);
        }
        Ok(Some(publication))
    }
}

impl<R: BufRead> Iterator for TraceReader<R> {
    type Item = Result<Publication, TraceError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let next = self.next_publication().transpose();
        self.ended = !matches!(next, Some(Ok(_)));
        next
    }
}

fn parse(text: &str, line: u64) -> Result<Publication, TraceError> {
    let fields: Vec<&str> = text.split('\t').collect();
    let &[time, repository, content_id, tags] = fields.as_slice() else {
        return Err(TraceError::Fields { line, found: fields.len() });
    };
    let seconds = time.parse().map_err(|source| TraceError::Time { line, source })?;
    if repository.is_empty() {
        return Err(TraceError::NoRepository { line });
    }
    let is_id = content_id.len() == 16 && content_id.bytes().all(|c| matches!(c, b'0'..=b'9' | b'a'..=b'f'));
    if !is_id {
        return Err(TraceError::ContentId { line });
    }
    let digest = sha256(format!("{repository}@{content_id}").as_bytes());
    let [first, ..] = *digest.as_bytes();
    let length = 500 + u64::from(first) * 8;
    let tags = tags.split(',').map(|tag| match tag {
        "" => Err(TraceError::NoTag { line }),
        tag => Ok(TagUpdate { tag: tag.to_owned(), digest, length }),
    });
    Ok(Publication {
        time: UnixTime::from_seconds(seconds),
        repository: repository.to_owned(),
        tags: tags.collect::<Result<_, _>>()?,
    })
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    const TEXT: &str = "5\ta\t00112233445566aa\tlatest,1\n5\ta\tffffffffffffffff\t2\n5\tb\t0000000000000000\t1\n6\tb\t0000000000000000\t2";

    type Expected = fn(&TraceError) -> bool;

    fn read_all(text: &str) -> Vec<Result<Publication, TraceError>> {
        TraceReader::new(text.as_bytes()).collect()
    }

    #[test]
    fn lines_of_one_time_and_repository_are_one_publication() {
        let publications: Vec<_> = read_all(TEXT).into_iter().map(Result::unwrap).collect();
        let shape: Vec<_> = publications
            .iter()
            .map(|p| {
                (
                    p.time.seconds(),
                    p.repository.as_str(),
                    p.tags.iter().map(|t| t.tag.as_str()).collect::<Vec<_>>(),
                )
            })
            .collect();
        assert_eq!(shape, [(5, "a", vec!["latest", "1", "2"]), (5, "b", vec!["1"]), (6, "b", vec!["2"])]);
    }

    #[test]
    fn a_tag_stands_for_the_digest_of_its_repository_and_content_id() {
        let publication = read_all("1383580395\tbusybox\t74fba73ad692c590\tlatest\n").remove(0).unwrap();
        let digest = sha256(b"busybox@74fba73ad692c590");
        let length = 500 + u64::from(digest.as_bytes()[0]) * 8;
        assert_eq!(publication.tags, [TagUpdate { tag: "latest".to_owned(), digest, length }]);
    }

    #[test]
    fn an_error_names_its_line_and_ends_the_reading() {
        let good = "5\ta\t0000000000000000\t1\n";
        let cases: [(&str, Expected); 8] = [
            ("5\ta\t0000000000000000", |e| matches!(e, TraceError::Fields { line: 2, found: 3 })),
            ("\n", |e| matches!(e, TraceError::Fields { line: 2, found: 1 })),
            ("x\ta\t0000000000000000\t1", |e| matches!(e, TraceError::Time { line: 2, .. })),
            ("5\t\t0000000000000000\t1", |e| matches!(e, TraceError::NoRepository { line: 2 })),
            ("5\ta\t00000000000000\t1", |e| matches!(e, TraceError::ContentId { line: 2 })),
            ("5\ta\t000000000000000G\t1", |e| matches!(e, TraceError::ContentId { line: 2 })),
            ("5\ta\t0000000000000000\t1,,2", |e| matches!(e, TraceError::NoTag { line: 2 })),
            ("5\ta\t0000000000000000\t", |e| matches!(e, TraceError::NoTag { line: 2 })),
        ];
        for (bad, expected) in cases {
            let read = read_all(&format!("{good}{bad}\n{good}"));
            assert_eq!(read.len(), 1, "{bad:?}: the publication before was not known to be complete");
            assert!(read[0].as_ref().is_err_and(expected), "{bad:?}: {:?}", read[0]);
        }
    }

    #[test]
    fn bytes_that_are_no_text_are_refused() {
        let mut reader = TraceReader::new(&b"5\ta\t0000000000000000\t\xff\n"[..]);
        assert!(matches!(reader.next(), Some(Err(TraceError::NotUtf8 { line: 1, .. }))));
        let endless = io::repeat(b'a').take(4 * LONGEST_LINE);
        let mut reader = TraceReader::new(BufReader::new(endless));
        assert!(matches!(reader.next(), Some(Err(TraceError::TooLong { line: 1 }))));
    }

    #[test]
    fn compressed_and_plain_text_read_the_same() {
        let compressed = zstd::encode_all(TEXT.as_bytes(), 3).unwrap();
        let from = |bytes: Vec<u8>| -> Vec<Publication> {
            TraceReader::read(Cursor::new(bytes)).unwrap().map(Result::unwrap).collect()
        };
        assert_eq!(from(compressed), from(TEXT.as_bytes().to_vec()));
        assert!(from(Vec::new()).is_empty());
    }

    #[test]
    fn a_file_that_is_not_there_is_named() {
        let missing = TraceReader::open(Path::new("no/such/trace.tsv"));
        assert_eq!(missing.err().unwrap().to_string(), "the trace no/such/trace.tsv cannot be opened");
    }

    #[test]
    fn a_cut_file_is_an_error_not_an_end() {
        let cut = SLICE.len() / 2;
        let last = TraceReader::read(&SLICE[..cut]).unwrap().last().unwrap();
        assert!(matches!(last, Err(TraceError::Read { .. })), "{last:?}");
    }

    #[test]
    fn the_slice_holds_what_its_readme_says() {
        let mut tags = HashMap::new();
        let (mut publications, mut updates) = (0, 0);
        for publication in TraceReader::read(SLICE).unwrap() {
            let publication = publication.unwrap();
            publications += 1;
            updates += publication.tags.len();
            for update in publication.tags {
                tags.insert((publication.repository.clone(), update.tag), update.digest);
            }
        }
        assert_eq!((publications, updates, tags.len()), (1_348, 50_456, 9_145));
    }
}
