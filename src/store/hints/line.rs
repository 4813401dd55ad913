//! The line on which this process hears the others: a connection that does nothing but listen.
//!
//! Owns that connection. It is one of its own, beside the pool, so that no transaction is ever kept from
//! its place by it. On failure it is gone: whoever listened opens another, and what was said meanwhile
//! is lost. Behind a pooler that deals out connections by the transaction it may be quiet without an
//! error, so who listens asks to hear himself.

use super::{CHANNEL, message};
use crate::store::db::Dialect;
use crate::store::{Store, StoreError};
use sqlx::postgres::{PgListener, PgPoolOptions};
use std::time::Duration;

/// A line that is not up after so long is given up.
const OPEN_MAX: Duration = Duration::from_secs(10);

/// What was heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Heard {
    /// This process itself.
    Self_,
    /// Another one, whose hints have been passed on.
    Another,
    /// Something that this program cannot read, or in part.
    Unreadable,
}

/// An open line.
pub struct Line {
    store: Store,
    own_name: String,
    listener: PgListener,
}

impl std::fmt::Debug for Line {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Line").finish_non_exhaustive()
    }
}

impl Store {
    /// Opens a line for the process of this name; `None` where no other process can share the
    /// database, or none can be heard.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn listen(&self, own_name: &str) -> Result<Option<Line>, StoreError> {
        let Dialect::Postgres(postgres) = self.db().dialect() else {
            return Ok(None);
        };
        let Some(options) = postgres.listen_options() else {
            return Ok(None);
        };
        let opening = async {
            let pool = PgPoolOptions::new()
                .max_connections(1)
                .max_lifetime(None)
                .idle_timeout(None)
                .connect_with(options)
                .await?;
            let mut listener = PgListener::connect_with(&pool).await?;
            listener.listen(CHANNEL).await?;
            Ok::<_, sqlx::Error>(listener)
        };
        let opened = tokio::time::timeout(OPEN_MAX, opening).await;
        let listener = opened.unwrap_or(Err(sqlx::Error::PoolTimedOut))?;
        Ok(Some(Line {
            store: self.clone(),
            own_name: own_name.to_owned(),
            listener,
        }))
    }
}

impl Line {
    /// Waits for the next message and passes its hints on. May be dropped while it waits.
    ///
    /// # Errors
    /// The line is gone.
    pub async fn hear(&mut self) -> Result<Heard, StoreError> {
        let Some(told) = self.listener.try_recv().await? else {
            let cut = std::io::Error::from(std::io::ErrorKind::ConnectionAborted);
            return Err(sqlx::Error::Io(cut).into());
        };
        let Some(read) = message::read(told.payload()) else {
            return Ok(Heard::Unreadable);
        };
        if read.from == self.own_name {
            return Ok(Heard::Self_);
        }
        for hint in read.hints {
            self.store.db().hints().hear(hint);
        }
        Ok(match read.unknown {
            0 => Heard::Another,
            _ => Heard::Unreadable,
        })
    }
}
