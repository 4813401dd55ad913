//! X-addresses in transaction JSON, taken apart before anything is encoded.
//!
//! The codec itself knows only classic addresses. Whoever accepts JSON from people calls
//! [`with_classic_addresses`] first; a tag that contradicts the one inside an X-address is refused.

use crate::error::{CodecError, Problem};
use serde_json::Value;
use xrpayd_core::xaddress::XAddress;

const WITH_TAGS: [(&str, &str); 2] = [("Account", "SourceTag"), ("Destination", "DestinationTag")];

/// The same transaction with `Account` and `Destination` in classic form and their tags beside
/// them.
///
/// # Errors
/// Refuses a separate tag that differs from the one inside the address.
pub fn with_classic_addresses(tx: &Value) -> Result<Value, CodecError> {
    let mut classic = tx.clone();
    let Value::Object(fields) = &mut classic else {
        return Ok(classic);
    };
    for (account, tag) in WITH_TAGS {
        let Some(address) = fields
            .get(account)
            .and_then(Value::as_str)
            .and_then(|text| text.parse::<XAddress>().ok())
        else {
            continue;
        };
        if let Some(inside) = address.tag {
            let beside = fields.insert(tag.to_owned(), inside.into());
            if beside.is_some_and(|beside| beside != inside) {
                return Err(CodecError::field(tag, Problem::Unwanted));
            }
        }
        fields.insert(account.to_owned(), address.account.to_string().into());
    }
    Ok(classic)
}
