//! The emergency stop: which scopes are paused, by whom and why.
//!
//! Owns the table `pauses`. What a pause stops is read where it binds, in the transaction that would
//! begin something: an accept reads it under the lock of the limits' row, and a commit that signs
//! anew under the lock of its wallet's row. A pause takes both locks first, so whatever commits after
//! its answer has seen it, and whatever had begun before is committed before that answer.
//!
//! On failure nothing is begun: a table that cannot be read, or that lacks the row it was made with,
//! is [`StoreError::PausesUnreadable`], which counts as a pause of everything.

use super::audit::{self, Actor, Audited};
use super::db::{Row, Tx};
use super::error::{CommitError, StoreError};
use super::events::{self, HOUSE, News};
use super::hints::Hint;
use super::{Store, retry};
use crate::rfc3339::Rfc3339;
use serde_json::{Value as Json, json};
use std::sync::Arc;
use xrpayd_core::ids::UnixMs;
use xrpayd_core::pause::Scope;

/// A pause that is in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pause {
    /// What is paused.
    pub scope: Scope,
    /// Why, where a reason was given.
    pub reason: Option<String>,
    /// Who paused it: `key:<id>`, `cli:<uid>`, with the name that was given, or `daemon`.
    pub by: String,
    /// Since when.
    pub at: UnixMs,
}

impl Pause {
    /// It as it is shown.
    #[must_use]
    pub fn document(&self) -> Json {
        json!({
            "scope": self.scope.to_string(),
            "reason": self.reason,
            "by": self.by,
            "since": Rfc3339(self.at).to_string(),
        })
    }
}

/// What came of the wish to pause or to resume.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Switched {
    /// Whether anything changed: what is paused already, or is not paused, stays as it is.
    pub changed: bool,
    /// Everything that is paused now.
    pub pauses: Vec<Pause>,
}

/// Which way a switch is to go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Pause,
    Resume,
}

const CHANGE: &str = "insert into pauses (scope, in_force, reason, actor, at, version) \
    values ($1, 1, $2, $3, $4, 1) on conflict (scope) do update set in_force = 1, \
    reason = excluded.reason, actor = excluded.actor, at = excluded.at, \
    version = pauses.version + 1 where pauses.in_force = 0 returning version";

const TAKE_BACK: &str = "update pauses set in_force = 0, reason = $2, actor = $3, at = $4, \
    version = version + 1 where scope = $1 and in_force = 1 returning version";

/// Everything that is in force, as of this transaction; the widest scopes first.
pub(super) async fn in_force(tx: &mut Tx) -> Result<Vec<Pause>, StoreError> {
    let sql = "select scope, in_force, reason, actor, at from pauses order by scope";
    let read = tx.fetch(sql, Vec::new()).await;
    match read.and_then(|rows| decode_all(&rows)) {
        Err(error) if !error.retryable() => Err(StoreError::PausesUnreadable(Arc::new(error))),
        other => other,
    }
}

fn decode_all(rows: &[Row]) -> Result<Vec<Pause>, StoreError> {
    let (mut found, mut is_whole) = (Vec::new(), false);
    for row in rows {
        let text = row.text("scope")?;
        let bad = |why: String| StoreError::corrupt(format!("a pause of {text}"), why);
        let scope: Scope = text
            .parse()
            .map_err(|why| bad(format!("its scope {why}")))?;
        is_whole |= scope == Scope::All;
        match row.int("in_force")? {
            0 => continue,
            1 => {}
            other => return Err(bad(format!("in_force is {other}"))),
        }
        let missing = |what: &str| bad(format!("it lacks its {what}"));
        found.push(Pause {
            reason: row.text_or_null("reason")?,
            by: row.text_or_null("actor")?.ok_or_else(|| missing("actor"))?,
            at: UnixMs(row.int_or_null("at")?.ok_or_else(|| missing("time"))?),
            scope,
        });
    }
    if is_whole {
        Ok(found)
    } else {
        Err(StoreError::corrupt(
            "the pauses",
            "their first row is missing",
        ))
    }
}

/// The pause that stops a wallet's payments; the widest, which comes first.
pub(super) fn stopping<'a>(pauses: &'a [Pause], wallet: &str) -> Option<&'a Pause> {
    pauses.iter().find(|pause| pause.scope.stops_wallet(wallet))
}

/// Refuses to begin something for a wallet that is halted or paused, as is read under the lock of its
/// row. An engine hears of a halt by another hand; what it does not hear it meets here.
pub(super) async fn refuse_signing(tx: &mut Tx, wallet: &str) -> Result<(), CommitError> {
    let lock = tx.for_update();
    let sql = format!("select halted_reason from wallets where name = $1{lock}");
    let row = tx.fetch_optional(sql, vec![wallet.into()]).await?;
    let halted = row.map_or(Ok(None), |row| row.text_or_null("halted_reason"))?;
    if halted.is_some() {
        return Err(CommitError::Halted);
    }
    let pauses = in_force(tx).await?;
    match stopping(&pauses, wallet) {
        Some(_) => Err(CommitError::Paused),
        None => Ok(()),
    }
}

impl Store {
    /// Everything that is paused.
    ///
    /// # Errors
    /// The database does not answer, or what is paused cannot be read: then everything is.
    pub async fn pauses(&self) -> Result<Vec<Pause>, StoreError> {
        let mut tx = self.db().read().await?;
        let found = in_force(&mut tx).await?;
        tx.end().await?;
        Ok(found)
    }

    /// Pauses a scope. Once this is answered nothing that the scope stops is begun by any process on
    /// this database. A scope that is paused already stays as it is.
    ///
    /// # Errors
    /// The database could not write; the same again tells whether it did.
    pub async fn pause(
        &self,
        scope: &Scope,
        reason: Option<&str>,
        by: &Actor,
        now: UnixMs,
    ) -> Result<Switched, StoreError> {
        self.switch(Way::Pause, scope, reason, by, now).await
    }

    /// Takes the pause of a scope back; pauses of other scopes stay. Nothing changes where it is not
    /// paused.
    ///
    /// # Errors
    /// The database could not write; the same again tells whether it did.
    pub async fn resume(
        &self,
        scope: &Scope,
        reason: Option<&str>,
        by: &Actor,
        now: UnixMs,
    ) -> Result<Switched, StoreError> {
        self.switch(Way::Resume, scope, reason, by, now).await
    }

    async fn switch(
        &self,
        way: Way,
        scope: &Scope,
        reason: Option<&str>,
        by: &Actor,
        now: UnixMs,
    ) -> Result<Switched, StoreError> {
        if reason.is_some_and(|reason| reason.contains('\0')) {
            let field = "the reason";
            return Err(StoreError::NulInText { field });
        }
        // Done twice it is done once, so a commit without an answer is no reason to stop.
        let worth = |error: &StoreError| error.is_contention() || error.effect_unknown();
        retry::again_if(worth, || self.switch_once(way, scope, reason, by, now)).await
    }

    async fn switch_once(
        &self,
        way: Way,
        scope: &Scope,
        reason: Option<&str>,
        by: &Actor,
        now: UnixMs,
    ) -> Result<Switched, StoreError> {
        let mut tx = self.db().write().await?;
        if way == Way::Pause {
            hold_what_begins(&mut tx, scope).await?;
        }
        let before = in_force(&mut tx).await?;
        let sql = match way {
            Way::Pause => CHANGE,
            Way::Resume => TAKE_BACK,
        };
        let values = vec![
            scope.to_string().into(),
            reason.map(str::to_owned).into(),
            by.to_string().into(),
            now.0.into(),
        ];
        let Some(row) = tx.fetch_optional(sql, values).await? else {
            tx.end().await?;
            let (changed, pauses) = (false, before);
            return Ok(Switched { changed, pauses });
        };
        let version = row.uint("version")?;
        let pauses = in_force(&mut tx).await?;
        let was = before.iter().find(|pause| pause.scope == *scope);
        let audited = Audited {
            at: now,
            actor: by.clone(),
            action: way.action(),
            object: scope.to_string(),
            data: json!({
                "reason": reason,
                "before": was.map(Pause::document),
                "in_force": pauses.iter().map(Pause::document).collect::<Vec<_>>(),
            }),
        };
        audit::note(&mut tx, vec![audited]).await?;
        let told = News {
            object: "service",
            object_id: scope.to_string(),
            client: HOUSE.to_owned(),
            version,
            type_: way.kind().to_owned(),
            at: now,
            data: json!({
                "scope": scope.to_string(),
                "paused": way == Way::Pause,
                "reason": reason,
                "at": Rfc3339(now).to_string(),
            }),
        };
        events::tell(&mut tx, vec![told]).await?;
        tx.will_hint(Hint::Switches);
        tx.commit().await?;
        let changed = true;
        Ok(Switched { changed, pauses })
    }
}

impl Way {
    const fn kind(self) -> &'static str {
        match self {
            Self::Pause => "service.paused",
            Self::Resume => "service.resumed",
        }
    }

    const fn action(self) -> &'static str {
        match self {
            Self::Pause => "pause",
            Self::Resume => "resume",
        }
    }
}

/// Waits until nothing that the scope stops is being begun, and lets nothing begin before the pause is
/// committed.
async fn hold_what_begins(tx: &mut Tx, scope: &Scope) -> Result<(), StoreError> {
    let lock = tx.for_update();
    let (which, values) = match scope.wallet() {
        Some(wallet) => (" where name = $1", vec![wallet.into()]),
        None => ("", Vec::new()),
    };
    let wallets = format!("select name from wallets{which} order by name{lock}");
    tx.fetch(wallets, values).await?;
    let limits = format!("select scope from limit_state where scope = 'all'{lock}");
    tx.fetch(limits, Vec::new()).await?;
    Ok(())
}
