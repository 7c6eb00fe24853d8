//! A connection that reads for everybody in turn, and is had again where it was lost.

use std::sync::{Arc, Mutex};

use crate::engine::{Engine, Fault, Session};
use crate::error::StoreError;

pub(crate) struct Reader {
    engine: Arc<dyn Engine>,
    session: Mutex<Box<dyn Session>>,
}

impl Reader {
    pub(crate) fn over(engine: Arc<dyn Engine>, session: Box<dyn Session>) -> Reader {
        Reader { engine, session: Mutex::new(session) }
    }

    /// Does what may be done twice. Nobody waits for a database that is away: whoever looks wants to
    /// know that.
    pub(crate) fn look<T>(
        &self,
        mut read: impl FnMut(&mut dyn Session) -> Result<T, Fault>,
    ) -> Result<T, StoreError> {
        let mut session = self.session.lock().expect("nobody panics while reading");
        let mut found = read(&mut **session);
        if found.is_err() && session.is_lost() {
            *session = self.engine.reader()?;
            found = read(&mut **session);
        }
        found.map_err(|fault| self.engine.error(fault))
    }
}
