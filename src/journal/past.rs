//! Reads the ledgers before a journal's beginning that are to be booked, oldest first, each stretch
//! agreed by the quorum.
//!
//! Owns nothing and writes nothing. A stretch that cannot be had is asked for again, shorter, with a
//! growing pause; nothing is ever stepped over, however long a server with a longer history is awaited.

use super::span::Span;
use super::waits::Waits;
use super::{ENTRIES_MAX, Pause, page_of};
use crate::xrpl::{AgreedHistory, Pool, RootAfter as Told};
use tokio::sync::mpsc;
use xrpayd_core::address::AccountId;
use xrpayd_core::backfill::{Before, Stretch};
use xrpayd_core::ids::LedgerIndex;
use xrpayd_core::journal::RootAfter;

/// Reads `from ..= to` into `stretches` until the receiver is gone or all of it was read.
pub(crate) async fn read(
    pool: &Pool,
    account: AccountId,
    (mut from, to): (LedgerIndex, LedgerIndex),
    stretches: mpsc::Sender<Stretch>,
    waits: &mut Waits,
) {
    let mut pause = Pause::new();
    // A server looks for the account's transactions and not through the ledgers: empty ones cost nothing.
    let mut span = Span::whole(from, to);
    while from <= to {
        let asked = span.to(from, to);
        match pool.history_of(account, (from, asked), ENTRIES_MAX).await {
            Ok(history) => {
                waits.over();
                pause = Pause::new();
                span.answered();
                from = history.to.plus(1);
                if stretches.send(stretch_of(account, history)).await.is_err() {
                    return;
                }
            }
            Err(error) => {
                waits.failed(pool, from, &error);
                span.failed();
                tokio::select! {
                    () = pause.wait() => {}
                    () = stretches.closed() => return,
                }
            }
        }
    }
}

fn stretch_of(account: AccountId, history: AgreedHistory) -> Stretch {
    let roots = history.entries.iter().map(|entry| entry.own_root);
    Stretch {
        befores: roots.map(|root| root.map(before)).collect(),
        page: page_of(account, history),
    }
}

fn before(root: Told) -> Before {
    match root.before {
        None => Before::Nothing,
        Some(root) => Before::Root(RootAfter {
            balance: root.balance,
            sequence: root.sequence,
            owner_count: root.owner_count,
        }),
    }
}
