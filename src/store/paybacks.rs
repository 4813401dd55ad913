//! Payments that give back what came in: returns of deposits and refunds of invoices.
//!
//! [`Store::pay_back`] is one transaction: what is given back is locked and claimed, the payment is
//! accepted by the limits of every payment, and both are committed together. So a deposit is never
//! returned twice, and the refunds of an invoice never exceed what it received, whoever asks at once
//! and wherever the process is killed. A payment's end settles its claim in the transaction of that end:
//! what was delivered stays taken, and what was not is free again.
//!
//! On failure nothing was written, unless the commit's answer was lost; asked again, the claim tells.

mod bounce;
mod claim;
mod rows;
mod settle;

pub use bounce::Bounce;
pub(super) use rows::of_invoice;
pub use rows::{PaybackRow, PaybackState};
pub(super) use settle::settle;

use super::accept::{Keys, NewPayment, refuse_nul};
use super::audit::{self, Actor, Audited};
use super::db::Tx;
use super::deposits::{self, Returned};
use super::error::{Conflict, StoreError};
use super::pauses::Pause;
use super::verdicts::Verdict;
use super::{Store, events, invoices, retry};
use claim::{Claim, Granted};
use serde_json::json;
use xrpayd_core::amount::Amount;
use xrpayd_core::ids::{DepositId, InvoiceId, PaymentId, UnixMs};
use xrpayd_core::limits::Breach;
use xrpayd_core::money::Drops;
use xrpayd_core::payment::{Payback, Payment};

/// What is given back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject {
    /// A deposit that belongs to nothing.
    Deposit(DepositId),
    /// What an invoice received; the deposit whose payer is paid, where it is one's.
    Invoice(InvoiceId, Option<DepositId>),
}

/// A payment that is to give something back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewPayback {
    /// The payment; its key and what it gives back are filled in here.
    pub new: NewPayment,
    /// What is given back.
    pub subject: Subject,
    /// Why, in a person's words.
    pub reason: Option<String>,
    /// The client that asks.
    pub asked_client: String,
    /// Its key for this request, where it gave one.
    pub asked_key: Option<String>,
    /// Whether the journals have been read as far as a lost database may have signed.
    pub past_is_read: bool,
}

/// Why nothing is given back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blocked {
    /// There is no such deposit or invoice.
    NotFound,
    /// The deposit belongs to an invoice.
    Matched(InvoiceId),
    /// The deposit is returned, or about to be, by this payment and with another amount.
    Returned(PaymentId),
    /// It was tried, or refunded, too often.
    TooMany,
    /// It is not known yet what the ledger holds of it already.
    NotKnownYet,
    /// The invoice has less left than is asked for.
    Left(Drops),
}

/// What became of the request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PaybackOutcome {
    /// It is new and durable.
    Created(Payment),
    /// The same was asked for before; the payment as it now stands.
    Replayed(Payment),
    /// Another request was made under the same key.
    KeyReused,
    /// A limit stands in the way; nothing was written.
    Refused {
        /// The limit.
        breach: Breach,
        /// When the amount will fit, where waiting helps and that is known.
        resets_at: Option<UnixMs>,
    },
    /// Something that it needs is paused; nothing was written.
    Paused(Pause),
    /// Another stage is in force than the one whose limits it brought; nothing was written.
    StageChanged {
        /// The stage in force.
        stage: String,
    },
    /// What is to be given back stands in the way; nothing was written.
    Blocked(Blocked),
}

/// What one transaction came to.
enum Step {
    Created(Box<Payment>),
    Known(PaymentId),
    KeyReused,
    Refused(Breach),
    Paused(Pause),
    StageChanged(String),
    Blocked(Blocked),
}

impl Store {
    /// Accepts a payment that gives something back, or says why not.
    ///
    /// # Errors
    /// Nothing was accepted, unless [`StoreError::effect_unknown`]: then the same request tells.
    pub async fn pay_back(&self, new: &NewPayback) -> Result<PaybackOutcome, StoreError> {
        refuse_nul(&new.new)?;
        let step = retry::again_if(worth_another_try, || self.pay_back_once(new)).await?;
        Ok(match step {
            Step::Created(payment) => PaybackOutcome::Created(*payment),
            Step::Known(id) => PaybackOutcome::Replayed(self.known_payment(id).await?),
            Step::KeyReused => PaybackOutcome::KeyReused,
            Step::Blocked(why) => PaybackOutcome::Blocked(why),
            Step::Paused(pause) => PaybackOutcome::Paused(pause),
            Step::StageChanged(stage) => PaybackOutcome::StageChanged { stage },
            Step::Refused(breach) => {
                let resets_at = self.resets_of(&new.new, breach).await?;
                PaybackOutcome::Refused { breach, resets_at }
            }
        })
    }

    /// What the same request made before, under the key that it gave.
    ///
    /// # Errors
    /// The database does not answer, or holds a payment that cannot be read.
    pub async fn paid_back_under(
        &self,
        client: &str,
        key: &str,
        fingerprint: [u8; 32],
    ) -> Result<Option<PaybackOutcome>, StoreError> {
        let mut tx = self.db().read().await?;
        let found = rows::under_key(&mut tx, client, Some(key), fingerprint).await?;
        tx.end().await?;
        Ok(match found {
            None => None,
            Some(Claim::Known(id)) => Some(PaybackOutcome::Replayed(self.known_payment(id).await?)),
            Some(Claim::KeyReused | Claim::Blocked(_) | Claim::Granted(_)) => {
                Some(PaybackOutcome::KeyReused)
            }
        })
    }

    async fn known_payment(&self, id: PaymentId) -> Result<Payment, StoreError> {
        let missing = || StoreError::corrupt(format!("payment {id}"), "it was made and is missing");
        self.payment(id).await?.ok_or_else(missing)
    }

    async fn pay_back_once(&self, new: &NewPayback) -> Result<Step, StoreError> {
        let mut tx = self.db().write().await?;
        let granted = match claim::claim(&mut tx, new).await? {
            Claim::Granted(granted) => granted,
            refused => {
                tx.end().await?;
                return Ok(match refused {
                    Claim::Known(id) => Step::Known(id),
                    Claim::Blocked(why) => Step::Blocked(why),
                    Claim::KeyReused | Claim::Granted(_) => Step::KeyReused,
                });
            }
        };
        let payback = granted.payback();
        let mut asked = new.new.clone();
        asked.order.idempotency_key = payback.key();
        asked.order.payback = Some(payback);
        let asked = std::slice::from_ref(&asked);
        let mut accepted = self.accept_in(&mut tx, asked, Keys::LookUp).await?;
        let payment = match accepted.verdicts.pop() {
            Some(Verdict::Created(payment)) => payment,
            Some(Verdict::Refused(breach)) => {
                tx.end().await?;
                return Ok(Step::Refused(breach));
            }
            Some(Verdict::Paused(pause)) => {
                tx.end().await?;
                return Ok(Step::Paused(pause));
            }
            Some(Verdict::StageChanged(stage)) => {
                tx.end().await?;
                return Ok(Step::StageChanged(stage));
            }
            // The number is new, and nobody else can make a payment under such a key.
            Some(Verdict::CreatedBesides(_) | Verdict::Known(_) | Verdict::KeyReused) | None => {
                let why = "a payment stands under the key of a payback that is new";
                return Err(StoreError::corrupt(payback.key(), why));
            }
        };
        rows::insert(&mut tx, new, payback, &payment).await?;
        take(&mut tx, granted, &payment).await?;
        audit::note(&mut tx, vec![asked_for(new, &payment)]).await?;
        events::tell(&mut tx, accepted.told).await?;
        tx.commit().await?;
        Ok(Step::Created(Box::new(payment)))
    }
}

/// What the audit log is told of a person who gives something back.
fn asked_for(new: &NewPayback, payment: &Payment) -> Audited {
    let (action, object, deposit) = match new.subject {
        Subject::Deposit(deposit) => ("deposit.return_requested", deposit.to_string(), None),
        Subject::Invoice(invoice, deposit) => {
            ("invoice.refund_requested", invoice.to_string(), deposit)
        }
    };
    Audited {
        at: new.new.now,
        actor: Actor::Key {
            id: new.new.asked_by.clone(),
            client: new.asked_client.clone(),
        },
        action,
        object,
        data: json!({
            "payment_id": payment.id.to_string(),
            "deposit_id": deposit.map(|deposit| deposit.to_string()),
            "client": payment.client,
            "amount": Amount::Xrp(payment.order.amount),
            "destination": payment.order.destination.to_string(),
            "status": payment.status().as_str(),
            "reason": new.reason,
        }),
    }
}

/// Notes at what is given back that a payment is about to.
async fn take(tx: &mut Tx, granted: Granted, payment: &Payment) -> Result<(), StoreError> {
    match granted {
        Granted::Return { mut deposit, .. } => {
            let before = deposit.version;
            deposit.version = before.saturating_add(1);
            deposit.returned = Some(Returned {
                payment: payment.id,
                state: PaybackState::Pending,
                drops: payment.order.amount,
            });
            deposits::update(tx, before, &deposit).await
        }
        Granted::Refund { invoice, .. } => invoices::touch(tx, invoice, payment.created_at).await,
    }
}

/// Running it again tells what it left: the claim is there, or it is not.
const fn worth_another_try(error: &StoreError) -> bool {
    error.is_contention()
        || error.effect_unknown()
        || matches!(error, StoreError::Conflict(Conflict::IdempotencyKey))
}

impl Granted {
    const fn payback(&self) -> Payback {
        match self {
            Self::Return { payback, .. } | Self::Refund { payback, .. } => *payback,
        }
    }
}
