//! Whatever a value says, and however it is written, it has one canonical form.

use std::collections::BTreeMap;

use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use proptest::sample::Index;

use super::canonical;
use crate::metadata::{Limits, json};

/// A value as the test knows it, apart from anything written.
#[derive(Clone, Debug)]
enum Plain {
    Null,
    Bool(bool),
    Integer(i64),
    Text(String),
    Array(Vec<Self>),
    Object(BTreeMap<String, Self>),
}

/// Values whose texts match a pattern, at most four deep.
fn plain(text: &'static str) -> impl Strategy<Value = Plain> {
    const EXACT: i64 = (1 << 53) - 1;
    let leaf = prop_oneof![
        Just(Plain::Null),
        any::<bool>().prop_map(Plain::Bool),
        prop_oneof![-9i64..100, -EXACT..=EXACT].prop_map(Plain::Integer),
        text.prop_map(Plain::Text),
    ];
    leaf.prop_recursive(4, 40, 6, move |inner| {
        prop_oneof![
            vec(inner.clone(), 0..6).prop_map(Plain::Array),
            btree_map(text, inner, 0..6).prop_map(Plain::Object),
        ]
    })
}

/// Any text: quotes, control characters, what JSON must escape and what lies beyond the first plane.
const ANY: &str = r#"([\x00-\x1f"\\/]|\PC|[é😀！]){0,6}"#;
/// Without what is no JSON unless it is escaped: a canonical form need not be read again.
const READABLE: &str = r#"(["\\/]|\PC|[é😀！]){0,6}"#;

/// The canonical form as the protocol puts it, written down as plainly as can be.
fn reference(value: &Plain) -> String {
    let text = |text: &str| format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""));
    let joined = |parts: Vec<String>| parts.join(",");
    match value {
        Plain::Null => "null".to_owned(),
        Plain::Bool(value) => value.to_string(),
        Plain::Integer(number) => number.to_string(),
        Plain::Text(value) => text(value),
        Plain::Array(values) => format!("[{}]", joined(values.iter().map(reference).collect())),
        Plain::Object(members) => {
            let mut members: Vec<_> = members.iter().collect();
            members.sort_by(|(a, _), (b, _)| a.as_bytes().cmp(b.as_bytes()));
            let member = |(name, value): (&String, &Plain)| format!("{}:{}", text(name), reference(value));
            format!("{{{}}}", joined(members.into_iter().map(member).collect()))
        }
    }
}

/// Every choice that a writer has, taken by lot.
struct Writer<'l> {
    lots: core::iter::Cycle<core::slice::Iter<'l, Index>>,
}

impl Writer<'_> {
    fn pick(&mut self, of: usize) -> usize {
        self.lots.next().map_or(0, |lot| lot.index(of))
    }

    fn space(&mut self) -> &'static str {
        ["", "", " ", "\n", "\t\r\n  "][self.pick(5)]
    }

    fn write(&mut self, value: &Plain) -> String {
        let (before, after) = (self.space(), self.space());
        let written = match value {
            Plain::Null => "null".to_owned(),
            Plain::Bool(value) => value.to_string(),
            Plain::Integer(number) => match self.pick(4) {
                0 => format!("{number}.0"),
                1 => format!("{number}e0"),
                2 if number % 10 == 0 => format!("{}E+1", number / 10),
                _ => number.to_string(),
            },
            Plain::Text(text) => self.text(text),
            Plain::Array(values) => {
                let values: Vec<_> = values.iter().map(|value| self.write(value)).collect();
                format!("[{}{}]", values.join(","), self.space())
            }
            Plain::Object(members) => {
                let mut left: Vec<_> = members.iter().collect();
                let mut written = Vec::new();
                while !left.is_empty() {
                    let (name, value) = left.swap_remove(self.pick(left.len()));
                    written.push(format!(
                        "{}{}{}:{}",
                        self.space(),
                        self.text(name),
                        self.space(),
                        self.write(value)
                    ));
                }
                format!("{{{}{}}}", written.join(","), self.space())
            }
        };
        format!("{before}{written}{after}")
    }

    fn text(&mut self, text: &str) -> String {
        let mut written = String::from("\"");
        for character in text.chars() {
            let mut units = [0; 2];
            match (character, self.pick(3)) {
                ('/', 1) => written.push_str("\\/"),
                ('"' | '\\', 1 | 2) => written.extend(['\\', character]),
                ('\n', 1) => written.push_str("\\n"),
                (character, choice) if choice == 0 || character < ' ' || matches!(character, '"' | '\\') => {
                    let units = character.encode_utf16(&mut units).iter();
                    written.extend(units.map(|unit| format!("\\u{unit:04x}")));
                }
                (character, _) => written.push(character),
            }
        }
        written.push('"');
        written
    }
}

fn form(text: &str) -> String {
    let value = json::parse(text, &Limits::default()).unwrap();
    String::from_utf8(canonical(&value, 0).unwrap()).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_form_is_that_of_a_plain_encoder_however_the_value_was_written(
        value in plain(ANY),
        lots in vec(any::<Index>(), 1..200),
    ) {
        let written = Writer { lots: lots.iter().cycle() }.write(&value);
        prop_assert_eq!(form(&written), reference(&value), "{}", written);
    }

    #[test]
    fn the_form_of_a_form_is_itself(value in plain(READABLE), lots in vec(any::<Index>(), 1..200)) {
        let once = form(&Writer { lots: lots.iter().cycle() }.write(&value));
        prop_assert_eq!(form(&once), once);
    }
}
