//! Section `preflight`, and what the checklist asks of a wallet.

use super::super::read::Reader;
use super::super::schema::Preflight;
use super::super::value::Xrp;
use super::readable;
use std::path::PathBuf;
use url::Url;
use xrpayd_core::money::Drops;

pub(super) fn preflight(r: &mut Reader) -> Option<Preflight> {
    let alertmanager_url = web(r, "preflight.alertmanager_url");
    let public_url = web(r, "preflight.public_url");
    let ca_file = readable(r, "preflight.ca_file");
    let address_list = r.optional("preflight.address_list");
    Some(Preflight {
        alertmanager_url: alertmanager_url?,
        public_url: public_url?,
        ca_file,
        address_list: address_list.map(|path: String| PathBuf::from(path)),
    })
}

/// A cap that the wallet is to be refilled above of makes no sense.
pub(super) fn balance_cap(r: &mut Reader, key: &str, low: Option<Drops>) -> Option<Drops> {
    let cap = r.optional::<Xrp>(key)?.0;
    if low.is_some_and(|low| cap <= low) {
        r.error(key, "must be above low_balance_xrp");
    }
    Some(cap)
}

/// A URL of the web, where one is set; `None` where that is not one.
#[expect(
    clippy::option_option,
    reason = "what is not set is no error, and what is not a URL is one"
)]
fn web(r: &mut Reader, key: &str) -> Option<Option<Url>> {
    let Some(text) = r.optional::<String>(key) else {
        return Some(None);
    };
    let url = Url::parse(&text).ok().filter(|url| {
        let has_credentials = !url.username().is_empty() || url.password().is_some();
        ["http", "https"].contains(&url.scheme()) && url.has_host() && !has_credentials
    });
    if url.is_none() {
        r.error(
            key,
            "must be a URL such as \"https://example.com\", without a user or a password",
        );
    }
    url.map(Some)
}
