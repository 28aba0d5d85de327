//! Digests of exact bytes.

use aws_lc_rs::digest::{SHA256, SHA512, digest};

use crate::terms::{Sha256, Sha512};

/// SHA-256 of `bytes`.
pub fn sha256(bytes: &[u8]) -> Sha256 {
    let mut out = [0; 32];
    out.iter_mut().zip(digest(&SHA256, bytes).as_ref()).for_each(|(to, from)| *to = *from);
    Sha256::new(out)
}

/// SHA-512 of `bytes`.
pub fn sha512(bytes: &[u8]) -> Sha512 {
    let mut out = [0; 64];
    out.iter_mut().zip(digest(&SHA512, bytes).as_ref()).for_each(|(to, from)| *to = *from);
    Sha512::new(out)
}
