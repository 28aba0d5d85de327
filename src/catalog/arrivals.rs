use std::time::Duration;

use parking_lot::{Condvar, Mutex};

use crate::terms::Position;

/// The newest visible position, for those who wait for more.
#[derive(Debug)]
pub(crate) struct Arrivals {
    newest: Mutex<Position>,
    more: Condvar,
}

impl Arrivals {
    pub(crate) fn new(newest: Position) -> Self {
        Self { newest: Mutex::new(newest), more: Condvar::new() }
    }

    /// Everything up to it is visible.
    pub(crate) fn newest(&self) -> Position {
        *self.newest.lock()
    }

    /// Wakes whoever waits.
    pub(crate) fn announce(&self, position: Position) {
        *self.newest.lock() = position;
        self.more.notify_all();
    }

    /// Returns whether anything after `position` is visible, waiting at most so long for it.
    pub(crate) fn wait(&self, after: Position, at_most: Duration) -> bool {
        let mut newest = self.newest.lock();
        self.more.wait_while_for(&mut newest, |newest| *newest <= after, at_most);
        *newest > after
    }
}
