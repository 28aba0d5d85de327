//! What is served, in memory: repository to state, tag to target. A state never changes once it is built; a publication
//! puts a new one in its place.

#[expect(clippy::module_inception, reason = "the map of repositories is what the folder is about")]
mod catalog;
mod lookup;
mod arrivals;
mod resident;
mod eviction;
mod shard;
mod block;
mod memory;
mod extents;
mod state;
mod tags;
mod prebuilt;
mod table;
mod freshness;
mod text;
mod target;
#[cfg(all(test, shuttle))]
pub(crate) mod model;

pub use catalog::MemoryUse;
pub(crate) use catalog::{Catalog, Current, DamagedTable, Loaded, Visible};
pub(crate) use lookup::Resolved;
pub(crate) use state::State;
pub(crate) use tags::{Origin, TagTable, tags};
pub use target::{Found, Lookup, SignedIn, Target};
pub(crate) use text::HashKey;
