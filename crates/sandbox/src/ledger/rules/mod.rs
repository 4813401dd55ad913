//! The rules by which one transaction applies, in rippled's order of checks.
//!
//! `preflight` looks at the transaction alone, `preclaim` at it and the ledger, `apply` changes the
//! ledger. A `tec` throws the transaction's own changes away and takes the fee and the sequence.
//! Owns nothing; every function is pure over what it reads.

mod account_delete;
mod account_set;
pub(crate) mod channel;
mod check;
mod check_token;
mod clawback;
mod condition;
mod deposit;
pub(crate) mod directory;
mod escrow;
pub(crate) mod flow;
mod keys;
pub(crate) mod line;
mod mpt;
mod mpt_payment;
pub(crate) mod offer;
mod owned;
mod payment;
mod ticket;
pub(crate) mod trust_set;
mod unmodelled;

use super::amount::{Amount, Asset};
use super::codes::Ter;
use super::entry::{Account, Key, lsf};
use super::state::{Change, Changes, Read};
use super::tx::{SeqProxy, Tx, types};
use std::collections::{BTreeMap, BTreeSet};

/// Flags that every transaction may carry.
const TF_UNIVERSAL: u32 = 0x8000_0000;
/// Networks above this id want it in every transaction, networks up to it in none.
pub(crate) const NETWORK_ID_LEGACY_MAX: u32 = 1024;

/// What a ledger charges and reserves.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fees {
    pub(crate) base: u64,
    pub(crate) reserve_base: u64,
    pub(crate) reserve_increment: u64,
}

impl Fees {
    /// The model's fees, which are the recorded server's and Mainnet's.
    pub(crate) const MODEL: Self = Self {
        base: 10,
        reserve_base: 1_000_000,
        reserve_increment: 200_000,
    };

    /// What an account with so many objects must keep.
    pub(crate) fn reserve(&self, owner_count: u32) -> u64 {
        self.reserve_base.saturating_add(
            self.reserve_increment
                .saturating_mul(u64::from(owner_count)),
        )
    }
}

/// The ledger that a transaction is applied to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Setting {
    /// Its index.
    pub(crate) ledger: u32,
    /// Its parent's close time.
    pub(crate) parent_close_time: u32,
    /// The network's id.
    pub(crate) network_id: u32,
    /// Whether it is an open ledger, where results are provisional.
    pub(crate) mode: Mode,
    /// What it charges.
    pub(crate) fees: Fees,
    /// What an open ledger asks for the server's own load, in base fees.
    pub(crate) load_factor: u64,
    /// What the transaction ends with, whatever it does: a drill's wish.
    pub(crate) forced: Option<Ter>,
}

/// How a transaction is applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// To an open ledger.
    Open,
    /// To an open ledger, where a `tec` is not taken.
    OpenNoTec,
    /// To an open ledger that is thrown away after; nobody has signed the transaction.
    Trial,
    /// To a ledger that is being closed; a `tec` is tried again later.
    CloseRetry,
    /// To a ledger that is being closed; a `tec` is final.
    CloseFinal,
}

impl Mode {
    const fn is_open(self) -> bool {
        matches!(self, Self::Open | Self::OpenNoTec | Self::Trial)
    }

    const fn takes_tec(self) -> bool {
        matches!(self, Self::Open | Self::Trial | Self::CloseFinal)
    }
}

/// What came of applying a transaction.
pub(crate) struct Outcome {
    pub(crate) result: Ter,
    /// The changes, if it applied (`tes`, or a `tec` that is taken).
    pub(crate) changes: Option<BTreeMap<super::entry::Key, Change>>,
    /// What was delivered, in the ledger's bytes, where metadata has to say it.
    pub(crate) delivered: Option<Box<[u8]>>,
}

/// The fee a transaction needs when there is no load.
pub(crate) fn base_fee(tx: &Tx, fees: &Fees) -> u64 {
    let signatures = u64::try_from(tx.signers.len()).unwrap_or_default();
    match tx.kind {
        types::ACCOUNT_DELETE => fees.reserve_increment,
        types::ESCROW_FINISH => fees
            .base
            .saturating_mul(1 + signatures)
            .saturating_add(escrow::fulfillment_fee(tx, fees)),
        _ => fees.base.saturating_mul(1 + signatures),
    }
}

/// The fee a transaction needs for this sender's state: a forgotten password costs nothing once.
pub(crate) fn needed_fee(tx: &Tx, fees: &Fees, view: &dyn Read) -> u64 {
    let free_reset = tx.kind == types::SET_REGULAR_KEY
        && tx.signing_account == Some(tx.account)
        && view
            .account(tx.account)
            .is_some_and(|account| !account.has(lsf::PASSWORD_SPENT));
    if free_reset { 0 } else { base_fee(tx, fees) }
}

/// The checks of the transaction alone.
pub(crate) fn preflight(tx: &Tx, setting: &Setting) -> Result<(), Ter> {
    network_id(tx, setting.network_id)?;
    if tx.account.0 == [0; 20] {
        return Err(Ter::TEM_BAD_SRC_ACCOUNT);
    }
    if tx
        .fee
        .is_none_or(|fee| !(0..=100_000_000_000_000_000).contains(&fee))
    {
        return Err(Ter::TEM_BAD_FEE);
    }
    if !tx.signing_key.is_empty() && tx.public_key.is_none() {
        return Err(Ter::TEM_BAD_SIGNATURE);
    }
    if tx.account_txn_id.is_some() && matches!(tx.proxy(), SeqProxy::Ticket(_)) {
        return Err(Ter::TEM_INVALID);
    }
    match tx.kind {
        types::PAYMENT => payment::preflight(tx),
        types::CLAWBACK if is_mpt(tx) => mpt_payment::preflight_clawback(tx),
        types::ACCOUNT_SET => account_set::preflight(tx),
        types::SET_REGULAR_KEY => keys::preflight_regular_key(tx),
        types::SIGNER_LIST_SET => keys::preflight_signer_list(tx),
        types::TICKET_CREATE => ticket::preflight(tx),
        types::TRUST_SET => trust_set::preflight(tx),
        types::CLAWBACK => clawback::preflight(tx),
        types::OFFER_CREATE => offer::preflight(tx),
        types::OFFER_CANCEL => offer::preflight_cancel(tx),
        types::ACCOUNT_DELETE => account_delete::preflight(tx),
        types::MPT_ISSUANCE_CREATE => mpt::preflight_create(tx),
        types::MPT_ISSUANCE_DESTROY => mpt::preflight_destroy(tx),
        types::MPT_ISSUANCE_SET => mpt::preflight_set(tx),
        types::MPT_AUTHORIZE => mpt::preflight_authorize(tx),
        types::ESCROW_CREATE => escrow::preflight_create(tx),
        types::ESCROW_FINISH => escrow::preflight_finish(tx),
        types::ESCROW_CANCEL => escrow::preflight_cancel(tx),
        types::CHANNEL_CREATE => channel::preflight_create(tx),
        types::CHANNEL_FUND => channel::preflight_fund(tx),
        types::CHANNEL_CLAIM => channel::preflight_claim(tx),
        types::CHECK_CREATE => check::preflight_create(tx),
        types::CHECK_CASH => check::preflight_cash(tx),
        types::CHECK_CANCEL => check::preflight_cancel(tx),
        types::DEPOSIT_PREAUTH => deposit::preflight(tx),
        _ => unmodelled::preflight(tx),
    }
}

/// Whether what a transaction moves is a multi-purpose token.
const fn is_mpt(tx: &Tx) -> bool {
    matches!(
        tx.amount,
        Some(Amount {
            asset: Asset::Mpt(_),
            ..
        })
    )
}

fn network_id(tx: &Tx, network_id: u32) -> Result<(), Ter> {
    match tx.network_id {
        Some(_) if network_id <= NETWORK_ID_LEGACY_MAX => Err(Ter::TEL_NETWORK_ID_NON_CANONICAL),
        None if network_id > NETWORK_ID_LEGACY_MAX => Err(Ter::TEL_REQUIRES_NETWORK_ID),
        Some(id) if id != network_id => Err(Ter::TEL_WRONG_NETWORK),
        _ => Ok(()),
    }
}

/// Refuses flags outside `allowed`.
fn flags(tx: &Tx, allowed: u32) -> Result<(), Ter> {
    if tx.flags & !(allowed | TF_UNIVERSAL) == 0 {
        Ok(())
    } else {
        Err(Ter::TEM_INVALID_FLAG)
    }
}

/// Whether the sender's sequence or ticket lets the transaction apply now.
pub(crate) fn check_sequence(tx: &Tx, view: &dyn Read) -> Result<Account, Ter> {
    let account = view.account(tx.account).ok_or(Ter::TER_NO_ACCOUNT)?;
    match tx.proxy() {
        SeqProxy::Sequence(_) if tx.ticket.is_some() => Err(Ter::TEM_SEQ_AND_TICKET),
        SeqProxy::Sequence(sequence) if sequence > account.sequence => Err(Ter::TER_PRE_SEQ),
        SeqProxy::Sequence(sequence) if sequence < account.sequence => Err(Ter::TEF_PAST_SEQ),
        SeqProxy::Ticket(number) if number >= account.sequence => Err(Ter::TER_PRE_TICKET),
        SeqProxy::Ticket(number) if view.ticket(tx.account, number).is_none() => {
            Err(Ter::TEF_NO_TICKET)
        }
        _ => Ok(account),
    }
}

/// The checks against the ledger that every type shares, after the sequence.
fn check_common(tx: &Tx, setting: &Setting, view: &dyn Read, account: &Account) -> Result<(), Ter> {
    if let Some(wanted) = tx.account_txn_id {
        let have = account
            .extra
            .as_ref()
            .and_then(|extra| extra.account_txn_id);
        if have != Some(wanted) {
            return Err(Ter::TEF_WRONG_PRIOR);
        }
    }
    if tx.last_ledger.is_some_and(|last| last < setting.ledger) {
        return Err(Ter::TEF_MAX_LEDGER);
    }
    check_fee(tx, setting, view, account)?;
    check_sign(tx, setting.mode, view, account)
}

fn check_fee(tx: &Tx, setting: &Setting, view: &dyn Read, account: &Account) -> Result<(), Ter> {
    let fee = tx.fee_drops();
    let needed = needed_fee(tx, &setting.fees, view).saturating_mul(setting.load_factor);
    if setting.mode.is_open() && fee < needed {
        return Err(Ter::TEL_INSUF_FEE_P);
    }
    if fee > account.balance {
        let closing = account.balance > 0 && !setting.mode.is_open();
        return Err(if closing {
            Ter::TEC_INSUFF_FEE
        } else {
            Ter::TER_INSUF_FEE_B
        });
    }
    Ok(())
}

/// Whether the key or keys on the transaction may sign for the account.
fn check_sign(tx: &Tx, mode: Mode, view: &dyn Read, account: &Account) -> Result<(), Ter> {
    if tx.is_multi_signed() {
        return keys::check_multi_sign(tx, mode, view);
    }
    // Where nobody signed, the account's own key is taken for the signer.
    let is_unsigned = mode == Mode::Trial && tx.signing_key.is_empty();
    let signer = if is_unsigned {
        tx.account
    } else {
        tx.signing_account.ok_or(Ter::TEF_BAD_AUTH)?
    };
    let is_master = signer == tx.account;
    if account.regular_key == Some(signer) || (is_master && !account.has(lsf::DISABLE_MASTER)) {
        Ok(())
    } else if is_master {
        Err(Ter::TEF_MASTER_DISABLED)
    } else {
        Err(Ter::TEF_BAD_AUTH)
    }
}

/// What an applying transaction works with.
struct Context<'a, 'b> {
    tx: &'a Tx,
    setting: &'a Setting,
    changes: &'a mut Changes<'b>,
    /// The sender's balance before the fee.
    prior_balance: u64,
    /// What was delivered, in the ledger's bytes, where metadata has to say it.
    delivered: Option<Box<[u8]>>,
    /// Offers that were found dead on the way, which go even if a killed offer undoes all else.
    dead_offers: BTreeSet<Key>,
}

impl Context<'_, '_> {
    /// The sender's root, which exists for as long as the transaction applies.
    fn sender(&self) -> Result<Account, Ter> {
        self.changes
            .account(self.tx.account)
            .ok_or(Ter::TER_NO_ACCOUNT)
    }
}

/// Whether a transaction that passed `preflight` is likely to claim its fee: it succeeds or ends in a
/// `tec`, as far as can be told without applying it.
pub(crate) fn claims_fee(tx: &Tx, setting: &Setting, view: &dyn Read) -> Result<(), Ter> {
    let claimed = check_sequence(tx, view)
        .and_then(|account| check_common(tx, setting, view, &account))
        .and_then(|()| preclaim(tx, setting, view));
    match claimed {
        Err(code) if !code.is_tec() => Err(code),
        _ => Ok(()),
    }
}

/// Applies a transaction that passed `preflight`.
pub(crate) fn apply(tx: &Tx, setting: &Setting, view: &dyn Read) -> Outcome {
    let refused = |result| Outcome {
        result,
        changes: None,
        delivered: None,
    };
    let claimed = check_sequence(tx, view)
        .and_then(|account| check_common(tx, setting, view, &account).map(|()| account));
    let (account, early) = match claimed {
        Ok(account) => (account, preclaim(tx, setting, view)),
        Err(code) if code.is_tec() => match view.account(tx.account) {
            Some(account) => (account, Err(code)),
            None => return refused(code),
        },
        Err(code) => return refused(code),
    };
    let early = setting.forced.map_or(early, Err);
    let mut changes = Changes::over(view);
    let prior_balance = account.balance;
    let was_tried = early.is_ok();
    let mut dead_offers = BTreeSet::new();
    let result = early.and_then(|()| {
        consume(tx, &mut changes, &account)?;
        let mut context = Context {
            tx,
            setting,
            changes: &mut changes,
            prior_balance,
            delivered: None,
            dead_offers: BTreeSet::new(),
        };
        let done = dispatch(&mut context);
        dead_offers = context.dead_offers;
        done.map(|()| context.delivered)
    });
    match result {
        Ok(delivered) => Outcome {
            result: Ter::TES_SUCCESS,
            changes: Some(changes.map),
            delivered,
        },
        Err(code) if claims(code, setting.mode, was_tried) => {
            changes.discard();
            let consumed = consume(tx, &mut changes, &account).and_then(|()| {
                if code == Ter::TEC_KILLED {
                    offer::remove_all(&mut changes, &dead_offers)
                } else {
                    Ok(())
                }
            });
            match consumed {
                Ok(()) => Outcome {
                    result: code,
                    changes: Some(changes.map),
                    delivered: None,
                },
                Err(broken) => refused(broken),
            }
        }
        Err(code) => refused(code),
    }
}

/// Whether a result is taken for its fee. Some are final at once, even where others are tried again later.
fn claims(code: Ter, mode: Mode, was_tried: bool) -> bool {
    let is_final = was_tried && [Ter::TEC_KILLED, Ter::TEC_EXPIRED].contains(&code);
    code.is_tec() && (mode.takes_tec() || (is_final && mode != Mode::OpenNoTec))
}

fn preclaim(tx: &Tx, setting: &Setting, view: &dyn Read) -> Result<(), Ter> {
    match tx.kind {
        types::PAYMENT => payment::preclaim(tx, setting, view),
        types::CLAWBACK if is_mpt(tx) => mpt_payment::preclaim_clawback(tx, view),
        types::ACCOUNT_SET => account_set::preclaim(tx, view),
        types::TICKET_CREATE => ticket::preclaim(tx, view),
        types::TRUST_SET => trust_set::preclaim(tx, view),
        types::CLAWBACK => clawback::preclaim(tx, view),
        types::OFFER_CREATE => offer::preclaim(tx, setting, view),
        types::OFFER_CANCEL => offer::preclaim_cancel(tx, view),
        types::ACCOUNT_DELETE => account_delete::preclaim(tx, setting, view),
        types::SET_REGULAR_KEY | types::SIGNER_LIST_SET => Ok(()),
        types::MPT_ISSUANCE_DESTROY => mpt::preclaim_destroy(tx, view),
        types::MPT_ISSUANCE_SET => mpt::preclaim_set(tx, view),
        types::MPT_AUTHORIZE => mpt::preclaim_authorize(tx, view),
        types::ESCROW_CREATE => escrow::preclaim_create(tx, view),
        types::CHANNEL_CREATE => channel::preclaim_create(tx, setting, view),
        types::CHECK_CREATE => check::preclaim_create(tx, setting, view),
        types::CHECK_CASH => check::preclaim_cash(tx, setting, view),
        types::CHECK_CANCEL => check::preclaim_cancel(tx, setting, view),
        types::DEPOSIT_PREAUTH => deposit::preclaim(tx, view),
        // What these look for, they look for as they apply.
        types::MPT_ISSUANCE_CREATE
        | types::ESCROW_FINISH
        | types::ESCROW_CANCEL
        | types::CHANNEL_FUND
        | types::CHANNEL_CLAIM => Ok(()),
        _ => Err(Ter::TEM_DISABLED),
    }
}

fn dispatch(context: &mut Context<'_, '_>) -> Result<(), Ter> {
    match context.tx.kind {
        types::PAYMENT => payment::apply(context),
        types::CLAWBACK if is_mpt(context.tx) => mpt_payment::apply_clawback(context),
        types::ACCOUNT_SET => account_set::apply(context),
        types::SET_REGULAR_KEY => keys::apply_regular_key(context),
        types::SIGNER_LIST_SET => keys::apply_signer_list(context),
        types::TICKET_CREATE => ticket::apply(context),
        types::TRUST_SET => trust_set::apply(context),
        types::CLAWBACK => clawback::apply(context),
        types::OFFER_CREATE => offer::apply(context),
        types::OFFER_CANCEL => offer::apply_cancel(context),
        types::ACCOUNT_DELETE => account_delete::apply(context),
        types::MPT_ISSUANCE_CREATE => mpt::apply_create(context),
        types::MPT_ISSUANCE_DESTROY => mpt::apply_destroy(context),
        types::MPT_ISSUANCE_SET => mpt::apply_set(context),
        types::MPT_AUTHORIZE => mpt::apply_authorize(context),
        types::ESCROW_CREATE => escrow::apply_create(context),
        types::ESCROW_FINISH => escrow::apply_finish(context),
        types::ESCROW_CANCEL => escrow::apply_cancel(context),
        types::CHANNEL_CREATE => channel::apply_create(context),
        types::CHANNEL_FUND => channel::apply_fund(context),
        types::CHANNEL_CLAIM => channel::apply_claim(context),
        types::CHECK_CREATE => check::apply_create(context),
        types::CHECK_CASH => check::apply_cash(context),
        types::CHECK_CANCEL => check::apply_cancel(context),
        types::DEPOSIT_PREAUTH => deposit::apply(context),
        _ => Err(Ter::TEM_DISABLED),
    }
}

/// Takes the fee and uses up the sequence or the ticket.
fn consume(tx: &Tx, changes: &mut Changes<'_>, account: &Account) -> Result<(), Ter> {
    let mut account = account.clone();
    account.balance = account.balance.saturating_sub(tx.fee_drops());
    if account
        .extra
        .as_ref()
        .is_some_and(|extra| extra.account_txn_id.is_some())
    {
        account.extra_mut().account_txn_id = Some(tx.hash.0);
    }
    match tx.proxy() {
        SeqProxy::Sequence(sequence) => {
            account.sequence = sequence.checked_add(1).ok_or(Ter::TEF_PAST_SEQ)?;
            changes.put_account(account);
            Ok(())
        }
        SeqProxy::Ticket(number) => {
            changes.put_account(account);
            ticket::consume(changes, tx.account, number)
        }
    }
}
