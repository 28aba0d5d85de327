//! How a record's header is encoded: as its fields, in order. One that has a note says so in its kind, and ends with the note, so
//! that one without is what it was before there were any.

use core::fmt;

use serde::de::{Error, SeqAccess, Visitor};
use serde::ser::SerializeTuple as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{RecordHeader, RecordKind};
use crate::terms::RecordName;

/// Added to the number of a kind where a note follows.
const NOTED: u32 = 8;
/// Without a note.
const FIELDS: usize = 9;

impl RecordKind {
    fn number(self) -> u32 {
        match self {
            Self::Publication => 0,
            Self::Deletion => 1,
            Self::Restoration => 2,
            Self::Settings => 3,
        }
    }

    fn of(number: u32) -> Option<Self> {
        [Self::Publication, Self::Deletion, Self::Restoration, Self::Settings]
            .into_iter()
            .find(|kind| kind.number() == number)
    }
}

impl Serialize for RecordHeader {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let noted = self.note.as_ref().map_or(0, |_| NOTED);
        let mut fields = serializer.serialize_tuple(FIELDS + self.note.iter().len())?;
        fields.serialize_element(&self.position)?;
        fields.serialize_element(&(self.kind.number() + noted))?;
        fields.serialize_element(&self.repository)?;
        fields.serialize_element(&self.incarnation)?;
        fields.serialize_element(&self.revision)?;
        fields.serialize_element(&self.time)?;
        fields.serialize_element(&self.timestamp)?;
        fields.serialize_element(&self.documents)?;
        fields.serialize_element(&self.previous)?;
        if let Some(note) = &self.note {
            fields.serialize_element(note)?;
        }
        fields.end()
    }
}

impl<'de> Deserialize<'de> for RecordHeader {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_tuple(FIELDS + 1, Fields)
    }
}

struct Fields;

impl<'de> Visitor<'de> for Fields {
    type Value = RecordHeader;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a record's header")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut fields: A) -> Result<RecordHeader, A::Error> {
        let position = next(&mut fields)?;
        let number: u32 = next(&mut fields)?;
        let (noted, number) = match number.checked_sub(NOTED) {
            Some(number) => (true, number),
            None => (false, number),
        };
        let kind = RecordKind::of(number).ok_or_else(|| A::Error::custom("an unknown kind of record"))?;
        let RecordName(repository) = next(&mut fields)?;
        if repository.is_of_settings() != (kind == RecordKind::Settings) {
            return Err(A::Error::custom("settings of a repository"));
        }
        Ok(RecordHeader {
            position,
            kind,
            repository,
            incarnation: next(&mut fields)?,
            revision: next(&mut fields)?,
            time: next(&mut fields)?,
            timestamp: next(&mut fields)?,
            documents: next(&mut fields)?,
            previous: next(&mut fields)?,
            note: if noted { Some(next(&mut fields)?) } else { None },
        })
    }
}

fn next<'de, T: Deserialize<'de>, A: SeqAccess<'de>>(fields: &mut A) -> Result<T, A::Error> {
    fields.next_element()?.ok_or_else(|| A::Error::custom("a field is missing"))
}
