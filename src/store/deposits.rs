//! What came in, as rows: one for every credit that the journal holds.
//!
//! A deposit is booked in the transaction that carries the journal on over its transaction, once by the
//! network, the transaction, the account and the asset, with its event. Nothing else makes one.

use super::Store;
use super::db::{Columns, Kind, Row, Tx, Value};
use super::deposit_news::news_of;
use super::error::StoreError;
use super::events::{HOUSE, News};
use super::invoices;
use super::paybacks::PaybackState;
use super::payments::{drops_from, drops_value};
use std::collections::BTreeSet;
use std::str::FromStr;
use xrpayd_core::address::AccountId;
use xrpayd_core::amount::Asset;
use xrpayd_core::deposit::{Counted, Credit, Unmatched, id_of};
use xrpayd_core::ids::{DepositId, InvoiceId, LedgerIndex, PaymentId, TxHash, UnixMs};
use xrpayd_core::money::Drops;

/// A credit to one of our accounts, and what became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deposit {
    /// Its identifier, made of the ledger's own facts.
    pub id: DepositId,
    /// The network.
    pub network_id: u32,
    /// The transaction.
    pub hash: TxHash,
    /// The account that was credited.
    pub account: AccountId,
    /// The wallet whose account that is.
    pub wallet: String,
    /// The ledger that holds the transaction.
    pub ledger_index: LedgerIndex,
    /// Its place in that ledger.
    pub tx_index: u32,
    /// When that ledger closed; none where the journal was written before that was kept.
    pub closed_at: Option<UnixMs>,
    /// The transaction's type by name.
    pub transaction_type: String,
    /// Who paid, where somebody did.
    pub from: Option<AccountId>,
    /// The payer's own tag.
    pub source_tag: Option<u32>,
    /// The tag that it was paid to.
    pub destination_tag: Option<u32>,
    /// What arrived.
    pub amount: Counted,
    /// Whether its sender marked it as a return.
    pub is_return: bool,
    /// Whose it is.
    pub place: Place,
    /// The client whose it is; empty for the house.
    pub client: String,
    /// How its newest return stands.
    pub returned: Option<Returned>,
    /// The key by which a person assigned it to its invoice.
    pub assigned_by: Option<String>,
    /// Counts its changes, from 1.
    pub version: u32,
    /// When it was booked.
    pub created_at: UnixMs,
}

/// The newest return of a deposit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Returned {
    /// The payment.
    pub payment: PaymentId,
    /// How that stands.
    pub state: PaybackState,
    /// How much is returned.
    pub drops: Drops,
}

impl Deposit {
    /// The payment that returned it, or is about to.
    #[must_use]
    pub fn returned_by(&self) -> Option<PaymentId> {
        let live = self.returned.filter(|of| of.state != PaybackState::Failed);
        live.map(|returned| returned.payment)
    }
}

/// Where a deposit belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// To an invoice.
    Invoice(InvoiceId),
    /// To nothing: a person looks at it.
    Unmatched(Unmatched),
    /// From one of our own wallets to another, or back to the one it came from.
    Internal,
}

/// How many deposits a commit booked, by where they belong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Booked {
    /// To an invoice.
    pub matched: u64,
    /// To nothing.
    pub unmatched: u64,
    /// Between wallets of ours.
    pub internal: u64,
}

/// Whose credits are booked, and when.
#[derive(Debug, Clone, Copy)]
pub(super) struct Booking<'a> {
    /// The wallet.
    pub wallet: &'a str,
    /// Its account.
    pub account: AccountId,
    /// The network of its account.
    pub network_id: u32,
    /// The time of the commit.
    pub now: UnixMs,
}

const NEW: Columns = &[
    ("id", Kind::Text),
    ("network_id", Kind::Int),
    ("hash", Kind::Blob),
    ("account", Kind::Text),
    ("asset", Kind::Text),
    ("wallet", Kind::Text),
    ("ledger_index", Kind::Int),
    ("tx_index", Kind::Int),
    ("closed_at", Kind::Int),
    ("transaction_type", Kind::Text),
    ("sender", Kind::Text),
    ("source_tag", Kind::Int),
    ("destination_tag", Kind::Int),
    ("amount_kind", Kind::Text),
    ("value", Kind::Text),
    ("drops", Kind::Int),
    ("internal", Kind::Int),
    ("is_return", Kind::Int),
    ("invoice_id", Kind::Text),
    ("client", Kind::Text),
    ("unmatched_reason", Kind::Text),
    ("returned_by", Kind::Text),
    ("version", Kind::Int),
    ("created_at", Kind::Int),
];

/// The columns of a deposit, of the table `deposits` under the name `d`.
pub(super) const COLUMNS: &str = "d.id, d.network_id, d.hash, d.account, d.asset, d.wallet, \
    d.ledger_index, d.tx_index, d.closed_at, d.transaction_type, d.sender, d.source_tag, \
    d.destination_tag, d.amount_kind, d.value, d.drops, d.internal, d.is_return, d.invoice_id, \
    d.client, d.unmatched_reason, d.version, d.created_at, d.return_payment, d.return_state, \
    d.return_drops, d.assigned_by";

const KEYS: Columns = &[
    ("hash", Kind::Blob),
    ("account", Kind::Text),
    ("asset", Kind::Text),
    ("network_id", Kind::Int),
];

/// Books credits in the transaction that carries the journal over them; answers with what was booked
/// and what is to be told of it. What was booked before is left as it is.
pub(super) async fn book(
    tx: &mut Tx,
    booking: Booking<'_>,
    credits: &[Credit],
) -> Result<(Booked, Vec<News>), StoreError> {
    let closed_at = |credit: &Credit| Some(credit.closed_at);
    let mut deposits = new_of(tx, booking, credits, closed_at).await?;
    let taken = invoices::take(tx, booking, &mut deposits).await?;
    let (mut booked, mut news) = (Booked::default(), Vec::with_capacity(deposits.len()));
    for (deposit, of_invoice) in deposits.iter().zip(taken) {
        let count = match deposit.place {
            Place::Invoice(_) => &mut booked.matched,
            Place::Unmatched(_) => &mut booked.unmatched,
            Place::Internal => &mut booked.internal,
        };
        *count = count.saturating_add(1);
        news.push(news_of(deposit)?);
        news.extend(of_invoice);
    }
    insert(tx, &deposits).await?;
    Ok((booked, news))
}

/// Books credits of before there was anybody to tell; answers with how many were not booked yet.
pub(super) async fn book_untold(
    tx: &mut Tx,
    booking: Booking<'_>,
    credits: &[Credit],
    closed_at: impl Fn(&Credit) -> Option<UnixMs>,
) -> Result<u64, StoreError> {
    let deposits = new_of(tx, booking, credits, closed_at).await?;
    insert(tx, &deposits).await?;
    Ok(u64::try_from(deposits.len()).unwrap_or(u64::MAX))
}

/// The deposits that credits are, those left out that are booked already.
async fn new_of(
    tx: &mut Tx,
    booking: Booking<'_>,
    credits: &[Credit],
    closed_at: impl Fn(&Credit) -> Option<UnixMs>,
) -> Result<Vec<Deposit>, StoreError> {
    if credits.is_empty() {
        return Ok(Vec::new());
    }
    let ours = accounts(tx).await?;
    let mut deposits: Vec<Deposit> = credits
        .iter()
        .map(|credit| Deposit {
            id: id_of(booking.network_id, booking.account, credit),
            network_id: booking.network_id,
            hash: credit.hash,
            account: booking.account,
            wallet: booking.wallet.to_owned(),
            ledger_index: credit.ledger_index,
            tx_index: credit.tx_index,
            closed_at: closed_at(credit),
            transaction_type: credit.transaction_type.clone(),
            from: credit.from,
            source_tag: credit.source_tag,
            destination_tag: credit.destination_tag,
            amount: credit.amount,
            is_return: credit.is_return,
            place: place_of(credit, &ours),
            client: HOUSE.to_owned(),
            returned: None,
            assigned_by: None,
            version: 1,
            created_at: booking.now,
        })
        .collect();
    let known = known(tx, &deposits).await?;
    deposits.retain(|deposit| !known.contains(&deposit.id));
    Ok(deposits)
}

/// Where a credit belongs before any invoice is asked.
fn place_of(credit: &Credit, ours: &BTreeSet<AccountId>) -> Place {
    if credit.from.is_some_and(|from| ours.contains(&from)) {
        return Place::Internal;
    }
    Place::Unmatched(match (&credit.amount, credit.destination_tag) {
        (Counted::Unknown(_), _) => Unmatched::AmountUnknown,
        (Counted::Exact(_), None) => Unmatched::NoTag,
        (Counted::Exact(_), Some(_)) => Unmatched::UnknownTag,
    })
}

/// The accounts of all our wallets.
async fn accounts(tx: &mut Tx) -> Result<BTreeSet<AccountId>, StoreError> {
    let rows = tx.fetch("select account from wallets", Vec::new()).await?;
    rows.iter().map(|row| parsed(row, "account")).collect()
}

async fn known(tx: &mut Tx, deposits: &[Deposit]) -> Result<BTreeSet<DepositId>, StoreError> {
    let keys = deposits.iter().map(|deposit| {
        vec![
            deposit.hash.0.into(),
            deposit.account.to_string().into(),
            asset_text(&deposit.amount).into(),
            deposit.network_id.into(),
        ]
    });
    let rows = tx
        .fetch_with(
            KEYS,
            keys.collect(),
            "select d.id from v join deposits d on d.hash = v.hash and d.account = v.account \
             and d.asset = v.asset and d.network_id = v.network_id",
        )
        .await?;
    rows.iter().map(|row| parsed(row, "id")).collect()
}

/// Writes deposits that are new.
async fn insert(tx: &mut Tx, deposits: &[Deposit]) -> Result<(), StoreError> {
    let rows = deposits.iter().map(row_of).collect();
    tx.insert("deposits", NEW, rows, "").await?;
    Ok(())
}

fn asset_text(amount: &Counted) -> String {
    amount
        .asset()
        .map_or_else(String::new, |asset| asset.to_string())
}

/// The invoice that a deposit belongs to, or why it belongs to none.
pub(super) fn place_columns(place: Place) -> (Option<String>, Option<&'static str>) {
    match place {
        Place::Invoice(id) => (Some(id.to_string()), None),
        Place::Unmatched(reason) => (None, Some(reason.as_str())),
        Place::Internal => (None, None),
    }
}

fn row_of(deposit: &Deposit) -> Vec<Value> {
    let exact = deposit.amount.exact();
    let (invoice, reason) = place_columns(deposit.place);
    vec![
        deposit.id.to_string().into(),
        deposit.network_id.into(),
        deposit.hash.0.into(),
        deposit.account.to_string().into(),
        asset_text(&deposit.amount).into(),
        deposit.wallet.as_str().into(),
        deposit.ledger_index.0.into(),
        deposit.tx_index.into(),
        deposit.closed_at.map(|at| at.0).into(),
        deposit.transaction_type.as_str().into(),
        deposit.from.map(|from| from.to_string()).into(),
        deposit.source_tag.into(),
        deposit.destination_tag.into(),
        exact.map_or("unknown", |_| "exact").into(),
        exact.map(|amount| amount.value()).into(),
        exact
            .and_then(|amount| amount.drops())
            .map(drops_value)
            .into(),
        (deposit.place == Place::Internal).into(),
        deposit.is_return.into(),
        invoice.into(),
        deposit.client.as_str().into(),
        reason.into(),
        deposit.returned_by().map(|id| id.to_string()).into(),
        deposit.version.into(),
        deposit.created_at.0.into(),
    ]
}

/// A deposit from its row.
pub(super) fn decode(row: &Row) -> Result<Deposit, StoreError> {
    let id: DepositId = parsed(row, "id")?;
    decode_named(row, id).map_err(|error| match error {
        StoreError::Corrupt { what, why } => {
            StoreError::corrupt(format!("deposit {id}"), format!("{what}: {why}"))
        }
        other => other,
    })
}

fn decode_named(row: &Row, id: DepositId) -> Result<Deposit, StoreError> {
    Ok(Deposit {
        id,
        network_id: row.uint("network_id")?,
        hash: TxHash(row.hash("hash")?),
        account: parsed(row, "account")?,
        wallet: row.text("wallet")?,
        ledger_index: LedgerIndex(row.uint("ledger_index")?),
        tx_index: row.uint("tx_index")?,
        closed_at: row.int_or_null("closed_at")?.map(UnixMs),
        transaction_type: row.text("transaction_type")?,
        from: parsed_or_null(row, "sender")?,
        source_tag: row.uint_or_null("source_tag")?,
        destination_tag: row.uint_or_null("destination_tag")?,
        amount: amount_from(row)?,
        is_return: row.int("is_return")? == 1,
        place: place_from(row)?,
        client: row.text("client")?,
        returned: returned_from(row)?,
        assigned_by: row.text_or_null("assigned_by")?,
        version: row.uint("version")?,
        created_at: UnixMs(row.int("created_at")?),
    })
}

fn amount_from(row: &Row) -> Result<Counted, StoreError> {
    let text = row.text("asset")?;
    let bad = |why: String| StoreError::corrupt("the amount", why);
    let asset = match text.as_str() {
        "" => None,
        text => Some(
            text.parse::<Asset>()
                .map_err(|error| bad(error.to_string()))?,
        ),
    };
    let Some(value) = row.text_or_null("value")? else {
        return Ok(Counted::Unknown(asset));
    };
    let asset = asset.ok_or_else(|| bad("it is exact, and of nothing".to_owned()))?;
    let amount = asset
        .amount(&value)
        .map_err(|error| bad(error.to_string()))?;
    let drops = match row.int_or_null("drops")? {
        Some(drops) => Some(drops_from("drops", drops)?),
        None => None,
    };
    if drops != amount.drops() {
        return Err(bad(format!("{value} is not {drops:?} drops")));
    }
    Ok(Counted::Exact(amount))
}

fn returned_from(row: &Row) -> Result<Option<Returned>, StoreError> {
    let payment = parsed_or_null(row, "return_payment")?;
    let state = parsed_or_null(row, "return_state")?;
    match (payment, state, row.int_or_null("return_drops")?) {
        (None, None, None) => Ok(None),
        (Some(payment), Some(state), Some(drops)) => Ok(Some(Returned {
            payment,
            state,
            drops: drops_from("return_drops", drops)?,
        })),
        _ => Err(StoreError::corrupt(
            "its return",
            "it is there in part only",
        )),
    }
}

fn place_from(row: &Row) -> Result<Place, StoreError> {
    let invoice = parsed_or_null(row, "invoice_id")?;
    let reason = parsed_or_null(row, "unmatched_reason")?;
    match (row.int("internal")?, invoice, reason) {
        (0, Some(id), None) => Ok(Place::Invoice(id)),
        (0, None, Some(reason)) => Ok(Place::Unmatched(reason)),
        (1, None, None) => Ok(Place::Internal),
        _ => Err(StoreError::corrupt("its place", "it has none, or several")),
    }
}

/// A column as what its text stands for.
pub(super) fn parsed<T: FromStr<Err: std::fmt::Display>>(
    row: &Row,
    column: &str,
) -> Result<T, StoreError> {
    parsed_or_null(row, column)?.ok_or_else(|| StoreError::corrupt(column, "it is missing"))
}

fn parsed_or_null<T: FromStr<Err: std::fmt::Display>>(
    row: &Row,
    column: &str,
) -> Result<Option<T>, StoreError> {
    let text = row.text_or_null(column)?;
    let read = |text: String| text.parse().map_err(|error| (text, error));
    text.map(read)
        .transpose()
        .map_err(|(text, error): (String, T::Err)| {
            StoreError::corrupt(column, format!("{text}: {error}"))
        })
}

impl Store {
    /// One deposit.
    ///
    /// # Errors
    /// The database does not answer, or holds a deposit that cannot be read.
    pub async fn deposit(&self, id: DepositId) -> Result<Option<Deposit>, StoreError> {
        let mut tx = self.db().read().await?;
        let found = by_id(&mut tx, id, "").await;
        tx.end().await?;
        found
    }
}

/// The deposit with this id; `lock` keeps it as it is until the transaction ends.
pub(super) async fn by_id(
    tx: &mut Tx,
    id: DepositId,
    lock: &str,
) -> Result<Option<Deposit>, StoreError> {
    let sql = format!("select {COLUMNS} from deposits d where d.id = $1{lock}");
    let row = tx.fetch_optional(sql, vec![id.to_string().into()]).await?;
    row.as_ref().map(decode).transpose()
}

/// Writes what a person or a payment's end changed of a deposit whose row is locked.
pub(super) async fn update(tx: &mut Tx, before: u32, deposit: &Deposit) -> Result<(), StoreError> {
    let (invoice, reason) = place_columns(deposit.place);
    let returned = deposit.returned;
    let written = tx
        .execute(
            "update deposits set version = $3, invoice_id = $4, unmatched_reason = $5, client = $6, \
             assigned_by = $7, returned_by = $8, return_payment = $9, return_state = $10, \
             return_drops = $11 where id = $1 and version = $2",
            vec![
                deposit.id.to_string().into(),
                before.into(),
                deposit.version.into(),
                invoice.into(),
                reason.into(),
                deposit.client.as_str().into(),
                deposit.assigned_by.as_deref().into(),
                deposit.returned_by().map(|id| id.to_string()).into(),
                returned.map(|of| of.payment.to_string()).into(),
                returned.map(|of| of.state.as_str()).into(),
                returned.map(|of| drops_value(of.drops)).into(),
            ],
        )
        .await?;
    if written == 1 {
        return Ok(());
    }
    let what = format!("deposit {}", deposit.id);
    Err(StoreError::corrupt(what, "it changed while it was locked"))
}
