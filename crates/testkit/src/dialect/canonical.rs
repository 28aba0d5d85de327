use serde_json::{Number, Value};

/// A number that canonical form cannot carry: a fraction, or beyond what readers tell apart.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the number {number} cannot be signed: it is no integer, or not an exact one")]
#[non_exhaustive]
pub struct Unwritable {
    /// As JSON.
    pub number: String,
}

/// What a signature over `value` covers: members sorted, no space, only `"` and `\` escaped, integers alone.
///
/// # Errors
/// [`Unwritable`].
pub fn canonical(value: &Value) -> Result<Vec<u8>, Unwritable> {
    let mut out = String::new();
    write(value, Escapes::Canonical, &mut out)?;
    Ok(out.into_bytes())
}

/// The same as Go's JSON encoder embeds it in a file, and as clients therefore hash it.
pub(super) fn embedded(value: &Value) -> Result<String, Unwritable> {
    let mut out = String::new();
    write(value, Escapes::InFiles, &mut out)?;
    Ok(out)
}

#[derive(Clone, Copy)]
enum Escapes {
    Canonical,
    InFiles,
}

/// Recursion is bounded: what reads JSON stops at 128 levels, and authors write six.
fn write(value: &Value, escapes: Escapes, out: &mut String) -> Result<(), Unwritable> {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(true) => out.push_str("true"),
        Value::Bool(false) => out.push_str("false"),
        Value::Number(number) => out.push_str(&integer(number)?),
        Value::String(text) => string(text, escapes, out),
        Value::Array(values) => {
            out.push('[');
            for (at, value) in values.iter().enumerate() {
                if at > 0 {
                    out.push(',');
                }
                write(value, escapes, out)?;
            }
            out.push(']');
        }
        Value::Object(members) => {
            let mut members: Vec<_> = members.iter().collect();
            members.sort_unstable_by_key(|(name, _)| *name);
            out.push('{');
            for (at, (name, value)) in members.into_iter().enumerate() {
                if at > 0 {
                    out.push(',');
                }
                string(name, escapes, out);
                out.push(':');
                write(value, escapes, out)?;
            }
            out.push('}');
        }
    }
    Ok(())
}

/// Readers decode numbers as doubles.
fn integer(number: &Number) -> Result<String, Unwritable> {
    const EXACT: u64 = (1 << 53) - 1;
    const EXACT_DOUBLE: f64 = 9_007_199_254_740_991.0;
    let whole = match (number.as_u64(), number.as_i64(), number.as_f64()) {
        (Some(number), _, _) => (number <= EXACT).then(|| number.to_string()),
        (None, Some(number), _) => (number.unsigned_abs() <= EXACT).then(|| number.to_string()),
        (None, None, Some(number)) => {
            (number.fract() == 0.0 && number.abs() <= EXACT_DOUBLE).then(|| format!("{number:.0}"))
        }
        (None, None, None) => None,
    };
    whole.ok_or_else(|| Unwritable { number: number.to_string() })
}

fn string(text: &str, escapes: Escapes, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        match (c, escapes) {
            ('"' | '\\', _) => out.extend(['\\', c]),
            ('<' | '>' | '&' | '\u{2028}' | '\u{2029}' | '\0'..='\u{1f}', Escapes::InFiles) => {
                let code = u32::from(c);
                out.push_str("\\u");
                out.extend(
                    [12, 8, 4, 0].into_iter().filter_map(|shift| char::from_digit(code >> shift & 0xf, 16)),
                );
            }
            (c, _) => out.push(c),
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signatures_cover_what_clients_say() {
        let cases = [
            (r#"{"b":1,"a":[true,null]}"#, r#"{"a":[true,null],"b":1}"#),
            (r#"{"n":"a\u0026b\u003c"}"#, r#"{"n":"a&b<"}"#),
            (r#"{"q":"x\"y\\z\/"}"#, r#"{"q":"x\"y\\z/"}"#),
            (r#"{"v":1e3}"#, r#"{"v":1000}"#),
            ("{\"é\":1,\"z\":2}", "{\"z\":2,\"é\":1}"),
        ];
        for (file, message) in cases {
            let value: Value = serde_json::from_str(file).unwrap();
            assert_eq!(String::from_utf8(canonical(&value).unwrap()).unwrap(), message);
        }
    }

    #[test]
    fn fractions_and_inexact_integers_are_refused() {
        for number in ["1.5", "9007199254740992", "-9007199254740992", "1e300"] {
            assert!(canonical(&serde_json::from_str(number).unwrap()).is_err(), "{number}");
        }
    }

    #[test]
    fn files_escape_what_go_escapes() {
        let value = Value::from("a&b<c>\u{2028}\u{1}\"");
        assert_eq!(embedded(&value).unwrap(), r#""a\u0026b\u003cc\u003e\u2028\u0001\"""#);
    }
}
