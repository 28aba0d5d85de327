//! What expires soon, as text.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use parking_lot::Mutex;

use tufstore::terms::{RoleName, UnixTime};

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

pub(super) fn render() -> String {
    let found = FOUND.lock();
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
    for Concern { repository, role, kind, expires, .. } in &found.first {
        let role = role.as_ref().map_or("", RoleName::as_str);
        // Neither a name nor a role holds what would have to be escaped.
        let (kind, seconds) = (kind.as_str(), expires.map_or(0, UnixTime::seconds));
        line(
            &mut text,
            format_args!(
                "tufstore_expires_timestamp_seconds{{repository=\"{repository}\",role=\"{role}\",kind=\"{kind}\"}} {seconds}"
            ),
        );
    }
    text.push('\n');
    text
}

fn line(text: &mut String, line: std::fmt::Arguments<'_>) {
    // A text cannot fail to grow.
    let written = writeln!(text, "{line}");
    debug_assert!(written.is_ok());
}
