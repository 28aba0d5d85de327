use proptest::collection::vec;
use proptest::prelude::*;

use super::pack::pack;
use super::*;

/// Of the way from a step to what stands alone.
fn way(step: u64) -> Vec<u64> {
    let mut way = vec![step];
    while let Some(last) = way.last().copied().filter(|last| *last > 0) {
        way.push(Step(last).base().0);
    }
    way
}

#[test]
fn a_way_is_as_long_as_the_digits_of_the_step_together() {
    assert_eq!(way(0), [0]);
    assert_eq!(way(3), [3, 2, 1, 0]);
    assert_eq!(way(0x102), [0x102, 0x101, 0x100, 0]);
    assert_eq!(way(0x30), [0x30, 0x20, 0x10, 0]);
    assert_eq!(way(u64::MAX).len(), 1 + 15 * 16);
    assert_eq!(Step(u64::MAX).next(), Step(u64::MAX));
    assert!((0..=10_000).all(|step| way(step).len() <= 1 + 2 + 15 * 3));
    assert_eq!((Step(0x123).round(), Step(0x120).round()), (Step(0x120), Step(0x120)));
}

#[test]
fn the_base_of_the_next_step_is_always_on_the_way() {
    for step in 0..=10_000 {
        let next = Step(step).next();
        assert!(way(step).contains(&next.base().0), "{step}");
        assert!(way(step).contains(&Step(step).round().0), "{step}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_packed_unpacks_with_its_base_and_to_its_length_only(
        base in vec(any::<u8>(), 0..2_000),
        bytes in vec(any::<u8>(), 0..2_000),
        common in 0..2_000_usize,
    ) {
        let mut bytes = bytes;
        bytes.extend(base.iter().take(common));
        let packed = pack(Some(&base), &bytes).unwrap();
        prop_assert_eq!(unpack(Some(&base), &packed, bytes.len()), Some(bytes.clone()));
        prop_assert_eq!(unpack(Some(&base), &packed, bytes.len() + 1), None);
        if let Some(short) = bytes.len().checked_sub(1) {
            prop_assert_eq!(unpack(Some(&base), &packed, short), None);
        }
        let alone = pack(None, &bytes).unwrap();
        prop_assert_eq!(unpack(None, &alone, bytes.len()), Some(bytes));
    }

    #[test]
    fn no_bytes_make_unpacking_panic(bytes in vec(any::<u8>(), 0..300), length in 0..10_000_usize) {
        // What begins like a frame goes further.
        let magic = [0x28, 0xb5, 0x2f, 0xfd];
        drop(unpack(None, &bytes, length));
        drop(unpack(Some(&bytes), &[&magic, &*bytes].concat(), length));
    }
}

#[test]
fn a_change_in_a_large_document_is_small_wherever_it_is() {
    let mut base = vec![0; 3 << 20];
    blake3::Hasher::new().finalize_xof().fill(&mut base);
    for at in [0, 1 << 20, (3 << 20) - 100] {
        let mut changed = base.clone();
        changed.splice(at..at, *b"one more tag");
        let packed = pack(Some(&base), &changed).unwrap();
        assert!(packed.len() < 1 << 10, "{}", packed.len());
        assert_eq!(unpack(Some(&base), &packed, changed.len()), Some(changed));
    }
}
