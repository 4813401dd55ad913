//! Whether a pooler deals out the server's connections by the transaction.
//!
//! Behind one that does, a prepared statement belongs to a connection of the server, and the next
//! transaction may be on another, where the same name is somebody else's statement: what runs then is
//! that one. So such a pooler is named in the configuration, and one that is not named is looked for.

use crate::store::error::StoreError;
use sqlx::postgres::{PgConnection, PgPool};
use sqlx::{Connection as _, Executor as _, Row as _};

/// Poolers hand out first what came back last, so one look nearly always finds them; somebody else's
/// work may come in between.
const LOOKS: u32 = 3;

/// Refuses a pooler that was not named.
pub(super) async fn refuse_unnamed(pool: &PgPool) -> Result<(), StoreError> {
    if is_shared(pool).await? {
        let why = "leads to a pooler that deals out connections by the transaction: set \
                   store.pooler = \"transaction\"";
        return Err(StoreError::Config(why.to_owned()));
    }
    Ok(())
}

/// Whether two connections of ours, both open, reach one and the same connection of the server.
async fn is_shared(pool: &PgPool) -> Result<bool, StoreError> {
    for _ in 0..LOOKS {
        let mut one = pool.acquire().await?;
        let mut other = pool.acquire().await?;
        let first = backend(&mut one).await?;
        // A role's own time limits do not reach into this either.
        let begin = "begin read only; set local idle_in_transaction_session_timeout = '30s'";
        let mut held = other.begin_with(begin).await?;
        let second = backend(&mut held).await?;
        held.rollback().await?;
        if first == second {
            return Ok(true);
        }
    }
    Ok(false)
}

async fn backend(connection: &mut PgConnection) -> Result<i32, StoreError> {
    let row = connection.fetch_one("select pg_backend_pid()").await?;
    Ok(row.try_get(0)?)
}
