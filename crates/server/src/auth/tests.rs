use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use http::HeaderValue;
use jsonwebtoken::{Algorithm, EncodingKey, crypto};
use proptest::prelude::*;
use rcgen::{
    BasicConstraints, Certificate, CertificateParams, IsCa, Issuer, KeyPair, PKCS_ECDSA_P256_SHA256,
    PKCS_ECDSA_P384_SHA384, PKCS_ED25519, PKCS_RSA_SHA256, PKCS_RSA_SHA384, PKCS_RSA_SHA512,
    PublicKeyData as _, SigningKey as _,
};
use serde_json::{Value, json};
use time::OffsetDateTime;
use x509_parser::prelude::FromDer as _;
use x509_parser::public_key::RSAPublicKey;

use super::*;

mod keys;

const NOW: UnixTime = UnixTime::from_seconds(2_000_000_000);
const NAME: &str = "reg.example.com/app";

/// A key that signs tokens.
struct Signer {
    pair: KeyPair,
    algorithm: Algorithm,
}

impl Signer {
    fn p256() -> Self {
        Self::of(&PKCS_ECDSA_P256_SHA256, Algorithm::ES256)
    }

    fn of(kind: &'static rcgen::SignatureAlgorithm, algorithm: Algorithm) -> Self {
        Self { pair: KeyPair::generate_for(kind).unwrap(), algorithm }
    }

    /// A token of any header and claims.
    fn sign(&self, header: &Value, claims: &Value) -> String {
        self.sign_texts(&header.to_string(), &claims.to_string())
    }

    fn sign_texts(&self, header: &str, claims: &str) -> String {
        let text = |text: &str| BASE64_URL_SAFE_NO_PAD.encode(text);
        let message = format!("{}.{}", text(header), text(claims));
        let signature = if matches!(self.algorithm, Algorithm::ES256 | Algorithm::ES384) {
            let key = EncodingKey::from_ec_der(&self.pair.serialize_der());
            crypto::sign(message.as_bytes(), &key, self.algorithm).unwrap()
        } else {
            BASE64_URL_SAFE_NO_PAD.encode(self.pair.sign(message.as_bytes()).unwrap())
        };
        format!("{message}.{signature}")
    }

    fn jwk(&self) -> Value {
        let raw = self.pair.der_bytes();
        let text = |bytes: &[u8]| BASE64_URL_SAFE_NO_PAD.encode(bytes);
        if !matches!(self.algorithm, Algorithm::ES256 | Algorithm::ES384) {
            let (_, key) = RSAPublicKey::from_der(raw).unwrap();
            let modulus = key.modulus.strip_prefix(&[0]).unwrap_or(key.modulus);
            return json!({ "kty": "RSA", "n": text(modulus), "e": text(key.exponent), "kid": "k" });
        }
        let (x, y) = raw[1..].split_at(raw.len() / 2);
        let curve = if self.algorithm == Algorithm::ES256 { "P-256" } else { "P-384" };
        json!({ "kty": "EC", "crv": curve, "x": text(x), "y": text(y), "kid": "k" })
    }

    /// A header that names this key as [`Self::jwk`] does.
    fn header(&self) -> Value {
        json!({ "alg": format!("{:?}", self.algorithm), "typ": "JWT", "kid": "k" })
    }

    fn header_with(&self, name: &str, value: impl Into<Value>) -> Value {
        let mut header = self.header();
        header[name] = value.into();
        header
    }

    fn certificate(&self) -> Certificate {
        CertificateParams::default().self_signed(&self.pair).unwrap()
    }

    /// A certificate that this one signed, as an authority.
    fn certify(&self, key: &Signer, change: impl FnOnce(&mut CertificateParams)) -> Certificate {
        let mut params = CertificateParams::default();
        change(&mut params);
        params.signed_by(&key.pair, &Issuer::new(authority_params(), &self.pair)).unwrap()
    }
}

fn authority_params() -> CertificateParams {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params
}

fn claims() -> Value {
    json!({
        "iss": "auth.example.com", "sub": "alice", "aud": "notary", "jti": "1", "iat": 1_999_999_900,
        "exp": 2_000_000_100, "nbf": 1_999_999_900,
        "access": [{ "type": "repository", "name": NAME, "actions": ["push", "pull"] }],
    })
}

fn claims_with(name: &str, value: impl Into<Value>) -> Value {
    let mut claims = claims();
    claims[name] = value.into();
    claims
}

fn service() -> TokenService {
    TokenService::with_jwks("https://auth.example.com/token", "notary", "auth.example.com", "")
}

#[expect(clippy::disallowed_methods, reason = "files that an operator has")]
fn open(bundle: Option<&str>, jwks: Option<&str>) -> Result<Authority, AuthError> {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: Option<&str>| {
        let path = folder.path().join(name);
        text.map(|text| std::fs::write(&path, text).unwrap()).map(|()| path)
    };
    let service =
        TokenService { root_cert_bundle: write("bundle", bundle), jwks: write("jwks", jwks), ..service() };
    Authority::open(service)
}

fn of_set(keys: &[Value]) -> Result<Authority, AuthError> {
    open(None, Some(&json!({ "keys": keys }).to_string()))
}

fn of_bundle(certificates: &[&Certificate]) -> Authority {
    let pem: String = certificates.iter().map(|certificate| certificate.pem()).collect();
    open(Some(&pem), None).unwrap()
}

fn x5c(certificates: &[&Certificate]) -> Value {
    certificates.iter().map(|certificate| BASE64_STANDARD.encode(certificate.der())).collect()
}

impl Authority {
    fn keys_named(&self) -> Vec<String> {
        self.keys.names().map(str::to_owned).collect()
    }

    fn verify(&self, token: &str) -> Result<Claims, &'static str> {
        token::verify(token, &self.service, &self.keys, NOW).map_err(|InvalidToken(why)| why)
    }
}

#[track_caller]
fn refused(authority: &Authority, token: &str, saying: &str) {
    let why = authority.verify(token).unwrap_err();
    assert!(why.contains(saying), "{why}");
}

fn needed(actions: &'static [Action]) -> Needed {
    Needed::of(&NAME.parse().unwrap(), actions)
}

#[test]
fn a_token_is_taken_for_what_it_says() {
    let signer = Signer::p256();
    let authority = of_set(&[signer.jwk()]).unwrap();
    let holder = Caller::Holder(authority.verify(&signer.sign(&signer.header(), &claims())).unwrap());
    assert!(holder.may(&needed(&[Action::Push, Action::Pull])));
    for more in [&[Action::Rotate], &[Action::Delete], &[Action::All]] {
        assert!(!holder.may(&needed(more)));
    }
    assert!(!holder.may(&Needed::of_all()));
}

#[test]
fn what_is_allowed_is_of_that_kind_name_and_action_alone() {
    let signer = Signer::p256();
    let authority = of_set(&[signer.jwk()]).unwrap();
    let may = |kind: &str, name: &str, actions: Value, needed: &Needed| {
        let access = json!([{ "type": kind, "class": "image", "name": name, "actions": actions }]);
        let token = signer.sign(&signer.header(), &claims_with("access", access));
        Caller::Holder(authority.verify(&token).unwrap()).may(needed)
    };
    let pull = needed(&[Action::Pull]);
    assert!(may("repository", NAME, json!(["pull"]), &pull));
    for (kind, name) in [
        ("repository", "reg.example.com/other"),
        ("repository", "reg.example.com/App"),
        ("repository", "reg.example.com/app/"),
        ("repository", "reg.example.com"),
        ("repository", "reg.example.com/*"),
        ("repository", "*"),
        ("repository", ""),
        ("registry", NAME),
        ("repository(plugin)", NAME),
        ("Repository", NAME),
    ] {
        assert!(!may(kind, name, json!(["*", "pull"]), &pull), "{kind}:{name}");
    }
    for actions in [json!([]), json!(null), json!(["Pull"]), json!(["pull,push"]), json!([""])] {
        assert!(!may("repository", NAME, actions.clone(), &pull), "{actions}");
    }
    // Everything is allowed by one word; a single action by its own.
    for action in [&[Action::Pull], &[Action::Push], &[Action::Rotate], &[Action::Delete]] {
        assert!(may("repository", NAME, json!(["*"]), &needed(action)));
        for said in ["pull", "push", "rotate", "delete"] {
            let is_allowed = may("repository", NAME, json!([said]), &needed(action));
            assert_eq!(is_allowed, said == action[0].as_str(), "{said}");
        }
    }
    assert!(may("registry", "catalog", json!(["*"]), &Needed::of_all()));
    assert!(!may("registry", "catalog", json!(["pull", "push"]), &Needed::of_all()));
    // What two entries say of one repository counts together.
    let entry = |action| json!({ "type": "repository", "name": NAME, "actions": [action] });
    let both = claims_with("access", json!([entry("push"), entry("pull")]));
    let holder = Caller::Holder(authority.verify(&signer.sign(&signer.header(), &both)).unwrap());
    assert!(holder.may(&needed(&[Action::Push, Action::Pull])));
}

#[test]
fn a_token_counts_in_its_time_give_or_take_a_minute() {
    let signer = Signer::p256();
    let authority = of_set(&[signer.jwk()]).unwrap();
    let now = NOW.seconds();
    let with =
        |name: &str, at: Value| authority.verify(&signer.sign(&signer.header(), &claims_with(name, at)));
    assert!(with("exp", (now - 60).into()).is_ok());
    assert_eq!(with("exp", (now - 61).into()).unwrap_err(), "it has expired");
    assert!(with("nbf", (now + 60).into()).is_ok());
    assert_eq!(with("nbf", (now + 61).into()).unwrap_err(), "it is not valid yet");
    for (exp, is_taken) in [(i64::MAX, true), (i64::MIN, false), (0, false), (-1, false)] {
        assert_eq!(with("exp", exp.into()).is_ok(), is_taken, "{exp}");
    }
    for (nbf, is_taken) in [(i64::MAX, false), (i64::MIN, true), (0, true)] {
        assert_eq!(with("nbf", nbf.into()).is_ok(), is_taken, "{nbf}");
    }
    assert!(with("nbf", Value::Null).is_ok());
    for (name, wrong) in [
        ("exp", Value::Null),
        ("exp", json!(3e9)),
        ("exp", json!("3000000000")),
        ("exp", json!(u64::MAX)),
        ("nbf", json!(1.5)),
    ] {
        assert!(with(name, wrong.clone()).is_err(), "{name} {wrong}");
    }
}

#[test]
fn a_token_of_another_issuer_or_for_another_service_is_refused() {
    let signer = Signer::p256();
    let authority = of_set(&[signer.jwk()]).unwrap();
    let cases = [
        ("iss", json!("auth.example.org"), "another service issued it"),
        ("iss", json!(""), "another service issued it"),
        ("iss", json!(["auth.example.com"]), "its claims cannot be read"),
        ("iss", Value::Null, "its claims cannot be read"),
        ("aud", json!("registry"), "it is for another service"),
        ("aud", json!("Notary"), "it is for another service"),
        ("aud", json!(["notary"]), "its claims cannot be read"),
        ("aud", json!(["notary", "registry"]), "its claims cannot be read"),
        ("aud", Value::Null, "its claims cannot be read"),
    ];
    for (name, value, said) in cases {
        refused(&authority, &signer.sign(&signer.header(), &claims_with(name, value)), said);
    }
}

#[test]
fn the_key_fixes_the_algorithm_whatever_the_token_says() {
    let signer = Signer::p256();
    let authority = of_set(&[signer.jwk()]).unwrap();
    let good = signer.sign(&signer.header(), &claims());
    let (_, rest) = good.split_once('.').unwrap();
    for none in ["none", "None", "NONE", "", "nOnE"] {
        let header = BASE64_URL_SAFE_NO_PAD.encode(signer.header_with("alg", none).to_string());
        refused(&authority, &format!("{header}.{rest}"), "header cannot be read");
        let payload = rest.split_once('.').unwrap().0;
        refused(&authority, &format!("{header}.{payload}."), "header cannot be read");
    }
    for other in ["ES384", "RS256", "PS256", "EdDSA"] {
        let header = signer.header_with("alg", other);
        refused(&authority, &signer.sign(&header, &claims()), "no key of that id is known");
    }
    assert!(authority.verify(&good).is_ok());
}

#[test]
fn the_public_key_is_no_secret_to_sign_with() {
    let signer = Signer::p256();
    let certificate = signer.certificate();
    let authority =
        open(Some(&certificate.pem()), Some(&json!({ "keys": [signer.jwk()] }).to_string())).unwrap();
    let secrets = [
        signer.pair.der_bytes().to_vec(),
        signer.pair.subject_public_key_info(),
        signer.pair.public_key_pem().into_bytes(),
        certificate.pem().into_bytes(),
        signer.jwk().to_string().into_bytes(),
    ];
    for secret in &secrets {
        for (name, value) in [("kid", json!("k")), ("x5c", x5c(&[&certificate])), ("jwk", signer.jwk())] {
            let mut header = signer.header_with("alg", "HS256");
            header[name] = value;
            let text = |value: &Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
            let message = format!("{}.{}", text(&header), text(&claims()));
            let key = EncodingKey::from_secret(secret).unwrap();
            let signature = crypto::sign(message.as_bytes(), &key, Algorithm::HS256).unwrap();
            assert!(authority.verify(&format!("{message}.{signature}")).is_err());
        }
    }
}

#[test]
fn a_token_that_was_tampered_with_is_refused() {
    let signer = Signer::p256();
    let authority = of_set(&[signer.jwk()]).unwrap();
    let good = signer.sign(&signer.header(), &claims());
    let parts: Vec<_> = good.split('.').collect();
    let wider = BASE64_URL_SAFE_NO_PAD.encode(claims_with("sub", "mallory").to_string());
    let said = "its signature does not verify";
    refused(&authority, &format!("{}.{wider}.{}", parts[0], parts[2]), said);
    let other = BASE64_URL_SAFE_NO_PAD.encode(signer.header_with("typ", "other").to_string());
    refused(&authority, &format!("{other}.{}.{}", parts[1], parts[2]), said);
    for changed in [
        format!("{}.{}.", parts[0], parts[1]),
        format!("{}.{}.{}", parts[0], parts[1], BASE64_URL_SAFE_NO_PAD.encode([0; 64])),
        format!("{}.{}.{}", parts[0], parts[1], &parts[2][..84]),
        format!("{good}A"),
        format!("{good}="),
    ] {
        refused(&authority, &changed, said);
    }
    refused(&authority, &Signer::p256().sign(&signer.header(), &claims()), said);
}

#[test]
fn what_is_no_token_is_refused() {
    let signer = Signer::p256();
    let authority = of_set(&[signer.jwk()]).unwrap();
    let good = signer.sign(&signer.header(), &claims());
    for garbage in ["", ".", "..", "...", "a.b.c", "{}", &format!("{good}.x"), &format!(" {good}"), "é.é.é"]
    {
        assert!(authority.verify(garbage).is_err(), "{garbage}");
    }
    let long = signer.sign(&signer.header(), &claims_with("sub", "x".repeat(16 << 10)));
    refused(&authority, &long, "it is too long");
    let deep = format!("{}{}", "[".repeat(5_000), "]".repeat(5_000));
    assert!(authority.verify(&signer.sign_texts(&signer.header().to_string(), &deep)).is_err());
    // What stands twice has two readings.
    let (header, body) = (signer.header().to_string(), claims().to_string());
    let twice = |text: &str, member: &str| text.replacen('{', &format!("{{{member},"), 1);
    for member in ["\"aud\":\"registry\"", "\"exp\":9000000000", "\"access\":[]", "\"iss\":\"x\""] {
        refused(&authority, &signer.sign_texts(&header, &twice(&body, member)), "cannot be read");
    }
    for member in ["\"alg\":\"ES256\"", "\"kid\":\"other\""] {
        refused(&authority, &signer.sign_texts(&twice(&header, member), &body), "header cannot be read");
    }
    for more in [json!(["exp"]), json!([]), json!(["b64"])] {
        refused(
            &authority,
            &signer.sign(&signer.header_with("crit", more), &claims()),
            "demands what is not known",
        );
    }
    assert!(authority.verify(&signer.sign(&signer.header_with("b64", false), &claims())).is_err());
}

#[test]
fn a_key_is_found_by_its_id_alone() {
    let (signer, other) = (Signer::p256(), Signer::p256());
    let authority = of_set(&[signer.jwk()]).unwrap();
    for kid in ["", "K", "other"] {
        refused(&authority, &signer.sign(&signer.header_with("kid", kid), &claims()), "no key of that id");
    }
    refused(
        &authority,
        &signer.sign(&signer.header_with("kid", Value::Null), &claims()),
        "does not say which key",
    );
    refused(&authority, &other.sign(&signer.header(), &claims()), "signature does not verify");
    // A key without an id has its thumbprint.
    let mut nameless = signer.jwk();
    nameless["kid"] = json!("");
    let authority = of_set(&[nameless.clone()]).unwrap();
    refused(&authority, &signer.sign(&signer.header_with("kid", ""), &claims()), "no key of that id");
    let thumbprint = authority.keys_named()[0].clone();
    assert!(authority.verify(&signer.sign(&signer.header_with("kid", thumbprint), &claims())).is_ok());
    // Two keys may have one id, for two algorithms.
    let larger = Signer::of(&PKCS_ECDSA_P384_SHA384, Algorithm::ES384);
    let authority = of_set(&[signer.jwk(), larger.jwk()]).unwrap();
    for signer in [&signer, &larger] {
        assert!(authority.verify(&signer.sign(&signer.header(), &claims())).is_ok());
    }
}

#[test]
fn a_challenge_says_whom_to_ask_for_what_and_quotes_it() {
    let signer = Signer::p256();
    let authority = of_set(&[signer.jwk()]).unwrap();
    let challenge = |headers: &HeaderMap, needed: &Needed| {
        let challenge = authority.caller(headers, needed, NOW).unwrap_err();
        String::from_utf8(challenge.header.as_bytes().to_vec()).unwrap()
    };
    let begin = "Bearer realm=\"https://auth.example.com/token\",service=\"notary\",scope=";
    let push = needed(&[Action::Push, Action::Pull]);
    assert_eq!(challenge(&HeaderMap::new(), &push), format!("{begin}\"repository:{NAME}:push,pull\""));
    assert_eq!(challenge(&HeaderMap::new(), &Needed::of_all()), format!("{begin}\"registry:catalog:*\""));
    for (name, quoted) in [("a\",error=\"b", "a\\\",error=\\\"b"), ("a\\", "a\\\\"), ("é b", "é b")] {
        let needed = Needed::of(&name.parse().unwrap(), &[Action::Delete]);
        assert_eq!(challenge(&HeaderMap::new(), &needed), format!("{begin}\"repository:{quoted}:*\""));
    }
    let insufficient = authority.insufficient(&HeaderMap::new(), &push).header;
    assert!(insufficient.to_str().unwrap().ends_with(":push,pull\",error=\"insufficient_scope\""));
    let with = |values: &[&str]| {
        let values =
            values.iter().map(|value| (header::AUTHORIZATION, HeaderValue::from_str(value).unwrap()));
        values.collect::<Vec<_>>().into_iter().fold(HeaderMap::new(), |mut headers, (name, value)| {
            headers.append(name, value);
            headers
        })
    };
    let token = signer.sign(&signer.header(), &claims());
    for scheme in ["Bearer", "bearer", "BEARER", "bEaReR"] {
        assert!(authority.caller(&with(&[&format!("{scheme} {token}")]), &push, NOW).is_ok());
    }
    let bearer = format!("Bearer {token}");
    for none in [
        vec!["Basic YWxpY2U6c2VjcmV0"],
        vec!["Bearer"],
        vec!["Bearer "],
        vec![&*token],
        vec![&*format!("Bearer  {token}")],
        vec![&*format!("Bearer {token} ")],
        vec![&*format!("Bearer\t{token}")],
        vec![&*bearer, &*bearer],
        vec!["Basic YWxpY2U6c2VjcmV0", &*bearer],
        vec!["Bearer \u{e9}"],
    ] {
        assert!(!challenge(&with(&none), &push).contains("error="), "{none:?}");
    }
    assert!(challenge(&with(&["Bearer x.y.z"]), &push).ends_with(",error=\"invalid_token\""));
}

#[test]
fn settings_that_clients_could_not_be_told_are_refused() {
    for (realm, name) in [
        ("auth.example.com", "notary"),
        ("https://a\r\nb", "notary"),
        ("https://a", "not\u{7f}ary"),
        ("", "notary"),
    ] {
        let refused = Authority::open(TokenService::with_jwks(realm, name, "i", "")).unwrap_err();
        assert!(matches!(refused, AuthError::Setting { .. }), "{realm:?} {name:?}: {refused}");
    }
}

proptest! {
    #[test]
    fn any_text_is_refused_without_a_panic(token in ".{0,200}", header in "\\PC{0,60}", claims in "\\PC{0,60}") {
        let signer = shared();
        prop_assert!(signer.1.verify(&token).is_err());
        prop_assert!(signer.1.verify(&signer.0.sign_texts(&header, &claims)).is_err());
    }

    #[test]
    fn any_certificates_and_keys_are_refused_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300), at in 0_usize..300) {
        let (signer, authority) = shared();
        let mut damaged = signer.certificate().der().to_vec();
        let at = at % damaged.len();
        damaged[at] ^= bytes.first().copied().unwrap_or(1).max(1);
        for der in [&bytes, &damaged] {
            let header = signer.header_with("x5c", json!([BASE64_STANDARD.encode(der)]));
            prop_assert!(authority.verify(&signer.sign(&header, &claims())).is_err());
        }
        let text = BASE64_URL_SAFE_NO_PAD.encode(&bytes);
        for jwk in [json!({ "kty": "RSA", "n": text, "e": text }), json!({ "kty": "EC", "crv": "P-256", "x": text, "y": text })] {
            let header = signer.header_with("jwk", jwk);
            prop_assert!(authority.verify(&signer.sign(&header, &claims())).is_err());
        }
        let pem = String::from_utf8_lossy(&bytes).into_owned();
        prop_assert!(open(Some(&pem), None).is_err());
        prop_assert!(open(None, Some(&pem)).is_err());
    }
}

fn shared() -> &'static (Signer, Authority) {
    static SHARED: std::sync::OnceLock<(Signer, Authority)> = std::sync::OnceLock::new();
    SHARED.get_or_init(|| {
        let signer = Signer::p256();
        let authority = of_set(&[signer.jwk()]).unwrap();
        (signer, authority)
    })
}
