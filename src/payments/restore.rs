//! How an engine begins: reads what the store holds open, or finds where the wallet's journal begins.

use super::engine::{Deps, POLL, Settings, Stop};
use super::pasts::Past;
use crate::journal::anchor;
use std::time::Duration;
use xrpayd_core::engine::Desk;
use xrpayd_core::ids::LedgerIndex;

/// How often a wallet whose name belongs to another account says so.
const FOREIGN_PAUSE: Duration = Duration::from_secs(30);

/// Reads the lane; on the first start of a wallet finds where its journal begins.
pub(super) async fn restore(deps: &Deps, settings: &Settings) -> Result<Desk, Stop> {
    let name = &deps.wallet.name;
    loop {
        let record = deps.store.load_lane(name).await?;
        if let Some(cursor) = record.cursor.clone() {
            if let Some(known) = record.account.filter(|known| *known != deps.wallet.account) {
                // Nothing may be concluded about the other account's attempts from this one's
                // journal, so the wallet does not live at all.
                tracing::error!(
                    wallet.name = name,
                    known.account = %known,
                    wallet.account = %deps.wallet.account,
                    "the database knows another account under this wallet's name: give it another name"
                );
                tokio::time::sleep(FOREIGN_PAUSE).await;
                continue;
            }
            deps.pasts.begins_at(name, cursor.at);
            let desk = Desk::restore(name, record, cursor);
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
                    let recall = found.sign_from.map(|_| (from, to));
                    deps.store
                        .anchor_used_lane(
                            name,
                            account,
                            network,
                            &found.cursor,
                            found.sign_from,
                            recall,
                        )
                        .await?;
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
                            .set_halt(name, Some(fault), deps.clock.now())
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
