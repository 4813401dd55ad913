//! Deliveries: one message on its way to one endpoint, and every try of it.

use super::Walked;
use super::turn::Tried;
use crate::store::Store;
use crate::store::db::{Columns, Kind, Row, Tx};
use crate::store::error::StoreError;
use xrpayd_core::ids::{DeliveryId, EndpointId, UnixMs};

const COLUMNS: &str = "d.id, d.endpoint_id, d.message_id, d.event_at, d.state, d.attempts, d.next_at, \
    d.claimed_by, d.created_at, d.updated_at, m.type";

pub(super) const IDS: Columns = &[("id", Kind::Text)];

/// An event as it is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// The `webhook-id`: the same over all tries to all endpoints.
    pub id: String,
    /// The type of the event.
    pub type_: String,
    /// The object that it tells of.
    pub object_id: String,
    /// When the event happened.
    pub at: UnixMs,
    /// The body, byte by byte.
    pub body: String,
}

/// What has become of a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeliveryState {
    /// It is on its way.
    Pending,
    /// The receiver has it.
    Delivered,
    /// It was tried as often as the schedule says.
    Failed,
}

impl DeliveryState {
    /// Every state.
    pub const ALL: [Self; 3] = [Self::Pending, Self::Delivered, Self::Failed];

    /// The word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Delivered => "delivered",
            Self::Failed => "failed",
        }
    }
}

/// A try.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// Which one of the delivery's.
    pub n: u32,
    /// When it began.
    pub at: UnixMs,
    /// How long it took.
    pub duration_ms: u32,
    /// What came of it, in a word of a closed set.
    pub outcome: String,
    /// The status of the answer, where there was one.
    pub status: Option<u32>,
    /// What was wrong, where something was.
    pub error: Option<String>,
    /// The beginning of the answer's body.
    pub excerpt: String,
}

/// A delivery and its tries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// Its name.
    pub id: DeliveryId,
    /// To whom.
    pub endpoint: EndpointId,
    /// The `webhook-id` of the message.
    pub message_id: String,
    /// The type of the event.
    pub type_: String,
    /// When the event happened.
    pub event_at: UnixMs,
    /// What has become of it.
    pub state: DeliveryState,
    /// When it is tried next; absent while it is being tried.
    pub next_at: Option<UnixMs>,
    /// Its tries, the oldest first.
    pub attempts: Vec<Attempt>,
    /// When it was laid out.
    pub created_at: UnixMs,
    /// When it was last tried or laid out anew.
    pub updated_at: UnixMs,
}

/// A message that was sent once, outside the feed, and what came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TriedOnce {
    /// The delivery's name.
    pub id: DeliveryId,
    /// To whom.
    pub endpoint: EndpointId,
    /// What was sent.
    pub message: Message,
    /// What has become of it.
    pub state: DeliveryState,
    /// The try.
    pub tried: Tried,
}

impl Store {
    /// The deliveries of an endpoint, in one state or in all, the newest first, from before `cursor` on.
    ///
    /// # Errors
    /// The database does not answer, or holds a delivery that cannot be read.
    pub async fn deliveries(
        &self,
        endpoint: EndpointId,
        state: Option<DeliveryState>,
        cursor: Option<DeliveryId>,
        limit: u32,
    ) -> Result<Walked<Delivery>, StoreError> {
        let before = cursor.map_or_else(|| "~".to_owned(), |id| id.to_string());
        let sql = format!(
            "select {COLUMNS} from webhook_deliveries d join webhook_messages m on m.id = d.message_id \
             where d.endpoint_id = $1 and d.state = $2 and d.id < $3 order by d.id desc limit $4"
        );
        let mut tx = self.db().read().await?;
        let mut found = Vec::new();
        // One walk along the index a state; their merge is the list.
        for walked in DeliveryState::ALL {
            if state.is_none_or(|state| state == walked) {
                let values = vec![
                    endpoint.to_string().into(),
                    walked.as_str().into(),
                    before.as_str().into(),
                    limit.saturating_add(1).into(),
                ];
                for row in tx.fetch(sql.clone(), values).await? {
                    found.push(decode(&row)?);
                }
            }
        }
        found.sort_by_key(|delivery| std::cmp::Reverse(delivery.id));
        let mut page = Walked::of(found, limit);
        attach(&mut tx, &mut page.items).await?;
        tx.end().await?;
        Ok(page)
    }

    /// One delivery to an endpoint.
    ///
    /// # Errors
    /// The database does not answer, or holds a delivery that cannot be read.
    pub async fn delivery(
        &self,
        endpoint: EndpointId,
        id: DeliveryId,
    ) -> Result<Option<Delivery>, StoreError> {
        let mut tx = self.db().read().await?;
        let found = one(&mut tx, endpoint, id).await;
        tx.end().await?;
        found
    }

    /// Lays a delivery out anew, whatever has become of it; `None` where there is none. It is tried at
    /// once, and has its whole schedule before it. A try that is under way at this moment is that try.
    ///
    /// # Errors
    /// The database could not write.
    pub async fn redeliver(
        &self,
        endpoint: EndpointId,
        id: DeliveryId,
        now: UnixMs,
    ) -> Result<Option<Delivery>, StoreError> {
        let mut tx = self.db().write().await?;
        let sql = "update webhook_deliveries set state = 'pending', round_from = attempts, updated_at = $3, \
            next_at = case when claimed_by is not null and next_at > $3 then next_at else $3 end where id = $1 and endpoint_id = $2";
        let values = vec![
            id.to_string().into(),
            endpoint.to_string().into(),
            now.0.into(),
        ];
        tx.execute(sql, values).await?;
        let found = one(&mut tx, endpoint, id).await?;
        tx.commit().await?;
        Ok(found)
    }

    /// Writes down a message that was sent once, with what came of it. Such a message is never tried
    /// again by itself, and tells nothing of the endpoint's health.
    ///
    /// # Errors
    /// The database could not write.
    pub async fn record_tried_once(
        &self,
        sent: &TriedOnce,
    ) -> Result<Option<Delivery>, StoreError> {
        let mut tx = self.db().write().await?;
        let (id, endpoint) = (sent.id.to_string(), sent.endpoint.to_string());
        insert_messages(&mut tx, std::iter::once(&sent.message)).await?;
        let sql = "insert into webhook_deliveries (id, endpoint_id, message_id, event_at, state, attempts, \
            round_from, next_at, created_at, updated_at, object_id) \
            values ($1, $2, $3, $4, $5, 1, 0, null, $6, $6, $7)";
        let values = vec![
            id.as_str().into(),
            endpoint.into(),
            sent.message.id.as_str().into(),
            sent.message.at.0.into(),
            sent.state.as_str().into(),
            sent.tried.at.0.into(),
            sent.message.object_id.as_str().into(),
        ];
        tx.execute(sql, values).await?;
        let sql = "insert into webhook_attempts (delivery_id, n, at, duration_ms, outcome, status, error, \
            excerpt) values ($1, 1, $2, $3, $4, $5, $6, $7)";
        let mut values = vec![id.into()];
        values.append(&mut sent.tried.values());
        tx.execute(sql, values).await?;
        let found = one(&mut tx, sent.endpoint, sent.id).await?;
        tx.commit().await?;
        Ok(found)
    }
}

/// Writes messages where they are not there yet.
pub(super) async fn insert_messages<'a>(
    tx: &mut Tx,
    messages: impl Iterator<Item = &'a Message>,
) -> Result<(), StoreError> {
    const NEW: Columns = &[
        ("id", Kind::Text),
        ("type", Kind::Text),
        ("at", Kind::Int),
        ("body", Kind::Text),
    ];
    let rows = messages
        .map(|message| {
            vec![
                message.id.as_str().into(),
                message.type_.as_str().into(),
                message.at.0.into(),
                message.body.as_str().into(),
            ]
        })
        .collect();
    let after = "on conflict (id) do nothing";
    tx.insert("webhook_messages", NEW, rows, after).await?;
    Ok(())
}

async fn one(
    tx: &mut Tx,
    endpoint: EndpointId,
    id: DeliveryId,
) -> Result<Option<Delivery>, StoreError> {
    let sql = format!(
        "select {COLUMNS} from webhook_deliveries d join webhook_messages m on m.id = d.message_id \
         where d.id = $1 and d.endpoint_id = $2"
    );
    let values = vec![id.to_string().into(), endpoint.to_string().into()];
    let row = tx.fetch_optional(sql, values).await?;
    let mut found: Vec<Delivery> = row.iter().map(decode).collect::<Result<_, _>>()?;
    attach(tx, &mut found).await?;
    Ok(found.pop())
}

/// Gives deliveries their tries.
async fn attach(tx: &mut Tx, deliveries: &mut [Delivery]) -> Result<(), StoreError> {
    let ids = deliveries
        .iter()
        .map(|delivery| vec![delivery.id.to_string().into()])
        .collect();
    let statement = "select a.delivery_id, a.n, a.at, a.duration_ms, a.outcome, a.status, a.error, a.excerpt \
        from v join webhook_attempts a on a.delivery_id = v.id order by a.delivery_id, a.n";
    for row in tx.fetch_with(IDS, ids, statement).await? {
        let of = row.text("delivery_id")?;
        let delivery = deliveries
            .iter_mut()
            .find(|delivery| delivery.id.to_string() == of);
        if let Some(delivery) = delivery {
            delivery.attempts.push(Attempt {
                n: row.uint("n")?,
                at: UnixMs(row.int("at")?),
                duration_ms: row.uint("duration_ms")?,
                outcome: row.text("outcome")?,
                status: row.uint_or_null("status")?,
                error: row.text_or_null("error")?,
                excerpt: row.text("excerpt")?,
            });
        }
    }
    Ok(())
}

fn decode(row: &Row) -> Result<Delivery, StoreError> {
    let id = row.text("id")?;
    let bad = |why: &str| StoreError::corrupt(format!("webhook delivery {id}"), why);
    let state = row.text("state")?;
    let is_claimed = row.text_or_null("claimed_by")?.is_some();
    let next_at = row.int_or_null("next_at")?.map(UnixMs);
    Ok(Delivery {
        id: id.parse().map_err(|_| bad("its id is not one"))?,
        endpoint: row
            .text("endpoint_id")?
            .parse()
            .map_err(|_| bad("its endpoint's id is not one"))?,
        message_id: row.text("message_id")?,
        type_: row.text("type")?,
        event_at: UnixMs(row.int("event_at")?),
        state: DeliveryState::ALL
            .into_iter()
            .find(|known| known.as_str() == state)
            .ok_or_else(|| bad("its state is not known"))?,
        next_at: next_at.filter(|_| !is_claimed),
        attempts: Vec::new(),
        created_at: UnixMs(row.int("created_at")?),
        updated_at: UnixMs(row.int("updated_at")?),
    })
}
