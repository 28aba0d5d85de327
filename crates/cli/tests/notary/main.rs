//! The `notary` command line of Notary 0.7.0, unmodified, against `tufstore serve`.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

#[path = "../serving/mod.rs"]
mod serving;
mod client;
mod delegations;
mod rescue;
mod rotation;
mod running;
mod tags;
mod tokens;
mod users;

const NAME: &str = "reg.example.com:5000/team/app.v1";
