use serde_json::{Value, json};

use super::*;

/// Writes files that look like metadata; nothing here checks a signature.
struct Files {
    folder: tempfile::TempDir,
}

impl Files {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    fn write(&self, name: &str, signed: &Value) -> Sha256 {
        self.write_bytes(name, json!({ "signed": signed, "signatures": [] }).to_string().as_bytes())
    }

    #[expect(clippy::disallowed_methods, reason = "files that a user would have")]
    fn write_bytes(&self, name: &str, bytes: &[u8]) -> Sha256 {
        let path = self.folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
        sha256(bytes)
    }

    fn root(&self, version: u64) -> Sha256 {
        self.write(&format!("{version}.root.json"), &json!({ "_type": "Root", "version": version }))
    }

    fn targets(&self, name: &str, version: u64, delegations: &[&str]) -> Sha256 {
        let roles: Vec<_> = delegations.iter().map(|name| json!({ "name": name })).collect();
        let signed =
            json!({ "_type": "Targets", "version": version, "delegations": { "roles": roles }, "of": name });
        self.write(&format!("{name}.{version}.json"), &signed)
    }

    fn snapshot(&self, version: u64, names: &[(&str, Sha256)]) -> Sha256 {
        let meta: BTreeMap<_, _> = names.iter().map(|(role, digest)| (role, hashes(*digest))).collect();
        let signed = json!({ "_type": "Snapshot", "version": version, "meta": meta });
        self.write(&format!("snapshot.{version}.json"), &signed)
    }

    fn timestamp(&self, version: u64, snapshot: Sha256) -> Sha256 {
        let meta = json!({ "snapshot": hashes(snapshot) });
        let signed = json!({ "_type": "Timestamp", "version": version, "meta": meta });
        self.write(&format!("timestamp.{version}.json"), &signed)
    }

    fn read(&self) -> Folder {
        Folder::read(self.folder.path()).unwrap()
    }
}

fn hashes(digest: Sha256) -> Value {
    json!({ "hashes": { "sha256": STANDARD.encode(digest.as_bytes()), "sha512": "unread" }, "length": 1 })
}

fn sets(folder: &Folder) -> Vec<Result<CompleteSet, Incomplete>> {
    folder.timestamps().map(|timestamp| folder.set(&timestamp)).collect()
}

#[test]
fn sets_are_found_by_digest_and_come_in_order_of_version() {
    let files = Files::new();
    let (root, old, new) =
        (files.root(1), files.targets("targets", 2, &[]), files.targets("targets", 3, &[]));
    let second = files.snapshot(2, &[("root", root), ("targets", new)]);
    let first = files.snapshot(1, &[("root", root), ("targets", old)]);
    // Ten comes after two, which names in order of their letters would not say.
    let (tenth, second) = (files.timestamp(10, second), files.timestamp(2, first));
    let folder = files.read();
    assert!(folder.strangers.is_empty());
    let order: Vec<_> = folder.timestamps().map(|timestamp| timestamp.sha256).collect();
    assert_eq!(order, [second, tenth]);
    let found: Vec<_> = sets(&folder).into_iter().map(|set| sha256(&set.unwrap().targets)).collect();
    assert_eq!(found, [old, new]);
}

#[test]
fn the_root_chain_ends_at_the_named_root_and_begins_after_a_gap() {
    let files = Files::new();
    let roots: Vec<_> = [1, 3, 4, 5].into_iter().map(|version| files.root(version)).collect();
    let targets = files.targets("targets", 1, &[]);
    let snapshot = files.snapshot(1, &[("root", roots[2]), ("targets", targets)]);
    files.timestamp(1, snapshot);
    let set = sets(&files.read()).remove(0).unwrap();
    let chain: Vec<_> = set.roots.iter().map(|root| sha256(root)).collect();
    assert_eq!(chain, roots[1..3]);
}

#[test]
fn two_roots_of_one_version_end_the_chain() {
    let files = Files::new();
    let (first, second) = (files.root(1), files.root(2));
    files.write("another.json", &json!({ "_type": "Root", "version": 1, "other": true }));
    let targets = files.targets("targets", 1, &[]);
    let snapshot = files.snapshot(1, &[("root", second), ("targets", targets)]);
    files.timestamp(1, snapshot);
    let set = sets(&files.read()).remove(0).unwrap();
    assert_eq!(set.roots.len(), 1);
    assert_ne!(sha256(&set.roots[0]), first);
}

#[test]
fn delegations_are_followed_down_and_strays_are_left_out() {
    let files = Files::new();
    let root = files.root(1);
    let targets = files.targets("targets", 1, &["targets/a", "targets/never-signed"]);
    let a = files.targets("a", 1, &["targets/a/b", "targets/a"]);
    let b = files.targets("b", 1, &[]);
    let stray = files.targets("stray", 1, &[]);
    let names = [
        ("root", root),
        ("targets", targets),
        ("targets/a", a),
        ("targets/a/b", b),
        ("targets/stray", stray),
    ];
    files.timestamp(1, files.snapshot(1, &names));
    let set = sets(&files.read()).remove(0).unwrap();
    let roles: Vec<_> = set.delegations.keys().map(RoleName::as_str).collect();
    assert_eq!(roles, ["targets/a", "targets/a/b"]);
}

#[test]
fn what_is_missing_is_named() {
    let files = Files::new();
    let (root, targets) = (files.root(1), files.targets("targets", 1, &["targets/a"]));
    let nowhere = Sha256::new([7; 32]);
    files.timestamp(1, nowhere);
    files.timestamp(2, files.snapshot(2, &[("root", nowhere), ("targets", targets)]));
    files.timestamp(3, files.snapshot(3, &[("root", root), ("targets", nowhere)]));
    files.timestamp(4, files.snapshot(4, &[("root", root), ("targets", targets), ("targets/a", nowhere)]));
    files.timestamp(5, files.snapshot(5, &[("root", root)]));
    let missing: Vec<_> = sets(&files.read())
        .into_iter()
        .map(|set| match set.unwrap_err() {
            Incomplete::Missing { role, sha256 } => {
                assert_eq!(sha256, nowhere);
                role
            }
            Incomplete::NotNamed { role } => format!("not named: {role}"),
            Incomplete::Changed { .. } => panic!("nothing changes here"),
        })
        .collect();
    assert_eq!(missing, ["snapshot", "root", "targets", "targets/a", "not named: targets"]);
}

#[test]
fn other_files_are_told_of_and_do_no_harm() {
    let files = Files::new();
    files.write_bytes("deep/er/notes.txt", b"no JSON");
    files.write_bytes("empty", b"");
    files.write_bytes("deep-json", "[".repeat(100_000).as_bytes());
    files.write("tuf-1.0.json", &json!({ "_type": "root", "version": 1 }));
    files.write("zero.json", &json!({ "_type": "Root", "version": 0 }));
    files.write("negative.json", &json!({ "_type": "Root", "version": -1 }));
    files.write("timestamp.json", &json!({ "_type": "Timestamp", "version": 1, "meta": {} }));
    let folder = files.read();
    let strange = |name: &str| {
        folder.strangers.iter().find(|(path, _)| path.ends_with(name)).map(|(_, strange)| *strange).unwrap()
    };
    assert_eq!(folder.strangers.len(), 7);
    assert_eq!(strange("notes.txt"), Strange::NotMetadata);
    assert_eq!(strange("empty"), Strange::NotMetadata);
    assert_eq!(strange("deep-json"), Strange::NotMetadata);
    assert_eq!(strange("tuf-1.0.json"), Strange::OtherType);
    assert_eq!(strange("zero.json"), Strange::NoVersion);
    assert_eq!(strange("negative.json"), Strange::NotMetadata);
    assert_eq!(strange("timestamp.json"), Strange::NamesNothing);
    assert_eq!(folder.timestamps().count(), 0);
}

#[test]
fn a_file_that_changes_meanwhile_is_noticed() {
    let files = Files::new();
    let (root, targets) = (files.root(1), files.targets("targets", 1, &[]));
    files.timestamp(1, files.snapshot(1, &[("root", root), ("targets", targets)]));
    let folder = files.read();
    files.write_bytes("1.root.json", b"something else");
    assert!(matches!(sets(&folder).remove(0), Err(Incomplete::Changed { .. })));
}
