//! What an engine writes, for tests that have none: under the wallet's lease, taken the first time that it
//! is needed and kept from then on.

use std::time::Duration;
use xrpayd::store::{
    Backfill, Before, Booked, Claim, CommitError, LaneCommit, Remembered, Store, StoreError, Taken,
    Tenure,
};
use xrpayd_core::address::AccountId;
use xrpayd_core::backfill::Advanced;
use xrpayd_core::ids::{LedgerIndex, UnixMs};
use xrpayd_core::journal::{Cursor, Page};

/// Who holds the wallets of such tests.
const HOLDER: &str = "the test";
/// Longer than any test.
const TTL: Duration = Duration::from_secs(3_600);

/// The tenure under which tests write `wallet`.
pub async fn tenure(store: &Store, wallet: &str) -> Tenure {
    let board = store.lease_board().await.unwrap();
    let is_ours = |holder: &Option<String>| holder.as_deref() == Some(HOLDER);
    let mut leases = board.leases.into_iter();
    if let Some(lease) = leases.find(|lease| lease.wallet == wallet && is_ours(&lease.holder)) {
        return Tenure {
            wallet: lease.wallet,
            epoch: lease.epoch,
            holder: HOLDER.to_owned(),
        };
    }
    match store.take_lease(wallet, HOLDER, TTL, Claim::Vacant).await {
        Ok(Taken::Yes(tenure)) => tenure,
        other => panic!("the lease of {wallet} is not to be had: {other:?}"),
    }
}

/// Writes as the engine does that holds the wallet.
pub trait Held {
    async fn commit_held(&self, commit: &LaneCommit) -> Result<Booked, CommitError>;

    async fn anchor_held(
        &self,
        wallet: &str,
        account: AccountId,
        network_id: u32,
        cursor: &Cursor,
        sign_from: Option<LedgerIndex>,
        now: UnixMs,
    ) -> Result<(), StoreError>;

    async fn anchor_used_held(
        &self,
        wallet: &str,
        account: AccountId,
        network_id: u32,
        cursor: &Cursor,
        before: &Before,
        now: UnixMs,
    ) -> Result<(), StoreError>;

    async fn remember_held(
        &self,
        wallet: &str,
        rows: &[Remembered],
        next: Option<LedgerIndex>,
    ) -> Result<(), StoreError>;

    async fn book_past_held(
        &self,
        wallet: &str,
        before: &Backfill,
        page: &Page,
        advanced: &Advanced,
        now: UnixMs,
    ) -> Result<(), CommitError>;
}

impl Held for Store {
    async fn commit_held(&self, commit: &LaneCommit) -> Result<Booked, CommitError> {
        self.commit(&tenure(self, &commit.wallet).await, commit)
            .await
    }

    async fn anchor_held(
        &self,
        wallet: &str,
        account: AccountId,
        network_id: u32,
        cursor: &Cursor,
        sign_from: Option<LedgerIndex>,
        now: UnixMs,
    ) -> Result<(), StoreError> {
        let before = Before {
            sign_from,
            ..Before::default()
        };
        self.anchor_used_held(wallet, account, network_id, cursor, &before, now)
            .await
    }

    async fn anchor_used_held(
        &self,
        wallet: &str,
        account: AccountId,
        network_id: u32,
        cursor: &Cursor,
        before: &Before,
        now: UnixMs,
    ) -> Result<(), StoreError> {
        let tenure = tenure(self, wallet).await;
        self.anchor_lane(&tenure, account, network_id, cursor, before, now)
            .await
    }

    async fn remember_held(
        &self,
        wallet: &str,
        rows: &[Remembered],
        next: Option<LedgerIndex>,
    ) -> Result<(), StoreError> {
        self.remember(&tenure(self, wallet).await, rows, next).await
    }

    async fn book_past_held(
        &self,
        wallet: &str,
        before: &Backfill,
        page: &Page,
        advanced: &Advanced,
        now: UnixMs,
    ) -> Result<(), CommitError> {
        self.book_past(&tenure(self, wallet).await, before, page, advanced, now)
            .await
    }
}
