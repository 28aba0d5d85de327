//! Taking over metadata that lies in files.

pub(crate) mod folder;
