//! The fuzz targets of `fuzz/` in short, the same at each run: hostile uploads, damaged journals, odd names.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "helpers of tests")]

mod script;
mod uploads;
mod journal;
mod names;
mod seeds;

use rand::rngs::StdRng;
use rand::{Rng, RngCore, SeedableRng};

/// So many scripts, always the same.
fn scripts(seed: u64, count: usize) -> impl Iterator<Item = Vec<u8>> {
    let mut random = StdRng::seed_from_u64(seed);
    (0..count).map(move |_| {
        let mut script = vec![0; random.random_range(32..96)];
        random.fill_bytes(&mut script);
        script
    })
}

#[test]
fn a_damaged_upload_never_panics_and_changes_nothing_when_it_is_refused() {
    let mut target = uploads::Target::new();
    let (mut taken, mut refused) = (0, 0);
    for script in scripts(1, 2_000) {
        if target.withstands(&script) {
            taken += 1;
            target = uploads::Target::new();
        } else {
            refused += 1;
        }
    }
    // Damage to a signature that is not needed, or to white space, is none.
    assert!(refused > 20 * taken, "{taken} taken, {refused} refused");
}

#[test]
fn a_store_over_a_damaged_journal_serves_what_was_published_or_is_refused() {
    let sample = journal::Sample::new();
    sample.survives(&[0]);
    sample.survives(&[1]);
    for script in scripts(2, 2_000) {
        sample.survives(&script);
    }
}

#[test]
fn a_name_that_is_read_is_written_as_it_was() {
    for script in scripts(3, 5_000) {
        names::are_total(&script);
    }
}

#[test]
#[ignore = "writes fuzz/corpus, for the fuzz targets to begin with"]
fn seeds_for_the_fuzz_targets() {
    seeds::write(&std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus")).unwrap();
}
