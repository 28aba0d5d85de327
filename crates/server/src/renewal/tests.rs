use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU32, Ordering};

use tufstore::Options;
use tufstore::crypto::{KeyId, OnlineKeyError, OnlineKeys, OnlineScope, OnlineSignature, PublicKey};
use tufstore_testkit::{NOW, Publisher, SeededOnlineKeys};

use super::*;
use crate::settings::ServerLimits;

const NAME: &str = "reg.example.com/app";

type Meanwhile = Arc<Mutex<Option<Box<dyn FnOnce() + Send>>>>;

/// Keys that can be away.
struct Away {
    keys: SeededOnlineKeys,
    gone: Arc<AtomicBool>,
    asked: Arc<AtomicU32>,
    /// Done once, before they sign.
    meanwhile: Meanwhile,
}

impl OnlineKeys for Away {
    fn pending(&self, scope: OnlineScope<'_>) -> Result<PublicKey, OnlineKeyError> {
        self.keys.pending(scope)
    }

    fn sign(
        &self,
        scope: OnlineScope<'_>,
        wanted: &[KeyId],
        message: &[u8],
    ) -> Result<Vec<OnlineSignature>, OnlineKeyError> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let meanwhile = self.meanwhile.lock().take();
        if let Some(meanwhile) = meanwhile {
            meanwhile();
        }
        if self.gone.load(Ordering::SeqCst) {
            return Err(OnlineKeyError::new("the signer is away"));
        }
        self.keys.sign(scope, wanted, message)
    }
}

struct Scene {
    renewals: Renewals,
    store: Store,
    away: Arc<AtomicBool>,
    asked: Arc<AtomicU32>,
    meanwhile: Meanwhile,
    seconds: Arc<AtomicI64>,
}

impl Scene {
    fn new() -> Self {
        Self::with(Lifetimes::default())
    }

    /// Where those are believed to be the lifetimes of what the store signs.
    fn with(lifetimes: Lifetimes) -> Self {
        let meanwhile = Meanwhile::default();
        let (away, asked) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU32::new(0)));
        let keys = SeededOnlineKeys::new("a server");
        let (gone, counted, done) = (Arc::clone(&away), Arc::clone(&asked), Arc::clone(&meanwhile));
        let port = Away { keys, gone, asked: counted, meanwhile: done };
        let store = Store::in_memory(Options::default().with_online_keys(port)).unwrap();
        Publisher::for_store(NAME, &store).publish(&store).unwrap();
        let seconds = Arc::new(AtomicI64::new(0));
        let passed = Arc::clone(&seconds);
        let clock = Clock::new(move || UnixTime::from_seconds(NOW.seconds() + passed.load(Ordering::SeqCst)));
        let workers = Workers::new(&ServerLimits::default());
        let renewals = Renewals::new(store.clone(), clock, workers, lifetimes);
        asked.store(0, Ordering::SeqCst);
        Self { renewals, store, away, asked, meanwhile, seconds }
    }

    fn wait(&self, time: Duration) {
        self.seconds.fetch_add(time.as_secs().try_into().unwrap(), Ordering::SeqCst);
    }

    /// When the next renewal signs.
    fn meanwhile(&self, done: impl FnOnce() + Send + 'static) {
        *self.meanwhile.lock() = Some(Box::new(done));
    }

    /// The version of the timestamp that a reader gets.
    async fn read(&self) -> u64 {
        let view = self.renewals.current(&NAME.parse().unwrap()).await.unwrap().unwrap();
        view.document(&RoleName::Timestamp).unwrap().version().get()
    }

    /// Until nothing goes on beside the readers.
    async fn settle(&self) {
        while !self.renewals.0.state.lock().running.is_empty() {
            time::sleep(Duration::from_millis(1)).await;
        }
    }
}

const DAY: Duration = Duration::from_hours(24);

#[tokio::test]
async fn a_signer_that_is_away_before_the_expiry_is_no_outage() {
    let scene = Scene::new();
    scene.away.store(true, Ordering::SeqCst);
    scene.wait(DAY * 10);
    for _ in 0..5 {
        assert_eq!(scene.read().await, 1);
        scene.settle().await;
    }
    assert_eq!(scene.asked.load(Ordering::SeqCst), 1, "a failure is not tried again at once");
    scene.away.store(false, Ordering::SeqCst);
    scene.wait(BACKOFF);
    assert_eq!(scene.read().await, 1);
    scene.settle().await;
    assert_eq!(scene.read().await, 2);
}

#[tokio::test]
async fn a_signer_that_is_away_at_the_expiry_leaves_readers_what_is_stored() {
    let scene = Scene::new();
    scene.away.store(true, Ordering::SeqCst);
    scene.wait(DAY * 15);
    for _ in 0..5 {
        assert_eq!(scene.read().await, 1);
    }
    assert_eq!(scene.asked.load(Ordering::SeqCst), 1);
    scene.away.store(false, Ordering::SeqCst);
    scene.wait(BACKOFF);
    assert_eq!(scene.read().await, 2);
}

#[tokio::test]
async fn a_publication_that_comes_between_leaves_nothing_to_renew() {
    let scene = Scene::new();
    scene.wait(DAY * 15);
    let now = scene.renewals.0.clock.now();
    scene.store.publish(&NAME.parse().unwrap(), &Upload::new(), now).unwrap();
    assert!(!scene.renewals.renew(NAME.parse().unwrap()).await.unwrap());
    assert_eq!(scene.read().await, 2);
}

#[tokio::test]
async fn a_repository_that_ends_meanwhile_is_gone() {
    let scene = Scene::new();
    scene.wait(DAY * 15);
    let name: RepositoryName = NAME.parse().unwrap();
    scene.store.delete(&name, scene.renewals.0.clock.now()).unwrap();
    assert!(!scene.renewals.renew(name.clone()).await.unwrap());
    assert!(scene.renewals.current(&name).await.unwrap().is_none());
    assert!(scene.renewals.0.state.lock().failed.is_empty());
}

#[tokio::test]
async fn a_repository_that_ends_while_it_is_renewed_is_gone() {
    let scene = Scene::new();
    scene.wait(DAY * 15);
    let (store, name) = (scene.store.clone(), NAME.parse::<RepositoryName>().unwrap());
    let (ended, now) = (name.clone(), scene.renewals.0.clock.now());
    scene.meanwhile(move || drop(store.delete(&ended, now).unwrap()));
    assert!(scene.renewals.current(&name).await.unwrap().is_none());
    // And its name can be taken again.
    Publisher::for_store(NAME, &scene.store).publish(&scene.store).unwrap();
    assert!(scene.renewals.current(&name).await.unwrap().is_some());
}

#[tokio::test]
async fn nobody_waits_for_ever() {
    let scene = Scene::new();
    scene.wait(DAY * 15);
    let (signs, wait) = std::sync::mpsc::channel::<()>();
    scene.meanwhile(move || assert!(wait.recv().is_err()));
    let pass = async {
        while scene.asked.load(Ordering::SeqCst) == 0 {
            time::sleep(Duration::from_millis(1)).await;
        }
        time::pause();
        time::advance(PATIENCE).await;
        time::resume();
    };
    let (version, ()) = tokio::join!(scene.read(), pass);
    assert_eq!(version, 1, "what is stored, after the longest wait");
    drop(signs);
    scene.settle().await;
    assert_eq!(scene.read().await, 2);
}

#[tokio::test]
async fn what_a_renewal_leaves_due_is_not_renewed_by_every_reader() {
    let mut lifetimes = Lifetimes::default();
    lifetimes.timestamp = DAY * 90;
    let scene = Scene::with(lifetimes);
    for _ in 0..5 {
        scene.read().await;
        scene.settle().await;
    }
    assert_eq!(scene.asked.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_clock_that_is_set_back_does_not_put_renewals_off() {
    let scene = Scene::new();
    scene.away.store(true, Ordering::SeqCst);
    scene.wait(DAY * 20);
    assert_eq!(scene.read().await, 1);
    scene.away.store(false, Ordering::SeqCst);
    scene.seconds.fetch_sub(86_400, Ordering::SeqCst);
    assert_eq!(scene.read().await, 2);
}

#[tokio::test]
async fn names_that_nobody_published_leave_nothing_behind() {
    let scene = Scene::new();
    for number in 0..100 {
        let name = format!("invented/{number}").parse().unwrap();
        assert!(scene.renewals.current(&name).await.unwrap().is_none());
    }
    let state = scene.renewals.0.state.lock();
    assert!(state.running.is_empty() && state.failed.is_empty());
}
