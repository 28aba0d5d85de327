//! A store in a file, and back.

use std::path::{Path, PathBuf};
use std::{fs, io, path};

use serde::Serialize;
use tufstore::terms::{Position, RepositoryName, RoleName, Version};
use tufstore::{Lost, Options, RestoreReport, RestoredRepository, Since, Store};
use tufstore_server::admin::{BackedUp, Backup, Blob};
use tufstore_server::keys_of_restored;
use tufstore_server::settings::{OpenedBy, Passphrase};

use super::maintain::asked;
use super::serve::PASSPHRASE;
use crate::failure::Failure;
use crate::output::{self, Output};
use crate::{args, clock, store};

/// The master key's file in a store's folder, and what it is called in a backup.
const MASTER: &str = "master";

#[derive(Serialize)]
struct Made {
    file: PathBuf,
    after: Position,
    to: Position,
    records: u64,
    bytes: u64,
    with_master_key: bool,
}

/// `tufstore backup`
pub(crate) fn backup(args: &args::Backup, output: Output) -> Result<(), Failure> {
    let whole = |file: &Path| path::absolute(file).map_err(Failure::file("finding the file"));
    let store = store::reach(&args.store)?;
    let mut along = Vec::new();
    if args.with_master_key {
        along.push((MASTER.to_owned(), Blob(read(&args.store.data.join(MASTER))?.into())));
    }
    let to = whole(&args.to)?;
    let since = args.since.as_deref().map(whole).transpose()?;
    let BackedUp { after, to: end, records, bytes, .. } =
        asked(&store, Backup { to: to.clone(), since, along })?;
    store.close()?;
    let made = Made { file: to, after, to: end, records, bytes, with_master_key: args.with_master_key };
    let text = output::facts(&[
        ("backup", made.file.display().to_string()),
        ("of positions", format!("{} to {}", after.next(), end)),
        ("records", output::number(records)),
        ("size", output::size(bytes)),
        ("master key", if made.with_master_key { "in it, sealed" } else { "not in it" }.to_owned()),
    ]);
    output.result(&made, text)
}

fn read(file: &Path) -> Result<Vec<u8>, Failure> {
    fs::read(file).map_err(Failure::file(format!("reading {}", file.display())))
}

#[derive(Serialize)]
struct Restored {
    records: u64,
    end: Position,
    goes_on_after: Position,
    master_key: bool,
    repositories: Vec<RepositoryRow>,
    gone: Vec<RepositoryName>,
    unreadable: u64,
}

#[derive(Serialize)]
struct RepositoryRow {
    repository: RepositoryName,
    signed: bool,
    publish_above: Vec<(RoleName, Version)>,
}

/// `tufstore restore`
pub(crate) fn restore(args: &args::Restore, output: Output) -> Result<(), Failure> {
    let since = if args.rollback {
        let (old, position, version) = (args.old.clone(), args.position_above, args.version_above);
        Since::Lost(Lost { old, position, version })
    } else {
        Since::Nothing
    };
    let (mut options, mut files) = (Options::default(), Vec::new());
    if let Some(master) = master(args)? {
        let master = if args.rollback {
            let (keys, anew) = keys_of_restored(&master, beside(args), &opened_by(args))?;
            options = options.with_online_keys(keys);
            anew
        } else {
            master
        };
        files.push((MASTER.to_owned(), master));
    }
    let master_key = !files.is_empty();
    let restore = tufstore::Restore { backups: args.backups.clone(), to: args.to.clone(), since, files };
    let bar = output::bar("restoring", 0);
    let restored = Store::restore(&restore, options, clock::now(), &mut |progress| {
        bar.set_length(progress.all);
        bar.set_position(progress.done);
    });
    bar.finish_and_clear();
    let restored = Restored::new(restored?, master_key);
    output.result(&restored, restored.text())
}

/// The master key's file: as given, or of the newest backup that has it, or of the old store.
fn master(args: &args::Restore) -> Result<Option<Vec<u8>>, Failure> {
    if let Some(file) = &args.master {
        return read(file).map(Some);
    }
    for backup in args.backups.iter().rev() {
        let files = Store::files_in_backup(backup);
        let files = files.map_err(|source| Failure::Backup { file: backup.clone(), source })?;
        if let Some((_, master)) = files.into_iter().find(|(name, _)| name == MASTER) {
            return Ok(Some(master));
        }
    }
    let Some(old) = &args.old else { return Ok(None) };
    match fs::read(old.join(MASTER)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        read => read.map(Some).map_err(Failure::file("reading the old store's master key")),
    }
}

/// The store beside which the key file lies, if none is named.
fn beside(args: &args::Restore) -> &Path {
    args.old.as_deref().unwrap_or(&args.to)
}

fn opened_by(args: &args::Restore) -> OpenedBy {
    let passphrase = std::env::var_os(PASSPHRASE).filter(|text| !text.is_empty());
    match (&args.passphrase_file, passphrase) {
        (Some(file), _) => OpenedBy::PassphraseFile(file.clone()),
        (None, Some(passphrase)) if args.key_file.is_none() => {
            OpenedBy::Passphrase(Passphrase::new(passphrase.into_encoded_bytes()))
        }
        (None, _) => OpenedBy::KeyFile(args.key_file.clone()),
    }
}

impl Restored {
    fn new(report: RestoreReport, master_key: bool) -> Self {
        let RestoreReport { records, end, goes_on_after, repositories, gone, unreadable, .. } = report;
        let row = |row: RestoredRepository| {
            let RestoredRepository { repository, signed, publish_above, .. } = row;
            RepositoryRow { repository, signed, publish_above }
        };
        let repositories = repositories.into_iter().map(row).collect();
        Self { records, end, goes_on_after, master_key, repositories, gone, unreadable }
    }

    fn text(&self) -> String {
        let mut text = output::facts(&[
            ("records", output::number(self.records)),
            ("up to position", self.end.to_string()),
            ("goes on after position", self.goes_on_after.to_string()),
            (
                "master key",
                if self.master_key {
                    "restored"
                } else {
                    "NOT restored: put its file `master` into the folder"
                }
                .to_owned(),
            ),
        ]);
        if self.unreadable > 0 {
            text = format!(
                "{text}\n\n{} publications of the old store cannot be read: which, and of whom, is not known",
                output::number(self.unreadable)
            );
        }
        for RepositoryRow { repository, publish_above, .. } in &self.repositories {
            for (role, version) in publish_above {
                text = format!(
                    "{text}\n\n{repository}: {role} has to be published again, with a version above {version}"
                );
            }
        }
        for repository in &self.gone {
            text = format!("{text}\n\n{repository}: gone; it has to be published again from its beginning");
        }
        text
    }
}
