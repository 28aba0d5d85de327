//! Uploads that a store would take, damaged: the input says how. See `tests/hostile`.
#![no_main]

#[path = "../../tests/hostile/script.rs"]
mod script;
#[path = "../../tests/hostile/uploads.rs"]
mod uploads;

use std::cell::RefCell;

use libfuzzer_sys::fuzz_target;

thread_local! {
    static TARGET: RefCell<uploads::Target> = RefCell::new(uploads::Target::new());
}

fuzz_target!(|bytes: &[u8]| TARGET.with_borrow_mut(|target| {
    if target.withstands(bytes) {
        *target = uploads::Target::new();
    }
}));
