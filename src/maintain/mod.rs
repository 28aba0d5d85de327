//! What an operator asks of a whole store.

mod verify;

pub(crate) use verify::verify;
pub use verify::{Finding, Progress, Stage, VerifyReport};
