//! The move of the books from one database to another, from its first check to its last word.
//!
//! Order: both ends are looked at; the source is retired; rows go over; the copy is held against the source,
//! against its own audit log and, where servers are configured, against the ledger; the source says that
//! the books are gone; the target says that they are its own. What fails before the source has said so
//! makes the source usable again. Whoever runs the same move once more goes on where it was cut short.

use super::home::{self, NotAtHome};
use super::reconcile::{CannotReconcile, Findings, reconcile};
use super::webhooks;
use crate::clock::{Clock, Entropy, uuid_v7};
use crate::config::{Config, StoreUrl};
use crate::reconcile::{self as books, Reach};
use crate::store::{
    Access, Actor, AuditFault, AuditHead, CopyError, FeedSpan, Move, MoveState, Store, StoreConfig,
    StoreError, TableSum, Whereabouts,
};
use secrecy::ExposeSecret as _;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

/// Nobody else waits for a connection of a move.
const CONNECTIONS: u32 = 4;
/// A database that wakes up for this may take its time.
const CONNECT: Duration = Duration::from_secs(10);
/// A daemon that was not heard of for so long does not run: the longest lease is renewed every twelve
/// seconds.
const SILENT: Duration = Duration::from_secs(15);
/// How often that is looked at.
const LOOK_AGAIN: Duration = Duration::from_millis(250);
/// How long one statement may take, or one end wait for the other: whole tables are looked through.
const PATIENCE: Duration = Duration::from_secs(600);
/// How long the books may take to be held against the ledger, from their first entry on; nobody pays
/// meanwhile.
const BOOKS_MAX: Duration = Duration::from_secs(6 * 3_600);

/// One of the two databases.
#[derive(Debug, Clone)]
pub struct End {
    /// Its URL, or a reference to it.
    pub url: StoreUrl,
}

/// What becomes of a target that holds what an earlier copy left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HalfDone {
    /// It is refused.
    Keep,
    /// It is dropped.
    Clear,
}

/// A move.
#[derive(Debug)]
pub struct Order {
    /// Where the books are.
    pub source: End,
    /// Where they go.
    pub target: End,
    /// What becomes of what is in the target.
    pub half_done: HalfDone,
    /// Whose books they are, and which servers tell what the ledger says, where that is to be compared.
    pub config: Option<Box<Config>>,
    /// Who moves them.
    pub by: Actor,
}

/// What a move does at the moment.
#[derive(Debug, Clone, Copy)]
pub enum Step<'a> {
    /// This daemon was heard of a moment ago; it is waited for until it is silent for long enough.
    Listening(&'a str),
    /// The source takes no write any more.
    Retired,
    /// An earlier move that was cut short is gone on with.
    Resumed,
    /// So many rows of a table have gone over.
    Copied(&'a str, u64),
    /// So many rows of a table were read again.
    Read(&'a str, u64),
    /// The copy is held against the ledger.
    Reconciling,
}

/// What was moved.
#[derive(Debug)]
pub struct Moved {
    /// The move's id, at both ends.
    pub id: String,
    /// What each table holds, the same on both sides.
    pub tables: Vec<TableSum>,
    /// The end of the audit log that came.
    pub audit: AuditHead,
    /// How far the feed goes.
    pub feed: FeedSpan,
    /// What the ledger says, where it was asked.
    pub findings: Option<Findings>,
    /// Where the daemon kept the key that seals the endpoints' secrets, where it had made it itself. It
    /// does not move by itself.
    pub sealing_key: Option<PathBuf>,
}

/// Why the books were not moved.
#[derive(Debug, thiserror::Error)]
pub enum CannotMove {
    /// The URL of an end is a secret that cannot be had.
    #[error("the URL of the {end} cannot be had: {why}")]
    Url {
        /// Which end.
        end: &'static str,
        /// Why.
        why: String,
    },
    /// An end cannot be opened.
    #[error("the {end} cannot be opened")]
    Open {
        /// Which end.
        end: &'static str,
        /// Why.
        source: StoreError,
    },
    /// A daemon runs on an end.
    #[error("the {end} is in use: the daemon {name} runs on it. Stop it first")]
    InUse {
        /// Which end.
        end: &'static str,
        /// The name that the daemon goes by.
        name: String,
    },
    /// The source is not the configuration's.
    #[error("the source is not this configuration's")]
    NotAtHome(#[from] NotAtHome),
    /// The books are not sound.
    #[error("the audit log of the {end} is not whole")]
    Audit {
        /// Which end.
        end: &'static str,
        /// The first fault.
        source: AuditFault,
    },
    /// The books are not sound.
    #[error("the books of the {end} do not add up: {what}")]
    Counters {
        /// Which end.
        end: &'static str,
        /// What differs.
        what: String,
    },
    /// The feed's marks and its events are at odds.
    #[error("the feed of the {end} is not in order: {what}")]
    Feed {
        /// Which end.
        end: &'static str,
        /// How.
        what: String,
    },
    /// The target does not hold what the source does.
    #[error("the copy differs from the source in the tables {0}")]
    Differs(String),
    /// The copy could not be held against the ledger.
    #[error("the copy could not be held against the ledger")]
    Reconcile(#[from] CannotReconcile),
    /// The copy differs from the ledger.
    #[error(
        "the books differ from the ledger in {0} places: `xrpayd reconcile` on the source shows them"
    )]
    Books(usize),
    /// A step of the copy was refused or failed.
    #[error(transparent)]
    Copy(#[from] CopyError),
}

impl From<StoreError> for CannotMove {
    fn from(error: StoreError) -> Self {
        Self::Copy(error.into())
    }
}

/// What the move is made with.
pub struct Tools<'a> {
    /// The time.
    pub clock: &'a dyn Clock,
    /// Where the move's id comes from.
    pub entropy: &'a dyn Entropy,
    /// Told what happens.
    pub tell: &'a mut (dyn FnMut(Step<'_>) + Send),
}

/// Moves the books.
///
/// # Errors
/// Why not. Unless the source said already that they are gone, it is usable as before.
pub async fn copy(order: &Order, tools: &mut Tools<'_>) -> Result<Moved, CannotMove> {
    Store::can_be_source(&settings(&order.source, "source")?).await?;
    let source = open(&order.source, "source").await?;
    let moved = match open_target(order).await {
        Ok(target) => {
            let moved = between(&source, &target, order, tools).await;
            target.close().await;
            moved
        }
        Err(error) => Err(error),
    };
    source.close().await;
    moved
}

async fn between(
    source: &Store,
    target: &Store,
    order: &Order,
    tools: &mut Tools<'_>,
) -> Result<Moved, CannotMove> {
    if let Some(config) = &order.config {
        home::owned(source, config).await?;
    }
    at_rest(source, "source", tools.tell).await?;
    sound(source, "source").await?;
    let (by, now) = (order.by.clone(), tools.clock.now());
    let id = format!("mov_{:032x}", uuid_v7(now, tools.entropy));
    let leaving = source
        .retire(id.clone(), &order.target.url.to_string(), by.clone(), now)
        .await?;
    (tools.tell)(if leaving.id == id {
        Step::Retired
    } else {
        Step::Resumed
    });
    let checked = fill(source, target, &leaving, order, tools).await;
    let moved = match checked {
        Ok(moved) => moved,
        Err(error) => {
            if leaving.state == MoveState::Open {
                // What makes the source usable again may fail like anything else: the first failure is
                // the one to be told, and the source says at its start what is to be done.
                let back = source.reinstate(&leaving, by, tools.clock.now()).await;
                if let Err(back) = back {
                    tracing::error!(error = %back, "the source stays retired: take it back by hand");
                }
            }
            return Err(error);
        }
    };
    if leaving.state == MoveState::Open {
        source.hand_over(&leaving.id, tools.clock.now()).await?;
    }
    if target.whereabouts().await?.is_arriving() {
        target
            .take_over(source, &leaving, by, tools.clock.now())
            .await?;
    }
    Ok(moved)
}

/// Brings the rows over and holds them against where they come from.
async fn fill(
    source: &Store,
    target: &Store,
    leaving: &Move,
    order: &Order,
    tools: &mut Tools<'_>,
) -> Result<Moved, CannotMove> {
    let name = order.source.url.to_string();
    let state = target
        .await_books(leaving, &name, tools.clock.now())
        .await?;
    let now = tools.clock.now();
    let tell = &mut tools.tell;
    let tables = match state {
        MoveState::Open => {
            let mut progress = |table: &str, rows: u64| tell(Step::Copied(table, rows));
            target
                .fill_from(source, &leaving.id, now, &mut progress)
                .await?
        }
        MoveState::Filled | MoveState::Done => {
            let mut progress = |table: &str, rows: u64| tell(Step::Read(table, rows));
            source.sums(&mut progress).await?
        }
    };
    // A copy that is the books' home already may have been written to since.
    if state != MoveState::Done {
        let mut progress = |table: &str, rows: u64| tell(Step::Read(table, rows));
        let came = target.sums(&mut progress).await?;
        let differ = different(&tables, &came);
        if !differ.is_empty() {
            return Err(CannotMove::Differs(differ.join(", ")));
        }
    }
    let (audit, feed) = sound(target, "target").await?;
    let findings = match &order.config {
        None => None,
        Some(config) => {
            tell(Step::Reconciling);
            let mut config = config.as_ref().clone();
            config.store.url = order.target.url.clone();
            let findings = reconcile(&config, &[], Reach::Whole, BOOKS_MAX).await?;
            match findings.differences() {
                0 => Some(findings),
                count => return Err(CannotMove::Books(count)),
            }
        }
    };
    Ok(Moved {
        id: leaving.id.clone(),
        tables,
        audit,
        feed,
        findings,
        sealing_key: webhooks::key_file(source).filter(|file| file.exists()),
    })
}

/// Waits until it is sure that no daemon runs on a database: one that was killed has left its name there,
/// and is silent; one that lives is heard of meanwhile.
async fn at_rest(
    store: &Store,
    end: &'static str,
    tell: &mut (dyn FnMut(Step<'_>) + Send),
) -> Result<(), CannotMove> {
    // The lock of a file has said so already.
    if store.is_alone() {
        return Ok(());
    }
    let mut silent: BTreeMap<String, Duration> = BTreeMap::new();
    loop {
        let board = store.lease_board().await?;
        let near = board.replicas.into_iter();
        let near: Vec<_> = near.filter(|seen| seen.silent < SILENT).collect();
        let Some(first) = near.first() else {
            return Ok(());
        };
        if silent.is_empty() {
            tell(Step::Listening(&first.replica.name));
        }
        for seen in &near {
            let before = silent.insert(seen.replica.id.clone(), seen.silent);
            // Whoever is silent for less time than at the last look has spoken since.
            if before.is_some_and(|before| seen.silent < before) {
                let name = seen.replica.name.clone();
                return Err(CannotMove::InUse { end, name });
            }
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

/// The tables that are not the same on both sides.
fn different(source: &[TableSum], target: &[TableSum]) -> Vec<String> {
    let lost = source.iter().filter(|sum| !target.contains(sum));
    let strange = target
        .iter()
        .filter(|sum| !source.iter().any(|known| known.table == sum.table));
    lost.chain(strange).map(|sum| sum.table.clone()).collect()
}

/// Whether the books of one database are sound by themselves.
async fn sound(store: &Store, end: &'static str) -> Result<(AuditHead, FeedSpan), CannotMove> {
    let report = store.verify_audit(&[]).await?;
    if let Some(fault) = report.faults.into_iter().next() {
        return Err(CannotMove::Audit { end, source: fault });
    }
    let counters = books::counters(store).await?;
    if let Some(first) = counters.first() {
        let what = first.to_string();
        return Err(CannotMove::Counters { end, what });
    }
    let feed = store.feed_span().await?;
    match feed.fault() {
        None => Ok((report.head, feed)),
        Some(what) => Err(CannotMove::Feed { end, what }),
    }
}

/// Makes the source of a move usable again.
///
/// # Errors
/// The copy is in use, or a database does not answer.
pub async fn release(
    source: &End,
    copy: Option<&End>,
    lost: CopyIsLost,
    by: Actor,
    clock: &dyn Clock,
) -> Result<Move, CannotMove> {
    Store::can_be_source(&settings(source, "source")?).await?;
    let store = open(source, "source").await?;
    let released = async {
        let Whereabouts::Leaving(leaving) = store.whereabouts().await? else {
            return Err(CopyError::NothingToTakeBack.into());
        };
        match (leaving.state, copy, lost) {
            // Nothing makes the copy usable before the source has said that the books are gone.
            (MoveState::Open | MoveState::Filled, _, _) | (_, None, CopyIsLost::Yes) => {}
            (MoveState::Done, Some(copy), _) => {
                let target = open(copy, "copy").await?;
                let given = target.give_back(&leaving, clock.now()).await;
                target.close().await;
                given?;
            }
            (MoveState::Done, None, CopyIsLost::No) => {
                return Err(CopyError::Left(leaving).into());
            }
        }
        store.reinstate(&leaving, by, clock.now()).await?;
        Ok(leaving)
    }
    .await;
    store.close().await;
    released
}

/// Whether somebody gave his word that the copy is gone for good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CopyIsLost {
    /// Yes: no daemon can ever start on it.
    Yes,
    /// No.
    No,
}

/// Opens the target, fresh where it is to be cleared first.
async fn open_target(order: &Order) -> Result<Store, CannotMove> {
    let target = open(&order.target, "target").await?;
    if order.half_done == HalfDone::Keep {
        return Ok(target);
    }
    let cleared = target.clear_half_done().await;
    match cleared {
        Ok(false) => Ok(target),
        Ok(true) => {
            target.close().await;
            open(&order.target, "target").await
        }
        Err(error) => {
            target.close().await;
            Err(error.into())
        }
    }
}

/// Opens one end as a daemon does: alone.
async fn open(end: &End, name: &'static str) -> Result<Store, CannotMove> {
    Store::open(&settings(end, name)?, Access::Daemon)
        .await
        .map_err(|source| CannotMove::Open { end: name, source })
}

fn settings(end: &End, name: &'static str) -> Result<StoreConfig, CannotMove> {
    let url = end.url.resolve().map_err(|error| CannotMove::Url {
        end: name,
        why: error.to_string(),
    })?;
    Ok(StoreConfig {
        max_connections: CONNECTIONS,
        acquire_timeout: CONNECT,
        statement_timeout: PATIENCE,
        idle_in_transaction_timeout: PATIENCE,
        ..StoreConfig::new(url.expose_secret())
    })
}
