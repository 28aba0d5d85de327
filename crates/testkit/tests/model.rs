//! A store under the model, and the model under a liar.

use proptest::prelude::*;
use tufstore::crypto::{OnlineRole, PublicKey};
use tufstore::terms::{RepositoryName, RoleName, Sha256};
use tufstore::{CompleteSet, Upload, Which};
use tufstore_testkit::model::{
    Event, Failure, File, Mismatch, Operation, Pin, Reopening, StoreSubject, Subject, Tagging, operations,
    run,
};

/// As many cases as proptest is told by its environment, or a part of them.
fn config(part: u32) -> ProptestConfig {
    let config = ProptestConfig::default();
    ProptestConfig { cases: config.cases / part, failure_persistence: None, ..config }
}

proptest! {
    #![proptest_config(config(2))]

    #[test]
    fn a_store_in_memory_agrees_with_a_map_of_maps(operations in operations(24)) {
        run(&operations, &mut StoreSubject::in_memory())?;
    }
}

proptest! {
    #![proptest_config(config(32))]

    #[test]
    fn a_store_in_a_folder_agrees_with_a_map_of_maps(operations in operations(24)) {
        run(&operations, &mut StoreSubject::in_folder())?;
    }
}

/// Loses one tag of one repository after it was opened anew.
struct Forgetful {
    store: StoreSubject,
    reopened: bool,
}

impl Subject for Forgetful {
    fn online_key(&mut self, repository: &RepositoryName, role: OnlineRole) -> Result<PublicKey, Failure> {
        self.store.online_key(repository, role)
    }

    fn pending_key(&mut self, repository: &RepositoryName, role: OnlineRole) -> Result<PublicKey, Failure> {
        self.store.pending_key(repository, role)
    }

    fn publish(&mut self, repository: &RepositoryName, upload: &Upload) -> Result<(), Failure> {
        self.store.publish(repository, upload)
    }

    fn mirror(&mut self, repository: &RepositoryName, set: &CompleteSet) -> Result<(), Failure> {
        self.store.mirror(repository, set)
    }

    fn delete(&mut self, repository: &RepositoryName) -> Result<(), Failure> {
        self.store.delete(repository)
    }

    fn lookup(&mut self, repository: &RepositoryName, tag: &str) -> Result<Option<Sha256>, Failure> {
        if self.reopened && tag == "v1" { Ok(None) } else { self.store.lookup(repository, tag) }
    }

    fn pin(&mut self, repository: &RepositoryName) -> Result<Option<Box<dyn Pin>>, Failure> {
        self.store.pin(repository)
    }

    fn repositories(&mut self) -> Result<Vec<RepositoryName>, Failure> {
        self.store.repositories()
    }

    fn feed(&mut self) -> Result<Vec<Event>, Failure> {
        self.store.feed()
    }

    fn history(
        &mut self,
        repository: &RepositoryName,
        role: &RoleName,
        which: Which,
    ) -> Result<Option<File>, Failure> {
        self.store.history(repository, role, which)
    }

    fn reopen(&mut self, reopening: Reopening) -> Result<(), Failure> {
        self.reopened = true;
        self.store.reopen(reopening)
    }
}

#[test]
fn a_subject_that_forgets_is_found_out() {
    let publish = Operation::Publish { repository: 0, tags: vec![Tagging { tag: 1, content: 1 }] };
    let operations = [publish, Operation::Reopen(Reopening::Whole)];
    let mut subject = Forgetful { store: StoreSubject::in_memory(), reopened: false };
    let mismatch = run(&operations, &mut subject).unwrap_err();
    let what = "v1 of example.com/published/0";
    assert!(matches!(&mismatch, Mismatch::Differs { step: 1, what: w, .. } if w == what), "{mismatch}");
}
