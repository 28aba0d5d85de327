//! Many threads at one store: nothing is lost, nothing is half, nothing goes back.

#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "helpers of tests")]

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Barrier, Mutex};
use std::thread;
use std::time::Duration;

use tufstore::crypto::{KeyId, OnlineKeyError, OnlineKeys, OnlineScope, OnlineSignature, PublicKey};
use tufstore::terms::{Position, RepositoryName, RoleName, Sha256};
use tufstore::{Change, ChangeKind, Fault, Lookup, Options, PublishError, Receipt, Store, Upload, View};
use tufstore_testkit::{
    Forge, ForgedFile, ForgedKey, ForgedSigners, NOW, Publisher, SeededOnlineKeys, digest, observe,
};

const REPOSITORY: &str = "docker.io/library/alpine";

fn options() -> Options {
    Options::default().with_online_keys(SeededOnlineKeys::new("concurrency"))
}

fn store() -> Store {
    Store::in_memory(options()).unwrap()
}

fn name() -> RepositoryName {
    REPOSITORY.parse().unwrap()
}

/// Does all at the same time, one thread each.
fn at_once<T: Send>(doing: Vec<Box<dyn FnOnce() -> T + Send + '_>>) -> Vec<T> {
    let ready = Barrier::new(doing.len());
    thread::scope(|scope| {
        let threads: Vec<_> = doing
            .into_iter()
            .map(|does| {
                let ready = &ready;
                scope.spawn(move || {
                    ready.wait();
                    does()
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    })
}

fn one_wins(store: &Store, upload: &Upload) {
    const THREADS: usize = 50;
    let before = store.position();
    let publish = || -> Box<dyn FnOnce() -> Result<Receipt, PublishError> + Send + '_> {
        Box::new(|| store.publish(&name(), upload, NOW))
    };
    let answers = at_once((0..THREADS).map(|_| publish()).collect());
    let (taken, refused): (Vec<_>, Vec<_>) = answers.into_iter().partition(Result::is_ok);
    assert_eq!((taken.len(), refused.len()), (1, THREADS - 1));
    for refusal in refused.into_iter().map(Result::unwrap_err) {
        let PublishError::Superseded { current, offered, .. } = &refusal else { panic!("{refusal}") };
        assert_eq!(current, offered);
        assert_eq!(refusal.fault(), Fault::Race);
    }
    assert_eq!(store.position(), before.next());
    assert_eq!(taken[0].as_ref().unwrap().position, store.position());
}

#[test]
fn of_fifty_identical_publications_exactly_one_is_taken() {
    let store = store();
    for life in 0..3 {
        let mut publisher = Publisher::for_store(REPOSITORY, &store);
        one_wins(&store, &publisher.first_upload());
        for round in 0..3 {
            one_wins(&store, &publisher.tag_upload(&[("3.22", digest(&format!("{life} {round}")))]));
        }
        store.delete(&name(), NOW).unwrap().unwrap();
    }
}

#[test]
fn fifty_publications_of_fifty_repositories_are_all_taken() {
    let store = store();
    let publishers: Vec<_> =
        (0..50).map(|number| Publisher::for_store(&format!("example.com/{number}"), &store)).collect();
    let publish = |mut publisher: Publisher| -> Box<dyn FnOnce() -> Position + Send + '_> {
        let store = &store;
        Box::new(move || publisher.publish(store).unwrap().position)
    };
    let mut positions = at_once(publishers.into_iter().map(publish).collect());
    positions.sort_unstable();
    assert_eq!(positions, (1..=50).map(Position::new).collect::<Vec<_>>());
    assert_eq!(store.repositories().len(), 50);
}

#[test]
fn a_renewal_and_sibling_delegations_in_between_make_nobody_fail() {
    const ROUNDS: u64 = 60;
    let store = store();
    let forge = Forge::for_store(REPOSITORY, &store);
    let signers = ["targets/releases", "targets/b", "targets/c"]
        .map(|role| (role, ForgedSigners::one(ForgedKey::seeded(role))));
    let targets = signers
        .iter()
        .fold(ForgedFile::targets(1, &[]), |file, (role, signers)| file.delegating(role, signers, &[""]));
    let upload = Upload::new()
        .with(RoleName::Root, Arc::clone(&forge.roots[0]))
        .with(RoleName::Targets, targets.signed_by(&forge.targets.keys).bytes());
    store.publish(&name(), &upload, NOW).unwrap();

    let mut did: Vec<Box<dyn FnOnce() + Send + '_>> = Vec::new();
    for (role, signers) in &signers {
        let store = &store;
        did.push(Box::new(move || {
            let role: RoleName = role.parse().unwrap();
            for round in 1..=ROUNDS {
                let file = ForgedFile::targets(round, &[("v1", digest(&format!("{role} {round}")))]);
                let upload = Upload::new().with(role.clone(), file.signed_by(&signers.keys).bytes());
                let receipt = store.publish(&name(), &upload, NOW).unwrap();
                assert_eq!(receipt.warnings, []);
                assert!(receipt.documents.iter().any(|(new, ..)| *new == role));
            }
        }));
    }
    for _ in 0..2 {
        did.push(Box::new(|| {
            for _ in 0..ROUNDS {
                store.publish(&name(), &Upload::new(), NOW).unwrap();
            }
        }));
    }
    at_once(did);

    let view = store.view(&name()).unwrap().unwrap();
    assert_eq!(view.revision().get(), 1 + 5 * ROUNDS);
    for (role, _) in &signers {
        let role: RoleName = role.parse().unwrap();
        assert_eq!(view.document(&role).unwrap().version().get(), ROUNDS);
        let tags: Vec<_> = view.targets_of(&role).map(|target| target.sha256.unwrap()).collect();
        assert_eq!(tags, [digest(&format!("{role} {ROUNDS}"))]);
    }
    // Online versions count one by one, whoever came first.
    assert_eq!(view.document(&RoleName::Timestamp).unwrap().version().get(), 1 + 5 * ROUNDS);
    assert_eq!(view.document(&RoleName::Snapshot).unwrap().version().get(), 1 + 3 * ROUNDS);
}

/// Keys that let something happen while a publication is being completed: it is verified then, and not yet written.
struct Interrupted {
    keys: SeededOnlineKeys,
    happens: Arc<Mutex<Option<Happening>>>,
}

type Happening = Box<dyn FnOnce() + Send>;

impl OnlineKeys for Interrupted {
    fn pending(&self, scope: OnlineScope<'_>) -> Result<PublicKey, OnlineKeyError> {
        self.keys.pending(scope)
    }

    fn sign(
        &self,
        scope: OnlineScope<'_>,
        wanted: &[KeyId],
        message: &[u8],
    ) -> Result<Vec<OnlineSignature>, OnlineKeyError> {
        // Taken out first: what happens may sign as well.
        let happening = self.happens.lock().unwrap().take();
        if let Some(happening) = happening {
            happening();
        }
        self.keys.sign(scope, wanted, message)
    }
}

/// Publishes once, and anew while `between` happens between verifying and writing.
fn interrupted(
    upload: impl FnOnce(&mut Publisher) -> Upload,
    between: impl FnOnce(&Store, Publisher) + Send + 'static,
) -> (Store, Result<Receipt, PublishError>) {
    let happens = Arc::default();
    let keys = Interrupted { keys: SeededOnlineKeys::new("concurrency"), happens: Arc::clone(&happens) };
    let store = Store::in_memory(Options::default().with_online_keys(keys)).unwrap();
    let mut publisher = Publisher::for_store(REPOSITORY, &store);
    publisher.tag(&[("3.22", digest("1"))]);
    publisher.publish(&store).unwrap();
    let other = publisher.clone();
    let upload = upload(&mut publisher);
    let inner = store.clone();
    *happens.lock().unwrap() = Some(Box::new(move || between(&inner, other)));
    let answer = store.publish(&name(), &upload, NOW);
    assert!(happens.lock().unwrap().is_none());
    (store, answer)
}

fn found(store: &Store, tag: &str) -> Option<Sha256> {
    match store.lookup(REPOSITORY, tag, NOW).unwrap() {
        Lookup::Found(found) => Some(found.target.sha256),
        Lookup::NoSuchTag | Lookup::NoSuchRepository => None,
        Lookup::Expired { role, since } => panic!("{role} expired at {since}"),
    }
}

#[test]
fn a_deletion_between_verifying_and_writing_refuses() {
    let uploads: [fn(&mut Publisher) -> Upload; 2] =
        [|publisher| publisher.tag_upload(&[("3.22", digest("2"))]), |_| Upload::new()];
    for upload in uploads {
        let (store, answer) = interrupted(upload, |store, _| {
            store.delete(&name(), NOW).unwrap().unwrap();
        });
        let refused = answer.unwrap_err();
        assert!(matches!(refused, PublishError::LifeEnded), "{refused}");
        assert_eq!(refused.fault(), Fault::Race);
        assert_eq!(store.position().get(), 2);
        assert_eq!(found(&store, "3.22"), None);

        // What was staged for a life that ended does not land in the next.
        let (store, answer) = interrupted(upload, |store, _| {
            store.delete(&name(), NOW).unwrap().unwrap();
            let mut next = Publisher::for_store(REPOSITORY, store);
            next.tag(&[("3.22", digest("the next life"))]);
            next.publish(store).unwrap();
        });
        assert!(matches!(answer, Err(PublishError::LifeEnded)));
        assert_eq!(store.position().get(), 3);
        assert_eq!(found(&store, "3.22"), Some(digest("the next life")));
    }
}

#[test]
fn a_renewal_between_verifying_and_writing_is_stepped_over() {
    let (store, answer) = interrupted(
        |publisher| publisher.tag_upload(&[("3.22", digest("2"))]),
        |store, _| drop(store.publish(&name(), &Upload::new(), NOW).unwrap()),
    );
    let receipt = answer.unwrap();
    assert_eq!((receipt.position.get(), receipt.revision.get()), (3, 3));
    assert_eq!(found(&store, "3.22"), Some(digest("2")));
    let view = store.view(&name()).unwrap().unwrap();
    assert_eq!(view.document(&RoleName::Timestamp).unwrap().version().get(), 3);
}

#[test]
fn the_same_role_between_verifying_and_writing_supersedes() {
    let (store, answer) = interrupted(
        |publisher| publisher.tag_upload(&[("3.22", digest("2"))]),
        |store, mut other| {
            other.tag(&[("3.22", digest("another"))]);
            other.publish(store).unwrap();
        },
    );
    let refused = answer.unwrap_err();
    assert!(matches!(&refused, PublishError::Superseded { role: RoleName::Targets, .. }), "{refused}");
    assert_eq!(found(&store, "3.22"), Some(digest("another")));
    assert_eq!(store.position().get(), 2);
}

#[test]
fn root_keys_replaced_between_verifying_and_writing_refuse_what_the_old_ones_signed() {
    let (store, answer) = interrupted(
        |publisher| publisher.tag_upload(&[("3.22", digest("2"))]),
        |store, mut other| {
            // Targets stay at version 1, signed anew by nobody: only their keys' list grows, so they are carried along.
            other.author().rotate_root(NOW).unwrap();
            other.publish(store).unwrap();
        },
    );
    // The root's own keys do not sign targets: it is verified again and taken.
    assert_eq!(answer.unwrap().revision.get(), 3);
    assert_eq!(found(&store, "3.22"), Some(digest("2")));

    let (store, answer) = interrupted(
        |publisher| {
            publisher.author().renew(&RoleName::Targets).unwrap();
            publisher.upload();
            publisher.tag_upload(&[("3.22", digest("2"))])
        },
        |store, mut other| {
            other.author().rotate_targets().unwrap();
            other.publish(store).unwrap();
        },
    );
    let refused = answer.unwrap_err();
    assert!(matches!(&refused, PublishError::Untrusted { role: RoleName::Targets, .. }), "{refused}");
    assert_eq!(found(&store, "3.22"), Some(digest("1")));
    assert_eq!(store.position().get(), 2);
}

#[test]
fn renewals_and_deletions_at_once_leave_one_order_of_lives() {
    let store = store();
    let mut ended = 0;
    for round in 1..=60 {
        let mut publisher = Publisher::for_store(REPOSITORY, &store);
        publisher.publish(&store).unwrap();
        let mut did: Vec<Box<dyn FnOnce() -> Option<PublishError> + Send + '_>> = Vec::new();
        for _ in 0..3 {
            did.push(Box::new(|| (0..20).find_map(|_| store.publish(&name(), &Upload::new(), NOW).err())));
        }
        did.push(Box::new(|| {
            store.delete(&name(), NOW).unwrap().unwrap();
            None
        }));
        for refused in at_once(did).into_iter().flatten() {
            // Before, between or after the deletion.
            let begun_too_late = matches!(refused, PublishError::Missing { role: RoleName::Root });
            assert!(begun_too_late || matches!(refused, PublishError::LifeEnded), "{refused}");
            ended += u32::from(!begun_too_late);
        }
        assert_eq!(store.repositories(), []);
        let feed: Vec<Change> = store.changes(Position::START).collect::<Result<_, _>>().unwrap();
        let last = feed.last().unwrap();
        assert_eq!((last.kind, last.incarnation.get()), (ChangeKind::Deleted, round));
    }
    println!("{ended} publications met the end of their life");
    let feed: Vec<Change> = store.changes(Position::START).collect::<Result<_, _>>().unwrap();
    for pair in feed.windows(2) {
        let [before, after] = pair else { continue };
        assert_eq!(after.position, before.position.next());
        if before.kind == ChangeKind::Deleted {
            assert_eq!((after.incarnation, after.revision.get()), (before.incarnation.next(), 1));
        } else {
            assert_eq!((after.incarnation, after.revision), (before.incarnation, before.revision.next()));
        }
    }
}

const TAGS: [&str; 4] = ["v1", "v2", "v3", "v4"];
const GENERATIONS: u64 = 40;

fn of_generation(tag: &str, generation: u64) -> Sha256 {
    digest(&format!("{tag} of {generation}"))
}

/// Which generation a digest belongs to.
fn generation_of(tag: &str, sha256: Sha256) -> u64 {
    (0..=GENERATIONS).find(|generation| of_generation(tag, *generation) == sha256).unwrap()
}

fn looked_up(tag: &str, answer: &Lookup) -> Option<u64> {
    match answer {
        Lookup::Found(found) => Some(generation_of(tag, found.target.sha256)),
        Lookup::NoSuchRepository => None,
        Lookup::NoSuchTag | Lookup::Expired { .. } => panic!("{tag}: {answer:?}"),
    }
}

/// Publishes generation after generation of one repository, some tags in `targets` and some in a delegation, and begins
/// the repository anew now and then.
fn generations(store: &Store, repository: &str) {
    let begin = || {
        let mut publisher = Publisher::for_store(repository, store);
        publisher.delegate("targets/releases", &["v1", "v2"], &[]);
        publisher
    };
    let releases: RoleName = "targets/releases".parse().unwrap();
    let mut publisher = begin();
    for generation in 1..=GENERATIONS {
        if generation % 8 == 0 {
            store.delete(publisher.repository(), NOW).unwrap().unwrap();
            publisher = begin();
        }
        for tag in TAGS {
            let (sha256, author) = (of_generation(tag, generation), publisher.author());
            let role = if tag < "v3" { &releases } else { &RoleName::Targets };
            author.set_tag_in(role, tag, sha256, 1).unwrap();
        }
        publisher.publish(store).unwrap();
        if generation % 5 == 0 {
            store.publish(publisher.repository(), &Upload::new(), NOW).unwrap();
        }
    }
}

/// Looks until `done`: one generation in each view, and never an older one than before.
fn never_mixed_never_back(store: &Store, repository: &RepositoryName, done: &AtomicBool) -> u64 {
    let (mut position, mut generation, mut end, mut looks) = (Position::START, 0, Position::START, 0);
    while !done.load(Ordering::Acquire) {
        looks += 1;
        let now = store.position();
        assert!(now >= end, "{now:?} after {end:?}");
        end = now;
        if let Some(view) = store.view(repository).unwrap() {
            misses_nothing(store, repository, &view, now);
            let all: BTreeSet<_> =
                TAGS.iter().map(|tag| looked_up(tag, &view.lookup(tag, NOW)).unwrap()).collect();
            let listed: BTreeSet<_> =
                view.tags().map(|(tag, target)| generation_of(tag, target.sha256)).collect();
            assert_eq!(all.len(), 1, "{all:?}");
            assert_eq!(all, listed);
            let seen = *all.first().unwrap();
            assert!(seen >= generation, "{seen} after {generation}");
            assert!(view.position() >= position, "{:?} after {position:?}", view.position());
            (generation, position) = (seen, view.position());
        }
        for tag in TAGS {
            if let Some(seen) = looked_up(tag, &store.lookup(repository.as_str(), tag, NOW).unwrap()) {
                assert!(seen >= generation, "{seen} after {generation}");
                generation = seen;
            }
        }
    }
    looks
}

/// Whoever asks for the position, then looks, and then follows from that position on, is told of all that they did not
/// see.
fn misses_nothing(store: &Store, repository: &RepositoryName, seen: &View, position: Position) {
    let next = store.changes(position).map(Result::unwrap).find(|change| {
        change.repository == *repository
            && change.incarnation == seen.incarnation()
            && change.position > seen.position()
    });
    if let Some(next) = next {
        assert_eq!(next.revision, seen.revision().next(), "{next:?} after {seen:?}");
    }
}

/// Follows the feed until `done` and then to its end.
fn follows(store: &Store, done: &AtomicBool) -> Vec<Change> {
    let mut seen: Vec<Change> = Vec::new();
    loop {
        let last = done.load(Ordering::Acquire);
        let after = seen.last().map_or(Position::START, |change| change.position);
        if !last {
            store.wait_for_change(after, Duration::from_millis(5));
        }
        for change in store.changes(after) {
            let change = change.unwrap();
            let before = seen.last().map_or(Position::START, |change| change.position);
            assert_eq!(change.position, before.next());
            // What the feed tells of is visible.
            if let Some(view) = store.view(&change.repository).unwrap()
                && view.incarnation() == change.incarnation
            {
                assert!(view.revision() >= change.revision);
            }
            seen.push(change);
        }
        if last {
            return seen;
        }
    }
}

fn readers_see_whole_states(store: &Store) {
    let repositories = ["example.com/a", "example.com/b"];
    let done = AtomicBool::new(false);
    let looks = AtomicU64::new(0);
    let (done, looks) = (&done, &looks);
    let feeds = thread::scope(|scope| {
        let writers = repositories.map(|repository| scope.spawn(move || generations(store, repository)));
        for repository in repositories.iter().chain(&repositories) {
            scope.spawn(move || {
                let repository = repository.parse().unwrap();
                looks.fetch_add(never_mixed_never_back(store, &repository, done), Ordering::Relaxed);
            });
        }
        let followers = [(); 2].map(|()| scope.spawn(move || follows(store, done)));
        let ends = writers.map(thread::ScopedJoinHandle::join);
        done.store(true, Ordering::Release);
        ends.into_iter().for_each(Result::unwrap);
        followers.map(|follower| follower.join().unwrap())
    });
    assert!(looks.load(Ordering::Relaxed) > 100, "{looks:?}");
    let whole: Vec<_> = store.changes(Position::START).collect::<Result<_, _>>().unwrap();
    // Each generation, and in eight of forty a renewal, in five a deletion before.
    assert_eq!(u64::try_from(whole.len()).unwrap(), 2 * (GENERATIONS + 8 + 5));
    for feed in feeds {
        assert_eq!(feed, whole);
    }
    for repository in repositories {
        let last = store.lookup(repository, "v1", NOW).unwrap();
        assert_eq!(looked_up("v1", &last), Some(GENERATIONS));
    }
}

#[test]
fn readers_see_whole_states_while_repositories_are_published_deleted_and_begun_anew() {
    readers_see_whole_states(&store());
}

#[test]
fn readers_see_whole_states_of_a_store_on_disk_and_it_opens_with_them() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path(), options()).unwrap();
    readers_see_whole_states(&store);
    let before = observe(&store);
    drop(store);
    assert_eq!(observe(&Store::open(folder.path(), options()).unwrap()), before);
}
