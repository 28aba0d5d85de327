//! A certificate for a server that was given none, by an authority of its own.
//!
//! The authority signs this one certificate, and its key is thrown away; it is confined to the names of that certificate
//! besides. So whoever trusts it trusts this server under these names, and nothing else, ever.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write as _};
use std::net::IpAddr;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use rcgen::string::Ia5String;
use rcgen::{
    BasicConstraints, CertificateParams, CidrSubnet, DnType, ExtendedKeyUsagePurpose, GeneralSubtree, IsCa,
    Issuer, KeyPair, KeyUsagePurpose, NameConstraints, SanType,
};
use time::{Duration, OffsetDateTime};
use tufstore::terms::UnixTime;
use x509_parser::pem::Pem;
use x509_parser::prelude::GeneralName;

use super::TlsError;

/// How long both are valid. Nothing renews them; a new one has to be trusted anew.
const LIFETIME: Duration = Duration::days(3650);
/// For clocks that are slow.
const BEFORE: Duration = Duration::days(1);

/// The files of a server's certificate.
pub(super) struct Made {
    pub(super) certificate: PathBuf,
    pub(super) key: PathBuf,
}

impl Made {
    fn in_folder(folder: &Path) -> Self {
        Self { certificate: folder.join("server.crt"), key: folder.join("server.key") }
    }
}

/// The certificate in `folder`, for localhost, the address that is listened on, and `names`; made if there is none.
pub(super) fn certificate(
    folder: &Path,
    names: &[String],
    listen: IpAddr,
    now: UnixTime,
) -> Result<Made, TlsError> {
    if let Some(made) = made(folder, names, listen)? {
        return Ok(made);
    }
    let made = Made::in_folder(folder);
    make(folder, &made, &every(names, listen), now)?;
    Ok(made)
}

/// The certificate in `folder` if it is there, for all of its names.
pub(super) fn made(folder: &Path, names: &[String], listen: IpAddr) -> Result<Option<Made>, TlsError> {
    let made = Made::in_folder(folder);
    // It is written last: with it, all is there.
    if !made.certificate.exists() {
        return Ok(None);
    }
    covers(&made.certificate, &every(names, listen))?;
    Ok(Some(made))
}

fn every(names: &[String], listen: IpAddr) -> Vec<String> {
    let mut all = ["localhost", "127.0.0.1", "::1"].map(str::to_owned).to_vec();
    if !listen.is_unspecified() && !listen.is_loopback() {
        all.push(listen.to_string());
    }
    all.extend(names.iter().cloned());
    all
}

fn make(folder: &Path, made: &Made, names: &[String], now: UnixTime) -> Result<(), TlsError> {
    let now = OffsetDateTime::from_unix_timestamp(now.seconds()).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    let valid = |params: &mut CertificateParams| {
        params.not_before = now.saturating_sub(BEFORE);
        params.not_after = now.saturating_add(LIFETIME);
    };
    let mut server = CertificateParams::new(names)?;
    server.distinguished_name.push(DnType::CommonName, "tufstore");
    server.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    server.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    valid(&mut server);
    let mut authority = CertificateParams::new(Vec::<String>::new())?;
    authority.distinguished_name.push(DnType::CommonName, "tufstore, this server only");
    authority.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    authority.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    authority.name_constraints = Some(NameConstraints {
        permitted_subtrees: server.subject_alt_names.iter().filter_map(subtree).collect(),
        excluded_subtrees: Vec::new(),
    });
    valid(&mut authority);
    let authority_key = KeyPair::generate()?;
    let root = authority.self_signed(&authority_key)?;
    let issuer = Issuer::from_params(&authority, &authority_key);
    let key = KeyPair::generate()?;
    let certificate = server.signed_by(&key, &issuer)?;
    let failed = |source| TlsError::File { path: folder.to_owned(), source };
    DirBuilder::new().recursive(true).mode(0o755).create(folder).map_err(failed)?;
    write(&folder.join("ca.crt"), 0o644, &root.pem())?;
    write(&made.key, 0o600, &key.serialize_pem())?;
    write(&made.certificate, 0o644, &certificate.pem())
}

#[expect(clippy::wildcard_enum_match_arm, reason = "a server is named in two ways")]
fn subtree(name: &SanType) -> Option<GeneralSubtree> {
    match name {
        SanType::DnsName(name) => Some(GeneralSubtree::DnsName(Ia5String::as_str(name).to_owned())),
        SanType::IpAddress(IpAddr::V4(address)) => {
            Some(GeneralSubtree::IpAddress(CidrSubnet::from_v4_prefix(address.octets(), 32)))
        }
        SanType::IpAddress(IpAddr::V6(address)) => {
            Some(GeneralSubtree::IpAddress(CidrSubnet::from_v6_prefix(address.octets(), 128)))
        }
        _ => None,
    }
}

/// Writes a file whole or not at all.
fn write(path: &Path, mode: u32, text: &str) -> Result<(), TlsError> {
    let beside = path.with_extension("new");
    let written = || -> io::Result<()> {
        #[expect(clippy::disallowed_methods, reason = "of the transport and not of the store")]
        if beside.exists() {
            fs::remove_file(&beside)?;
        }
        let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(&beside)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        #[expect(clippy::disallowed_methods, reason = "of the transport and not of the store")]
        fs::rename(&beside, path)
    };
    written().map_err(|source| TlsError::File { path: path.to_owned(), source })
}

/// Whether the certificate is for all of these names.
fn covers(path: &Path, names: &[String]) -> Result<(), TlsError> {
    let unusable = |kind| TlsError::File { path: path.to_owned(), source: io::Error::from(kind) };
    let text = fs::read(path).map_err(|source| TlsError::File { path: path.to_owned(), source })?;
    let pem = Pem::iter_from_buffer(&text).next().and_then(Result::ok);
    let pem = pem.ok_or_else(|| unusable(io::ErrorKind::InvalidData))?;
    let certificate = pem.parse_x509().map_err(|_| unusable(io::ErrorKind::InvalidData))?;
    let there = certificate.subject_alternative_name().ok().flatten();
    let there: Vec<String> =
        there.into_iter().flat_map(|names| &names.value.general_names).map(shown).collect();
    match names.iter().find(|name| !there.iter().any(|there| there.eq_ignore_ascii_case(name))) {
        None => Ok(()),
        Some(missing) => Err(TlsError::OtherNames { path: path.to_owned(), name: missing.clone() }),
    }
}

#[expect(clippy::wildcard_enum_match_arm, reason = "a server is named in two ways")]
fn shown(name: &GeneralName<'_>) -> String {
    match name {
        GeneralName::DNSName(name) => (*name).to_owned(),
        GeneralName::IPAddress(bytes) => {
            let v4 = <[u8; 4]>::try_from(*bytes).map(IpAddr::from);
            let v6 = <[u8; 16]>::try_from(*bytes).map(IpAddr::from);
            v4.or(v6).map(|address| address.to_string()).unwrap_or_default()
        }
        other => other.to_string(),
    }
}
