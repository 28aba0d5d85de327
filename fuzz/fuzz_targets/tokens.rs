//! Tokens: the first line of the input is a token's header, the second its claims, and all of it a token that nobody signed, and the
//! keys of a service.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    tufstore_server::fuzzing::token_keys(bytes);
    if let Ok(text) = std::str::from_utf8(bytes) {
        let (header, claims) = text.split_once('\n').unwrap_or((text, "{}"));
        tufstore_server::fuzzing::token(text, header, claims);
    }
});
