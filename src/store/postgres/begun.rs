//! The beginning of a transaction, which comes to its end whoever waits for it.
//!
//! A caller may stop waiting at any moment: a client hangs up, a time-out fires. The driver does not count a
//! transaction whose beginning was given up, and so rolls nothing back: the connection would go to the next
//! caller in the middle of it, who would then go on in a transaction that may only read, or would be thrown
//! out for having been idle in it.

use super::trust::{Trust, silence};
use sqlx::pool::PoolConnection;
use sqlx::{AssertSqlSafe, Postgres, SqlSafeStr as _, Transaction};
use std::sync::Arc;
use tokio::time::Instant;

/// Begins a transaction by the statement `how`. A connection that gives no answer until `end` is not trusted
/// any more from before it is given back, so that nothing is asked over it again.
pub(super) async fn begun(
    connection: PoolConnection<Postgres>,
    how: &str,
    end: Instant,
    trust: &Arc<Trust>,
) -> Result<Transaction<'static, Postgres>, sqlx::Error> {
    let begin = AssertSqlSafe(how.to_owned()).into_sql_str();
    let trust = Arc::clone(trust);
    #[expect(
        clippy::disallowed_methods,
        reason = "it has an end of its own, and somebody waits for it or nobody has to"
    )]
    let beginning = tokio::spawn(async move {
        let begun = Transaction::begin(connection, Some(begin));
        tokio::pin!(begun);
        let in_time = tokio::time::timeout_at(end, &mut begun).await;
        in_time.unwrap_or_else(|_| {
            trust.lose();
            Err(silence())
        })
    });
    // What nobody waits for any more is rolled back when it is dropped.
    beginning.await.unwrap_or(Err(sqlx::Error::WorkerCrashed))
}
