//! Zstandard with the base as a prefix, as `zstd --patch-from` does it.

use std::cell::RefCell;

use zstd::zstd_safe::{self, CCtx, CParameter, DCtx, SafeResult};

use crate::storage::StorageError;

/// From how many bytes on, both documents together, it pays to look for what is far apart.
const FAR_APART: usize = 128 << 10;
/// Higher levels find hardly more in a difference and take twice as long.
const LEVEL: i32 = 1;

thread_local! {
    // Made once a thread: to make them takes longer than to pack or unpack a small document.
    static PACKING: RefCell<CCtx<'static>> = RefCell::new(CCtx::create());
    static UNPACKING: RefCell<DCtx<'static>> = RefCell::new(DCtx::create());
}

/// `bytes` as one Zstandard frame; against `base`, if there is one.
pub(super) fn pack(base: Option<&[u8]>, bytes: &[u8]) -> Result<Vec<u8>, StorageError> {
    let base = base.unwrap_or_default();
    let both = base.len().saturating_add(bytes.len());
    let mut packed = Vec::with_capacity(zstd_safe::compress_bound(bytes.len()));
    let written = if both < FAR_APART {
        PACKING.with_borrow_mut(|context| context.compress_using_dict(&mut packed, bytes, base, LEVEL))
    } else {
        pack_large(base, bytes, &mut packed)
    };
    written.map(|_| packed).map_err(|_| StorageError::Bug("a document cannot be compressed"))
}

fn pack_large(base: &[u8], bytes: &[u8], packed: &mut Vec<u8>) -> SafeResult {
    // The window reaches over both: what stands at the base's beginning is no further away than that.
    let both = base.len().saturating_add(bytes.len());
    let window = (usize::BITS - both.leading_zeros()).clamp(10, 31);
    let mut context = CCtx::create();
    context.set_parameter(CParameter::CompressionLevel(LEVEL))?;
    context.set_parameter(CParameter::WindowLog(window))?;
    context.set_parameter(CParameter::EnableLongDistanceMatching(true))?;
    context.ref_prefix(base)?;
    context.compress2(packed, bytes)
}

/// What [`pack`] was given with that base; `None` if it was not given `length` bytes, or never made this.
///
/// Takes memory for `length` bytes at once, if there is so much.
pub(in crate::storage::local) fn unpack(
    base: Option<&[u8]>,
    packed: &[u8],
    length: usize,
) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    bytes.try_reserve_exact(length).ok()?;
    let base = base.unwrap_or_default();
    UNPACKING.with_borrow_mut(|context| context.decompress_using_dict(&mut bytes, packed, base)).ok()?;
    (bytes.len() == length).then_some(bytes)
}
