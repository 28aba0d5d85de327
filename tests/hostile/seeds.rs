//! Seeds for the fuzz targets, made of what a small store really holds.

use std::error::Error;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use tufstore::{Options, Store};
use tufstore_testkit::{NOW, digest};

use crate::journal::{End, Sample, device_of};

/// Where the groups of a segment begin, and the lengths of what stands before their records: see `docs/format.md`.
const SEGMENT_HEADER: usize = 160;
const GROUP_HEADER: usize = 128;
const FRAME: usize = 80;
const ALIGNMENT: usize = 8;
/// What stands around an encoded checkpoint.
const CHECKPOINT_PREFIX: usize = 16;
const CHECKPOINT_DIGEST: usize = 32;

/// Writes them below `corpus`, a folder for each target.
pub(crate) fn write(corpus: &Path) -> Result<(), Box<dyn Error>> {
    let sample = Sample::new();
    let store = Store::open_on(Arc::new(device_of(sample.files(End::Closed))?), Options::default())?;
    let mut names = vec![NOW.to_string(), digest("a manifest").to_string()];
    for name in store.repositories() {
        let view = store.view(&name)?.ok_or("a repository that lives has a view")?;
        for document in view.documents() {
            seed(corpus, "metadata", document.bytes())?;
            names.push(document.role().to_string());
        }
        names.push(name.to_string());
    }
    for name in names {
        seed(corpus, "names", name.as_bytes())?;
    }
    for (name, bytes) in sample.files(End::Closed) {
        if name.ends_with(".segment") {
            for part in records(bytes) {
                seed(corpus, "records", part)?;
            }
        } else {
            let end = bytes.len().saturating_sub(CHECKPOINT_DIGEST);
            seed(corpus, "records", bytes.get(CHECKPOINT_PREFIX..end).unwrap_or_default())?;
        }
    }
    // These take a script of what to damage, and any bytes are one.
    for target in ["journal", "uploads", "recovery"] {
        for number in 0_u8..32 {
            seed(corpus, target, digest(&format!("{target} {number}")).as_bytes())?;
        }
    }
    Ok(())
}

/// The bodies of a segment's groups, and of each record there its header and its attachment.
fn records(segment: &[u8]) -> Vec<&[u8]> {
    let mut parts = Vec::new();
    let mut rest = segment.get(SEGMENT_HEADER..).unwrap_or_default();
    while let (Some(length), Some(after)) = (number(rest, 16), rest.get(GROUP_HEADER..)) {
        if !rest.starts_with(b"tufs-grp") {
            break;
        }
        let Some((body, _)) = after.split_at_checked(length) else { break };
        parts.push(body);
        if let (Some(header), Some(framed)) = (number(body, 0), body.get(FRAME..))
            && let Some((header, payload)) = framed.split_at_checked(header & 0xffff_ffff)
        {
            parts.extend([header, attachment(payload)]);
        }
        rest = after.get(length.next_multiple_of(ALIGNMENT)..).unwrap_or_default();
    }
    parts
}

/// What stands behind a payload's documents.
fn attachment(mut payload: &[u8]) -> &[u8] {
    while payload.first() == Some(&0) && payload.get(9) == Some(&b'{') {
        let length = number(payload, 1).unwrap_or_default();
        payload = payload.get(9 + length..).unwrap_or_default();
    }
    payload.get(8..).unwrap_or_default()
}

fn number(bytes: &[u8], at: usize) -> Option<usize> {
    let bytes = bytes.get(at..)?.first_chunk()?;
    usize::try_from(u64::from_le_bytes(*bytes)).ok()
}

fn seed(corpus: &Path, target: &str, bytes: &[u8]) -> Result<(), Box<dyn Error>> {
    let folder = corpus.join(target);
    fs::create_dir_all(&folder)?;
    #[expect(clippy::disallowed_methods, reason = "a tool for those who fuzz")]
    fs::write(folder.join(tufstore::crypto::sha256(bytes).to_string()), bytes)?;
    Ok(())
}
