//! What is written here, read by OpenSSL: a target of its own, which `./test` runs after it has installed that program.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use std::io::Write as _;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;
use tufstore::crypto::KeyAlgorithm;
use tufstore::terms::UnixTime;
use tufstore_keys::{
    CertificateAuthority, KeyLabel, KeyPem, PrivateKey, Validity, read_public_key, root_certificate,
};

const NOW: UnixTime = UnixTime::from_seconds(1_800_000_000);

fn openssl(folder: &Path, arguments: &str) -> String {
    let output = Command::new("openssl").current_dir(folder).args(arguments.split(' ')).output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "openssl {arguments}: {error}");
    String::from_utf8(output.stdout).unwrap()
}

fn write(folder: &Path, name: &str, text: &str) {
    let file = std::fs::OpenOptions::new().write(true).create(true).truncate(true).open(folder.join(name));
    file.unwrap().write_all(text.as_bytes()).unwrap();
}

#[test]
fn openssl_opens_an_encrypted_key() {
    let folder = TempDir::new().unwrap();
    for algorithm in
        [KeyAlgorithm::EcdsaP256, KeyAlgorithm::EcdsaP384, KeyAlgorithm::EcdsaP521, KeyAlgorithm::Rsa]
    {
        let key = PrivateKey::generate(algorithm).unwrap();
        // It takes no labels.
        let pem = KeyPem::encrypted(&key, KeyLabel::default(), b"correct").unwrap();
        write(folder.path(), "key.pem", &pem.to_text());
        let public = openssl(folder.path(), "pkey -in key.pem -passin pass:correct -pubout");
        assert_eq!(&read_public_key(&public).unwrap().0, key.public());
    }
}

#[test]
fn openssl_trusts_what_the_certificates_say() {
    let folder = TempDir::new().unwrap();
    let time = NOW.seconds() + 1;
    let key = PrivateKey::generate(KeyAlgorithm::EcdsaP256).unwrap();
    let text = root_certificate(&key, &"reg.example.com/app".parse().unwrap(), NOW).unwrap();
    write(folder.path(), "self.pem", &text);
    let own = format!("verify -attime {time} -check_ss_sig -CAfile self.pem self.pem");
    openssl(folder.path(), &own);

    let validity = Validity::ten_years_from(NOW);
    let top = CertificateAuthority::new("Example Root", validity).unwrap();
    let middle = top.intermediate("Example Middle", validity).unwrap();
    let bundle = middle.issue(key.public(), "reg.example.com/app", validity).unwrap();
    write(folder.path(), "top.pem", top.certificate());
    write(folder.path(), "bundle.pem", &bundle);
    let chain = format!("verify -attime {time} -CAfile top.pem -untrusted bundle.pem bundle.pem");
    assert_eq!(openssl(folder.path(), &chain), "bundle.pem: OK\n");
}
