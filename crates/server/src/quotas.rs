//! How much one client may do, and all together: what strangers run into before anything is done for them.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;

use governor::{DefaultDirectRateLimiter, DefaultKeyedRateLimiter, Quota, RateLimiter};
use parking_lot::Mutex;
use tufstore::Store;

use crate::settings::ServerLimits;

/// What is counted of clients, by their addresses.
#[derive(Debug)]
pub(crate) struct Quotas {
    publications_of_one: Option<DefaultKeyedRateLimiter<IpAddr>>,
    publications: Option<DefaultDirectRateLimiter>,
    repositories: Option<usize>,
    requests_of_one: usize,
    requests: Arc<Mutex<HashMap<IpAddr, usize>>>,
}

/// A request that is being answered.
#[derive(Debug)]
pub(crate) struct Answering {
    requests: Arc<Mutex<HashMap<IpAddr, usize>>>,
    from: IpAddr,
}

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
        }
    }

    /// Forgets addresses that published nothing of late.
    pub(crate) fn settle(&self) {
        if let Some(publications) = &self.publications_of_one {
            publications.retain_recent();
            publications.shrink_to_fit();
        }
    }

    /// Counts a request until it is answered; `None` if that address has enough of them.
    pub(crate) fn answering(&self, from: IpAddr) -> Option<Answering> {
        let from = neighbourhood(from);
        let mut requests = self.requests.lock();
        let count = requests.entry(from).or_default();
        if *count >= self.requests_of_one {
            return None;
        }
        *count += 1;
        Some(Answering { requests: Arc::clone(&self.requests), from })
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

impl Drop for Answering {
    fn drop(&mut self) {
        let mut requests = self.requests.lock();
        if let Some(count) = requests.get_mut(&self.from) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                requests.remove(&self.from);
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
    use std::num::NonZeroU32;

    use super::*;

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
