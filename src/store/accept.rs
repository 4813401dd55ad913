//! Accepting payments: idempotency, limits, and the group commit.
//!
//! One writer drains whatever waits into one transaction and answers each caller after its commit,
//! so concurrent requests share an fsync and nobody lingers for company. In the transaction the
//! limits' row is locked first; then the limits are reserved one request after the other in the
//! order of arrival. Keys are presumed to be new, since nearly all are, and the unique key tells
//! where one is not; they are looked up first where somebody would be refused, so that a repeated
//! request finds its payment however full the day is, and while requests are being repeated.
//!
//! On failure nothing of the batch was written, unless the commit's answer was lost; running the
//! batch again settles that too, because a payment that is there under the id it was given is the
//! one that was asked for.

use super::db::Tx;
use super::error::{Conflict, StoreError};
use super::events::News;
use super::hints::Hint;
use super::limits::{Forgotten, Scopes, Wanted};
use super::pauses::{self, Pause};
use super::retry::Tries;
use super::verdicts::{Decided, Guess, Verdict, decide_all, known_keys};
use super::{Store, events, limits, payment_news, payments, rollout};
use crate::supervise::Supervisor;
use std::collections::HashMap;
use std::sync::atomic::Ordering::Relaxed;
use tokio::sync::{mpsc, oneshot};
use xrpayd_core::ids::{PaymentId, UnixMs};
use xrpayd_core::limits::{Breach, Caps, Scope, ScopeCaps, ScopedCaps, WINDOW_MS};
use xrpayd_core::payment::{ApprovalRule, Order, Payment};

/// How many requests may wait for the writer: a second's worth of what a small machine writes.
const QUEUE_MAX: usize = 16_384;
/// How many requests share a transaction: past this a longer batch gains nothing and its first
/// request waits for its last.
const BATCH_MAX: usize = 512;

/// How far the window may lag behind while everything fits: what is about to leave it then still
/// counts, which refuses nobody, for before a refusal the window is brought up to the moment.
const WINDOW_LAG_MS: i64 = 1_000;

/// A payment that a client asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewPayment {
    /// The id it gets if it is new.
    pub id: PaymentId,
    /// The API client that asks.
    pub client: String,
    /// The key with which it asks.
    pub asked_by: String,
    /// The wallet that is to pay.
    pub wallet: String,
    /// What is asked, with the idempotency key.
    pub order: Order,
    /// A hash over everything the client sent: another one under the same key is another request.
    pub fingerprint: [u8; 32],
    /// The rollout stage whose limits these are.
    pub stage: String,
    /// By which of the replicas' words its limits were found.
    pub words: u32,
    /// The limits in force.
    pub caps: Caps,
    /// The limits in force of the client and of the destination.
    pub scoped: ScopedCaps,
    /// Which payments wait for a second person's word.
    pub approval: Option<ApprovalRule>,
    /// The time of acceptance.
    pub now: UnixMs,
}

impl NewPayment {
    /// The client and the destination, each with its limits.
    #[must_use]
    pub fn scopes(&self) -> [(Scope, ScopeCaps); 2] {
        [
            (Scope::Client(self.client.clone()), self.scoped.client),
            (
                Scope::Destination(self.order.destination),
                self.scoped.destination,
            ),
        ]
    }

    /// Those of them that have limits.
    pub(super) fn fenced_scopes(&self) -> Vec<(Scope, ScopeCaps)> {
        if self.scoped == ScopedCaps::NONE {
            return Vec::new();
        }
        let fenced = |(_, caps): &(Scope, ScopeCaps)| *caps != ScopeCaps::NONE;
        self.scopes().into_iter().filter(fenced).collect()
    }
}

/// The scopes of a batch that have to be looked up: those whose limits count something, and where any
/// scope has a row, all of them, because it may be one of these.
fn wanted(news: &[NewPayment], others: u32) -> Wanted {
    let mut wanted = Wanted::new();
    for new in news {
        if others == 0 && !new.scoped.client.counts() && !new.scoped.destination.counts() {
            continue;
        }
        for (scope, caps) in new.scopes() {
            if others > 0 || caps.counts() {
                let asked = wanted.entry(scope).or_default();
                *asked |= caps.counts();
            }
        }
    }
    wanted
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
    /// Something that it needs is paused; nothing was written.
    Paused(Pause),
    /// Another stage is in force than the one whose limits it brought, or a replica says something else
    /// of limits by now; nothing was written.
    StageChanged {
        /// The stage in force.
        stage: String,
    },
}

/// A request that waits for the writer.
#[derive(Debug)]
pub(super) struct Waiting {
    new: NewPayment,
    answer: oneshot::Sender<Result<AcceptOutcome, StoreError>>,
}

/// The way to the writer.
pub(super) type Queue = mpsc::Sender<Waiting>;

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
                        // Those who were answered may have their next request at hand: it joins
                        // the next batch instead of waiting for a small one to be committed.
                        tokio::task::yield_now().await;
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
            .try_send(Waiting { new, answer })
            .map_err(|refused| match refused {
                mpsc::error::TrySendError::Full(_) => StoreError::Overloaded,
                mpsc::error::TrySendError::Closed(_) => StoreError::Closed,
            })?;
        answered.await.unwrap_or(Err(StoreError::Closed))
    }

    async fn write_batch(&self, batch: Vec<Waiting>) {
        let (news, answers): (Vec<_>, Vec<_>) = batch
            .into_iter()
            .map(|Waiting { new, answer }| (new, answer))
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
        let mut keys = match self.inner.keys_repeat.load(Relaxed) {
            true => Keys::LookUp,
            false => Keys::Presume,
        };
        let mut tries = Tries::default();
        let verdicts = loop {
            match self.accept_once(news, keys).await {
                Err(StoreError::Conflict(_) | StoreError::PausesUnreadable(_))
                    if keys == Keys::Presume =>
                {
                    keys = Keys::LookUp;
                }
                Err(error) if worth_another_try(&error) && tries.another().await => {
                    keys = Keys::LookUp;
                }
                other => break other?,
            }
        };
        let known: Vec<PaymentId> = verdicts.iter().filter_map(Verdict::known).collect();
        let known = if known.is_empty() {
            HashMap::new()
        } else {
            self.payments_by_id(&known).await?
        };
        let mut outcomes = Vec::with_capacity(verdicts.len());
        for (new, verdict) in news.iter().zip(verdicts) {
            outcomes.push(self.outcome(new, verdict, &known).await);
        }
        Ok(outcomes)
    }

    async fn outcome(
        &self,
        new: &NewPayment,
        verdict: Verdict,
        known: &HashMap<PaymentId, Payment>,
    ) -> Result<AcceptOutcome, StoreError> {
        match verdict {
            Verdict::Created(payment) => Ok(AcceptOutcome::Created(payment)),
            Verdict::CreatedBesides(payment) => Ok(AcceptOutcome::Replayed(payment)),
            Verdict::Known(id) => {
                let found = known.get(&id).cloned();
                let payment = found.ok_or_else(|| {
                    StoreError::corrupt(format!("payment {id}"), "it is there and cannot be found")
                })?;
                // Under the id that this very request was given it can only come from a batch
                // whose commit was not answered.
                Ok(if id == new.id {
                    AcceptOutcome::Created(payment)
                } else {
                    AcceptOutcome::Replayed(payment)
                })
            }
            Verdict::KeyReused => Ok(AcceptOutcome::KeyReused),
            Verdict::Paused(pause) => Ok(AcceptOutcome::Paused(pause)),
            Verdict::StageChanged(stage) => Ok(AcceptOutcome::StageChanged { stage }),
            Verdict::Refused(breach) => {
                let resets_at = self.resets_of(new, breach).await?;
                Ok(AcceptOutcome::Refused { breach, resets_at })
            }
        }
    }

    /// When a refused amount will fit, where waiting helps.
    pub(super) async fn resets_of(
        &self,
        new: &NewPayment,
        breach: Breach,
    ) -> Result<Option<UnixMs>, StoreError> {
        match breach {
            Breach::Daily { .. } => {
                let (caps, scopes) = (&new.caps, new.fenced_scopes());
                self.resets_at(caps, &scopes, new.order.amount, new.now)
                    .await
            }
            Breach::BelowMinimum { .. }
            | Breach::AboveMaximum { .. }
            | Breach::TooManyPending { .. } => Ok(None),
        }
    }

    async fn accept_once(
        &self,
        news: &[NewPayment],
        keys: Keys,
    ) -> Result<Vec<Verdict>, StoreError> {
        let mut tx = self.db().write().await?;
        let accepted = self.accept_in(&mut tx, news, keys).await?;
        match accepted.left {
            Left::Nothing => tx.end().await?,
            Left::Counts | Left::Payments => {
                events::tell(&mut tx, accepted.told).await?;
                tx.commit().await?;
            }
        }
        Ok(accepted.verdicts)
    }

    /// Accepts in the transaction of the caller, who commits it where a payment is left in it, may
    /// where only counts are, and gives it up where nothing is.
    pub(super) async fn accept_in(
        &self,
        tx: &mut Tx,
        news: &[NewPayment],
        mut keys: Keys,
    ) -> Result<Accepted, StoreError> {
        let guess = Guess::of(news);
        let stored = limits::lock_reserving(tx, guess.drops, guess.count).await?;
        // The earliest, so that each of them is in the window.
        let now = news.iter().map(|new| new.now).min().unwrap_or_default();
        let mut state = stored;
        let lags = now.since_ms(stored.counted_through) > WINDOW_MS + WINDOW_LAG_MS;
        if lags || stored.is_ahead_of(now) {
            state = limits::align(tx, stored, now).await?;
        }
        // Read under the lock that a change of stage takes first: what commits here has seen it.
        let stage = rollout::in_force(tx).await?.map(|found| found.stage);
        let stage = stage.as_deref();
        let wanted = wanted(news, stored.others);
        let mut scopes = if wanted.is_empty() {
            Scopes::default()
        } else {
            Scopes::load(tx, &wanted, stored.others, now).await?
        };
        let mut forgotten = Forgotten::load(tx, stored.others, now).await?;
        let unknown = HashMap::new();
        let mut decided = decide_all(
            news,
            &unknown,
            (stage, &[]),
            state,
            scopes.clone(),
            &forgotten,
        )?;
        let mut known = None;
        if keys == Keys::LookUp || decided.created.len() < news.len() {
            // Somebody is refused, or asks again: now it matters exactly what is there.
            keys = Keys::LookUp;
            state = limits::align(tx, state, now).await?;
            scopes.align(tx, now).await?;
            let found = known_keys(tx, news).await?;
            forgotten.recognise(tx, news).await?;
            let inside = (stage, &[][..]);
            decided = decide_all(news, &found, inside, state, scopes.clone(), &forgotten)?;
            self.inner.keys_repeat.store(!found.is_empty(), Relaxed);
            known = Some(found);
        }
        if decided.created.is_empty() {
            return decided.left_nothing(tx).await;
        }
        // Only who would make something has to know what is paused: a repeated request is answered
        // whatever is, also where that cannot be read.
        let pauses = pauses::in_force(tx).await?;
        let is_stopped = |wallet: &str| pauses::stopping(&pauses, wallet).is_some();
        if news.iter().any(|new| is_stopped(&new.wallet)) {
            keys = Keys::LookUp;
            let known = match known {
                Some(known) => known,
                None => known_keys(tx, news).await?,
            };
            let inside = (stage, &pauses[..]);
            decided = decide_all(news, &known, inside, state, scopes, &forgotten)?;
            if decided.created.is_empty() {
                return decided.left_nothing(tx).await;
            }
        }
        let new_rows = decided.scopes.new_rows();
        decided.state.others = decided.state.others.saturating_add(new_rows);
        let mut rows = Vec::with_capacity(decided.created.len());
        for created in &decided.created {
            rows.push(payments::new_row(&created.payment, created.fingerprint)?);
        }
        let inserted = tx.insert("payments", payments::NEW, rows, "").await;
        if let Err(StoreError::Conflict(_)) = inserted
            && keys == Keys::Presume
        {
            self.inner.keys_repeat.store(true, Relaxed);
        }
        inserted?;
        decided.scopes.save(tx).await?;
        if Some(decided.state) != guess.after(stored) {
            limits::save(tx, &decided.state).await?;
        }
        for created in &decided.created {
            tx.will_hint(Hint::Work(created.payment.wallet.clone()));
        }
        let created = decided.created.iter();
        let told = created.map(|created| payment_news::of(&created.payment, Some(&created.by)));
        let told = told.collect::<Result<_, _>>()?;
        Ok(Accepted {
            verdicts: decided.verdicts,
            told,
            left: Left::Payments,
        })
    }
}

/// What became of a batch inside its transaction.
pub(super) struct Accepted {
    pub verdicts: Vec<Verdict>,
    /// What is to be told before the commit.
    pub told: Vec<News>,
    pub left: Left,
}

impl Decided {
    /// Of a batch that made no payment. What was added up to refuse it would have to be added up for the
    /// next refusal, and is worth a commit; otherwise nothing is.
    async fn left_nothing(mut self, tx: &mut Tx) -> Result<Accepted, StoreError> {
        let mut left = Left::Nothing;
        if self.scopes.is_worth_keeping() {
            let new_rows = self.scopes.new_rows();
            self.state.others = self.state.others.saturating_add(new_rows);
            self.scopes.save(tx).await?;
            limits::save(tx, &self.state).await?;
            left = Left::Counts;
        }
        Ok(Accepted {
            verdicts: self.verdicts,
            told: Vec::new(),
            left,
        })
    }
}

/// What a batch left in its transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Left {
    /// Nothing that may stay: a guess that nobody took.
    Nothing,
    /// Counts as they are, which the next one need not add up again.
    Counts,
    /// Payments.
    Payments,
}

/// Whether keys are looked up before their payments are inserted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Keys {
    /// Presumed new: where one is not, the insert fails and the batch is run again.
    Presume,
    /// Looked up.
    LookUp,
}

/// A batch can be run again where it certainly left nothing behind, or where running it again tells
/// what it left: payments that are there under the ids they were given.
const fn worth_another_try(error: &StoreError) -> bool {
    error.is_contention()
        || error.effect_unknown()
        || matches!(error, StoreError::Conflict(Conflict::IdempotencyKey))
}

pub(super) fn refuse_nul(new: &NewPayment) -> Result<(), StoreError> {
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
