use tufstore::crypto::InvalidPublicKey;

/// Why a private key could not be made, read or used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// Not the structure that private keys have.
    #[error("not a private key in a form of PKCS#8, PKCS#1 or SEC 1")]
    Malformed(#[source] der::Error),
    /// The structure is right, its content is no safe key: a wrong size, parts that do not belong together.
    #[error("a private key that is damaged, inconsistent or of an unsafe size")]
    Rejected,
    /// A form or an algorithm that is known, and not served.
    #[error("{what} is not supported")]
    Unsupported {
        /// What was asked for.
        what: &'static str,
    },
    /// The public half is none that could ever verify.
    #[error("the public half of a private key is of no use")]
    PublicHalf(#[from] InvalidPublicKey),
    /// The cryptographic library refused, for want of memory or of randomness.
    #[error("the cryptographic library failed at {doing}")]
    Library {
        /// What was being done.
        doing: &'static str,
    },
}

/// A failure of the library, which itself never says why.
pub(crate) fn failed<E>(doing: &'static str) -> impl FnOnce(E) -> KeyError {
    move |_| KeyError::Library { doing }
}
