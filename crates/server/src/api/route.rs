//! Which operation a method and a path name. Pure, so that anything can be thrown at it.

use super::manage::Call;
use http::Method;
use percent_encoding::percent_decode_str;
use tufstore::Which;
use tufstore::crypto::OnlineRole;
use tufstore::terms::{InvalidRepositoryName, RepositoryName, RoleName, Version};

/// What a request is about.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Route {
    /// `GET /v2/`, by which clients learn whether to authenticate.
    Ping,
    /// The feed of all repositories.
    Feed,
    /// What many tags stand for.
    Lookup,
    /// A token of this server's own.
    Token,
    /// What such tokens are verified with.
    TokenAuthority,
    /// Who may do what, and who did what.
    Manage(Call),
    /// How that is asked.
    Description,
    /// Whether the server is well.
    Health,
    /// What it counts.
    Metrics,
    /// An operation on one repository.
    Repository {
        /// Which.
        repository: RepositoryName,
        /// What.
        operation: Operation,
    },
    /// A publication under a name that no repository can have.
    Unnameable(InvalidRepositoryName),
    /// A method that no path has.
    NotAllowed,
    /// No such path.
    Nothing,
}

/// What can be done with a repository.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Operation {
    /// Take an upload.
    Publish,
    /// End its life.
    Delete,
    /// The file of a role as it is now.
    Current(RoleName),
    /// A file by version or digest.
    Past(RoleName, Which),
    /// A file of a role or under a digest that nobody can have published.
    Impossible,
    /// The key to list for a role in a first root.
    Key(OnlineRole),
    /// The key to list next.
    RotateKey(OnlineRole),
    /// What happened to it.
    Feed,
}

impl Route {
    /// The label under which requests are counted, as Notary names it; `None` for what it does not count.
    pub(crate) fn label(&self) -> Option<&'static str> {
        match self {
            Self::Feed => Some("Changefeed"),
            Self::Lookup => Some("Lookup"),
            Self::Token => Some("Token"),
            Self::Manage(_) => Some("Manage"),
            Self::Unnameable(_) => Some("UpdateTUF"),
            Self::Repository { operation, .. } => Some(match operation {
                Operation::Publish => "UpdateTUF",
                Operation::Delete => "DeleteTUF",
                Operation::Current(_) | Operation::Impossible => "GetRole",
                Operation::Past(_, Which::Sha256(_)) => "GetRoleByHash",
                Operation::Past(_, Which::Version(_)) => "GetRoleByVersion",
                Operation::Key(_) => "GetKey",
                Operation::RotateKey(_) => "RotateKey",
                Operation::Feed => "Changefeed",
            }),
            Self::Ping
            | Self::TokenAuthority
            | Self::Description
            | Self::Health
            | Self::Metrics
            | Self::NotAllowed
            | Self::Nothing => None,
        }
    }
}

/// Reads a request's method and path. The path is matched as it is after percent-decoding; it is never cleaned, since
/// clients do not follow redirects.
pub(crate) fn of(method: &Method, path: &str) -> Route {
    let known = [Method::GET, Method::POST, Method::PUT, Method::HEAD, Method::DELETE];
    if !known.contains(method) {
        return Route::NotAllowed;
    }
    let Ok(path) = percent_decode_str(path).decode_utf8() else { return Route::Nothing };
    find(method, &path).unwrap_or(Route::Nothing)
}

/// The paths without a name in them.
const FIXED: [(Method, &str, Route); 16] = [
    (Method::GET, "/v2/", Route::Ping),
    (Method::GET, "/v2/_trust/changefeed", Route::Feed),
    (Method::POST, "/v1/lookup", Route::Lookup),
    (Method::GET, "/oauth2/token", Route::Token),
    (Method::POST, "/oauth2/token", Route::Token),
    (Method::GET, "/oauth2/authority.pem", Route::TokenAuthority),
    (Method::GET, "/v1/access", Route::Manage(Call::ShowAccess)),
    (Method::POST, "/v1/access", Route::Manage(Call::ChangeAccess)),
    (Method::GET, "/v1/policy", Route::Manage(Call::ShowPolicy)),
    (Method::PUT, "/v1/policy", Route::Manage(Call::SetPolicy)),
    (Method::GET, "/v1/audit", Route::Manage(Call::Audit)),
    (Method::POST, "/v1/signed", Route::Manage(Call::Signed)),
    (Method::POST, "/v1/reset", Route::Manage(Call::Reset)),
    (Method::GET, "/v1/openapi.json", Route::Description),
    (Method::GET, "/_notary_server/health", Route::Health),
    (Method::GET, "/metrics", Route::Metrics),
];

fn find(method: &Method, path: &str) -> Option<Route> {
    if let Some((.., route)) = FIXED.iter().find(|(has, is, _)| has == method && *is == path) {
        return Some(route.clone());
    }
    let path = path.strip_prefix("/v2/")?;
    // The name is whatever stands before the last of these, whatever it holds.
    let (name, operation) = if let Some((name, file)) = path.rsplit_once("/_trust/tuf/") {
        (name, operation(method, file)?)
    } else {
        let name = path.strip_suffix("/_trust/changefeed")?;
        (name, (*method == Method::GET).then_some(Operation::Feed)?)
    };
    match name.parse() {
        Ok(repository) => Some(Route::Repository { repository, operation }),
        Err(why) if operation == Operation::Publish => Some(Route::Unnameable(why)),
        Err(_) => None,
    }
}

fn operation(method: &Method, file: &str) -> Option<Operation> {
    match (method, file) {
        (&Method::POST, "") => Some(Operation::Publish),
        (&Method::DELETE, "") => Some(Operation::Delete),
        (&Method::GET, "timestamp.key") => Some(Operation::Key(OnlineRole::Timestamp)),
        (&Method::GET, "snapshot.key") => Some(Operation::Key(OnlineRole::Snapshot)),
        (&Method::POST, "timestamp.key") => Some(Operation::RotateKey(OnlineRole::Timestamp)),
        (&Method::POST, "snapshot.key") => Some(Operation::RotateKey(OnlineRole::Snapshot)),
        (&Method::GET, file) => file.strip_suffix(".json").and_then(metadata),
        _ => None,
    }
}

/// `<role>.<hex>`, else `<version>.<role>`, else `<role>`.
fn metadata(name: &str) -> Option<Operation> {
    if let Some((role, digest)) = name.rsplit_once('.')
        && matches!(digest.len(), 64 | 96 | 128)
        && digest.bytes().all(|digit| digit.is_ascii_hexdigit())
    {
        // Files are named by SHA-256, in lower case.
        return Some(match digest.parse() {
            Ok(sha256) => file(role, |role| Operation::Past(role, Which::Sha256(sha256)))?,
            Err(_) => file(role, |_| Operation::Impossible)?,
        });
    }
    if let Some((version, role)) = name.split_once('.')
        && !version.is_empty()
        && version.bytes().all(|digit| digit.is_ascii_digit())
    {
        return Some(match version.parse().ok().and_then(Version::new) {
            Some(version) => file(role, |role| Operation::Past(role, Which::Version(version)))?,
            None => file(role, |_| Operation::Impossible)?,
        });
    }
    file(name, Operation::Current)
}

/// Whether that is a role for the route, which is laxer than what can be published.
fn file(role: &str, operation: impl FnOnce(RoleName) -> Operation) -> Option<Operation> {
    if let Ok(role) = role.parse() {
        return Some(operation(role));
    }
    let delegation = role.strip_prefix("targets/")?;
    let routed = delegation.split('/').all(|name| !name.is_empty() && !name.contains(char::is_whitespace));
    routed.then_some(Operation::Impossible)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    const HEX: &str = "98ea6e4f216f2fb4b69fff9b3a44842c38686ca685f3f55dc48c5d3fb1107be4";

    fn get(path: &str) -> Route {
        of(&Method::GET, path)
    }

    fn on(name: &str, operation: Operation) -> Route {
        Route::Repository { repository: name.parse().unwrap(), operation }
    }

    fn role(name: &str) -> RoleName {
        name.parse().unwrap()
    }

    fn by_version(name: &str, version: u64) -> Operation {
        Operation::Past(role(name), Which::Version(Version::new(version).unwrap()))
    }

    #[test]
    fn every_route_is_found() {
        let digest = Which::Sha256(HEX.parse().unwrap());
        let gets = [
            ("/v2/", Route::Ping),
            ("/v2/_trust/changefeed", Route::Feed),
            ("/_notary_server/health", Route::Health),
            ("/metrics", Route::Metrics),
            ("/v1/openapi.json", Route::Description),
            ("/v2/a/_trust/changefeed", on("a", Operation::Feed)),
            ("/v2/r:5000/a/_trust/tuf/root.json", on("r:5000/a", Operation::Current(RoleName::Root))),
            ("/v2/a/_trust/tuf/targets/x/y.json", on("a", Operation::Current(role("targets/x/y")))),
            ("/v2/a/_trust/tuf/7.root.json", on("a", by_version("root", 7))),
            ("/v2/a/_trust/tuf/007.root.json", on("a", by_version("root", 7))),
            ("/v2/a/_trust/tuf/3.targets/x.json", on("a", by_version("targets/x", 3))),
            ("/v2/a/_trust/tuf/timestamp.key", on("a", Operation::Key(OnlineRole::Timestamp))),
            ("/v2/a/_trust/tuf/snapshot.key", on("a", Operation::Key(OnlineRole::Snapshot))),
        ];
        for (path, route) in gets {
            assert_eq!(get(path), route, "{path}");
        }
        for name in ["root", "targets", "snapshot", "timestamp", "targets/x"] {
            let path = format!("/v2/a/_trust/tuf/{name}.{HEX}.json");
            assert_eq!(get(&path), on("a", Operation::Past(role(name), digest)), "{path}");
        }
        let post = |path| of(&Method::POST, path);
        assert_eq!(post("/v1/lookup"), Route::Lookup);
        assert_eq!(post("/v2/a/b/_trust/tuf/"), on("a/b", Operation::Publish));
        assert_eq!(
            post("/v2/a/_trust/tuf/snapshot.key"),
            on("a", Operation::RotateKey(OnlineRole::Snapshot))
        );
        assert_eq!(of(&Method::DELETE, "/v2/a/_trust/tuf/"), on("a", Operation::Delete));
    }

    #[test]
    fn the_description_describes_every_route_of_ours_and_no_other() {
        let description: Value = serde_json::from_str(include_str!("openapi.json")).unwrap();
        let methods = |(path, methods): (&String, &Value)| {
            let methods = methods.as_object().unwrap().keys();
            methods.map(|method| format!("{} {path}", method.to_uppercase())).collect::<Vec<_>>()
        };
        let described: BTreeSet<_> =
            description["paths"].as_object().unwrap().iter().flat_map(methods).collect();
        // Those of Notary's are described by Notary.
        let is_ours = |(_, path, _): &&(Method, &str, Route)| !path.starts_with("/v2/");
        let routed: BTreeSet<_> =
            FIXED.iter().filter(is_ours).map(|(method, path, _)| format!("{method} {path}")).collect();
        assert_eq!(described, routed);
        for (method, path, route) in FIXED {
            assert_eq!(of(&method, path), route, "{path}");
        }
    }

    #[test]
    fn a_path_is_matched_as_it_is_decoded() {
        assert_eq!(
            get("/v2/docker.io%2Fa/_trust/tuf/root.json"),
            get("/v2/docker.io/a/_trust/tuf/root.json")
        );
        assert_eq!(get("/v2/a%20b/_trust/tuf/root.json"), on("a b", Operation::Current(RoleName::Root)));
        assert_eq!(get("/v2/a/%5ftrust/tuf/root%2ejson"), on("a", Operation::Current(RoleName::Root)));
        assert_eq!(get("/v2/a/_trust/tuf/b/_trust/tuf/root.json"), {
            on("a/_trust/tuf/b", Operation::Current(RoleName::Root))
        });
        for path in
            ["/v2/%ff/_trust/tuf/root.json", "/v2/a%00b/_trust/tuf/root.json", "/v2/%2a/_trust/tuf/root.json"]
        {
            assert_eq!(get(path), Route::Nothing, "{path}");
        }
    }

    #[test]
    fn what_nobody_can_have_published_is_a_file_that_is_not_there() {
        let upper = HEX.to_uppercase();
        let longer = format!("{HEX}{HEX}");
        let names = [
            format!("root.{upper}"),
            format!("root.{longer}"),
            "0.root".to_owned(),
            "99999999999999999999999.root".to_owned(),
            "targets/Upper".to_owned(),
            "targets/a.b".to_owned(),
        ];
        for name in names {
            let path = format!("/v2/a/_trust/tuf/{name}.json");
            assert_eq!(get(&path), on("a", Operation::Impossible), "{path}");
        }
    }

    #[test]
    fn everything_else_is_nothing() {
        let paths = [
            "",
            "/",
            "/v2",
            "//v2/",
            "/v2//_trust/tuf/root.json",
            "/v2/a//b/_trust/tuf/root.json",
            "/v2/a/_trust/tuf/",
            "/v2/a/_trust/tuf//root.json",
            "/v2/a/_trust/tuf/Root.json",
            "/v2/a/_trust/tuf/root",
            "/v2/a/_trust/tuf/root.key",
            "/v2/a/_trust/tuf/targets.key",
            "/v2/a/_trust/tuf/targets/.json",
            "/v2/a/_trust/tuf/targets/a b.json",
            "/v2/a/_trust/tuf/x.json",
            "/v2/a/_trust/tuf/1.x.json",
            "/v2/../_trust/tuf/root.json",
            "/v2/a/_trust",
            "/metrics/",
            "/_notary_server/health/",
        ];
        for path in paths {
            assert_eq!(get(path), Route::Nothing, "{path}");
        }
        for method in [Method::HEAD, Method::PUT, Method::DELETE] {
            assert_eq!(of(&method, "/v2/a/_trust/tuf/root.json"), Route::Nothing, "{method}");
        }
        for method in [Method::PATCH, Method::OPTIONS, Method::TRACE, Method::CONNECT] {
            assert_eq!(of(&method, "/v2/"), Route::NotAllowed, "{method}");
        }
    }

    #[test]
    fn a_publication_under_an_impossible_name_is_told_why() {
        let long = format!("/v2/{}/_trust/tuf/", "a".repeat(256));
        let why = InvalidRepositoryName::TooLong { length: 256 };
        assert_eq!(of(&Method::POST, &long), Route::Unnameable(why));
        assert_eq!(of(&Method::DELETE, &long), Route::Nothing);
    }

    proptest! {
        #[test]
        fn any_path_has_a_route(path in ".{0,80}", method in "[A-Z]{1,8}") {
            let method = Method::from_bytes(method.as_bytes()).unwrap();
            of(&method, &path);
        }

        #[test]
        fn a_name_comes_out_as_it_was_written(name in "[a-z0-9:._ -]{1,12}(/[a-z0-9_%+-]{1,8}){0,3}") {
            let Ok(repository) = name.parse::<RepositoryName>() else { return Ok(()) };
            let path = format!("/v2/{}/_trust/tuf/", name.replace('%', "%25"));
            let route = of(&Method::POST, &path);
            prop_assert_eq!(route, Route::Repository { repository, operation: Operation::Publish });
        }
    }
}
