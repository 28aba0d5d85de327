//! A store over records whose checksums agree and whose documents and attachments were altered: the input says how.
#![no_main]

#[path = "../../tests/hostile/journal.rs"]
#[allow(dead_code, reason = "only its sample is used")]
mod journal;
#[path = "../../tests/hostile/script.rs"]
mod script;

use std::sync::{Arc, LazyLock};

use libfuzzer_sys::fuzz_target;
use tufstore::fuzzing::Records;

static RECORDS: LazyLock<Records> = LazyLock::new(|| {
    let sample = journal::Sample::new();
    let device = journal::device_of(sample.files(journal::End::Closed)).expect("a device in memory");
    Records::of(Arc::new(device))
});

fuzz_target!(|bytes: &[u8]| {
    let mut script = script::Script::new(bytes);
    RECORDS.recover(&mut |bytes| {
        // Few of the files, so that others still agree with them.
        if script.byte().is_some_and(|byte| byte % 4 == 0) {
            script.damage(bytes);
        }
    });
});
