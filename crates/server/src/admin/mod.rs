//! What an operator asks of a store that a server has open, through a socket in the store's folder.
