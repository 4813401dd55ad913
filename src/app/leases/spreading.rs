//! Who is there and who holds what, looked at again and again; and what is given away and taken because of
//! it.
//!
//! Owns nothing: the board is the database's. What it shows of each wallet's holder is written down beside
//! the database too, so that this machine knows a copy that went back from behind it.

use super::*;
use crate::store::{Lease, ReplicaSeen};
use xrpayd_core::spread::{self, Place};

/// A wallet that was given away and that nobody took is kept for so long.
const OFFERED_AGAIN: Duration = Duration::from_secs(300);

impl Leases {
    /// Looks again and again who is there and who holds what, and gives away what is another's share,
    /// until `cancel`.
    pub(in crate::app) async fn spread(self: Arc<Self>, cancel: CancellationToken) {
        if self.is_alone {
            return;
        }
        let mut rested = tokio::time::Instant::now();
        let mut last: Option<(String, tokio::time::Instant)> = None;
        let mut seen = BTreeMap::new();
        loop {
            tokio::select! {
                () = cancel.cancelled() => return,
                () = tokio::time::sleep(LOOK) => {}
            }
            match tokio::time::timeout(self.terms.used, self.store.lease_board()).await {
                Ok(Ok(board)) => {
                    self.write_down(&board, &mut seen).await;
                    self.board.send_replace(board)
                }
                // Nobody is given anything while nobody knows who lives; the renewal tells why.
                Ok(Err(_)) | Err(_) => continue,
            };
            let now = tokio::time::Instant::now();
            if now < rested || self.draining.is_cancelled() {
                continue;
            }
            let wallet = self.read_board(|me, places, replicas| {
                spread::to_give(me, places, replicas).map(str::to_owned)
            });
            // One that nobody took came back, and is not offered again at once.
            let came_back = |(given, at): &(String, tokio::time::Instant)| {
                wallet.as_ref() == Some(given) && at.elapsed() < OFFERED_AGAIN
            };
            if last.as_ref().is_some_and(came_back) {
                continue;
            }
            if let Some(held) = wallet.and_then(|wallet| self.held_now().get(&wallet).cloned()) {
                tracing::info!(
                    wallet.name = held.tenure.wallet,
                    "the wallet is given to a replica that holds fewer"
                );
                held.given.cancel();
                last = Some((held.tenure.wallet, now));
                rested = now + REST;
            }
        }
    }

    /// Whether this replica is the one to take a wallet that has become nobody's.
    pub(super) fn is_first(&self, wallet: &str) -> bool {
        self.read_board(|me, places, replicas| spread::is_first(me, wallet, places, replicas))
    }

    /// Asks the board something, as this replica, about the wallets and the replicas that live.
    fn read_board<T>(&self, ask: impl FnOnce(&str, &[Place<'_>], &[&str]) -> T) -> T {
        let board = self.board.borrow();
        let lives = |seen: &&ReplicaSeen| {
            let replica = &seen.replica;
            replica.id == self.replica.id || seen.silent < self.terms.ttl && !replica.is_draining
        };
        let live = board.replicas.iter().filter(lives);
        let live: Vec<&str> = live.map(|seen| seen.replica.id.as_str()).collect();
        let holder_of = |wallet: &String| -> Option<&str> {
            let mut lasting = board.leases.iter().filter(|lease| !lease.left.is_zero());
            let lease = lasting.find(|lease| lease.wallet == *wallet)?;
            lease.holder.as_deref()
        };
        let mut places = Vec::with_capacity(self.wallets.len());
        for wallet in &self.wallets {
            let holder = holder_of(wallet);
            places.push(Place { wallet, holder });
        }
        ask(&self.replica.id, &places, &live)
    }

    /// Writes down under which taking each wallet is held, where that is news; `seen` is what was written
    /// down before. A machine that cannot write it is told so by its engines, which write there too.
    async fn write_down(&self, board: &LeaseBoard, seen: &mut BTreeMap<String, u64>) {
        for lease in &board.leases {
            let known = seen.get(&lease.wallet).copied();
            let Some(last_run) = self.last_runs.get(&lease.wallet) else {
                continue;
            };
            if known.is_some_and(|known| known > lease.epoch) {
                // One look after the other by the same hand: what was seen is not there any more.
                match last_run.saw_it_go_back().await {
                    Ok(()) => {
                        seen.insert(lease.wallet.clone(), lease.epoch);
                    }
                    Err(error) => tracing::error!(
                        %error, wallet.name = lease.wallet,
                        "the database went back, and that could not be written down"
                    ),
                }
                continue;
            }
            let Some(tenure) = tenure_of(lease) else {
                continue;
            };
            if known == Some(lease.epoch) {
                continue;
            }
            match last_run.saw(&tenure).await {
                Ok(()) => {
                    seen.insert(tenure.wallet, tenure.epoch);
                }
                Err(error) => {
                    tracing::debug!(%error, "who holds the wallet could not be written down");
                }
            }
        }
    }
}

/// The taking under which a wallet is held, where it is.
fn tenure_of(lease: &Lease) -> Option<Tenure> {
    Some(Tenure {
        wallet: lease.wallet.clone(),
        epoch: lease.epoch,
        holder: lease.holder.clone()?,
    })
}
