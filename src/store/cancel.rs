//! Calling a payment off, in one transaction, by the machine's own rules.
//!
//! The payment is read, decided on and written where it is still at the version that was read; a
//! lane that signs it at the same moment makes one of the two start again.

use super::db::{CONTENTION_RETRIES_MAX, Tx, pause_before_retry};
use super::error::{CommitError, StoreError};
use super::lane::Change;
use super::{Store, changes, payments};
use xrpayd_core::ids::{PaymentId, UnixMs};
use xrpayd_core::money::Drops;
use xrpayd_core::payment::{Event, Illegal, Payment, decide};

/// What became of the wish to call a payment off.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CancelOutcome {
    /// It is cancelled.
    Cancelled(Payment),
    /// The client has no such payment.
    NotFound,
    /// It cannot be called off as it stands.
    Illegal {
        /// The payment as it stands.
        payment: Payment,
        /// Why not.
        why: Illegal,
    },
    /// Whether the ledger holds it already is still being found out.
    NotKnownYet(Payment),
}

impl Store {
    /// Calls a payment off while nothing is signed for it. `client` limits whose it may be.
    ///
    /// # Errors
    /// Nothing was changed, unless [`StoreError::effect_unknown`].
    pub async fn cancel(
        &self,
        id: PaymentId,
        client: Option<&str>,
        now: UnixMs,
    ) -> Result<CancelOutcome, StoreError> {
        let mut tries = 0;
        loop {
            match self.cancel_once(id, client, now).await {
                Ok(outcome) => return Ok(outcome),
                Err(CommitError::Store(error)) if !error.is_contention() => return Err(error),
                Err(error) if tries < CONTENTION_RETRIES_MAX => {
                    tracing::debug!(payment.id = %id, %error, "a cancellation starts again");
                    tries += 1;
                    pause_before_retry(tries).await;
                }
                Err(CommitError::Store(error)) => return Err(error),
                Err(CommitError::Stale(_) | CommitError::CursorMoved) => {
                    return Err(StoreError::Overloaded);
                }
            }
        }
    }

    async fn cancel_once(
        &self,
        id: PaymentId,
        client: Option<&str>,
        now: UnixMs,
    ) -> Result<CancelOutcome, CommitError> {
        let mut tx = self.db().write().await?;
        let found = payments::by_id_locked(&mut tx, id).await?;
        let Some(payment) =
            found.filter(|found| client.is_none_or(|client| found.client == client))
        else {
            tx.end().await?;
            return Ok(CancelOutcome::NotFound);
        };
        let after = match decide(&payment, Event::Cancel, now) {
            Ok(Some(decision)) => decision.payment,
            Ok(None) => {
                tx.end().await?;
                return Ok(CancelOutcome::Cancelled(payment));
            }
            Err(why) => {
                tx.end().await?;
                return Ok(CancelOutcome::Illegal { payment, why });
            }
        };
        if past_is_unknown(&mut tx, &payment.wallet).await? {
            tx.end().await?;
            return Ok(CancelOutcome::NotKnownYet(payment));
        }
        let change = Change {
            before: payment.version,
            payment: after.clone(),
            new_blobs: Vec::new(),
            settled: Some(Drops::ZERO),
        };
        changes::apply_changes(&mut tx, vec![change]).await?;
        tx.commit().await?;
        Ok(CancelOutcome::Cancelled(after))
    }
}

/// Whether the wallet's engine still reads what an earlier life may have paid: a payment that the
/// ledger holds must not be called off.
async fn past_is_unknown(tx: &mut Tx, wallet: &str) -> Result<bool, StoreError> {
    let unread = tx
        .fetch_optional(
            "select 1 as unread from wallets where name = $1 \
             and (recall_to is not null or cursor_at < sign_from)",
            vec![wallet.into()],
        )
        .await?;
    Ok(unread.is_some())
}
