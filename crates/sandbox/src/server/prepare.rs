//! What signing methods do to a transaction before anything signs it: look at it, fill in what is
//! missing, and see that the secret belongs to the account.
//!
//! Owns nothing. The order of the checks is rippled's.

use super::dispatch::Call;
use super::frame::RpcError;
use super::tx_json;
use crate::ledger::entry::{Account, lsf};
use crate::ledger::rules::{self, Fees};
use crate::ledger::state::Read as _;
use crate::ledger::tx::{BadBlob, Tx};
use serde_json::{Map, Value, json};
use xrpayd_codec::Amount;
use xrpayd_core::address::AccountId;

/// `tfFullyCanonicalSig`, which is set where no flags are given.
const FLAGS_DEFAULT: u32 = 0x8000_0000;
/// How many times the base fee is filled in at most, unless the client says otherwise.
pub(super) const FEE_TIMES_MAX: u64 = 10;

/// Who signs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Signing {
    /// The account itself: what is missing is filled in.
    Alone,
    /// One of several: nothing may change, for the others signed it or will.
    AmongOthers,
}

/// The transaction that a request carries as JSON.
pub(super) fn given(call: &Call<'_>) -> Result<Map<String, Value>, RpcError> {
    match call.params.get("tx_json") {
        None => Err(RpcError::missing("tx_json")),
        Some(Value::Object(tx)) => Ok(tx.clone()),
        Some(_) => Err(RpcError::expected("tx_json", "object")),
    }
}

/// The sender of a transaction that at least looks like one.
pub(super) fn sender(tx: &Map<String, Value>) -> Result<AccountId, RpcError> {
    if !tx.contains_key("TransactionType") {
        return Err(RpcError::missing("tx_json.TransactionType"));
    }
    let account = tx
        .get("Account")
        .ok_or_else(|| RpcError::source_missing().worded("Missing field 'tx_json.Account'."))?;
    let account = account.as_str().and_then(|text| text.parse().ok());
    account.ok_or_else(|| RpcError::source_malformed().worded("Invalid field 'tx_json.Account'."))
}

/// An account as the server's open ledger has it.
pub(super) fn root(call: &Call<'_>, account: AccountId) -> Option<Account> {
    let net = call.shared.net();
    net.open_view(call.server()).account(account)
}

/// Whether a key may sign for an account; one that does not exist can have only its own.
pub(super) fn may_sign(
    root: Option<&Account>,
    account: AccountId,
    key: AccountId,
) -> Result<(), RpcError> {
    let is_master = key == account;
    match root {
        Some(root) if is_master && root.has(lsf::DISABLE_MASTER) => {
            Err(RpcError::master_disabled())
        }
        Some(root) if !is_master && root.regular_key != Some(key) => Err(RpcError::bad_secret()),
        None if !is_master => Err(RpcError::bad_secret()),
        _ => Ok(()),
    }
}

/// Checks and completes a transaction that a secret is about to sign. `key` is the secret's account.
pub(super) fn prepare(
    call: &Call<'_>,
    signing: Signing,
    key: AccountId,
) -> Result<Map<String, Value>, RpcError> {
    let is_online = !call.truthy("offline");
    let mut tx = given(call)?;
    let account = sender(&tx)?;
    if is_online && call.shared.net().is_stale(call.server()) {
        return Err(RpcError::no_current(call.version));
    }
    if !is_online && !tx.contains_key("Sequence") {
        return Err(RpcError::missing("tx_json.Sequence"));
    }
    let root = root(call, account).filter(|_| is_online);
    if is_online && root.is_none() {
        return Err(RpcError::source_not_found());
    }
    let fills_in = signing == Signing::Alone;
    if fills_in {
        fill_in(call, &mut tx, account)?;
    }
    fee(call, &mut tx, is_online && fills_in)?;
    payment(call, &mut tx, is_online && fills_in)?;
    match signing {
        Signing::AmongOthers if tx.contains_key("TxnSignature") => {
            return Err(RpcError::already_single_signed());
        }
        Signing::Alone if tx.contains_key("Signers") => {
            return Err(RpcError::already_multisigned());
        }
        _ => {}
    }
    if is_online && fills_in {
        may_sign(root.as_ref(), account, key)?;
    }
    Ok(tx)
}

fn fill_in(
    call: &Call<'_>,
    tx: &mut Map<String, Value>,
    account: AccountId,
) -> Result<(), RpcError> {
    if !tx.contains_key("Sequence") {
        let sequence = if tx.contains_key("TicketSequence") {
            0
        } else {
            let next = call.shared.net().next_sequence(call.server(), account);
            next.ok_or_else(RpcError::source_not_found)?
        };
        tx.insert("Sequence".to_owned(), json!(sequence));
    }
    if !tx.contains_key("Flags") {
        tx.insert("Flags".to_owned(), json!(FLAGS_DEFAULT));
    }
    network_id(call, tx);
    Ok(())
}

/// Fills in the network's id, where the network wants it.
pub(super) fn network_id(call: &Call<'_>, tx: &mut Map<String, Value>) {
    let id = call.shared.network_id;
    if id > rules::NETWORK_ID_LEGACY_MAX && !tx.contains_key("NetworkID") {
        tx.insert("NetworkID".to_owned(), json!(id));
    }
}

/// A bound on the fee that a request sets.
fn bound(call: &Call<'_>, name: &str, least: u64) -> Result<Option<u64>, RpcError> {
    let Some(value) = call.params.get(name) else {
        return Ok(None);
    };
    let words = format!("Invalid field '{name}', not a positive integer.");
    match (value.as_i64(), value.as_u64()) {
        (Some(_), Some(value)) if value >= least => Ok(Some(value)),
        (Some(_), _) => Err(RpcError::invalid(words)),
        _ => Err(RpcError::high_fee().worded(words)),
    }
}

/// Fills in the fee, unless it would be more than the client wants to pay.
fn fee(call: &Call<'_>, tx: &mut Map<String, Value>, fills_in: bool) -> Result<(), RpcError> {
    if tx.contains_key("Fee") {
        return Ok(());
    }
    if !fills_in {
        return Err(RpcError::missing("tx_json.Fee"));
    }
    let times = bound(call, "fee_mult_max", 0)?.unwrap_or(FEE_TIMES_MAX);
    let part = bound(call, "fee_div_max", 1)?.unwrap_or(1);
    let fee = current_fee(call, tx, times, part)?;
    tx.insert("Fee".to_owned(), json!(fee.to_string()));
    Ok(())
}

/// The fee that lets the transaction into the open ledger now, if it is within `times / part` of what it
/// costs without load.
pub(super) fn current_fee(
    call: &Call<'_>,
    tx: &Map<String, Value>,
    times: u64,
    part: u64,
) -> Result<u64, RpcError> {
    let base = base_fee(tx);
    let fee = call.shared.net().fee_to_enter(call.server(), base);
    let limit = u128::from(base) * u128::from(times) / u128::from(part.max(1));
    if u128::from(fee) > limit {
        return Err(RpcError::high_fee().worded(format!(
            "Fee of {fee} exceeds the requested tx limit of {limit}"
        )));
    }
    Ok(fee)
}

/// What the transaction costs without load; the reference fee where it is not complete enough to tell.
fn base_fee(tx: &Map<String, Value>) -> u64 {
    let mut tx = tx.clone();
    for (name, value) in [
        ("Fee", json!("0")),
        ("Sequence", json!(0)),
        ("SigningPubKey", json!("")),
        ("TxnSignature", json!("")),
    ] {
        tx.entry(name).or_insert(value);
    }
    if fill_in_signers(&mut tx).is_err() {
        return Fees::MODEL.base;
    }
    match tx_json::parse(&tx) {
        Ok(Ok(tx)) => rules::base_fee(&tx, &Fees::MODEL),
        Ok(Err(_)) | Err(_) => Fees::MODEL.base,
    }
}

/// Gives signers who have not signed yet empty keys and signatures.
///
/// # Errors
/// The index of what is no signer, or nothing where the signers are no list.
pub(super) fn fill_in_signers(tx: &mut Map<String, Value>) -> Result<(), Option<usize>> {
    let Some(signers) = tx.get_mut("Signers") else {
        return Ok(());
    };
    let signers = signers.as_array_mut().ok_or(None)?;
    for (index, signer) in signers.iter_mut().enumerate() {
        let signer = signer.get_mut("Signer").and_then(Value::as_object_mut);
        let signer = signer.ok_or(Some(index))?;
        signer.entry("SigningPubKey").or_insert(json!(""));
        signer.entry("TxnSignature").or_insert(json!(""));
    }
    Ok(())
}

fn amount(tx: &Map<String, Value>, name: &str) -> Option<Amount> {
    let value = tx.get(name)?;
    let value = match value {
        Value::Number(number) => json!(number.to_string()),
        other => other.clone(),
    };
    Amount::from_json(&value).ok()
}

/// What is looked at in a payment before it is parsed.
pub(super) fn payment(
    call: &Call<'_>,
    tx: &mut Map<String, Value>,
    builds_paths: bool,
) -> Result<(), RpcError> {
    if tx.get("TransactionType") != Some(&json!("Payment")) {
        return Ok(());
    }
    if let Some(most) = tx.remove("DeliverMax") {
        if tx.get("Amount").is_some_and(|amount| *amount != most) {
            const WORDS: &str = "Cannot specify differing 'Amount' and 'DeliverMax'";
            return Err(RpcError::invalid(WORDS));
        }
        tx.insert("Amount".to_owned(), most);
    }
    if !tx.contains_key("Amount") {
        return Err(RpcError::missing("tx_json.Amount"));
    }
    let delivered = amount(tx, "Amount");
    let delivered = delivered.ok_or_else(|| RpcError::invalid_field("tx_json.Amount"))?;
    let destination = tx.get("Destination");
    let destination = destination.ok_or_else(|| RpcError::missing("tx_json.Destination"))?;
    let destination = destination.as_str().map(str::parse::<AccountId>);
    if !matches!(destination, Some(Ok(_))) {
        return Err(RpcError::invalid_field("tx_json.Destination"));
    }
    if call.params.contains_key("build_path") {
        return paths(tx, &delivered, builds_paths);
    }
    Ok(())
}

fn paths(tx: &Map<String, Value>, delivered: &Amount, allowed: bool) -> Result<(), RpcError> {
    const NOT_HERE: &str = "Field 'build_path' not allowed in this context.";
    const BOTH: &str = "Cannot specify both 'tx_json.Paths' and 'build_path'";
    const NO_NEED: &str = "Cannot build XRP to XRP paths.";
    const REFUSED: &str = "Paths are found by ripple_path_find only.";
    if !allowed || matches!(delivered, Amount::Mpt { .. }) {
        return Err(RpcError::invalid(NOT_HERE));
    }
    if tx.contains_key("Paths") {
        return Err(RpcError::invalid(BOTH));
    }
    let is_xrp = |amount: &Amount| matches!(amount, Amount::Xrp(_));
    let sent = match tx.get("SendMax") {
        None => None,
        Some(_) => {
            let most = amount(tx, "SendMax");
            Some(most.ok_or_else(|| RpcError::invalid_field("tx_json.SendMax"))?)
        }
    };
    if is_xrp(delivered) && sent.as_ref().is_none_or(is_xrp) {
        return Err(RpcError::invalid(NO_NEED));
    }
    Err(RpcError::not_supported_because(REFUSED))
}

/// The transaction out of its completed JSON.
pub(super) fn finished(tx: &Map<String, Value>, unfit: &str) -> Result<Tx, RpcError> {
    tx_json::parse(tx)?.map_err(|bad| match bad {
        BadBlob::Missing(_) | BadBlob::Disallowed(_) => RpcError::invalid(bad.to_string()),
        other => RpcError::internal().worded(unfit.replace("{}", &other.to_string())),
    })
}
