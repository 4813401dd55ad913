//! The first words about a wallet: whose account it is, where its journal begins, and what of the time
//! before is to be read. One transaction; a wallet that is known already is left as it is.

use super::audit::{self, Actor, Audited};
use super::error::StoreError;
use super::lease::Tenure;
use super::{Store, backfill, payments};
use serde_json::json;
use xrpayd_core::address::AccountId;
use xrpayd_core::ids::{LedgerIndex, UnixMs};
use xrpayd_core::journal::Cursor;

/// What of the time before its journal concerns a wallet; nothing does for an account that is new.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Before {
    /// Nothing is signed before the cursor has reached this ledger.
    pub sign_from: Option<LedgerIndex>,
    /// The ledgers to be read for payments that this database does not know, before anything is signed.
    pub recall: Option<(LedgerIndex, LedgerIndex)>,
    /// The ledger from which on everything before the journal is to be booked too.
    pub book_from: Option<LedgerIndex>,
}

impl Store {
    /// Fixes at the first start whose account the wallet is, where its journal begins, and what from before
    /// it matters. What the account sent until then was sent past this daemon, as everybody knows who has
    /// that booked. A wallet that is known already is left as it is.
    ///
    /// # Errors
    /// The wallet is no longer held under `tenure`, is known under another account or network, or the
    /// database does not answer.
    pub async fn anchor_lane(
        &self,
        tenure: &Tenure,
        account: AccountId,
        network_id: u32,
        cursor: &Cursor,
        before: &Before,
        now: UnixMs,
    ) -> Result<(), StoreError> {
        let wallet = tenure.wallet.as_str();
        let mut tx = self.begin_held(tenure).await?;
        let accepted = before.book_from.map(|_| cursor.at.0);
        let written = tx
            .execute(
                "insert into wallets (name, account, network_id, cursor_start, cursor_at, \
                 cursor_at_hash, next_sequence, balance_drops, owner_count, sign_from, \
                 recall_from, recall_to, opening_drops, foreign_accepted) \
                 values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $8, $13) \
                 on conflict (name) do nothing",
                vec![
                    wallet.into(),
                    account.to_string().into(),
                    network_id.into(),
                    cursor.start.0.into(),
                    cursor.at.0.into(),
                    cursor.at_hash.0.into(),
                    cursor.next_sequence.into(),
                    payments::drops_value(cursor.balance).into(),
                    cursor.owner_count.into(),
                    before.sign_from.map(|ledger| ledger.0).into(),
                    before.recall.map(|(from, _)| from.0).into(),
                    before.recall.map(|(_, to)| to.0).into(),
                    accepted.into(),
                ],
            )
            .await?;
        let is_new = written == 1;
        if let Some(start) = before.book_from.filter(|_| is_new) {
            backfill::begin(&mut tx, wallet, start, cursor).await?;
        }
        let known = tx
            .fetch_optional(
                "select account, network_id from wallets where name = $1",
                vec![wallet.into()],
            )
            .await?
            .ok_or_else(|| StoreError::UnknownWallet(wallet.to_owned()))?;
        let known = format!(
            "{} on network {}",
            known.text("account")?,
            known.uint("network_id")?
        );
        let asked = format!("{account} on network {network_id}");
        if known != asked {
            tx.end().await?;
            return Err(StoreError::WalletDiffers {
                wallet: wallet.to_owned(),
                known,
                asked,
            });
        }
        if is_new {
            let added = Audited {
                at: now,
                actor: Actor::Daemon,
                action: "wallet.added",
                object: wallet.to_owned(),
                data: json!({
                    "account": account.to_string(),
                    "network_id": network_id,
                    "journal_from": cursor.start.0,
                    "booked_from": before.book_from.map(|ledger| ledger.0),
                }),
            };
            audit::note(&mut tx, vec![added]).await?;
        }
        tx.commit().await
    }
}
