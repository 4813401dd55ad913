//! Typed transactions, not yet signed: everything the daemon will ever ask a key to sign.
//!
//! A value of these types renders to strict JSON, or says which field the ledger would refuse. The
//! rules are the ledger's own static ones, so that what is rendered fails for a reason of the
//! ledger's state or not at all; what depends on that state is not judged here.

pub use crate::account::{
    AccountSet, LineFreeze, LineRippling, SetRegularKey, SignerListSet, TicketCreate, TrustSet,
};
pub use crate::payment::{Payment, PaymentOption};

use serde_json::{Map, Value, json};
use xrpayd_core::address::AccountId;
use xrpayd_core::ids::{Hash256, LedgerIndex};
use xrpayd_core::money::Drops;
pub use xrpayd_core::payment::state::Slot;

/// A transaction that nobody has signed yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unsigned {
    /// What every transaction says.
    pub common: Common,
    /// What this one does.
    pub action: Action,
}

/// What a transaction does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Pays.
    Payment(Box<Payment>),
    /// Changes an account's settings; with none to change it only consumes its slot.
    AccountSet(Box<AccountSet>),
    /// Gives an account a second key, or takes it away.
    SetRegularKey(SetRegularKey),
    /// Says who may sign for an account together.
    SignerListSet(SignerListSet),
    /// Sets sequences aside for later.
    TicketCreate(TicketCreate),
    /// Trusts an issuer for a token.
    TrustSet(TrustSet),
}

/// What every transaction says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Common {
    /// Who acts and pays the fee.
    pub account: AccountId,
    /// What is burned.
    pub fee: Drops,
    /// What the transaction consumes.
    pub slot: Slot,
    /// The last ledger that may hold it. Without one a transaction could come back years later.
    pub last_ledger: LedgerIndex,
    /// The network's own number; it is written only where networks have to be told apart.
    pub network_id: u32,
    /// The sender's own tag.
    pub source_tag: Option<u32>,
    /// The transaction that has to be the account's last one before this.
    pub account_txn_id: Option<Hash256>,
    /// What is to be written beside it.
    pub memos: Vec<Memo>,
}

/// A remark that everybody can read for ever.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Memo {
    /// What it is about; only the characters of a URL.
    pub kind: Option<String>,
    /// How the data is written, a media type; only the characters of a URL.
    pub format: Option<String>,
    /// The data.
    pub data: Option<Vec<u8>>,
}

/// A transaction that no ledger would accept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{field} {rule}")]
pub struct BadTransaction {
    /// The field at fault, by its name on the ledger.
    pub field: &'static str,
    /// The rule it breaks.
    pub rule: &'static str,
}

pub(crate) const fn bad(field: &'static str, rule: &'static str) -> BadTransaction {
    BadTransaction { field, rule }
}

/// Networks up to this number are not named in their transactions, all above it are.
const NETWORK_ID_UNNAMED_MAX: u32 = 1024;
/// The ledger's bound for all memos of a transaction, as they are serialised.
const MEMOS_LEN_MAX: usize = 1024;

impl Unsigned {
    /// The strict JSON that [`crate::sign()`] and [`crate::encode`] take.
    ///
    /// # Errors
    /// Names the field that the ledger would refuse, and why.
    pub fn to_json(&self) -> Result<Value, BadTransaction> {
        let mut tx = Map::new();
        self.common.render(&mut tx)?;
        let account = self.common.account;
        match &self.action {
            Action::Payment(payment) => payment.render(account, &mut tx)?,
            Action::AccountSet(set) => set.render(&mut tx)?,
            Action::SetRegularKey(set) => set.render(account, &mut tx)?,
            Action::SignerListSet(set) => set.render(account, &mut tx)?,
            Action::TicketCreate(create) => create.render(&mut tx)?,
            Action::TrustSet(trust) => trust.render(account, &mut tx)?,
        }
        Ok(Value::Object(tx))
    }
}

pub(crate) fn set(tx: &mut Map<String, Value>, field: &str, value: impl Into<Value>) {
    tx.insert(field.to_owned(), value.into());
}

pub(crate) fn set_if<T: Into<Value>>(tx: &mut Map<String, Value>, field: &str, value: Option<T>) {
    if let Some(value) = value {
        set(tx, field, value);
    }
}

impl Common {
    fn render(&self, tx: &mut Map<String, Value>) -> Result<(), BadTransaction> {
        set(tx, "Account", self.account.to_string());
        set(tx, "Fee", self.fee.to_string());
        match self.slot {
            Slot::Sequence(0) => return Err(bad("Sequence", "must not be 0 without a ticket")),
            Slot::Sequence(sequence) => set(tx, "Sequence", sequence),
            Slot::Ticket(0) => return Err(bad("TicketSequence", "must not be 0")),
            Slot::Ticket(_) if self.account_txn_id.is_some() => {
                return Err(bad("AccountTxnID", "cannot be used with a ticket"));
            }
            Slot::Ticket(ticket) => {
                set(tx, "Sequence", 0);
                set(tx, "TicketSequence", ticket);
            }
        }
        set(tx, "LastLedgerSequence", self.last_ledger.0);
        if self.network_id > NETWORK_ID_UNNAMED_MAX {
            set(tx, "NetworkID", self.network_id);
        }
        set_if(tx, "SourceTag", self.source_tag);
        set_if(
            tx,
            "AccountTxnID",
            self.account_txn_id.map(|id| id.to_string()),
        );
        if !self.memos.is_empty() {
            let mut len = 0;
            for memo in &self.memos {
                len += memo.check()?;
            }
            if len > MEMOS_LEN_MAX {
                return Err(bad("Memos", "must not be longer than 1024 bytes together"));
            }
            set(
                tx,
                "Memos",
                self.memos.iter().map(Memo::render).collect::<Value>(),
            );
        }
        Ok(())
    }
}

impl Memo {
    fn parts(&self) -> [(&'static str, Option<&[u8]>); 3] {
        [
            ("MemoType", self.kind.as_deref().map(str::as_bytes)),
            ("MemoFormat", self.format.as_deref().map(str::as_bytes)),
            ("MemoData", self.data.as_deref()),
        ]
    }

    /// Checks the characters and returns the length of the memo as it is serialised.
    fn check(&self) -> Result<usize, BadTransaction> {
        const RULE: &str = "may only have the characters of a URL";
        let url = |c: u8| c.is_ascii_alphanumeric() || b"-._~:/?#[]@!$&'()*+,;=%".contains(&c);
        let fits = |text: &Option<String>| text.iter().all(|text| text.bytes().all(url));
        if !fits(&self.kind) {
            return Err(bad("MemoType", RULE));
        }
        if !fits(&self.format) {
            return Err(bad("MemoFormat", RULE));
        }
        let mut len = 0;
        for part in self.parts().into_iter().filter_map(|(_, part)| part) {
            // One byte names the field and one or two announce its length.
            len += part.len() + if part.len() > 192 { 3 } else { 2 };
        }
        if len == 0 {
            return Err(bad("Memos", "must not hold an empty memo"));
        }
        // One byte opens the memo and one closes it.
        Ok(len + 2)
    }

    fn render(&self) -> Value {
        let parts = self.parts().into_iter();
        let inner: Map<String, Value> = parts
            .filter_map(|(name, part)| Some((name.to_owned(), json!(hex::encode_upper(part?)))))
            .collect();
        json!({ "Memo": inner })
    }
}
