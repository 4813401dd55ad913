//! API keys: only the hash of a secret is ever stored. Who made or ended one is in the audit log.

use super::Store;
use super::audit::{self, Actor, Audited};
use super::db::Row;
use super::error::StoreError;
use super::hints::Hint;
use crate::rfc3339::Rfc3339;
use serde_json::{Value as Json, json};
use xrpayd_core::ids::UnixMs;

const COLUMNS: &str = "id, client, secret_hash, previous_hash, previous_until, scopes, cidrs, \
    require_signature, per_minute, per_hour, reads_per_minute, created_at, rotated_at, expires_at, \
    revoked_at, last_used_at";

/// How often a key may be used, where that is not what the configuration says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct KeyLimits {
    /// Writes in any minute.
    pub per_minute: Option<u32>,
    /// Writes in any hour.
    pub per_hour: Option<u32>,
    /// Reads in any minute.
    pub reads_per_minute: Option<u32>,
}

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
    /// How often it may be used.
    pub limits: KeyLimits,
}

/// The secret that a key had before its last rotation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PreviousSecret {
    /// Its hash.
    pub hash: [u8; 32],
    /// Until when it holds beside the newer one.
    pub until: UnixMs,
}

/// A new secret for a key that stays what it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rotation<'a> {
    /// The key's public part.
    pub id: &'a str,
    /// The hash of the new secret part.
    pub secret_hash: [u8; 32],
    /// When it is rotated.
    pub at: UnixMs,
    /// Until when the old secret holds too.
    pub previous_until: UnixMs,
    /// When the key ends, where that changes.
    pub expires_at: Option<UnixMs>,
}

/// What came of a rotation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RotationOutcome {
    /// Done; this is the key as it was.
    Rotated(ApiKey),
    /// The key is revoked or expired, and stays that.
    Ended(ApiKey),
    /// There is no such key.
    NotFound,
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
    /// The secret that it had before, where it was rotated.
    pub previous: Option<PreviousSecret>,
    /// What it may do. Written when it is made and by nothing afterwards.
    pub scopes: Vec<String>,
    /// Where it may be used from; empty is anywhere.
    pub cidrs: Vec<String>,
    /// When it ends, where it does.
    pub expires_at: Option<UnixMs>,
    /// When it was made.
    pub created_at: UnixMs,
    /// When it was last given a new secret, where it was.
    pub rotated_at: Option<UnixMs>,
    /// When it was revoked, where it was.
    pub revoked_at: Option<UnixMs>,
    /// When it was last used, to a minute or two.
    pub last_used_at: Option<UnixMs>,
    /// Whether its requests must be signed.
    pub require_signature: bool,
    /// How often it may be used.
    pub limits: KeyLimits,
}

impl ApiKey {
    /// Whether it was revoked, or its time was up, at `now`.
    #[must_use]
    pub fn has_ended(&self, now: UnixMs) -> bool {
        let is_over = |at: Option<UnixMs>| at.is_some_and(|at| at <= now);
        is_over(self.revoked_at) || is_over(self.expires_at)
    }
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
             created_at, expires_at, per_minute, per_hour, reads_per_minute) \
             values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
            vec![
                key.id.as_str().into(),
                key.client.as_str().into(),
                key.secret_hash.into(),
                list_text(&key.id, &key.scopes)?.into(),
                list_text(&key.id, &key.cidrs)?.into(),
                key.require_signature.into(),
                key.created_at.0.into(),
                key.expires_at.map(|at| at.0).into(),
                key.limits.per_minute.into(),
                key.limits.per_hour.into(),
                key.limits.reads_per_minute.into(),
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
                "limits": limits_json(&key.limits),
            }),
        };
        audit::note(&mut tx, vec![made]).await?;
        tx.will_hint(Hint::Keys);
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

    /// Gives a key a new secret, by `actor`. Everything else of it stays: its id, and with that what it
    /// asked for and may not approve; its client, scopes and networks; what it has used of its limits.
    /// The secret before the one that is replaced ends now, if it had not ended yet.
    ///
    /// # Errors
    /// The database does not answer, or holds a key that cannot be read.
    pub async fn rotate_key(
        &self,
        rotation: &Rotation<'_>,
        actor: &Actor,
    ) -> Result<RotationOutcome, StoreError> {
        let mut tx = self.db().write().await?;
        let lock = tx.for_update();
        let sql = format!("select {COLUMNS} from api_keys where id = $1{lock}");
        let row = tx.fetch_optional(sql, vec![rotation.id.into()]).await?;
        let Some(key) = row.as_ref().map(decode).transpose()? else {
            tx.end().await?;
            return Ok(RotationOutcome::NotFound);
        };
        if key.has_ended(rotation.at) {
            tx.end().await?;
            return Ok(RotationOutcome::Ended(key));
        }
        let expires_at = rotation.expires_at.or(key.expires_at);
        tx.execute(
            "update api_keys set secret_hash = $2, previous_hash = $3, previous_until = $4, \
             rotated_at = $5, expires_at = $6 where id = $1",
            vec![
                rotation.id.into(),
                rotation.secret_hash.into(),
                key.secret_hash.into(),
                rotation.previous_until.0.into(),
                rotation.at.0.into(),
                expires_at.map(|at| at.0).into(),
            ],
        )
        .await?;
        let rotated = Audited {
            at: rotation.at,
            actor: actor.clone(),
            action: "key.rotated",
            object: key.id.clone(),
            data: json!({
                "client": key.client,
                "scopes": key.scopes,
                "old_secret_until": Rfc3339(rotation.previous_until),
                "expires_at": {
                    "before": key.expires_at.map(Rfc3339),
                    "after": expires_at.map(Rfc3339),
                },
            }),
        };
        audit::note(&mut tx, vec![rotated]).await?;
        tx.will_hint(Hint::Keys);
        tx.commit().await?;
        Ok(RotationOutcome::Rotated(key))
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
        tx.will_hint(Hint::Keys);
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

fn limits_json(limits: &KeyLimits) -> Json {
    json!({
        "per_minute": limits.per_minute,
        "per_hour": limits.per_hour,
        "reads_per_minute": limits.reads_per_minute,
    })
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
    let previous = match (
        row.blob_or_null("previous_hash")?,
        row.int_or_null("previous_until")?,
    ) {
        (None, None) => None,
        (Some(_), Some(until)) => Some(PreviousSecret {
            hash: row.hash("previous_hash")?,
            until: UnixMs(until),
        }),
        (Some(_), None) | (None, Some(_)) => {
            let why = "of its secret before there is one half";
            return Err(StoreError::corrupt(format!("API key {id}"), why));
        }
    };
    let time = |column| Ok::<_, StoreError>(row.int_or_null(column)?.map(UnixMs));
    Ok(ApiKey {
        client: row.text("client")?,
        secret_hash: row.hash("secret_hash")?,
        previous,
        scopes: list("scopes")?,
        cidrs: list("cidrs")?,
        expires_at: time("expires_at")?,
        created_at: UnixMs(row.int("created_at")?),
        rotated_at: time("rotated_at")?,
        revoked_at: time("revoked_at")?,
        last_used_at: time("last_used_at")?,
        require_signature,
        limits: KeyLimits {
            per_minute: row.uint_or_null("per_minute")?,
            per_hour: row.uint_or_null("per_hour")?,
            reads_per_minute: row.uint_or_null("reads_per_minute")?,
        },
        id,
    })
}
