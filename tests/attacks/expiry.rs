//! Past its time: what is uploaded must be fresh; what is mirrored or carried along is warned of, and lookups say so.

use core::time::Duration;

use serde_json::json;
use tufstore::terms::UnixTime;
use tufstore::{Lookup, ParseError, TrustError, Upload, Warning};
use tufstore_testkit::{CompleteParts, Forge, ForgedFile, ForgedKey, ForgedSigners, NOW, digest};

use crate::twins::{REPOSITORY, Refusal, Twins, role, upload};

const DAY: Duration = Duration::from_hours(24);

fn a_second_ago() -> UnixTime {
    UnixTime::from_seconds(NOW.seconds() - 1)
}

#[track_caller]
fn is_expired(refusal: &Refusal, name: &str) {
    let rule = TrustError::Expired { expires: a_second_ago(), now: NOW };
    refusal.is_untrusted(name, rule, "expired at 2027-01-15T07:59:59Z, and it is 2027-01-15T08:00:00Z");
}

/// The first publication of every role that an author can sign, each until a time of its own.
fn until(forge: &Forge, [root, targets, delegation, snapshot]: [UnixTime; 4]) -> Upload {
    let releases = ForgedSigners::one(ForgedKey::seeded("releases"));
    let tags = [("3.22", digest("a manifest"))];
    let root = forge.root(1).expiring(root).bytes();
    let file = ForgedFile::targets(1, &tags).expiring(delegation).signed_by(&releases.keys).bytes();
    let delegating = forge.targets(1, &[]).delegating("targets/releases", &releases, &[""]);
    let targets = delegating.expiring(targets).bytes();
    let names = [("root", &*root), ("targets", &*targets), ("targets/releases", &*file)];
    let snapshot = forge.snapshot(1, &names).expiring(snapshot).bytes();
    upload([("root", root), ("targets", targets), ("targets/releases", file), ("snapshot", snapshot)])
}

/// All are valid until now, but for one that was until a second ago.
#[track_caller]
fn is_refused_once_expired(name: &str, at: usize) {
    let twins = Twins::new();
    let forge = twins.forge_with_snapshot_key();
    let mut times = [NOW; 4];
    let right = until(&forge, times);
    times[at] = a_second_ago();
    is_expired(&twins.publish(&right, &until(&forge, times)), name);
}

#[test]
fn an_expired_root_is_refused() {
    is_refused_once_expired("root", 0);
}

#[test]
fn expired_targets_are_refused() {
    is_refused_once_expired("targets", 1);
}

#[test]
fn an_expired_delegation_is_refused() {
    is_refused_once_expired("targets/releases", 2);
}

#[test]
fn an_expired_snapshot_is_refused() {
    is_refused_once_expired("snapshot", 3);
}

#[test]
fn what_expires_at_this_very_second_is_still_valid_for_every_role() {
    let mut twins = Twins::in_folders();
    let forge = twins.forge_with_snapshot_key();
    let first = until(&forge, [NOW; 4]);
    assert_eq!(twins.accepted(&first).warnings, []);
    assert!(matches!(twins.lookup("3.22"), Lookup::Found(found) if found.fresh_until == NOW));
    twins.now = UnixTime::new(NOW.seconds(), 1);
    assert!(matches!(twins.lookup("3.22"), Lookup::Expired { since: NOW, .. }));
}

#[test]
fn an_expired_mirror_is_taken_with_a_warning_and_its_tags_answer_expired() {
    let forge = Forge::new(REPOSITORY);
    let tags = [("3.22", digest("a manifest"))];
    let with = |[targets, snapshot, timestamp]: [UnixTime; 3]| {
        let targets = forge.targets(1, &tags).expiring(targets).bytes();
        let names = [("root", &*forge.roots[0]), ("targets", &*targets)];
        let snapshot = forge.snapshot(1, &names).expiring(snapshot).bytes();
        let timestamp = forge.timestamp(1, &snapshot).expiring(timestamp).bytes();
        CompleteParts { timestamp, snapshot, targets, ..forge.parts(1, &[]) }.set()
    };
    let fresh = Twins::new();
    assert_eq!(fresh.accepted_mirror(&with([NOW; 3])).warnings, []);
    assert!(matches!(fresh.lookup("3.22"), Lookup::Found(_)));
    for (at, name) in ["targets", "snapshot", "timestamp"].into_iter().enumerate() {
        let twins = Twins::new();
        let (mut times, expires) = ([NOW; 3], a_second_ago());
        times[at] = expires;
        let receipt = twins.accepted_mirror(&with(times));
        assert_eq!(receipt.warnings, [Warning::Expired { role: role(name), expires }]);
        let said = format!("{name} expired at 2027-01-15T07:59:59Z: its signers must sign it anew");
        assert_eq!(receipt.warnings[0].to_string(), said);
        let answer = Lookup::Expired { role: role(name), since: expires };
        assert_eq!(twins.lookup("3.22"), answer);
        // Nor is a tag denied by what may be outdated.
        assert_eq!(twins.lookup("3.23"), answer);
    }
}

#[test]
fn a_lookup_after_the_timestamp_expired_says_so() {
    let mut twins = Twins::new();
    let forge = twins.forge();
    twins.accepted(&forge.first_upload(&[("3.22", digest("a manifest"))]));
    let end = NOW.after(DAY * 14);
    twins.now = end;
    assert!(matches!(twins.lookup("3.22"), Lookup::Found(_)));
    assert_eq!(twins.lookup("3.23"), Lookup::NoSuchTag);
    twins.now = end.after(Duration::from_secs(1));
    let expired = Lookup::Expired { role: role("timestamp"), since: end };
    assert_eq!([twins.lookup("3.22"), twins.lookup("3.23")], [expired.clone(), expired]);
    // A publication of nothing renews it.
    twins.accepted(&Upload::new());
    assert!(matches!(twins.lookup("3.22"), Lookup::Found(_)));
}

#[test]
fn an_expired_root_inside_a_chain_does_not_stop_it() {
    let chain = |second: UnixTime| {
        let mut forge = Forge::new(REPOSITORY);
        forge.roots =
            vec![forge.root(1).expiring(a_second_ago()).bytes(), forge.root(2).expiring(second).bytes()];
        forge.complete(1, &[("3.22", digest("a manifest"))])
    };
    let twins = Twins::new();
    assert_eq!(twins.accepted_mirror(&chain(NOW)).warnings, []);
    assert!(matches!(twins.lookup("3.22"), Lookup::Found(_)));
    let twins = Twins::new();
    let receipt = twins.accepted_mirror(&chain(a_second_ago()));
    assert_eq!(receipt.warnings, [Warning::Expired { role: role("root"), expires: a_second_ago() }]);
}

#[test]
fn a_root_that_expired_can_still_be_replaced() {
    let mut twins = Twins::new();
    let forge = twins.forge();
    let root = |version, expires: UnixTime| ("root", forge.root(version).expiring(expires).bytes());
    let targets = forge.targets(1, &[]).expiring(NOW.after(DAY * 9)).bytes();
    twins.both_publish(&upload([root(1, NOW), ("targets", targets)]));
    twins.now = NOW.after(DAY);
    let rule = TrustError::Expired { expires: NOW, now: twins.now };
    twins.publish(&upload([root(2, twins.now)]), &upload([root(2, NOW)])).is_untrusted(
        "root",
        rule,
        "expired at 2027-01-15T08:00:00Z, and it is 2027-01-16T08:00:00Z",
    );
}

#[test]
fn what_expired_since_it_was_published_is_warned_of_and_locks_nobody_out() {
    let mut twins = Twins::new();
    let forge = twins.forge();
    let releases = ForgedSigners::one(ForgedKey::seeded("releases"));
    let file = |version, expires| {
        let file = ForgedFile::targets(version, &[("3.22", digest("a manifest"))]);
        ("targets/releases", file.expiring(expires).signed_by(&releases.keys).bytes())
    };
    let targets = forge.targets(1, &[]).delegating("targets/releases", &releases, &[""]);
    let first = upload([("root", forge.roots[0].clone()), ("targets", targets.bytes()), file(1, NOW)]);
    assert_eq!(twins.accepted(&first).warnings, []);
    twins.now = NOW.after(DAY);
    let renewed = targets.with("version", json!(2)).bytes();
    let warning = Warning::Expired { role: role("targets/releases"), expires: NOW };
    assert_eq!(twins.accepted(&upload([("targets", renewed)])).warnings, [warning]);
    assert_eq!(twins.lookup("3.22"), Lookup::Expired { role: role("targets/releases"), since: NOW });
    assert_eq!(twins.accepted(&upload([file(2, twins.now)])).warnings, []);
    assert!(matches!(twins.lookup("3.22"), Lookup::Found(_)));
}

#[test]
fn an_expiry_that_is_no_date_is_refused() {
    let twins = Twins::new();
    let forge = twins.forge();
    twins.both_publish(&forge.first_upload(&[]));
    let file = forge.targets(2, &[]);
    let with = |value| upload([("targets", file.clone().with("expires", value).bytes())]);
    let texts = [
        "",
        "tomorrow",
        "2028-01-15",
        "2028-01-15 08:00:00Z",
        "2028-01-15T08:00:00",
        "2028-13-15T08:00:00Z",
        "2028-02-30T08:00:00Z",
        "1800000000",
    ];
    let right = upload([("targets", file.bytes())]);
    for refusal in twins.publish_each(&right, texts.map(|text| with(json!(text)))) {
        let why = "".parse::<UnixTime>().unwrap_err();
        let said = "its expiry cannot be read: not a date and time of RFC 3339";
        refusal.is_malformed("targets", ParseError::Expires(why), said);
    }
    let twins = Twins::new();
    twins.both_publish(&forge.first_upload(&[]));
    let [number, null] = twins.publish_each(&right, [with(json!(1_800_000_000)), with(json!(null))]);
    let reason = ParseError::WrongType { member: "expires", expected: "a string" };
    number.is_malformed("targets", reason, "expires is not a string");
    null.is_malformed("targets", ParseError::Missing { member: "expires" }, "expires is missing");
}
