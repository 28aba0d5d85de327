//! What was refused to whom, for whoever looks into it: in two files of bounded size beside the journal. A flood of strangers
//! makes nothing durable, and holds nobody up: what the disk does not take in time is counted and left out.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::net::IpAddr;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread;

use serde::{Deserialize, Serialize};
use tufstore::terms::UnixTime;

/// In the store's folder.
const FOLDER: &str = "refused";
const NEWEST: &str = "newest.jsonl";
const BEFORE: &str = "before.jsonl";
/// Of one file. There are two.
const LARGEST: u64 = 1 << 20;
/// That wait to be written.
const WAITING: usize = 256;

/// One refusal.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Refused {
    /// When.
    #[serde(with = "crate::shown::text")]
    pub time: UnixTime,
    /// From which address it came.
    pub from: IpAddr,
    /// Who they showed to be, if they did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub who: Option<String>,
    /// What they asked for.
    pub method: String,
    /// And of what.
    pub path: String,
    /// What they were answered.
    pub status: u16,
    /// And in which words of the protocol.
    pub code: String,
    /// The request, as the log of the server knows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<String>,
}

/// Where refusals go.
#[derive(Debug)]
pub(crate) struct Refusals(Option<SyncSender<Refused>>);

impl Refusals {
    /// In the store's folder. Without a thread for it, they are in the server's log alone.
    pub(crate) fn in_folder(data: &Path) -> Self {
        let (sender, receiver) = sync_channel(WAITING);
        let folder = data.join(FOLDER);
        let spawned =
            thread::Builder::new().name("refusals".to_owned()).spawn(move || write(&folder, &receiver));
        Self(spawned.map(|_| sender).inspect_err(|error| tracing::warn!(%error, "no refusals are kept")).ok())
    }

    /// Keeps one, if there is room for it at once.
    pub(crate) fn note(&self, refused: Refused) {
        let Some(sender) = &self.0 else { return };
        if let Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) = sender.try_send(refused) {
            metrics::counter!("tufstore_refusals_not_kept_total").increment(1);
        }
    }
}

/// What is kept of what was refused in the store in `data`, oldest first.
///
/// # Errors
/// If a file is there and cannot be read. Lines that were not written whole are left out.
pub fn refused_in(data: &Path) -> io::Result<Vec<Refused>> {
    let mut refused = Vec::new();
    for name in [BEFORE, NEWEST] {
        let file = match OpenOptions::new().read(true).open(data.join(FOLDER).join(name)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            file => file?,
        };
        for line in BufReader::new(file).split(b'\n') {
            refused.extend(serde_json::from_slice::<Refused>(&line?).ok());
        }
    }
    Ok(refused)
}

fn write(folder: &Path, receiver: &Receiver<Refused>) {
    let mut open = Open { folder: folder.to_owned(), file: None };
    let mut failed = false;
    while let Ok(refused) = receiver.recv() {
        match open.write(&refused) {
            Ok(()) => failed = false,
            Err(error) if !failed => {
                tracing::warn!(%error, "refusals cannot be kept");
                (open.file, failed) = (None, true);
            }
            Err(_) => open.file = None,
        }
    }
}

struct Open {
    folder: PathBuf,
    file: Option<(File, u64)>,
}

impl Open {
    fn write(&mut self, refused: &Refused) -> io::Result<()> {
        let mut line = serde_json::to_vec(refused)?;
        line.push(b'\n');
        let length = u64::try_from(line.len()).unwrap_or(u64::MAX);
        let (file, written) = match self.file.take() {
            Some((file, written)) if written.saturating_add(length) <= LARGEST => (file, written),
            Some(_) => self.next()?,
            None => self.first()?,
        };
        let (file, _) = self.file.insert((file, written.saturating_add(length)));
        file.write_all(&line)
    }

    /// Goes on where the process before ended.
    fn first(&self) -> io::Result<(File, u64)> {
        DirBuilder::new().recursive(true).mode(0o700).create(&self.folder)?;
        let newest = self.folder.join(NEWEST);
        let mut file = OpenOptions::new().append(true).create(true).mode(0o600).open(&newest)?;
        // What the process before may not have written whole ends here.
        file.write_all(b"\n")?;
        let written = file.metadata()?.len();
        if written < LARGEST { Ok((file, written)) } else { self.next() }
    }

    #[expect(clippy::disallowed_methods, reason = "a log beside the store, nothing of which has to last")]
    fn next(&self) -> io::Result<(File, u64)> {
        fs::rename(self.folder.join(NEWEST), self.folder.join(BEFORE))?;
        let mut options = OpenOptions::new();
        let file = options.append(true).create(true).mode(0o600).open(self.folder.join(NEWEST))?;
        Ok((file, 0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(number: usize) -> Refused {
        Refused {
            time: UnixTime::from_seconds(1_800_000_000),
            from: "10.0.0.1".parse().unwrap(),
            who: None,
            method: "POST".to_owned(),
            path: format!("/v2/{}/{number}", "a".repeat(200)),
            status: 401,
            code: "UNAUTHORIZED".to_owned(),
            request: Some("id".to_owned()),
        }
    }

    #[test]
    fn a_flood_leaves_the_last_of_it_and_no_more_than_two_files_hold() {
        let data = tempfile::tempdir().unwrap();
        let mut open = Open { folder: data.path().join(FOLDER), file: None };
        for number in 0..20_000 {
            open.write(&refused(number)).unwrap();
        }
        drop(open);
        let length = |name| fs::metadata(data.path().join(FOLDER).join(name)).unwrap().len();
        assert!(length(NEWEST) <= LARGEST && length(BEFORE) <= LARGEST);
        let kept = refused_in(data.path()).unwrap();
        assert!(kept.len() > 3_000, "{}", kept.len());
        assert_eq!(kept.last(), Some(&refused(19_999)));
        // A later process goes on.
        let mut open = Open { folder: data.path().join(FOLDER), file: None };
        open.write(&refused(7)).unwrap();
        assert_eq!(refused_in(data.path()).unwrap().len(), kept.len() + 1);
    }

    #[test]
    fn a_line_that_was_not_written_whole_is_left_out() {
        let data = tempfile::tempdir().unwrap();
        assert_eq!(refused_in(data.path()).unwrap(), []);
        let mut open = Open { folder: data.path().join(FOLDER), file: None };
        open.write(&refused(1)).unwrap();
        open.file.as_mut().unwrap().0.write_all(b"{\"who\":\"\xff\xc3").unwrap();
        assert_eq!(refused_in(data.path()).unwrap(), [refused(1)]);
        let mut next = Open { folder: data.path().join(FOLDER), file: None };
        next.write(&refused(2)).unwrap();
        assert_eq!(refused_in(data.path()).unwrap(), [refused(1), refused(2)]);
    }
}
