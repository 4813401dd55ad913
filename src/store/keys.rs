//! API keys: only the hash of a secret is ever stored. Who made or ended one is in the audit log.

use super::Store;
use super::audit::{self, Actor, Audited};
use super::db::Row;
use super::error::StoreError;
use crate::rfc3339::Rfc3339;
use serde_json::{Value as Json, json};
use xrpayd_core::ids::UnixMs;

const COLUMNS: &str = "id, client, secret_hash, scopes, cidrs, require_signature, created_at, \
    expires_at, revoked_at";

/// An API key that is to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewKey {
    /// The public part of the key.
    pub id: String,
    /// The name of the client that it speaks for.
    pub client: String,
    /// The hash of the secret part.
    pub secret_hash: [u8; 32],
    /// What it may do.
    pub scopes: Vec<String>,
    /// Where it may be used from; empty is anywhere.
    pub cidrs: Vec<String>,
    /// When it ends, where it does.
    pub expires_at: Option<UnixMs>,
    /// When it is made.
    pub created_at: UnixMs,
    /// Whether its requests must be signed.
    pub require_signature: bool,
}

/// An API key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiKey {
    /// The public part of the key.
    pub id: String,
    /// The name of the client that it speaks for.
    pub client: String,
    /// The hash of the secret part.
    pub secret_hash: [u8; 32],
    /// What it may do.
    pub scopes: Vec<String>,
    /// Where it may be used from; empty is anywhere.
    pub cidrs: Vec<String>,
    /// When it ends, where it does.
    pub expires_at: Option<UnixMs>,
    /// When it was made.
    pub created_at: UnixMs,
    /// When it was revoked, where it was.
    pub revoked_at: Option<UnixMs>,
    /// Whether its requests must be signed.
    pub require_signature: bool,
}

impl Store {
    /// Writes a new key, which `actor` makes.
    ///
    /// # Errors
    /// The id is taken, or the database does not answer.
    pub async fn create_key(&self, key: &NewKey, actor: &Actor) -> Result<(), StoreError> {
        let mut tx = self.db().write().await?;
        tx.execute(
            "insert into api_keys (id, client, secret_hash, scopes, cidrs, require_signature, \
             created_at, expires_at) values ($1, $2, $3, $4, $5, $6, $7, $8)",
            vec![
                key.id.as_str().into(),
                key.client.as_str().into(),
                key.secret_hash.into(),
                list_text(&key.id, &key.scopes)?.into(),
                list_text(&key.id, &key.cidrs)?.into(),
                key.require_signature.into(),
                key.created_at.0.into(),
                key.expires_at.map(|at| at.0).into(),
            ],
        )
        .await?;
        let made = Audited {
            at: key.created_at,
            actor: actor.clone(),
            action: "key.created",
            object: key.id.clone(),
            data: json!({
                "client": key.client,
                "scopes": key.scopes,
                "cidrs": key.cidrs,
                "require_signature": key.require_signature,
                "expires_at": key.expires_at.map(Rfc3339),
            }),
        };
        audit::note(&mut tx, vec![made]).await?;
        tx.commit().await
    }

    /// Every key, oldest first, revoked ones too.
    ///
    /// # Errors
    /// The database does not answer, or holds a key that cannot be read.
    pub async fn list_keys(&self) -> Result<Vec<ApiKey>, StoreError> {
        let mut tx = self.db().read().await?;
        let sql = format!("select {COLUMNS} from api_keys order by created_at, id");
        let rows = tx.fetch(sql, Vec::new()).await?;
        tx.end().await?;
        rows.iter().map(decode).collect()
    }

    /// Revokes a key, by `actor`; `false` where there is no such key that is not revoked already.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn revoke_key(
        &self,
        id: &str,
        actor: &Actor,
        now: UnixMs,
    ) -> Result<bool, StoreError> {
        let mut tx = self.db().write().await?;
        let revoke = "update api_keys set revoked_at = $2 where id = $1 and revoked_at is null \
            returning client, scopes";
        let row = tx
            .fetch_optional(revoke, vec![id.into(), now.0.into()])
            .await?;
        let Some(row) = row else {
            tx.end().await?;
            return Ok(false);
        };
        let revoked = Audited {
            at: now,
            actor: actor.clone(),
            action: "key.revoked",
            object: id.to_owned(),
            data: json!({ "client": row.text("client")?, "scopes": as_found(row.text("scopes")?) }),
        };
        audit::note(&mut tx, vec![revoked]).await?;
        tx.commit().await?;
        Ok(true)
    }

    /// The key with this public part, revoked or not.
    ///
    /// # Errors
    /// The database does not answer, or holds a key that cannot be read.
    pub async fn find_key(&self, id: &str) -> Result<Option<ApiKey>, StoreError> {
        if id.contains('\0') {
            return Ok(None);
        }
        let mut tx = self.db().read().await?;
        let sql = format!("select {COLUMNS} from api_keys where id = $1");
        let row = tx.fetch_optional(sql, vec![id.into()]).await?;
        tx.end().await?;
        row.as_ref().map(decode).transpose()
    }
}

/// A list as it stands in the database. One that cannot be read is told as it is: a key is ended all the
/// same.
fn as_found(text: String) -> Json {
    serde_json::from_str(&text).unwrap_or(Json::String(text))
}

fn list_text(key: &str, list: &[String]) -> Result<String, StoreError> {
    serde_json::to_string(list)
        .map_err(|error| StoreError::corrupt(format!("API key {key}"), error.to_string()))
}

fn decode(row: &Row) -> Result<ApiKey, StoreError> {
    let id = row.text("id")?;
    let list = |column: &str| -> Result<Vec<String>, StoreError> {
        serde_json::from_str(&row.text(column)?).map_err(|error| {
            StoreError::corrupt(format!("API key {id}"), format!("{column}: {error}"))
        })
    };
    let require_signature = match row.int("require_signature")? {
        0 => false,
        1 => true,
        other => {
            let why = format!("require_signature is {other}");
            return Err(StoreError::corrupt(format!("API key {id}"), why));
        }
    };
    Ok(ApiKey {
        client: row.text("client")?,
        secret_hash: row.hash("secret_hash")?,
        scopes: list("scopes")?,
        cidrs: list("cidrs")?,
        expires_at: row.int_or_null("expires_at")?.map(UnixMs),
        created_at: UnixMs(row.int("created_at")?),
        revoked_at: row.int_or_null("revoked_at")?.map(UnixMs),
        require_signature,
        id,
    })
}
