//! The form that signatures cover: derived from what was read, for checking only, and never stored.

use std::io::Write;

use memchr::memchr2;

use super::ParseError;
use super::json::{Number, Value};

/// The largest integer up to which every integer has a double of its own.
pub(super) const LARGEST_EXACT: u64 = (1 << 53) - 1;

/// Members in the order of their names' bytes, no white space, only `"` and `\` escaped, numbers as integers.
///
/// # Errors
/// [`ParseError::FractionalNumber`].
///
/// # Cost
/// Linear in the size of `value`; `capacity` bytes are set aside at once.
pub(super) fn canonical(value: &Value<'_>, capacity: usize) -> Result<Vec<u8>, ParseError> {
    let mut out = Vec::with_capacity(capacity);
    write(value, &mut out)?;
    Ok(out)
}

/// Recurses as deep as the reader let the value nest.
fn write(value: &Value<'_>, out: &mut Vec<u8>) -> Result<(), ParseError> {
    match value {
        Value::Null => out.extend(b"null"),
        Value::Bool(true) => out.extend(b"true"),
        Value::Bool(false) => out.extend(b"false"),
        Value::Number(number) => write_number(*number, out)?,
        Value::String(text) => write_text(text, out),
        Value::Array(values) => {
            out.push(b'[');
            for (at, value) in values.iter().enumerate() {
                if at > 0 {
                    out.push(b',');
                }
                write(value, out)?;
            }
            out.push(b']');
        }
        Value::Object(members) => {
            out.push(b'{');
            for (at, (name, value)) in members.iter().enumerate() {
                if at > 0 {
                    out.push(b',');
                }
                write_text(name, out);
                out.push(b':');
                write(value, out)?;
            }
            out.push(b'}');
        }
    }
    Ok(())
}

/// In quotes.
pub(super) fn write_text(text: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    let mut rest = text.as_bytes();
    while let Some((before, [escaped, after @ ..])) =
        memchr2(b'"', b'\\', rest).and_then(|at| rest.split_at_checked(at))
    {
        out.extend(before);
        out.extend([b'\\', *escaped]);
        rest = after;
    }
    out.extend(rest);
    out.push(b'"');
}

pub(super) fn write_integer(number: u64, out: &mut Vec<u8>) {
    // Writing to memory cannot fail.
    write!(out, "{number}").unwrap_or_default();
}

/// Readers decode numbers as doubles and write them as 64-bit integers: above 2^53 another number comes out than went
/// in, and here too, so that signatures fail where theirs do.
fn write_number(number: Number, out: &mut Vec<u8>) -> Result<(), ParseError> {
    const TWO_TO_63: f64 = 9_223_372_036_854_775_808.0;
    let double = match number {
        Number::Unsigned(exact) if exact <= LARGEST_EXACT => {
            write_integer(exact, out);
            return Ok(());
        }
        Number::Unsigned(large) => rounded(&large.to_string())?,
        Number::Negative(below) => rounded(&below.to_string())?,
        Number::Float(double) => double,
    };
    if double.fract() != 0.0 || !(-TWO_TO_63..TWO_TO_63).contains(&double) {
        return Err(ParseError::FractionalNumber);
    }
    // The sum has no negative zero.
    write!(out, "{:.0}", double + 0.0).unwrap_or_default();
    Ok(())
}

fn rounded(digits: &str) -> Result<f64, ParseError> {
    digits.parse().map_err(|_| ParseError::FractionalNumber)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metadata::{Limits, json};

    fn message(text: &str) -> Result<String, ParseError> {
        let value = json::parse(text, &Limits::default())?;
        canonical(&value, 0).map(|bytes| String::from_utf8(bytes).unwrap())
    }

    #[test]
    fn values_get_the_form_that_go_signs() {
        let cases = [
            (r#"{"b":1,"a":[true,null]}"#, r#"{"a":[true,null],"b":1}"#),
            (r#"{"n":"a\u0026b\u003c"}"#, r#"{"n":"a&b<"}"#),
            (r#"{"q":"x\"y\\z\/"}"#, r#"{"q":"x\"y\\z/"}"#),
            (r#"{"v":1e3}"#, r#"{"v":1000}"#),
            (r#"{"é":1,"z":2}"#, r#"{"z":2,"é":1}"#),
            (" { \"a\" : [ ] , \"b\" : { } }\n", r#"{"a":[],"b":{}}"#),
            (r#"["\u0001\u001f\n\t\u2028"]"#, "[\"\u{1}\u{1f}\n\t\u{2028}\"]"),
            (r#"["\ud83d\ude00"]"#, "[\"\u{1f600}\"]"),
            // Composed and decomposed stay what they were.
            ("[\"\u{e9}\",\"e\u{301}\"]", "[\"\u{e9}\",\"e\u{301}\"]"),
            (r#"{"\uff01":1,"\ud83d\ude00":2}"#, "{\"\u{ff01}\":1,\"\u{1f600}\":2}"),
            (r#"["","\"","\\","\"\\\""]"#, r#"["","\"","\\","\"\\\""]"#),
            ("[-1,-0,0,1.0,-2.50e2]", "[-1,0,0,1,-250]"),
            (
                "[9007199254740991,9007199254740992,9007199254740993]",
                "[9007199254740991,9007199254740992,9007199254740992]",
            ),
            ("[9007199254740995,-9007199254740993]", "[9007199254740996,-9007199254740992]"),
            ("[9223372036854774784,-9223372036854775808]", "[9223372036854774784,-9223372036854775808]"),
            // Read to the last bit with a fraction or an exponent too, which is where fast readers err.
            ("[-1892738911909621.0,9007199254740991e0]", "[-1892738911909621,9007199254740991]"),
            ("[1e18,9007199254740993.0]", "[1000000000000000000,9007199254740992]"),
        ];
        for (file, signed) in cases {
            assert_eq!(message(file).as_deref(), Ok(signed), "{file}");
        }
    }

    #[test]
    fn numbers_that_no_integer_stands_for_are_refused() {
        for number in [
            "1.5",
            "1e-1",
            "9223372036854775807",
            "18446744073709551615",
            "1e30",
            "-1e30",
            "99999999999999999999",
        ] {
            assert_eq!(message(number), Err(ParseError::FractionalNumber), "{number}");
        }
    }
}

#[cfg(test)]
mod properties;
