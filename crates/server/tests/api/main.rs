//! The API over an engine, asked without sockets.
//!
//! The modules `notary_…` hold what the tests of Notary's own server assert, each under the name of its Go test, where it can
//! be seen over HTTP. Of these groups, the following have no counterpart, since what they break is not there to be broken:
//!
//! | Go tests | why not |
//! |---|---|
//! | `...PreviousTimestampCorrupt`, `...OldRootCorrupt`, `...PrevCorrupt`, `...Broken`, `CorruptedStore` | what is stored was verified and is checked by digest; a damaged store refuses to open, or to read, which the engine's tests show |
//! | `KeyHandlersInvalidConfiguration`, `KeyHandlersNoRoleOrRepo`, `...NoCrypto`, `...NoStorage`, `...InvalidKeyAlgo` | a server without store, keys or algorithm does not start |
//! | `CheckHealth` (missing table, closed connection) | there is no database; `notary_server::health` shows what fails instead |
//! | `UpdateManyNoConflicts`, its list with root 4 before root 3 | roots are a chain here: a gap is refused |
//! | `Get{Timestamp,Snapshot}KeyCreate` (a new key per call), and a new key once the old one is lost | a key is the same until a root names another; none is lost while the master key is there |
//! | `CannotMakeNew{Timestamp,Snapshot}If...` | no timestamp is stored without its root and snapshot |
//! | `RootHandlerError` | no handler can be given in |
//! | `BuildCatalogRecord`, `DoAuth*` | in `tokens`, under other names |
//! | `GetAddrAndTLSConfig`, `GetTrustService`, `GetStore`, `GetCacheConfig`, `GetGUNPrefixes` | in the tests of the settings, under other names |
//! | passphrase aliases, delete, in the signer's key store | one master key seals all; the tests of `tufstore-keys` show it |

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests")]

mod support;
mod lookup;
mod notary_changefeed;
mod notary_handlers;
mod notary_renewal;
mod notary_rest;
mod notary_server;
mod notary_storage;
mod notary_validation;
mod racing;
mod tokens;
mod users;
