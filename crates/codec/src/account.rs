//! What an account does for itself: settings, keys, signers, tickets and trust lines.

use crate::amount::Amount;
use crate::keys::PublicKey;
use crate::transaction::{BadTransaction, bad, set, set_if};
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;
use xrpayd_core::address::AccountId;
use xrpayd_core::currency::Currency;
use xrpayd_core::token::TokenValue;

/// Changes settings. The default changes nothing and only consumes its slot.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AccountSet {
    /// The number of a setting to switch on.
    pub set_flag: Option<u32>,
    /// The number of a setting to switch off.
    pub clear_flag: Option<u32>,
    /// The domain that vouches for the account; empty takes it away.
    pub domain: Option<String>,
    /// The hash of a mail address.
    pub email_hash: Option<[u8; 16]>,
    /// A key for messages.
    pub message_key: Option<PublicKey>,
    /// The fee on transfers of what the account issues, in billionths of the amount; 0 is none.
    pub transfer_rate: Option<u32>,
    /// How many digits an exchange rate of what the account issues has; 0 is all.
    pub tick_size: Option<u8>,
}

/// Gives an account a second key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetRegularKey {
    /// The account that the key belongs to by itself; `None` takes the regular key away.
    pub regular_key: Option<AccountId>,
}

/// Says who may sign for an account together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignerListSet {
    /// The weight that is needed; 0 together with no signers takes the list away.
    pub quorum: u32,
    /// The signers and their weights.
    pub signers: Vec<(AccountId, u16)>,
}

/// Sets sequences aside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TicketCreate {
    /// How many.
    pub count: u32,
}

/// Trusts an issuer for a token up to a limit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrustSet {
    /// The token.
    pub currency: Currency,
    /// Its issuer.
    pub issuer: AccountId,
    /// The most to hold.
    pub limit: TokenValue,
    /// What incoming balances count for, in billionths.
    pub quality_in: Option<u32>,
    /// What outgoing balances count for, in billionths.
    pub quality_out: Option<u32>,
    /// Whether payments of others may ripple through the line.
    pub rippling: LineRippling,
    /// Whether the line is frozen.
    pub freeze: LineFreeze,
}

/// What becomes of rippling through a trust line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LineRippling {
    /// As before.
    #[default]
    Unchanged,
    /// No longer.
    Forbid,
    /// From now on.
    Allow,
}

/// What becomes of the freeze of a trust line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LineFreeze {
    /// As before.
    #[default]
    Unchanged,
    /// Frozen.
    Freeze,
    /// Thawed.
    Thaw,
}

const DOMAIN_LEN_MAX: usize = 256;
const SIGNERS_MAX: usize = 32;
const TICKETS_MAX: u32 = 250;

fn start(tx: &mut Map<String, Value>, transaction_type: &str, flags: u32) {
    set(tx, "TransactionType", transaction_type);
    set(tx, "Flags", flags);
}

impl AccountSet {
    pub(crate) fn render(&self, tx: &mut Map<String, Value>) -> Result<(), BadTransaction> {
        if self.set_flag.is_some() && self.set_flag == self.clear_flag {
            return Err(bad("ClearFlag", "must not be the flag that is set"));
        }
        let domain_len = self.domain.as_ref().map_or(0, String::len);
        if domain_len > DOMAIN_LEN_MAX {
            return Err(bad("Domain", "must not be longer than 256 bytes"));
        }
        if !matches!(
            self.transfer_rate,
            None | Some(0 | 1_000_000_000..=2_000_000_000)
        ) {
            return Err(bad(
                "TransferRate",
                "must be 0, or 1000000000 to 2000000000",
            ));
        }
        if !matches!(self.tick_size, None | Some(0 | 3..=15)) {
            return Err(bad("TickSize", "must be 0, or 3 to 15"));
        }
        start(tx, "AccountSet", 0);
        set_if(tx, "SetFlag", self.set_flag);
        set_if(tx, "ClearFlag", self.clear_flag);
        set_if(tx, "Domain", self.domain.as_ref().map(hex::encode_upper));
        set_if(tx, "EmailHash", self.email_hash.map(hex::encode_upper));
        set_if(
            tx,
            "MessageKey",
            self.message_key.map(|key| key.to_string()),
        );
        set_if(tx, "TransferRate", self.transfer_rate);
        set_if(tx, "TickSize", self.tick_size);
        Ok(())
    }
}

impl SetRegularKey {
    pub(crate) fn render(
        &self,
        account: AccountId,
        tx: &mut Map<String, Value>,
    ) -> Result<(), BadTransaction> {
        if self.regular_key == Some(account) {
            return Err(bad(
                "RegularKey",
                "must not be the account's own master key",
            ));
        }
        start(tx, "SetRegularKey", 0);
        set_if(
            tx,
            "RegularKey",
            self.regular_key.map(|key| key.to_string()),
        );
        Ok(())
    }
}

impl SignerListSet {
    pub(crate) fn render(
        &self,
        account: AccountId,
        tx: &mut Map<String, Value>,
    ) -> Result<(), BadTransaction> {
        const ENTRIES: &str = "SignerEntries";
        start(tx, "SignerListSet", 0);
        set(tx, "SignerQuorum", self.quorum);
        if self.quorum == 0 && self.signers.is_empty() {
            return Ok(());
        }
        if self.quorum == 0 || !(1..=SIGNERS_MAX).contains(&self.signers.len()) {
            return Err(bad(ENTRIES, "must be 1 to 32 and have a quorum above 0"));
        }
        let distinct: BTreeSet<AccountId> = self.signers.iter().map(|(id, _)| *id).collect();
        if distinct.len() != self.signers.len() {
            return Err(bad(ENTRIES, "must not name a signer twice"));
        }
        if distinct.contains(&account) {
            return Err(bad(ENTRIES, "must not name the account itself"));
        }
        let weights = || self.signers.iter().map(|(_, weight)| *weight);
        if weights().any(|weight| weight == 0) {
            return Err(bad("SignerWeight", "must be above 0"));
        }
        // 32 weights of 16 bits cannot overflow 32 bits.
        if weights().map(u32::from).sum::<u32>() < self.quorum {
            return Err(bad(
                "SignerQuorum",
                "must be within reach of all signers together",
            ));
        }
        let entry = |(signer, weight): &(AccountId, u16)| json!({"SignerEntry": {"Account": signer.to_string(), "SignerWeight": weight}});
        set(
            tx,
            ENTRIES,
            self.signers.iter().map(entry).collect::<Value>(),
        );
        Ok(())
    }
}

impl TicketCreate {
    pub(crate) fn render(&self, tx: &mut Map<String, Value>) -> Result<(), BadTransaction> {
        if !(1..=TICKETS_MAX).contains(&self.count) {
            return Err(bad("TicketCount", "must be 1 to 250"));
        }
        start(tx, "TicketCreate", 0);
        set(tx, "TicketCount", self.count);
        Ok(())
    }
}

impl TrustSet {
    pub(crate) fn render(
        &self,
        account: AccountId,
        tx: &mut Map<String, Value>,
    ) -> Result<(), BadTransaction> {
        if self.issuer == account || self.issuer == AccountId([0; 20]) {
            return Err(bad("LimitAmount", "must be issued by another account"));
        }
        if self.limit.is_negative() {
            return Err(bad("LimitAmount", "must not be below 0"));
        }
        let rippling = match self.rippling {
            LineRippling::Unchanged => 0,
            LineRippling::Forbid => 0x0002_0000,
            LineRippling::Allow => 0x0004_0000,
        };
        let freeze = match self.freeze {
            LineFreeze::Unchanged => 0,
            LineFreeze::Freeze => 0x0010_0000,
            LineFreeze::Thaw => 0x0020_0000,
        };
        start(tx, "TrustSet", rippling | freeze);
        let limit = Amount::Token {
            currency: self.currency,
            issuer: self.issuer,
            value: self.limit,
        };
        set(tx, "LimitAmount", limit.to_json());
        set_if(tx, "QualityIn", self.quality_in);
        set_if(tx, "QualityOut", self.quality_out);
        Ok(())
    }
}
