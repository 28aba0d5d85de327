use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

use super::*;

type Owned = (Vec<(Form, Vec<u8>)>, Vec<u8>);

fn form() -> impl Strategy<Value = Form> {
    prop_oneof![
        Just(Form::Whole),
        Just(Form::Packed),
        (any::<u64>(), any::<u32>(), any::<u64>()).prop_map(|(position, number, step)| {
            Form::Difference { base: At { position: Position::new(position), number }, step }
        }),
    ]
}

fn payload() -> impl Strategy<Value = Owned> {
    let bytes = || vec(any::<u8>(), 0..200);
    (vec((form(), bytes()), 0..5), bytes())
}

fn encoded((documents, attachment): &Owned) -> Vec<u8> {
    encode(documents.iter().map(|(form, bytes)| (*form, bytes.as_slice())), attachment).unwrap()
}

fn read(documents: usize, bytes: &[u8]) -> Result<Owned, &'static str> {
    let parts = parse(documents, bytes)?;
    let documents = parts.documents.into_iter().map(|(form, range)| (form, bytes[range].to_vec())).collect();
    Ok((documents, bytes[parts.attachment].to_vec()))
}

#[test]
fn a_payload_has_the_bytes_that_the_format_says() {
    let base = At { position: Position::new(300), number: 1 };
    let documents = [
        (Form::Whole, b"whole".as_slice()),
        (Form::Packed, &[0xaa; 251]),
        (Form::Difference { base, step: 70_000 }, b"change"),
    ];
    let golden = [
        [0, 5].as_slice(),        // whole, five bytes
        b"whole",                 // these
        &[1, 251, 251, 0],        // compressed, 251 bytes
        &[0xaa; 251],             // these
        &[2],                     // a difference
        &[251, 0x2c, 0x01, 1],    // to the second document of the record at 300
        &[252, 0x70, 0x11, 1, 0], // step 70,000
        &[6],                     // six bytes
        b"change",                // these
        &[3, 1, 2, 3],            // three bytes of attachment
    ]
    .concat();
    assert_eq!(encode(documents, &[1, 2, 3]).unwrap(), golden);
    assert_eq!(read(3, &golden).unwrap().1, [1, 2, 3]);
    for longer in [[251, 5, 0].as_slice(), &[252, 5, 0, 0, 0], &[253, 5, 0, 0, 0, 0, 0, 0, 0], &[254], &[255]]
    {
        let bytes = [&[0], longer, b"whole", &[0]].concat();
        assert_eq!(read(1, &bytes), Err(NO_NUMBER), "{longer:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_payload_reads_back_as_it_was_written(payload in payload()) {
        let bytes = encoded(&payload);
        prop_assert_eq!(read(payload.0.len(), &bytes), Ok(payload));
    }

    #[test]
    fn a_payload_whose_bytes_changed_is_refused_or_encodes_to_just_them(
        payload in payload(),
        changes in vec((any::<Index>(), any::<u8>()), 1..4),
        cut in proptest::option::of(any::<Index>()),
        more in vec(any::<u8>(), 0..3),
    ) {
        let mut bytes = encoded(&payload);
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        bytes.truncate(cut.map_or(usize::MAX, |cut| cut.index(bytes.len() + 1)));
        bytes.extend(more);
        if let Ok(read) = read(payload.0.len(), &bytes) {
            prop_assert_eq!(encoded(&read), bytes);
        }
    }
}
