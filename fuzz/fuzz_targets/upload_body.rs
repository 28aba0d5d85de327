//! Bodies of uploads: the first line of the input is the content type, or that of a usual one if there is none.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let mut parts = bytes.splitn(2, |byte| *byte == b'\n');
    let first = parts.next().and_then(|first| std::str::from_utf8(first).ok()).unwrap_or_default();
    tufstore_server::fuzzing::upload_body("multipart/form-data; boundary=B", bytes);
    tufstore_server::fuzzing::upload_body(first, parts.next().unwrap_or_default());
});
