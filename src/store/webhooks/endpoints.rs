//! Endpoints: made, looked at, changed, rotated, deleted, and told of the past once more.

use super::endpoint::{
    COLUMNS, Disabled, Endpoint, EndpointChange, EndpointStatus, NewEndpoint, OBJECT, Reach, decode,
};
use super::{Walked, json_list};
use crate::rfc3339::Rfc3339;
use crate::store::Store;
use crate::store::audit::{self, Actor, Audited};
use crate::store::db::Tx;
use crate::store::error::StoreError;
use crate::store::events::{self, News};
use serde_json::{Value as Json, json};
use xrpayd_core::ids::{EndpointId, UnixMs};

impl Store {
    /// Makes an endpoint, as `actor`, which is told of everything from now on; `None` where its client has `most`
    /// of them already.
    ///
    /// # Errors
    /// The database could not write.
    pub async fn create_endpoint(
        &self,
        new: &NewEndpoint,
        most: u32,
        actor: &Actor,
    ) -> Result<Option<Endpoint>, StoreError> {
        let mut tx = self.db().write().await?;
        let count =
            "select count(*) as n from webhook_endpoints where client = $1 and status <> 'deleted'";
        let row = tx
            .fetch_optional(count, vec![new.client.as_str().into()])
            .await?;
        if row.map_or(Ok(0), |row| row.int("n"))? >= i64::from(most) {
            tx.end().await?;
            return Ok(None);
        }
        let end = events::end(&mut tx).await?;
        let sql = format!(
            "insert into webhook_endpoints (id, client, all_clients, url, events, description, status, \
             secret, told_through, recover_delivered, version, created_at, updated_at) \
             values ($1, $2, $3, $4, $5, $6, 'enabled', $7, $8, 0, 1, $9, $9) returning {COLUMNS}"
        );
        let values = vec![
            new.id.to_string().into(),
            new.client.as_str().into(),
            (new.reach == Reach::All).into(),
            new.url.as_str().into(),
            json_list(&new.events).into(),
            new.description.clone().into(),
            new.secret.clone().into(),
            end.into(),
            new.now.0.into(),
        ];
        let made = tx.fetch_optional(sql, values).await?;
        let made = made.as_ref().map(decode).transpose()?;
        if let Some(made) = &made {
            let data = (json!({ "after": standing(made) }), actor);
            let entry = noted(made, "webhook_endpoint.created", data, new.now);
            audit::note(&mut tx, entry).await?;
        }
        tx.commit().await?;
        Ok(made)
    }

    /// An endpoint, unless it was deleted.
    ///
    /// # Errors
    /// The database does not answer, or holds an endpoint that cannot be read.
    pub async fn endpoint(&self, id: EndpointId) -> Result<Option<Endpoint>, StoreError> {
        let mut tx = self.db().read().await?;
        let sql = format!(
            "select {COLUMNS} from webhook_endpoints where id = $1 and status <> 'deleted'"
        );
        let row = tx.fetch_optional(sql, vec![id.to_string().into()]).await?;
        tx.end().await?;
        row.as_ref().map(decode).transpose()
    }

    /// The endpoints of a client, or of all, the newest first, from before `cursor` on.
    ///
    /// # Errors
    /// The database does not answer, or holds an endpoint that cannot be read.
    pub async fn endpoints(
        &self,
        client: Option<&str>,
        cursor: Option<EndpointId>,
        limit: u32,
    ) -> Result<Walked<Endpoint>, StoreError> {
        let before = cursor.map_or_else(|| "~".to_owned(), |id| id.to_string());
        let mut values = vec![before.into(), limit.saturating_add(1).into()];
        let of_client = match client {
            Some(client) => {
                values.push(client.into());
                " and client = $3"
            }
            None => "",
        };
        let sql = format!(
            "select {COLUMNS} from webhook_endpoints where id < $1 and status <> 'deleted'{of_client} \
             order by id desc limit $2"
        );
        let mut tx = self.db().read().await?;
        let rows = tx.fetch(sql, values).await?;
        tx.end().await?;
        let found = rows.iter().map(decode).collect::<Result<Vec<_>, _>>()?;
        Ok(Walked::of(found, limit))
    }

    /// Changes an endpoint; `None` where there is none. One that is enabled goes on where it stood.
    ///
    /// # Errors
    /// The database could not write.
    pub async fn change_endpoint(
        &self,
        id: EndpointId,
        change: &EndpointChange,
        actor: &Actor,
        now: UnixMs,
    ) -> Result<Option<Endpoint>, StoreError> {
        let mut tx = self.db().write().await?;
        let Some(before) = locked(&mut tx, id).await? else {
            tx.end().await?;
            return Ok(None);
        };
        let status = match (change.enabled, before.status) {
            (Some(true), _) | (None, EndpointStatus::Enabled) => EndpointStatus::Enabled,
            (Some(false), EndpointStatus::Enabled) => EndpointStatus::Disabled {
                why: Disabled::Requested,
                at: now,
            },
            (_, disabled @ EndpointStatus::Disabled { .. }) => disabled,
        };
        let is_enabled_anew =
            status == EndpointStatus::Enabled && before.status != EndpointStatus::Enabled;
        let (word, why, at) = match status {
            EndpointStatus::Enabled => ("enabled", None, None),
            EndpointStatus::Disabled { why, at } => {
                ("disabled", Some(why.as_str().to_owned()), Some(at.0))
            }
        };
        // One that is enabled anew, or has moved, is judged anew.
        let fresh = is_enabled_anew || change.url.as_ref().is_some_and(|url| *url != before.url);
        let forget = if fresh {
            ", failing_since = null, last_failure_at = null, resting_until = null"
        } else {
            ""
        };
        let sql = format!(
            "update webhook_endpoints set url = $2, events = $3, description = $4, status = $5, \
             disabled_reason = $6, disabled_at = $7, updated_at = $8, version = version + 1{forget} \
             where id = $1 returning {COLUMNS}"
        );
        let values = vec![
            id.to_string().into(),
            change.url.as_ref().unwrap_or(&before.url).as_str().into(),
            json_list(change.events.as_ref().unwrap_or(&before.events)).into(),
            change
                .description
                .clone()
                .unwrap_or_else(|| before.description.clone())
                .into(),
            word.into(),
            why.into(),
            at.into(),
            now.0.into(),
        ];
        let row = tx.fetch_optional(sql, values).await?;
        let after = row.as_ref().map(decode).transpose()?;
        if let Some(after) = &after {
            let data = json!({ "before": standing(&before), "after": standing(after) });
            let entry = noted(after, "webhook_endpoint.changed", (data, actor), now);
            audit::note(&mut tx, entry).await?;
        }
        tx.commit().await?;
        Ok(after)
    }

    /// Puts a new sealed secret in the place of the old, which signs as well until `old_until`; `None`
    /// where there is no such endpoint.
    ///
    /// # Errors
    /// The database could not write.
    pub async fn rotate_endpoint_secret(
        &self,
        id: EndpointId,
        secret: &[u8],
        old_until: Option<UnixMs>,
        actor: &Actor,
        now: UnixMs,
    ) -> Result<Option<Endpoint>, StoreError> {
        let mut tx = self.db().write().await?;
        let old = if old_until.is_some() {
            "secret"
        } else {
            "null"
        };
        let sql = format!(
            "update webhook_endpoints set old_secret = {old}, secret = $2, old_secret_until = $3, \
             updated_at = $4, version = version + 1 \
             where id = $1 and status <> 'deleted' returning {COLUMNS}"
        );
        let values = vec![
            id.to_string().into(),
            secret.to_vec().into(),
            old_until.map(|at| at.0).into(),
            now.0.into(),
        ];
        let row = tx.fetch_optional(sql, values).await?;
        let after = row.as_ref().map(decode).transpose()?;
        if let Some(after) = &after {
            let data = json!({ "old_secret_until": old_until.map(Rfc3339) });
            let entry = noted(after, "webhook_endpoint.secret_rotated", (data, actor), now);
            audit::note(&mut tx, entry).await?;
        }
        tx.commit().await?;
        Ok(after)
    }

    /// Deletes an endpoint; whether there was one. What was on its way to it is dropped, and its log is
    /// cleared away bit by bit.
    ///
    /// # Errors
    /// The database could not write.
    pub async fn delete_endpoint(
        &self,
        id: EndpointId,
        actor: &Actor,
        now: UnixMs,
    ) -> Result<bool, StoreError> {
        let mut tx = self.db().write().await?;
        let Some(before) = locked(&mut tx, id).await? else {
            tx.end().await?;
            return Ok(false);
        };
        let sql = "update webhook_endpoints set status = 'deleted', disabled_reason = null, \
            disabled_at = null, old_secret = null, old_secret_until = null, recover_after = null, \
            recover_through = null, updated_at = $2, version = version + 1 \
            where id = $1 and status <> 'deleted'";
        let values = vec![id.to_string().into(), now.0.into()];
        tx.execute(sql, values).await?;
        let data = (json!({ "before": standing(&before) }), actor);
        let entry = noted(&before, "webhook_endpoint.deleted", data, now);
        audit::note(&mut tx, entry).await?;
        tx.commit().await?;
        Ok(true)
    }

    /// Lays out for an endpoint once more what happened since an instant and is still in the feed;
    /// `None` where there is no such endpoint.
    ///
    /// # Errors
    /// The database could not write.
    pub async fn recover_endpoint(
        &self,
        id: EndpointId,
        since: UnixMs,
        delivered_too: bool,
        actor: &Actor,
        now: UnixMs,
    ) -> Result<Option<Endpoint>, StoreError> {
        let mut tx = self.db().write().await?;
        let sql = format!(
            "update webhook_endpoints set recover_after = 0, recover_through = told_through, \
             recover_since = $2, recover_delivered = $3, updated_at = $4, version = version + 1 \
             where id = $1 and status <> 'deleted' returning {COLUMNS}"
        );
        let values = vec![
            id.to_string().into(),
            since.0.into(),
            delivered_too.into(),
            now.0.into(),
        ];
        let row = tx.fetch_optional(sql, values).await?;
        let after = row.as_ref().map(decode).transpose()?;
        let data = json!({ "since": Rfc3339(since), "include_delivered": delivered_too });
        if let Some(after) = &after {
            let entry = noted(after, "webhook_endpoint.recovered", (data, actor), now);
            audit::note(&mut tx, entry).await?;
        }
        tx.commit().await?;
        Ok(after)
    }
}

/// What the audit log is told of an endpoint.
fn noted(
    endpoint: &Endpoint,
    action: &'static str,
    (mut data, actor): (Json, &Actor),
    at: UnixMs,
) -> Vec<Audited> {
    if let Some(fields) = data.as_object_mut() {
        fields.insert("client".to_owned(), endpoint.client.as_str().into());
    }
    vec![Audited {
        at,
        actor: actor.clone(),
        action,
        object: endpoint.id.to_string(),
        data,
    }]
}

/// What decides who is told of what. The query of a URL may hold a token, and is left out.
fn standing(endpoint: &Endpoint) -> Json {
    let url = endpoint.url.split(['?', '#']).next();
    json!({
        "url": url,
        "events": endpoint.events,
        "all_clients": endpoint.reach == Reach::All,
        "enabled": endpoint.status == EndpointStatus::Enabled,
        "description": endpoint.description,
    })
}

async fn locked(tx: &mut Tx, id: EndpointId) -> Result<Option<Endpoint>, StoreError> {
    let sql = format!(
        "select {COLUMNS} from webhook_endpoints where id = $1 and status <> 'deleted'{}",
        tx.for_update()
    );
    let row = tx.fetch_optional(sql, vec![id.to_string().into()]).await?;
    row.as_ref().map(decode).transpose()
}

/// Disables an endpoint that is enabled, and what is told of it.
pub(super) async fn disable(
    tx: &mut Tx,
    id: EndpointId,
    why: Disabled,
    now: UnixMs,
) -> Result<Option<News>, StoreError> {
    let sql = format!(
        "update webhook_endpoints set status = 'disabled', disabled_reason = $2, disabled_at = $3, \
         updated_at = $3, version = version + 1 where id = $1 and status = 'enabled' returning {COLUMNS}"
    );
    let values = vec![id.to_string().into(), why.as_str().into(), now.0.into()];
    let row = tx.fetch_optional(sql, values).await?;
    let Some(endpoint) = row.as_ref().map(decode).transpose()? else {
        return Ok(None);
    };
    Ok(Some(News {
        object: OBJECT,
        object_id: id.to_string(),
        client: endpoint.client.clone(),
        version: endpoint.version,
        type_: "webhook_endpoint.disabled".to_owned(),
        at: now,
        data: serde_json::to_value(endpoint.document()).map_err(|error| {
            StoreError::corrupt(format!("webhook endpoint {id}"), error.to_string())
        })?,
    }))
}
