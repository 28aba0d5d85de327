use tufstore::terms::UnixTime;

use super::ids::{AssignmentId, ObjectId};
use super::name::Name;
use super::principal::Kind;
use super::role::{CustomRole, Role};
use super::token::TokenId;

/// Why a change was not made. Nothing else was either.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Refused {
    /// Administrators do not sign.
    #[error("{kind} cannot be given {role}: give it to a user or a service principal")]
    AdminCannotSign {
        /// Who.
        kind: Kind,
        /// A role that signs.
        role: Role,
    },
    /// Administrators do not sign, nor by a token of nobody.
    #[error(
        "{kind} cannot make a token of nobody that signs: leave signing out, or have it made by a user, or by whoever runs the \
         server"
    )]
    AdminCannotMakeSigner {
        /// Who.
        kind: Kind,
    },
    /// Administrators do not sign, nor by a group.
    #[error(
        "{kind} cannot be in the group {group} while that has {role}: leave it out, or give the role to users and service \
         principals alone"
    )]
    AdminCannotSignInGroup {
        /// Who.
        kind: Kind,
        /// The group.
        group: Name,
        /// A role that signs.
        role: Role,
    },
    /// The same is assigned already.
    #[error("that is assigned already, as {id}: nothing has to be done")]
    Assigned {
        /// The assignment.
        id: AssignmentId,
    },
    /// There is a group of that name.
    #[error("there is a group {group} already: use it, or choose another name")]
    GroupExists {
        /// Its name.
        group: Name,
    },
    /// An object id, application id, assignment id or token id that stands for something else.
    #[error("the id {id} is taken: use a new one")]
    IdTaken {
        /// The id.
        id: String,
    },
    /// The principal has one name alone.
    #[error("{name} is the only name of the principal: rename it instead")]
    LastName {
        /// The name.
        name: Name,
    },
    /// A name that could be taken for an id that is somebody else's.
    #[error("{name} looks like an id: choose a name that does not")]
    NameIsAnId {
        /// The name.
        name: Name,
    },
    /// A principal or a token has that name.
    #[error("the name {name} is taken by a principal or a token: choose another one")]
    NameTaken {
        /// The name.
        name: Name,
    },
    /// A principal without a name.
    #[error("a principal needs a name: give one")]
    Nameless,
    /// No such assignment.
    #[error("there is no assignment {id}: list the assignments")]
    NoSuchAssignment {
        /// Its id.
        id: AssignmentId,
    },
    /// No such group.
    #[error("there is no group {group}: list the groups")]
    NoSuchGroup {
        /// Its name.
        group: Name,
    },
    /// It is not a member.
    #[error("{member} is not in the group {group}: list its members")]
    NoSuchMember {
        /// The group.
        group: Name,
        /// The principal.
        member: ObjectId,
    },
    /// It has no such name.
    #[error("the principal {principal} is not called {name}: list its names")]
    NoSuchName {
        /// The principal.
        principal: ObjectId,
        /// The name.
        name: Name,
    },
    /// No such principal.
    #[error("there is no principal {principal}: add it first, or give the object id of one that is there")]
    NoSuchPrincipal {
        /// Its object id.
        principal: ObjectId,
    },
    /// No such custom role.
    #[error("there is no role {role}: list the roles")]
    NoSuchRole {
        /// Its name.
        role: CustomRole,
    },
    /// No such token.
    #[error("there is no token {id}: it was revoked, or never made")]
    NoSuchToken {
        /// Its id.
        id: TokenId,
    },
    /// A role or a token that would allow nothing.
    #[error("that would allow nothing: name at least one permission")]
    NothingAllowed,
    /// Another kind of principal would have several names.
    #[error("{kind} has one name: rename it, or use a service principal")]
    OneName {
        /// What it is.
        kind: Kind,
    },
    /// Somebody has the role.
    #[error("the role {role} is assigned, as {id} at least: remove its assignments first")]
    RoleAssigned {
        /// The role.
        role: CustomRole,
        /// One of its assignments.
        id: AssignmentId,
    },
    /// A token that is of nobody would administer the registry.
    #[error(
        "a token of its own cannot assign roles or set policies: leave that out, or make a personal token of an owner"
    )]
    TokenCannotAdminister,
    /// A token whose time is over before it begins.
    #[error("the token would have expired at {expires}, it is {now}: give a later time")]
    TokenExpired {
        /// When its time would be over.
        expires: UnixTime,
        /// What time it is.
        now: UnixTime,
    },
    /// A token that lives longer than is allowed.
    #[error("a token made now expires at {latest} at the latest, not at {expires}: give an earlier time")]
    TokenLivesTooLong {
        /// When its time would be over.
        expires: UnixTime,
        /// The latest that is allowed.
        latest: UnixTime,
    },
    /// As much as may be written down.
    #[error(
        "{most} users, names, groups, members, roles, assignments, tokens and their scopes are written down, and no more are: \
         remove some"
    )]
    TooMuch {
        /// How many there may be together.
        most: usize,
    },
    /// More names than anybody may have.
    #[error("a principal has at most {most} names: remove one first, or add another principal")]
    TooManyNames {
        /// How many there may be.
        most: usize,
    },
    /// More scopes than a token may be limited to.
    #[error(
        "the token names {given} scopes, and at most {most} are taken: name a prefix for several repositories, or make several \
         tokens"
    )]
    TooManyScopes {
        /// How many were named.
        given: usize,
        /// How many there may be.
        most: usize,
    },
    /// As many tokens as anybody may have.
    #[error("{of} has {most} tokens, which is as many as there may be: revoke one first")]
    TooManyTokens {
        /// Whose, or nobody's.
        of: String,
        /// How many there may be.
        most: usize,
    },
    /// A token that is of nobody would be for everything.
    #[error(
        "a token of its own is not for `*`: name a repository, or a prefix such as registry.example.com/team/"
    )]
    TokenTooWide,
}
