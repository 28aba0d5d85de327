//! Properties of the store as a whole, each in a module of its own. `PROPTEST_CASES` sets how many cases each is tried
//! with; a part of them where a case is slow.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "helpers of tests")]

mod model;
mod lookups;
mod feed;
mod prefixes;

use proptest::prelude::*;

/// One `part`th of the cases that the environment asks for, 256 by default. What fails is shown shrunk and kept nowhere.
fn config(part: u32) -> ProptestConfig {
    let config = ProptestConfig::default();
    ProptestConfig { cases: (config.cases / part).max(1), failure_persistence: None, ..config }
}
