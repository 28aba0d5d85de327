use super::*;

fn segment() -> SegmentHeader {
    SegmentHeader {
        format: super::FORMAT,
        number: 2,
        first: Position::new(3),
        chain: [1; 32],
        confirms: [2; 32],
        key: [3; 16],
        size: 4,
        skipped: 0,
    }
}

fn hex(bytes: &[u8]) -> String {
    blake3::Hash::from_slice(bytes).unwrap().to_hex().to_string()
}

#[test]
fn a_segment_header_has_the_bytes_that_the_format_says() {
    let bytes = segment().encode();
    let mut golden = b"tufs-seg\x01\0\0\0\0\0\0\0\x02\0\0\0\0\0\0\0\x03\0\0\0\0\0\0\0".to_vec();
    golden.extend([1; 32]);
    golden.extend([2; 32]);
    golden.extend([3; 16]);
    golden.extend(b"\x04\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0");
    assert_eq!(bytes[..128], golden);
    assert_eq!(hex(&bytes[128..]), "e65b544d577425fb94b776c5119b7dbe4b1992e12022f96ab439372e230d8ea3");
    assert_eq!(bytes.len(), SegmentHeader::LENGTH);
    assert_eq!(SegmentHeader::decode(&bytes, "x").unwrap(), segment());
    assert_eq!(
        hex(&segment().group_key()),
        "dfb86ba304aa6aba9afa3658e742a9ccaca62fd0012062bd30e246b2812124e3"
    );
}

#[test]
fn a_group_header_has_the_bytes_that_the_format_says() {
    let header = GroupHeader {
        kind: GroupKind::Records,
        records: 5,
        body: 6,
        first: Position::new(7),
        confirms: [8; 32],
        digest: [9; 32],
    };
    let key = segment().group_key();
    let (bytes, check) = header.encode(&key);
    let mut golden = b"tufs-grp\x01\0\0\0\x05\0\0\0\x06\0\0\0\0\0\0\0\x07\0\0\0\0\0\0\0".to_vec();
    golden.extend([8; 32]);
    golden.extend([9; 32]);
    assert_eq!(bytes[..96], golden);
    assert_eq!(bytes[96..], check);
    assert_eq!(hex(&check), "3256288fa40580a0bb67e6d03c998fc75c11c205415e0003d6e362e052d28847");
    assert_eq!(GroupHeader::decode(&bytes, &key), Some((header.clone(), check)));
    assert_eq!(header.span(), Some(136));
    for (kind, tag) in [(GroupKind::Seal, 2), (GroupKind::Continued, 3)] {
        let (bytes, _) = GroupHeader::bare(kind, Position::new(7), [8; 32]).encode(&key);
        assert_eq!(bytes[8], tag);
        assert_eq!(bytes.len(), GroupHeader::LENGTH);
    }
}

#[test]
fn a_frame_has_the_bytes_that_the_format_says() {
    let frame = Frame::of(b"header", b"payload", 0).unwrap();
    let bytes = frame.encode();
    let mut golden = b"\x06\0\0\0\0\0\0\0\x07\0\0\0\0\0\0\0".to_vec();
    golden.extend(blake3::hash(b"header").as_bytes());
    golden.extend(blake3::hash(b"payload").as_bytes());
    assert_eq!(bytes, golden);
    assert_eq!(bytes.len(), Frame::LENGTH);
    assert_eq!(Frame::decode(&bytes), Some(frame));
}

#[test]
fn headers_with_any_bit_flipped_or_cut_short_are_none() {
    let (segment, key) = (segment().encode(), segment().group_key());
    let (group, _) = GroupHeader::bare(GroupKind::Seal, Position::new(7), [8; 32]).encode(&key);
    for bit in 0..segment.len() * 8 {
        let mut altered = segment.clone();
        altered[bit / 8] ^= 1 << (bit % 8);
        assert!(SegmentHeader::decode(&altered, "x").is_err(), "{bit}");
    }
    for bit in 0..group.len() * 8 {
        let mut altered = group.clone();
        altered[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(GroupHeader::decode(&altered, &key), None, "{bit}");
    }
    for length in 0..segment.len() {
        assert!(SegmentHeader::decode(&segment[..length], "x").is_err());
    }
    for length in 0..group.len() {
        assert_eq!(GroupHeader::decode(&group[..length], &key), None);
    }
}

#[test]
fn a_group_of_one_segment_is_none_in_another() {
    let other = SegmentHeader { key: [4; 16], ..segment() };
    let (bytes, _) =
        GroupHeader::bare(GroupKind::Seal, Position::new(7), [8; 32]).encode(&segment().group_key());
    assert_eq!(GroupHeader::decode(&bytes, &other.group_key()), None);
    let next = SegmentHeader { number: 3, ..segment() };
    assert_eq!(GroupHeader::decode(&bytes, &next.group_key()), None);
}
