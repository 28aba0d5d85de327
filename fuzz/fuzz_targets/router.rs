//! Methods and paths: the first line of the input, and the rest.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let (method, path) = text.split_once('\n').unwrap_or(("GET", text));
    tufstore_server::fuzzing::router(method.as_bytes(), path);
});
