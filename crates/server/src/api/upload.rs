//! The body of a publication: `multipart/form-data`, one part a role, named by its file name.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Arc;

use axum::body::Body;
use bytes::Bytes;
use futures_util::{FutureExt, stream};
use http::{Request, header};
use http_body_util::BodyExt;
use multer::Multipart;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tufstore::Upload;
use tufstore::terms::RoleName;

use super::WireError;
use crate::settings::ServerLimits;

/// Room for the bodies of all publications, from their first byte until they are answered: a bounded number of bytes for
/// all together, so that many slow clients cannot take the memory.
#[derive(Clone, Debug)]
pub(crate) struct Bodies {
    room: Arc<Semaphore>,
    limits: ServerLimits,
}

/// A whole body, with the room that it takes.
pub(super) struct Received {
    bytes: Bytes,
    content_type: Option<String>,
    room: Room,
}

/// Held until nothing of the body is needed any more.
#[derive(Debug, Default)]
pub(super) struct Room(#[expect(dead_code, reason = "given back when dropped")] Option<OwnedSemaphorePermit>);

impl Bodies {
    pub(crate) fn new(limits: ServerLimits) -> Self {
        let room = limits.bodies_bytes.min(Semaphore::MAX_PERMITS);
        Self { room: Arc::new(Semaphore::new(room)), limits }
    }

    /// Bytes of the longest that is taken.
    pub(crate) fn longest(&self) -> usize {
        self.limits.body_bytes
    }

    /// Receives an upload whole.
    pub(super) async fn receive(&self, request: Request<Body>) -> Result<Received, WireError> {
        let kind = request.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
        let content_type = kind.map(ToOwned::to_owned);
        let limit = self.limits.body_bytes;
        let (bytes, room) = self.whole(request, limit, WireError::too_large(limit)).await?;
        Ok(Received { bytes, content_type, room })
    }

    /// Receives what is no upload, and no longer than that.
    pub(super) async fn receive_short(
        &self,
        request: Request<Body>,
        limit: usize,
    ) -> Result<(Bytes, Room), WireError> {
        self.whole(request, limit, WireError::too_long(limit)).await
    }

    /// A body, within its time. Nothing else is held meanwhile, no worker and no lock.
    async fn whole(
        &self,
        request: Request<Body>,
        limit: usize,
        too_large: WireError,
    ) -> Result<(Bytes, Room), WireError> {
        let length = request.headers().get(header::CONTENT_LENGTH);
        let length = length.and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
        if length.is_some_and(|length| length > limit) {
            return Err(too_large);
        }
        let gathered = self.gather(request.into_body(), limit, too_large);
        let gathered = tokio::time::timeout(self.limits.request, gathered);
        let (bytes, room) = gathered.await.map_err(|_| WireError::too_slow())??;
        Ok((bytes, Room(room)))
    }

    async fn gather(
        &self,
        mut body: Body,
        limit: usize,
        too_large: WireError,
    ) -> Result<(Bytes, Option<OwnedSemaphorePermit>), WireError> {
        let mut bytes = Vec::new();
        let mut room: Option<OwnedSemaphorePermit> = None;
        while let Some(frame) = body.frame().await {
            // The client went away or broke the protocol: nobody reads the answer.
            let frame = frame.map_err(|_| WireError::malformed_upload())?;
            let Ok(data) = frame.into_data() else { continue };
            if bytes.len() + data.len() > limit {
                return Err(too_large);
            }
            // Waiting for room would wait for others who wait for room.
            let more = u32::try_from(data.len()).map_err(|_| WireError::busy())?;
            let more = Arc::clone(&self.room).try_acquire_many_owned(more).map_err(|_| WireError::busy())?;
            match &mut room {
                Some(room) => room.merge(more),
                None => room = Some(more),
            }
            if bytes.capacity() - bytes.len() < data.len() {
                // Not twice as much, as it would grow by itself: the room would be half of what is taken.
                bytes.reserve_exact(data.len().max(bytes.len() / 8));
            }
            bytes.extend_from_slice(&data);
        }
        Ok((bytes.into(), room))
    }
}

impl Received {
    /// Reads the parts. Takes processor time: for a worker.
    pub(super) fn parse(self) -> Result<(Upload, Room), WireError> {
        Ok((parse(self.content_type.as_deref(), self.bytes)?, self.room))
    }
}

/// What a body uploads. Of two parts for one role the last counts, as in Notary.
pub(crate) fn parse(content_type: Option<&str>, body: Bytes) -> Result<Upload, WireError> {
    let boundary = content_type.and_then(|kind| multer::parse_boundary(kind).ok());
    let boundary = boundary.ok_or_else(WireError::malformed_upload)?;
    // All of it is here, so nothing is ever waited for.
    let whole = stream::once(async { Ok::<_, Infallible>(body) });
    let parts = parts(Multipart::new(whole, boundary)).now_or_never();
    let files = parts.unwrap_or_else(|| Err(WireError::malformed_upload()))?;
    Ok(files.into_iter().fold(Upload::new(), |upload, (role, bytes)| upload.with(role, &*bytes)))
}

async fn parts(mut parts: Multipart<'_>) -> Result<BTreeMap<RoleName, Bytes>, WireError> {
    let mut files = BTreeMap::new();
    while let Some(part) = parts.next_field().await.map_err(|_| WireError::malformed_upload())? {
        // Whatever the form's field is called.
        let name = part.file_name().filter(|name| !name.is_empty()).ok_or_else(WireError::no_filename)?;
        let name = name.strip_suffix(".json").unwrap_or(name);
        let role = name.parse().map_err(|_| WireError::invalid_role(name))?;
        files.insert(role, part.bytes().await.map_err(|_| WireError::malformed_upload())?);
    }
    Ok(files)
}

#[cfg(test)]
mod tests;
