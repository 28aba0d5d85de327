//! tufstore
#![forbid(unsafe_code)]
pub mod terms;
pub mod crypto;
pub mod storage;
