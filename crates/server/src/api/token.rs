//! Docker's token protocol: who somebody is, for a token that says what they may.

use std::net::{IpAddr, Ipv4Addr};

use axum::body::Body;
use http::{HeaderValue, Method, Request, Response, header};
use serde::Serialize;

use super::{Peer, WireError};
use crate::service::Service;
use crate::tokens::{Audience, Granted, InvalidRequest, LoginError, TokenRequest, grants};
use crate::workers::WorkError;

/// A form with a name, a secret and scopes for many repositories.
const LONGEST: usize = 64 << 10;

/// In the names of both ways to ask: the one that clients of registries read, and the one of OAuth.
#[derive(Serialize)]
struct Answer {
    token: String,
    access_token: String,
    token_type: &'static str,
    expires_in: i64,
    issued_at: String,
}

/// A token for whoever says who they are, and one that allows nothing for whoever does not.
pub(super) async fn token(service: &Service, request: Request<Body>) -> Result<Response<Body>, WireError> {
    let from = peer(&request);
    let asked = if *request.method() == Method::POST {
        let (form, _room) = service.bodies.receive_short(request, LONGEST).await?;
        TokenRequest::of_form(&form)
    } else {
        TokenRequest::of_query(request.uri().query().unwrap_or_default(), request.headers())
    };
    let TokenRequest { service: name, scopes, login } = asked?;
    let audience = Audience::named(&name, &service.own.trust)
        .ok_or_else(|| WireError::invalid_parameters(Some("no service has that name".to_owned())))?;
    let (access, now) = (service.directory.access(), service.clock.now());
    let identity = service.own.logins.identify(&service.workers, &access, login, from, now).await?;
    let granted = match identity {
        None => Granted { subject: String::new(), service: name, access: Vec::new() },
        Some(identity) => {
            let access = grants(&access, &identity, &audience, &scopes, now);
            Granted { subject: identity.to_string(), service: name, access }
        }
    };
    let token = service.own.issuer.issue(&granted, now).map_err(|error| {
        tracing::error!(error = %crate::text::chain(&error), "no token could be made");
        WireError::unknown()
    })?;
    let answer = Answer {
        access_token: token.clone(),
        token,
        token_type: "Bearer",
        expires_in: service.own.issuer.lifetime(),
        issued_at: now.to_string(),
    };
    let text = serde_json::to_string(&answer).map_err(|_| WireError::unknown())?;
    let mut response = Response::new(Body::from(text));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

/// What verifies every token of this server: the `rootcertbundle` of registries.
pub(super) fn authority(service: &Service) -> Response<Body> {
    let mut response = Response::new(Body::from(service.own.issuer.pem().to_owned()));
    let kind = HeaderValue::from_static("application/x-pem-file");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}

/// Whose tries are counted together; all that came by no connection of ours.
pub(super) fn peer(request: &Request<Body>) -> IpAddr {
    request.extensions().get::<Peer>().map_or(Ipv4Addr::UNSPECIFIED.into(), |Peer(peer)| *peer)
}

impl From<InvalidRequest> for WireError {
    fn from(why: InvalidRequest) -> Self {
        match why {
            InvalidRequest::Credentials => Self::wrong_login(),
            InvalidRequest::NoService
            | InvalidRequest::Scope
            | InvalidRequest::TooMany
            | InvalidRequest::GrantType => Self::invalid_parameters(Some(why.to_string())),
        }
    }
}

impl From<LoginError> for WireError {
    fn from(why: LoginError) -> Self {
        match why {
            LoginError::Wrong => Self::wrong_login(),
            LoginError::TooMany => Self::too_many("Too many passwords were tried. Wait a minute."),
            LoginError::Work(WorkError::Busy | WorkError::Panicked) => Self::busy(),
        }
    }
}
