//! The past of a wallet that is booked after the wallet has begun to work: how far it has been read.
//!
//! A stretch is one transaction: its entries, what it remembers, and how far the past has been read with
//! it. The last one joins the past to the journal, whose beginning moves to the past's in the same
//! transaction. Until then the entries of the past are no part of the journal.

use super::Store;
use super::db::{Row, Tx, Value};
use super::deposits::{self, Booking};
use super::error::{CommitError, StoreError};
use super::lease::Tenure;
use super::payments::{drops_from, drops_value};
use super::{journal, remembered};
use xrpayd_core::backfill::{Advanced, Goal, Reached, Standing};
use xrpayd_core::deposit::{Credit, credits_in};
use xrpayd_core::engine::Remembered;
use xrpayd_core::ids::{LedgerHash, LedgerIndex, UnixMs};
use xrpayd_core::journal::{Cursor, Page, RootAfter};

/// The past of a wallet, as far as it has been read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backfill {
    /// Its first ledger.
    pub start: LedgerIndex,
    /// How far it has been read.
    pub reached: Reached,
    /// Where it has to arrive.
    pub goal: Goal,
    /// Whether it has been joined to the journal.
    pub is_finished: bool,
}

/// Begins the past of a wallet whose journal is at its very beginning, `cursor`.
pub(super) async fn begin(
    tx: &mut Tx,
    wallet: &str,
    start: LedgerIndex,
    cursor: &Cursor,
) -> Result<(), StoreError> {
    let reached = Reached::before(start);
    tx.execute(
        "insert into backfills (wallet, start_ledger, at_ledger, standing, entries, goal_ledger, \
         goal_hash, goal_balance, goal_sequence, goal_owner_count) \
         values ($1, $2, $3, 'untold', 0, $4, $5, $6, $7, $8)",
        vec![
            wallet.into(),
            start.0.into(),
            reached.at.0.into(),
            cursor.at.0.into(),
            cursor.at_hash.0.into(),
            drops_value(cursor.balance).into(),
            cursor.next_sequence.into(),
            cursor.owner_count.into(),
        ],
    )
    .await?;
    Ok(())
}

/// The first ledger of which a wallet may have entries: where its past begins, as long as that is no
/// part of the journal, which begins with `start`.
pub(super) async fn first_entry(
    tx: &mut Tx,
    wallet: &str,
    start: LedgerIndex,
) -> Result<LedgerIndex, StoreError> {
    let sql = "select start_ledger from backfills where wallet = $1 and finished = 0";
    let row = tx.fetch_optional(sql, vec![wallet.into()]).await?;
    row.map_or(Ok(start), |row| Ok(LedgerIndex(row.uint("start_ledger")?)))
}

fn standing_columns(standing: Standing) -> (&'static str, Option<RootAfter>) {
    match standing {
        Standing::Untold => ("untold", None),
        Standing::Absent => ("absent", None),
        Standing::Has(root) => ("has", Some(root)),
    }
}

fn standing_from(row: &Row) -> Result<Standing, StoreError> {
    match row.text("standing")?.as_str() {
        "untold" => Ok(Standing::Untold),
        "absent" => Ok(Standing::Absent),
        "has" => Ok(Standing::Has(RootAfter {
            balance: drops_from("balance_drops", row.int("balance_drops")?)?,
            sequence: row.uint("sequence")?,
            owner_count: row.uint("owner_count")?,
        })),
        other => Err(StoreError::corrupt("standing", other)),
    }
}

fn decode(row: &Row) -> Result<Backfill, StoreError> {
    let opening = row.int_or_null("opening_drops")?;
    let entries = row.int("entries")?;
    Ok(Backfill {
        start: LedgerIndex(row.uint("start_ledger")?),
        reached: Reached {
            at: LedgerIndex(row.uint("at_ledger")?),
            standing: standing_from(row)?,
            opening: opening
                .map(|drops| drops_from("opening_drops", drops))
                .transpose()?,
            entries: u64::try_from(entries)
                .map_err(|_| StoreError::corrupt("entries", entries.to_string()))?,
        },
        goal: Goal {
            at: LedgerIndex(row.uint("goal_ledger")?),
            hash: LedgerHash(row.hash("goal_hash")?),
            root: RootAfter {
                balance: drops_from("goal_balance", row.int("goal_balance")?)?,
                sequence: row.uint("goal_sequence")?,
                owner_count: row.uint("goal_owner_count")?,
            },
        },
        is_finished: row.int("finished")? == 1,
    })
}

impl Store {
    /// The past of `wallet`; `None` where none was asked for when the wallet began.
    ///
    /// # Errors
    /// The database does not answer, or holds something that cannot be read.
    pub async fn backfill(&self, wallet: &str) -> Result<Option<Backfill>, StoreError> {
        let mut tx = self.db().read().await?;
        let row = tx
            .fetch_optional(
                "select start_ledger, at_ledger, standing, balance_drops, sequence, owner_count, \
                 opening_drops, entries, goal_ledger, goal_hash, goal_balance, goal_sequence, \
                 goal_owner_count, finished from backfills where wallet = $1",
                vec![wallet.into()],
            )
            .await?;
        tx.end().await?;
        let decoded = row.as_ref().map(decode).transpose();
        decoded.map_err(|error| match error {
            StoreError::Corrupt { what, why } => {
                StoreError::corrupt(format!("the past of {wallet}"), format!("{what}: {why}"))
            }
            other => other,
        })
    }

    /// Books a stretch of the past of the wallet, which was read through ledger `before` so far, with what
    /// came in. Nothing is told of that: it came before there was anybody here to tell.
    ///
    /// # Errors
    /// The wallet is no longer held under `tenure`, somebody else has carried the past on, or the database could not write.
    pub async fn book_past(
        &self,
        tenure: &Tenure,
        before: &Backfill,
        page: &Page,
        advanced: &Advanced,
        now: UnixMs,
    ) -> Result<(), CommitError> {
        let wallet = tenure.wallet.as_str();
        let mut tx = self.begin_held(tenure).await?;
        let reached = &advanced.reached;
        let is_last = reached.at == before.goal.at;
        carry_on(&mut tx, wallet, before.reached.at, reached, is_last).await?;
        let known = page
            .entries
            .iter()
            .filter(|entry| entry.sender == page.account)
            .filter_map(|entry| Remembered::of(wallet, entry, &page.servers));
        remembered::insert(&mut tx, wallet, &known.collect::<Vec<_>>()).await?;
        journal::write(&mut tx, wallet, &page.entries, &advanced.changes).await?;
        let booking = Booking {
            wallet,
            account: page.account,
            network_id: network_of(&mut tx, wallet).await?,
            now,
        };
        // Where nothing tells the balance before the page, no transaction in it changes it.
        let balance = advanced.balance_before.unwrap_or_default();
        let credits = credits_in(page, balance, now);
        let closed_at = |credit: &Credit| Some(credit.closed_at);
        deposits::book_untold(&mut tx, booking, &credits, closed_at).await?;
        if is_last {
            join(&mut tx, wallet, before, reached).await?;
        }
        tx.commit().await?;
        Ok(())
    }
}

async fn network_of(tx: &mut Tx, wallet: &str) -> Result<u32, StoreError> {
    let sql = "select network_id from wallets where name = $1";
    let row = tx.fetch_optional(sql, vec![wallet.into()]).await?;
    row.ok_or_else(|| StoreError::UnknownWallet(wallet.to_owned()))?
        .uint("network_id")
}

async fn carry_on(
    tx: &mut Tx,
    wallet: &str,
    from: LedgerIndex,
    reached: &Reached,
    is_last: bool,
) -> Result<(), CommitError> {
    let (standing, root) = standing_columns(reached.standing);
    let entries = i64::try_from(reached.entries).unwrap_or(i64::MAX);
    let values: Vec<Value> = vec![
        wallet.into(),
        from.0.into(),
        reached.at.0.into(),
        standing.into(),
        root.map(|root| drops_value(root.balance)).into(),
        root.map(|root| root.sequence).into(),
        root.map(|root| root.owner_count).into(),
        reached.opening.map(drops_value).into(),
        entries.into(),
        is_last.into(),
    ];
    let written = tx
        .execute(
            "update backfills set at_ledger = $3, standing = $4, balance_drops = $5, sequence = $6, \
             owner_count = $7, opening_drops = $8, entries = $9, finished = $10 \
             where wallet = $1 and at_ledger = $2 and finished = 0",
            values,
        )
        .await?;
    if written == 1 {
        Ok(())
    } else {
        Err(CommitError::CursorMoved)
    }
}

/// The journal begins from now on where the past does.
async fn join(
    tx: &mut Tx,
    wallet: &str,
    past: &Backfill,
    reached: &Reached,
) -> Result<(), CommitError> {
    let opening = reached.opening.ok_or_else(|| {
        StoreError::corrupt(
            format!("the past of {wallet}"),
            "it has been read, and nothing tells what the account had before it",
        )
    })?;
    let written = tx
        .execute(
            "update wallets set cursor_start = $2, opening_drops = $3 \
             where name = $1 and cursor_start = $4",
            vec![
                wallet.into(),
                past.start.0.into(),
                drops_value(opening).into(),
                past.goal.at.plus(1).0.into(),
            ],
        )
        .await?;
    if written == 1 {
        Ok(())
    } else {
        Err(CommitError::CursorMoved)
    }
}
