//! Looks at the database's other servers while everything works, so that a daemon which hangs on an old
//! primary that nobody has taken away leaves it long before anybody signs on the new one.
//!
//! Owns nothing: the store goes where it has to, and keeps what is to be told. On failure the next look
//! finds out; what the daemon works on is noticed to be gone without this.

use crate::store::Store;
use std::time::Duration;

/// How often all are asked. Whoever signs on a server that was promoted has waited for many ledgers first,
/// and this is one or two of them.
const PERIOD: Duration = Duration::from_secs(5);

/// Looks for ever.
pub(super) async fn keep(store: Store) {
    loop {
        tokio::time::sleep(PERIOD).await;
        if let Err(error) = store.survey_primaries().await {
            tracing::debug!(%error, "no primary is to be found");
        }
    }
}
