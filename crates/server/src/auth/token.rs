use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use jsonwebtoken::{Algorithm, Header, Validation, decode, decode_header};
use rustls::pki_types::CertificateDer;
use serde::Deserialize;
use tufstore::terms::UnixTime;

use super::keys::{Keys, TokenKey};
use super::{Action, Needed};
use crate::settings::TokenService;

/// Longer ones are refused unread: no service that is known makes them.
const LONGEST: usize = 16 << 10;
/// What the clocks of two machines may differ by, in seconds.
const LEEWAY: i64 = 60;
/// Certificates in a token. Whoever sends more has the server verify more.
const MOST_CERTIFICATES: usize = 4;

/// Why a token says nothing: for the log.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct InvalidToken(pub(super) &'static str);

/// What a token says of who holds it, once it was verified. Made by [`verify`] alone.
#[derive(Clone, Debug)]
pub(crate) struct Claims {
    /// Whom it was issued to, as the service calls them.
    pub(crate) subject: String,
    access: Vec<Grant>,
}

#[derive(Clone, Debug, Deserialize)]
struct Grant {
    #[serde(rename = "type")]
    kind: String,
    name: String,
    /// Where nothing is allowed, some services say `null`.
    #[serde(default)]
    actions: Option<Vec<String>>,
}

/// As it stands in the token. Its audience is one text: of a list, nobody knows whom else it is meant for.
#[derive(Deserialize)]
struct Body {
    iss: String,
    #[serde(default)]
    sub: Option<String>,
    aud: String,
    exp: i64,
    nbf: Option<i64>,
    #[serde(default)]
    access: Option<Vec<Grant>>,
}

impl Claims {
    /// Whether it allows an action, by its name or as all there are.
    pub(super) fn hold(&self, needed: &Needed, action: Action) -> bool {
        self.access.iter().any(|grant| {
            let is_named = |name: &String| name == action.as_str() || name == Action::All.as_str();
            let is_about_it = grant.kind == needed.kind && grant.name == needed.name;
            is_about_it && grant.actions.iter().flatten().any(is_named)
        })
    }
}

/// Verifies a token at `now`: signed by a key of the service, issued by it for this server, and in its time.
pub(super) fn verify(
    token: &str,
    service: &TokenService,
    keys: &Keys,
    now: UnixTime,
) -> Result<Claims, InvalidToken> {
    if token.len() > LONGEST {
        return Err(InvalidToken("it is too long"));
    }
    let header = decode_header(token).map_err(|_| InvalidToken("its header cannot be read"))?;
    if header.crit.is_some() {
        return Err(InvalidToken("it demands what is not known"));
    }
    let key = signer(&header, keys, now)?;
    if !key.takes(header.alg) {
        return Err(InvalidToken("its algorithm is not its key's"));
    }
    let body: Body = decode(token, &key.key, &only_signature(header.alg))
        .map_err(|_| InvalidToken("its signature does not verify, or its claims cannot be read"))?
        .claims;
    if body.iss != service.issuer {
        return Err(InvalidToken("another service issued it"));
    }
    if body.aud != service.service {
        return Err(InvalidToken("it is for another service"));
    }
    if now.seconds() > body.exp.saturating_add(LEEWAY) {
        return Err(InvalidToken("it has expired"));
    }
    if body.nbf.is_some_and(|nbf| now.seconds() < nbf.saturating_sub(LEEWAY)) {
        return Err(InvalidToken("it is not valid yet"));
    }
    Ok(Claims { subject: body.sub.unwrap_or_default(), access: body.access.unwrap_or_default() })
}

/// The rest is looked at here, with the server's clock.
fn only_signature(algorithm: Algorithm) -> Validation {
    let mut validation = Validation::new(algorithm);
    validation.required_spec_claims.clear();
    validation.validate_exp = false;
    validation.validate_nbf = false;
    validation.validate_aud = false;
    validation
}

/// The key that a token says it was signed with, if it is one of the service's: by certificate, by itself, or by its id.
/// What it says first counts: a certificate that is not trusted is not made up for by an id that is.
fn signer(header: &Header, keys: &Keys, now: UnixTime) -> Result<TokenKey, InvalidToken> {
    if let Some(chain) = &header.x5c {
        let chain = certificates(chain)?;
        return keys.of_chain(&chain, now).ok_or(InvalidToken("its certificate is not trusted"));
    }
    if let Some(jwk) = &header.jwk {
        let key = match &jwk.common.x509_chain {
            Some(chain) => keys.of_certified(jwk, &certificates(chain)?, now),
            None => keys.of_jwk(jwk),
        };
        return key.ok_or(InvalidToken("its key is not trusted"));
    }
    let kid = header.kid.as_deref().ok_or(InvalidToken("it does not say which key signed it"))?;
    keys.named(kid, header.alg).ok_or(InvalidToken("no key of that id is known, for that algorithm"))
}

fn certificates(chain: &[String]) -> Result<Vec<CertificateDer<'static>>, InvalidToken> {
    if chain.len() > MOST_CERTIFICATES {
        return Err(InvalidToken("it carries too many certificates"));
    }
    let der = chain.iter().map(|text| BASE64_STANDARD.decode(text).map(CertificateDer::from));
    der.collect::<Result<_, _>>().map_err(|_| InvalidToken("a certificate of it cannot be read"))
}
