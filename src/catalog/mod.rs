//! What is served, in memory: repository to state, tag to target. A state never changes once it is built; a publication
//! puts a new one in its place.

#[expect(clippy::module_inception, reason = "the map of repositories is what the folder is about")]
mod catalog;
mod arrivals;
mod name;
mod resident;
mod state;
mod target;
mod tags;
mod lines;

pub(crate) use catalog::{Asked, Catalog, Current, Entry, Loaded, Pinned, Visible};
pub(crate) use state::State;
pub(crate) use tags::TagTable;
pub use target::{Found, Lookup, SignedIn, Target};
