//! What a payer's wallet is handed, as a link or behind a QR code.
//!
//! The form is `xrpl://<address>?amount=…&dt=…`, which Xaman documents for everybody to claim and reads
//! itself, from links and from QR codes; the names of the parameters are those of XLS-2. Wallets that
//! know only older forms find the address and `dt` in it too. The classic address stands in it and not
//! the X-address, because a wallet that shows the tag lets its owner check it.

use crate::address::AccountId;
use crate::amount::Amount;
use std::fmt::Write as _;

/// The main network, which is meant where nothing is said.
const MAIN_NETWORK: u32 = 0;

/// The link that asks for `amount` at a tag of an account on a network.
#[must_use]
pub fn payment_uri(network_id: u32, account: AccountId, tag: u32, amount: &Amount) -> String {
    let mut uri = format!("xrpl://{account}?");
    // Writing to a string does not fail.
    let _ = match amount {
        Amount::Xrp(_) => write!(uri, "amount={}&dt={tag}", amount.value()),
        Amount::Token {
            currency, issuer, ..
        } => {
            let shown = currency.to_string();
            // The symbols that a code may hold mean something else in a link.
            let code = if shown.bytes().all(|c| c.is_ascii_alphanumeric()) {
                shown
            } else {
                let bytes = currency.bytes().iter();
                bytes.map(|byte| format!("{byte:02X}")).collect()
            };
            let value = amount.value();
            write!(
                uri,
                "amount={value}&dt={tag}&currency={code}&issuer={issuer}"
            )
        }
        // No wallet is known to read these. The amount has another name, so that none takes it for XRP.
        Amount::Mpt { issuance, .. } => {
            let value = amount.value();
            write!(uri, "dt={tag}&mpt_issuance_id={issuance}&value={value}")
        }
    };
    if network_id != MAIN_NETWORK {
        let _ = write!(uri, "&network={network_id}");
    }
    uri
}
