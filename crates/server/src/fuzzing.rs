//! Doors for the fuzz targets in `fuzz/`: what is reached by whatever strangers send. Not part of the API.

use bytes::Bytes;
use http::Method;

use crate::api::route::{self, Operation, Route};
use crate::api::upload;

/// Reads any method and path; the name that comes out is one, and is found in the path.
pub fn router(method: &[u8], path: &str) {
    let Ok(method) = Method::from_bytes(method) else { return };
    if let Route::Repository { repository, operation } = route::of(&method, path) {
        assert!(matches!(method, Method::GET | Method::POST | Method::DELETE));
        let encoded: String =
            percent_encoding::utf8_percent_encode(repository.as_str(), percent_encoding::NON_ALPHANUMERIC)
                .collect();
        if operation == Operation::Publish {
            let again = route::of(&method, &format!("/v2/{encoded}/_trust/tuf/"));
            assert_eq!(again, Route::Repository { repository, operation });
        }
    }
}

/// Reads any body as an upload.
pub fn upload_body(content_type: &str, body: &[u8]) {
    if let Ok(upload) = upload::parse(Some(content_type), Bytes::copy_from_slice(body)) {
        let taken: usize = upload.files().map(|(_, bytes)| bytes.len()).sum();
        assert!(taken <= body.len());
    }
}
