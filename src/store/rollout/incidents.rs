//! What people and their alerting report: incidents of security, and alerts that somebody has to
//! acknowledge. Kept for ever, because a promotion was granted by them.

use crate::store::Store;
use crate::store::audit::{self, Actor, Audited};
use crate::store::db::Row;
use crate::store::error::StoreError;
use serde_json::json;
use xrpayd_core::ids::UnixMs;

/// What kind of thing was reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IncidentKind {
    /// Somebody did, saw or could have done what he must not.
    Security,
    /// An alert was raised; closing it acknowledges it.
    Alert,
}

impl IncidentKind {
    /// Every kind.
    pub const ALL: [Self; 2] = [Self::Security, Self::Alert];

    /// Its word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Security => "security",
            Self::Alert => "alert",
        }
    }
}

/// Something that was reported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Incident {
    /// Its number.
    pub number: i64,
    /// What kind it is.
    pub kind: IncidentKind,
    /// What happened, in a person's words.
    pub summary: String,
    /// When it was reported.
    pub reported_at: UnixMs,
    /// By whom.
    pub reported_by: String,
    /// When it was closed, by whom, and what that person said, where it was.
    pub closed: Option<(UnixMs, String, Option<String>)>,
}

/// What came of closing an incident.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Closing {
    /// It is closed now.
    Closed(Incident),
    /// It was closed before, and stays as it was.
    WasClosed(Incident),
    /// There is none of that number.
    NotFound,
}

const COLUMNS: &str = "number, kind, summary, reported_at, reported_by, closed_at, closed_by, note";

impl Store {
    /// Writes an incident down.
    ///
    /// # Errors
    /// The database could not write, or cannot hold the text.
    pub async fn report_incident(
        &self,
        kind: IncidentKind,
        summary: &str,
        by: &Actor,
        now: UnixMs,
    ) -> Result<Incident, StoreError> {
        refuse_nul(summary)?;
        let mut tx = self.db().write().await?;
        let sql = format!(
            "insert into rollout_incidents (kind, summary, reported_at, reported_by) \
             values ($1, $2, $3, $4) returning {COLUMNS}"
        );
        let values = vec![
            kind.as_str().into(),
            summary.into(),
            now.0.into(),
            by.to_string().into(),
        ];
        let row = tx.fetch_optional(sql, values).await?;
        let row = row.ok_or_else(|| StoreError::corrupt("an incident", "it is no row"))?;
        let incident = decode(&row)?;
        let entry = audited(&incident, "incident.reported", by, now);
        audit::note(&mut tx, vec![entry]).await?;
        tx.commit().await?;
        Ok(incident)
    }

    /// Closes an incident; of an alert that is its acknowledgement.
    ///
    /// # Errors
    /// The database could not write, or cannot hold the text.
    pub async fn close_incident(
        &self,
        number: i64,
        note: Option<&str>,
        by: &Actor,
        now: UnixMs,
    ) -> Result<Closing, StoreError> {
        refuse_nul(note.unwrap_or_default())?;
        let mut tx = self.db().write().await?;
        let sql = format!(
            "update rollout_incidents set closed_at = $2, closed_by = $3, note = $4 \
             where number = $1 and closed_at is null returning {COLUMNS}"
        );
        let values = vec![
            number.into(),
            now.0.into(),
            by.to_string().into(),
            note.map(str::to_owned).into(),
        ];
        if let Some(row) = tx.fetch_optional(sql, values).await? {
            let incident = decode(&row)?;
            let entry = audited(&incident, "incident.closed", by, now);
            audit::note(&mut tx, vec![entry]).await?;
            tx.commit().await?;
            return Ok(Closing::Closed(incident));
        }
        let sql = format!("select {COLUMNS} from rollout_incidents where number = $1");
        let row = tx.fetch_optional(sql, vec![number.into()]).await?;
        tx.end().await?;
        match row {
            Some(row) => Ok(Closing::WasClosed(decode(&row)?)),
            None => Ok(Closing::NotFound),
        }
    }

    /// The newest incidents, the newest first.
    ///
    /// # Errors
    /// The database does not answer, or holds one that cannot be read.
    pub async fn incidents(&self, limit: u32) -> Result<Vec<Incident>, StoreError> {
        let mut tx = self.db().read().await?;
        let sql = format!("select {COLUMNS} from rollout_incidents order by number desc limit $1");
        let rows = tx.fetch(sql, vec![limit.into()]).await?;
        tx.end().await?;
        rows.iter().map(decode).collect()
    }
}

fn refuse_nul(text: &str) -> Result<(), StoreError> {
    let field = "text of an incident";
    match text.contains('\0') {
        true => Err(StoreError::NulInText { field }),
        false => Ok(()),
    }
}

fn audited(incident: &Incident, action: &'static str, by: &Actor, now: UnixMs) -> Audited {
    let note = incident
        .closed
        .as_ref()
        .and_then(|closed| closed.2.as_deref());
    Audited {
        at: now,
        actor: by.clone(),
        action,
        object: incident.number.to_string(),
        data: json!({
            "kind": incident.kind.as_str(),
            "summary": incident.summary,
            "note": note,
        }),
    }
}

fn decode(row: &Row) -> Result<Incident, StoreError> {
    let number = row.int("number")?;
    let bad = |why: String| StoreError::corrupt(format!("incident {number}"), why);
    let kind = row.text("kind")?;
    let found = IncidentKind::ALL
        .into_iter()
        .find(|one| one.as_str() == kind);
    let closed_at = row.int_or_null("closed_at")?.map(UnixMs);
    let closed = closed_at.zip(row.text_or_null("closed_by")?);
    let note = row.text_or_null("note")?;
    Ok(Incident {
        number,
        kind: found.ok_or_else(|| bad(format!("it is of the kind {kind}")))?,
        summary: row.text("summary")?,
        reported_at: UnixMs(row.int("reported_at")?),
        reported_by: row.text("reported_by")?,
        closed: closed.map(|(at, by)| (at, by, note)),
    })
}
