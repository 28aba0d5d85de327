//! Bytes to `Parsed`: what the upload says, believed by nobody yet.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::PublishError;
use crate::metadata::{
    self, Limits, Parsed, Root, Snapshot, Targets, parse_root, parse_snapshot, parse_targets, parse_timestamp,
};
use crate::terms::{Note, RoleName};

/// What a publisher sends: the new files of some roles. Empty, it asks for the online roles to be renewed.
#[derive(Clone, Debug, Default)]
pub struct Upload {
    files: Vec<(RoleName, Arc<[u8]>)>,
    note: Option<Note>,
}

impl Upload {
    /// Without any file.
    pub fn new() -> Self {
        Self::default()
    }

    /// With one more file, its exact bytes.
    #[must_use]
    pub fn with(mut self, role: RoleName, bytes: impl Into<Arc<[u8]>>) -> Self {
        self.files.push((role, bytes.into()));
        self
    }

    /// With what stays told of its publication.
    #[must_use]
    pub fn with_note(mut self, note: Note) -> Self {
        self.note = Some(note);
        self
    }

    pub(super) fn note(&self) -> Option<&Note> {
        self.note.as_ref()
    }

    /// Its files in the order in which they were added, their exact bytes.
    pub fn files(&self) -> impl Iterator<Item = (&RoleName, &Arc<[u8]>)> {
        self.files.iter().map(|(role, bytes)| (role, bytes))
    }

    /// The roles in it, as they were added.
    pub fn roles(&self) -> impl Iterator<Item = &RoleName> {
        self.files.iter().map(|(role, _)| role)
    }
}

/// An upload that can be read.
#[derive(Debug, Default)]
pub(crate) struct ParsedUpload {
    pub(super) root: Option<Parsed<Root>>,
    pub(super) targets: Option<Parsed<Targets>>,
    /// Nearest to `targets` first.
    pub(super) delegations: BTreeMap<(usize, RoleName), Parsed<Targets>>,
    pub(super) snapshot: Option<Parsed<Snapshot>>,
}

/// Reads every file of the upload. A timestamp must be readable and is then left out: the store makes its own.
pub(crate) fn parse(upload: &Upload, limits: &Limits) -> Result<ParsedUpload, PublishError> {
    let mut parsed = ParsedUpload::default();
    for (at, (role, bytes)) in upload.files.iter().enumerate() {
        if upload.files.iter().take(at).any(|(before, _)| before == role) {
            return Err(PublishError::Repeated { role: role.clone() });
        }
        read(&mut parsed, role, bytes, limits)
            .map_err(|source| PublishError::Malformed { role: role.clone(), source })?;
    }
    Ok(parsed)
}

fn read(
    parsed: &mut ParsedUpload,
    role: &RoleName,
    bytes: &Arc<[u8]>,
    limits: &Limits,
) -> Result<(), metadata::ParseError> {
    let bytes = Arc::clone(bytes);
    match role {
        RoleName::Root => parsed.root = Some(parse_root(bytes, limits)?),
        RoleName::Targets => parsed.targets = Some(parse_targets(role.clone(), bytes, limits)?),
        RoleName::Snapshot => parsed.snapshot = Some(parse_snapshot(bytes, limits)?),
        RoleName::Timestamp => drop(parse_timestamp(bytes, limits)?),
        RoleName::Delegation(_) => {
            let file = parse_targets(role.clone(), bytes, limits)?;
            parsed.delegations.insert((role.depth(), role.clone()), file);
        }
    }
    Ok(())
}
