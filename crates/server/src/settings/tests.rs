use std::path::Path;

use super::*;

fn toml(text: &str) -> Result<Settings, SettingsError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tufstore.toml");
    write(&path, text);
    let (given, ignored) = read(&path, &|_| None)?;
    assert!(ignored.is_empty());
    Settings::of(given)
}

fn notary(text: &str, environment: &[(&str, &str)]) -> Result<(Settings, Vec<String>), SettingsError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("server-config.json");
    write(&path, text);
    let variable = |wanted: &str| {
        environment.iter().find(|(name, _)| *name == wanted).map(|(_, value)| (*value).to_owned())
    };
    let (given, ignored) = read(&path, &variable)?;
    let given = Given { data: Some("store".into()), ..Given::default() }.or(given);
    Ok((Settings::of(given)?, ignored.into_iter().map(|setting| setting.key).collect()))
}

#[expect(clippy::disallowed_methods, reason = "a file that an operator has")]
fn write(path: &Path, text: &str) {
    std::fs::write(path, text).unwrap();
}

fn shown(settings: &Settings) -> String {
    format!("{settings:?}")
}

#[test]
fn the_example_names_every_setting_with_its_default() {
    let example = include_str!("../../../../deploy/tufstore.toml");
    // Every setting is commented out there. Those that exclude each other, or have no default, stand for themselves.
    let alone = ["certificate", "key", "client-ca", "off", "passphrase-file", "key-file", "new-master-key"]
        .into_iter()
        .chain(["second-journal", "anchor", "keep-versions", "keep-age"])
        .chain(["realm", "service = \"notary", "issuer", "root-cert-bundle", "jwks"]);
    let alone: Vec<_> =
        alone.map(|name| if name.contains('=') { name.to_owned() } else { format!("{name} = ") }).collect();
    let is_setting = |line: &&str| {
        line.starts_with('[') || line.starts_with(|c: char| c.is_ascii_lowercase()) && line.contains(" = ")
    };
    let settings: Vec<_> = example
        .lines()
        .map(|line| line.strip_prefix('#').unwrap_or(line))
        .filter(is_setting)
        .filter(|line| !alone.iter().any(|alone| line.starts_with(alone)))
        .collect();
    let settings = settings.join("\n");
    let read = toml(&settings).unwrap_or_else(|error| panic!("{}\n{settings}", crate::text::chain(&error)));
    let mut expected = Settings::new(&read.data);
    expected.tls = Tls::MadeHere { names: Vec::new() };
    assert_eq!(shown(&read), shown(&expected));
    for line in alone.iter().map(String::as_str).chain(["algorithm = "]) {
        assert!(example.contains(&format!("#{line}")), "{line}");
    }
}

#[test]
fn a_file_of_ours_is_taken_and_paths_lie_beside_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tufstore.toml");
    write(
        &path,
        "data = \"here\"\n[keys]\npassphrase-file = \"/there\"\n[lifetimes]\ntimestamp = \"2days\"\n",
    );
    let settings = Settings::of(read(&path, &|_| None).unwrap().0).unwrap();
    assert_eq!(settings.data, folder.path().join("here"));
    assert!(
        matches!(&settings.keys.opened_by, OpenedBy::PassphraseFile(path) if path == Path::new("/there"))
    );
    assert_eq!(settings.api.lifetimes.timestamp, Duration::from_hours(48));
}

#[test]
fn what_a_file_gets_wrong_is_said_with_its_place() {
    let cases = [
        ("data = \"x\"\nlisten = 1\n", "line 2"),
        ("data = \"x\"\n[limits]\nconections = 1\n", "connections"),
        ("data = \"x\"\n[keys]\npassphrase = \"x\"\n", "passphrase-file"),
        ("[log]\nlevel = \"info\"\n", "data"),
        ("data = \"x\"\ngun-prefixes = [\"a\"]\n", "no prefix"),
        ("data = \"x\"\ngun-prefixes = [\"/a/\"]\n", "no prefix"),
        ("data = \"x\"\n[caching]\ncurrent = 31536001\n", "31536000"),
        ("data = \"x\"\n[lifetimes]\ntimestamp = \"0s\"\n", "longer than nothing"),
        ("data = \"x\"\n[limits]\nbody-bytes = 2\nbodies-bytes = 1\n", "no such upload"),
        ("data = \"x\"\n[limits]\nreads = 0\n", "limits.reads is 0"),
        ("data = \"x\"\n[limits]\nidle = \"0s\"\n", "limits.idle is 0"),
        ("data = \"x\"\n[tls]\ncertificate = \"c\"\n", "the other one"),
        ("data = \"x\"\n[tls]\noff = true\ncertificate = \"c\"\nkey = \"k\"\n", "TLS is either"),
        ("data = \"x\"\n[keys]\npassphrase-file = \"p\"\nkey-file = \"k\"\n", "one of them only"),
    ];
    for (text, said) in cases {
        let refused = crate::text::chain(&toml(text).unwrap_err());
        assert!(refused.contains(said), "{text}: {refused}");
    }
}

#[test]
fn what_is_given_above_counts() {
    let above = Given { listen: Some(([127, 0, 0, 1], 1).into()), ..Given::default() };
    let below =
        Given { listen: Some(([127, 0, 0, 1], 2).into()), data: Some("x".into()), ..Given::default() };
    let settings = Settings::of(above.or(below)).unwrap();
    assert_eq!((settings.listen.port(), settings.data.to_str()), (1, Some("x")));
}

#[test]
fn a_notary_servers_file_is_taken_where_it_applies() {
    let text = r#"{
        "server": {"http_addr": "127.0.0.1:4443", "tls_key_file": "k", "tls_cert_file": "c", "client_ca_file": "ca"},
        "trust_service": {"type": "local", "key_algorithm": "ed25519"},
        "storage": {"backend": "memory"},
        "auth": {},
        "caching": {"max_age": {"current_metadata": 1, "consistent_metadata": 2}},
        "repositories": {"gun_prefixes": ["a/", "b/c/"]},
        "reporting": {"bugsnag": {"api_key": "x"}},
        "logging": {"level": "warning"},
        "unknown": 1}"#;
    let (settings, ignored) = notary(text, &[]).unwrap();
    assert!(matches!(&settings.tls, Tls::Files { client_ca: Some(_), .. }));
    assert_eq!(settings.keys.algorithm, Algorithm::Ed25519);
    assert_eq!((settings.api.caching.current, settings.api.caching.consistent), (1, 2));
    assert_eq!(settings.api.gun_prefixes, ["a/", "b/c/"]);
    assert_eq!(settings.log.level, Level::Warn);
    assert_eq!(ignored, ["reporting.bugsnag.api_key", "storage.backend", "trust_service.type", "unknown"]);
}

#[test]
fn variables_stand_above_a_notary_servers_file() {
    let text = r#"{"server": {"http_addr": "127.0.0.1:1"}}"#;
    let variables =
        [("NOTARY_SERVER_SERVER_HTTP_ADDR", "127.0.0.1:2"), ("NOTARY_SERVER_LOGGING_LEVEL", "debug")];
    let (settings, _) = notary(text, &variables).unwrap();
    assert_eq!((settings.listen.port(), settings.log.level), (2, Level::Debug));
    assert!(matches!(settings.tls, Tls::Off), "as notary-server has it without files");
}

#[test]
fn authentication_that_is_asked_for_is_not_left_out_in_silence() {
    let of = |auth: &str| format!(r#"{{"server": {{"http_addr": "127.0.0.1:1"}}, "auth": {auth}}}"#);
    let refused = notary(&of(r#"{"type": "htpasswd"}"#), &[]).unwrap_err();
    assert!(matches!(refused, SettingsError::Authentication { .. }), "{refused}");
    assert!(notary("{}", &[("NOTARY_SERVER_AUTH_TYPE", "htpasswd")]).is_err());
    // Half of it is none.
    let options = r#""realm": "https://a/token", "service": "s", "issuer": "i", "rootcertbundle": "r.pem""#;
    for left_out in options.split(", ") {
        let rest: Vec<_> = options.split(", ").filter(|option| *option != left_out).collect();
        let half = of(&format!(r#"{{"type": "token", "options": {{{}}}}}"#, rest.join(", ")));
        let refused = notary(&half, &[]).unwrap_err().to_string();
        let name = left_out.split('"').nth(1).unwrap();
        assert!(refused.contains(&format!("auth.options.{name} is not given")), "{refused}");
    }
    let whole = of(&format!(r#"{{"type": "token", "options": {{{options}}}}}"#));
    let redirected = whole.replace("\"realm\"", "\"autoredirect\": true, \"realm\"");
    assert!(notary(&redirected, &[]).unwrap_err().to_string().contains("say the realm"));
    let variable = [("NOTARY_SERVER_AUTH_OPTIONS_AUTOREDIRECT", "true")];
    let not_redirected = redirected.replace("true", "false");
    for text in [&whole, &not_redirected] {
        assert!(notary(text, &[]).is_ok());
        assert!(notary(text, &variable).unwrap_err().to_string().contains("say the realm"));
    }
    // Options without a type count as little there.
    let (settings, ignored) = notary(&of(r#"{"options": {"realm": "https://a/token"}}"#), &[]).unwrap();
    assert!(settings.auth.is_none());
    assert_eq!(ignored, ["auth.options.realm"]);
}

#[test]
fn a_notary_servers_token_service_is_taken() {
    let text = r#"{"auth": {"type": "token", "options": {"realm": "https://a/token", "service": "s", "issuer": "i",
        "rootcertbundle": "/r.pem", "autoredirect": false}}}"#;
    let (settings, ignored) = notary(text, &[("NOTARY_SERVER_AUTH_OPTIONS_ISSUER", "another")]).unwrap();
    let TokenService { realm, service, issuer, root_cert_bundle, jwks } = settings.auth.unwrap();
    assert_eq!((&*realm, &*service, &*issuer), ("https://a/token", "s", "another"));
    assert_eq!((root_cert_bundle, jwks), (Some("/r.pem".into()), None));
    assert!(ignored.is_empty(), "{ignored:?}");
}

#[test]
fn a_token_service_is_named_whole_or_not_at_all() {
    let all = ["realm = \"https://a/token\"", "service = \"s\"", "issuer = \"i\"", "jwks = \"keys.json\""];
    let with = |lines: &[&str]| toml(&format!("data = \"x\"\n[auth]\n{}\n", lines.join("\n")));
    assert!(with(&[]).unwrap().auth.is_none());
    let service = with(&all).unwrap().auth.unwrap();
    assert!(service.jwks.unwrap().is_absolute(), "beside the file");
    for left_out in all {
        let rest: Vec<_> = all.into_iter().filter(|line| *line != left_out).collect();
        let refused = with(&rest).unwrap_err();
        let name = left_out.split(' ').next().unwrap();
        assert!(refused.to_string().contains(&format!("auth.{name}")), "{refused}");
    }
    assert!(with(&["realm = \"\"", all[1], all[2], all[3]]).is_err());
    assert!(with(&["relm = \"https://a\""]).is_err());
}

#[test]
fn every_address_of_the_machine_is_said_to_be_that() {
    let (settings, _) = notary(r#"{"server": {"http_addr": ":4443"}}"#, &[]).unwrap();
    assert!(settings.listen.ip().is_unspecified());
    for wrong in [r#"{"server": {"http_addr": "nonsense"}}"#, r#"{"server": {"http_addr": 7}}"#, "{", "[]x{"]
    {
        assert!(notary(wrong, &[]).is_err(), "{wrong}");
    }
}

#[test]
fn a_passphrase_is_never_shown() {
    let given = GivenKeys { passphrase: Some(Passphrase::new(b"secret".to_vec())), ..GivenKeys::default() };
    assert!(!format!("{given:?}").contains("secret"));
}

#[test]
fn a_passphrase_that_stands_in_a_file_is_not_repeated() {
    for text in [
        "[keys]\npassphrase = \"hunter2\"\n",
        "[keys]\npassphrase = \"hunter2\n",
        "passphrase = \"hunter2\"\n",
    ] {
        let refused = toml(text).unwrap_err();
        let shown = format!("{} {refused:?}", crate::text::chain(&refused));
        assert!(shown.contains("line") && !shown.contains("hunter2"), "{shown}");
    }
}
