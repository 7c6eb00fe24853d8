//! The connections that read, lent to whoever looks: one heavy view does not hold up the others.

use std::ops::Deref;
use std::sync::{Condvar, Mutex, MutexGuard};

use rusqlite::Connection;

/// Views at the same time; who comes beyond them waits for one to end. Each connection has open files and up to 2 MB.
pub(crate) const READERS_MAX: usize = 4;

/// Those that are free.
pub(crate) struct Readers {
    free: Mutex<Vec<Connection>>,
    came_back: Condvar,
}

impl Readers {
    pub(crate) fn of(connections: Vec<Connection>) -> Readers {
        Readers { free: Mutex::new(connections), came_back: Condvar::new() }
    }

    /// Lends one. Nobody takes a second one while having one: all might wait for each other.
    pub(crate) fn lend(&self) -> Reader<'_> {
        let mut free = self.free();
        loop {
            if let Some(connection) = free.pop() {
                return Reader { connection: Some(connection), of: self };
            }
            free = self.came_back.wait(free).expect("nobody panics while taking one");
        }
    }

    fn free(&self) -> MutexGuard<'_, Vec<Connection>> {
        self.free.lock().expect("nobody panics while taking one")
    }
}

/// One that is lent; it goes back at its end.
pub(crate) struct Reader<'r> {
    /// None while it goes back.
    connection: Option<Connection>,
    of: &'r Readers,
}

impl Deref for Reader<'_> {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        self.connection.as_ref().expect("it is there until it goes back")
    }
}

impl Drop for Reader<'_> {
    fn drop(&mut self) {
        self.of.free().extend(self.connection.take());
        self.of.came_back.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_comes_beyond_them_waits_for_one_to_come_back() {
        let all = (0..2).map(|_| Connection::open_in_memory().unwrap()).collect();
        let readers = Readers::of(all);
        let (one, other) = (readers.lend(), readers.lend());
        assert!(readers.free().is_empty());
        std::thread::scope(|scope| {
            let third = scope.spawn(|| {
                readers.lend().query_row("SELECT 1", [], |row| row.get::<_, i64>(0)).unwrap()
            });
            drop(one);
            assert_eq!(third.join().unwrap(), 1);
        });
        drop(other);
        // One that ends in a panic comes back, too.
        let ends_badly = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let _reader = readers.lend();
            panic!("as a fault of ours would");
        }));
        assert!(ends_badly.is_err());
        assert_eq!(readers.free().len(), 2);
    }
}
