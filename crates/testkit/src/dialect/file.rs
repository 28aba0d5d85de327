use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use tufstore::crypto::{KeyId, SignatureMethod};

use super::canonical::{Unwritable, embedded};

/// One signature as a file lists it.
#[derive(Clone, Debug, Eq, PartialEq)]
#[expect(clippy::exhaustive_structs, reason = "the dialect fixes these three members")]
pub struct FileSignature {
    /// The key that it is said to be by.
    pub key: String,
    /// How it is said to be made.
    pub method: String,
    /// Raw.
    pub bytes: Vec<u8>,
}

impl FileSignature {
    /// By a key of the engine's.
    pub fn new(key: KeyId, method: SignatureMethod, bytes: Vec<u8>) -> Self {
        Self { key: key.to_string(), method: method_name(method).to_owned(), bytes }
    }
}

/// A whole file as clients write it: the signed part first, no white space, no newline at the end.
///
/// # Errors
/// [`Unwritable`].
pub fn file(signed: &Value, signatures: &[FileSignature]) -> Result<Vec<u8>, Unwritable> {
    let mut out = String::from(r#"{"signed":"#);
    out.push_str(&embedded(signed)?);
    out.push_str(r#","signatures":["#);
    for (at, signature) in signatures.iter().enumerate() {
        if at > 0 {
            out.push(',');
        }
        for (before, text) in [
            (r#"{"keyid":"#, signature.key.as_str()),
            (r#","method":"#, signature.method.as_str()),
            (r#","sig":"#, STANDARD.encode(&signature.bytes).as_str()),
        ] {
            out.push_str(before);
            out.push_str(&embedded(&Value::from(text))?);
        }
        out.push('}');
    }
    out.push_str("]}");
    Ok(out.into_bytes())
}

/// How the dialect spells a method.
fn method_name(method: SignatureMethod) -> &'static str {
    match method {
        SignatureMethod::EdDsa => "eddsa",
        SignatureMethod::RsaPkcs1v15 => "rsapkcs1v15",
        SignatureMethod::RsaPss => "rsapss",
        SignatureMethod::PycryptoPss => "pycrypto-pkcs#1 pss",
        // There are no others; a new one would need a new name here.
        SignatureMethod::Ecdsa | _ => "ecdsa",
    }
}
