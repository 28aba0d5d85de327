//! Any sequence of operations, checked against a map of maps.
//!
//! [`operations`] makes sequences for proptest, [`run`] carries one out on a [`Subject`] and compares what it says with
//! the model after every step: each tag of each repository, the names of the repositories, the feed, and every pin taken
//! so far; after each reopening and at the end also everything that was ever published. [`StoreSubject`] is a [`Store`](tufstore::Store); an embedder implements [`Subject`] for a server or a client
//! of its own.
//!
//! ```
//! use proptest::prelude::*;
//! use tufstore_testkit::model::{StoreSubject, operations, run};
//!
//! proptest!(ProptestConfig::with_cases(4), |(operations in operations(12))| {
//!     run(&operations, &mut StoreSubject::in_memory())?;
//! });
//! ```

mod operation;
mod run;
mod history;
mod subject;

pub use operation::{Operation, Tagging, operations};
pub use run::{Mismatch, run};
pub use subject::{Delegate, Event, Failure, File, Pin, Reopening, StoreSubject, Subject};
