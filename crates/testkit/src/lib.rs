//! For tests of whatever embeds a trust store: what publishes to it, what attacks it, what it should have become.
//!
//! | what | where |
//! |---|---|
//! | somebody who publishes, always with the same keys | [`Publisher`], [`SeededOnlineKeys`] |
//! | files and whole sets that no honest author would sign | [`Forge`], [`ForgedFile`], [`dialect`] |
//! | everything that a store says, to compare before and after | [`observe`], [`files`] |
//! | power cuts and failing disks | [`device`] |
//! | any sequence of operations, checked against a map of maps | [`model`] |
//!
//! Its helpers panic where they cannot go on: that is a failed test.
//!
//! ```
//! use tufstore::{Lookup, Options, Store};
//! use tufstore_testkit::{NOW, Publisher, SeededOnlineKeys, digest, observe};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let store = Store::in_memory(Options::default().with_online_keys(SeededOnlineKeys::new("a server")))?;
//! let mut publisher = Publisher::for_store("docker.io/library/alpine", &store);
//! publisher.tag(&[("3.22", digest("a manifest"))]);
//! publisher.publish(&store)?;
//! assert!(matches!(store.lookup("docker.io/library/alpine", "3.22", NOW)?, Lookup::Found(_)));
//!
//! let before = observe(&store);
//! // ... something that must be refused ...
//! assert_eq!(observe(&store), before);
//! # Ok(())
//! # }
//! ```

pub mod dialect;
mod seed;
mod publisher;
mod forge;
mod store;
pub mod device;
pub mod model;

pub use forge::{CompleteParts, Forge, ForgedFile, ForgedKey, ForgedSigners};
pub use publisher::Publisher;
pub use seed::{NOW, SeededOnlineKeys, digest, seeded_key};
pub use store::{Observed, ObservedRepository, copy, files, observe};

/// The one place where the test kit gives up.
#[track_caller]
#[expect(clippy::panic, reason = "a test kit that cannot go on fails its test")]
fn must<T, E: std::error::Error>(doing: &str, result: Result<T, E>) -> T {
    match result {
        Ok(value) => value,
        Err(error) => {
            let mut why = error.to_string();
            let mut source = error.source();
            while let Some(cause) = source {
                why = format!("{why}: {cause}");
                source = cause.source();
            }
            panic!("{doing}: {why}")
        }
    }
}
