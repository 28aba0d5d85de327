//! For fuzzing and its short form in the tests: every decoder of stored records, over any bytes.

use super::codec;
use super::delta::unpack;
use super::journal::decode_any;

/// Decodes `bytes` as everything that is stored; what decodes must encode to the same bytes again.
///
/// # Panics
/// If it does not.
pub(crate) fn decode_everything(bytes: &[u8]) {
    if let Ok(header) = codec::decode_header(bytes) {
        assert_eq!(codec::encode_header(&header).as_deref().ok(), Some(bytes));
    }
    if let Ok(checkpoint) = codec::decode_checkpoint(bytes) {
        assert_eq!(codec::encode_checkpoint(&checkpoint).as_deref().ok(), Some(bytes));
    }
    decode_any(bytes);
    // A hundredfold of what is given, as a document or against itself.
    drop(unpack(None, bytes, bytes.len().saturating_mul(100)));
    drop(unpack(Some(bytes), bytes, bytes.len()));
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn no_bytes_make_a_decoder_panic(bytes in proptest::collection::vec(any::<u8>(), 0..512)) {
            super::decode_everything(&bytes);
        }
    }
}
