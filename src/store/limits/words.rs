//! What the replicas' configurations say of limits, as they tell it to each other.
//!
//! A row a process. It is told when the process begins and whenever it reads its configuration again,
//! under the lock of the limits' row, and with it a number in that row grows: an accept that was placed by
//! other words is refused there and placed again. So what was tightened by one process holds for every
//! payment that any process accepts after that.
//!
//! A process that ends in order takes its word with it. The word of one that fell silent stands, because
//! nobody said otherwise: until a process of the same name begins in its place, any process is told to read
//! its configuration again, or the silent one is forgotten, after a day.
//!
//! A promotion loses what was told in a database's last moments, so each process holds its word against what
//! stands all the time, and says it again.
//!
//! A word that cannot be read is an error, and whoever reads the words goes on with none that is older.

use crate::store::db::{Row, Tx, Value};
use crate::store::error::StoreError;
use crate::store::lease::{exists, say_alive};
use crate::store::{Replica, Store};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use xrpayd_core::limits::{Caps, ScopeCaps, ScopeRules, Word};
use xrpayd_core::money::Drops;
use xrpayd_core::payment::ApprovalRule;

/// Whoever was not heard of for so long may be dead: two renewals of the longest lease that is configured
/// anywhere, with time to spare.
const SILENT_MS: i64 = 30_000;

/// Why a process tells its word, by which it is known whose words are over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Occasion {
    /// It begins: it takes the place of those of its name that fell silent.
    Begins,
    /// It was told to read its configuration again: the words of all who fell silent are over.
    Rereads,
}

/// What became of a word that was held against what stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holding {
    /// Nothing was to be done.
    Stood,
    /// It did not stand, and was told again.
    SaidAgain,
    /// It stood; what predecessors of its process said is over.
    PredecessorsEnded,
}

/// What one process says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// Which process.
    pub replica: String,
    /// Its name, as it is shown.
    pub name: String,
    /// What it says.
    pub word: Word,
}

/// What all of them say at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Words {
    /// Which words these are: an accept names it.
    pub version: u32,
    /// By process.
    pub told: Vec<Told>,
}

impl Words {
    /// Whether two of them say something else.
    #[must_use]
    pub fn differ(&self) -> bool {
        let mut words = self.told.iter().map(|told| &told.word);
        let first = words.next();
        words.any(|word| Some(word) != first)
    }
}

impl Store {
    /// Tells the others what this process's configuration says of limits: it holds for all from the
    /// commit on.
    ///
    /// # Errors
    /// The database could not write.
    pub async fn tell_limits(
        &self,
        replica: &Replica,
        word: &Word,
        occasion: Occasion,
    ) -> Result<(), StoreError> {
        let mut tx = self.db().write().await?;
        super::lock(&mut tx).await?;
        say_alive(&mut tx, replica).await?;
        say(&mut tx, replica, word).await?;
        match occasion {
            Occasion::Begins => end_predecessors(&mut tx, replica).await?,
            Occasion::Rereads => end_silent(&mut tx).await?,
        };
        changed(&mut tx).await?;
        tx.commit().await
    }

    /// Sees to it that this process's word stands: it is lost with the last moments of a database that a
    /// standby took the place of, and one that was told for a configuration that did not come into force
    /// stands instead. What one of its name said that was last heard of before this process began is over,
    /// as soon as it has been silent for long.
    ///
    /// # Errors
    /// The database does not answer, or a word makes no sense.
    pub async fn hold_limits(&self, replica: &Replica, word: &Word) -> Result<Holding, StoreError> {
        let mut tx = self.db().read().await?;
        let told = read_words(&mut tx).await?.told;
        let is_ours = |told: &&Told| told.replica == replica.id;
        let stands = told.iter().find(is_ours).map(|told| &told.word) == Some(word);
        let stood = stands && !has_predecessors(&mut tx, replica).await?;
        tx.end().await?;
        if stood {
            return Ok(Holding::Stood);
        }
        let mut tx = self.db().write().await?;
        super::lock(&mut tx).await?;
        if !stands {
            exists(&mut tx, replica).await?;
            say(&mut tx, replica, word).await?;
        }
        let ended = end_predecessors(&mut tx, replica).await?;
        let holding = match (stands, ended) {
            (false, _) => Holding::SaidAgain,
            (true, 0) => {
                tx.end().await?;
                return Ok(Holding::Stood);
            }
            (true, _) => Holding::PredecessorsEnded,
        };
        changed(&mut tx).await?;
        tx.commit().await?;
        Ok(holding)
    }

    /// What all processes say of limits.
    ///
    /// # Errors
    /// The database does not answer, or a word makes no sense.
    pub async fn limit_words(&self) -> Result<Words, StoreError> {
        let mut tx = self.db().read().await?;
        let words = read_words(&mut tx).await?;
        tx.end().await?;
        Ok(words)
    }
}

async fn read_words(tx: &mut Tx) -> Result<Words, StoreError> {
    let version = super::read_with(tx, "").await?.words;
    let sql = "select w.replica, r.name, w.word from limit_words w \
         join replicas r on r.id = w.replica order by w.replica";
    let rows = tx.fetch(sql, vec![]).await?;
    let told = rows.iter().map(told).collect::<Result<_, _>>()?;
    Ok(Words { version, told })
}

/// Writes a word down, in place of what the same process said before.
async fn say(tx: &mut Tx, replica: &Replica, word: &Word) -> Result<(), StoreError> {
    let text = serde_json::to_string(&Document::of(word))
        .map_err(|error| StoreError::corrupt("the limits", error.to_string()))?;
    let now = tx.now_ms();
    let sql = format!(
        "insert into limit_words (replica, told_at, word) values ($1, {now}, $2) \
         on conflict (replica) do update set told_at = excluded.told_at, word = excluded.word"
    );
    tx.execute(sql, vec![replica.id.as_str().into(), text.into()])
        .await?;
    Ok(())
}

/// The words of all who fell silent are over.
async fn end_silent(tx: &mut Tx) -> Result<u64, StoreError> {
    let now = tx.now_ms();
    let sql = format!(
        "delete from limit_words where replica in \
         (select id from replicas where {now} - seen_at > $1)"
    );
    tx.execute(sql, vec![SILENT_MS.into()]).await
}

/// Which words are over because a process has taken the place of theirs: of its name, and never heard of
/// since it began. One that lived beside it has no successor in it.
fn of_predecessors(tx: &Tx) -> String {
    let now = tx.now_ms();
    format!(
        "replica in (select id from replicas where name = $2 and id <> $3 and {now} - seen_at > $1 \
         and seen_at <= (select started_at from replicas where id = $3))"
    )
}

fn values_of(replica: &Replica) -> Vec<Value> {
    vec![
        SILENT_MS.into(),
        replica.name.as_str().into(),
        replica.id.as_str().into(),
    ]
}

async fn has_predecessors(tx: &mut Tx, replica: &Replica) -> Result<bool, StoreError> {
    let sql = format!(
        "select 1 as found from limit_words where {} limit 1",
        of_predecessors(tx)
    );
    let found = tx.fetch_optional(sql, values_of(replica)).await?;
    Ok(found.is_some())
}

async fn end_predecessors(tx: &mut Tx, replica: &Replica) -> Result<u64, StoreError> {
    let sql = format!("delete from limit_words where {}", of_predecessors(tx));
    tx.execute(sql, values_of(replica)).await
}

/// Takes back what a process said that ends.
pub(in crate::store) async fn take_back(tx: &mut Tx, replica: &str) -> Result<(), StoreError> {
    super::lock(tx).await?;
    let sql = "delete from limit_words where replica = $1";
    match tx.execute(sql, vec![replica.into()]).await? {
        0 => Ok(()),
        _ => changed(tx).await,
    }
}

async fn changed(tx: &mut Tx) -> Result<(), StoreError> {
    let sql = "update limit_state set words = words + 1 where scope = 'all'";
    tx.execute(sql, vec![]).await?;
    Ok(())
}

fn told(row: &Row) -> Result<Told, StoreError> {
    let replica = row.text("replica")?;
    let wrong = |why: String| StoreError::corrupt(format!("the limits of {replica}"), why);
    let document: Document =
        serde_json::from_str(&row.text("word")?).map_err(|error| wrong(error.to_string()))?;
    Ok(Told {
        name: row.text("name")?,
        word: document
            .word()
            .ok_or_else(|| wrong("it makes no sense".to_owned()))?,
        replica,
    })
}

/// A word as it is written down. What later programs add is passed over.
#[derive(Debug, Serialize, Deserialize)]
struct Document {
    stages: Vec<StageDocument>,
    every_client: ScopeDocument,
    clients: BTreeMap<String, ScopeDocument>,
    every_destination: ScopeDocument,
    destinations: BTreeMap<String, ScopeDocument>,
    approval: Option<ApprovalDocument>,
}

#[derive(Debug, Serialize, Deserialize)]
struct StageDocument {
    name: String,
    min_payment_drops: u64,
    max_payment_drops: u64,
    daily_drops: u64,
    max_pending: u32,
}

#[derive(Debug, Serialize, Deserialize)]
struct ScopeDocument {
    max_payment_drops: Option<u64>,
    daily_drops: Option<u64>,
    max_pending: Option<u32>,
}

#[derive(Debug, Serialize, Deserialize)]
struct ApprovalDocument {
    threshold_drops: u64,
    expires_in_ms: i64,
}

impl Document {
    fn of(word: &Word) -> Self {
        let stage = |(name, caps): &(String, Caps)| StageDocument {
            name: name.clone(),
            min_payment_drops: caps.min_payment.get(),
            max_payment_drops: caps.max_payment.get(),
            daily_drops: caps.daily.get(),
            max_pending: caps.max_pending,
        };
        let scopes = &word.scopes;
        let clients = scopes.clients.iter();
        let destinations = scopes.destinations.iter();
        Self {
            stages: word.stages.iter().map(stage).collect(),
            every_client: ScopeDocument::of(scopes.every_client),
            clients: clients
                .map(|(name, caps)| (name.clone(), ScopeDocument::of(*caps)))
                .collect(),
            every_destination: ScopeDocument::of(scopes.every_destination),
            destinations: destinations
                .map(|(account, caps)| (account.to_string(), ScopeDocument::of(*caps)))
                .collect(),
            approval: word.approval.map(|rule| ApprovalDocument {
                threshold_drops: rule.threshold.get(),
                expires_in_ms: rule.expires_in_ms,
            }),
        }
    }

    fn word(&self) -> Option<Word> {
        let stage = |stage: &StageDocument| {
            let caps = Caps {
                min_payment: Drops::new(stage.min_payment_drops)?,
                max_payment: Drops::new(stage.max_payment_drops)?,
                daily: Drops::new(stage.daily_drops)?,
                max_pending: stage.max_pending,
            };
            Some((stage.name.clone(), caps))
        };
        let client = |(name, caps): (&String, &ScopeDocument)| Some((name.clone(), caps.caps()?));
        let destination = |(account, caps): (&String, &ScopeDocument)| {
            Some((account.parse().ok()?, caps.caps()?))
        };
        let approval = match &self.approval {
            None => None,
            Some(rule) => Some(ApprovalRule {
                threshold: Drops::new(rule.threshold_drops)?,
                expires_in_ms: rule.expires_in_ms,
            }),
        };
        Some(Word {
            stages: self.stages.iter().map(stage).collect::<Option<_>>()?,
            scopes: ScopeRules {
                every_client: self.every_client.caps()?,
                clients: self.clients.iter().map(client).collect::<Option<_>>()?,
                every_destination: self.every_destination.caps()?,
                destinations: self
                    .destinations
                    .iter()
                    .map(destination)
                    .collect::<Option<_>>()?,
            },
            approval,
        })
    }
}

impl ScopeDocument {
    fn of(caps: ScopeCaps) -> Self {
        Self {
            max_payment_drops: caps.max_payment.map(Drops::get),
            daily_drops: caps.daily.map(Drops::get),
            max_pending: caps.max_pending,
        }
    }

    fn caps(&self) -> Option<ScopeCaps> {
        let drops = |drops: Option<u64>| match drops {
            None => Some(None),
            Some(drops) => Drops::new(drops).map(Some),
        };
        Some(ScopeCaps {
            max_payment: drops(self.max_payment_drops)?,
            daily: drops(self.daily_drops)?,
            max_pending: self.max_pending,
        })
    }
}
