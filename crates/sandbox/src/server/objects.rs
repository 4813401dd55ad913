//! `account_objects`, and the names by which clients choose types of entries.

use super::account::{asked, bare_not_found};
use super::dispatch::{Answer, Call};
use super::frame::RpcError;
use super::lines::{Bounds, page_length};
use super::render::{self, hex};
use crate::ledger::entry::{Dir, Entry, Key, owner_dir};
use crate::ledger::fields::lt;
use crate::ledger::rules::directory;
use crate::ledger::state::Read;
use serde_json::{Map, Value, json};
use xrpayd_core::address::AccountId;

const PAGE: Bounds = Bounds {
    least: 10,
    usual: 200,
    most: 400,
};

/// The types of entries by the names that methods and the ledger give them, with their number.
const TYPES: [(&str, &str, u16); 26] = [
    ("nft_offer", "NFTokenOffer", 0x37),
    ("check", "Check", lt::CHECK),
    ("did", "DID", 0x49),
    ("nunl", "NegativeUNL", NEGATIVE_UNL),
    ("nft_page", "NFTokenPage", lt::NFT_PAGE),
    ("signer_list", "SignerList", lt::SIGNER_LIST),
    ("ticket", "Ticket", lt::TICKET),
    ("account", "AccountRoot", lt::ACCOUNT),
    ("directory", "DirectoryNode", lt::DIR),
    ("amendments", "Amendments", AMENDMENTS),
    ("hashes", "LedgerHashes", HASHES),
    ("bridge", "Bridge", BRIDGE),
    ("offer", "Offer", lt::OFFER),
    ("deposit_preauth", "DepositPreauth", lt::DEPOSIT_PREAUTH),
    ("xchain_owned_claim_id", "XChainOwnedClaimID", CLAIM_ID),
    ("state", "RippleState", lt::LINE),
    ("fee", "FeeSettings", FEE_SETTINGS),
    (
        "xchain_owned_create_account_claim_id",
        "XChainOwnedCreateAccountClaimID",
        CREATE_ACCOUNT_CLAIM_ID,
    ),
    ("escrow", "Escrow", lt::ESCROW),
    ("payment_channel", "PayChannel", lt::CHANNEL),
    ("amm", "AMM", 0x79),
    ("mpt_issuance", "MPTokenIssuance", lt::MPT_ISSUANCE),
    ("mptoken", "MPToken", lt::MPT_HOLDING),
    ("oracle", "Oracle", 0x80),
    ("credential", "Credential", 0x81),
    ("permissioned_domain", "PermissionedDomain", 0x82),
];
const NEGATIVE_UNL: u16 = 0x4E;
const AMENDMENTS: u16 = 0x66;
const HASHES: u16 = 0x68;
const BRIDGE: u16 = 0x69;
const CLAIM_ID: u16 = 0x71;
const FEE_SETTINGS: u16 = 0x73;
const CREATE_ACCOUNT_CLAIM_ID: u16 = 0x74;

/// Types that no account owns.
const UNOWNED: [u16; 5] = [AMENDMENTS, lt::DIR, FEE_SETTINGS, HASHES, NEGATIVE_UNL];
/// Types that keep an account from being deleted.
const BLOCKERS: [u16; 8] = [
    lt::CHECK,
    lt::ESCROW,
    lt::NFT_PAGE,
    lt::CHANNEL,
    lt::LINE,
    CLAIM_ID,
    CREATE_ACCOUNT_CLAIM_ID,
    BRIDGE,
];

/// The type of entries that a request chooses; none where it chooses nothing.
pub(super) fn chosen_type(params: &Map<String, Value>) -> Result<Option<u16>, RpcError> {
    let Some(value) = params.get("type") else {
        return Ok(None);
    };
    let name = value
        .as_str()
        .ok_or_else(|| RpcError::expected("type", "string"))?;
    TYPES
        .iter()
        .find(|(rpc, ledger, _)| *rpc == name || ledger.eq_ignore_ascii_case(name))
        .map(|(_, _, number)| Some(*number))
        .ok_or_else(|| RpcError::invalid_field("type"))
}

/// Which types a request asks for; none for all.
fn filter(call: &Call<'_>) -> Result<Option<Vec<u16>>, RpcError> {
    if call.truthy("deletion_blockers_only") {
        let name = call.params.get("type").map(|name| name.as_str());
        let is_asked = |number: u16| {
            let named = TYPES.iter().find(|(_, _, other)| *other == number);
            name.is_none_or(|name| named.map(|(rpc, _, _)| *rpc) == name)
        };
        let blockers = BLOCKERS.into_iter().filter(|number| is_asked(*number));
        return Ok(Some(blockers.collect()));
    }
    match chosen_type(call.params)? {
        Some(number) if UNOWNED.contains(&number) => Err(RpcError::invalid_field("type")),
        chosen => Ok(chosen.map(|number| vec![number])),
    }
}

/// Where a page begins: a page of the directory, and the entry on it.
type Marker = ([u8; 32], [u8; 32]);

fn marker(call: &Call<'_>) -> Result<Option<Marker>, RpcError> {
    let Some(marker) = call.params.get("marker") else {
        return Ok(None);
    };
    let text = marker
        .as_str()
        .ok_or_else(|| RpcError::expected("marker", "string"))?;
    let invalid = || RpcError::invalid_field("marker");
    let mut parts = text.split(',');
    let mut index = || {
        let mut bytes = [0; 32];
        let part = parts.next().ok_or_else(invalid)?;
        ::hex::decode_to_slice(part, &mut bytes).map_err(|_| invalid())?;
        Ok::<_, RpcError>(bytes)
    };
    let marker = (index()?, index()?);
    // A marker of no page begins at the beginning.
    Ok((marker.0 != [0; 32]).then_some(marker))
}

/// One page of what an account owns, and where the next one begins.
struct Page {
    entries: Vec<(Key, Entry)>,
    next: Option<String>,
}

/// What a request asks for.
struct Wanted {
    account: AccountId,
    from: Option<Marker>,
    types: Option<Vec<u16>>,
    limit: usize,
}

impl Wanted {
    fn takes(&self, entry: &Entry) -> bool {
        let number = entry.type_number();
        self.types
            .as_ref()
            .is_none_or(|types| types.contains(&number))
    }
}

fn next_marker(root: [u8; 32], number: u64, member: &Key) -> String {
    let page = Key::Dir(root, number).index();
    format!("{},{}", hex(&page), hex(&member.index()))
}

/// The page of the directory on which the reading begins, and the place on it; `None` for a marker that
/// is none.
fn start(view: &dyn Read, root: [u8; 32], from: Marker) -> Option<(u64, Dir, usize)> {
    let mut number = 0;
    loop {
        let dir = directory::page(view, root, number)?;
        if Key::Dir(root, number).index() == from.0 {
            let place = dir.members.iter().position(|key| key.index() == from.1)?;
            return Some((number, dir, place));
        }
        number = dir.next.filter(|&next| next != 0)?;
    }
}

fn read_page(view: &dyn Read, wanted: &Wanted) -> Result<Page, RpcError> {
    let root = owner_dir(wanted.account);
    let mut page = Page {
        entries: Vec::new(),
        next: None,
    };
    let begin = match wanted.from {
        Some(from) => {
            let invalid = || RpcError::invalid_field("marker");
            Some(start(view, root, from).ok_or_else(invalid)?)
        }
        None => directory::page(view, root, 0).map(|dir| (0, dir, 0)),
    };
    let Some((mut number, mut dir, mut place)) = begin else {
        return Ok(page);
    };
    let mut seen = 0;
    loop {
        for (at, key) in dir.members.iter().enumerate().skip(place) {
            if seen == wanted.limit {
                page.next = Some(next_marker(root, number, &dir.members[at]));
                return Ok(page);
            }
            seen += 1;
            let entry = view.entry(key).filter(|entry| wanted.takes(entry));
            page.entries.extend(entry.map(|entry| (*key, entry)));
        }
        let next = dir.next.filter(|&next| next != 0);
        let Some((next, following)) =
            next.and_then(|next| Some((next, directory::page(view, root, next)?)))
        else {
            return Ok(page);
        };
        (number, dir, place) = (next, following, 0);
    }
}

/// Lists what an account owns, in the order of its directory.
pub(super) fn account_objects(call: &Call<'_>) -> Answer {
    let net = call.shared.net();
    let asked = asked(call, &net).map_err(bare_not_found)?;
    let wanted = Wanted {
        account: asked.id,
        types: filter(call)?,
        limit: usize::try_from(page_length(call, &PAGE)?).unwrap_or(usize::MAX),
        from: marker(call)?,
    };
    if wanted.limit == 0 {
        return Err(RpcError::invalid_field("limit"));
    }
    let page = asked
        .selected
        .with_state(&net, call.server(), |view| read_page(view, &wanted))??;
    let objects: Vec<_> = page
        .entries
        .iter()
        .map(|(key, entry)| render::entry(key, entry))
        .collect();
    let mut out = asked.selected.fields();
    out.insert("account".to_owned(), json!(asked.id));
    out.insert("account_objects".to_owned(), json!(objects));
    if let Some(next) = page.next {
        out.insert("limit".to_owned(), json!(wanted.limit));
        out.insert("marker".to_owned(), json!(next));
    }
    Ok(Value::Object(out))
}
