use std::num::NonZeroU32;
use std::time::Duration;

use super::SettingsError;

/// How much of anything one server takes on.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct ServerLimits {
    /// Connections at a time; who comes when there is no room waits to be accepted.
    pub connections: usize,
    /// How long a client may take for a TLS handshake.
    pub handshake: Duration,
    /// How long a connection may be without a byte from the client.
    pub idle: Duration,
    /// How long a client may take no byte of an answer.
    pub stalled: Duration,
    /// How long a client may take to send the header of a request, on a new connection and on an idle one.
    pub header: Duration,
    /// How long a client may take to send a whole upload.
    pub request: Duration,
    /// Bytes of one upload.
    pub body_bytes: usize,
    /// Bytes of all uploads, from the first that is received until they are answered. Verifying one takes several times
    /// its size beside, for as many as [`Self::publications`].
    pub bodies_bytes: usize,
    /// About how many bytes of memory tag tables and documents of repositories may take. Those that nobody asked for lately
    /// are read again when somebody does.
    pub memory_bytes: usize,
    /// Publications that are verified or written at a time.
    pub publications: usize,
    /// Publications that wait for that.
    pub waiting_publications: usize,
    /// Reads at a time.
    pub reads: usize,
    /// Renewals at a time.
    pub renewals: usize,
    /// What may read the whole journal, at a time: pages of the changefeed, and what operators ask for.
    pub scans: usize,
    /// Requests of one client that are answered at a time.
    pub client_requests: usize,
    /// Publications of one client in a minute.
    pub client_publications_per_minute: Option<NonZeroU32>,
    /// Publications of all clients in a minute.
    pub publications_per_minute: Option<NonZeroU32>,
    /// Repositories that live; nothing is published under another name beyond.
    pub repositories: Option<usize>,
    /// How long to wait for what has begun when the server is asked to end.
    pub drain: Duration,
}

impl ServerLimits {
    /// That each lets something through.
    pub(super) fn check(&self) -> Result<(), SettingsError> {
        let numbers = [
            ("connections", self.connections),
            ("body-bytes", self.body_bytes),
            ("publications", self.publications),
            ("reads", self.reads),
            ("renewals", self.renewals),
            ("scans", self.scans),
            ("client-requests", self.client_requests),
        ];
        let times = [
            ("handshake", self.handshake),
            ("idle", self.idle),
            ("stalled", self.stalled),
            ("header", self.header),
            ("request", self.request),
        ];
        let numbers = numbers.into_iter().filter(|(_, number)| *number == 0).map(|(what, _)| what);
        let times = times.into_iter().filter(|(_, time)| time.is_zero()).map(|(what, _)| what);
        numbers.chain(times).next().map_or(Ok(()), |what| Err(SettingsError::Nothing { what }))
    }
}

impl Default for ServerLimits {
    fn default() -> Self {
        Self {
            connections: 4096,
            handshake: Duration::from_secs(10),
            idle: Duration::from_mins(5),
            stalled: Duration::from_secs(30),
            header: Duration::from_secs(30),
            request: Duration::from_mins(2),
            body_bytes: 128 << 20,
            bodies_bytes: 512 << 20,
            memory_bytes: 256 << 20,
            publications: 32,
            waiting_publications: 512,
            reads: 64,
            renewals: 8,
            scans: 4,
            client_requests: 1024,
            client_publications_per_minute: None,
            publications_per_minute: None,
            repositories: None,
            drain: Duration::from_secs(30),
        }
    }
}
