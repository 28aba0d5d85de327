//! Playing a trace through signing, verification and durable commit, and checking the store against it afterwards.
//! `quickstart` and `replay` share it, and `stress` its
//! authors.

mod authors;
mod check;
mod keys;
mod plan;
mod player;

pub(crate) use authors::Authors;
pub(crate) use check::{Checked, check};
pub(crate) use keys::KeysFolder;
pub(crate) use plan::{Plan, Planned};
pub(crate) use player::Player;
