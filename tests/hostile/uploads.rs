//! Real uploads, damaged: a store takes them or refuses them, never panics, and what it refuses changes nothing.

use std::sync::Arc;

use tufstore::terms::{RepositoryName, RoleName};
use tufstore::{Options, Store, Upload};
use tufstore_testkit::{NOW, Observed, ObservedRepository, Publisher, SeededOnlineKeys, digest, observe};

use crate::script::Script;

/// An upload, and what a repository says after it.
#[derive(Clone)]
struct Real {
    files: Vec<(RoleName, Arc<[u8]>)>,
    after: ObservedRepository,
}

/// A store, and uploads that it would take as they are.
pub(crate) struct Target {
    store: Store,
    repository: RepositoryName,
    uploads: Vec<Real>,
    before: Observed,
}

impl Target {
    /// A repository with a delegation whose author holds the snapshot key, and three ways to go on with it.
    pub(crate) fn new() -> Self {
        let store = open();
        let mut publisher = Publisher::holding_snapshot("example.com/app", &store);
        publisher.tag(&[("1", digest("1")), ("2", digest("2"))]);
        publisher.delegate("targets/releases", &[""], &[("3", digest("3"))]);
        let first = publisher.upload();
        store.publish(publisher.repository(), &first, NOW).unwrap();

        let mut tagged = publisher.clone();
        tagged.tag(&[("4", digest("4"))]);
        let mut delegated = publisher.clone();
        delegated.delegate("targets/releases/beta", &["b"], &[("b1", digest("5"))]);
        let mut rotated = publisher.clone();
        rotated.author().rotate_targets().unwrap();
        rotated.author().rotate_root(NOW).unwrap();
        let uploads = [tagged, delegated, rotated].map(|mut publisher| {
            let twin = open();
            twin.publish(publisher.repository(), &first, NOW).unwrap();
            let upload = publisher.upload();
            taken(&twin, publisher.repository(), &upload)
        });
        let uploads = uploads.to_vec();
        let before = observe(&store);
        Self { store, repository: publisher.repository().clone(), uploads, before }
    }

    /// Sends one of the uploads, damaged as the script says. Answers whether it was taken, after which this target has
    /// moved on and should be replaced.
    ///
    /// # Panics
    /// If a refused upload changed anything, or one that was taken says anything else than its authors signed.
    pub(crate) fn withstands(&self, script: &[u8]) -> bool {
        let mut script = Script::new(script);
        let Some(real) = script.below(self.uploads.len()).and_then(|chosen| self.uploads.get(chosen)) else {
            return false;
        };
        let mut files: Vec<_> =
            real.files.iter().map(|(role, bytes)| (role.clone(), bytes.to_vec())).collect();
        for _ in 0..3 {
            let Some(chosen) = script.below(files.len()) else { break };
            let Some((_, bytes)) = files.get_mut(chosen) else { break };
            if script.damage(bytes).is_none() {
                break;
            }
        }
        if files.iter().zip(&real.files).all(|((_, damaged), (_, bytes))| damaged.as_slice() == &**bytes) {
            return false;
        }
        let upload = files.into_iter().fold(Upload::new(), |upload, (role, bytes)| upload.with(role, bytes));
        let Ok(_) = self.store.publish(&self.repository, &upload, NOW) else {
            assert_eq!(observe(&self.store), self.before);
            return false;
        };
        let observed = observe(&self.store);
        let after = observed.repositories.get(&self.repository).unwrap();
        assert_eq!(after.roles, real.after.roles);
        assert_eq!((&after.tags, &after.lookups), (&real.after.tags, &real.after.lookups));
        true
    }
}

fn open() -> Store {
    Store::in_memory(Options::default().with_online_keys(SeededOnlineKeys::new("a server"))).unwrap()
}

/// An upload that `store` takes, as it serves it then.
fn taken(store: &Store, repository: &RepositoryName, upload: &Upload) -> Real {
    store.publish(repository, upload, NOW).unwrap();
    let view = store.view(repository).unwrap().unwrap();
    let documents = upload.roles().map(|role| view.document(role).unwrap());
    let files = documents.map(|document| (document.role().clone(), Arc::clone(document.bytes()))).collect();
    Real { files, after: observe(store).repositories.remove(repository).unwrap() }
}
