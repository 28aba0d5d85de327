//! Zstandard with the base as a prefix, as `zstd --patch-from` does it.

use zstd::zstd_safe::{self, CCtx, CParameter, DCtx};

use crate::storage::StorageError;

/// From how many bytes on, both documents together, it pays to look for what is far apart.
const FAR_APART: usize = 128 << 10;

/// `bytes` as one Zstandard frame; against `base`, if there is one.
pub(super) fn pack(base: Option<&[u8]>, bytes: &[u8]) -> Result<Vec<u8>, StorageError> {
    const FAILED: StorageError = StorageError::Bug("a document cannot be compressed");
    let base = base.unwrap_or_default();
    let both = base.len().saturating_add(bytes.len());
    // The window reaches over both: what stands at the base's beginning is no further away than that.
    let window = (usize::BITS - both.leading_zeros()).clamp(10, 31);
    let mut context = CCtx::create();
    for parameter in [
        // Higher levels find hardly more in a difference and take twice as long.
        CParameter::CompressionLevel(1),
        CParameter::WindowLog(window),
        CParameter::EnableLongDistanceMatching(both >= FAR_APART),
        // The record's header says the length and a better checksum.
        CParameter::ContentSizeFlag(false),
        CParameter::ChecksumFlag(false),
        CParameter::DictIdFlag(false),
    ] {
        context.set_parameter(parameter).map_err(|_| FAILED)?;
    }
    context.ref_prefix(base).map_err(|_| FAILED)?;
    let mut packed = Vec::with_capacity(zstd_safe::compress_bound(bytes.len()));
    context.compress2(&mut packed, bytes).map_err(|_| FAILED)?;
    Ok(packed)
}

/// What [`pack`] was given with that base; `None` if it was not given `length` bytes, or never made this.
///
/// Takes memory for `length` bytes at once: the caller has that from a header that was checked.
pub(in crate::storage::local) fn unpack(
    base: Option<&[u8]>,
    packed: &[u8],
    length: usize,
) -> Option<Vec<u8>> {
    let mut context = DCtx::create();
    context.ref_prefix(base.unwrap_or_default()).ok()?;
    let mut bytes = Vec::with_capacity(length);
    context.decompress(&mut bytes, packed).ok()?;
    (bytes.len() == length).then_some(bytes)
}
