use proptest::prelude::*;

use super::*;

const REPOSITORIES: [&str; 10] = [
    "alpine",
    "alpine/x",
    "registry.example.com",
    "registry.example.com/app",
    "registry.example.com/team/app",
    "registry.example.com/team/app/more",
    "registry.example.com/teams/app",
    "registry.example.com/team",
    "registry.example.com:5000/team/app",
    "registry.example.com.evil.org/team/app",
];

#[test]
fn a_scope_covers_whole_components_and_nothing_beside_them() {
    let table: [(&str, &[&str]); 8] = [
        ("*", &REPOSITORIES),
        ("alpine", &["alpine", "alpine/x"]),
        (
            "registry.example.com",
            &[
                "registry.example.com",
                "registry.example.com/app",
                "registry.example.com/team/app",
                "registry.example.com/team/app/more",
                "registry.example.com/teams/app",
                "registry.example.com/team",
            ],
        ),
        ("registry.example.com:5000", &["registry.example.com:5000/team/app"]),
        (
            "registry.example.com/team/",
            &["registry.example.com/team/app", "registry.example.com/team/app/more"],
        ),
        ("registry.example.com/team/app", &["registry.example.com/team/app"]),
        ("registry.example.com/team", &["registry.example.com/team"]),
        ("alpine/", &["alpine/x"]),
    ];
    for (text, covered) in table {
        for name in REPOSITORIES {
            assert_eq!(scope(text).covers(&repository(name)), covered.contains(&name), "{text} {name}");
        }
    }
}

#[test]
fn a_scope_covers_those_that_lie_within_it() {
    for (wide, narrow) in [
        ("*", "*"),
        ("*", "r"),
        ("*", "r/"),
        ("*", "r/a"),
        ("r", "r"),
        ("r", "r/"),
        ("r", "r/a/"),
        ("r", "r/a"),
        ("r/", "r/"),
        ("r/", "r/a/"),
        ("r/", "r/a"),
        ("r/a/", "r/a/b/"),
        ("r/a/", "r/a/b"),
        ("r/a", "r/a"),
    ] {
        assert!(scope(wide).covers_scope(&scope(narrow)), "{wide} {narrow}");
        assert_eq!(scope(narrow).covers_scope(&scope(wide)), wide == narrow, "{wide} {narrow}");
    }
    for (one, other) in [("r", "s"), ("r/a/", "r/ab/"), ("r/a", "r/a/"), ("r", "rr/"), ("r/a", "r/b")] {
        assert!(!scope(one).covers_scope(&scope(other)), "{one} {other}");
        assert!(!scope(other).covers_scope(&scope(one)), "{one} {other}");
    }
}

#[test]
fn tricks_with_paths_are_no_scopes() {
    for text in [
        "", "/", "//", "/r", "r//", "r/../", "r/..", "./", "../r/", "r/./a", "r/*", "**", "*/", "r\n",
        "r/\0/",
    ] {
        assert!(text.parse::<Scope>().is_err(), "{text:?}");
    }
    assert_eq!("r/a".parse::<Registry>(), Err(InvalidScope::Slash));
    assert!("*".parse::<Registry>().is_err());
}

fn texts() -> impl Strategy<Value = String> {
    "[ab.*]{0,2}(/[ab.]{0,2}){0,3}"
}

proptest! {
    #[test]
    fn what_is_a_scope_is_shown_as_it_was_written(text in texts()) {
        if let Ok(scope) = text.parse::<Scope>() {
            prop_assert_eq!(scope.to_string(), text.clone());
            let json = serde_json::to_string(&scope).unwrap();
            prop_assert_eq!(&json, &format!("\"{text}\""));
            prop_assert_eq!(serde_json::from_str::<Scope>(&json).unwrap(), scope);
        } else {
            prop_assert!(text != "*" && text.strip_suffix('/').unwrap_or(&text).parse::<RepositoryName>().is_err());
        }
    }

    #[test]
    fn what_a_narrower_scope_covers_the_wider_one_does(
        wide in texts(), narrow in texts(), name in texts(),
    ) {
        if let (Ok(wide), Ok(narrow), Ok(name)) =
            (wide.parse::<Scope>(), narrow.parse::<Scope>(), name.parse::<RepositoryName>())
        {
            if wide.covers_scope(&narrow) {
                prop_assert!(!narrow.covers(&name) || wide.covers(&name));
            }
            prop_assert!(wide.covers_scope(&wide) && Scope::ALL.covers_scope(&wide));
            prop_assert!(Scope::from(Registry::of(&name)).covers(&name));
        }
    }

    #[test]
    fn no_text_is_read_with_a_panic(text in ".{0,40}") {
        drop((text.parse::<Scope>(), text.parse::<Registry>(), text.parse::<Name>(), text.parse::<Role>()));
        drop((text.parse::<Permission>(), text.parse::<ObjectId>(), text.parse::<TokenId>()));
        drop((text.parse::<PasswordHash>(), Secret::read(text.as_bytes()), Identity::attested(&text)));
    }
}
