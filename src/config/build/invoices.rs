//! The section `invoices`.

use super::positive;
use crate::config::read::Reader;
use crate::config::schema::{Invoices, Wallet};
use std::collections::BTreeMap;
use xrpayd_core::amount::Asset;
use xrpayd_core::invoice::LIFE_S;

const WALLET: &str = "invoices.wallet";
const EXPIRES_IN: &str = "invoices.expires_in";

/// Reads the section; the wallet that it names has to be one of `wallets`.
pub(super) fn invoices(r: &mut Reader, wallets: &BTreeMap<String, Wallet>) -> Option<Invoices> {
    let wallet = r.optional::<String>(WALLET);
    if let Some(name) = &wallet
        && !wallets.contains_key(name)
    {
        r.error(WALLET, "names no wallet of this configuration");
    }
    let assets = r.required::<Vec<Asset>>("invoices.assets");
    let expires_in = positive(r, EXPIRES_IN);
    if expires_in.is_some_and(|lives| !LIFE_S.contains(&lives.as_secs())) {
        r.error(EXPIRES_IN, "must be 1s to 365d");
    }
    let tag_quarantine = positive(r, "invoices.tag_quarantine");
    Some(Invoices {
        wallet,
        assets: assets?,
        expires_in: expires_in?,
        tag_quarantine: tag_quarantine?,
    })
}
