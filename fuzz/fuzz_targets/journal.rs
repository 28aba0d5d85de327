//! A store over a damaged journal: the input says what to damage. See `tests/hostile`.
#![no_main]

#[path = "../../tests/hostile/journal.rs"]
mod journal;
#[path = "../../tests/hostile/script.rs"]
mod script;

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;

static SAMPLE: LazyLock<journal::Sample> = LazyLock::new(journal::Sample::new);

fuzz_target!(|bytes: &[u8]| SAMPLE.survives(bytes));
