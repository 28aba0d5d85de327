//! Which module may name which. See `docs/design.md`, "Layers".
//!
//! Reads the sources: every identifier that follows `crate::`, in code and in doc links alike, has to stand in the table. That needs one
//! `use crate::module::…` a module, so `use crate::{…}` is refused.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// From the bottom up: each module, and what it may name beside itself.
const MAY_USE: &[(&str, &[&str])] = &[
    ("sync", &[]),
    ("terms", &[]),
    ("crypto", &["terms"]),
    ("metadata", &["crypto", "terms"]),
    ("trust", &["metadata", "crypto", "terms"]),
    // Bytes, never meaning: it meets neither `trust` nor `metadata`. Of `crypto` it may use the digests only, see below.
    ("storage", &["crypto", "terms"]),
    ("catalog", &["trust", "metadata", "crypto", "terms"]),
    ("recover", &["storage", "catalog", "trust", "metadata", "crypto", "terms"]),
    // The flows never name each other.
    ("publish", &["recover", "storage", "catalog", "trust", "metadata", "crypto", "terms"]),
    ("view", &["recover", "storage", "catalog", "trust", "metadata", "crypto", "terms"]),
    ("feed", &["recover", "storage", "catalog", "trust", "metadata", "crypto", "terms"]),
    ("maintain", &["recover", "storage", "catalog", "trust", "metadata", "crypto", "terms"]),
    (
        "store",
        &[
            "publish", "view", "feed", "maintain", "recover", "storage", "catalog", "trust", "metadata",
            "crypto", "terms",
        ],
    ),
    // Doors for fuzz targets and benchmarks, there only when those are built.
    ("measuring", &["storage", "terms"]),
    ("fuzzing", &["store", "recover", "storage", "metadata", "crypto", "terms"]),
];

/// Locks and atomics, exchanged for the model checker's when it runs.
const EVERYONES: &str = "sync";

/// What `storage` may name of `crypto`: no key, no signature. Sealed keys are bytes that it keeps.
const CRYPTO_FOR_STORAGE: &[&str] = &["sha256", "sha512", "SealedKey"];

/// What each package under `crates` may build upon; the engine itself upon none of ours.
const MAY_DEPEND_ON: &[(&str, &[&str])] = &[
    (".", &[]),
    ("crates/keys", &["tufstore"]),
    ("crates/client", &["tufstore", "tufstore-keys"]),
    ("crates/server", &["tufstore", "tufstore-keys"]),
    ("crates/testkit", &["tufstore", "tufstore-keys", "tufstore-client"]),
    ("crates/cli", &["tufstore", "tufstore-keys", "tufstore-client", "tufstore-server", "tufstore-testkit"]),
];

#[test]
fn no_module_reaches_outside_its_layer() {
    let mut violations = Vec::new();
    for (module, files) in modules() {
        for file in files {
            violations.extend(violations_in(&file.display().to_string(), &module, &read(&file)));
        }
    }
    assert!(violations.is_empty(), "see docs/design.md, \"Layers\":\n{}", violations.join("\n"));
}

#[test]
fn every_module_stands_in_the_table() {
    let known: BTreeSet<&str> = MAY_USE.iter().map(|(module, _)| *module).collect();
    for (module, files) in modules() {
        assert!(
            known.contains(module.as_str()),
            "{module} ({}) is missing from the table",
            files[0].display()
        );
    }
    for (module, allowed) in MAY_USE {
        for used in *allowed {
            assert!(known.contains(used), "{module} may use {used}, which is no module");
        }
    }
}

#[test]
fn the_table_has_no_circle() {
    let mut above = BTreeSet::new();
    for (module, allowed) in MAY_USE {
        let missing: Vec<_> = allowed.iter().filter(|used| !above.contains(*used)).collect();
        assert!(missing.is_empty(), "{module} may use {missing:?}, which stand below it in the table");
        above.insert(module);
    }
}

#[test]
fn no_package_depends_on_one_beside_or_above_it() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let packages = entries(&root.join("crates"));
    for folder in packages.iter().map(PathBuf::as_path).chain([root]) {
        let name = folder.strip_prefix(root).unwrap().to_str().unwrap();
        let name = if name.is_empty() { "." } else { name };
        let allowed = MAY_DEPEND_ON.iter().find(|(known, _)| *known == name);
        let (_, allowed) = allowed.unwrap_or_else(|| panic!("{name} is missing from the table"));
        for used in ours_in(&read(&folder.join("Cargo.toml"))) {
            assert!(allowed.contains(&used.as_str()), "{name} may not depend on {used}");
        }
    }
}

#[test]
fn the_checker_reads_dependencies_and_not_those_of_tests() {
    let manifest = "[package]\nname = \"tufstore-x\"\n[dependencies]\ntufstore = { workspace = true }\nserde = \"1\"\n\
                    [target.'cfg(unix)'.dependencies]\ntufstore-keys.workspace = true\n\
                    [dev-dependencies]\ntufstore-testkit = { workspace = true }\n\
                    [workspace.dependencies]\ntufstore-cli = { path = \"x\" }\n";
    assert_eq!(ours_in(manifest), ["tufstore", "tufstore-keys"]);
}

#[test]
fn the_checker_sees_names_in_code_and_in_doc_links() {
    let found = |source: &str| violations_in("f.rs", "trust", source).len();
    assert_eq!(found("use crate::terms::Version;\nuse crate::metadata::Parsed;\nuse crate::sync::Mutex;"), 0);
    assert_eq!(found("use crate::trust::Threshold;\nuse super::x;\nuse std::crates::storage;"), 0);
    assert_eq!(found("use crate::storage::Record;"), 1);
    assert_eq!(found("pub(in crate::storage) fn f() { crate::store::g() }"), 2);
    assert_eq!(found("/// As [`crate::storage::Record`] has it."), 1);
    assert_eq!(found("use\n    crate ::\n storage\n::Record;"), 1, "spaces do not hide a name");
    assert_eq!(found("let x = crate::metadata::a; let y = crate::feed::b;"), 1);
}

#[test]
fn the_checker_refuses_imports_that_hide_what_they_name() {
    for hidden in ["use crate::{terms::Version, storage::Record};", "use crate::*;", "use crate as engine;"] {
        assert_eq!(violations_in("f.rs", "trust", hidden).len(), 1, "{hidden}");
    }
}

#[test]
fn the_checker_holds_storage_to_digests() {
    let found = |source: &str| violations_in("f.rs", "storage", source).len();
    assert_eq!(found("use crate::crypto::sha256;"), 0);
    assert_eq!(found("use crate::crypto::{SealedKey, sha256};"), 0);
    assert_eq!(found("use crate::crypto::PublicKey;"), 1);
    assert_eq!(found("use crate::crypto::{sha256, SignatureMethod};"), 1);
    assert_eq!(found("use crate::crypto::*;"), 1);
}

/// What `module`'s source names and may not.
fn violations_in(file: &str, module: &str, source: &str) -> Vec<String> {
    let allowed = MAY_USE.iter().find(|(known, _)| *known == module).map_or(&[][..], |(_, allowed)| allowed);
    let mut violations = Vec::new();
    for (line, rest) in after_crate(source) {
        let Some(rest) = rest.strip_prefix("::").map(str::trim_start) else {
            if rest.starts_with("as ") {
                violations.push(format!("{file}:{line}: `crate` under another name"));
            }
            continue;
        };
        let name: String = rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
        if name.is_empty() {
            violations.push(format!("{file}:{line}: one `use crate::module::…` a module"));
        } else if name != module && name != EVERYONES && !allowed.contains(&name.as_str()) {
            violations.push(format!("{file}:{line}: {module} reaches {name}"));
        } else if module == "storage" && name == "crypto" {
            let of_crypto = rest[name.len()..].trim_start().trim_start_matches("::").trim_start();
            let names = of_crypto.strip_prefix('{').map_or_else(
                || {
                    of_crypto
                        .split(|c: char| !(c.is_alphanumeric() || c == '_' || c == '*'))
                        .take(1)
                        .collect()
                },
                |list| list.split('}').next().unwrap_or(list).split(',').map(str::trim).collect::<Vec<_>>(),
            );
            for name in names.into_iter().filter(|name| !name.is_empty()) {
                if !CRYPTO_FOR_STORAGE.contains(&name) {
                    violations.push(format!(
                        "{file}:{line}: storage uses crypto::{name}, and may use digests only"
                    ));
                }
            }
        }
    }
    violations
}

/// Our own packages among what a manifest's package needs in order to be built.
fn ours_in(manifest: &str) -> Vec<String> {
    let mut inside = false;
    let mut ours = Vec::new();
    for line in manifest.lines().map(str::trim) {
        if let Some(section) = line.strip_prefix('[') {
            let section = section.trim_end_matches(']');
            let of_target = section.starts_with("target.") && section.ends_with(".dependencies");
            inside = section == "dependencies" || section == "build-dependencies" || of_target;
        } else if inside && line.starts_with("tufstore") {
            ours.push(line.chars().take_while(|c| c.is_alphanumeric() || matches!(c, '-' | '_')).collect());
        }
    }
    ours
}

/// Each place where the word `crate` stands, as line number and the text after it, blanks skipped.
fn after_crate(source: &str) -> impl Iterator<Item = (usize, &str)> {
    let word = |c: char| c.is_alphanumeric() || c == '_';
    source.match_indices("crate").filter_map(move |(at, found)| {
        let (before, after) = (&source[..at], &source[at + found.len()..]);
        let whole = !before.ends_with(word) && !after.starts_with(word);
        whole.then(|| (before.matches('\n').count() + 1, after.trim_start()))
    })
}

/// The top-level modules of the engine as they lie on the disk, with their files.
fn modules() -> Vec<(String, Vec<PathBuf>)> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut modules: BTreeMap<String, Vec<PathBuf>> = BTreeMap::new();
    for entry in entries(&source) {
        let name = entry.file_stem().unwrap().to_str().unwrap().to_owned();
        if name == "lib" {
            continue;
        }
        let files = rust_files(&entry);
        if !files.is_empty() {
            modules.entry(name).or_default().extend(files);
        }
    }
    assert!(!modules.is_empty(), "no sources in {}", source.display());
    modules.into_iter().collect()
}

fn rust_files(path: &Path) -> Vec<PathBuf> {
    if path.is_dir() {
        return entries(path).iter().flat_map(|entry| rust_files(entry)).collect();
    }
    let rust = path.extension().is_some_and(|extension| extension == "rs");
    rust.then(|| path.to_owned()).into_iter().collect()
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let mut entries: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    entries
}

fn read(file: &Path) -> String {
    fs::read_to_string(file).unwrap()
}
