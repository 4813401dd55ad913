//! What becomes of the requests of one batch, decided in the order of their arrival.
//!
//! Pure but for the lookup of keys: it works on the limits as they were locked, and writes nothing.

use super::accept::NewPayment;
use super::db::{Columns, Kind, Tx};
use super::error::StoreError;
use super::limits::{Forgotten, LimitState, Scopes};
use super::pauses::{self, Pause};
use std::collections::HashMap;
use xrpayd_core::ids::PaymentId;
use xrpayd_core::limits::{Breach, Scoped, reserve_everywhere};
use xrpayd_core::money::Drops;
use xrpayd_core::payment::{Payment, approval};

/// What a batch takes of the limits if all of it is new and fits.
#[derive(Debug, Clone, Copy)]
pub(super) struct Guess {
    pub drops: Drops,
    pub count: u32,
}

impl Guess {
    pub(super) fn of(news: &[NewPayment]) -> Self {
        let mut amounts = news.iter().map(|new| new.order.amount);
        let sum = amounts.try_fold(Drops::ZERO, Drops::checked_add);
        match (sum, u32::try_from(news.len())) {
            (Some(drops), Ok(count)) => Self { drops, count },
            (None, _) | (_, Err(_)) => Self {
                drops: Drops::ZERO,
                count: 0,
            },
        }
    }

    /// The row as the guess has written it.
    pub(super) fn after(self, stored: LimitState) -> Option<LimitState> {
        let mut state = stored;
        state.usage.daily_used = stored.usage.daily_used.checked_add(self.drops)?;
        state.usage.pending = stored.usage.pending.checked_add(self.count)?;
        Some(state)
    }
}

/// What the transaction decided about a request; payments that were there before are read after
/// it, in one unmoving picture.
#[derive(Debug)]
pub(super) enum Verdict {
    Created(Payment),
    /// The same batch created it for another caller.
    CreatedBesides(Payment),
    Known(PaymentId),
    KeyReused,
    Refused(Breach),
    /// Something that it needs is paused.
    Paused(Pause),
    /// It brings the limits of a stage that is not in force, this one is; or limits that were found by other
    /// words of the replicas.
    StageChanged(String),
}

impl Verdict {
    /// The payment that was there before.
    pub(super) const fn known(&self) -> Option<PaymentId> {
        match self {
            Self::Known(id) => Some(*id),
            Self::Created(_)
            | Self::CreatedBesides(_)
            | Self::KeyReused
            | Self::Refused(_)
            | Self::Paused(_)
            | Self::StageChanged(_) => None,
        }
    }
}

/// A client and one of its idempotency keys.
pub(super) type Key<'a> = (&'a str, &'a str);

fn key_of(new: &NewPayment) -> Key<'_> {
    (&new.client, &new.order.idempotency_key)
}

/// The payment that was made under a key, and the fingerprint of the request that made it.
pub(super) type Known = (PaymentId, [u8; 32]);

const KEYS: Columns = &[("client", Kind::Text), ("idempotency_key", Kind::Text)];

pub(super) async fn known_keys<'a>(
    tx: &mut Tx,
    news: &'a [NewPayment],
) -> Result<HashMap<Key<'a>, Known>, StoreError> {
    let keys = news.iter().map(key_of);
    let rows = keys
        .map(|(client, key)| vec![client.into(), key.into()])
        .collect();
    let found = tx
        .fetch_with(
            KEYS,
            rows,
            "select p.client, p.idempotency_key, p.id, p.fingerprint from v join payments p \
             on p.client = v.client and p.idempotency_key = v.idempotency_key",
        )
        .await?;
    let mut by_key = HashMap::with_capacity(found.len());
    for row in &found {
        let id = row.text("id")?;
        let what = format!("payment {id}");
        let id = id
            .parse()
            .map_err(|error| StoreError::corrupt(what, format!("{error}")))?;
        let key = (row.text("client")?, row.text("idempotency_key")?);
        by_key.insert(key, (id, row.hash("fingerprint")?));
    }
    if by_key.is_empty() {
        return Ok(HashMap::new());
    }
    let known = news.iter().filter_map(|new| {
        let (client, key) = key_of(new);
        let found = by_key.get(&(client.to_owned(), key.to_owned()))?;
        Some(((client, key), *found))
    });
    Ok(known.collect())
}

/// A payment that is to be written.
pub(super) struct Created {
    pub payment: Payment,
    /// The fingerprint of its request.
    pub fingerprint: [u8; 32],
    /// The key that asked for it.
    pub by: String,
}

pub(super) struct Decided {
    pub verdicts: Vec<Verdict>,
    /// What is to be written.
    pub created: Vec<Created>,
    /// The limits after them.
    pub state: LimitState,
    /// The limits of clients and destinations after them.
    pub scopes: Scopes,
}

/// `stage` is the one in force; before a rollout has begun there is none, and each request goes by its
/// own.
pub(super) fn decide_all(
    news: &[NewPayment],
    known: &HashMap<Key<'_>, Known>,
    (stage, pauses): (Option<&str>, &[Pause]),
    state: LimitState,
    scopes: Scopes,
    forgotten: &Forgotten,
) -> Result<Decided, StoreError> {
    let words = state.words;
    let mut decided = Decided {
        verdicts: Vec::with_capacity(news.len()),
        created: Vec::new(),
        state,
        scopes,
    };
    let mut created_here: HashMap<Key<'_>, usize> = HashMap::new();
    for new in news {
        let key = key_of(new);
        let besides = created_here
            .get(&key)
            .and_then(|at| decided.created.get(*at));
        let verdict = match (known.get(&key), besides) {
            (Some((id, fingerprint)), _) if *fingerprint == new.fingerprint => Verdict::Known(*id),
            (None, Some(created)) if created.fingerprint == new.fingerprint => {
                Verdict::CreatedBesides(created.payment.clone())
            }
            (Some(_), _) | (None, Some(_)) => Verdict::KeyReused,
            (None, None) => match stage.filter(|stage| *stage != new.stage || new.words != words) {
                Some(stage) => Verdict::StageChanged(stage.to_owned()),
                None => match pauses::stopping(pauses, &new.wallet) {
                    Some(pause) => Verdict::Paused(pause.clone()),
                    None => decide_new(new, &mut decided.state, &mut decided.scopes, forgotten)?,
                },
            },
        };
        if let Verdict::Created(payment) = &verdict {
            created_here.insert(key, decided.created.len());
            decided.created.push(Created {
                payment: payment.clone(),
                fingerprint: new.fingerprint,
                by: new.asked_by.clone(),
            });
        }
        decided.verdicts.push(verdict);
    }
    Ok(decided)
}

fn decide_new(
    new: &NewPayment,
    state: &mut LimitState,
    scopes: &mut Scopes,
    forgotten: &Forgotten,
) -> Result<Verdict, StoreError> {
    let mut fences = Vec::new();
    for (scope, caps) in new.fenced_scopes() {
        let usage = match scopes.usage(&scope) {
            Some(usage) => usage,
            None if !caps.counts() => Default::default(),
            None => {
                let why = format!("{scope} was not looked up");
                return Err(StoreError::corrupt("the limits", why));
            }
        };
        fences.push(Scoped {
            kind: scope.kind(),
            caps,
            usage,
        });
    }
    let amount = new.order.amount;
    let (mut caps, mut usage) = (new.caps, state.usage);
    if forgotten.served.contains(&new.id) {
        // Its money has left, and counts: no day is spared by keeping it from its books.
        caps.daily = Drops::MAX;
    } else {
        let sum = usage.daily_used.checked_add(forgotten.drops);
        usage.daily_used = sum.unwrap_or(Drops::MAX);
    }
    match reserve_everywhere(&caps, usage, &fences, amount) {
        Ok(_) => {
            let usage = state.usage.with(amount);
            let too_much = || StoreError::corrupt("the limits", "more is used than there is");
            state.usage = usage.ok_or_else(too_much)?;
            if !scopes.is_empty() {
                for (scope, _) in new.scopes() {
                    scopes.take(&scope, amount)?;
                }
            }
            Ok(Verdict::Created(fresh(new)))
        }
        Err(breach) => Ok(Verdict::Refused(breach)),
    }
}

fn fresh(new: &NewPayment) -> Payment {
    let order = &new.order;
    let (state, approval) = approval::beginning(
        new.approval,
        order.amount,
        order.expires_at,
        &new.asked_by,
        new.now,
    );
    Payment {
        id: new.id,
        version: 1,
        client: new.client.clone(),
        wallet: new.wallet.clone(),
        order: new.order.clone(),
        stage: new.stage.clone(),
        state,
        approval,
        attempts: Vec::new(),
        created_at: new.now,
        updated_at: new.now,
    }
}
