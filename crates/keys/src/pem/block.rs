//! PEM with headers (RFC 1421), as Go's library reads and writes it.

use core::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use md5::{Digest as _, Md5};
use zeroize::Zeroizing;

use super::{IV, KeyPemError};
use crate::error::KeyError;

/// One block of a text.
pub(super) struct Block<'a> {
    pub(super) kind: &'a str,
    headers: Vec<(&'a str, &'a str)>,
    pub(super) content: Zeroizing<Vec<u8>>,
}

const LINE: usize = 64;

impl<'a> Block<'a> {
    pub(super) fn header(&self, name: &str) -> Option<&'a str> {
        self.headers.iter().find(|(header, _)| *header == name).map(|(_, value)| *value)
    }

    /// Of the encryption that stood in headers before PKCS#8: `None` without one.
    pub(super) fn legacy_iv(&self) -> Result<Option<[u8; IV]>, KeyPemError> {
        let Some(info) = self.header("DEK-Info") else {
            return Ok(None);
        };
        let (cipher, digits) = info.split_once(',').ok_or(KeyPemError::Damaged)?;
        if !cipher.eq_ignore_ascii_case("AES-256-CBC") {
            return Err(KeyError::Unsupported { what: "a legacy encryption other than AES-256-CBC" }.into());
        }
        let digits = digits.trim();
        let mut iv = [0; IV];
        if digits.len() != 2 * IV || !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return Err(KeyPemError::Damaged);
        }
        for (at, byte) in (0..).step_by(2).zip(&mut iv) {
            let pair = digits.get(at..at + 2).ok_or(KeyPemError::Damaged)?;
            *byte = u8::from_str_radix(pair, 16).map_err(|_| KeyPemError::Damaged)?;
        }
        Ok(Some(iv))
    }
}

/// All blocks of a text, whatever stands between them.
pub(super) fn blocks(text: &str) -> Result<Vec<Block<'_>>, KeyPemError> {
    let mut blocks = Vec::new();
    let mut lines = text.lines().map(str::trim);
    while let Some(line) = lines.next() {
        if let Some(kind) = marker(line, "-----BEGIN ") {
            blocks.push(block(kind, &mut lines)?);
        }
    }
    Ok(blocks)
}

fn block<'a>(
    kind: &'a str,
    lines: &mut (impl Iterator<Item = &'a str> + Clone),
) -> Result<Block<'a>, KeyPemError> {
    let mut headers = Vec::new();
    // Room for the whole block from the start, so that growing leaves no copy behind.
    let room = lines.clone().take_while(|line| marker(line, "-----END ").is_none()).map(str::len).sum();
    let mut digits = Zeroizing::new(String::with_capacity(room));
    for line in lines {
        if let Some(ended) = marker(line, "-----END ") {
            let mut content = Zeroizing::new(Vec::with_capacity(digits.len()));
            let decoded = STANDARD.decode_vec(digits.as_bytes(), &mut content);
            if ended != kind || decoded.is_err() {
                return Err(KeyPemError::Damaged);
            }
            return Ok(Block { kind, headers, content });
        }
        match line.split_once(':') {
            Some((name, value)) if digits.is_empty() => headers.push((name.trim(), value.trim())),
            Some(_) => return Err(KeyPemError::Damaged),
            None => digits.push_str(line),
        }
    }
    Err(KeyPemError::Damaged)
}

fn marker<'a>(line: &'a str, start: &str) -> Option<&'a str> {
    line.strip_prefix(start)?.strip_suffix("-----")
}

/// Headers in the order of their names, but the legacy encryption first.
pub(super) fn written(
    kind: &str,
    iv: Option<[u8; IV]>,
    labels: &[(&str, Option<&str>)],
    content: &[u8],
) -> Zeroizing<String> {
    let mut digits = Zeroizing::new(vec![0; content.len().div_ceil(3) * 4]);
    // It fits: the room is exactly what base64 takes.
    let length = STANDARD.encode_slice(content, &mut digits).unwrap_or(0);
    let labels = labels.iter().filter_map(|(name, value)| value.map(|value| (name, value)));
    let room = labels.clone().map(|(name, value)| name.len() + value.len() + 3).sum::<usize>();
    let mut text = Zeroizing::new(String::with_capacity(2 * length + room + 2 * kind.len() + 256));
    text.push_str("-----BEGIN ");
    text.push_str(kind);
    text.push_str("-----\n");
    let before = text.len();
    if let Some(iv) = iv {
        text.push_str("Proc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,");
        for byte in iv {
            // Writing to a string cannot fail.
            write!(text, "{byte:02x}").unwrap_or(());
        }
        text.push('\n');
    }
    for (name, value) in labels {
        for part in [name, ": ", value, "\n"] {
            text.push_str(part);
        }
    }
    if text.len() > before {
        text.push('\n');
    }
    for line in digits.chunks(LINE) {
        text.extend(line.iter().copied().map(char::from));
        text.push('\n');
    }
    text.push_str("-----END ");
    text.push_str(kind);
    text.push_str("-----\n");
    text
}

/// The key of the legacy encryption: what OpenSSL's `EVP_BytesToKey` makes of MD5, one round, and the start of the IV.
pub(super) fn legacy_key(passphrase: &[u8], iv: &[u8; IV]) -> Zeroizing<[u8; 32]> {
    let salt = iv.first_chunk::<8>().copied().unwrap_or_default();
    let first =
        Zeroizing::new(<[u8; 16]>::from(Md5::new().chain_update(passphrase).chain_update(salt).finalize()));
    let second = Zeroizing::new(<[u8; 16]>::from(
        Md5::new().chain_update(first.as_slice()).chain_update(passphrase).chain_update(salt).finalize(),
    ));
    let mut key = Zeroizing::new([0; 32]);
    key.iter_mut().zip(first.iter().chain(second.iter())).for_each(|(to, from)| *to = *from);
    key
}
