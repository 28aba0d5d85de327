//! Objects whose members are known, and what may stand in them.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::metadata::ParseError;
use crate::metadata::canonical::LARGEST_EXACT;
use crate::metadata::json::{Number, Object, Value};

/// A value that must be an object with these members, of which any may be absent and others may stand beside.
///
/// Go's readers match member names without regard to case, so one that differs from a known one in case alone would mean
/// to them what it does not mean here.
pub(super) fn members<'v, 'a>(
    value: &'v Value<'a>,
    name: &'static str,
    known: &[&'static str],
) -> Result<&'v Object<'a>, ParseError> {
    let object = map(value, name)?;
    for (member, _) in object.iter() {
        if known.contains(&member) {
            continue;
        }
        if let Some(known) = known.iter().find(|known| folds_to(member, known)) {
            return Err(ParseError::AmbiguousMember { member: member.into(), known });
        }
    }
    Ok(object)
}

/// As Go folds: ASCII case, and the two other characters that fold to ASCII letters.
fn folds_to(member: &str, known: &str) -> bool {
    let folded = member.chars().map(|c| match c {
        '\u{17f}' => 's',
        '\u{212a}' => 'k',
        _ => c.to_ascii_lowercase(),
    });
    folded.eq(known.chars())
}

/// A value that must be an object whose member names are data.
pub(super) fn map<'v, 'a>(value: &'v Value<'a>, name: &'static str) -> Result<&'v Object<'a>, ParseError> {
    let Value::Object(object) = value else {
        return Err(ParseError::WrongType { member: name, expected: "an object" });
    };
    Ok(object)
}

/// What stands there, where null means as much as nothing.
pub(super) fn optional<'v, 'a>(object: &'v Object<'a>, name: &str) -> Option<&'v Value<'a>> {
    object.get(name).filter(|value| !matches!(value, Value::Null))
}

/// What has to stand there.
pub(super) fn required<'v, 'a>(
    object: &'v Object<'a>,
    name: &'static str,
) -> Result<&'v Value<'a>, ParseError> {
    optional(object, name).ok_or(ParseError::Missing { member: name })
}

/// The elements of an array; none if nothing stands there.
pub(super) fn elements<'v, 'a>(
    object: &'v Object<'a>,
    name: &'static str,
) -> Result<&'v [Value<'a>], ParseError> {
    let Some(value) = optional(object, name) else { return Ok(&[]) };
    let Value::Array(values) = value else {
        return Err(ParseError::WrongType { member: name, expected: "an array" });
    };
    Ok(values)
}

/// A value that must be text.
pub(super) fn text<'v>(value: &'v Value<'_>, name: &'static str) -> Result<&'v str, ParseError> {
    let Value::String(text) = value else {
        return Err(ParseError::WrongType { member: name, expected: "a string" });
    };
    Ok(text)
}

/// Bytes in base64.
pub(super) fn binary(value: &Value<'_>, name: &'static str) -> Result<Vec<u8>, ParseError> {
    STANDARD.decode(text(value, name)?).map_err(|_| ParseError::Base64 { member: name })
}

/// An integer literal that signatures cover exactly.
pub(super) fn length(value: &Value<'_>) -> Result<u64, ParseError> {
    if let Value::Number(Number::Unsigned(length)) = value
        && *length <= LARGEST_EXACT
    {
        return Ok(*length);
    }
    Err(ParseError::WrongType { member: "length", expected: "an integer from 0 to 2^53 - 1" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_fold_as_go_folds_them() {
        for member in ["Keys", "KEYS", "\u{212a}eys", "key\u{17f}", "\u{212a}EY\u{17f}"] {
            assert!(folds_to(member, "keys"), "{member}");
        }
        for member in ["key", "keyss", "k\u{e9}ys", "\u{130}eys", ""] {
            assert!(!folds_to(member, "keys"), "{member}");
        }
    }
}
