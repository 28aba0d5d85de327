//! What is served, in memory: repository to state, tag to target. A state never changes once it is built; a publication
//! puts a new one in its place.

#[expect(clippy::module_inception, reason = "the map of repositories is what the folder is about")]
mod catalog;
mod arrivals;
mod state;
mod tags;

pub(crate) use catalog::{Catalog, Current};
pub(crate) use state::State;
pub(crate) use tags::TagTable;
pub use tags::{Found, Lookup, SignedIn, Target};
