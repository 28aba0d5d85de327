//! An embedded trust store engine: signed metadata in, verified tags out.
#![forbid(unsafe_code)]

pub mod terms;
pub mod crypto;
pub mod metadata;
mod trust;
pub mod storage;
