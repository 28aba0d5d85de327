//! What expires soon, as text.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use parking_lot::Mutex;

use tufstore::terms::{RoleName, UnixTime};

use super::Names;
use crate::concerns::{Concern, ConcernKind};

/// More would burden who reads them; the first to expire stand for all, and the counts are complete.
const MOST: usize = 1_000;
const KINDS: [ConcernKind; 6] = [
    ConcernKind::File,
    ConcernKind::Certificate,
    ConcernKind::Untrusted,
    ConcernKind::OutsidePaths,
    ConcernKind::Stray,
    ConcernKind::Unreadable,
];

static FOUND: Mutex<Concerned> = Mutex::new(Concerned { counts: BTreeMap::new(), first: Vec::new() });

/// What was found, in no more room than it takes to say so.
#[derive(Default)]
pub(crate) struct Concerned {
    /// By kind, and by whether they are due.
    counts: BTreeMap<(ConcernKind, bool), u64>,
    /// The first to expire.
    first: Vec<Concern>,
}

impl Concerned {
    pub(crate) fn add(&mut self, concerns: Vec<Concern>) {
        for concern in &concerns {
            *self.counts.entry((concern.kind, concern.is_due)).or_default() += 1;
        }
        self.first.extend(concerns.into_iter().filter(|concern| concern.expires.is_some()));
        self.first.sort_by_key(|concern| concern.expires);
        self.first.truncate(MOST);
    }
}

pub(super) fn set(concerned: Concerned) {
    *FOUND.lock() = concerned;
}

pub(super) fn render(names: Names) -> String {
    text_of(&FOUND.lock(), names)
}

fn text_of(found: &Concerned, names: Names) -> String {
    let mut text = String::from("# TYPE tufstore_concerns gauge\n");
    for kind in KINDS {
        for (due, word) in [(true, "now"), (false, "soon")] {
            let count = found.counts.get(&(kind, due)).copied().unwrap_or(0);
            line(
                &mut text,
                format_args!("tufstore_concerns{{kind=\"{}\",when=\"{word}\"}} {count}", kind.as_str()),
            );
        }
    }
    text.push_str("\n# TYPE tufstore_expires_timestamp_seconds gauge\n");
    match names {
        Names::Shown => found.first.iter().for_each(|concern| named(&mut text, concern)),
        Names::Hidden => {
            // The first to expire of each kind is the first in the list.
            for kind in KINDS {
                let first = found.first.iter().find(|concern| concern.kind == kind);
                if let Some(expires) = first.and_then(|concern| concern.expires) {
                    let (kind, seconds) = (kind.as_str(), expires.seconds());
                    line(
                        &mut text,
                        format_args!("tufstore_expires_timestamp_seconds{{kind=\"{kind}\"}} {seconds}"),
                    );
                }
            }
        }
    }
    text.push('\n');
    text
}

fn named(text: &mut String, concern: &Concern) {
    // A role holds nothing that would have to be escaped; a name may.
    let repository = concern.repository.as_str().replace('\\', "\\\\").replace('"', "\\\"");
    let role = concern.role.as_ref().map_or("", RoleName::as_str);
    let (kind, seconds) = (concern.kind.as_str(), concern.expires.map_or(0, UnixTime::seconds));
    line(
        text,
        format_args!(
            "tufstore_expires_timestamp_seconds{{repository=\"{repository}\",role=\"{role}\",kind=\"{kind}\"}} {seconds}"
        ),
    );
}

fn line(text: &mut String, line: std::fmt::Arguments<'_>) {
    // A text cannot fail to grow.
    let written = writeln!(text, "{line}");
    debug_assert!(written.is_ok());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn concern(repository: &str, kind: ConcernKind, expires: i64) -> Concern {
        Concern {
            repository: repository.parse().unwrap(),
            role: Some("targets/alice".parse().unwrap()),
            kind,
            expires: Some(UnixTime::from_seconds(expires)),
            is_due: false,
            text: String::new(),
        }
    }

    fn series(names: Names) -> Vec<String> {
        let mut found = Concerned::default();
        found.add(vec![
            concern("b\"\\", ConcernKind::File, 7),
            concern("a", ConcernKind::File, 5),
            concern("a", ConcernKind::Certificate, 9),
        ]);
        let text = text_of(&found, names);
        let series = text.lines().filter_map(|line| line.strip_prefix("tufstore_expires_timestamp_seconds"));
        series.map(str::to_owned).collect()
    }

    #[test]
    fn each_of_the_first_to_expire_is_named_and_names_are_quoted() {
        let role = "role=\"targets/alice\"";
        let expected = [
            format!("{{repository=\"a\",{role},kind=\"file\"}} 5"),
            format!("{{repository=\"b\\\"\\\\\",{role},kind=\"file\"}} 7"),
            format!("{{repository=\"a\",{role},kind=\"certificate\"}} 9"),
        ];
        assert_eq!(series(Names::Shown), expected);
    }

    #[test]
    fn where_tokens_are_needed_the_first_of_each_kind_stands_for_all_and_is_not_named() {
        assert_eq!(series(Names::Hidden), ["{kind=\"file\"} 5", "{kind=\"certificate\"} 9"]);
    }
}
