//! A turn of the dispatcher: one transaction that writes down what came of tries, lays deliveries out
//! for new events, and claims those that are due.
//!
//! A claim is a delivery whose next try is put off to the end of the claim and that bears the name of
//! its holder; what is written down of a try counts only for who still holds it. Rows of endpoints are
//! locked first and in the order of their ids, so that two replicas never wait for each other.

use super::deliveries::{IDS, Message, insert_messages};
use super::endpoint::{self, COLUMNS, Endpoint, Recovery};
use super::health::judge;
use crate::store::Store;
use crate::store::db::{Columns, Kind, Tx, Value};
use crate::store::error::StoreError;
use crate::store::events;
use std::collections::{BTreeMap, BTreeSet};
use xrpayd_core::ids::{DeliveryId, EndpointId, UnixMs};

/// An object has a handful of events at a time; so many are looked at for each that is wanted.
const EVENTS_OF_AN_OBJECT: u32 = 6;

/// What the dispatcher looks at before a turn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct View {
    /// The endpoints that are sent to, each with the instant at which its first delivery is due.
    pub endpoints: Vec<(Endpoint, Option<UnixMs>)>,
    /// The last sequence of the feed.
    pub end: i64,
}

/// What is known of a try.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tried {
    /// When it began.
    pub at: UnixMs,
    /// How long it took.
    pub duration_ms: u32,
    /// What came of it, in a word of a closed set.
    pub outcome: &'static str,
    /// The status of the answer, where there was one.
    pub status: Option<u16>,
    /// What was wrong, where something was.
    pub error: Option<String>,
    /// The beginning of the answer's body.
    pub excerpt: String,
}

impl Tried {
    pub(super) fn values(&self) -> Vec<Value> {
        vec![
            self.at.0.into(),
            self.duration_ms.into(),
            self.outcome.into(),
            self.status.map(u32::from).into(),
            self.error.clone().into(),
            self.excerpt.as_str().into(),
        ]
    }
}

/// What becomes of a delivery after a try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The receiver has it.
    Delivered,
    /// It is tried again then.
    Again(UnixMs),
    /// It was tried often enough.
    GivenUp,
}

/// What becomes of the endpoint after a try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Patience {
    /// Nothing more than the verdict says.
    Usual,
    /// It is left alone until then.
    Rest(UnixMs),
    /// It is disabled: it is gone.
    Gone,
}

/// A try that has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settled {
    /// The delivery.
    pub delivery: DeliveryId,
    /// To whom.
    pub endpoint: EndpointId,
    /// The try.
    pub tried: Tried,
    /// What becomes of the delivery.
    pub verdict: Verdict,
    /// What becomes of the endpoint.
    pub patience: Patience,
}

/// A stretch of the feed, laid out for an endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fanned {
    /// For whom.
    pub endpoint: EndpointId,
    /// The recovery that it is part of; none where it is news.
    pub recovery: Option<Recovery>,
    /// The sequence after which the stretch begins: it is laid out only where the endpoint still
    /// stands there.
    pub after: i64,
    /// The last sequence of the stretch.
    pub through: i64,
    /// What of it the endpoint wants, each with the name of its delivery.
    pub messages: Vec<(DeliveryId, Message)>,
}

/// Everything that one turn does.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Turn {
    /// Who takes it.
    pub holder: String,
    /// When.
    pub now: UnixMs,
    /// The tries that have ended.
    pub settled: Vec<Settled>,
    /// What is laid out.
    pub fanned: Vec<Fanned>,
    /// How many deliveries are wanted for which endpoint.
    pub wanted: Vec<(EndpointId, u32)>,
    /// When claims end by themselves.
    pub claim_until: UnixMs,
    /// An endpoint that has taken nothing for so long is disabled.
    pub disable_after_ms: i64,
}

/// A delivery to be tried now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claimed {
    /// The delivery.
    pub delivery: DeliveryId,
    /// To whom.
    pub endpoint: EndpointId,
    /// The `webhook-id`.
    pub message_id: String,
    /// The body.
    pub body: String,
    /// How many tries of its schedule it has had.
    pub tried: u32,
}

/// What came of a turn.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TurnOutcome {
    /// What is to be tried now.
    pub claimed: Vec<Claimed>,
    /// The endpoints that were disabled.
    pub disabled: Vec<EndpointId>,
}

impl Store {
    /// What a dispatcher looks at before a turn.
    ///
    /// # Errors
    /// The database does not answer, or holds an endpoint that cannot be read.
    pub async fn webhook_view(&self) -> Result<View, StoreError> {
        let sql = format!(
            "select {COLUMNS}, (select min(d.next_at) from webhook_deliveries d \
             where d.endpoint_id = w.id and d.next_at is not null) as due \
             from webhook_endpoints w where w.status = 'enabled' order by w.id"
        );
        let mut tx = self.db().read().await?;
        let end = events::end(&mut tx).await?;
        let rows = tx.fetch(sql, Vec::new()).await?;
        tx.end().await?;
        let endpoints = rows
            .iter()
            .map(|row| Ok((endpoint::decode(row)?, row.int_or_null("due")?.map(UnixMs))))
            .collect::<Result<_, StoreError>>()?;
        Ok(View { endpoints, end })
    }

    /// Takes a turn.
    ///
    /// # Errors
    /// The database could not write; nothing of the turn was done, unless the error leaves that open.
    pub async fn webhook_turn(&self, turn: &Turn) -> Result<TurnOutcome, StoreError> {
        let mut tx = self.db().write().await?;
        lock(&mut tx, turn).await?;
        settle(&mut tx, turn).await?;
        let news = judge(&mut tx, turn).await?;
        for fanned in &turn.fanned {
            lay_out(&mut tx, fanned, turn.now).await?;
        }
        let mut outcome = TurnOutcome::default();
        for (endpoint, wanted) in &turn.wanted {
            let mut claimed = claim(&mut tx, turn, *endpoint, *wanted).await?;
            outcome.claimed.append(&mut claimed);
        }
        outcome.disabled = news.iter().map(|(endpoint, _)| *endpoint).collect();
        events::tell(&mut tx, news.into_iter().map(|(_, news)| news).collect()).await?;
        tx.commit().await?;
        Ok(outcome)
    }

    /// Gives back what `holder` has claimed, or what anybody has where none is named: only for who is
    /// alone on the database.
    ///
    /// # Errors
    /// The database could not write.
    pub async fn release_webhook_claims(
        &self,
        holder: Option<&str>,
        now: UnixMs,
    ) -> Result<(), StoreError> {
        let mut tx = self.db().write().await?;
        let (whose, mut values) = match holder {
            Some(holder) => ("claimed_by = $2", vec![Value::from(holder)]),
            None => ("claimed_by is not null", Vec::new()),
        };
        values.insert(0, now.0.into());
        let sql =
            format!("update webhook_deliveries set next_at = $1, claimed_by = null where {whose}");
        tx.execute(sql, values).await?;
        tx.commit().await
    }

    /// When the oldest event happened that an endpoint which is sent to has not taken.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn oldest_undelivered(&self) -> Result<Option<UnixMs>, StoreError> {
        let mut tx = self.db().read().await?;
        let rows = tx
            .fetch(
                "select (select min(d.event_at) from webhook_deliveries d \
                 where d.endpoint_id = w.id and d.next_at is not null) as pending, \
                 (select events.at from events where events.sequence > w.told_through \
                 order by events.sequence limit 1) as untold \
                 from webhook_endpoints w where w.status = 'enabled'",
                Vec::new(),
            )
            .await?;
        tx.end().await?;
        let mut oldest: Option<i64> = None;
        for row in rows {
            let found = [row.int_or_null("pending")?, row.int_or_null("untold")?];
            oldest = found.into_iter().flatten().chain(oldest).min();
        }
        Ok(oldest.map(UnixMs))
    }
}

async fn lock(tx: &mut Tx, turn: &Turn) -> Result<(), StoreError> {
    let settled = turn.settled.iter().map(|settled| settled.endpoint);
    let fanned = turn.fanned.iter().map(|fanned| fanned.endpoint);
    let wanted = turn.wanted.iter().map(|(endpoint, _)| *endpoint);
    let ids: BTreeSet<EndpointId> = settled.chain(fanned).chain(wanted).collect();
    let rows = ids.iter().map(|id| vec![id.to_string().into()]).collect();
    let statement = format!(
        "select id from webhook_endpoints where id in (select id from v) order by id{}",
        tx.for_update()
    );
    tx.fetch_with(IDS, rows, &statement).await?;
    Ok(())
}

/// Writes down the tries that have ended, of what is still held. The delivery's row goes first: what it
/// answers numbers the try, so that nobody else can have taken the number in between.
async fn settle(tx: &mut Tx, turn: &Turn) -> Result<(), StoreError> {
    const TRIED: Columns = &[
        ("delivery_id", Kind::Text),
        ("n", Kind::Int),
        ("at", Kind::Int),
        ("duration_ms", Kind::Int),
        ("outcome", Kind::Text),
        ("status", Kind::Int),
        ("error", Kind::Text),
        ("excerpt", Kind::Text),
    ];
    const ENDED: Columns = &[
        ("id", Kind::Text),
        ("state", Kind::Text),
        ("next_at", Kind::Int),
        ("at", Kind::Int),
        ("holder", Kind::Text),
    ];
    // A clock that jumped over a claim's end makes two tries of one delivery: one of them is written, the
    // one that delivered if any did.
    let mut settled: BTreeMap<String, &Settled> = BTreeMap::new();
    for one in &turn.settled {
        let known = settled.entry(one.delivery.to_string()).or_insert(one);
        if one.verdict == Verdict::Delivered {
            *known = one;
        }
    }
    let ends = settled.iter().map(|(delivery, settled)| {
        let (state, next_at) = match settled.verdict {
            Verdict::Delivered => ("delivered", None),
            Verdict::Again(at) => ("pending", Some(at.0)),
            Verdict::GivenUp => ("failed", None),
        };
        vec![
            delivery.as_str().into(),
            state.into(),
            next_at.into(),
            turn.now.0.into(),
            turn.holder.as_str().into(),
        ]
    });
    let statement = "update webhook_deliveries set state = v.state, next_at = v.next_at, \
        attempts = attempts + 1, claimed_by = null, updated_at = v.at from v \
        where webhook_deliveries.id = v.id and webhook_deliveries.claimed_by = v.holder \
        returning webhook_deliveries.id, webhook_deliveries.attempts";
    let ended = tx.fetch_with(ENDED, ends.collect(), statement).await?;
    let mut tries = Vec::with_capacity(ended.len());
    for row in &ended {
        let delivery = row.text("id")?;
        let Some(settled) = settled.get(&delivery) else {
            return Err(StoreError::corrupt(
                delivery,
                "a delivery that nobody asked for was settled",
            ));
        };
        let mut tried = vec![delivery.as_str().into(), row.int("attempts")?.into()];
        tried.append(&mut settled.tried.values());
        tries.push(tried);
    }
    tx.insert("webhook_attempts", TRIED, tries, "").await?;
    Ok(())
}

/// Lays a stretch of the feed out for an endpoint, unless another replica has.
async fn lay_out(tx: &mut Tx, fanned: &Fanned, now: UnixMs) -> Result<(), StoreError> {
    const NEW: Columns = &[
        ("id", Kind::Text),
        ("endpoint_id", Kind::Text),
        ("message_id", Kind::Text),
        ("event_at", Kind::Int),
        ("state", Kind::Text),
        ("attempts", Kind::Int),
        ("round_from", Kind::Int),
        ("next_at", Kind::Int),
        ("created_at", Kind::Int),
        ("updated_at", Kind::Int),
        ("object_id", Kind::Text),
    ];
    let id = fanned.endpoint.to_string();
    let mut values = vec![
        id.as_str().into(),
        fanned.after.into(),
        fanned.through.into(),
    ];
    let (advance, conflict) = match fanned.recovery {
        None => (
            "update webhook_endpoints set told_through = $3 \
             where id = $1 and told_through = $2 and status = 'enabled'",
            "on conflict (message_id, endpoint_id) do nothing",
        ),
        Some(recovery) => {
            values.push(recovery.through.into());
            values.push(recovery.since.0.into());
            let anew = if recovery.delivered_too {
                "on conflict (message_id, endpoint_id) do update set state = 'pending', \
                 round_from = webhook_deliveries.attempts, next_at = excluded.next_at, \
                 updated_at = excluded.updated_at where webhook_deliveries.state <> 'pending'"
            } else {
                "on conflict (message_id, endpoint_id) do update set state = 'pending', \
                 round_from = webhook_deliveries.attempts, next_at = excluded.next_at, \
                 updated_at = excluded.updated_at where webhook_deliveries.state = 'failed'"
            };
            (
                "update webhook_endpoints set \
                 recover_after = case when $3 >= recover_through then null else $3 end, \
                 recover_through = case when $3 >= recover_through then null else recover_through end \
                 where id = $1 and recover_after = $2 and recover_through = $4 and recover_since = $5 \
                 and status = 'enabled'",
                anew,
            )
        }
    };
    if tx.execute(advance, values).await? == 0 || fanned.messages.is_empty() {
        return Ok(());
    }
    insert_messages(tx, fanned.messages.iter().map(|(_, message)| message)).await?;
    let rows = fanned
        .messages
        .iter()
        .map(|(delivery, message)| {
            vec![
                delivery.to_string().into(),
                id.as_str().into(),
                message.id.as_str().into(),
                message.at.0.into(),
                "pending".into(),
                0_i64.into(),
                0_i64.into(),
                now.0.into(),
                now.0.into(),
                now.0.into(),
                message.object_id.as_str().into(),
            ]
        })
        .collect();
    tx.insert("webhook_deliveries", NEW, rows, conflict).await?;
    Ok(())
}

/// Claims what is due for an endpoint, at most `wanted` deliveries, and of one object no second one while
/// a first is on its way.
async fn claim(
    tx: &mut Tx,
    turn: &Turn,
    endpoint: EndpointId,
    wanted: u32,
) -> Result<Vec<Claimed>, StoreError> {
    let due = format!(
        "select d.id, d.object_id from webhook_deliveries d \
         where d.endpoint_id = $1 and d.next_at is not null and d.next_at <= $2 \
         and exists (select 1 from webhook_endpoints w where w.id = $1 and w.status = 'enabled') \
         and not exists (select 1 from webhook_deliveries b where b.endpoint_id = $1 \
         and b.object_id = d.object_id and b.object_id <> '' and b.claimed_by is not null \
         and b.next_at > $2) order by d.next_at, d.id limit $3{}",
        tx.for_update_of_free()
    );
    let values = vec![
        endpoint.to_string().into(),
        turn.now.0.into(),
        wanted.saturating_mul(EVENTS_OF_AN_OBJECT).into(),
    ];
    const CHOSEN: Columns = &[
        ("id", Kind::Text),
        ("holder", Kind::Text),
        ("until", Kind::Int),
    ];
    let (mut objects, mut chosen) = (BTreeSet::new(), Vec::new());
    for row in tx.fetch(due, values).await? {
        let object = row.text("object_id")?;
        let is_first = object.is_empty() || objects.insert(object);
        let is_room = u32::try_from(chosen.len()).is_ok_and(|count| count < wanted);
        if is_first && is_room {
            chosen.push(vec![
                row.text("id")?.into(),
                turn.holder.as_str().into(),
                turn.claim_until.0.into(),
            ]);
        }
    }
    let statement = "update webhook_deliveries set claimed_by = v.holder, next_at = v.until from v \
        where webhook_deliveries.id = v.id returning webhook_deliveries.id as id, \
        webhook_deliveries.message_id as message_id, \
        webhook_deliveries.attempts - webhook_deliveries.round_from as tried";
    let mut claimed = Vec::new();
    let mut by_message = BTreeMap::new();
    for row in tx.fetch_with(CHOSEN, chosen, statement).await? {
        let id = row.text("id")?;
        let delivery = id.parse().map_err(|_| {
            StoreError::corrupt(format!("webhook delivery {id}"), "its id is not one")
        })?;
        by_message.insert(row.text("message_id")?, (delivery, row.uint("tried")?));
    }
    let ids = by_message
        .keys()
        .map(|id| vec![id.as_str().into()])
        .collect();
    let statement = "select m.id, m.body from v join webhook_messages m on m.id = v.id";
    for row in tx.fetch_with(IDS, ids, statement).await? {
        let message_id = row.text("id")?;
        if let Some((delivery, tried)) = by_message.remove(&message_id) {
            claimed.push(Claimed {
                delivery,
                endpoint,
                message_id,
                body: row.text("body")?,
                tried,
            });
        }
    }
    claimed.sort_by_key(|claimed| claimed.delivery);
    Ok(claimed)
}
