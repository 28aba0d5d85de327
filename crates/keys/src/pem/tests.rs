use tempfile::TempDir;
use tufstore::crypto::KeyAlgorithm;

use super::*;

const PASSPHRASE: &[u8] = b"correct";
const ALL: [KeyAlgorithm; 5] = [
    KeyAlgorithm::EcdsaP256,
    KeyAlgorithm::EcdsaP384,
    KeyAlgorithm::EcdsaP521,
    KeyAlgorithm::Ed25519,
    KeyAlgorithm::Rsa,
];

fn label() -> KeyLabel {
    KeyLabel::of_role("targets").in_repository("reg.example.com/team/app".parse().unwrap())
}

fn key() -> PrivateKey {
    PrivateKey::from_seed(KeyAlgorithm::EcdsaP256, &[7; 32]).unwrap()
}

#[test]
fn a_key_that_was_written_is_read_with_its_label() {
    for algorithm in ALL {
        let key = PrivateKey::generate(algorithm).unwrap();
        let encrypted = KeyPem::encrypted(&key, label(), PASSPHRASE).unwrap();
        let read = KeyPem::read(&encrypted.to_text()).unwrap();
        assert!(read.is_encrypted());
        assert_eq!(read.label(), &label());
        assert_eq!(read.open(Some(PASSPHRASE)).unwrap().public(), key.public());
        assert!(matches!(read.open(Some(b"wrong")), Err(KeyPemError::WrongPassphrase)));
        assert!(matches!(read.open(None), Err(KeyPemError::PassphraseNeeded)));

        let plain = KeyPem::read(&KeyPem::plain(&key, KeyLabel::default()).unwrap().to_text()).unwrap();
        assert!(!plain.is_encrypted());
        assert_eq!(plain.label(), &KeyLabel::default());
        assert_eq!(plain.open(None).unwrap().public(), key.public());
    }
}

#[test]
fn a_file_looks_as_notary_writes_it() {
    let text = KeyPem::encrypted(&key(), label(), PASSPHRASE).unwrap().to_text();
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(
        lines[..4],
        ["-----BEGIN ENCRYPTED PRIVATE KEY-----", "gun: reg.example.com/team/app", "role: targets", ""]
    );
    assert!(lines[4..lines.len() - 2].iter().all(|line| line.len() == 64));
    assert_eq!(lines[lines.len() - 1], "-----END ENCRYPTED PRIVATE KEY-----");
    assert!(text.ends_with("-----\n"));

    let unlabelled = KeyPem::plain(&key(), KeyLabel::default()).unwrap().to_text();
    assert!(unlabelled.starts_with("-----BEGIN PRIVATE KEY-----\nM"));
}

#[test]
fn the_encryption_is_the_one_that_notary_reads() {
    let content = KeyPem::encrypted(&key(), label(), PASSPHRASE).unwrap().content;
    // PBES2, PBKDF2 with 8 bytes of salt and 2,048 rounds, neither a key length nor a hash; AES-256-CBC with 16 bytes.
    let holds = |bytes: &[u8]| content.windows(bytes.len()).any(|window| window == bytes);
    assert!(holds(b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x05\x0d"));
    assert!(holds(b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x05\x0c\x30\x0e\x04\x08"));
    assert!(holds(b"\x02\x02\x08\x00\x30\x1d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x01\x2a\x04\x10"));
    let again = KeyPem::encrypted(&key(), label(), PASSPHRASE).unwrap().content;
    assert_ne!(content, again, "salt and IV are new each time");
}

#[test]
fn what_openssl_wrote_is_read() {
    let ec = opened(include_str!("../../tests/data/ec.pem"));
    for text in [
        include_str!("../../tests/data/ec-pkcs8.pem"),
        include_str!("../../tests/data/ec-legacy-encrypted.pem"),
        include_str!("../../tests/data/ec-pbes2-sha1.pem"),
        include_str!("../../tests/data/ec-pbes2-sha256.pem"),
    ] {
        assert_eq!(opened(text), ec);
    }
    let rsa = opened(include_str!("../../tests/data/rsa.pem"));
    for text in [
        include_str!("../../tests/data/rsa-pkcs8.pem"),
        include_str!("../../tests/data/rsa-legacy-encrypted.pem"),
    ] {
        assert_eq!(opened(text), rsa);
    }
    assert_eq!(read_public_key(include_str!("../../tests/data/ec-public.pem")).unwrap(), (ec, None));
    assert_eq!(read_public_key(include_str!("../../tests/data/rsa-public.pem")).unwrap(), (rsa, None));
    opened(include_str!("../../tests/data/ed25519-pkcs8.pem"));
    opened(include_str!("../../tests/data/p384.pem"));
    opened(include_str!("../../tests/data/p521.pem"));
}

fn opened(text: &str) -> PublicKey {
    KeyPem::read(text).unwrap().open(Some(PASSPHRASE)).unwrap().public().clone()
}

#[test]
fn a_wrong_passphrase_fails_clearly_for_every_encryption() {
    for text in [
        include_str!("../../tests/data/ec-legacy-encrypted.pem"),
        include_str!("../../tests/data/rsa-legacy-encrypted.pem"),
        include_str!("../../tests/data/ec-pbes2-sha1.pem"),
    ] {
        let pem = KeyPem::read(text).unwrap();
        // Of so many wrong ones, some leave bytes that end like padding.
        for wrong in 0..600_u32 {
            let error = pem.open(Some(&wrong.to_be_bytes())).unwrap_err();
            assert!(matches!(error, KeyPemError::WrongPassphrase), "{error}");
        }
    }
}

#[test]
fn what_is_not_supported_says_so() {
    for text in [
        include_str!("../../tests/data/ec-pbes2-aes128.pem"),
        include_str!("../../tests/data/ec-scrypt.pem"),
        include_str!("../../tests/data/ec-pbes1.pem"),
        include_str!("../../tests/data/ec-legacy-aes128.pem"),
        include_str!("../../tests/data/secp256k1.pem"),
    ] {
        let error = KeyPem::read(text).and_then(|pem| pem.open(Some(PASSPHRASE))).unwrap_err();
        assert!(matches!(error, KeyPemError::Key(KeyError::Unsupported { .. })), "{error:?}");
    }
}

#[test]
fn an_rsa_key_below_2048_bits_is_refused() {
    let pem = KeyPem::read(include_str!("../../tests/data/rsa-1024.pem")).unwrap();
    assert!(matches!(pem.open(None), Err(KeyPemError::Key(KeyError::Rejected))));
}

#[test]
fn an_ed25519_key_of_the_legacy_form_is_read() {
    let key = PrivateKey::generate(KeyAlgorithm::Ed25519).unwrap();
    let pkcs8 = key.to_pkcs8().unwrap();
    let content = Zeroizing::new(pkcs8[pkcs8.len() - 96..].to_vec());
    let form = Form::Legacy { kind: Legacy::Ed25519, iv: None };
    let text = KeyPem { label: label(), form, content }.to_text();
    assert!(text.starts_with("-----BEGIN ED25519 PRIVATE KEY-----\ngun: "));
    let read = KeyPem::read(&text).unwrap();
    assert_eq!(read.label(), &label());
    assert_eq!(read.open(None).unwrap().public(), key.public());
}

#[test]
fn a_legacy_encryption_is_written_as_it_was_read() {
    let text = include_str!("../../tests/data/ec-legacy-encrypted.pem");
    let written = KeyPem::read(text).unwrap().to_text();
    assert!(written.eq_ignore_ascii_case(text));
    assert_eq!(opened(&written), opened(text));
}

#[test]
fn an_export_of_many_keys_is_read_whole_and_other_blocks_passed_over() {
    let path = KeyLabel { path: Some("0123.key".into()), ..label() };
    let text = [
        "A text before.\r\n",
        &KeyPem::encrypted(&key(), path.clone(), PASSPHRASE).unwrap().to_text().replace('\n', "\r\n"),
        include_str!("../../tests/data/ec-public.pem"),
        &KeyPem::plain(&key(), KeyLabel::of_role("alice")).unwrap().to_text(),
    ]
    .concat();
    let read = KeyPem::read_all(&text).unwrap();
    assert_eq!(read.iter().map(KeyPem::label).collect::<Vec<_>>(), [&path, &KeyLabel::of_role("alice")]);
    assert!(read.iter().all(|pem| pem.open(Some(PASSPHRASE)).unwrap().public() == key().public()));
}

#[test]
fn a_signers_public_key_has_its_name() {
    let text =
        include_str!("../../tests/data/ec-public.pem").replacen("KEY-----\n", "KEY-----\nrole: alice\n\n", 1);
    assert_eq!(read_public_key(&text).unwrap().1.as_deref(), Some("alice"));
    assert!(matches!(read_public_key("nothing"), Err(KeyPemError::NoKey)));
}

#[test]
fn what_is_no_key_file_is_refused() {
    assert!(matches!(KeyPem::read(""), Err(KeyPemError::NoKey)));
    assert!(matches!(KeyPem::read(include_str!("../../tests/data/ec-public.pem")), Err(KeyPemError::NoKey)));
    let text = KeyPem::plain(&key(), label()).unwrap().to_text();
    for (from, to) in
        [("END PRIVATE", "END PUBLIC"), ("-----END", "----END"), ("\nM", "\n!"), ("\nM", "\nM\nx: y\n")]
    {
        assert!(
            matches!(KeyPem::read(&text.replacen(from, to, 1)), Err(KeyPemError::Damaged)),
            "{from} {to}"
        );
    }
    assert!(matches!(
        KeyPem::read(&text.replacen("gun: ", "gun: //", 1)),
        Err(KeyPemError::Repository(InvalidRepositoryName::Segment))
    ));
    for at in 0..text.len() {
        // None panics; what ends before its end is no key.
        assert!(KeyPem::read(&text[..at]).is_err() || at >= text.trim_end().len());
    }
}

#[test]
fn labels_cannot_write_lines_of_their_own() {
    for role in ["", " a", "a\nrole: root", "a\r", "a\0"] {
        let label = KeyLabel::of_role(role);
        assert!(matches!(KeyPem::plain(&key(), label.clone()), Err(KeyPemError::Label)), "{role:?}");
        assert!(matches!(KeyPem::encrypted(&key(), label, PASSPHRASE), Err(KeyPemError::Label)), "{role:?}");
    }
    assert!(matches!(KeyPem::encrypted(&key(), label(), b""), Err(KeyPemError::EmptyPassphrase)));
}

#[test]
fn a_file_is_saved_once_and_loaded() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("key");
    assert!(matches!(KeyPem::load(&path), Err(KeyPemError::File(FileError::Io { .. }))));
    let pem = KeyPem::encrypted(&key(), label(), PASSPHRASE).unwrap();
    pem.save(&path).unwrap();
    assert!(matches!(pem.save(&path), Err(KeyPemError::File(FileError::Exists { .. }))));
    assert!(!file::is_exposed(&path).unwrap());
    assert_eq!(KeyPem::load(&path).unwrap().open(Some(PASSPHRASE)).unwrap().public(), key().public());
}

#[test]
fn debug_output_shows_no_secret() {
    let shown = format!("{:?}", KeyPem::plain(&key(), KeyLabel::of_role("alice")).unwrap());
    assert_eq!(
        shown,
        r#"KeyPem { label: KeyLabel { role: Some("alice"), repository: None, path: None }, form: Plain, .. }"#
    );
}
