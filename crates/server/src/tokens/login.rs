//! Who somebody is, from what they show. Passwords are verified a few at a time, and strangers may try few.

use std::collections::HashSet;
use std::net::IpAddr;
use std::num::NonZeroU32;

use aws_lc_rs::hmac;
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use parking_lot::Mutex;
use tufstore::terms::UnixTime;

use super::request::Login;
use crate::access::{Access, Candidate, Identity, Secret};
use crate::quotas::neighbourhood;
use crate::workers::{WorkError, Workers};

/// How many passwords may be tried that were not right lately, in a minute: from one address, and for one name. For a name more of
/// them, so that it takes several addresses to keep somebody from logging in.
const FROM_ONE: NonZeroU32 = NonZeroU32::new(30).unwrap();
const FOR_ONE: NonZeroU32 = NonZeroU32::new(120).unwrap();
/// So many passwords that were right are known again without the slow hash.
const REMEMBERED: usize = 4096;

/// Why nobody is told who that is.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub(crate) enum LoginError {
    /// No such name, or not its password or token: which of these is not said.
    #[error("the name or the password is wrong")]
    Wrong,
    /// Too many wrong ones of late.
    #[error("too many passwords were tried")]
    TooMany,
    /// See [`WorkError`].
    #[error(transparent)]
    Work(#[from] WorkError),
}

/// What is known of logins of late.
pub(crate) struct Logins {
    by_address: DefaultKeyedRateLimiter<IpAddr>,
    by_name: DefaultKeyedRateLimiter<[u8; 32]>,
    right: Mutex<HashSet<[u8; 32]>>,
    /// Of this process: what is remembered is worth nothing to anybody else.
    key: hmac::Key,
}

impl Logins {
    pub(crate) fn new() -> Self {
        let key = hmac::Key::new(hmac::HMAC_SHA256, &rand::random::<[u8; 32]>());
        Self {
            by_address: RateLimiter::keyed(Quota::per_minute(FROM_ONE)),
            by_name: RateLimiter::keyed(Quota::per_minute(FOR_ONE)),
            right: Mutex::default(),
            key,
        }
    }

    /// Forgets addresses and names that did not try anything of late.
    pub(crate) fn settle(&self) {
        self.by_address.retain_recent();
        self.by_name.retain_recent();
        self.by_address.shrink_to_fit();
        self.by_name.shrink_to_fit();
    }

    /// `None`: they do not say who they are.
    pub(crate) async fn identify(
        &self,
        workers: &Workers,
        access: &Access,
        login: Login,
        from: IpAddr,
        now: UnixTime,
    ) -> Result<Option<Identity>, LoginError> {
        let (name, secret) = match login {
            Login::Nobody => return Ok(None),
            Login::Token(text) => {
                let identity = Secret::read(text.as_bytes()).and_then(|secret| access.identify(&secret, now));
                return identity.map(Some).ok_or(LoginError::Wrong);
            }
            Login::Named { name, secret } => (name, secret),
        };
        match access.candidate(&name, secret.as_bytes(), now) {
            Candidate::Known(identity) => Ok(Some(identity)),
            Candidate::Nobody => Err(LoginError::Wrong),
            Candidate::Password(check) => {
                let seen = self.seal(&[check.against(), secret.as_bytes()]);
                if self.right.lock().contains(&seen)
                    && let Some(identity) = check.then()
                {
                    return Ok(Some(identity.clone()));
                }
                // However it is written: somebody has one name in any case, and an id that is written in several ways.
                let whose = check.then().map_or_else(|| name.to_ascii_lowercase(), Identity::to_string);
                let tried = self.by_address.check_key(&neighbourhood(from)).is_ok()
                    && self.by_name.check_key(&self.seal(&[whose.as_bytes()])).is_ok();
                if !tried {
                    return Err(LoginError::TooMany);
                }
                let identity = workers.password(move || check.verify(secret.as_bytes())).await?;
                let identity = identity.ok_or(LoginError::Wrong)?;
                let mut right = self.right.lock();
                if right.len() >= REMEMBERED {
                    right.clear();
                }
                right.insert(seen);
                Ok(Some(identity))
            }
        }
    }

    /// What stands for these in memory: nobody can find out from it what they were.
    fn seal(&self, parts: &[&[u8]]) -> [u8; 32] {
        let mut context = hmac::Context::with_key(&self.key);
        for part in parts {
            context.update(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
            context.update(part);
        }
        let mut sealed = [0; 32];
        sealed.iter_mut().zip(context.sign().as_ref()).for_each(|(to, from)| *to = *from);
        sealed
    }
}

impl std::fmt::Debug for Logins {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Logins").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv6Addr;

    use zeroize::Zeroizing;

    use super::*;
    use crate::access::{Change, Kind, ObjectId, Rules, hash};
    use crate::settings::ServerLimits;

    const NOW: UnixTime = UnixTime::from_seconds(1_800_000_000);

    /// Whether another try is let through to the slow hash.
    async fn is_tried(logins: &Logins, name: &str, from: IpAddr) -> bool {
        let workers = Workers::new(&ServerLimits::default());
        let login = Login::Named { name: name.to_owned(), secret: Zeroizing::new("wrong".to_owned()) };
        let now = UnixTime::from_seconds(0);
        let refused = logins.identify(&workers, &Access::default(), login, from, now).await.unwrap_err();
        refused == LoginError::Wrong
    }

    /// Soon, at least: on a slow machine some seconds went by, and one more is let through every two.
    async fn is_refused(logins: &Logins, name: &str, from: IpAddr) -> bool {
        for _ in 0..20 {
            if !is_tried(logins, name, from).await {
                return true;
            }
        }
        false
    }

    #[tokio::test]
    async fn tries_are_counted_by_name_in_any_case_and_by_address_in_its_neighbourhood() {
        let logins = Logins::new();
        for try_ in 0..120_u8 {
            let name = if try_ % 2 == 0 { "sam" } else { "SAM" };
            assert!(is_tried(&logins, name, [10, 0, 0, try_].into()).await, "{try_}");
        }
        assert!(is_refused(&logins, "Sam", [10, 0, 1, 1].into()).await);
        assert!(is_tried(&logins, "olga", [10, 0, 1, 2].into()).await);
        for try_ in 0..30_u16 {
            let from = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, try_);
            assert!(is_tried(&logins, &format!("n{try_}"), from.into()).await, "{try_}");
        }
        let [same, other] = [0, 1].map(|network| Ipv6Addr::new(0x2001, 0xdb8, 0, network, 9, 9, 9, 9));
        assert!(is_refused(&logins, "new", same.into()).await);
        assert!(is_tried(&logins, "newer", other.into()).await);
    }

    /// Each guess comes from another address, so that it is the name that counts.
    #[tokio::test]
    async fn guesses_at_one_person_are_counted_together_however_they_write_the_name() {
        let id = ObjectId::random();
        let names = ["alice".parse().unwrap()].into();
        let password = Some(hash(b"the password of alice").unwrap());
        let added = Change::AddPrincipal { id, kind: Kind::User, names, password };
        let access = Access::default().apply(added, &Rules::default(), NOW).unwrap();
        let (logins, workers) = (Logins::new(), Workers::new(&ServerLimits::default()));
        let guess = async |name: &str, from: u32| {
            let secret = Zeroizing::new(format!("guess number {from}"));
            let login = Login::Named { name: name.to_owned(), secret };
            let from = IpAddr::V4((from << 8).into());
            logins.identify(&workers, &access, login, from, NOW).await.unwrap_err()
        };
        let id = id.to_string();
        let spellings = ["alice", "Alice", "ALICE", id.as_str()];
        let mut tried = 0;
        for (from, spelled) in (1..400).zip(spellings.into_iter().cycle()) {
            match guess(spelled, from).await {
                LoginError::TooMany => break,
                LoginError::Wrong => tried += 1,
                other @ LoginError::Work(_) => panic!("{other}"),
            }
        }
        // Two more every second.
        assert!((120..240).contains(&tried), "{tried}");
        // Somebody else is not kept out by that, whether they are there or not.
        assert_eq!(guess("bob", 1000).await, LoginError::Wrong);
    }
}
