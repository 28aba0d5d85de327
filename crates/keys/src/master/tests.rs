use std::fs;

use tempfile::TempDir;
use tufstore::crypto::{OnlineKeys as _, OnlineRole, OnlineScope, PublicKey};
use tufstore::terms::{Incarnation, RepositoryName};

use super::*;

const RIGHT: Opener<'_> = Opener::Passphrase(b"correct horse");
const WRONG: Opener<'_> = Opener::Passphrase(b"battery staple");

fn folder() -> (TempDir, PathBuf) {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("master");
    (folder, path)
}

/// Two master keys that hand out the same key are the same.
fn pending(file: &MasterKeyFile) -> PublicKey {
    let repository: RepositoryName = "a".parse().unwrap();
    let keys = file.online_keys(KeyAlgorithm::Ed25519).unwrap();
    keys.pending(OnlineScope::new(&repository, Incarnation::FIRST, OnlineRole::Timestamp, &[])).unwrap()
}

#[test]
fn a_passphrase_opens_what_it_sealed_and_another_one_does_not() {
    let (_folder, path) = folder();
    let made = MasterKeyFile::create(&path, RIGHT).unwrap();
    assert_eq!(MasterKeyFile::sealed_by(&path).unwrap(), SealedBy::Passphrase);
    assert_eq!(pending(&MasterKeyFile::open(&path, RIGHT).unwrap()), pending(&made));
    assert!(matches!(MasterKeyFile::open(&path, WRONG), Err(MasterKeyError::WrongOpener)));
    assert!(matches!(
        MasterKeyFile::open(&path, Opener::KeyFile(&path)),
        Err(MasterKeyError::OtherOpener { by: SealedBy::Passphrase })
    ));
    assert!(matches!(
        MasterKeyFile::open(&path, Opener::Passphrase(b"")),
        Err(MasterKeyError::EmptyPassphrase)
    ));
}

#[test]
fn a_key_file_opens_what_it_sealed_and_another_one_does_not() {
    let (folder, path) = folder();
    let [right, wrong] = ["right", "wrong"].map(|name| folder.path().join(name));
    for key in [&right, &wrong] {
        create_key_file(key).unwrap();
        assert!(matches!(create_key_file(key), Err(MasterKeyError::File(FileError::Exists { .. }))));
    }
    let made = MasterKeyFile::create(&path, Opener::KeyFile(&right)).unwrap();
    let opened = MasterKeyFile::open(&path, Opener::KeyFile(&right)).unwrap();
    assert_eq!(pending(&opened), pending(&made));
    assert!(matches!(MasterKeyFile::open(&path, Opener::KeyFile(&wrong)), Err(MasterKeyError::WrongOpener)));
    assert!(matches!(
        MasterKeyFile::open(&path, RIGHT),
        Err(MasterKeyError::OtherOpener { by: SealedBy::KeyFile })
    ));
}

#[test]
fn what_is_no_key_file_is_refused() {
    let (folder, path) = folder();
    let key = folder.path().join("key");
    assert!(matches!(
        MasterKeyFile::create(&path, Opener::KeyFile(&key)),
        Err(MasterKeyError::File(FileError::Io { .. }))
    ));
    create_key_file(&key).unwrap();
    let mut bytes = fs::read(&key).unwrap();
    bytes.pop();
    write(&key, &bytes);
    assert!(matches!(
        MasterKeyFile::create(&path, Opener::KeyFile(&key)),
        Err(MasterKeyError::NoKeyFile { .. })
    ));
    assert!(!path.exists());
}

#[cfg(unix)]
#[test]
fn secrets_are_for_their_owner_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let (folder, path) = folder();
    let key = folder.path().join("key");
    create_key_file(&key).unwrap();
    MasterKeyFile::create(&path, Opener::KeyFile(&key)).unwrap();
    for file in [&key, &path] {
        assert_eq!(fs::metadata(file).unwrap().permissions().mode() & 0o777, 0o600);
    }
    fs::set_permissions(&key, fs::Permissions::from_mode(0o640)).unwrap();
    assert!(matches!(MasterKeyFile::open(&path, Opener::KeyFile(&key)), Err(MasterKeyError::Exposed { .. })));
}

#[test]
fn a_new_passphrase_rewrites_that_file_alone() {
    let (folder, path) = folder();
    let made = MasterKeyFile::create(&path, RIGHT).unwrap();
    made.reseal(WRONG).unwrap();
    assert!(matches!(MasterKeyFile::open(&path, RIGHT), Err(MasterKeyError::WrongOpener)));
    assert_eq!(pending(&MasterKeyFile::open(&path, WRONG).unwrap()), pending(&made));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left beside it");
}

#[test]
fn a_master_key_is_never_written_over_by_a_new_one() {
    let (folder, path) = folder();
    let made = MasterKeyFile::create(&path, RIGHT).unwrap();
    assert!(matches!(
        MasterKeyFile::create(&path, RIGHT),
        Err(MasterKeyError::File(FileError::Exists { .. }))
    ));
    assert_eq!(pending(&MasterKeyFile::open(&path, RIGHT).unwrap()), pending(&made));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left beside it");
}

#[test]
fn damage_is_told_from_a_wrong_passphrase() {
    let (_folder, path) = folder();
    MasterKeyFile::create(&path, RIGHT).unwrap();
    let bytes = fs::read(&path).unwrap();
    for at in 0..bytes.len() {
        let mut damaged = bytes.clone();
        damaged[at] ^= 1;
        let error = format::opened(&damaged, RIGHT).err().unwrap();
        let expected = matches!(error, MasterKeyError::Damaged)
            || (at == 8 || at == 9) && matches!(error, MasterKeyError::NewerFormat { .. });
        assert!(expected, "byte {at}: {error}");
        assert!(matches!(format::opened(&bytes[..at], RIGHT), Err(MasterKeyError::Damaged)), "cut at {at}");
    }
}

#[test]
fn a_changed_header_does_not_open_although_its_checksum_was_made_anew() {
    let (_folder, path) = folder();
    MasterKeyFile::create(&path, RIGHT).unwrap();
    let bytes = fs::read(&path).unwrap();
    let content = bytes.len() - 32;
    let forge = |at: usize, value: u8| {
        let mut forged = bytes.clone();
        forged[at] = value;
        let checksum = tufstore::crypto::sha256(&forged[..content]);
        forged[content..].copy_from_slice(checksum.as_bytes());
        format::opened(&forged, RIGHT).err().unwrap()
    };
    assert!(matches!(forge(18, 2), MasterKeyError::WrongOpener), "fewer passes");
    assert!(matches!(forge(11, 255), MasterKeyError::Damaged), "more memory than there is");
    assert!(matches!(forge(10, 3), MasterKeyError::Damaged), "sealed in no known way");
}

#[test]
fn a_new_salt_gives_new_keys_and_recognises_the_old_until_they_are_forgotten() {
    let (_folder, path) = folder();
    let mut file = MasterKeyFile::create(&path, RIGHT).unwrap();
    let repository: RepositoryName = "a".parse().unwrap();
    let scope = OnlineScope::new(&repository, Incarnation::FIRST, OnlineRole::Timestamp, &[]);
    let signs = |file: &MasterKeyFile, key: &PublicKey| {
        let keys = file.online_keys(KeyAlgorithm::Ed25519).unwrap();
        !keys.sign(scope, &[crate::notary_key_id(key)], b"message").unwrap().is_empty()
    };
    let old = pending(&file);
    assert!(matches!(file.start_new_salt(WRONG), Err(MasterKeyError::WrongOpener)));
    assert_eq!(pending(&file), old);

    file.start_new_salt(RIGHT).unwrap();
    let new = pending(&file);
    assert_ne!(new, old);
    let mut file = MasterKeyFile::open(&path, RIGHT).unwrap();
    assert_eq!(pending(&file), new);
    assert!(signs(&file, &old) && signs(&file, &new));

    file.forget_former_salts(RIGHT).unwrap();
    let file = MasterKeyFile::open(&path, RIGHT).unwrap();
    assert!(signs(&file, &new));
    assert!(!signs(&file, &old));
}

#[test]
fn debug_output_shows_no_secret() {
    let (_folder, path) = folder();
    let file = MasterKeyFile::create(&path, RIGHT).unwrap();
    assert_eq!(format!("{file:?}"), format!("master key in {}", path.display()));
    assert_eq!(format!("{RIGHT:?}"), "a passphrase");
}

fn write(path: &Path, bytes: &[u8]) {
    use std::io::Write as _;
    fs::OpenOptions::new().write(true).truncate(true).open(path).unwrap().write_all(bytes).unwrap();
}

#[test]
fn a_key_for_a_purpose_is_the_same_for_ever_and_no_other_purposes() {
    let (_folder, path) = folder();
    let mut made = MasterKeyFile::create(&path, RIGHT).unwrap();
    let key = |file: &MasterKeyFile, purpose| file.key_for(purpose).unwrap().public().clone();
    let tokens = key(&made, "tokens");
    assert_ne!(key(&made, "other"), tokens);
    made.start_new_salt(RIGHT).unwrap();
    assert_eq!(key(&made, "tokens"), tokens);
    assert_eq!(key(&MasterKeyFile::open(&path, RIGHT).unwrap(), "tokens"), tokens);
    let another = MasterKeyFile::create(&path.with_extension("other"), RIGHT).unwrap();
    assert_ne!(key(&another, "tokens"), tokens);
}
