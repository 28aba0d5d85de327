//! What happened, for those who follow: every publication and deletion, under its position.

use axum::body::Body;
use http::Response;
use serde::Serialize;
use tufstore::terms::{Position, RepositoryName};
use tufstore::{Change, ChangeKind, StorageError, Store};

use super::{WireError, json};
use crate::service::Service;

/// How many records a page has if its reader does not say.
const PAGE: u32 = 100;
/// More are not given at once, whoever asks: who follows goes on from the last one.
const LARGEST_PAGE: u32 = 10_000;

/// Which part of the feed is asked for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Page {
    /// So many after a position.
    After(Position, u32),
    /// So many before a position; before all that comes, the newest.
    Before(Option<Position>, u32),
}

#[derive(Serialize)]
struct Answer {
    count: usize,
    records: Option<Vec<Record>>,
}

/// One change, with the members that Notary has.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Record {
    #[serde(rename = "ID")]
    id: String,
    created_at: String,
    #[serde(rename = "GUN")]
    gun: RepositoryName,
    /// Of the timestamp; 0 in a deletion.
    version: u64,
    /// Of the timestamp; empty in a deletion.
    #[serde(rename = "SHA256")]
    sha256: String,
    category: &'static str,
}

pub(super) async fn feed(
    service: &Service,
    repository: Option<RepositoryName>,
    query: Option<&str>,
) -> Result<Response<Body>, WireError> {
    let page = page(query.unwrap_or_default())?;
    let (store, filtered) = (service.store.clone(), repository.is_some());
    let changes = service.workers.scan(move || read(&store, repository.as_ref(), page)).await??;
    let records: Vec<_> = changes.into_iter().filter_map(record).collect();
    let count = records.len();
    // As Notary has it: nothing at all is `null`, nothing of one repository is empty.
    let records = (count > 0 || filtered).then_some(records);
    Ok(json(serde_json::to_string(&Answer { count, records }).map_err(|_| WireError::unknown())?))
}

/// Reads the parameters: both are decimal numbers of 32 bits with a sign.
fn page(query: &str) -> Result<Page, WireError> {
    let value = |wanted: &str| {
        form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == wanted).map(|(_, value)| value)
    };
    let id = value("change_id").filter(|id| !id.is_empty());
    let id: i32 = id.map_or(Ok(0), |id| id.parse()).map_err(|_| WireError::invalid_parameters(None))?;
    let records = value("records").unwrap_or_default();
    let records: i32 = records.parse().map_err(|why| {
        WireError::invalid_parameters(Some(format!("invalid records parameter: {records:?}: {why}")))
    })?;
    let count = if records == 0 { PAGE } else { records.unsigned_abs().min(LARGEST_PAGE) };
    Ok(match (records < 0, u64::try_from(id)) {
        (_, Err(_)) | (true, Ok(0)) => Page::Before(None, count),
        (true, Ok(id)) => Page::Before(Some(Position::new(id)), count),
        (false, Ok(id)) => Page::After(Position::new(id), count),
    })
}

fn read(store: &Store, of: Option<&RepositoryName>, page: Page) -> Result<Vec<Change>, StorageError> {
    let wanted = |change: &Result<Change, StorageError>| match (change, of) {
        (Ok(change), Some(repository)) => change.repository == *repository,
        (Ok(_), None) | (Err(_), _) => true,
    };
    if of.is_some_and(|repository| !store.knows(repository)) {
        return Ok(Vec::new());
    }
    let (before, count) = match page {
        Page::After(after, count) => {
            let count = usize::try_from(count).unwrap_or(usize::MAX);
            return store.changes(after).filter(wanted).take(count).collect();
        }
        Page::Before(before, count) => (before, count),
    };
    let end = before.map_or(u64::MAX, Position::get).min(store.position().get().saturating_add(1));
    let count_as_usize = usize::try_from(count).unwrap_or(usize::MAX);
    let mut window = u64::from(count);
    loop {
        // Read forward from further and further back: positions need not be dense, and others' changes lie between.
        let start = end.saturating_sub(window.saturating_add(1));
        let ended = |change: &Result<Change, StorageError>| {
            change.as_ref().map_or(true, |change| change.position.get() < end)
        };
        let found: Vec<_> =
            store.changes(Position::new(start)).take_while(ended).filter(wanted).collect::<Result<_, _>>()?;
        if found.len() >= count_as_usize || start == 0 {
            let surplus = found.len().saturating_sub(count_as_usize);
            return Ok(found.into_iter().skip(surplus).collect());
        }
        window = window.saturating_mul(4);
    }
}

fn record(change: Change) -> Option<Record> {
    let (version, sha256, category) = match change.kind {
        ChangeKind::Published { version, sha256 } | ChangeKind::Restored { version, sha256 } => {
            (version.get(), sha256.to_string(), "update")
        }
        ChangeKind::Deleted => (0, String::new(), "deletion"),
        // Of a kind that Notary's clients do not know.
        _ => return None,
    };
    Some(Record {
        id: change.position.to_string(),
        created_at: change.time.to_string(),
        gun: change.repository,
        version,
        sha256,
        category,
    })
}

#[cfg(test)]
mod tests {
    use tufstore::Options;
    use tufstore_testkit::{NOW, Publisher, SeededOnlineKeys};

    use super::*;

    #[test]
    fn the_parameters_are_read_as_notary_reads_them() {
        let after = |id, count| Some(Page::After(Position::new(id), count));
        let before = |id: u64, count| Some(Page::Before(Some(Position::new(id)), count));
        let cases = [
            ("records=0", after(0, 100)),
            ("records=10", after(0, 10)),
            ("records=10&change_id=", after(0, 10)),
            ("change_id=7&records=3", after(7, 3)),
            ("records=-10&change_id=5", before(5, 10)),
            ("records=-10", Some(Page::Before(None, 10))),
            ("records=-10&change_id=0", Some(Page::Before(None, 10))),
            ("records=10&change_id=-1", Some(Page::Before(None, 10))),
            ("records=2147483647", after(0, LARGEST_PAGE)),
            ("records=-2147483648", Some(Page::Before(None, LARGEST_PAGE))),
            ("records=+10", after(0, 10)),
            ("", None),
            ("records=", None),
            ("records=x", None),
            ("records=1.5", None),
            ("records=2147483648", None),
            ("records=1&change_id=x", None),
            ("records=1&change_id=2147483648", None),
        ];
        for (query, expected) in cases {
            let query = query.replace('+', "%2B");
            assert_eq!(page(&query).ok(), expected, "{query}");
        }
    }

    #[test]
    fn pages_go_forward_and_backward_and_stay_in_order() {
        let options = Options::default().with_online_keys(SeededOnlineKeys::new("feed"));
        let store = Store::in_memory(options).unwrap();
        let mut names = Vec::new();
        for name in ["a", "b"] {
            let mut publisher = Publisher::for_store(name, &store);
            publisher.publish(&store).unwrap();
            names.push((name.parse::<RepositoryName>().unwrap(), publisher));
        }
        for _ in 0..3 {
            for (_, publisher) in &mut names {
                publisher.publish(&store).unwrap();
            }
        }
        let (a, _) = names.remove(0);
        store.delete(&a, NOW).unwrap();
        // a b a b a b a b, and the end of a: positions 1 to 9.
        let ids = |of: Option<&RepositoryName>, page| {
            read(&store, of, page).unwrap().iter().map(|change| change.position.get()).collect::<Vec<_>>()
        };
        let at = Position::new;
        assert_eq!(ids(None, Page::After(at(0), 3)), [1, 2, 3]);
        assert_eq!(ids(None, Page::After(at(7), 3)), [8, 9]);
        assert!(ids(None, Page::After(at(9), 3)).is_empty());
        assert_eq!(ids(None, Page::Before(Some(at(5)), 2)), [3, 4]);
        assert_eq!(ids(None, Page::Before(Some(at(2)), 5)), [1]);
        assert_eq!(ids(None, Page::Before(Some(at(100)), 2)), [8, 9]);
        assert_eq!(ids(None, Page::Before(None, 4)), [6, 7, 8, 9]);
        assert_eq!(ids(Some(&a), Page::Before(None, 2)), [7, 9]);
        assert_eq!(ids(Some(&a), Page::Before(None, 100)), [1, 3, 5, 7, 9]);
        assert_eq!(ids(Some(&a), Page::After(at(3), 2)), [5, 7]);
        let never = "never".parse().unwrap();
        assert!(ids(Some(&never), Page::Before(None, 2)).is_empty());
        let deletion = record(read(&store, Some(&a), Page::Before(None, 1)).unwrap().remove(0)).unwrap();
        assert_eq!((deletion.version, deletion.sha256.as_str(), deletion.category), (0, "", "deletion"));
    }
}
