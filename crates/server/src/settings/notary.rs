//! A notary-server's configuration: what still makes sense is taken, the rest is named.

use std::net::{IpAddr, Ipv6Addr, SocketAddr, ToSocketAddrs as _};
use std::path::Path;

use serde_json::Value;

use super::file::{Ignored, SettingsError};
use super::given::{Algorithm, Given, GivenAuth, GivenTls, Level};

/// Where something stood and does not count any more, and why.
const GONE: [(&str, &str); 6] = [
    ("auth.options", "nobody asks for tokens without auth.type, and no other options are known"),
    ("storage", "the store is a folder of this server, and needs no database"),
    ("trust_service", "this server signs itself, and needs no signer"),
    ("reporting", "nothing is reported to anybody"),
    ("server", "nobody knows this setting"),
    ("", "nobody knows this setting"),
];

/// What is taken over.
const KNOWN: [&str; 15] = [
    "auth.options.autoredirect",
    "auth.options.issuer",
    "auth.options.realm",
    "auth.options.rootcertbundle",
    "auth.options.service",
    "auth.type",
    "caching.max_age.consistent_metadata",
    "caching.max_age.current_metadata",
    "logging.level",
    "repositories.gun_prefixes",
    "server.client_ca_file",
    "server.http_addr",
    "server.tls_cert_file",
    "server.tls_key_file",
    "trust_service.key_algorithm",
];

pub(super) fn read(
    path: &Path,
    text: &str,
    environment: &dyn Fn(&str) -> Option<String>,
) -> Result<(Given, Vec<Ignored>), SettingsError> {
    let wrong = |why: String| SettingsError::Notary { path: path.to_owned(), why };
    let file: Value = serde_json::from_str(text).map_err(|error| wrong(error.to_string()))?;
    let file = File { file, environment };
    let text = |key: &str| file.text(key).map_err(&wrong);
    let auth = match text("auth.type")?.as_deref() {
        None => GivenAuth::default(),
        Some("token") => file.token_service().map_err(&wrong)?,
        Some(kind) => {
            return Err(SettingsError::Authentication { path: path.to_owned(), kind: kind.to_owned() });
        }
    };
    let mut given = Given { auth, ..Given::default() };
    given.listen = text("server.http_addr")?.map(|address| listen(&address)).transpose().map_err(&wrong)?;
    given.tls = GivenTls {
        certificate: text("server.tls_cert_file")?.map(Into::into),
        key: text("server.tls_key_file")?.map(Into::into),
        client_ca: text("server.client_ca_file")?.map(Into::into),
        ..GivenTls::default()
    };
    // As notary-server has it: without files it speaks plain HTTP.
    given.tls.off = (given.tls.certificate.is_none() && given.tls.key.is_none()).then_some(true);
    given.keys.algorithm = match text("trust_service.key_algorithm")?.as_deref() {
        None => None,
        Some("ecdsa") => Some(Algorithm::Ecdsa),
        Some("ed25519") => Some(Algorithm::Ed25519),
        Some(other) => return Err(wrong(format!("keys of algorithm {other:?} cannot be made here"))),
    };
    given.caching.current = file.number("caching.max_age.current_metadata").map_err(&wrong)?;
    given.caching.consistent = file.number("caching.max_age.consistent_metadata").map_err(&wrong)?;
    given.gun_prefixes = file.prefixes().map_err(&wrong)?;
    given.log.level = match text("logging.level")?.as_deref() {
        None => None,
        Some("debug") => Some(Level::Debug),
        Some("info") => Some(Level::Info),
        Some("warn" | "warning") => Some(Level::Warn),
        Some("error" | "fatal" | "panic") => Some(Level::Error),
        Some(other) => return Err(wrong(format!("{other:?} is no level of a log"))),
    };
    Ok((given, file.ignored()))
}

/// The file, and what stands above it.
struct File<'a> {
    file: Value,
    environment: &'a dyn Fn(&str) -> Option<String>,
}

impl File<'_> {
    fn at(&self, key: &str) -> Option<&Value> {
        key.split('.').try_fold(&self.file, |value, name| value.get(name)).filter(|value| !value.is_null())
    }

    fn text(&self, key: &str) -> Result<Option<String>, String> {
        let variable = format!("NOTARY_SERVER_{}", key.to_uppercase().replace('.', "_"));
        if let Some(text) = (self.environment)(&variable).filter(|text| !text.is_empty()) {
            return Ok(Some(text));
        }
        match self.at(key) {
            None => Ok(None),
            Some(Value::String(text)) if text.is_empty() => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(Value::Number(number)) => Ok(Some(number.to_string())),
            Some(Value::Bool(truth)) => Ok(Some(truth.to_string())),
            Some(_) => Err(format!("{key} is no text")),
        }
    }

    fn token_service(&self) -> Result<GivenAuth, String> {
        let option = |name: &str| {
            let key = format!("auth.options.{name}");
            self.text(&key)?.map(Some).ok_or_else(|| format!("{key} is not given"))
        };
        let redirects = self.text("auth.options.autoredirect")?;
        if !matches!(redirects.as_deref(), None | Some("false")) {
            return Err("auth.options.autoredirect is not known here: say the realm".to_owned());
        }
        Ok(GivenAuth {
            realm: option("realm")?,
            service: option("service")?,
            issuer: option("issuer")?,
            root_cert_bundle: option("rootcertbundle")?.map(Into::into),
            jwks: None,
        })
    }

    fn number(&self, key: &str) -> Result<Option<u32>, String> {
        let text = self.text(key)?;
        text.map(|text| text.parse().map_err(|_| format!("{key} is no number of seconds"))).transpose()
    }

    fn prefixes(&self) -> Result<Option<Vec<String>>, String> {
        let Some(value) = self.at("repositories.gun_prefixes") else { return Ok(None) };
        let prefixes = value.as_array().and_then(|prefixes| {
            prefixes.iter().map(|prefix| prefix.as_str().map(ToOwned::to_owned)).collect()
        });
        prefixes.map(Some).ok_or_else(|| "repositories.gun_prefixes is no list of texts".to_owned())
    }

    fn ignored(&self) -> Vec<Ignored> {
        let mut leaves = Vec::new();
        collect("", &self.file, &mut leaves);
        let takes_tokens = matches!(self.text("auth.type"), Ok(Some(_)));
        leaves.retain(|key| {
            let is_idle = key.starts_with("auth.options.") && !takes_tokens;
            is_idle || !KNOWN.contains(&key.as_str())
        });
        let why = |key: &str| {
            let of = |(group, _): &&(&str, &str)| {
                group.is_empty() || key == *group || key.starts_with(&format!("{group}."))
            };
            GONE.iter().find(of).map_or("", |(_, why)| why)
        };
        leaves.into_iter().map(|key| Ignored { why: why(&key), key }).collect()
    }
}

/// The keys of everything that is no object itself. As deep as a file is that was read, which is bounded.
fn collect(above: &str, value: &Value, leaves: &mut Vec<String>) {
    let Some(object) = value.as_object() else {
        leaves.push(above.to_owned());
        return;
    };
    for (name, value) in object {
        let key = if above.is_empty() { name.clone() } else { format!("{above}.{name}") };
        collect(&key, value, leaves);
    }
}

/// `:4443` is every address of the machine.
fn listen(address: &str) -> Result<SocketAddr, String> {
    let wrong = || format!("server.http_addr {address:?} is no address and port");
    if let Some(port) = address.strip_prefix(':') {
        let port = port.parse().map_err(|_| wrong())?;
        return Ok(SocketAddr::from((IpAddr::from(Ipv6Addr::UNSPECIFIED), port)));
    }
    address.to_socket_addrs().ok().and_then(|mut found| found.next()).ok_or_else(wrong)
}
