//! Whether images may run; and a repository that begins anew.

use std::io::{self, IsTerminal as _};

use serde::Serialize;
use tufstore_server::admin::{self, Current, Reset, Tags};
use tufstore_server::directory::{Reference, Verdict, WhyNot};

use crate::args::{self, RepositoryCommand};
use crate::failure::Failure;
use crate::output::{self, Column, Output, Row};
use crate::store;

#[derive(Serialize)]
struct SignedRow {
    image: String,
    #[serde(flatten)]
    verdict: Verdict,
}

impl Row for SignedRow {
    const COLUMNS: &'static [Column] =
        &[Column::Text("IMAGE"), Column::Text("SIGNED"), Column::Text("BY"), Column::Text("DIGEST")];

    fn cells(&self) -> Vec<String> {
        let Verdict { digest, signers, why, .. } = &self.verdict;
        let digest = digest.map(|digest| format!("sha256:{digest}")).unwrap_or_default();
        let signers = signers.iter().cloned().collect::<Vec<_>>().join(", ");
        vec![self.image.clone(), why.as_ref().map_or_else(|| "yes".to_owned(), told), signers, digest]
    }
}

fn told(why: &WhyNot) -> String {
    match why {
        WhyNot::NoTrustData => "no: there is no trust data".to_owned(),
        WhyNot::NotSigned => "no: nobody signed the tag".to_owned(),
        WhyNot::Expired { role, since } => format!("no: {role} expired at {since}"),
        WhyNot::OtherDigest => "no: the tag stands for another digest".to_owned(),
        WhyNot::SignersMissing { missing } => {
            format!("no: not signed by {}", missing.iter().cloned().collect::<Vec<_>>().join(", "))
        }
        _ => "no".to_owned(),
    }
}

/// `tufstore signed`
pub(crate) fn signed(args: &args::Signed, output: Output) -> Result<(), Failure> {
    let images: Vec<Reference> =
        args.images.iter().map(|image| reference(image)).collect::<Result<_, _>>()?;
    let signers = args.signers.iter().cloned().collect();
    let verdicts = store::reach(&args.store)?.ask_once(admin::Signed { images, signers })?;
    let rows = args.images.iter().cloned().zip(verdicts);
    let rows: Vec<_> = rows.map(|(image, verdict)| SignedRow { image, verdict }).collect();
    output.list(&rows)?;
    let unsigned: Vec<_> = rows.iter().filter(|row| !row.verdict.signed).collect();
    if unsigned.is_empty() {
        return Ok(());
    }
    let is_expired = |row: &&SignedRow| matches!(row.verdict.why, Some(WhyNot::Expired { .. }));
    Err(Failure::NotSigned { unsigned: unsigned.len(), expired: unsigned.iter().all(is_expired) })
}

/// `REPO:TAG`, or `REPO:TAG@sha256:DIGEST`.
fn reference(image: &str) -> Result<Reference, Failure> {
    let wrong = || Failure::NoReference { image: image.to_owned() };
    let (named, digest) = match image.split_once("@sha256:") {
        Some((named, digest)) => (named, Some(digest.parse().map_err(|_| wrong())?)),
        None => (image, None),
    };
    // A colon before the last slash is a port's.
    let (repository, tag) = named.rsplit_once(':').filter(|(_, tag)| !tag.contains('/')).ok_or_else(wrong)?;
    let repository = repository.parse().map_err(|_| wrong())?;
    Ok(Reference { repository, tag: tag.to_owned(), digest })
}

/// `tufstore repository`
pub(crate) fn repository(args: &args::RepositoryArgs, output: Output) -> Result<(), Failure> {
    let RepositoryCommand::Reset { repository, yes, store } = args.command.clone();
    let store = store::reach(&store)?;
    if !yes {
        let tags = store.ask(Tags { repository: repository.clone(), role: None })?.len();
        let current = store.ask(Current { repository: repository.clone() })?;
        let publications = current.map_or(0, |(revision, _)| revision.get());
        let question = format!(
            "end {repository} with its {tags} tags and {publications} publications, so that it begins anew with another root key?"
        );
        if !io::stdin().is_terminal() || !output::confirm(&question)? {
            return Err(Failure::NotConfirmed { repository });
        }
    }
    let reset = store.ask_once(Reset { repository: repository.clone() })?;
    output::note(format_args!(
        "each client that knows the old root has to forget it: remove ~/.docker/trust/tuf/{repository}"
    ));
    let text = format!(
        "{repository} begins anew; what was there lies in {}, {} files",
        reset.archive.display(),
        reset.files
    );
    output.result(&reset, text)
}
