//! Author.
