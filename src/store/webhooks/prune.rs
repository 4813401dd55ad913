//! The log of deliveries is kept for a while and then cleared away, a bounded number at a time, so that
//! no clearing holds up what is written beside it.

use super::deliveries::IDS;
use crate::store::Store;
use crate::store::db::{Tx, Value};
use crate::store::error::StoreError;
use xrpayd_core::ids::{DeliveryId, UnixMs};

impl Store {
    /// Clears away at most `most` deliveries that ended and were laid out before `before`, or whose
    /// endpoint was deleted; returns how many it were.
    ///
    /// # Errors
    /// The database could not write.
    pub async fn prune_deliveries(&self, before: UnixMs, most: u32) -> Result<usize, StoreError> {
        let first_kept = DeliveryId(u128::from(u64::try_from(before.0).unwrap_or(0)) << 80);
        let mut tx = self.db().write().await?;
        let old = tx
            .fetch(
                "select id, message_id from webhook_deliveries where id < $1 and state <> 'pending' \
                 order by id limit $2",
                vec![first_kept.to_string().into(), most.into()],
            )
            .await?;
        let orphaned = tx
            .fetch(
                "select d.id, d.message_id from webhook_deliveries d where d.endpoint_id in (\
                 select id from webhook_endpoints where status = 'deleted') limit $1",
                vec![most.into()],
            )
            .await?;
        let (mut ids, mut messages) = (Vec::new(), Vec::new());
        for row in old.iter().chain(&orphaned) {
            ids.push(vec![Value::from(row.text("id")?)]);
            messages.push(vec![Value::from(row.text("message_id")?)]);
        }
        let count = ids.len();
        clear(&mut tx, ids, messages).await?;
        // An endpoint whose log is gone is gone altogether.
        let bare = "delete from webhook_endpoints where status = 'deleted' and not exists (\
            select 1 from webhook_deliveries d where d.endpoint_id = webhook_endpoints.id)";
        tx.execute(bare, Vec::new()).await?;
        tx.commit().await?;
        Ok(count)
    }
}

async fn clear(
    tx: &mut Tx,
    ids: Vec<Vec<Value>>,
    messages: Vec<Vec<Value>>,
) -> Result<(), StoreError> {
    let statement = "delete from webhook_attempts where delivery_id in (select id from v)";
    tx.execute_with(IDS, ids.clone(), statement).await?;
    let statement = "delete from webhook_deliveries where id in (select id from v)";
    tx.execute_with(IDS, ids, statement).await?;
    let statement = "delete from webhook_messages where id in (select id from v) and not exists (\
        select 1 from webhook_deliveries d where d.message_id = webhook_messages.id)";
    tx.execute_with(IDS, messages, statement).await?;
    Ok(())
}
