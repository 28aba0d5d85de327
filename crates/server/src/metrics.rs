//! What the server counts, in the form of Prometheus. `docs/metrics.md` lists all of it.
//!
//! The recorder is one for the process, as the `metrics` facade has it: servers that share a process share their counts.

mod concerns;
mod summary;

use std::fs;
use std::sync::OnceLock;
use std::time::Duration;

use http::{Method, StatusCode};
use metrics::{Unit, counter, describe_counter, describe_histogram, gauge};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use tufstore::Store;
use tufstore::terms::UnixTime;

pub(crate) use self::concerns::Concerned;
use crate::api::WireError;

static RECORDER: OnceLock<Option<PrometheusHandle>> = OnceLock::new();

/// What the counts are, for whoever reads them; those of Notary's are known to its operators.
const DESCRIBED: [(&str, &str); 11] = [
    ("tufstore_publications_total", "Uploads over HTTP that were taken"),
    ("tufstore_refusals_total", "Refusals, by the code and the kind of validation error on the wire"),
    ("tufstore_refusals_not_kept_total", "Refusals that came faster than they were kept"),
    ("tufstore_renewals_total", "Timestamps and snapshots signed anew because they were due"),
    ("tufstore_lookups_total", "Tags looked up, through the admin socket or over HTTP"),
    ("tufstore_commits_total", "Publications and deletions that were tried to be written"),
    ("tufstore_tables_loaded_total", "Tag tables read from the index for a lookup"),
    ("tufstore_states_loaded_total", "Repositories read from the journal, with all their documents"),
    ("tufstore_collected_bytes_total", "By how much the journal became smaller"),
    ("tufstore_commit_seconds", "One group of commits, written and synced"),
    ("tufstore_sync_seconds", "One sync of one file of the journal"),
];

/// One connection, counted as open until this is dropped.
#[derive(Debug)]
pub(crate) struct Connection(());

/// Counts from now on, if nobody else in the process does by other means.
pub(crate) fn install(now: UnixTime) {
    RECORDER.get_or_init(|| match recorder() {
        Ok(handle) => Some(handle),
        Err(error) => {
            tracing::warn!(%error, "nothing is counted: the process has a recorder of metrics already");
            None
        }
    });
    for (name, what) in DESCRIBED {
        if name.ends_with("_seconds") {
            describe_histogram!(name, Unit::Seconds, what);
        } else {
            describe_counter!(name, what);
        }
    }
    // There from the beginning, so that the first ever is seen as a rise.
    for name in [
        "tufstore_tables_loaded_total",
        "tufstore_states_loaded_total",
        "tufstore_collected_bytes_total",
        "tufstore_refusals_not_kept_total",
    ] {
        counter!(name).increment(0);
    }
    gauge!("tufstore_scrubbed_timestamp_seconds").set(0.0);
    gauge!("tufstore_damage_findings").set(0.0);
    gauge!("process_start_time_seconds").set(float(u64::try_from(now.seconds()).unwrap_or(0)));
    gauge!("tufstore_build_info", "version" => env!("CARGO_PKG_VERSION")).set(1.0);
}

/// One request of a route that Notary counts.
pub(crate) fn observe(operation: &'static str, method: &Method, seen: &Seen) {
    let code = seen.status.as_u16().to_string();
    let method = method.as_str().to_owned();
    counter!("notary_server_http_requests_total", "operation" => operation, "method" => method, "code" => code)
        .increment(1);
    let microseconds = seen.duration.as_secs_f64() * 1e6;
    summary::observe(operation, [microseconds, float(seen.request_bytes), float(seen.response_bytes)]);
}

pub(crate) fn refused(refusal: &WireError) {
    let (code, name) = refusal.reason();
    counter!("tufstore_refusals_total", "code" => code, "name" => name).increment(1);
}

pub(crate) fn published() {
    counter!("tufstore_publications_total").increment(1);
}

pub(crate) fn looked_up(tags: usize) {
    counter!("tufstore_lookups_total").increment(u64::try_from(tags).unwrap_or(u64::MAX));
}

pub(crate) fn renewed(well: bool) {
    let outcome = if well { "renewed" } else { "failed" };
    counter!("tufstore_renewals_total", "outcome" => outcome).increment(1);
}

/// What was found to expire, or to be wrong, in place of what was found before.
pub(crate) fn concerned(concerned: Concerned) {
    concerns::set(concerned);
}

/// The store was read through.
pub(crate) fn scrubbed(now: UnixTime, findings: usize) {
    gauge!("tufstore_scrubbed_timestamp_seconds").set(float(u64::try_from(now.seconds()).unwrap_or(0)));
    gauge!("tufstore_damage_findings").set(float(u64::try_from(findings).unwrap_or(u64::MAX)));
}

pub(crate) fn collected(bytes: u64) {
    counter!("tufstore_collected_bytes_total").increment(bytes);
}

pub(crate) fn connected() -> Connection {
    gauge!("tufstore_connections").increment(1.0);
    counter!("tufstore_connections_total").increment(1);
    Connection(())
}

/// What changed since it was asked last is put into its buckets; to be called every some seconds.
pub(crate) fn settle() {
    if let Some(Some(recorder)) = RECORDER.get() {
        recorder.run_upkeep();
    }
}

/// Whether repositories and roles are named.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Names {
    Shown,
    Hidden,
}

/// All counts as text. Reads the lengths of the store's files.
pub(crate) fn render(store: &Store, names: Names) -> String {
    match store.status() {
        Ok(status) => {
            gauge!("tufstore_journal_bytes").set(float(status.journal_bytes));
            gauge!("tufstore_index_bytes").set(float(status.index_bytes));
            gauge!("tufstore_index_behind_commits").set(float(status.index_behind));
            gauge!("tufstore_index_relied_on").set(truth(status.index_relied_on));
            gauge!("tufstore_takes_writes").set(truth(status.takes_writes));
            gauge!("tufstore_position").set(float(status.position.get()));
        }
        Err(error) => tracing::warn!(%error, "the store's state cannot be told"),
    }
    gauge!("tufstore_repositories").set(float(u64::try_from(store.repository_count()).unwrap_or(u64::MAX)));
    let memory = store.memory_use();
    gauge!("tufstore_table_memory_bytes").set(float(memory.tables));
    gauge!("tufstore_document_memory_bytes").set(float(memory.documents));
    if let Some(open) = open_files() {
        gauge!("process_open_fds").set(float(open));
    }
    if let Some(bytes) = resident_bytes() {
        gauge!("process_resident_memory_bytes").set(float(bytes));
    }
    let counts = RECORDER.get().and_then(Option::as_ref).map(PrometheusHandle::render);
    counts.unwrap_or_default() + &summary::render() + &concerns::render(names)
}

impl Drop for Connection {
    fn drop(&mut self) {
        gauge!("tufstore_connections").decrement(1.0);
    }
}

/// How one request went.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seen {
    pub(crate) status: StatusCode,
    pub(crate) duration: Duration,
    pub(crate) request_bytes: u64,
    pub(crate) response_bytes: u64,
}

fn recorder() -> Result<PrometheusHandle, metrics_exporter_prometheus::BuildError> {
    /// From a sync on fast storage to one that hangs.
    const SECONDS: [f64; 14] =
        [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0];
    PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &SECONDS)?
        .install_recorder()
}

#[expect(
    clippy::as_conversions,
    clippy::cast_precision_loss,
    reason = "gauges are floats; beyond 2^53 nobody counts"
)]
fn float(value: u64) -> f64 {
    value as f64
}

fn truth(value: bool) -> f64 {
    if value { 1.0 } else { 0.0 }
}

fn open_files() -> Option<u64> {
    u64::try_from(fs::read_dir("/proc/self/fd").ok()?.count()).ok()
}

fn resident_bytes() -> Option<u64> {
    let pages: u64 = fs::read_to_string("/proc/self/statm").ok()?.split(' ').nth(1)?.parse().ok()?;
    pages.checked_mul(u64::try_from(rustix::param::page_size()).ok()?)
}
