//! How much one client may do, and all together: what strangers run into before anything is done for them.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroU32;
use std::sync::Arc;

use governor::{DefaultDirectRateLimiter, DefaultKeyedRateLimiter, Quota, RateLimiter};
use parking_lot::Mutex;
use tufstore::Store;

use crate::access::Identity;
use crate::settings::ServerLimits;

/// How many orders of one are carried out at once.
const ORDERS: usize = 2;
/// How many orders are taken from one in a minute.
const ORDERS_OF_A_MINUTE: NonZeroU32 = NonZeroU32::new(120).unwrap();

/// What is counted of clients, by their addresses or by who they are.
#[derive(Debug)]
pub(crate) struct Quotas {
    publications_of_one: Option<DefaultKeyedRateLimiter<IpAddr>>,
    publications: Option<DefaultDirectRateLimiter>,
    repositories: Option<usize>,
    requests_of_one: usize,
    requests: Counts<IpAddr>,
    orders_of_one: DefaultKeyedRateLimiter<String>,
    orders: Counts<String>,
}

/// How many of something there are of each at this moment.
type Counts<K> = Arc<Mutex<HashMap<K, usize>>>;

/// One of them. Nobody counts it any more when it is dropped.
#[derive(Debug)]
pub(crate) struct Counted<K: Eq + Hash> {
    counts: Counts<K>,
    of: K,
}

/// A request that is being answered.
pub(crate) type Answering = Counted<IpAddr>;

impl Quotas {
    pub(crate) fn new(limits: &ServerLimits) -> Self {
        Self {
            publications_of_one: limits
                .client_publications_per_minute
                .map(|most| RateLimiter::keyed(Quota::per_minute(most))),
            publications: limits
                .publications_per_minute
                .map(|most| RateLimiter::direct(Quota::per_minute(most))),
            repositories: limits.repositories,
            requests_of_one: limits.client_requests,
            requests: Arc::default(),
            orders_of_one: RateLimiter::keyed(Quota::per_minute(ORDERS_OF_A_MINUTE)),
            orders: Arc::default(),
        }
    }

    /// Forgets addresses that published nothing of late, and who ordered nothing.
    pub(crate) fn settle(&self) {
        if let Some(publications) = &self.publications_of_one {
            publications.retain_recent();
            publications.shrink_to_fit();
        }
        self.orders_of_one.retain_recent();
        self.orders_of_one.shrink_to_fit();
    }

    /// Counts a request until it is answered; `None` if that address has enough of them.
    pub(crate) fn answering(&self, from: IpAddr) -> Option<Answering> {
        Counted::one(&self.requests, neighbourhood(from), self.requests_of_one)
    }

    /// Counts an order until it is carried out; `None` if there are enough of them by whoever gave it, now or in this minute.
    pub(crate) fn ordering(&self, by: &Identity) -> Option<Counted<String>> {
        // All tokens of one are counted together, and apart from what is ordered with the password: whoever finds a token keeps its
        // holder from nothing.
        let by = match by.principal() {
            Some(principal) if by.token().is_some() => format!("{principal}/"),
            Some(_) | None => by.to_string(),
        };
        self.orders_of_one.check_key(&by).ok()?;
        Counted::one(&self.orders, by, ORDERS)
    }

    /// Whether one more publication of this minute is taken from there.
    pub(crate) fn takes_publication(&self, from: IpAddr) -> bool {
        let of_one = self.publications_of_one.as_ref();
        of_one.is_none_or(|publications| publications.check_key(&neighbourhood(from)).is_ok())
            && self.publications.as_ref().is_none_or(|publications| publications.check().is_ok())
    }

    /// How many repositories there may be, if there are as many already.
    pub(crate) fn full(&self, store: &Store) -> Option<usize> {
        self.repositories.filter(|most| store.repository_count() >= *most)
    }
}

impl<K: Clone + Eq + Hash> Counted<K> {
    fn one(counts: &Counts<K>, of: K, most: usize) -> Option<Self> {
        let mut counted = counts.lock();
        let count = counted.entry(of.clone()).or_default();
        if *count >= most {
            return None;
        }
        *count += 1;
        Some(Self { counts: Arc::clone(counts), of })
    }
}

impl<K: Eq + Hash> Drop for Counted<K> {
    fn drop(&mut self) {
        let mut counts = self.counts.lock();
        if let Some(count) = counts.get_mut(&self.of) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                counts.remove(&self.of);
            }
        }
    }
}

/// Whose doings are counted together. Who has one address of IPv6 has 2^64 of them.
pub(crate) fn neighbourhood(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => address.into(),
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::ObjectId;

    fn limits() -> ServerLimits {
        ServerLimits {
            client_requests: 2,
            client_publications_per_minute: NonZeroU32::new(2),
            publications_per_minute: NonZeroU32::new(3),
            repositories: Some(1),
            ..ServerLimits::default()
        }
    }

    fn from(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn requests_count_until_they_are_answered_each_address_for_itself() {
        let quotas = Quotas::new(&limits());
        let (first, second) = (quotas.answering(from("10.0.0.1")), quotas.answering(from("10.0.0.1")));
        assert!(first.is_some());
        assert!(quotas.answering(from("10.0.0.1")).is_none());
        assert!(quotas.answering(from("10.0.0.2")).is_some());
        drop(first);
        assert!(quotas.answering(from("10.0.0.1")).is_some());
        drop(second);
        assert!(quotas.requests.lock().is_empty());
    }

    #[test]
    fn orders_of_one_are_bounded_and_keep_nobody_else_from_any() {
        let quotas = Quotas::new(&limits());
        let [sam, olga] = [ObjectId::random(), ObjectId::random()].map(|id| id.to_string());
        let orders = |by: &str| quotas.ordering(&Identity::attested(by).unwrap());
        let held = (orders(&sam).unwrap(), orders(&sam).unwrap());
        assert!(orders(&sam).is_none() && orders(&olga).is_some());
        // With as many tokens as anybody likes.
        let by = |number: usize| format!("{sam}/{number:016}");
        let by_token = (orders(&by(1)).unwrap(), orders(&by(2)).unwrap());
        assert!(orders(&by(3)).is_none());
        drop((held, by_token));
        assert!(quotas.orders.lock().is_empty());
        let more = (0..200).filter(|_| orders(&sam).is_some()).count();
        assert!((100..150).contains(&more), "{more}");
    }

    #[test]
    fn publications_of_a_minute_are_bounded_for_one_and_for_all() {
        let quotas = Quotas::new(&limits());
        let takes = |text| quotas.takes_publication(from(text));
        assert!(takes("10.0.0.1") && takes("10.0.0.1") && !takes("10.0.0.1"));
        assert!(takes("10.0.0.2") && !takes("10.0.0.3"));
        let unbounded = Quotas::new(&ServerLimits::default());
        assert!((0..10_000).all(|_| unbounded.takes_publication(from("10.0.0.1"))));
    }

    #[test]
    fn addresses_of_one_network_of_ipv6_are_one() {
        assert_eq!(neighbourhood(from("2001:db8::1")), neighbourhood(from("2001:db8::ffff:1")));
        assert_ne!(neighbourhood(from("2001:db8::1")), neighbourhood(from("2001:db8:0:1::1")));
        assert_eq!(neighbourhood(from("::ffff:10.0.0.1")), from("10.0.0.1"));
    }
}
