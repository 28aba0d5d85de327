//! Who exists, which roles they hold, and what they may: decided from what is written down, without a disk, a clock or a lock.
//!
//! ```text
//! name, secret ─candidate─▶ Known(Identity) │ Password ─verify, slow─▶ Identity │ Nobody
//! Identity, repository, now ─permissions─▶ Permissions      asked anew each time, so that what was taken away is gone
//! Access, Change, now ─apply─▶ Access │ Refused             the whole next state or none; the old one stays as it was
//! Access ─to_bytes─▶ one document ─from_bytes─▶ Access      checked: nothing dangles, no name stands for two
//! ```
//!
//! Roles, scopes and the names of permissions are those of Azure Container Registry. What differs: tokens for one
//! repository may sign, and [`Role::Owner`] does not sign unless that is granted by name.

mod ids;
mod name;
mod permission;
mod role;
mod scope;
mod password;
mod token;
mod principal;
mod whole;
mod decide;
mod identify;
mod change;
mod refused;
mod apply;
mod document;
mod text;

pub use change::{Change, Rules};
pub use document::{DocumentError, Inconsistent};
pub use identify::{Candidate, Identity, PasswordCheck};
pub use ids::{ApplicationId, AssignmentId, InvalidId, ObjectId};
pub use name::{InvalidName, Name};
pub use password::{InvalidPasswordHash, PasswordError, PasswordHash, hash, verify};
pub use permission::{Permission, Permissions, UnknownPermission};
pub use principal::{Assignee, Assignment, ContentTrust, Group, Kind, Policy, Principal};
pub use refused::Refused;
pub use role::{CustomRole, InvalidRole, Role};
pub use scope::{InvalidScope, Registry, Scope};
pub use token::{Grant, InvalidTokenId, Limit, Secret, SecretHash, Token, TokenId};
pub use whole::Access;

#[cfg(test)]
mod tests;
