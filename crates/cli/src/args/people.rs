//! What the commands take that say who may do what.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};
use tufstore_server::access::{CustomRole, Name, Permission, Role, Scope};

use super::StoreArg;

/// Add, list and remove users, who log in by name and password.
///
/// The first user ends that everybody may do everything: from then on, whoever publishes or reads needs a role (`tufstore role
/// assign`), and registries without trust data need content trust enabled (`tufstore policy set`). Works on a store's folder, and
/// through the server that has it open.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  tufstore user add alice --data store          # asks for a password, twice
  printf %s \"$PASSWORD\" | tufstore user add bob --password-stdin --data store
  tufstore user add build --no-password --data store
  tufstore user disable bob --data store        # at once, tokens that are out included")]
pub(crate) struct User {
    #[command(subcommand)]
    pub(crate) command: UserCommand,
}

/// What to do with users.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum UserCommand {
    /// Add a user
    Add {
        /// What the user is called: letters, digits and . _ @ -
        name: Name,
        #[command(flatten)]
        password: GivenPassword,
        /// The registry's admin account: pulls and pushes everywhere, and can never sign
        #[arg(long, conflicts_with = "classic_administrator")]
        admin: bool,
        /// A classic administrator: everything that an Owner may, everywhere, and can never sign
        #[arg(long)]
        classic_administrator: bool,
        #[command(flatten)]
        store: StoreArg,
    },
    /// List users and service principals
    List {
        #[command(flatten)]
        store: StoreArg,
    },
    /// Remove a user, with its roles, memberships and tokens
    Remove {
        /// A name or object id
        who: String,
        #[command(flatten)]
        store: StoreArg,
    },
    /// Give a user another name
    Rename {
        /// The name it has
        from: Name,
        /// The name instead
        to: Name,
        #[command(flatten)]
        store: StoreArg,
    },
    /// Give a user another password
    Password {
        /// A name or object id
        who: String,
        #[command(flatten)]
        password: GivenPassword,
        #[command(flatten)]
        store: StoreArg,
    },
    /// Let a user do nothing, at once, until it is enabled again
    Disable {
        /// A name or object id
        who: String,
        #[command(flatten)]
        store: StoreArg,
    },
    /// Let a user do again what its roles say
    Enable {
        /// A name or object id
        who: String,
        #[command(flatten)]
        store: StoreArg,
    },
}

/// Where a password comes from: a prompt at a terminal, without more.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct GivenPassword {
    /// Read it from standard input
    #[arg(long, conflicts_with = "password_file")]
    pub(crate) password_stdin: bool,
    /// Read it from a file
    #[arg(long, value_name = "FILE")]
    pub(crate) password_file: Option<PathBuf>,
    /// None: only tokens, which `tufstore token create --of` makes
    #[arg(long, conflicts_with_all = ["password_stdin", "password_file"])]
    pub(crate) no_password: bool,
}

/// Make, list and remove service principals, as which programs log in.
///
/// It answers to its application id, its object id, or one of its names, as in Azure. Its token is shown once, when it is made.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  tufstore principal create ci --expires 90d --data store
  tufstore role assign AcrPull --scope registry.example.com --to ci --data store
  docker login registry.example.com --username ci --password-stdin < token")]
pub(crate) struct Principal {
    #[command(subcommand)]
    pub(crate) command: PrincipalCommand,
}

/// What to do with service principals.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum PrincipalCommand {
    /// Make a service principal, and its token
    Create {
        /// What it is called
        name: Name,
        /// One more name for it; may be repeated
        #[arg(long, value_name = "NAME")]
        also: Vec<Name>,
        #[command(flatten)]
        lifetime: Lifetime,
        #[command(flatten)]
        store: StoreArg,
    },
    /// List users and service principals
    List {
        #[command(flatten)]
        store: StoreArg,
    },
    /// Remove a service principal, with its roles, memberships and tokens
    Remove {
        /// A name, object id or application id
        who: String,
        #[command(flatten)]
        store: StoreArg,
    },
    /// Give it one more name
    AddName {
        /// A name, object id or application id
        who: String,
        /// The name
        name: Name,
        #[command(flatten)]
        store: StoreArg,
    },
    /// Take one of its names
    RemoveName {
        /// The name
        name: Name,
        #[command(flatten)]
        store: StoreArg,
    },
}

/// How long a token is good for.
#[derive(Args, Clone, Copy, Debug)]
pub(crate) struct Lifetime {
    /// How long the token is good for, such as 12h, 90d or 1y; a year at most
    #[arg(long, value_name = "TIME", default_value = "90d", value_parser = humantime::parse_duration)]
    pub(crate) expires: Duration,
}

/// Make, fill and remove groups, whose members have roles together.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  tufstore group add signers --data store
  tufstore group join signers alice --data store
  tufstore role assign AcrImageSigner --scope registry.example.com --to-group signers --data store")]
pub(crate) struct Group {
    #[command(subcommand)]
    pub(crate) command: GroupCommand,
}

/// What to do with groups.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum GroupCommand {
    /// Add a group without members
    Add {
        /// What it is called
        group: Name,
        #[command(flatten)]
        store: StoreArg,
    },
    /// List groups and who is in them
    List {
        #[command(flatten)]
        store: StoreArg,
    },
    /// Remove a group, and the roles that it has
    Remove {
        /// Which
        group: Name,
        #[command(flatten)]
        store: StoreArg,
    },
    /// Put somebody into a group
    Join {
        /// Which
        group: Name,
        /// A name, object id or application id
        who: String,
        #[command(flatten)]
        store: StoreArg,
    },
    /// Take somebody out of a group
    Leave {
        /// Which
        group: Name,
        /// A name, object id or application id
        who: String,
        #[command(flatten)]
        store: StoreArg,
    },
}

/// Give and take roles: what somebody may, and where.
///
/// Azure's, by their names: `AcrPull` reads; `AcrPush` pushes images, and reads; `AcrImageSigner` publishes trust metadata and rotates
/// its keys, and reads; `AcrDelete` deletes trust data; Owner gives roles and sets policies, and does not sign. A scope is `*`, a registry
/// (`registry.example.com`), a prefix (`registry.example.com/team/`) or a repository.
///
/// What is given counts with the next token, which is with the next command of Docker; nobody has to log in again.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  tufstore role assign AcrPush --scope registry.example.com --to alice --data store
  tufstore role assign AcrImageSigner --scope registry.example.com/team/ --to alice --data store
  tufstore role define reader-of-all --permission registries/pull/read --data store")]
pub(crate) struct RoleArgs {
    #[command(subcommand)]
    pub(crate) command: RoleCommand,
}

/// What to do with roles.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum RoleCommand {
    /// Give somebody a role
    Assign {
        /// Which
        role: Role,
        #[command(flatten)]
        at: At,
        #[command(flatten)]
        store: StoreArg,
    },
    /// Take a role from somebody
    Unassign {
        /// Which
        role: Role,
        #[command(flatten)]
        at: At,
        #[command(flatten)]
        store: StoreArg,
    },
    /// List who has which role where
    Assignments {
        #[command(flatten)]
        store: StoreArg,
    },
    /// List roles, and what they are made of
    List {
        #[command(flatten)]
        store: StoreArg,
    },
    /// Make a custom role, or say anew what it is made of
    Define {
        /// What it is called
        role: CustomRole,
        /// What it is made of, as `tufstore role list` shows it; may be repeated
        #[arg(long = "permission", value_name = "PERMISSION", required = true)]
        permissions: Vec<Permission>,
        #[command(flatten)]
        store: StoreArg,
    },
    /// Remove a custom role that nobody has
    Remove {
        /// Which
        role: CustomRole,
        #[command(flatten)]
        store: StoreArg,
    },
}

/// Where a role holds, and for whom.
#[derive(Args, Clone, Debug)]
pub(crate) struct At {
    /// Where: *, a registry, a prefix that ends in a slash, or a repository
    #[arg(long, value_name = "SCOPE")]
    pub(crate) scope: Scope,
    /// For whom: a name, object id or application id
    #[arg(long, value_name = "WHO", required_unless_present = "to_group")]
    pub(crate) to: Option<String>,
    /// For whom: all members of a group
    #[arg(long, value_name = "GROUP", conflicts_with = "to")]
    pub(crate) to_group: Option<Name>,
}

/// Make and revoke tokens: what programs show in place of a password.
///
/// A token of a principal may what that may, and no more than it was narrowed to. A token of nobody is somebody by itself: it may exactly
/// what it was made for, signing included, in one repository, prefix or registry. Either is shown once, expires, and is worth
/// nothing from the moment that it is revoked. The name to log in with is the token's, or its principal's.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  tufstore token create laptop --of alice --expires 30d --data store
  tufstore token create signer --scope registry.example.com/app --may pull,sign --data store
  tufstore token revoke signer --data store")]
pub(crate) struct TokenArgs {
    #[command(subcommand)]
    pub(crate) command: TokenCommand,
}

/// What to do with tokens.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum TokenCommand {
    /// Make a token
    Create {
        /// What it is called
        name: Name,
        /// Whose it is; without this it is somebody by itself, and needs --scope
        #[arg(long, value_name = "WHO", required_unless_present = "scope")]
        of: Option<String>,
        /// Only there: a registry, a prefix that ends in a slash, or a repository; may be repeated
        #[arg(long, value_name = "SCOPE", requires = "may")]
        scope: Vec<Scope>,
        /// Only that, of pull, push, sign and delete
        #[arg(long, value_name = "ACTIONS", value_delimiter = ',', requires = "scope")]
        may: Vec<Action>,
        #[command(flatten)]
        lifetime: Lifetime,
        #[command(flatten)]
        store: StoreArg,
    },
    /// List tokens, without what only their holders have
    List {
        #[command(flatten)]
        store: StoreArg,
    },
    /// Make a token worth nothing, at once and for good
    Revoke {
        /// Its name or id
        token: String,
        #[command(flatten)]
        store: StoreArg,
    },
}

/// What a token may.
#[derive(Clone, Copy, Debug, Eq, PartialEq, clap::ValueEnum)]
pub(crate) enum Action {
    /// Read trust metadata and resolve tags; pull images
    Pull,
    /// Push images
    Push,
    /// Publish trust metadata and rotate its keys
    Sign,
    /// Delete trust data
    Delete,
}

impl Action {
    /// The permissions that it stands for.
    pub(crate) fn permissions(self) -> BTreeSet<Permission> {
        BTreeSet::from_iter(match self {
            Self::Pull => vec![Permission::Pull],
            Self::Push => vec![Permission::Push],
            Self::Sign => vec![Permission::Sign, Permission::TrustedCollections],
            Self::Delete => vec![Permission::Delete],
        })
    }
}
