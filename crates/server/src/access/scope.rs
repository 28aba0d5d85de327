use std::borrow::Borrow;
use std::fmt;
use std::str::FromStr;

use tufstore::terms::{InvalidRepositoryName, RepositoryName};

use super::text::as_text;

/// A registry: the first component of a repository's name. A name without a slash is its own.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Registry(Box<str>);

/// Where a role holds, or what a token is for. Written as one text, whose slashes say which of these it is:
///
/// | text | covers |
/// |---|---|
/// | `*` | every repository |
/// | `registry.example.com:5000` | those of the registry |
/// | `registry.example.com/team/` | those below it |
/// | `registry.example.com/team/app` | that repository |
///
/// Components count whole: `team/` does not cover `teams/app`. Case counts, as in names of repositories.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Scope(Extent);

#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Extent {
    All,
    Registry(Registry),
    /// With its slash at the end.
    Prefix(Box<str>),
    /// With a slash in it: one without is a registry.
    Repository(RepositoryName),
}

/// Why a text is no scope.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidScope {
    /// Neither `*` nor made of what repositories are called.
    #[error(
        "a scope is `*`, a registry such as `registry.example.com`, a prefix such as `registry.example.com/team/`, \
         or a repository"
    )]
    Name(#[from] InvalidRepositoryName),
    /// A slash in the name of a registry.
    #[error("a registry is the part of a repository's name before the first slash")]
    Slash,
}

impl Registry {
    /// The one that a repository lies in.
    pub fn of(repository: &RepositoryName) -> Self {
        Self(first(repository.as_str()).into())
    }

    /// As in names of repositories.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Borrow<str> for Registry {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl Scope {
    /// Every registry.
    pub const ALL: Self = Self(Extent::All);

    /// Whether that repository lies in it.
    pub fn covers(&self, repository: &RepositoryName) -> bool {
        let name = repository.as_str();
        match &self.0 {
            Extent::All => true,
            Extent::Registry(registry) => first(name) == registry.as_str(),
            Extent::Prefix(prefix) => name.starts_with(&**prefix),
            Extent::Repository(one) => one == repository,
        }
    }

    /// Whether every repository that the other could cover lies in this one.
    pub fn covers_scope(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (Extent::All, _) => true,
            (_, Extent::Repository(repository)) => self.covers(repository),
            (Extent::Registry(one), Extent::Registry(other)) => one == other,
            (Extent::Registry(one), Extent::Prefix(other)) => first(other) == one.as_str(),
            (Extent::Prefix(one), Extent::Prefix(other)) => other.starts_with(&**one),
            // The name without a slash is of the registry, and below no prefix.
            (Extent::Prefix(_), Extent::Registry(_) | Extent::All)
            | (Extent::Registry(_), Extent::All)
            | (Extent::Repository(_), Extent::All | Extent::Registry(_) | Extent::Prefix(_)) => false,
        }
    }
}

/// The first component.
pub(super) fn first(name: &str) -> &str {
    name.split_once('/').map_or(name, |(first, _)| first)
}

impl From<Registry> for Scope {
    fn from(registry: Registry) -> Self {
        Self(Extent::Registry(registry))
    }
}

impl FromStr for Registry {
    type Err = InvalidScope;

    fn from_str(text: &str) -> Result<Self, InvalidScope> {
        let name: RepositoryName = text.parse()?;
        if name.as_str().contains('/') { Err(InvalidScope::Slash) } else { Ok(Self(text.into())) }
    }
}

impl FromStr for Scope {
    type Err = InvalidScope;

    fn from_str(text: &str) -> Result<Self, InvalidScope> {
        if text == "*" {
            return Ok(Self::ALL);
        }
        // What stands before the slash is read as a name, so neither `//` nor `..` gets in.
        if let Some(above) = text.strip_suffix('/') {
            above.parse::<RepositoryName>()?;
            return Ok(Self(Extent::Prefix(text.into())));
        }
        let name: RepositoryName = text.parse()?;
        Ok(Self(if text.contains('/') {
            Extent::Repository(name)
        } else {
            Extent::Registry(Registry::of(&name))
        }))
    }
}

impl fmt::Display for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Extent::All => f.write_str("*"),
            Extent::Registry(registry) => registry.fmt(f),
            Extent::Prefix(prefix) => f.write_str(prefix),
            Extent::Repository(repository) => repository.fmt(f),
        }
    }
}

as_text!(Registry, Scope);
