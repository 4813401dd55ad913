//! How an engine begins: reads what the store holds open, or finds where the wallet's journal begins.

use super::engine::{Deps, POLL, Settings, Stop};
use super::last_run::{Found, Record};
use super::pasts::Past;
use crate::journal::anchor;
use crate::store::{Before, Descent, Lineage, StoreError};
use crate::xrpl::Tip;
use std::time::Duration;
use xrpayd_core::engine::{Desk, LaneRecord};
use xrpayd_core::ids::LedgerIndex;

/// A ledger that was seen within this time is as new as any: fewer than [`LAG_LEDGERS`] close in it.
const FRESH_MS: i64 = 10_000;
/// How long the next ledger is waited for at a time.
const NEXT_TIP_WAIT: Duration = Duration::from_secs(10);
/// How often a wallet whose name belongs to another account says so.
const FOREIGN_PAUSE: Duration = Duration::from_secs(30);

/// How long a wallet waits before it looks again whether the others have gone on.
const OTHERS_PAUSE: Duration = Duration::from_millis(250);

/// By how many ledgers two machines may differ at one moment in what they take for the newest. More than
/// half a minute's worth: a server that far behind is not worked with.
const LAG_LEDGERS: u32 = 8;

/// Reads the lane; on the first start of a wallet finds where its journal begins.
pub(super) async fn restore(deps: &Deps, settings: &Settings) -> Result<Desk, Stop> {
    let name = &deps.wallet.name;
    loop {
        // Before the lane is read: where the database becomes another one in between, no write of the
        // life that begins goes through.
        let descent = deps.store.descent(deps.hold.tenure()).await?;
        let mut record = deps.store.load_lane(name).await?;
        if let Some(cursor) = record.cursor.clone() {
            if let Some(known) = record.account.filter(|known| *known != deps.wallet.account) {
                // Nothing may be concluded about the other account's attempts from this one's
                // journal, so the wallet does not live at all.
                let holds_others_up = !is_current(deps, settings, &descent).await?;
                if !holds_others_up {
                    let (past, remembers) = (Some(Past::Read), record.remembers);
                    deps.pasts.tell(name, cursor.at, past, remembers);
                }
                tracing::error!(
                    wallet.name = name,
                    known.account = %known,
                    wallet.account = %deps.wallet.account,
                    holds_others_up,
                    "the database knows another account under this wallet's name: give it another name"
                );
                tokio::time::sleep(FOREIGN_PAUSE).await;
                continue;
            }
            let found = deps.last_run.read().await?;
            let Some(wait) = wait_for(deps, settings, found, &descent).await? else {
                continue;
            };
            settle(deps, &mut record, &descent, wait).await?;
            if let Wait::Until(from) = wait {
                begin_to_wait(deps, &mut record, from).await?;
                if found == Found::Nothing {
                    deps.last_run.write(Record::Fresh).await?;
                }
            }
            deps.last_run.held_under(deps.hold.tenure()).await?;
            heed_start(deps, settings, cursor.start).await?;
            if !others_went_on(deps).await? {
                tokio::time::sleep(OTHERS_PAUSE).await;
                continue;
            }
            deps.pasts.begins_at(name, cursor.at);
            let was_halted = record.halted.is_some();
            let desk = Desk::restore(name, record, cursor);
            if let Some(reason) = desk.halted().filter(|_| !was_halted) {
                tracing::error!(wallet.name = name, reason, "the wallet stops signing");
                let now = deps.clock.now();
                deps.store
                    .halt_held(deps.hold.tenure(), reason, now)
                    .await?;
            }
            deps.last_run.cover(&desk).await?;
            tracing::info!(
                wallet.name = name,
                ledger.index = desk.cursor().at.0,
                open = desk.flights().len(),
                "the wallet's journal goes on"
            );
            return Ok(desk);
        }
        let mut tip = deps.pool.tip();
        let newest = tip.borrow_and_update().clone();
        if let Some(newest) = newest {
            let account = deps.wallet.account;
            let (signer, window) = (deps.wallet.signing_account(), settings.desk.ledger_window);
            match anchor::find(&deps.pool, account, signer, &newest, window).await {
                Ok(Some(found)) => {
                    let network = settings.network_id;
                    // What the account did before is read as far back as the servers go. Where they do
                    // not say at this moment how far that is, reading begins at the first ledger: it
                    // passes over, and names, what nobody holds, but it is never left out.
                    let to = found.cursor.at;
                    let held = deps.pool.lowest_held().filter(|held| *held <= to);
                    let from = held.unwrap_or(LedgerIndex(1)).min(to);
                    let before = Before {
                        sign_from: found.sign_from,
                        recall: found.sign_from.map(|_| (from, to)),
                        book_from: book_from(name, settings, to),
                    };
                    deps.store
                        .anchor_lane(
                            deps.hold.tenure(),
                            account,
                            network,
                            &found.cursor,
                            &before,
                            deps.clock.now(),
                        )
                        .await?;
                    if deps.last_run.read().await? == Found::Nothing {
                        deps.last_run.write(Record::Fresh).await?;
                    }
                    if let Some(from) = found.sign_from {
                        tracing::warn!(
                            wallet.name = name,
                            ledger.index = newest.index.0,
                            sign_from.ledger = from.0,
                            "the account was used before this database knew it: signing waits until nothing of a lost database can be in flight"
                        );
                    }
                    if let Some(fault) = found.key_fault {
                        deps.store
                            .halt_held(deps.hold.tenure(), fault, deps.clock.now())
                            .await?;
                        tracing::error!(wallet.name = name, fault, "the wallet signs nothing");
                    }
                    continue;
                }
                Ok(None) => {
                    // It has paid nothing, and so holds no other wallet up.
                    deps.pasts.tell(name, newest.index, Some(Past::Read), false);
                    tracing::warn!(
                        wallet.name = name,
                        wallet.account = %account,
                        "the wallet's account does not exist on the ledger: fund it"
                    );
                }
                Err(error) => {
                    tracing::debug!(wallet.name = name, %error, "the journal's beginning waits");
                }
            }
        }
        // Whether the tip moved or the time passed: look at the level again.
        let _ = tokio::time::timeout(POLL, tip.changed()).await;
    }
}

/// No network holds a transaction in an older ledger: the first one is its genesis.
const LEDGER_FIRST: LedgerIndex = LedgerIndex(2);

/// The first ledger to be booked of a wallet whose journal begins after ledger `at`.
fn book_from(name: &str, settings: &Settings, at: LedgerIndex) -> Option<LedgerIndex> {
    let start = settings.start_ledger?.max(LEDGER_FIRST);
    if start > at {
        tracing::warn!(
            wallet.name = name,
            start.ledger = start.0,
            ledger.index = at.0,
            "start_ledger is newer than the newest validated ledger: the journal begins with the next one"
        );
        return None;
    }
    Some(start)
}

/// Says so where the configuration names another beginning than the journal has: it had a say only
/// when the wallet began.
async fn heed_start(
    deps: &Deps,
    settings: &Settings,
    journal: LedgerIndex,
) -> Result<(), StoreError> {
    let Some(asked) = settings.start_ledger else {
        return Ok(());
    };
    let name = &deps.wallet.name;
    let past = deps.store.backfill(name).await?;
    let start = past.map_or(journal, |past| past.start);
    if start != asked.max(LEDGER_FIRST) {
        tracing::warn!(
            wallet.name = name,
            start.ledger = start.0,
            configured.ledger = asked.0,
            "start_ledger has no effect: it is read when a wallet is new, and this one began with another ledger"
        );
    }
    Ok(())
}

/// Whether the database is as new as this machine's last run of the wallet, as far as anybody can tell:
/// then nothing was paid that it does not know, and no other wallet has to wait for this one's past.
async fn is_current(deps: &Deps, settings: &Settings, descent: &Descent) -> Result<bool, Stop> {
    let found = deps.last_run.read().await?;
    let wait = wait_for(deps, settings, found, descent).await?;
    Ok(matches!(wait, Some(Wait::No)))
}

/// How long the wallet signs nothing because its database may be an older copy.
#[derive(Debug, Clone, Copy)]
enum Wait {
    /// It is as new as this machine's last run, or nobody can tell.
    No,
    /// Until the journal has passed this ledger.
    Until(LedgerIndex),
}

/// Holds the database against what this machine signed last, and against where the wallet was last worked
/// on; `None` while the ledger, which has to be known for an answer, is not.
async fn wait_for(
    deps: &Deps,
    settings: &Settings,
    found: Found,
    descent: &Descent,
) -> Result<Option<Wait>, Stop> {
    let name = &deps.wallet.name;
    let window = settings.desk.ledger_window;
    if descent.is_broken() || deps.last_run.went_back(deps.hold.tenure()).await? {
        // Nothing in flight reaches further than this, whoever signed it.
        let reach = window.saturating_add(LAG_LEDGERS);
        let own = match found {
            Found::Kept(Record::Signed(mark)) => Some(mark.last_ledger),
            Found::Kept(Record::Fresh) | Found::Nothing | Found::Off => None,
        };
        let newest = fresh_tip(deps).await;
        return Ok(
            newest.map(|newest| Wait::Until(newest.plus(reach).max(own.unwrap_or_default())))
        );
    }
    Ok(match found {
        Found::Off | Found::Kept(Record::Fresh) => Some(Wait::No),
        Found::Kept(Record::Signed(mark)) => {
            let is_known = deps.store.knows_attempt(name, mark.slot, mark.hash);
            Some(match is_known.await? {
                true => Wait::No,
                false => Wait::Until(mark.last_ledger),
            })
        }
        Found::Nothing => {
            let newest = fresh_tip(deps).await;
            newest.map(|newest| Wait::Until(newest.plus(window)))
        }
    })
}

/// The newest ledger, where it was seen just now, or else the next one that is seen. One that was seen a
/// while ago may be as old as the last answer of a server, and others have signed since.
async fn fresh_tip(deps: &Deps) -> Option<LedgerIndex> {
    let mut tip = deps.pool.tip();
    let now = deps.clock.now();
    let is_fresh = |seen: &Tip| (0..=FRESH_MS).contains(&now.since_ms(seen.seen_at));
    let fresh = tip
        .borrow()
        .as_ref()
        .filter(|seen| is_fresh(seen))
        .map(|seen| seen.index);
    if fresh.is_some() {
        return fresh;
    }
    let next = tokio::time::timeout(NEXT_TIP_WAIT, tip.changed()).await;
    next.ok()?.ok()?;
    tip.borrow().as_ref().map(|seen| seen.index)
}

/// Goes on in the database as it is now, where the wallet was last worked on in another history of it, or
/// nobody has said where: together with the wait that this asks for.
async fn settle(
    deps: &Deps,
    record: &mut LaneRecord,
    descent: &Descent,
    wait: Wait,
) -> Result<(), Stop> {
    let here = &descent.here;
    if descent.known.as_ref() == Some(here) {
        return Ok(());
    }
    let from = match wait {
        Wait::No => None,
        Wait::Until(from) => Some(from),
    };
    let tenure = deps.hold.tenure();
    deps.store.settle_lineage(tenure, here, from).await?;
    record.sign_from = record.sign_from.max(from);
    if descent.is_broken() {
        tracing::warn!(
            wallet.name = deps.wallet.name,
            store.lineage.known = descent.known.as_ref().map(Lineage::as_str),
            store.lineage.here = here.as_str(),
            sign_from.ledger = from.map(|from| from.0),
            "another server was promoted, or a copy is in the database's place: signing waits until nothing that it does not know can be in flight"
        );
    }
    Ok(())
}

/// Whether every wallet of the service goes on in the database as it is now: one that does not may have
/// paid what is not known here any more.
async fn others_went_on(deps: &Deps) -> Result<bool, Stop> {
    let behind = deps.store.left_behind(&deps.pasts.names()).await?;
    if behind.is_empty() {
        return Ok(true);
    }
    tracing::info!(
        wallet.name = deps.wallet.name,
        behind = ?behind,
        "the wallet waits for others to go on after the database became another one"
    );
    Ok(false)
}

/// Has the wallet wait, as far as its journal is not there yet and it does not wait for longer already.
async fn begin_to_wait(
    deps: &Deps,
    record: &mut LaneRecord,
    from: LedgerIndex,
) -> Result<(), Stop> {
    let name = &deps.wallet.name;
    if record.sign_from < Some(from) {
        deps.store.wait_to_sign(deps.hold.tenure(), from).await?;
        record.sign_from = Some(from);
        tracing::warn!(
            wallet.name = name,
            sign_from.ledger = from.0,
            "the database is older than what this machine signed last, or new to this machine: signing waits until nothing that it does not know can be in flight"
        );
    }
    Ok(())
}
