//! Accepting payments: idempotency, limits, and the group commit.
//!
//! One writer drains whatever waits into one transaction and answers each caller after its commit,
//! so concurrent requests share an fsync and nobody lingers for company. In the transaction the
//! limits' row is locked first; then keys that were used before are looked up, then the limits are
//! reserved one request after the other in the order of arrival.
//!
//! On failure nothing of the batch was written, unless the commit's answer was lost; running the
//! batch again settles that too, because a payment that is there under the id it was given is the
//! one that was asked for.

use super::db::{CONTENTION_RETRIES_MAX, Columns, Kind, Tx, pause_before_retry};
use super::error::{Conflict, StoreError};
use super::limits::{self, LimitState};
use super::{Store, events, payments};
use crate::supervise::Supervisor;
use std::collections::HashMap;
use tokio::sync::{mpsc, oneshot};
use xrpayd_core::ids::{PaymentId, UnixMs};
use xrpayd_core::limits::{Breach, Caps, reserve};
use xrpayd_core::payment::{Order, Payment, State};

/// How many requests may wait for the writer: a second's worth of what a small machine writes.
const QUEUE_MAX: usize = 16_384;
/// How many requests share a transaction: past this a longer batch gains nothing and its first
/// request waits for its last.
const BATCH_MAX: usize = 512;

/// A payment that a client asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewPayment {
    /// The id it gets if it is new.
    pub id: PaymentId,
    /// The API client that asks.
    pub client: String,
    /// The wallet that is to pay.
    pub wallet: String,
    /// What is asked, with the idempotency key.
    pub order: Order,
    /// A hash over everything the client sent: another one under the same key is another request.
    pub fingerprint: [u8; 32],
    /// The rollout stage in force.
    pub stage: String,
    /// The limits in force.
    pub caps: Caps,
    /// The time of acceptance.
    pub now: UnixMs,
}

/// What became of the request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AcceptOutcome {
    /// It is new and durable.
    Created(Payment),
    /// The same request was made before; the payment as it now stands.
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
}

/// A request that waits for the writer.
#[derive(Debug)]
struct Waiting {
    new: NewPayment,
    answer: oneshot::Sender<Result<AcceptOutcome, StoreError>>,
}

/// The way to the writer.
pub(super) type Queue = mpsc::Sender<WaitingRequest>;
/// A request that waits for the writer.
#[derive(Debug)]
pub(super) struct WaitingRequest(Waiting);

impl Store {
    /// Starts the one task that writes accepts. Without it each accept is a transaction of its own.
    /// The task ends, after what is waiting, when the supervisor is cancelled.
    pub fn start_accept_writer(&self, supervisor: &Supervisor) {
        let (queue, requests) = mpsc::channel(QUEUE_MAX);
        if self.inner.writer.set(queue).is_err() {
            return;
        }
        let (store, cancelled) = (self.clone(), supervisor.token());
        supervisor.spawn_must_finish("accept-writer", async move {
            let mut requests = requests;
            let mut batch = Vec::with_capacity(BATCH_MAX);
            loop {
                tokio::select! {
                    biased;
                    () = cancelled.cancelled(), if !requests.is_closed() => requests.close(),
                    received = requests.recv_many(&mut batch, BATCH_MAX) => {
                        if received == 0 {
                            break;
                        }
                        store.write_batch(std::mem::take(&mut batch)).await;
                    }
                }
            }
        });
    }

    /// Accepts a payment, or says why not; answered only after the commit.
    ///
    /// # Errors
    /// Nothing was accepted, unless [`StoreError::effect_unknown`]: then the same request under the
    /// same key tells.
    pub async fn accept(&self, new: NewPayment) -> Result<AcceptOutcome, StoreError> {
        refuse_nul(&new)?;
        let Some(queue) = self.inner.writer.get() else {
            let outcome = self.accept_batch(std::slice::from_ref(&new)).await?.pop();
            return outcome.unwrap_or(Err(StoreError::Closed));
        };
        let (answer, answered) = oneshot::channel();
        queue
            .try_send(WaitingRequest(Waiting { new, answer }))
            .map_err(|refused| match refused {
                mpsc::error::TrySendError::Full(_) => StoreError::Overloaded,
                mpsc::error::TrySendError::Closed(_) => StoreError::Closed,
            })?;
        answered.await.unwrap_or(Err(StoreError::Closed))
    }

    async fn write_batch(&self, batch: Vec<WaitingRequest>) {
        let (news, answers): (Vec<_>, Vec<_>) = batch
            .into_iter()
            .map(|WaitingRequest(Waiting { new, answer })| (new, answer))
            .unzip();
        let outcomes = match self.accept_batch(&news).await {
            Ok(outcomes) => outcomes,
            Err(error) if error.retryable() || news.len() == 1 => {
                news.iter().map(|_| Err(error.clone())).collect()
            }
            // One request that the database cannot take must not take the others down with it.
            Err(_) => {
                let mut outcomes = Vec::with_capacity(news.len());
                for new in &news {
                    outcomes.push(match self.accept_batch(std::slice::from_ref(new)).await {
                        Ok(mut one) => one.pop().unwrap_or(Err(StoreError::Closed)),
                        Err(error) => Err(error),
                    });
                }
                outcomes
            }
        };
        for (answer, outcome) in answers.into_iter().zip(outcomes) {
            // A caller that has gone away finds its payment under its key.
            let _gone = answer.send(outcome);
        }
    }

    /// One outcome a request, in their order.
    async fn accept_batch(
        &self,
        news: &[NewPayment],
    ) -> Result<Vec<Result<AcceptOutcome, StoreError>>, StoreError> {
        let mut tries = 0;
        let mut outcomes = loop {
            match self.accept_once(news).await {
                Err(error) if tries < CONTENTION_RETRIES_MAX && worth_another_try(&error) => {
                    tries += 1;
                    pause_before_retry(tries).await;
                }
                other => break other?,
            }
        };
        for (new, outcome) in news.iter().zip(&mut outcomes) {
            if let Ok(AcceptOutcome::Refused {
                breach: Breach::Daily { .. },
                resets_at,
            }) = outcome
            {
                *resets_at = self.resets_at(&new.caps, new.order.amount, new.now).await?;
            }
        }
        Ok(outcomes)
    }

    async fn accept_once(
        &self,
        news: &[NewPayment],
    ) -> Result<Vec<Result<AcceptOutcome, StoreError>>, StoreError> {
        let mut tx = self.db().write().await?;
        let stored = limits::lock(&mut tx).await?;
        let now = news.iter().map(|new| new.now).max().unwrap_or_default();
        let state = limits::advance(&mut tx, stored, now).await?;
        let known = known_keys(&mut tx, news).await?;
        let decided = decide_all(news, &known, state);
        if decided.created.is_empty() {
            tx.end().await?;
            return Ok(decided.outcomes);
        }
        let mut rows = Vec::with_capacity(decided.created.len());
        for (payment, fingerprint) in &decided.created {
            rows.push(payments::new_row(payment, *fingerprint)?);
        }
        tx.insert("payments", payments::NEW, rows, "").await?;
        events::insert(&mut tx, decided.created.iter().map(|(payment, _)| payment)).await?;
        limits::save(&mut tx, &decided.state).await?;
        tx.commit().await?;
        Ok(decided.outcomes)
    }
}

/// A batch can be run again where it certainly left nothing behind, or where running it again tells
/// what it left: payments that are there under the ids they were given.
const fn worth_another_try(error: &StoreError) -> bool {
    error.is_contention()
        || error.effect_unknown()
        || matches!(error, StoreError::Conflict(Conflict::IdempotencyKey))
}

fn refuse_nul(new: &NewPayment) -> Result<(), StoreError> {
    let order = &new.order;
    let texts = [
        ("client", new.client.as_str()),
        ("wallet", &new.wallet),
        ("stage", &new.stage),
        ("idempotency key", &order.idempotency_key),
        ("reference", order.reference.as_deref().unwrap_or_default()),
    ];
    match texts.iter().find(|(_, text)| text.contains('\0')) {
        Some((field, _)) => Err(StoreError::NulInText { field }),
        None => Ok(()),
    }
}

/// A payment that is there under the key of a request.
struct Known {
    payment: Payment,
    fingerprint: [u8; 32],
}

type Key<'a> = (&'a str, &'a str);

const KEYS: Columns = &[("client", Kind::Text), ("idempotency_key", Kind::Text)];

async fn known_keys<'a>(
    tx: &mut Tx,
    news: &'a [NewPayment],
) -> Result<HashMap<Key<'a>, Known>, StoreError> {
    let rows = news
        .iter()
        .map(|new| {
            vec![
                new.client.as_str().into(),
                new.order.idempotency_key.as_str().into(),
            ]
        })
        .collect();
    let found = tx
        .fetch_with(
            KEYS,
            rows,
            "select p.id, p.fingerprint from v join payments p \
             on p.client = v.client and p.idempotency_key = v.idempotency_key",
        )
        .await?;
    if found.is_empty() {
        return Ok(HashMap::new());
    }
    let mut fingerprints = HashMap::new();
    for row in &found {
        let id = row.text("id")?;
        let id: PaymentId = id
            .parse()
            .map_err(|error| StoreError::corrupt(format!("payment {id}"), format!("{error}")))?;
        fingerprints.insert(id, row.hash("fingerprint")?);
    }
    let ids: Vec<PaymentId> = fingerprints.keys().copied().collect();
    let mut by_key = HashMap::new();
    for payment in payments::by_ids(tx, &ids).await? {
        if let Some(fingerprint) = fingerprints.get(&payment.id) {
            let key = (
                payment.client.clone(),
                payment.order.idempotency_key.clone(),
            );
            by_key.insert(
                key,
                Known {
                    fingerprint: *fingerprint,
                    payment,
                },
            );
        }
    }
    let mut known = HashMap::new();
    for new in news {
        let owned = (new.client.clone(), new.order.idempotency_key.clone());
        if let Some(found) = by_key.remove(&owned) {
            known.insert(
                (new.client.as_str(), new.order.idempotency_key.as_str()),
                found,
            );
        }
    }
    Ok(known)
}

struct Decided {
    outcomes: Vec<Result<AcceptOutcome, StoreError>>,
    created: Vec<(Payment, [u8; 32])>,
    state: LimitState,
}

fn decide_all(news: &[NewPayment], known: &HashMap<Key<'_>, Known>, state: LimitState) -> Decided {
    let mut decided = Decided {
        outcomes: Vec::with_capacity(news.len()),
        created: Vec::new(),
        state,
    };
    let mut created_here: HashMap<Key<'_>, usize> = HashMap::new();
    for new in news {
        let key = (new.client.as_str(), new.order.idempotency_key.as_str());
        let earlier = created_here
            .get(&key)
            .and_then(|at| decided.created.get(*at));
        let outcome = if let Some(known) = known.get(&key) {
            Ok(repeated(new, &known.payment, known.fingerprint))
        } else if let Some((payment, fingerprint)) = earlier {
            Ok(match repeated(new, payment, *fingerprint) {
                // Two callers were given the same id: the second one asks for the same payment.
                AcceptOutcome::Created(payment) => AcceptOutcome::Replayed(payment),
                other => other,
            })
        } else if new.now <= decided.state.counted_through {
            Err(StoreError::ClockWentBack)
        } else {
            Ok(
                match reserve(&new.caps, decided.state.usage, new.order.amount) {
                    Ok(usage) => {
                        decided.state.usage = usage;
                        let payment = fresh(new);
                        created_here.insert(key, decided.created.len());
                        decided.created.push((payment.clone(), new.fingerprint));
                        AcceptOutcome::Created(payment)
                    }
                    Err(breach) => AcceptOutcome::Refused {
                        breach,
                        resets_at: None,
                    },
                },
            )
        };
        decided.outcomes.push(outcome);
    }
    decided
}

fn repeated(new: &NewPayment, payment: &Payment, fingerprint: [u8; 32]) -> AcceptOutcome {
    if fingerprint != new.fingerprint {
        AcceptOutcome::KeyReused
    } else if payment.id == new.id {
        // Only a batch whose commit was not answered leaves this behind.
        AcceptOutcome::Created(payment.clone())
    } else {
        AcceptOutcome::Replayed(payment.clone())
    }
}

fn fresh(new: &NewPayment) -> Payment {
    Payment {
        id: new.id,
        version: 1,
        client: new.client.clone(),
        wallet: new.wallet.clone(),
        order: new.order.clone(),
        stage: new.stage.clone(),
        state: State::Queued { hold: None },
        attempts: Vec::new(),
        created_at: new.now,
        updated_at: new.now,
    }
}
