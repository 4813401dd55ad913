//! Tickets that operators ask for: written by a command, read and settled by the engine of the wallet.
//!
//! One request of a wallet is open at a time. Asked for again it is the same one, so a command that
//! was cut off is simply given again.

use super::Store;
use super::audit::{self, Actor, Audited};
use super::db::{Row, Tx};
use super::error::StoreError;
use serde_json::json;
use xrpayd_core::engine::{RequestNews, TicketRequest, TicketRequestId};
use xrpayd_core::ids::{TxHash, UnixMs};

/// What a request for tickets came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TicketAsk {
    /// It stands open, as of now or already before.
    Open(TicketRequestId),
    /// Another number of tickets is asked for already.
    Other(TicketRow),
}

/// A request as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TicketRow {
    /// Its number.
    pub id: TicketRequestId,
    /// How many tickets were asked for.
    pub count: u32,
    /// When.
    pub asked_at: UnixMs,
    /// How it stands.
    pub status: TicketStatus,
}

/// How a request stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TicketStatus {
    /// Not done yet.
    Open {
        /// What it waits for, where the engine said so.
        waits_for: Option<String>,
    },
    /// The tickets stand.
    Made {
        /// The transaction that made them.
        hash: TxHash,
    },
    /// It will not be done.
    Refused {
        /// Why.
        reason: String,
    },
}

impl Store {
    /// Asks for tickets, as `actor`.
    ///
    /// # Errors
    /// The database does not answer, or another command asked at the same moment.
    pub async fn ask_for_tickets(
        &self,
        wallet: &str,
        count: u32,
        actor: &Actor,
        now: UnixMs,
    ) -> Result<TicketAsk, StoreError> {
        let mut tx = self.db().write().await?;
        if let Some(open) = open_row(&mut tx, wallet).await? {
            tx.end().await?;
            return Ok(if open.count == count {
                TicketAsk::Open(open.id)
            } else {
                TicketAsk::Other(open)
            });
        }
        let next = "select coalesce(max(id), 0) + 1 as next from ticket_requests";
        let row = tx.fetch_optional(next, Vec::new()).await?;
        let id = row.map_or(Ok(1), |row| row.uint("next"))?;
        let insert = "insert into ticket_requests (id, wallet, tickets, asked_at, status) \
            values ($1, $2, $3, $4, 'open')";
        let values = vec![id.into(), wallet.into(), count.into(), now.0.into()];
        tx.execute(insert, values).await?;
        let asked = Audited {
            at: now,
            actor: actor.clone(),
            action: "tickets.requested",
            object: wallet.to_owned(),
            data: json!({ "request": id, "count": count }),
        };
        audit::note(&mut tx, vec![asked]).await?;
        tx.commit().await?;
        Ok(TicketAsk::Open(TicketRequestId(id)))
    }

    /// A request, whatever became of it.
    ///
    /// # Errors
    /// The database does not answer, or holds a request that cannot be read.
    pub async fn ticket_request(
        &self,
        id: TicketRequestId,
    ) -> Result<Option<TicketRow>, StoreError> {
        let mut tx = self.db().read().await?;
        let sql = format!("select {COLUMNS} from ticket_requests where id = $1");
        let row = tx.fetch_optional(sql, vec![id.0.into()]).await?;
        tx.end().await?;
        row.as_ref().map(decode).transpose()
    }

    /// The request of a wallet that is open.
    ///
    /// # Errors
    /// The database does not answer, or holds a request that cannot be read.
    pub async fn open_ticket_request(
        &self,
        wallet: &str,
    ) -> Result<Option<TicketRequest>, StoreError> {
        let mut tx = self.db().read().await?;
        let row = open_row(&mut tx, wallet).await?;
        tx.end().await?;
        Ok(row.and_then(|row| match row.status {
            TicketStatus::Open { waits_for } => Some(TicketRequest {
                id: row.id,
                count: row.count,
                waits_for,
            }),
            TicketStatus::Made { .. } | TicketStatus::Refused { .. } => None,
        }))
    }
}

const COLUMNS: &str = "id, tickets, asked_at, status, reason, tx_hash";

async fn open_row(tx: &mut Tx, wallet: &str) -> Result<Option<TicketRow>, StoreError> {
    let sql =
        format!("select {COLUMNS} from ticket_requests where wallet = $1 and status = 'open'");
    let row = tx.fetch_optional(sql, vec![wallet.into()]).await?;
    row.as_ref().map(decode).transpose()
}

/// Writes what came of requests. That the ledger made the tickets stands whatever was said before.
pub(super) async fn tell(
    tx: &mut Tx,
    news: &[(TicketRequestId, RequestNews)],
    now: UnixMs,
) -> Result<(), StoreError> {
    for (id, news) in news {
        let (status, reason, hash, which) = match news {
            RequestNews::Waits(why) => ("open", Some(why.as_str()), None, "status = 'open'"),
            RequestNews::Refused(why) => ("refused", Some(why.as_str()), None, "status = 'open'"),
            RequestNews::Made(hash) => ("made", None, Some(hash.0), "status <> 'made'"),
        };
        let settled_at = (status != "open").then_some(now.0);
        tx.execute(
            format!(
                "update ticket_requests set status = $2, reason = $3, tx_hash = $4, \
                 settled_at = $5 where id = $1 and {which}"
            ),
            vec![
                id.0.into(),
                status.into(),
                reason.into(),
                hash.into(),
                settled_at.into(),
            ],
        )
        .await?;
    }
    Ok(())
}

fn decode(row: &Row) -> Result<TicketRow, StoreError> {
    let id = row.uint("id")?;
    let reason = row.text_or_null("reason")?;
    let hash = match row.blob_or_null("tx_hash")? {
        Some(_) => Some(TxHash(row.hash("tx_hash")?)),
        None => None,
    };
    let status = match (row.text("status")?.as_str(), reason, hash) {
        ("open", waits_for, None) => TicketStatus::Open { waits_for },
        ("made", None, Some(hash)) => TicketStatus::Made { hash },
        ("refused", Some(reason), None) => TicketStatus::Refused { reason },
        (status, _, _) => {
            let what = format!("ticket request {id}");
            return Err(StoreError::corrupt(what, format!("its status {status}")));
        }
    };
    Ok(TicketRow {
        id: TicketRequestId(id),
        count: row.uint("tickets")?,
        asked_at: UnixMs(row.int("asked_at")?),
        status,
    })
}
