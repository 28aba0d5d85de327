//! Which keys count: by id, by certificate, and carried in a token.

use super::*;

/// What OpenSSL and base32 make of this certificate.
#[test]
fn a_key_of_a_certificate_has_the_id_that_registries_give_it() {
    let pem = "-----BEGIN CERTIFICATE-----
MIIBdDCCARugAwIBAgIUWMSjdk8Hqu60+4BYWxYKD4Bs97YwCgYIKoZIzj0EAwIw
DzENMAsGA1UEAwwEYXV0aDAgFw0yNjExMzAwODUyMDVaGA8yMTI2MTEwNjA4NTIw
NVowDzENMAsGA1UEAwwEYXV0aDBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABNcW
F5k73KqpHaolTVLVEksegxRU7gB4/UYJNgfZVJ4xCq6wRdzSkZUM++RhrGvVE9xX
DPc8CaBqdwDZlh4fwK2jUzBRMB0GA1UdDgQWBBTd2KshUx6hdGmLp9U2CN7xBKX+
ujAfBgNVHSMEGDAWgBTd2KshUx6hdGmLp9U2CN7xBKX+ujAPBgNVHRMBAf8EBTAD
AQH/MAoGCCqGSM49BAMCA0cAMEQCIAZzgUqTipqWX+uFaE+R1qES0JJEYrmonMXX
i9ixpsnrAiBmbrxul7kv3Y5vQKjNGTzVbCtRBVcvmwzdghSFJlaEbw==
-----END CERTIFICATE-----
";
    let authority = open(Some(pem), None).unwrap();
    assert_eq!(authority.keys_named()[0], "VYH7:35MA:ZHNF:5Y5H:5AOT:2PFO:TMGU:6ANR:AVPQ:FIIZ:2IHV:F2FF");
}

#[test]
fn keys_of_every_kind_that_services_sign_with_are_taken() {
    let signers = [
        Signer::p256(),
        Signer::of(&PKCS_ECDSA_P384_SHA384, Algorithm::ES384),
        Signer::of(&PKCS_RSA_SHA256, Algorithm::RS256),
        Signer::of(&PKCS_RSA_SHA384, Algorithm::RS384),
        Signer::of(&PKCS_RSA_SHA512, Algorithm::RS512),
    ];
    for signer in &signers {
        let certificate = signer.certificate();
        let authority = of_bundle(&[&certificate]);
        for kid in authority.keys_named() {
            let token = signer.sign(&signer.header_with("kid", kid), &claims());
            authority.verify(&token).unwrap();
        }
        let by_certificate = signer.sign(&signer.header_with("x5c", x5c(&[&certificate])), &claims());
        authority.verify(&by_certificate).unwrap();
    }
}

#[test]
fn keys_that_verify_no_tokens_are_passed_over_and_a_set_of_them_is_refused() {
    let signer = Signer::p256();
    let changed = |name: &str, value: Value| {
        let mut jwk = signer.jwk();
        jwk[name] = value;
        jwk
    };
    let text = |length: usize| BASE64_URL_SAFE_NO_PAD.encode(vec![0x7f; length]);
    let useless = [
        json!({ "kty": "RSA", "n": text(128), "e": "AQAB", "kid": "k" }),
        // One bit too few.
        json!({ "kty": "RSA", "n": text(256), "e": "AQAB", "kid": "k" }),
        json!({ "kty": "oct", "k": text(32), "kid": "k" }),
        json!({ "kty": "OKP", "crv": "Ed25519", "x": text(32), "kid": "k" }),
        changed("crv", json!("P-384")),
        changed("crv", json!("P-521")),
        changed("crv", json!("secp256k1")),
        changed("x", json!("not base64!")),
        changed("y", json!("AAAA")),
        changed("use", json!("enc")),
        changed("key_ops", json!(["sign"])),
        changed("alg", json!("HS256")),
        changed("alg", json!("ES384")),
    ];
    for jwk in &useless {
        let refused = of_set(std::slice::from_ref(jwk)).unwrap_err();
        assert!(
            refused.to_string().contains("there is no key in it that verifies tokens"),
            "{jwk}: {refused}"
        );
    }
    let mut all = useless.to_vec();
    all.push(signer.jwk());
    assert!(of_set(&all).unwrap().verify(&signer.sign(&signer.header(), &claims())).is_ok());
    for jwks in ["", "{}", "[]", "{\"keys\":[]}", "{\"keys\":{}}"] {
        assert!(open(None, Some(jwks)).is_err(), "{jwks}");
    }
    for bundle in ["", "nothing", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
        assert!(open(Some(bundle), None).is_err(), "{bundle}");
    }
    let missing = Authority::open(service()).unwrap_err();
    assert!(matches!(missing, AuthError::File { .. }), "{missing}");
}

#[test]
fn a_key_that_says_which_algorithm_it_is_for_is_for_no_other() {
    let signer = Signer::of(&PKCS_RSA_SHA256, Algorithm::RS256);
    let declared = |algorithm: &str| {
        let mut jwk = signer.jwk();
        jwk["alg"] = json!(algorithm);
        jwk
    };
    // However the token says which key it is.
    let tokens = [
        signer.sign(&signer.header(), &claims()),
        signer.sign(&signer.header_with("jwk", signer.jwk()), &claims()),
    ];
    for (algorithm, is_taken) in [("RS256", true), ("RS384", false), ("RS512", false)] {
        let authority = of_set(&[declared(algorithm)]).unwrap();
        for token in &tokens {
            assert_eq!(authority.verify(token).is_ok(), is_taken, "{algorithm}");
        }
    }
    for other in ["PS256", "HS256", "RSA-OAEP", "unheard of"] {
        assert!(of_set(&[declared(other)]).is_err(), "{other}");
    }
}

#[test]
fn a_certificate_that_leads_to_the_bundle_vouches_for_its_key() {
    let (root, middle, signer) = (Signer::p256(), Signer::p256(), Signer::p256());
    let root_certificate = authority_params().self_signed(&root.pair).unwrap();
    let authority_of = |params: &mut CertificateParams| *params = authority_params();
    let middle_certificate = root.certify(&middle, authority_of);
    let direct = root.certify(&signer, |_| {});
    let below = middle.certify(&signer, |_| {});
    let authority = of_bundle(&[&root_certificate]);
    let with = |chain: &[&Certificate]| signer.sign(&signer.header_with("x5c", x5c(chain)), &claims());
    assert!(authority.verify(&with(&[&direct])).is_ok());
    assert!(authority.verify(&with(&[&direct, &root_certificate])).is_ok());
    assert!(authority.verify(&with(&[&below, &middle_certificate])).is_ok());
    let said = "its certificate is not trusted";
    refused(&authority, &with(&[]), said);
    refused(&authority, &with(&[&below]), said);
    refused(&authority, &with(&[&middle_certificate, &below]), said);
    refused(&authority, &with(&[&signer.certificate()]), said);
    // The first one's key has to have signed, and not just any key of the chain.
    refused(&authority, &with(&[&root_certificate]), "signature does not verify");
    // An id that is known does not make up for it.
    let stranger = Signer::p256();
    let forged = authority.keys_named()[0].clone();
    let mut header = stranger.header_with("x5c", x5c(&[&stranger.certificate()]));
    header["kid"] = json!(forged);
    refused(&authority, &stranger.sign(&header, &claims()), said);
    let many = [&direct, &root_certificate, &root_certificate, &root_certificate, &root_certificate];
    refused(&authority, &with(&many), "too many certificates");
    let garbage = signer.header_with("x5c", json!(["!"]));
    refused(&authority, &signer.sign(&garbage, &claims()), "a certificate of it cannot be read");
    refused(&authority, &signer.sign(&signer.header_with("x5c", json!(["AAAA"])), &claims()), said);
    // A foreign authority of the same name.
    let foreign = Signer::p256();
    let foreign_root = authority_params().self_signed(&foreign.pair).unwrap();
    let forged = foreign.certify(&signer, |_| {});
    refused(&authority, &with(&[&forged, &foreign_root]), said);
    // Whoever is no authority certifies nobody.
    let no_authority = root.certify(&middle, |_| {});
    refused(&authority, &with(&[&below, &no_authority]), said);
}

#[test]
fn certificates_count_in_their_time() {
    let (root, signer) = (Signer::p256(), Signer::p256());
    let at = |seconds: i64| OffsetDateTime::from_unix_timestamp(NOW.seconds() + seconds).unwrap();
    let until = |end: i64| move |params: &mut CertificateParams| params.not_after = at(end);
    let from = |begin: i64| move |params: &mut CertificateParams| params.not_before = at(begin);
    let root_certificate = authority_params().self_signed(&root.pair).unwrap();
    let authority_of_root = of_bundle(&[&root_certificate]);
    let with =
        |certificate: &Certificate| signer.sign(&signer.header_with("x5c", x5c(&[certificate])), &claims());
    let said = "its certificate is not trusted";
    assert!(authority_of_root.verify(&with(&root.certify(&signer, until(60)))).is_ok());
    refused(&authority_of_root, &with(&root.certify(&signer, until(-60))), said);
    assert!(authority_of_root.verify(&with(&root.certify(&signer, from(-60)))).is_ok());
    refused(&authority_of_root, &with(&root.certify(&signer, from(60))), said);
    // Of the bundle's own as well, as an authority and as the signer.
    let mut expired = authority_params();
    until(-60)(&mut expired);
    let expired_root = expired.self_signed(&root.pair).unwrap();
    refused(&of_bundle(&[&expired_root]), &with(&root.certify(&signer, |_| {})), said);
    let mut expired = CertificateParams::default();
    until(-60)(&mut expired);
    let expired = expired.self_signed(&signer.pair).unwrap();
    refused(&of_bundle(&[&expired]), &with(&expired), said);
    let valid = signer.certificate();
    assert!(of_bundle(&[&valid]).verify(&with(&valid)).is_ok());
}

#[test]
fn a_key_that_a_token_carries_counts_if_it_is_known_or_certified() {
    let (root, signer) = (Signer::p256(), Signer::p256());
    let root_certificate = authority_params().self_signed(&root.pair).unwrap();
    let authority = of_bundle(&[&root_certificate]);
    let with = |signer: &Signer, jwk: Value| signer.sign(&signer.header_with("jwk", jwk), &claims());
    assert!(authority.verify(&with(&root, root.jwk())).is_ok());
    refused(&authority, &with(&signer, signer.jwk()), "its key is not trusted");
    // A known key, and another one's signature.
    refused(&authority, &with(&signer, root.jwk()), "signature does not verify");
    let certified = |jwk: &Signer, of: &Certificate| {
        let mut jwk = jwk.jwk();
        jwk["x5c"] = x5c(&[of]);
        jwk
    };
    let certificate = root.certify(&signer, |_| {});
    assert!(authority.verify(&with(&signer, certified(&signer, &certificate))).is_ok());
    let stranger = Signer::p256();
    refused(&authority, &with(&stranger, certified(&stranger, &certificate)), "its key is not trusted");
    refused(
        &authority,
        &with(&stranger, certified(&stranger, &stranger.certificate())),
        "its key is not trusted",
    );
    // Nor a secret.
    let secret = json!({ "kty": "oct", "k": "AAAA" });
    refused(&authority, &with(&signer, secret), "its key is not trusted");
}

#[test]
fn an_authority_may_have_a_key_that_signs_no_tokens() {
    let root = Signer::of(&PKCS_ED25519, Algorithm::EdDSA);
    let signer = Signer::p256();
    let authority = of_bundle(&[&authority_params().self_signed(&root.pair).unwrap()]);
    assert!(authority.keys_named().is_empty());
    let header = signer.header_with("x5c", x5c(&[&root.certify(&signer, |_| {})]));
    assert!(authority.verify(&signer.sign(&header, &claims())).is_ok());
    let own = root.sign(&root.header_with("x5c", x5c(&[&root.certify(&root, |_| {})])), &claims());
    refused(&authority, &own, "its certificate is not trusted");
}
