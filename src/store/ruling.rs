//! What a person says about a payment that is not signed: calling it off, approving it, rejecting
//! it. One transaction, by the machine's own rules.
//!
//! The payment is read, decided on and written where it is still at the version that was read; a
//! lane that signs it at the same moment, or another person, makes one of the two start again.

use super::db::CONTENTION_RETRIES_MAX;
use super::db::Tx;
use super::db::pause_before_retry;
use super::error::{CommitError, StoreError};
use super::{Store, changes, payments};
use xrpayd_core::engine::Change;
use xrpayd_core::ids::{PaymentId, UnixMs};
use xrpayd_core::payment::{Effect, Event, Illegal, Payment, decide};

/// Who says something about a payment.
#[derive(Debug, Clone, Copy)]
pub struct Person<'a> {
    /// The key that is used; it is told with the event.
    pub key: &'a str,
    /// Whose payment it must be; none for anybody's.
    pub client: Option<&'a str>,
}

/// What became of what a person said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RulingOutcome {
    /// It is done; the payment after it.
    Done(Payment),
    /// The client has no such payment.
    NotFound,
    /// It is not known yet whether the ledger holds it already, from a life that this database does
    /// not know.
    NotKnownYet(Payment),
    /// It cannot be done to the payment as it stands.
    Illegal {
        /// The payment as it stands.
        payment: Payment,
        /// Why not.
        why: Illegal,
    },
}

impl Store {
    /// Lets a person's `event` happen to a payment: a cancellation, an approval, a rejection.
    ///
    /// # Errors
    /// Nothing was changed, unless [`StoreError::effect_unknown`].
    pub async fn rule(
        &self,
        id: PaymentId,
        by: Person<'_>,
        event: Event,
        now: UnixMs,
    ) -> Result<RulingOutcome, StoreError> {
        let mut tries = 0;
        loop {
            match self.rule_once(id, by, event.clone(), now).await {
                Ok(outcome) => return Ok(outcome),
                Err(CommitError::Store(error)) if !error.is_contention() => return Err(error),
                Err(error) if tries < CONTENTION_RETRIES_MAX => {
                    tracing::debug!(payment.id = %id, %error, "a person's word is taken up again");
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

    async fn rule_once(
        &self,
        id: PaymentId,
        by: Person<'_>,
        event: Event,
        now: UnixMs,
    ) -> Result<RulingOutcome, CommitError> {
        let mut tx = self.db().write().await?;
        let found = payments::by_id_locked(&mut tx, id).await?;
        let is_theirs = |found: &Payment| by.client.is_none_or(|client| found.client == client);
        let Some(payment) = found.filter(is_theirs) else {
            tx.end().await?;
            return Ok(RulingOutcome::NotFound);
        };
        let decision = match decide(&payment, event, now) {
            Ok(Some(decision)) => decision,
            Ok(None) => {
                tx.end().await?;
                return Ok(RulingOutcome::Done(payment));
            }
            Err(why) => {
                tx.end().await?;
                return Ok(RulingOutcome::Illegal { payment, why });
            }
        };
        // An approval ends nothing, and waits in the queue for what is still to be read.
        if decision.payment.status().is_final() && past_is_unknown(&mut tx, &payment.wallet).await?
        {
            tx.end().await?;
            return Ok(RulingOutcome::NotKnownYet(payment));
        }
        let settled = decision.effects.iter().find_map(|effect| match effect {
            Effect::Settle { delivered } => Some(*delivered),
            // Nothing is signed by a person's word, so there is nothing to send or stop.
            Effect::Submit(_) | Effect::HaltWallet { .. } => None,
        });
        let change = Change {
            before: payment.version,
            payment: decision.payment.clone(),
            new_blobs: Vec::new(),
            settled,
        };
        changes::apply_changes(&mut tx, vec![change], Some(by.key)).await?;
        tx.commit().await?;
        Ok(RulingOutcome::Done(decision.payment))
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
