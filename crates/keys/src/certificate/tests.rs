use tufstore::crypto::{KeyAlgorithm, PublicKey};
use x509_parser::pem::Pem;
use x509_parser::prelude::X509Certificate;

use super::*;

const NOW: UnixTime = UnixTime::from_seconds(1_800_000_000);
const CERTIFIED: [KeyAlgorithm; 4] =
    [KeyAlgorithm::EcdsaP256, KeyAlgorithm::EcdsaP384, KeyAlgorithm::EcdsaP521, KeyAlgorithm::Rsa];

fn repository() -> RepositoryName {
    "reg.example.com/team/app".parse().unwrap()
}

fn blocks(text: &str) -> Vec<Pem> {
    Pem::iter_from_buffer(text.as_bytes()).collect::<Result<_, _>>().unwrap()
}

fn common_names(certificate: &X509Certificate<'_>) -> [String; 2] {
    [certificate.subject(), certificate.issuer()]
        .map(|name| name.iter_common_name().next().unwrap().as_str().unwrap().to_owned())
}

#[test]
fn a_root_certificate_is_as_notary_makes_it() {
    let key = PrivateKey::generate(KeyAlgorithm::EcdsaP256).unwrap();
    let text = root_certificate(&key, &repository(), NOW).unwrap();
    let blocks = blocks(&text);
    assert_eq!(blocks.len(), 1);
    let certificate = blocks[0].parse_x509().unwrap();
    assert_eq!(certificate.version().0, 2, "which is v3");
    assert_eq!(common_names(&certificate), ["reg.example.com/team/app", "reg.example.com/team/app"]);
    assert_eq!(certificate.subject().iter().count(), 1, "nothing but the common name");
    assert_eq!(certificate.validity().not_before.timestamp(), NOW.seconds());
    assert_eq!(certificate.validity().not_after.timestamp(), NOW.seconds() + 10 * 365 * 86_400);
    assert_eq!(certificate.public_key().raw, key.public().encoded());
    assert_eq!(certificate.signature_algorithm.algorithm.to_id_string(), "1.2.840.10045.4.3.2");

    let usage = certificate.key_usage().unwrap().unwrap();
    assert!(usage.critical);
    assert_eq!(usage.value.flags, 0b101, "digital signature and key encipherment");
    let extended = certificate.extended_key_usage().unwrap().unwrap().value;
    assert!(extended.code_signing && !extended.server_auth && !extended.client_auth);
    let constraints = certificate.basic_constraints().unwrap().unwrap();
    assert!(constraints.critical && !constraints.value.ca);
}

#[test]
fn a_root_certificate_is_signed_by_its_own_key() {
    for algorithm in CERTIFIED {
        let key = PrivateKey::generate(algorithm).unwrap();
        let text = root_certificate(&key, &repository(), NOW).unwrap();
        assert_signed(&text, key.public(), algorithm);
    }
}

/// What signs is verified here by the library alone: ours wants the dialect's encoding.
fn assert_signed(text: &str, by: &PublicKey, algorithm: KeyAlgorithm) {
    use aws_lc_rs::signature as with;
    let blocks = blocks(text);
    let certificate = blocks[0].parse_x509().unwrap();
    let how: &'static dyn with::VerificationAlgorithm = match algorithm {
        KeyAlgorithm::EcdsaP256 => &with::ECDSA_P256_SHA256_ASN1,
        KeyAlgorithm::EcdsaP384 => &with::ECDSA_P384_SHA384_ASN1,
        KeyAlgorithm::EcdsaP521 => &with::ECDSA_P521_SHA256_ASN1,
        KeyAlgorithm::Rsa | KeyAlgorithm::Ed25519 | _ => &with::RSA_PKCS1_2048_8192_SHA256,
    };
    let key = spki::SubjectPublicKeyInfoRef::try_from(by.encoded()).unwrap();
    let key = with::ParsedPublicKey::new(how, key.subject_public_key.as_bytes().unwrap()).unwrap();
    let signed = certificate.tbs_certificate.as_ref();
    assert!(key.verify_sig(signed, &certificate.signature_value.data).is_ok(), "{algorithm:?}");
}

#[test]
fn each_certificate_of_a_key_has_a_serial_number_of_its_own() {
    let key = PrivateKey::generate(KeyAlgorithm::EcdsaP256).unwrap();
    let texts = [(); 2].map(|()| root_certificate(&key, &repository(), NOW).unwrap());
    let serials = texts.map(|text| blocks(&text)[0].parse_x509().unwrap().serial.clone());
    assert_ne!(serials[0], serials[1]);
    assert!(serials.iter().all(|serial| serial.bits() > 64 && serial.bits() <= 128));
}

#[test]
fn an_ed25519_key_gets_no_certificate() {
    let key = PrivateKey::generate(KeyAlgorithm::Ed25519).unwrap();
    assert!(matches!(
        root_certificate(&key, &repository(), NOW),
        Err(CertificateError::Key(KeyError::Unsupported { .. }))
    ));
}

#[test]
fn validity_and_name_are_free_but_possible() {
    let key = PrivateKey::generate(KeyAlgorithm::EcdsaP256).unwrap();
    let day = |from: i64, until: i64| Validity {
        from: UnixTime::from_seconds(from * 86_400),
        until: UnixTime::from_seconds(until * 86_400),
    };
    let text = self_signed_certificate(&key, "reg.example.com/team/*", day(10, 11)).unwrap();
    let blocks = blocks(&text);
    let certificate = blocks[0].parse_x509().unwrap();
    assert_eq!(common_names(&certificate)[0], "reg.example.com/team/*");
    assert_eq!(certificate.validity().not_before.timestamp(), 864_000);
    assert_eq!(certificate.validity().not_after.timestamp(), 950_400);
    for impossible in [day(2, 1), day(0, 3_000_000), day(i64::MAX / 86_400, i64::MAX / 86_400)] {
        assert!(matches!(
            self_signed_certificate(&key, "a", impossible),
            Err(CertificateError::Validity(validity)) if validity == impossible
        ));
    }
    // Clients that make roots to last for ever pass the year 2050, where dates change their form.
    let century = Validity { from: NOW, until: NOW.after(Duration::from_hours(100 * 365 * 24)) };
    let text = self_signed_certificate(&key, "a", century).unwrap();
    let blocks = self::blocks(&text);
    assert_eq!(blocks[0].parse_x509().unwrap().validity().not_after.timestamp(), century.until.seconds());
}

#[test]
fn an_authority_issues_a_bundle_without_itself() {
    let validity = Validity::ten_years_from(NOW);
    let top = CertificateAuthority::new("Example Root", validity).unwrap();
    let middle = top.intermediate("Example Middle", validity).unwrap();
    let lower = middle.intermediate("Example Lower", validity).unwrap();
    for algorithm in CERTIFIED {
        let key = PrivateKey::generate(algorithm).unwrap();
        let bundle = blocks(&lower.issue(key.public(), "reg.example.com/team/app", validity).unwrap());
        let certificates: Vec<_> = bundle.iter().map(|block| block.parse_x509().unwrap()).collect();
        let names: Vec<_> = certificates.iter().map(common_names).collect();
        assert_eq!(
            names,
            [
                ["reg.example.com/team/app", "Example Lower"],
                ["Example Lower", "Example Middle"],
                ["Example Middle", "Example Root"]
            ]
        );
        assert_eq!(certificates[0].public_key().raw, key.public().encoded());
        assert_eq!(
            certificates.iter().map(|certificate| certificate.is_ca()).collect::<Vec<_>>(),
            [false, true, true]
        );
    }
    let key = PrivateKey::generate(KeyAlgorithm::Rsa).unwrap();
    let bundle = top.issue(key.public(), "reg.example.com/team/app", validity).unwrap();
    assert_signed(&bundle, top.key().public(), KeyAlgorithm::EcdsaP256);
    assert_eq!(common_names(&blocks(top.certificate())[0].parse_x509().unwrap()), ["Example Root"; 2]);
}
