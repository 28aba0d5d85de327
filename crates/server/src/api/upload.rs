//! The body of a publication: `multipart/form-data`, one part a role, named by its file name.

use axum::body::Body;
use http::{Request, header};
use multer::Multipart;
use tufstore::Upload;
use tufstore::terms::RoleName;

use super::WireError;
use crate::service::Service;

pub(super) async fn receive(_service: &Service, request: Request<Body>) -> Result<Upload, WireError> {
    let kind = request.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    let boundary =
        kind.and_then(|kind| multer::parse_boundary(kind).ok()).ok_or_else(WireError::malformed_upload)?;
    let mut parts = Multipart::new(request.into_body().into_data_stream(), boundary);
    let mut upload = Upload::new();
    while let Some(part) = parts.next_field().await.map_err(|_| WireError::malformed_upload())? {
        let name = part.file_name().ok_or_else(WireError::no_filename)?;
        let name = name.strip_suffix(".json").unwrap_or(name);
        let role: RoleName = name.parse().map_err(|_| WireError::invalid_role(name))?;
        let bytes = part.bytes().await.map_err(|_| WireError::malformed_upload())?;
        if role != RoleName::Timestamp {
            upload = upload.with(role, bytes.to_vec());
        }
    }
    Ok(upload)
}
