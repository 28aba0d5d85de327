//! JSON as strictly as any reader of it: one value, no member twice, nothing deeper or larger than allowed.

use core::cell::{Cell, RefCell};
use core::fmt;
use std::borrow::Cow;

use serde::de::{DeserializeSeed, Error, MapAccess, SeqAccess, Visitor};

use super::{Limits, ParseError};

/// Below the depth at which the JSON library stops, so that ours is the limit that speaks.
const DEEPEST: usize = 100;

/// A JSON value that borrows its text where it can.
#[derive(Debug)]
pub(super) enum Value<'a> {
    Null,
    Bool(bool),
    Number(Number),
    String(Cow<'a, str>),
    Array(Vec<Self>),
    Object(Object<'a>),
}

/// A number as it was written, as far as anyone here has to know.
#[derive(Clone, Copy, Debug)]
pub(super) enum Number {
    /// An integer literal, zero or above.
    Unsigned(u64),
    /// An integer literal below zero.
    Negative(i64),
    /// With a fraction or an exponent, or too large for the others.
    Float(f64),
}

/// Members sorted by name, each once.
#[derive(Debug, Default)]
pub(super) struct Object<'a>(Vec<(Cow<'a, str>, Value<'a>)>);

impl<'a> Object<'a> {
    pub(super) fn get(&self, name: &str) -> Option<&Value<'a>> {
        let at = self.0.binary_search_by(|(member, _)| member.as_ref().cmp(name)).ok()?;
        self.0.get(at).map(|(_, value)| value)
    }

    /// In the order of their names' bytes.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &Value<'a>)> {
        self.0.iter().map(|(name, value)| (name.as_ref(), value))
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}

/// Reads one value and nothing behind it.
pub(super) fn parse<'a>(text: &'a str, limits: &Limits) -> Result<Value<'a>, ParseError> {
    let state = State {
        depth: limits.depth.min(DEEPEST),
        values: limits.values,
        left: Cell::new(limits.values),
        refusal: RefCell::new(None),
    };
    let mut reader = serde_json::Deserializer::from_str(text);
    let value = Nested { state: &state, depth: 0 }.deserialize(&mut reader);
    value.and_then(|value| reader.end().map(|()| value)).map_err(|error| {
        let syntax = ParseError::Syntax { line: error.line(), column: error.column() };
        state.refusal.take().unwrap_or(syntax)
    })
}

/// The library's errors carry text alone, so a refusal of ours is put down here on its way out.
struct State {
    depth: usize,
    values: usize,
    left: Cell<usize>,
    refusal: RefCell<Option<ParseError>>,
}

impl State {
    fn refuse<E: Error>(&self, refusal: ParseError) -> E {
        self.refusal.replace(Some(refusal));
        E::custom("refused")
    }
}

#[derive(Clone, Copy)]
struct Nested<'s> {
    state: &'s State,
    depth: usize,
}

impl Nested<'_> {
    fn deeper<E: Error>(self) -> Result<Self, E> {
        if self.depth >= self.state.depth {
            return Err(self.state.refuse(ParseError::TooDeep { limit: self.state.depth }));
        }
        Ok(Self { depth: self.depth + 1, ..self })
    }
}

impl<'de> DeserializeSeed<'de> for Nested<'_> {
    type Value = Value<'de>;

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<Value<'de>, D::Error> {
        let Some(left) = self.state.left.get().checked_sub(1) else {
            return Err(self.state.refuse(ParseError::TooMany { what: "values", limit: self.state.values }));
        };
        self.state.left.set(left);
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Nested<'_> {
    type Value = Value<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value<'de>, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value<'de>, E> {
        Ok(Value::Bool(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value<'de>, E> {
        Ok(Value::Number(Number::Unsigned(value)))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value<'de>, E> {
        let number = u64::try_from(value).map_or(Number::Negative(value), Number::Unsigned);
        Ok(Value::Number(number))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value<'de>, E> {
        Ok(Value::Number(Number::Float(value)))
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Value<'de>, E> {
        Ok(Value::String(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Value<'de>, E> {
        Ok(Value::String(Cow::Owned(text.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Value<'de>, A::Error> {
        let inner = self.deeper()?;
        let mut values = Vec::new();
        while let Some(value) = elements.next_element_seed(inner)? {
            values.push(value);
        }
        Ok(Value::Array(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value<'de>, A::Error> {
        let inner = self.deeper()?;
        let mut members = Vec::new();
        while let Some(name) = entries.next_key_seed(Name)? {
            members.push((name, entries.next_value_seed(inner)?));
        }
        // Files are mostly written in this order, which a merge sort notices.
        members.sort_by(|(a, _), (b, _)| a.cmp(b));
        let twice = members.windows(2).find_map(|pair| match pair {
            [(a, _), (b, _)] if a == b => Some(a.as_ref().into()),
            _ => None,
        });
        match twice {
            Some(member) => Err(self.state.refuse(ParseError::DuplicateMember { member })),
            None => Ok(Value::Object(Object(members))),
        }
    }
}

struct Name;

impl<'de> DeserializeSeed<'de> for Name {
    type Value = Cow<'de, str>;

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for Name {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a member's name")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(text))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(text: &str) -> ParseError {
        parse(text, &Limits::default()).unwrap_err()
    }

    #[test]
    fn a_member_twice_is_refused_at_any_depth_and_however_it_is_escaped() {
        for text in [r#"{"a":1,"b":2,"a":3}"#, r#"[{"x":[{"a":1,"a":1}]}]"#, r#"{"a":1,"\u0061":1}"#] {
            assert_eq!(refusal(text), ParseError::DuplicateMember { member: "a".into() }, "{text}");
        }
    }

    #[test]
    fn what_is_not_one_json_value_is_refused() {
        for text in [
            "",
            " ",
            "{",
            "[1,]",
            "{\"a\":1,}",
            "{} {}",
            "{}x",
            "nul",
            "01",
            "+1",
            "1.",
            "\"\n\"",
            "\"\\ud800\"",
            "'a'",
            "\u{feff}{}",
            "NaN",
            "// c\n1",
            "1e999",
        ] {
            assert!(matches!(refusal(text), ParseError::Syntax { .. }), "{text:?}");
        }
    }

    #[test]
    fn deep_input_is_refused_without_deep_recursion() {
        let arrays = "[".repeat(1_000_000);
        let objects = r#"{"a":"#.repeat(1_000_000);
        assert_eq!(refusal(&arrays), ParseError::TooDeep { limit: 64 });
        assert_eq!(refusal(&objects), ParseError::TooDeep { limit: 64 });
        let limits = Limits { depth: usize::MAX, ..Limits::default() };
        assert_eq!(parse(&arrays, &limits).unwrap_err(), ParseError::TooDeep { limit: DEEPEST });
        let fits = format!("{}{}", "[".repeat(64), "]".repeat(64));
        assert!(parse(&fits, &Limits::default()).is_ok());
    }

    #[test]
    fn more_values_than_allowed_are_refused() {
        let limits = Limits { values: 3, ..Limits::default() };
        assert!(parse("[1,2]", &limits).is_ok());
        assert_eq!(parse("[1,2,3]", &limits).unwrap_err(), ParseError::TooMany { what: "values", limit: 3 });
    }
}
