//! What is published before anything is measured.

use std::path::Path;

use tufstore::terms::Sha256;
use tufstore::{Options, Store};
use tufstore_testkit::{Publisher, SeededOnlineKeys, digest};

use crate::by_hand::ByHand;

/// Both stores, holding the same; gone with the folder.
pub(crate) struct Both {
    pub(crate) store: Store,
    pub(crate) by_hand: ByHand,
    pub(crate) repositories: Vec<String>,
    _folder: tempfile::TempDir,
}

impl Both {
    /// So many repositories with so many tags each.
    pub(crate) fn new(repositories: usize, tags: usize) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = open(&folder.path().join("tufstore"));
        let by_hand = ByHand::open(&folder.path().join("sled"));
        let repositories: Vec<_> =
            (0..repositories).map(|number| format!("registry.example.com/team/app-{number}")).collect();
        for repository in &repositories {
            let publisher = publish(&store, repository, tags);
            by_hand.copy(&store, publisher.repository());
        }
        Self { store, by_hand, repositories, _folder: folder }
    }

    /// Questions in an order that no cache foresees; the same in each run.
    pub(crate) fn questions(&self, tags: usize) -> Vec<(String, String)> {
        const COUNT: u64 = 8_192;
        let mut state = 1_u64;
        let mut random = |below: usize| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            usize::try_from(state >> 33).unwrap() % below
        };
        let questions = (0..COUNT).map(|_| {
            (self.repositories.get(random(self.repositories.len())).unwrap().clone(), tag(random(tags)))
        });
        questions.collect()
    }
}

pub(crate) fn open(folder: &Path) -> Store {
    Store::open(folder, Options::default().with_online_keys(SeededOnlineKeys::new("a server"))).unwrap()
}

/// Publishes a repository with so many tags.
pub(crate) fn publish(store: &Store, repository: &str, tags: usize) -> Publisher {
    let mut publisher = Publisher::for_store(repository, store);
    for number in 0..tags {
        publisher.tag(&[(&tag(number), content(number))]);
    }
    publisher.publish(store).unwrap();
    publisher
}

pub(crate) fn tag(number: usize) -> String {
    format!("{}.{}-alpine3.22", number / 100, number % 100)
}

fn content(number: usize) -> Sha256 {
    digest(&number.to_string())
}
