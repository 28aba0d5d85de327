use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::Index;

use super::*;
use crate::terms::{Incarnation, Position, Revision};

/// A checkpoint's state as `docs/format.md` has it, put together by hand.
#[derive(Clone, Debug)]
struct Plain {
    end: (u64, [u8; 32], [u8; 32]),
    segments: Vec<PlainSegment>,
    heads: Vec<(String, [u64; 4], bool)>,
}

/// Number, first Position, digest of the header, end, frames.
type PlainSegment = (u64, u64, [u8; 32], u64, Vec<u64>);

fn plain() -> impl Strategy<Value = Plain> {
    let end = any::<(u64, [u8; 32], [u8; 32])>();
    let frames = vec(any::<u64>(), 0..5);
    let segment = (any::<u64>(), any::<u64>(), any::<[u8; 32]>(), any::<u64>(), frames);
    let name = "[a-zA-Z0-9é_:-]{1,9}(/[a-zA-Z0-9é_:-]{1,9}){0,3}";
    let head = (name, any::<[u64; 4]>(), any::<bool>());
    (end, vec(segment, 0..4), vec(head, 0..5)).prop_map(|(end, segments, heads)| Plain {
        end,
        segments,
        heads,
    })
}

fn count(of: usize) -> [u8; 8] {
    u64::try_from(of).unwrap().to_le_bytes()
}

impl Plain {
    fn bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        let (position, chain, confirms) = &self.end;
        bytes.extend(position.to_le_bytes());
        bytes.extend(chain);
        bytes.extend(confirms);
        bytes.extend(count(self.segments.len()));
        for (number, first, header, end, frames) in &self.segments {
            bytes.extend(number.to_le_bytes());
            bytes.extend(first.to_le_bytes());
            bytes.extend(header);
            bytes.extend(end.to_le_bytes());
            bytes.extend(count(frames.len()));
            bytes.extend(frames.iter().flat_map(|frame| frame.to_le_bytes()));
        }
        bytes.extend(count(self.heads.len()));
        for (name, numbers, deleted) in &self.heads {
            bytes.extend(count(name.len()));
            bytes.extend(name.as_bytes());
            bytes.extend(numbers.iter().flat_map(|number| number.to_le_bytes()));
            bytes.push(u8::from(*deleted));
        }
        bytes
    }
}

fn changed(mut bytes: Vec<u8>, changes: Vec<(Index, u8)>, cut: Option<Index>, more: Vec<u8>) -> Vec<u8> {
    for (at, byte) in changes {
        let at = at.index(bytes.len());
        bytes[at] = byte;
    }
    bytes.truncate(cut.map_or(usize::MAX, |cut| cut.index(bytes.len() + 1)));
    bytes.extend(more);
    bytes
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_checkpoint_has_the_bytes_that_the_format_says_and_reads_back(plain in plain()) {
        let bytes = plain.bytes();
        let checkpoint = codec::decode_checkpoint(&bytes).unwrap();
        let (position, chain, confirms) = plain.end;
        prop_assert_eq!(checkpoint.end, End { position: Position::new(position), chain, confirms });
        let ends: Vec<_> = checkpoint.segments.iter().map(Segment::bytes).collect();
        prop_assert_eq!(ends, plain.segments.iter().map(|(.., end, _)| *end).collect::<Vec<_>>());
        for ((name, head), (expected, [incarnation, revision, position, documents], deleted)) in
            checkpoint.heads.iter().zip(&plain.heads)
        {
            prop_assert_eq!(name.0.as_str(), expected);
            prop_assert_eq!(head, &Head {
                incarnation: Incarnation::new(*incarnation),
                revision: Revision::new(*revision),
                position: Position::new(*position),
                documents: *documents,
                deleted: *deleted,
            });
        }
        prop_assert_eq!(checkpoint.heads.len(), plain.heads.len());
        prop_assert_eq!(codec::encode_checkpoint(&checkpoint).unwrap(), bytes);
        prop_assert_eq!(Checkpoint::decode(&checkpoint.encode().unwrap()).unwrap(), Some(checkpoint));
    }

    #[test]
    fn a_checkpoint_whose_bytes_changed_is_passed_over_and_its_state_is_refused_or_encodes_to_just_them(
        plain in plain(),
        changes in vec((any::<Index>(), any::<u8>()), 1..4),
        cut in option::of(any::<Index>()),
        more in vec(any::<u8>(), 0..3),
    ) {
        let whole = codec::decode_checkpoint(&plain.bytes()).unwrap().encode().unwrap();
        let file = changed(whole.clone(), changes.clone(), cut, more.clone());
        if file != whole {
            prop_assert_eq!(Checkpoint::decode(&file).unwrap(), None);
        }
        let state = changed(plain.bytes(), changes, cut, more);
        if let Ok(read) = codec::decode_checkpoint(&state) {
            prop_assert_eq!(codec::encode_checkpoint(&read).unwrap(), state);
        }
    }
}
