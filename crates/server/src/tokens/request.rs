//! What is asked of the token service, as clients write it. Pure, so that anything can be thrown at it.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use http::{HeaderMap, header};
use zeroize::Zeroizing;

/// More scopes are not looked at in one request: clients ask for one to a dozen.
const MOST_SCOPES: usize = 64;
/// Of one scope: a repository's name has at most 255 bytes.
const LONGEST_SCOPE: usize = 512;
/// Of a name and of a secret.
const LONGEST_LOGIN: usize = 1024;

/// A request for a token.
#[derive(Debug)]
pub(crate) struct TokenRequest {
    /// Whom the token is to be shown to.
    pub(crate) service: String,
    pub(crate) scopes: Vec<Scope>,
    pub(crate) login: Login,
}

/// What somebody shows of who they are.
pub(crate) enum Login {
    /// Nothing.
    Nobody,
    /// A name, and a password or token.
    Named { name: String, secret: Zeroizing<String> },
    /// A token, which says by itself whose it is.
    Token(Zeroizing<String>),
}

/// One thing that the token is to be for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Scope {
    pub(crate) kind: String,
    pub(crate) name: String,
    pub(crate) actions: Vec<String>,
}

/// Why a request cannot be answered.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub(crate) enum InvalidRequest {
    #[error("`service` is missing: the name of whom the token is to be shown to")]
    NoService,
    #[error("a scope is `type:name:action[,action]`")]
    Scope,
    #[error("too many scopes")]
    TooMany,
    #[error("credentials that cannot be read")]
    Credentials,
    #[error("`grant_type` is `password` or `refresh_token`")]
    GrantType,
}

impl TokenRequest {
    /// Of a `GET`: parameters in the query, credentials in a header.
    pub(crate) fn of_query(query: &str, headers: &HeaderMap) -> Result<Self, InvalidRequest> {
        let given = Given::read(query.as_bytes())?;
        Ok(Self { service: given.service()?, scopes: given.scopes, login: Login::of_headers(headers)? })
    }

    /// Of a `POST`: everything in a form.
    pub(crate) fn of_form(form: &[u8]) -> Result<Self, InvalidRequest> {
        let given = Given::read(form)?;
        let service = given.service()?;
        let bounded = |text: Option<Zeroizing<String>>| {
            text.filter(|text| text.len() <= LONGEST_LOGIN).ok_or(InvalidRequest::Credentials)
        };
        let login = match given.grant_type.as_deref() {
            Some("password") => {
                let name = given.username.filter(|name| name.len() <= LONGEST_LOGIN);
                let name = name.ok_or(InvalidRequest::Credentials)?;
                Login::Named { name, secret: bounded(given.password)? }
            }
            Some("refresh_token") => Login::Token(bounded(given.refresh_token)?),
            Some(_) | None => return Err(InvalidRequest::GrantType),
        };
        Ok(Self { service, scopes: given.scopes, login })
    }
}

impl Login {
    /// Basic credentials, if there are any (RFC 7617).
    pub(crate) fn of_headers(headers: &HeaderMap) -> Result<Self, InvalidRequest> {
        let mut values = headers.get_all(header::AUTHORIZATION).iter();
        let Some(value) = values.next() else { return Ok(Self::Nobody) };
        if values.next().is_some() {
            return Err(InvalidRequest::Credentials);
        }
        let read = || {
            let (scheme, encoded) = value.to_str().ok()?.split_once(' ')?;
            if !scheme.eq_ignore_ascii_case("basic") || encoded.len() > LONGEST_LOGIN.saturating_mul(3) {
                return None;
            }
            let decoded = Zeroizing::new(BASE64_STANDARD.decode(encoded.trim()).ok()?);
            let text = std::str::from_utf8(&decoded).ok()?;
            let (name, secret) = text.split_once(':')?;
            let fits = name.len() <= LONGEST_LOGIN && secret.len() <= LONGEST_LOGIN;
            fits.then(|| Self::Named { name: name.to_owned(), secret: Zeroizing::new(secret.to_owned()) })
        };
        read().ok_or(InvalidRequest::Credentials)
    }
}

impl std::fmt::Debug for Login {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Nobody => f.write_str("Nobody"),
            Self::Named { name, .. } => f.debug_struct("Named").field("name", name).finish_non_exhaustive(),
            Self::Token(_) => f.write_str("Token"),
        }
    }
}

/// The parameters of a request, wherever they stand.
#[derive(Default)]
struct Given {
    service: Option<String>,
    scopes: Vec<Scope>,
    grant_type: Option<String>,
    username: Option<String>,
    password: Option<Zeroizing<String>>,
    refresh_token: Option<Zeroizing<String>>,
}

impl Given {
    fn read(form: &[u8]) -> Result<Self, InvalidRequest> {
        let mut given = Self::default();
        for (name, value) in form_urlencoded::parse(form) {
            match &*name {
                // Of the same twice, the first, as servers of this protocol do.
                "service" => given.service = given.service.or(Some(value.into_owned())),
                // Several in one are separated by spaces (RFC 6749, 3.3).
                "scope" => {
                    for scope in value.split(' ').filter(|scope| !scope.is_empty()) {
                        given.scopes.push(scope.parse()?);
                    }
                }
                "grant_type" => given.grant_type = Some(value.into_owned()),
                "username" => given.username = Some(value.into_owned()),
                "password" => given.password = Some(Zeroizing::new(value.into_owned())),
                "refresh_token" => given.refresh_token = Some(Zeroizing::new(value.into_owned())),
                _ => {}
            }
            if given.scopes.len() > MOST_SCOPES {
                return Err(InvalidRequest::TooMany);
            }
        }
        Ok(given)
    }

    fn service(&self) -> Result<String, InvalidRequest> {
        let service = self.service.clone().filter(|service| !service.is_empty());
        service.filter(|service| service.len() <= LONGEST_SCOPE).ok_or(InvalidRequest::NoService)
    }
}

impl std::str::FromStr for Scope {
    type Err = InvalidRequest;

    /// The name may hold colons, and the type a class: `repository(plugin):reg:5000/app:pull,push`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.len() > LONGEST_SCOPE {
            return Err(InvalidRequest::Scope);
        }
        let (kind, rest) = text.split_once(':').ok_or(InvalidRequest::Scope)?;
        let (name, actions) = rest.rsplit_once(':').ok_or(InvalidRequest::Scope)?;
        let kind = kind.split_once('(').map_or(kind, |(kind, _)| kind);
        let actions = actions.split(',').filter(|action| !action.is_empty()).map(str::to_owned).collect();
        Ok(Self { kind: kind.to_owned(), name: name.to_owned(), actions })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn scope(kind: &str, name: &str, actions: &[&str]) -> Scope {
        let actions = actions.iter().map(|&action| action.to_owned()).collect();
        Scope { kind: kind.to_owned(), name: name.to_owned(), actions }
    }

    fn basic(text: &[u8]) -> HeaderMap {
        let value = format!("Basic {}", BASE64_STANDARD.encode(text));
        HeaderMap::from_iter([(header::AUTHORIZATION, value.parse().unwrap())])
    }

    #[test]
    fn a_query_is_read_as_docker_and_notary_write_it() {
        let query = "account=a&client_id=docker&offline_token=true&service=tufstore\
            &scope=repository%3Areg%3A5000%2Fa%3Apush%2Cpull&scope=repository(plugin):b:*&scope=registry:catalog:*";
        let request = TokenRequest::of_query(query, &basic(b"a:p:q")).unwrap();
        assert_eq!(request.service, "tufstore");
        let expected = [
            scope("repository", "reg:5000/a", &["push", "pull"]),
            scope("repository", "b", &["*"]),
            scope("registry", "catalog", &["*"]),
        ];
        assert_eq!(request.scopes, expected);
        let Login::Named { name, secret } = request.login else { panic!("{request:?}") };
        assert_eq!((name.as_str(), secret.as_str()), ("a", "p:q"));
    }

    #[test]
    fn a_form_is_read_as_oauth_clients_write_it() {
        let form = b"grant_type=refresh_token&client_id=docker&service=s&refresh_token=r&scope=repository:a:pull+repository:b:push";
        let request = TokenRequest::of_form(form).unwrap();
        assert_eq!(
            request.scopes,
            [scope("repository", "a", &["pull"]), scope("repository", "b", &["push"])]
        );
        assert!(matches!(&request.login, Login::Token(token) if **token == "r"));
        let form = b"grant_type=password&service=s&username=u&password=p%26";
        let request = TokenRequest::of_form(form).unwrap();
        assert!(matches!(&request.login, Login::Named { name, secret } if name == "u" && **secret == "p&"));
    }

    #[test]
    fn what_cannot_be_read_is_refused() {
        let query = |query: &str| TokenRequest::of_query(query, &HeaderMap::new()).unwrap_err();
        assert_eq!(query("scope=repository:a:pull"), InvalidRequest::NoService);
        assert_eq!(query("service="), InvalidRequest::NoService);
        assert_eq!(query("service=s&scope=repository"), InvalidRequest::Scope);
        assert_eq!(query(&format!("service=s&scope=a:{}:b", "x".repeat(600))), InvalidRequest::Scope);
        let many = "&scope=repository:a:pull".repeat(65);
        assert_eq!(query(&format!("service=s{many}")), InvalidRequest::TooMany);
        let form = |form: &str| TokenRequest::of_form(form.as_bytes()).unwrap_err();
        assert_eq!(form("service=s"), InvalidRequest::GrantType);
        assert_eq!(form("service=s&grant_type=client_credentials"), InvalidRequest::GrantType);
        assert_eq!(form("service=s&grant_type=password&username=u"), InvalidRequest::Credentials);
        assert_eq!(form("service=s&grant_type=refresh_token"), InvalidRequest::Credentials);
        let long = "x".repeat(1025);
        assert_eq!(
            form(&format!("service=s&grant_type=refresh_token&refresh_token={long}")),
            InvalidRequest::Credentials
        );
        let bearer = HeaderMap::from_iter([(header::AUTHORIZATION, "Bearer x".parse().unwrap())]);
        let mut twice = basic(b"a:b");
        twice.append(header::AUTHORIZATION, "Basic YTpj".parse().unwrap());
        for headers in
            [bearer, twice, basic(b"no colon"), basic(b"\xff:a"), basic(format!("a:{long}").as_bytes())]
        {
            let refused = TokenRequest::of_query("service=s", &headers).unwrap_err();
            assert_eq!(refused, InvalidRequest::Credentials, "{headers:?}");
        }
    }

    #[test]
    fn a_secret_is_not_shown() {
        let request = TokenRequest::of_query("service=s", &basic(b"alice:wonderland")).unwrap();
        assert!(!format!("{request:?}").contains("wonderland"));
    }

    proptest! {
        #[test]
        fn any_request_is_read_or_refused(form in ".{0,200}", value in "[ -~]{0,60}") {
            let headers = HeaderMap::from_iter([(header::AUTHORIZATION, value.parse().unwrap())]);
            drop(TokenRequest::of_query(&form, &headers));
            drop(TokenRequest::of_form(form.as_bytes()));
        }

        #[test]
        fn a_scope_reads_back(kind in "[a-z]{1,9}", name in "[a-z0-9:/._-]{1,40}", action in "[a-z*]{1,6}") {
            let text = format!("{kind}:{name}:{action}");
            prop_assert_eq!(text.parse::<Scope>().unwrap(), scope(&kind, &name, &[&action]));
        }
    }
}
