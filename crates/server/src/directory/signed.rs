//! Whether images are signed, by whom, and why not: for registries and admission controllers, which ask before something runs.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use tufstore::terms::{RepositoryName, RoleName, Sha256, UnixTime};
use tufstore::{Lookup, StorageError, View};

use super::Directory;

/// An image that somebody wants to run. A tag alone, or bound to a digest.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(clippy::exhaustive_structs, reason = "a question is written as a literal")]
pub struct Reference {
    /// Its repository, whole.
    pub repository: RepositoryName,
    /// Its tag.
    pub tag: String,
    /// SHA-256 of what is to run: it is not signed if the tag stands for something else.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "crate::shown::digest")]
    pub digest: Option<Sha256>,
}

/// Whether an image is signed as it was asked for.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Verdict {
    /// Whether it may run.
    pub signed: bool,
    /// What the tag stands for, if it is signed at all.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "crate::shown::digest")]
    pub digest: Option<Sha256>,
    /// Which roles say so: `targets`, `targets/releases`, and the signers, such as `targets/alice`.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub signers: BTreeSet<String>,
    /// Why it may not run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<WhyNot>,
}

/// Why an image may not run.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(tag = "reason", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum WhyNot {
    /// There is no trust data: nothing was ever signed, or content trust is disabled for its registry.
    NoTrustData,
    /// Nobody signed that tag.
    NotSigned,
    /// What signs it has expired, since then.
    Expired {
        /// Whose file.
        role: RoleName,
        /// Since when.
        #[serde(with = "crate::shown::text")]
        since: UnixTime,
    },
    /// The tag stands for something else.
    OtherDigest,
    /// Not all who have to sign have signed just that.
    SignersMissing {
        /// Who is missing.
        missing: BTreeSet<String>,
    },
}

impl Verdict {
    /// As where there is no trust data, which is all that whoever may not read is told.
    pub(crate) fn no_trust_data() -> Self {
        Self { signed: false, digest: None, signers: BTreeSet::new(), why: Some(WhyNot::NoTrustData) }
    }
}

impl Directory {
    /// Whether that image is signed at `now`, by what a tag stands for to Docker; `signers` have to have signed the same digest
    /// under that tag, all of them: `alice` stands for the delegation `targets/alice`.
    ///
    /// # Errors
    /// [`StorageError`] where the repository cannot be read.
    ///
    /// # Cost
    /// A lookup, and one in each role.
    pub fn judge(
        &self,
        reference: &Reference,
        signers: &BTreeSet<String>,
        now: UnixTime,
    ) -> Result<Verdict, StorageError> {
        let not = |why| Verdict { signed: false, digest: None, signers: BTreeSet::new(), why: Some(why) };
        let Reference { repository, tag, digest } = reference;
        let view = if self.shows(repository.as_str()) { self.store.view(repository)? } else { None };
        let Some(view) = view else { return Ok(not(WhyNot::NoTrustData)) };
        let found = match view.lookup(tag, now) {
            Lookup::Found(found) => found,
            Lookup::Expired { role, since, .. } => return Ok(not(WhyNot::Expired { role, since })),
            Lookup::NoSuchTag | Lookup::NoSuchRepository => return Ok(not(WhyNot::NotSigned)),
        };
        let sha256 = found.target.sha256;
        let signed_by = signers_of(&view, tag, sha256, now);
        let missing: BTreeSet<_> =
            signers.iter().filter(|signer| !signed_by.contains(&role_of(signer))).cloned().collect();
        let why = if digest.is_some_and(|digest| digest != sha256) {
            Some(WhyNot::OtherDigest)
        } else if missing.is_empty() {
            None
        } else {
            Some(WhyNot::SignersMissing { missing })
        };
        Ok(Verdict { signed: why.is_none(), digest: Some(sha256), signers: signed_by, why })
    }
}

/// A signer's role, by its short name or whole.
fn role_of(signer: &str) -> String {
    if signer == "targets" || signer.starts_with("targets/") {
        signer.to_owned()
    } else {
        format!("targets/{signer}")
    }
}

/// Every role that has the tag stand for that digest, and whose file has not expired.
fn signers_of(view: &View, tag: &str, sha256: Sha256, now: UnixTime) -> BTreeSet<String> {
    let roles = view.documents().map(tufstore::Document::role).filter(|role| role.is_targets_or_delegation());
    let valid = roles.filter(|role| view.expires_of(role).is_some_and(|expires| expires >= now));
    let says_so =
        |role: &&RoleName| view.target_of(role, tag).is_some_and(|target| target.sha256 == Some(sha256));
    valid.filter(says_so).map(ToString::to_string).collect()
}
