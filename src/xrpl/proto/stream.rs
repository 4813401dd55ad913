//! What subscriptions bring: the answer to `subscribe`, `ledgerClosed` and `serverStatus`.

use super::unix_ms;
use serde::Deserialize;
use std::borrow::Cow;
use xrpayd_core::ids::{LedgerHash, LedgerIndex, UnixMs};
use xrpayd_core::money::Drops;

/// The validated ledger that a server tells of, with the fees and reserves in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::xrpl) struct Header {
    pub index: LedgerIndex,
    pub hash: LedgerHash,
    pub close_time: UnixMs,
    pub base_fee: Drops,
    pub reserve_base: Drops,
    pub reserve_inc: Drops,
}

/// The answer to `subscribe` with the ledger stream, and a `ledgerClosed` message: the same fields.
#[derive(Debug, Deserialize)]
pub(in crate::xrpl) struct LedgerClosed<'a> {
    #[serde(default)]
    ledger_index: Option<u32>,
    #[serde(borrow, default)]
    ledger_hash: Option<Cow<'a, str>>,
    #[serde(default)]
    ledger_time: Option<u32>,
    #[serde(default)]
    fee_base: Option<u64>,
    #[serde(default)]
    reserve_base: Option<u64>,
    #[serde(default)]
    reserve_inc: Option<u64>,
    /// Absent while the server is not synced.
    #[serde(borrow, default)]
    pub validated_ledgers: Option<Cow<'a, str>>,
    /// Only in the answer: a server that closes ledgers only when told.
    #[serde(default)]
    pub stand_alone: bool,
    /// Since 2.6.
    #[serde(default)]
    pub network_id: Option<u32>,
}

/// Why a ledger's header cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the ledger's header lacks {0} or has it in a wrong shape")]
pub(in crate::xrpl) struct BadHeader(&'static str);

impl LedgerClosed<'_> {
    /// Whether it tells of a validated ledger at all; a server that is not synced does not.
    pub(in crate::xrpl) const fn has_ledger(&self) -> bool {
        self.ledger_index.is_some() && self.ledger_hash.is_some()
    }

    /// The header.
    pub(in crate::xrpl) fn header(&self) -> Result<Header, BadHeader> {
        let drops = |amount: Option<u64>, name| amount.and_then(Drops::new).ok_or(BadHeader(name));
        let hash = self
            .ledger_hash
            .as_deref()
            .and_then(|text| text.parse().ok());
        Ok(Header {
            index: self
                .ledger_index
                .map(LedgerIndex)
                .ok_or(BadHeader("ledger_index"))?,
            hash: hash.ok_or(BadHeader("ledger_hash"))?,
            close_time: self
                .ledger_time
                .map(unix_ms)
                .ok_or(BadHeader("ledger_time"))?,
            base_fee: drops(self.fee_base, "fee_base")?,
            reserve_base: drops(self.reserve_base, "reserve_base")?,
            reserve_inc: drops(self.reserve_inc, "reserve_inc")?,
        })
    }
}

/// A `serverStatus` message.
#[derive(Debug, Deserialize)]
pub(in crate::xrpl) struct ServerStatus<'a> {
    #[serde(borrow, default)]
    pub server_status: Option<Cow<'a, str>>,
    #[serde(default)]
    load_factor: Option<u64>,
    #[serde(default)]
    load_base: Option<u64>,
    #[serde(default)]
    load_factor_fee_escalation: Option<u64>,
    #[serde(default)]
    load_factor_fee_reference: Option<u64>,
    #[serde(default)]
    load_factor_server: Option<u64>,
}

/// By how much a server's fees stand above the base fee: numerators and their denominators.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::xrpl) struct Load {
    /// What gets a transaction into the open ledger.
    pub open_ledger: (u64, u64),
    /// What the server asks of any transaction.
    pub server: (u64, u64),
}

impl Load {
    /// The fees that a base fee becomes: for the open ledger, and at least; rounded up.
    pub(in crate::xrpl) fn fees(&self, base: Drops) -> Option<(Drops, Drops)> {
        let times = |(above, below): (u64, u64)| {
            let product = u128::from(base.get()).checked_mul(u128::from(above))?;
            let drops = product.checked_next_multiple_of(u128::from(below).max(1))?
                / u128::from(below).max(1);
            Drops::new(u64::try_from(drops).ok()?)
        };
        let minimum = times(self.server)?;
        Some((times(self.open_ledger)?.max(minimum), minimum))
    }
}

impl ServerStatus<'_> {
    /// The load factor in the unit of `server_info`: 1 is no load.
    pub(in crate::xrpl) fn load_factor(&self) -> Option<u64> {
        self.load_factor?.checked_div(self.load_base?)
    }

    /// What the server's fees are, where the message says it. One that names only the load factor
    /// means all of it.
    pub(in crate::xrpl) fn load(&self) -> Option<Load> {
        let base = self.load_base.filter(|base| *base > 0)?;
        let all = (self.load_factor?, base);
        let escalation = self.load_factor_fee_escalation;
        let reference = self.load_factor_fee_reference.filter(|base| *base > 0);
        Some(Load {
            open_ledger: escalation.zip(reference).unwrap_or(all),
            server: self.load_factor_server.map_or(all, |server| (server, base)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLOSED: &str = r#"{"fee_base":10,"ledger_hash":"5EB35E69F228A1E2CFC62A2E6F25A06698CC9FA976C8F0DC3D3AECE604AAC3F8",
        "ledger_index":25,"ledger_time":848545812,"reserve_base":1000000,"reserve_inc":200000,"txn_count":0,
        "type":"ledgerClosed","validated_ledgers":"2-25"}"#;

    #[test]
    fn a_closed_ledger_reads() {
        let closed: LedgerClosed<'_> = serde_json::from_str(CLOSED).unwrap();
        let header = closed.header().unwrap();
        assert_eq!(header.index, LedgerIndex(25));
        assert_eq!(header.base_fee.get(), 10);
        assert_eq!(
            header.close_time,
            UnixMs((848_545_812 + 946_684_800) * 1_000)
        );
    }

    #[test]
    fn a_header_with_a_hole_is_refused_by_name() {
        let text = CLOSED.replace("ledger_time", "other");
        let closed: LedgerClosed<'_> = serde_json::from_str(&text).unwrap();
        assert_eq!(closed.header(), Err(BadHeader("ledger_time")));
        let text = CLOSED.replace("5EB35E", "XEB35E");
        let closed: LedgerClosed<'_> = serde_json::from_str(&text).unwrap();
        assert_eq!(closed.header(), Err(BadHeader("ledger_hash")));
    }

    #[test]
    fn fees_follow_from_the_load() {
        let base = Drops::new(10).unwrap();
        let fees = |text: &str| {
            let status: ServerStatus<'_> = serde_json::from_str(text).unwrap();
            let (open, least) = status.load()?.fees(base)?;
            Some((open.get(), least.get()))
        };
        let told = r#"{"type":"serverStatus","load_base":256,"load_factor":145600,"load_factor_fee_escalation":145600,
            "load_factor_fee_queue":256,"load_factor_fee_reference":256,"load_factor_server":256}"#;
        assert_eq!(fees(told), Some((5_688, 10)));
        assert_eq!(
            fees(r#"{"load_base":256,"load_factor":257}"#),
            Some((11, 11)),
            "rounded up"
        );
        let busy = r#"{"load_base":256,"load_factor":2560,"load_factor_fee_escalation":256,
            "load_factor_fee_reference":256,"load_factor_server":2560}"#;
        assert_eq!(fees(busy), Some((100, 100)), "the dearer of the two");
        assert_eq!(fees(r#"{"load_base":0,"load_factor":257}"#), None);
        assert_eq!(fees(r#"{"server_status":"full"}"#), None);
    }

    #[test]
    fn the_load_factor_is_in_units_of_no_load() {
        let text =
            r#"{"type":"serverStatus","server_status":"full","load_base":256,"load_factor":2560}"#;
        let status: ServerStatus<'_> = serde_json::from_str(text).unwrap();
        assert_eq!(status.load_factor(), Some(10));
        let text = r#"{"type":"serverStatus","load_base":0,"load_factor":2560}"#;
        let status: ServerStatus<'_> = serde_json::from_str(text).unwrap();
        assert_eq!(status.load_factor(), None);
    }
}
