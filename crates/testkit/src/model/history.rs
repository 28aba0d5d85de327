use std::collections::BTreeMap;

use tufstore::Which;
use tufstore::terms::{RepositoryName, RoleName, Sha256, Version};

use super::run::parted;
use super::{Failure, File, Subject};

/// Every file of every repository, and of the lives that ended.
#[derive(Default)]
pub(super) struct History {
    /// Of the present lives, in the order of publication.
    present: BTreeMap<RepositoryName, Vec<File>>,
    /// Of lives that ended.
    ended: Vec<(RepositoryName, File)>,
}

impl History {
    /// Notes what a publication left, which must be what was sent and what the server made.
    pub(super) fn published(
        &mut self,
        repository: &RepositoryName,
        sent: &[(RoleName, Sha256)],
        subject: &mut dyn Subject,
    ) -> Result<(), Failure> {
        let files = subject.pin(repository)?.ok_or("what was published cannot be pinned")?.files();
        for (role, sha256) in sent {
            if !files.iter().any(|file| file.role == *role && file.sha256 == *sha256) {
                return Err(format!("{role} should be {sha256} after its publication: {files:?}").into());
            }
        }
        let known = self.present.entry(repository.clone()).or_default();
        for file in files {
            if !known.contains(&file) {
                known.push(file);
            }
        }
        Ok(())
    }

    /// A life ended.
    pub(super) fn deleted(&mut self, repository: &RepositoryName) {
        let files = self.present.remove(repository).unwrap_or_default();
        self.ended.extend(files.into_iter().map(|file| (repository.clone(), file)));
    }

    /// The first file that the subject has otherwise: the question and both answers.
    pub(super) fn difference(
        &self,
        subject: &mut dyn Subject,
    ) -> Result<Option<(String, String, String)>, Failure> {
        let files = self.present.iter().flat_map(|(name, files)| files.iter().map(move |file| (name, file)));
        for (name, file) in files.chain(self.ended.iter().map(|(name, file)| (name, file))) {
            let by_digest = Which::Sha256(file.sha256);
            let by_version = Which::Version(file.version);
            for which in std::iter::once(by_digest).chain([by_version]).chain(after(file.version)) {
                let expected = self.find(name, &file.role, which);
                let found = subject.history(name, &file.role, which)?;
                if expected != found.as_ref() {
                    let what = format!("{} of {name} by {which:?}", file.role);
                    return Ok(Some(parted(&what, &expected, &found)));
                }
            }
        }
        Ok(None)
    }

    /// The newest, where a version stands twice.
    fn find(&self, repository: &RepositoryName, role: &RoleName, which: Which) -> Option<&File> {
        self.present.get(repository)?.iter().rev().find(|file| {
            file.role == *role
                && match which {
                    Which::Version(version) => file.version == version,
                    Which::Sha256(sha256) => file.sha256 == sha256,
                }
        })
    }
}

/// A version that may never have been published.
fn after(version: Version) -> Option<Which> {
    version.next().map(Which::Version)
}
