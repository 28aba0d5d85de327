//! Doors for the fuzz targets in `fuzz/`: what is reached by whatever strangers send. Not part of the API.

use std::io::Write as _;
use std::sync::OnceLock;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, header};
use jsonwebtoken::{Algorithm, EncodingKey, crypto};
use rcgen::{KeyPair, PublicKeyData as _};
use serde_json::json;
use tufstore::terms::UnixTime;

use crate::api::route::{self, Operation, Route};
use crate::api::upload;
use crate::auth::{self, Authority, Needed};
use crate::settings::TokenService;

/// Reads any method and path; the name that comes out is one, and is found in the path.
pub fn router(method: &[u8], path: &str) {
    let Ok(method) = Method::from_bytes(method) else { return };
    if let Route::Repository { repository, operation } = route::of(&method, path) {
        assert!(matches!(method, Method::GET | Method::POST | Method::DELETE));
        let encoded: String =
            percent_encoding::utf8_percent_encode(repository.as_str(), percent_encoding::NON_ALPHANUMERIC)
                .collect();
        if operation == Operation::Publish {
            let again = route::of(&method, &format!("/v2/{encoded}/_trust/tuf/"));
            assert_eq!(again, Route::Repository { repository, operation });
        }
    }
}

/// Reads any body as an upload.
pub fn upload_body(content_type: &str, body: &[u8]) {
    if let Ok(upload) = upload::parse(Some(content_type), Bytes::copy_from_slice(body)) {
        let taken: usize = upload.files().map(|(_, bytes)| bytes.len()).sum();
        assert!(taken <= body.len());
    }
}

/// Reads any text as a token, which nobody signed; and any header and claims, each as JSON, that the service did sign.
pub fn token(text: &str, header: &str, claims: &str) {
    static SERVICE: OnceLock<Option<(EncodingKey, Authority)>> = OnceLock::new();
    let Some((key, authority)) = SERVICE.get_or_init(service) else { return };
    assert!(!is_taken(authority, text));
    let part = |text: &str| BASE64_URL_SAFE_NO_PAD.encode(text);
    let message = format!("{}.{}", part(header), part(claims));
    let Ok(signature) = crypto::sign(message.as_bytes(), key, Algorithm::ES256) else { return };
    if is_taken(authority, &format!("{message}.{signature}")) {
        assert!(header.contains("ES256") && claims.contains("exp"));
    }
}

/// Reads any bytes as the keys of a service.
pub fn token_keys(bytes: &[u8]) {
    auth::read_keys(bytes);
}

fn service() -> Option<(EncodingKey, Authority)> {
    let pair = KeyPair::generate().ok()?;
    let (_, point) = pair.der_bytes().split_first()?;
    let (x, y) = point.split_at_checked(32)?;
    let text = |bytes: &[u8]| BASE64_URL_SAFE_NO_PAD.encode(bytes);
    let jwk = json!({ "kty": "EC", "crv": "P-256", "x": text(x), "y": text(y), "kid": "k" });
    let mut file = tempfile::NamedTempFile::new().ok()?;
    file.write_all(json!({ "keys": [jwk] }).to_string().as_bytes()).ok()?;
    let service = TokenService::with_jwks("https://a", "s", "i", file.path());
    Some((EncodingKey::from_ec_der(&pair.serialize_der()), Authority::open(service).ok()?))
}

fn is_taken(authority: &Authority, token: &str) -> bool {
    let Ok(value) = HeaderValue::try_from(format!("Bearer {token}")) else { return false };
    let headers = HeaderMap::from_iter([(header::AUTHORIZATION, value)]);
    authority.caller(&headers, &Needed::of_all(), UnixTime::from_seconds(0)).is_ok()
}
