use super::layout::SegmentHeader;
use super::segment::{self, SEGMENT_HEADER};
use super::*;
use crate::storage::device::MemoryDevice;
use crate::storage::{Damage, Record, RecordKind, StorageError};
use crate::terms::{Incarnation, Revision, UnixTime};

fn record(length: usize) -> Record {
    Record {
        kind: RecordKind::Publication,
        repository: "a".parse().unwrap(),
        incarnation: Incarnation::FIRST,
        revision: Revision::new(1),
        time: UnixTime::from_seconds(1),
        timestamp: None,
        documents: Vec::new(),
        attachment: vec![1; length].into(),
        note: None,
    }
}

fn append(journal: &Journal, records: &[Record]) {
    let payloads: Vec<_> =
        records.iter().map(|record| encode_payload([], &record.attachment).unwrap()).collect();
    let records = records.iter().zip(payloads.iter().map(Vec::as_slice));
    journal.appender().append(records).unwrap();
}

fn open(device: &MemoryDevice, options: JournalOptions) -> Journal {
    let scanned = Journal::scan(device, None, &mut |_| Ok(())).unwrap();
    scanned.open(Arc::new(device.clone()), options).unwrap()
}

fn lengths(device: &MemoryDevice) -> Vec<u64> {
    let mut names = device.list().unwrap();
    names.sort();
    names.iter().map(|name| device.open(name).unwrap().length().unwrap()).collect()
}

#[test]
fn segments_double_up_to_a_limit_and_are_cut_to_their_content() {
    let options = JournalOptions { smallest_segment: 4 << 10, largest_segment: 16 << 10 };
    assert_eq!(options.size(0, 1), 4 << 10);
    assert_eq!(options.size((4 << 10) + 1, 1), 8 << 10);
    assert_eq!(options.size(1 << 40, 1), 16 << 10);
    assert_eq!(options.size(u64::MAX, 1), 16 << 10);
    assert!(options.size(0, 100 << 10) > 100 << 10);

    let device = MemoryDevice::new();
    let journal = open(&device, options);
    assert!(lengths(&device).is_empty());
    for _ in 0..20 {
        append(&journal, &[record(1_000)]);
    }
    append(&journal, &[record(40_000)]);
    let (_, segments) = journal.reached();
    let known: Vec<u64> = segments.iter().map(|segment| segment.end + 128).collect();
    let on_disk = lengths(&device);
    assert_eq!(on_disk[..on_disk.len() - 1], known[..known.len() - 1]);
    journal.appender().seal().unwrap();
    assert_eq!(lengths(&device), known);
}

#[test]
fn what_is_read_back_is_the_same_table_whether_sealed_or_not() {
    for sealed in [true, false] {
        let device = MemoryDevice::new();
        let options = JournalOptions { smallest_segment: 2 << 10, largest_segment: 4 << 10 };
        let journal = open(&device, options);
        for length in [10, 2_000, 30, 900, 900, 1] {
            append(&journal, &[record(length), record(length)]);
        }
        if sealed {
            journal.appender().seal().unwrap();
        }
        let (end, segments) = journal.reached();
        let again = open(&device, options);
        let (end_again, segments_again) = again.reached();
        assert_eq!((end.position, end.chain), (end_again.position, end_again.chain));
        if sealed {
            assert_eq!((end, segments), (end_again, segments_again));
        }
        for position in 1..=end.position.get() {
            assert_eq!(again.stored(Position::new(position)).unwrap().header.kind, RecordKind::Publication);
        }
        assert!(again.chain(end.position).unwrap() == Some(end.chain));
    }
}

#[test]
fn a_group_made_for_another_segment_is_not_taken_for_one_however_a_publisher_places_it() {
    let device = MemoryDevice::new();
    let journal = open(&device, JournalOptions::default());
    append(&journal, &[record(10)]);
    // A payload that holds what a valid segment and its groups look like, with the very number and chain of this one.
    let (end, segments) = journal.reached();
    let stolen = SegmentHeader {
        format: super::layout::FORMAT,
        number: segments[0].number,
        first: Position::new(1),
        chain: [0; 32],
        confirms: [0; 32],
        key: [0; 16],
        size: 1 << 18,
        skipped: 0,
    };
    let (group, _) = layout::GroupHeader::bare(layout::GroupKind::Records, end.position.next(), end.confirms)
        .encode(&stolen.group_key());
    let mut hostile = record(0);
    hostile.attachment = group.repeat(50).into();
    append(&journal, &[hostile]);
    drop(journal);
    // Its group is torn; what is in it does not prove that more was written.
    let file = device.open(&segment::name(1)).unwrap();
    let place = segments[0].end + 8;
    file.write(place, &[0xff]).unwrap();
    let journal = open(&device, JournalOptions::default());
    assert_eq!(journal.end().position.get(), 1);
    assert_eq!(journal.reached().1.first().map(|segment| segment.end > SEGMENT_HEADER), Some(true));
}

#[test]
fn only_segments_are_taken_for_segments() {
    assert_eq!(segment::number(&segment::name(u64::MAX)), Some(u64::MAX));
    for name in
        ["checkpoint", "1.segment", "0000000000000000000x.segment", "00000000000000000001.segment.new"]
    {
        assert_eq!(segment::number(name), None, "{name}");
    }
    assert_eq!(segment::number("99999999999999999999.segment"), None);
}

#[test]
fn positions_that_were_skipped_stay_so_whatever_follows_an_empty_segment() {
    let options = JournalOptions { smallest_segment: 4 << 10, largest_segment: 4 << 10 };
    let skip = |journal: &Journal, to| journal.appender().skip_to(Position::new(to)).unwrap();
    // What comes first, closed or not, before a record that has to stand in a segment of its own.
    for sealed in [false, true] {
        for twice in [false, true] {
            let device = MemoryDevice::new();
            let mut journal = open(&device, options);
            skip(&journal, 7);
            if sealed {
                journal.appender().seal().unwrap();
                journal = open(&device, options);
            }
            if twice {
                skip(&journal, 9);
            }
            append(&journal, &[record(20_000)]);
            let end = journal.end();
            assert_eq!(end.position.get(), if twice { 10 } else { 8 });
            journal.appender().seal().unwrap();
            for _ in 0..3 {
                let again = open(&device, options);
                assert_eq!((again.end().position, again.end().chain), (end.position, end.chain));
                again.appender().seal().unwrap();
            }
        }
    }
}

#[test]
fn a_journal_that_ends_in_what_was_skipped_verifies() {
    struct Nothing;
    impl Check for Nothing {
        fn record(&mut self, _: StoredRecord) -> Result<(), StorageError> {
            Ok(())
        }
        fn progress(&mut self, _: u64, _: u64) -> bool {
            true
        }
        fn damage(&mut self, damage: Damage) {
            panic!("{damage:?}");
        }
    }
    let device = MemoryDevice::new();
    let journal = open(&device, JournalOptions::default());
    append(&journal, &[record(10)]);
    journal.appender().skip_to(Position::new(5)).unwrap();
    let (end, segments) = journal.reached();
    assert!(journal.verify(end, &segments, &mut Nothing));
}
