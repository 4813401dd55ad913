//! What a person says about a payment that is not signed: calling it off, approving it, rejecting
//! it. One transaction, by the machine's own rules.
//!
//! The payment is read, decided on and written where it is still at the version that was read; a
//! lane that signs it at the same moment, or another person, makes one of the two start again.

use super::audit::{self, Actor, Audited};
use super::changes::{self, Hand};
use super::db::{Columns, Kind, Tx, Value};
use super::error::{CommitError, StoreError};
use super::hints::Hint;
use super::retry::Tries;
use super::{Store, events, payments};
use serde_json::json;
use xrpayd_core::amount::Amount;
use xrpayd_core::engine::Change;
use xrpayd_core::ids::{PaymentId, UnixMs};
use xrpayd_core::ledger::codes::{self, OnValidated};
use xrpayd_core::marker;
use xrpayd_core::payment::{Effect, Event, Illegal, Payment, decide};

/// Who says something about a payment.
#[derive(Debug, Clone, Copy)]
pub struct Person<'a> {
    /// The key that is used; it is told with the event.
    pub key: &'a str,
    /// The client that the key speaks for.
    pub of: &'a str,
    /// Whose payment it must be; none for anybody's.
    pub client: Option<&'a str>,
}

impl Person<'_> {
    /// The person, as the audit log names it.
    fn actor(&self) -> Actor {
        Actor::Key {
            id: self.key.to_owned(),
            client: self.of.to_owned(),
        }
    }
}

/// What is known of lives of the service that this database does not know, which may have paid.
#[derive(Debug, Clone, Copy)]
pub enum Past<'a> {
    /// Not every wallet's journal has been read as far as it has to be.
    Unread,
    /// It has been, of all wallets of the service; these are their names.
    Read(&'a [&'a str]),
}

/// What became of what a person said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RulingOutcome {
    /// It is done; the payment after it.
    Done(Payment),
    /// It was done before, by the same person; the payment as it now stands.
    AsBefore(Payment),
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
    /// Lets a person's `event` happen to a payment: a cancellation, an approval, a rejection. What would
    /// end it is not done while the ledger may hold it, by what is known of the `past`.
    ///
    /// # Errors
    /// Nothing was changed, unless [`StoreError::effect_unknown`].
    pub async fn rule(
        &self,
        id: PaymentId,
        by: Person<'_>,
        event: Event,
        past: Past<'_>,
        now: UnixMs,
    ) -> Result<RulingOutcome, StoreError> {
        let mut tries = Tries::default();
        loop {
            match self.rule_once(id, by, event.clone(), past, now).await {
                Ok(outcome) => return Ok(outcome),
                Err(CommitError::Store(error)) if !error.is_contention() => return Err(error),
                Err(error) if tries.another().await => {
                    tracing::debug!(payment.id = %id, %error, "a person's word is taken up again");
                }
                Err(CommitError::Store(error)) => return Err(error),
                Err(
                    CommitError::Stale(_)
                    | CommitError::CursorMoved
                    | CommitError::Overlooked
                    | CommitError::Paused
                    | CommitError::Halted,
                ) => {
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
        past: Past<'_>,
        now: UnixMs,
    ) -> Result<RulingOutcome, CommitError> {
        let mut tx = self.db().write().await?;
        let found = payments::by_id_locked(&mut tx, id).await?;
        // What is the house's, such as the return of a deposit, anybody may rule on who may rule at all.
        let is_theirs = |found: &Payment| {
            let of = |client| found.client == client || found.client == events::HOUSE;
            by.client.is_none_or(of)
        };
        let Some(payment) = found.filter(is_theirs) else {
            tx.end().await?;
            return Ok(RulingOutcome::NotFound);
        };
        let (action, reason) = told_as(&event);
        let decision = match decide(&payment, event, now) {
            Ok(Some(decision)) => decision,
            Ok(None) => {
                tx.end().await?;
                return Ok(RulingOutcome::AsBefore(payment));
            }
            Err(why) => {
                tx.end().await?;
                return Ok(RulingOutcome::Illegal { payment, why });
            }
        };
        // An approval ends nothing, and waits in the queue for what is still to be read.
        if decision.payment.status().is_final() && may_be_paid(&mut tx, &payment, past).await? {
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
        let news = changes::apply_changes(&mut tx, vec![change], Hand::Person(by.key)).await?;
        let ruled = Audited {
            at: now,
            actor: by.actor(),
            action,
            object: id.to_string(),
            data: json!({
                "client": payment.client,
                "amount": Amount::Xrp(payment.order.amount),
                "destination": payment.order.destination.to_string(),
                "status": {
                    "before": payment.status().as_str(),
                    "after": decision.payment.status().as_str(),
                },
                "version": { "before": payment.version, "after": decision.payment.version },
                "reason": reason,
            }),
        };
        audit::note(&mut tx, vec![ruled]).await?;
        events::tell(&mut tx, news).await?;
        tx.will_hint(Hint::Work(decision.payment.wallet.clone()));
        tx.commit().await?;
        Ok(RulingOutcome::Done(decision.payment))
    }
}

/// What the audit log calls a person's word, and the reason that was given with it.
fn told_as(event: &Event) -> (&'static str, Option<String>) {
    match event {
        Event::Approve(_) => ("payment.approved", None),
        Event::Reject { reason, .. } => ("payment.rejected", reason.clone()),
        Event::Cancel => ("payment.cancelled", None),
        // Nothing else is a person's to say.
        _ => ("payment.changed", None),
    }
}

/// Whether the ledger may hold a payment that this database never signed: something of some wallet's past
/// is still to be read, or what was read names the payment and its engine has not taken it up yet.
async fn may_be_paid(tx: &mut Tx, payment: &Payment, past: Past<'_>) -> Result<bool, StoreError> {
    let Past::Read(wallets) = past else {
        return Ok(true);
    };
    let named = wallets.iter().map(|wallet| {
        let marker = marker::of(wallet, &payment.client, &payment.order.idempotency_key);
        vec![(*wallet).into(), marker.0.into()]
    });
    let named: Vec<Vec<Value>> = named.collect();
    // A wallet that nobody has gone on with, since the database became another one, may have paid what
    // is not known here any more.
    let here = tx.lineage();
    let unread = format!(
        "select w.name from v join wallets w on w.name = v.wallet \
         left join leases l on l.wallet = w.name \
         where w.recall_to is not null or w.cursor_at < w.sign_from or l.lineage <> {here}"
    );
    let unread = tx.fetch_with(MARKED, named.clone(), &unread).await?;
    if !unread.is_empty() {
        return Ok(true);
    }
    let remembered = tx
        .fetch_with(
            MARKED,
            named,
            "select r.result from v join remembered r \
             on r.wallet = v.wallet and r.marker = v.marker",
        )
        .await?;
    for row in &remembered {
        // A wallet that was short of money has paid nothing.
        if codes::on_validated(&row.text("result")?) != OnValidated::OwnShortage {
            return Ok(true);
        }
    }
    Ok(false)
}

const MARKED: Columns = &[("wallet", Kind::Text), ("marker", Kind::Blob)];
