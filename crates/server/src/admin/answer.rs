//! The answers, each on a store that is open.

use std::time::Duration;

use tufstore::metadata::write::key_type;
use tufstore::terms::{Note, RepositoryName, Revision, RoleName, Sha256, UnixTime, Version};
use tufstore::{
    BackupError, Change, ChangeKind, CompleteSet, DeleteError, IndexKind, InvalidBackup, MirrorError,
    PublishError, Retention, Stage, Store, Upload, VerifyReport, View, Which,
};

use super::question::{
    BackedUp, Backup, Blob, ChangeEntry, ChangeEntryKind, Changed, Changes, Check, Checked, Collect,
    Collected, Current, CurrentFile, Delete, Deleted, DocumentEntry, FindingEntry, FoundTag, History, Key,
    Lookup, Mirror, PublicKeyEntry, Publish, Question, Receipt, ReceiptEntry, ReceiptFile, Reindex,
    Reindexed, Repositories, RepositoryEntry, Scrub, Show, Status, StatusEntry, TagEntry, Tags, Verified,
    Verify,
};
use super::{Kind, Opened, Progress, Refusal};
use crate::access::Registry;
use crate::directory::{Noted, Publishing};
use crate::text::chain;

type Tell<'a> = &'a mut dyn FnMut(Progress);

fn count(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

/// Pins a repository that has to be there.
fn view(store: &Store, repository: &RepositoryName) -> Result<View, Refusal> {
    let view = store.view(repository).map_err(|error| Refusal::storage("reading the repository", &error))?;
    view.ok_or_else(|| Refusal::no_such_repository(repository))
}

/// On whose behalf something is done; not said where nobody has to be anybody.
fn noted(opened: &Opened) -> Result<Option<Note>, Refusal> {
    let is_open = opened.directory()?.is_open();
    Ok(if is_open { None } else { Noted::by(opened.by.clone()).to_note() })
}

/// Held while something is published there.
fn publishing<'a>(opened: &'a Opened, repository: &RepositoryName) -> Result<Publishing<'a>, Refusal> {
    opened.directory()?.publishing(repository).ok_or_else(|| {
        let registry = Registry::of(repository);
        let message = format!("content trust is disabled for the registry {registry}: enable it first");
        Refusal::new(Kind::Rule, message)
    })
}

impl Question for Backup {
    type Answer = BackedUp;

    fn answer(
        &self,
        Opened { store, .. }: &Opened,
        _: UnixTime,
        tell: Tell<'_>,
    ) -> Result<BackedUp, Refusal> {
        let along = self.along.iter().map(|(name, bytes)| (name.clone(), bytes.0.to_vec()));
        let along: Vec<_> = along.collect();
        let made =
            store.backup(&self.to, self.since.as_deref(), &along, &mut |progress| tell(told(progress)));
        let made = made.map_err(|error| {
            let kind = match &error {
                BackupError::Storage(error) => Refusal::storage("reading the store", error).kind,
                BackupError::File(_) | BackupError::Earlier(InvalidBackup::Io(_)) => Kind::Files,
                BackupError::Earlier(_) | BackupError::OtherHistory { .. } | _ => Kind::Operator,
            };
            Refusal::new(kind, format!("no backup in {}", self.to.display())).because(&error)
        })?;
        Ok(BackedUp { after: made.after, to: made.to, records: made.records, bytes: made.bytes })
    }
}

impl Question for Changes {
    type Answer = Changed;

    fn answer(&self, Opened { store, .. }: &Opened, _: UnixTime, _: Tell<'_>) -> Result<Changed, Refusal> {
        let limit = usize::try_from(self.limit).unwrap_or(usize::MAX);
        let changes: Result<Vec<_>, _> =
            store.changes(self.after).take(limit).map(|change| change.map(ChangeEntry::from)).collect();
        let changes = changes.map_err(|error| Refusal::storage("reading the changes", &error))?;
        let last = changes.last().map_or(self.after, |change| change.position);
        Ok(Changed { changes, more: store.position() > last })
    }
}

impl From<Change> for ChangeEntry {
    fn from(change: Change) -> Self {
        let kind = match change.kind {
            ChangeKind::Published { version, sha256 } => ChangeEntryKind::Published { version, sha256 },
            ChangeKind::Restored { version, sha256 } => ChangeEntryKind::Restored { version, sha256 },
            ChangeKind::Deleted => ChangeEntryKind::Deleted,
            _ => ChangeEntryKind::Unknown,
        };
        let Change { position, time, repository, incarnation, revision, .. } = change;
        Self { position, time, repository, incarnation, revision, kind }
    }
}

impl Question for Check {
    type Answer = Checked;

    fn answer(
        &self,
        Opened { store, .. }: &Opened,
        now: UnixTime,
        tell: Tell<'_>,
    ) -> Result<Checked, Refusal> {
        let within = Duration::from_secs(self.within);
        let (names, mut concerns, mut repositories) = (store.repositories(), Vec::new(), 0);
        for (done, repository) in (1..).zip(&names) {
            let found = crate::concerns::of(store, repository, now, within);
            // It may have ended since it was listed.
            if let Some(found) = found.map_err(|error| Refusal::storage("reading the repository", &error))? {
                repositories += 1;
                concerns.extend(found);
            }
            tell(Progress { doing: "checking".to_owned(), done, all: count(names.len()) });
        }
        Ok(Checked { repositories, concerns })
    }
}

impl Question for Collect {
    type Answer = Collected;

    fn answer(
        &self,
        Opened { store, .. }: &Opened,
        now: UnixTime,
        tell: Tell<'_>,
    ) -> Result<Collected, Refusal> {
        let retention = Retention::default().with_versions(self.versions).with_worth(self.worth);
        let retention = retention.with_age(Duration::from_secs(self.age));
        let report = store.collect(&retention, now, &mut |progress| {
            tell(told(progress));
            true
        });
        let report = report.map_err(|error| Refusal::storage("dropping what is not kept", &error))?;
        Ok(Collected { documents: report.documents, freed_bytes: report.freed_bytes })
    }
}

/// For people.
fn told(progress: tufstore::Progress) -> Progress {
    let doing = match progress.stage {
        Stage::Bytes => "reading",
        Stage::Trust => "verifying",
        Stage::Choosing => "choosing",
        Stage::Compacting => "compacting",
        Stage::BackingUp => "backing up",
        Stage::Restoring => "restoring",
        Stage::Signing => "signing",
        Stage::Repairing | _ => "repairing",
    };
    Progress { doing: doing.to_owned(), done: progress.done, all: progress.all }
}

impl Question for Current {
    /// How many publications, and the files.
    type Answer = Option<(Revision, Vec<CurrentFile>)>;

    fn answer(
        &self,
        Opened { store, .. }: &Opened,
        _: UnixTime,
        _: Tell<'_>,
    ) -> Result<Self::Answer, Refusal> {
        let view = store.view(&self.repository);
        let view = view.map_err(|error| Refusal::storage("reading the repository", &error))?;
        Ok(view.map(|view| {
            let files = view.documents().map(|document| CurrentFile {
                role: document.role().clone(),
                version: document.version(),
                bytes: Blob(document.bytes().clone()),
            });
            (view.revision(), files.collect())
        }))
    }
}

impl Question for Delete {
    type Answer = Deleted;

    fn answer(&self, opened: &Opened, now: UnixTime, _: Tell<'_>) -> Result<Deleted, Refusal> {
        let store = &opened.store;
        let refused = |error: DeleteError| {
            let kind = match &error {
                DeleteError::Storage(storage) => Refusal::storage("deleting", storage).kind,
                _ => error.fault().into(),
            };
            Refusal::new(kind, format!("{} could not be deleted", self.repository)).because(&error)
        };
        let _publishing = opened.directory()?.hold();
        let deleted = store.delete_noting(&self.repository, noted(opened)?.as_ref(), now);
        let receipt = deleted.map_err(refused)?;
        let receipt = receipt.ok_or_else(|| Refusal::no_such_repository(&self.repository))?;
        Ok(Deleted { position: receipt.position, incarnation: receipt.incarnation })
    }
}

impl Question for History {
    type Answer = Vec<DocumentEntry>;

    fn answer(
        &self,
        Opened { store, .. }: &Opened,
        _: UnixTime,
        _: Tell<'_>,
    ) -> Result<Self::Answer, Refusal> {
        // Fails where the repository is not there, which an empty list would not tell.
        view(store, &self.repository)?;
        let entries = store.documents(&self.repository).map(|entry| {
            entry.map(|entry| {
                let tufstore::DocumentEntry { position, time, role, version, sha256, length, .. } = entry;
                DocumentEntry { position, time, role, version, sha256, length }
            })
        });
        entries.collect::<Result<_, _>>().map_err(|error| Refusal::storage("reading the history", &error))
    }
}

impl Question for Key {
    type Answer = PublicKeyEntry;

    fn answer(
        &self,
        Opened { store, .. }: &Opened,
        _: UnixTime,
        _: Tell<'_>,
    ) -> Result<PublicKeyEntry, Refusal> {
        let refused = |error| {
            let message = format!("making a key for {}", self.repository);
            Refusal::new(Kind::Operator, message).because(&error)
        };
        let key = store.online_key(&self.repository, self.role()).map_err(refused)?;
        Ok(PublicKeyEntry { key_type: key_type(&key).to_owned(), public: Blob(key.encoded().into()) })
    }
}

impl Question for Lookup {
    type Answer = FoundTag;

    fn answer(&self, Opened { store, .. }: &Opened, now: UnixTime, _: Tell<'_>) -> Result<FoundTag, Refusal> {
        let (repository, tag) = (&self.repository, &self.tag);
        let answer = store.lookup(repository.as_str(), tag, now);
        match answer.map_err(|error| Refusal::storage("looking the tag up", &error))? {
            tufstore::Lookup::Found(found) => {
                let role = found.target.from.as_str().parse();
                let role =
                    role.map_err(|_| Refusal::new(Kind::Defect, "a tag of a role that has no name"))?;
                let (sha256, length) = (found.target.sha256, found.target.length);
                Ok(FoundTag { sha256, length, role, fresh_until: found.fresh_until })
            }
            tufstore::Lookup::NoSuchTag => {
                Err(Refusal::new(Kind::NoSuchTag, format!("{repository} has no tag {tag:?}")))
            }
            tufstore::Lookup::NoSuchRepository => Err(Refusal::no_such_repository(repository)),
            tufstore::Lookup::Expired { role, since } => Err(Refusal::new(
                Kind::Expired,
                format!(
                    "{repository}: {role} expired at {since}, so what the tag stands for cannot be relied on"
                ),
            )),
        }
    }
}

impl Question for Mirror {
    type Answer = ReceiptEntry;

    fn answer(&self, opened: &Opened, now: UnixTime, _: Tell<'_>) -> Result<ReceiptEntry, Refusal> {
        let store = &opened.store;
        let message = format!("{}: the set was refused", self.repository);
        let file = |role: RoleName| {
            let missing = || Refusal::new(Kind::Publisher, format!("{message}: it has no {role}"));
            self.files.get(&role).map(|file| file.0.clone()).ok_or_else(missing)
        };
        let roots = self.roots.iter().map(|root| root.0.clone()).collect();
        let [timestamp, snapshot, targets] = [RoleName::Timestamp, RoleName::Snapshot, RoleName::Targets];
        let set = CompleteSet::new(roots, file(timestamp)?, file(snapshot)?, file(targets)?);
        let delegations = self.files.iter().filter(|(role, _)| role.depth() > 0);
        let set = delegations.fold(set, |set, (role, bytes)| set.with(role.clone(), bytes.0.clone()));
        let _publishing = publishing(opened, &self.repository)?;
        let set = noted(opened)?.into_iter().fold(set, CompleteSet::with_note);
        match store.mirror(&self.repository, &set, now) {
            Ok(receipt) => Ok(ReceiptEntry::from(&receipt)),
            Err(MirrorError::Storage(error)) => Err(Refusal::storage("taking a set", &error)),
            Err(error) => Err(Refusal::new(error.fault().into(), message).because(&error)),
        }
    }
}

impl Question for Publish {
    type Answer = ReceiptEntry;

    fn answer(&self, opened: &Opened, now: UnixTime, _: Tell<'_>) -> Result<ReceiptEntry, Refusal> {
        let store = &opened.store;
        let files = self.files.iter();
        let upload =
            files.fold(Upload::new(), |upload, (role, bytes)| upload.with(role.clone(), bytes.0.clone()));
        let _publishing = publishing(opened, &self.repository)?;
        let upload = noted(opened)?.into_iter().fold(upload, Upload::with_note);
        match store.publish(&self.repository, &upload, now) {
            Ok(receipt) => Ok(ReceiptEntry::from(&receipt)),
            Err(error) => {
                let message = format!("{}: the publication was refused", self.repository);
                let kind = if let PublishError::Storage(storage) = &error {
                    Refusal::storage("publishing", storage).kind
                } else {
                    error.fault().into()
                };
                Err(Refusal::new(kind, message).because(&error))
            }
        }
    }
}

impl From<&tufstore::Receipt> for ReceiptEntry {
    fn from(receipt: &tufstore::Receipt) -> Self {
        Self {
            position: receipt.position,
            incarnation: receipt.incarnation,
            revision: receipt.revision,
            documents: receipt.documents.iter().cloned().map(ReceiptFile::from).collect(),
            warnings: receipt.warnings.iter().map(|warning| chain(warning)).collect(),
        }
    }
}

impl From<(RoleName, Version, Sha256)> for ReceiptFile {
    fn from((role, version, sha256): (RoleName, Version, Sha256)) -> Self {
        Self { role, version, sha256 }
    }
}

impl Question for Receipt {
    /// Whether it was, and the version of the newest timestamp; none where the repository does not live.
    type Answer = Option<(bool, Version)>;

    fn answer(
        &self,
        Opened { store, .. }: &Opened,
        _: UnixTime,
        _: Tell<'_>,
    ) -> Result<Self::Answer, Refusal> {
        let failed = |error| Refusal::storage("reading what the store has", &error);
        let Some(view) = store.view(&self.repository).map_err(failed)? else { return Ok(None) };
        let role = RoleName::Timestamp;
        let known = store.history(&self.repository, &role, self.timestamp).map_err(failed)?.is_some();
        Ok(view.document(&role).map(|newest| (known, newest.version())))
    }
}

impl Question for Reindex {
    type Answer = Reindexed;

    fn answer(
        &self,
        Opened { store, .. }: &Opened,
        _: UnixTime,
        tell: Tell<'_>,
    ) -> Result<Reindexed, Refusal> {
        let progress = &mut |done, all| tell(Progress { doing: "indexing".to_owned(), done, all });
        let made = store.reindex(progress);
        made.map_err(|error| Refusal::storage("making the index anew", &error))?;
        Ok(Reindexed { records: store.position().get() })
    }
}

impl Question for Repositories {
    type Answer = Vec<RepositoryEntry>;

    fn answer(
        &self,
        Opened { store, .. }: &Opened,
        now: UnixTime,
        _: Tell<'_>,
    ) -> Result<Self::Answer, Refusal> {
        let mut entries = Vec::new();
        for repository in store.repositories() {
            let view = store.view(&repository);
            let view = view.map_err(|error| Refusal::storage("reading the repository", &error))?;
            // It may have ended since it was listed.
            let Some(view) = view else { continue };
            let (expires, role) = view.expires();
            let (revision, tags, role) = (view.revision(), count(view.tags().count()), role);
            entries.push(RepositoryEntry {
                repository,
                revision,
                tags,
                expires,
                role,
                expired: expires <= now,
            });
        }
        Ok(entries)
    }
}

impl Question for Show {
    type Answer = Blob;

    fn answer(&self, Opened { store, .. }: &Opened, _: UnixTime, _: Tell<'_>) -> Result<Blob, Refusal> {
        let view = view(store, &self.repository)?;
        let (which, text) = match (self.version, self.sha256) {
            (Some(version), _) => (Which::from(version), format!("of version {version}")),
            (None, Some(sha256)) => (Which::from(sha256), format!("with SHA-256 {sha256}")),
            (None, None) => {
                let none = || Refusal::no_such_document(&self.repository, &self.role, "at present");
                return view
                    .document(&self.role)
                    .map(|document| Blob(document.bytes().clone()))
                    .ok_or_else(none);
            }
        };
        let found = store.history(&self.repository, &self.role, which);
        let found = found.map_err(|error| Refusal::storage("reading the document", &error))?;
        let none = || Refusal::no_such_document(&self.repository, &self.role, &text);
        found.map(|found| Blob(found.document.bytes().clone())).ok_or_else(none)
    }
}

impl Question for Status {
    type Answer = StatusEntry;

    fn answer(
        &self,
        Opened { store, .. }: &Opened,
        _: UnixTime,
        _: Tell<'_>,
    ) -> Result<StatusEntry, Refusal> {
        let status = store.status().map_err(|error| Refusal::storage("measuring the store", &error))?;
        Ok(StatusEntry {
            position: status.position,
            repositories: count(store.repository_count()),
            takes_writes: status.takes_writes,
            journal_bytes: status.journal_bytes,
            index: status.index.map_or("memory", IndexKind::as_str).to_owned(),
            index_bytes: status.index_bytes,
            index_behind: status.index_behind,
            index_relied_on: status.index_relied_on,
        })
    }
}

impl Question for Tags {
    type Answer = Vec<TagEntry>;

    fn answer(
        &self,
        Opened { store, .. }: &Opened,
        _: UnixTime,
        _: Tell<'_>,
    ) -> Result<Self::Answer, Refusal> {
        let view = view(store, &self.repository)?;
        let mut entries: Vec<_> = if let Some(role) = &self.role {
            if !role.is_targets_or_delegation() || view.document(role).is_none() {
                return Err(Refusal::no_such_document(&self.repository, role, "that lists tags"));
            }
            let targets = view.targets_of(role).map(|target| TagEntry {
                tag: target.tag.to_owned(),
                sha256: target.sha256,
                length: target.length,
                role: role.clone(),
            });
            targets.collect()
        } else {
            let tags = view.tags().filter_map(|(tag, target)| {
                let role = target.from.as_str().parse().ok()?;
                let (sha256, length) = (Some(target.sha256), target.length);
                Some(TagEntry { tag: tag.to_owned(), sha256, length, role })
            });
            tags.collect()
        };
        entries.sort_by(|a, b| a.tag.cmp(&b.tag));
        Ok(entries)
    }
}

impl Question for Scrub {
    type Answer = Verified;

    fn answer(
        &self,
        Opened { store, .. }: &Opened,
        _: UnixTime,
        tell: Tell<'_>,
    ) -> Result<Verified, Refusal> {
        let report = store.scrub(&mut |progress| {
            tell(told(progress));
            true
        });
        let report = report.map_err(|error| Refusal::storage("reading the store", &error))?;
        report.map(Verified::from).ok_or_else(|| Refusal::new(Kind::Defect, "reading the store was stopped"))
    }
}

impl Question for Verify {
    type Answer = Verified;

    fn answer(
        &self,
        Opened { store, .. }: &Opened,
        _: UnixTime,
        tell: Tell<'_>,
    ) -> Result<Verified, Refusal> {
        let report = store.verify(&mut |progress| tell(told(progress)));
        report.map(Verified::from).map_err(|error| Refusal::storage("reading the store", &error))
    }
}

impl From<VerifyReport> for Verified {
    fn from(report: VerifyReport) -> Self {
        let findings = report.findings.into_iter().map(|finding| {
            let tufstore::Finding { repository, place, what, .. } = finding;
            FindingEntry { repository, place, what }
        });
        Self {
            records: report.records,
            documents: report.documents,
            repositories: report.repositories,
            tags: report.tags,
            findings: findings.collect(),
        }
    }
}
