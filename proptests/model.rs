//! Any sequence of publications, mirrored sets, lookups, pins, rotations, deletions and reopenings, with or without
//! index and checkpoint, agrees with a map of maps: tags, names, feed, history, and every view pinned on the way. At the
//! end the store finds nothing wrong with itself.

use proptest::prelude::*;
use tufstore_testkit::model::{StoreSubject, operations, run};

use crate::config;

proptest! {
    #![proptest_config(config(2))]

    #[test]
    fn a_store_on_a_device_in_memory_agrees_with_a_map_of_maps(operations in operations(32)) {
        run(&operations, &mut StoreSubject::in_memory())?;
    }
}

proptest! {
    #![proptest_config(config(16))]

    #[test]
    fn a_store_in_a_folder_agrees_with_a_map_of_maps(operations in operations(32)) {
        run(&operations, &mut StoreSubject::in_folder())?;
    }
}
