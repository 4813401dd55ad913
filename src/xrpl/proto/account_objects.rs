//! A page of `account_objects` of type ticket, at one validated ledger.

use serde::Deserialize;
use serde_json::value::RawValue;
use std::borrow::Cow;

/// The result.
#[derive(Debug, Deserialize)]
pub(in crate::xrpl) struct Tickets<'a> {
    #[serde(borrow)]
    account: Cow<'a, str>,
    #[serde(borrow)]
    account_objects: Vec<Object<'a>>,
    /// To be given back unchanged, to the same server.
    #[serde(borrow, default)]
    pub marker: Option<&'a RawValue>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Object<'a> {
    #[serde(borrow)]
    account: Cow<'a, str>,
    #[serde(borrow)]
    ledger_entry_type: Cow<'a, str>,
    ticket_sequence: u32,
}

impl Tickets<'_> {
    /// The numbers of `account`'s tickets on the page.
    pub(in crate::xrpl) fn numbers(&self, account: &str) -> Result<Vec<u32>, &'static str> {
        if self.account != account {
            return Err("the answer is about another account");
        }
        let objects = self.account_objects.iter();
        objects
            .map(|object| {
                if object.ledger_entry_type == "Ticket" && object.account == account {
                    Ok(object.ticket_sequence)
                } else {
                    Err("the answer holds more than the account's tickets")
                }
            })
            .collect()
    }
}
