//! Lookups equal a naive resolution of the files that are served: Docker's walk, written down once more over plain JSON
//! (protocol of Notary v1, which roles docker uses, walk used for lookups).

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};
use tufstore::crypto::sha512;
use tufstore::storage::device::MemoryDevice;
use tufstore::terms::{RoleName, Sha256};
use tufstore::{Lookup, Options, SignedIn, Store, Upload, View};
use tufstore_testkit::{Forge, ForgedFile, ForgedKey, ForgedSigners, NOW, SeededOnlineKeys, digest};

use crate::config;

const REPOSITORY: &str = "example.com/tree";
const NAMES: [&str; 3] = ["releases", "a", "b"];
const TAGS: [&str; 6] = ["v1", "v1.0", "v2", "w", "w/x", "x"];
const PATHS: [&str; 6] = ["v", "v1", "v1.", "w", "w/", "x"];
const DEPTH: u32 = 3;

/// What a role's file says, and what is uploaded with it.
#[derive(Clone, Debug)]
struct Plan {
    tags: Vec<(&'static str, Content)>,
    below: Vec<Below>,
}

#[derive(Clone, Copy, Debug)]
enum Content {
    Sha256(u8),
    /// Without SHA-256 there is nothing to pull by.
    Sha512,
}

/// A delegation, in the order of its priority.
#[derive(Clone, Debug)]
struct Below {
    name: &'static str,
    /// Which of two keys.
    key: bool,
    paths: Vec<&'static str>,
    /// Without one it keeps the file that it has.
    file: Option<Plan>,
}

fn plan(depth: u32) -> BoxedStrategy<Plan> {
    let content = prop_oneof![9 => (0u8..4).prop_map(Content::Sha256), 1 => Just(Content::Sha512)];
    let tags = vec((select(TAGS.as_slice()), content), 0..4);
    let Some(deeper) = depth.checked_sub(1) else {
        return tags.prop_map(|tags| Plan { tags, below: Vec::new() }).boxed();
    };
    let paths = prop_oneof![3 => Just(vec![""]), 2 => vec(select(PATHS.as_slice()), 0..3)];
    let key = proptest::bool::weighted(0.2);
    let below = (select(NAMES.as_slice()), key, paths, option::weighted(0.8, plan(deeper)))
        .prop_map(|(name, key, paths, file)| Below { name, key, paths, file });
    (tags, vec(below, 0..4))
        .prop_map(|(tags, mut below)| {
            let mut seen = BTreeSet::new();
            below.retain(|below| seen.insert(below.name));
            Plan { tags, below }
        })
        .boxed()
}

/// Files by role: those of `targets` and below.
type Files = BTreeMap<String, Arc<[u8]>>;

fn delegation_key(role: &str, key: bool) -> ForgedKey {
    ForgedKey::seeded(&format!("{role} {key}"))
}

/// Writes the files of a plan, of `role` and below.
fn write(plan: &Plan, role: &str, version: u64, signer: &ForgedKey, files: &mut Files) {
    let target = |content: &Content| match content {
        Content::Sha256(number) => {
            let sha256 = digest(&number.to_string());
            json!({"hashes": {"sha256": STANDARD.encode(sha256.as_bytes())}, "length": 10 + number})
        }
        Content::Sha512 => {
            json!({"hashes": {"sha512": STANDARD.encode(sha512(b"x").as_bytes())}, "length": 1})
        }
    };
    let targets: Value =
        plan.tags.iter().map(|(tag, content)| ((*tag).to_owned(), target(content))).collect();
    let mut file = ForgedFile::targets(version, &[]).with("targets", targets);
    for below in &plan.below {
        let name = format!("{role}/{}", below.name);
        let key = delegation_key(&name, below.key);
        if let Some(plan) = &below.file {
            write(plan, &name, version, &key, files);
        }
        file = file.delegating(&name, &ForgedSigners::one(key), &below.paths);
    }
    files.insert(role.to_owned(), file.signed_by([signer]).bytes());
}

fn json(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).unwrap()
}

/// The delegations of a file as they stand in it.
fn delegations(file: &Value) -> impl Iterator<Item = &Value> {
    file.pointer("/signed/delegations/roles").and_then(Value::as_array).into_iter().flatten()
}

fn texts<'v>(value: &'v Value, member: &str) -> impl Iterator<Item = &'v str> {
    value.get(member).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str)
}

/// What must be served after `uploaded` came to what was there `before`: of each role in the tree its newest file, and
/// nothing of a role that is not in the tree any more.
fn carried(uploaded: &Files, before: &Files) -> Files {
    let mut files = Files::new();
    let mut waiting = vec!["targets".to_owned()];
    while let Some(role) = waiting.pop() {
        let Some(bytes) = uploaded.get(&role).or_else(|| before.get(&role)) else { continue };
        waiting.extend(
            delegations(&json(bytes)).filter_map(|below| below.get("name")?.as_str().map(str::to_owned)),
        );
        files.insert(role, Arc::clone(bytes));
    }
    files
}

/// Where the walk from `start` with the role `skipped` first meets `tag`: the role, and the target as it stands there.
fn walk(view: &View, start: &str, skipped: &str, tag: &str) -> Option<(String, Value)> {
    let mut waiting = VecDeque::from([("targets".to_owned(), vec![String::new()], None::<Value>)]);
    while let Some((role, paths, delegation)) = waiting.pop_front() {
        let Some(document) = view.document(&role.parse().unwrap()) else { continue };
        let file = json(document.bytes());
        // All signatures here are true, so it is believed if it is signed by a key that the role above lists.
        let believed = delegation.is_none_or(|delegation| {
            let signers =
                file["signatures"].as_array().unwrap().iter().map(|signature| signature["keyid"].as_str());
            signers.flatten().any(|signer| texts(&delegation, "keyids").any(|key| key == signer))
        });
        if !believed {
            continue;
        }
        let on_the_way = start.starts_with(&format!("{role}/"));
        if !on_the_way {
            let inside = role == start || role.starts_with(&format!("{start}/"));
            if !inside || role == skipped || !paths.iter().any(|path| tag.starts_with(path)) {
                continue;
            }
            if let Some(target) = file["signed"]["targets"].get(tag) {
                return Some((role, target.clone()));
            }
        }
        for below in delegations(&file) {
            let inside = |path: &&str| paths.iter().any(|above| path.starts_with(above));
            let narrowed = texts(below, "paths").filter(inside).map(str::to_owned).collect();
            waiting.push_back((below["name"].as_str().unwrap().to_owned(), narrowed, Some(below.clone())));
        }
    }
    None
}

/// Docker asks `targets/releases`, then `targets`, and takes no answer from any other role.
fn resolve(view: &View, tag: &str) -> Option<(Sha256, u64, SignedIn)> {
    const RELEASES: &str = "targets/releases";
    let (role, target) =
        walk(view, RELEASES, "targets", tag).or_else(|| walk(view, "targets", RELEASES, tag))?;
    let from = match role.as_str() {
        RELEASES => SignedIn::Releases,
        "targets" => SignedIn::Targets,
        _ => return None,
    };
    let sha256 = STANDARD.decode(target["hashes"]["sha256"].as_str()?).unwrap();
    Some((Sha256::new(sha256.try_into().unwrap()), target["length"].as_u64().unwrap(), from))
}

fn answered(lookup: Lookup) -> Option<(Sha256, u64, SignedIn)> {
    match lookup {
        Lookup::Found(found) => Some((found.target.sha256, found.target.length, found.target.from)),
        Lookup::NoSuchTag => None,
        other @ (Lookup::NoSuchRepository | Lookup::Expired { .. }) => panic!("{other:?}"),
    }
}

/// Everything that a view and its store answer is what the view's own files say.
fn agree(store: &Store, view: &View, files: &Files) -> Result<(), TestCaseError> {
    let served: Files = view
        .documents()
        .filter(|document| document.role().is_targets_or_delegation())
        .map(|document| (document.role().to_string(), Arc::clone(document.bytes())))
        .collect();
    prop_assert!(served == *files, "served: {:?}, expected: {:?}", served.keys(), files.keys());
    let mut tags = BTreeMap::new();
    for tag in TAGS {
        let expected = resolve(view, tag);
        prop_assert_eq!(answered(view.lookup(tag, NOW)), expected, "{} in the view", tag);
        prop_assert_eq!(
            answered(store.lookup(REPOSITORY, tag, NOW).unwrap()),
            expected,
            "{} in the store",
            tag
        );
        tags.extend(expected.map(|answer| (tag, answer)));
    }
    let listed = view.tags().map(|(tag, target)| (tag, (target.sha256, target.length, target.from)));
    prop_assert_eq!(listed.collect::<BTreeMap<_, _>>(), tags);
    Ok(())
}

/// How a tree gets into the store.
#[derive(Clone, Copy, Debug)]
enum Door {
    Publish,
    Mirror,
}

fn every_tree_resolves(door: Door, plans: &[Plan]) -> Result<(), TestCaseError> {
    let device = MemoryDevice::new();
    let options = Options::default().with_online_keys(SeededOnlineKeys::new("lookups"));
    let open = || Store::open_on(Arc::new(device.clone()), options.clone()).unwrap();
    let mut store = open();
    let forge = match door {
        Door::Publish => Forge::for_store(REPOSITORY, &store),
        Door::Mirror => Forge::new(REPOSITORY),
    };
    let mut files = Files::new();
    for (plan, version) in plans.iter().zip(1..) {
        let mut uploaded = Files::new();
        write(plan, "targets", version, &forge.targets.keys[0], &mut uploaded);
        files = carried(&uploaded, &files);
        match door {
            Door::Publish => {
                let root = forge
                    .roots
                    .first()
                    .filter(|_| version == 1)
                    .map(|root| ("root".to_owned(), Arc::clone(root)));
                let upload = root.into_iter().chain(uploaded).fold(Upload::new(), |upload, (role, bytes)| {
                    upload.with(role.parse::<RoleName>().unwrap(), bytes)
                });
                store.publish(&forge.repository, &upload, NOW).unwrap();
            }
            Door::Mirror => {
                let below = files.iter().filter(|(role, _)| *role != "targets");
                let below: Vec<_> = below.map(|(role, bytes)| (role.as_str(), Arc::clone(bytes))).collect();
                let parts = forge.parts_of(version, Arc::clone(&files["targets"]), &below);
                store.mirror(&forge.repository, &parts.set(), NOW).unwrap();
            }
        }
        let view = store.view(&forge.repository).unwrap().unwrap();
        agree(&store, &view, &files)?;
        store.close().unwrap();
        store = open();
        // The first question finds it cold.
        prop_assert_eq!(answered(store.lookup(REPOSITORY, TAGS[0], NOW).unwrap()), resolve(&view, TAGS[0]));
        agree(&store, &store.view(&forge.repository).unwrap().unwrap(), &files)?;
        agree(&store, &view, &files)?;
    }
    Ok(())
}

proptest! {
    #![proptest_config(config(1))]

    #[test]
    fn published_trees_resolve_as_dockers_walk_over_their_files(plans in vec(plan(DEPTH), 1..4)) {
        every_tree_resolves(Door::Publish, &plans)?;
    }

    #[test]
    fn mirrored_trees_resolve_as_dockers_walk_over_their_files(plans in vec(plan(DEPTH), 1..4)) {
        every_tree_resolves(Door::Mirror, &plans)?;
    }
}
