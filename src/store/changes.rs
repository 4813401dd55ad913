//! How a lane's commit is written: payments at the version that was read, their attempts, plugs.
//!
//! Works inside the transaction of its caller. A payment that another hand has changed in between
//! stops the whole commit before anything of it is written.

use super::db::{Columns, Kind, Tx};
use super::error::{CommitError, StoreError};
use super::events::News;
use super::lease::Tenure;
use super::limits::{self, Settled};
use super::payments::{self, drops_from};
use super::{attempts, paybacks, payment_news, totals};
use std::collections::HashMap;
use xrpayd_core::engine::{Change, LaneCommit, NewPlug};
use xrpayd_core::ids::{PaymentId, UnixMs};
use xrpayd_core::money::Drops;
use xrpayd_core::payment::{Attempt, AttemptState, NewAttempt, Payment};

/// A payment as it stands in the database before a commit changes it.
struct Standing {
    version: u32,
    is_final: bool,
    created_at: UnixMs,
    counted: Drops,
}

const BEFORE: Columns = &[("id", Kind::Text), ("before", Kind::Int)];

/// Whose hand changes payments.
#[derive(Debug, Clone, Copy)]
pub(super) enum Hand<'a> {
    /// The engine that holds the wallet: the only one that signs.
    Engine(&'a Tenure),
    /// A person, by the key that asked.
    Person(&'a str),
}

/// Writes transitions with everything that follows from them but what is told of them, which is the
/// answer. Rows are locked in the order of their ids, and the limits last, so that no two
/// transactions wait for each other in a circle.
pub(super) async fn apply_changes(
    tx: &mut Tx,
    mut changes: Vec<Change>,
    hand: Hand<'_>,
) -> Result<Vec<News>, CommitError> {
    if changes.is_empty() {
        return Ok(Vec::new());
    }
    changes.sort_by_key(|change| change.payment.id);
    for pair in changes.windows(2) {
        if let [first, second] = pair
            && first.payment.id == second.payment.id
        {
            let why = "it is changed twice in one commit";
            return Err(StoreError::BadChange {
                payment: first.payment.id,
                why,
            }
            .into());
        }
    }
    let standing = lock_standing(tx, &changes).await?;
    let (mut rows, mut settled) = (Vec::with_capacity(changes.len()), Vec::new());
    for change in &changes {
        let ended = check(change, standing.get(&change.payment.id))?;
        rows.push(payments::changed(
            &change.payment,
            change.before,
            change.settled,
        )?);
        settled.extend(ended);
    }
    let expected = changes.len();
    let written = tx
        .execute_with(payments::CHANGED, rows, payments::UPDATE)
        .await?;
    if usize::try_from(written) != Ok(expected) {
        // The rows are locked at their versions, so only a write that lost its way leads here.
        let why = format!("{written} of {expected} changes found their row");
        return Err(StoreError::corrupt("payments", why).into());
    }
    let ended: Vec<&Payment> = changes
        .iter()
        .filter(|change| change.settled.is_some())
        .map(|change| &change.payment)
        .collect();
    write_attempts(tx, &changes, hand).await?;
    let given_back = paybacks::settle(tx, &ended).await?;
    limits::settle(tx, &settled).await?;
    totals::count_ends(tx, &ended).await?;
    let by = match hand {
        Hand::Engine(_) => None,
        Hand::Person(key) => Some(key),
    };
    let told = changes
        .iter()
        .map(|change| payment_news::of(&change.payment, by));
    let mut told = told.collect::<Result<Vec<News>, _>>()?;
    told.extend(given_back);
    Ok(told)
}

async fn lock_standing(
    tx: &mut Tx,
    changes: &[Change],
) -> Result<HashMap<PaymentId, Standing>, CommitError> {
    let rows = changes
        .iter()
        .map(|change| vec![change.payment.id.to_string().into(), change.before.into()])
        .collect();
    let lock = match tx.for_update() {
        "" => String::new(),
        words => format!("{words} of p"),
    };
    let sql = format!(
        "select p.id, p.version, p.phase, p.created_at, p.counted_drops \
         from v join payments p on p.id = v.id order by p.id{lock}"
    );
    let found = tx.fetch_with(BEFORE, rows, &sql).await?;
    let mut standing = HashMap::with_capacity(found.len());
    for row in &found {
        let id = row.text("id")?;
        let what = format!("payment {id}");
        let id: PaymentId = id
            .parse()
            .map_err(|error| StoreError::corrupt(what.as_str(), format!("{error}")))?;
        standing.insert(
            id,
            Standing {
                version: row.uint("version")?,
                is_final: row.text("phase")? == "final",
                created_at: UnixMs(row.int("created_at")?),
                counted: drops_from(&what, row.int("counted_drops")?)?,
            },
        );
    }
    let stale: Vec<PaymentId> = changes
        .iter()
        .filter(|change| {
            let found = standing.get(&change.payment.id);
            found.is_none_or(|found| found.version != change.before)
        })
        .map(|change| change.payment.id)
        .collect();
    if stale.is_empty() {
        Ok(standing)
    } else {
        Err(CommitError::Stale(stale))
    }
}

/// Refuses a change that contradicts itself or the row; answers with what the limits settle.
fn check<'a>(
    change: &'a Change,
    standing: Option<&Standing>,
) -> Result<Option<Settled<'a>>, StoreError> {
    let payment = change.payment.id;
    let refuse = |why: &'static str| Err(StoreError::BadChange { payment, why });
    let Some(standing) = standing else {
        return refuse("it is not there");
    };
    if change.payment.version <= change.before {
        return refuse("its version does not grow");
    }
    match (
        standing.is_final,
        change.payment.status().is_final(),
        change.settled,
    ) {
        (false, true, Some(delivered)) => Ok(Some(Settled {
            client: &change.payment.client,
            destination: change.payment.order.destination,
            created_at: standing.created_at,
            reserved: standing.counted,
            delivered,
        })),
        (false, false, None) | (true, true, None) => Ok(None),
        (true, false, _) => refuse("it is final already"),
        (false, true, None) => refuse("it ends and nothing is settled"),
        (false, false, Some(_)) => refuse("it is settled and does not end"),
        (true, true, Some(_)) => refuse("it is settled a second time"),
    }
}

async fn write_attempts(tx: &mut Tx, changes: &[Change], hand: Hand<'_>) -> Result<(), StoreError> {
    let (mut new, mut known) = (Vec::new(), Vec::new());
    for change in changes {
        let (mut new_of, mut known_of) =
            attempts::split(&change.payment, change.new_blobs.clone())?;
        new.append(&mut new_of);
        known.append(&mut known_of);
    }
    attempts::update(tx, known).await?;
    match (hand, new.first()) {
        (Hand::Engine(tenure), _) => attempts::insert(tx, tenure, new).await,
        (Hand::Person(_), None) => Ok(()),
        (Hand::Person(_), Some(new)) => Err(StoreError::corrupt(
            format!("attempt {}", new.attempt.hash),
            "it was signed by nobody who holds the wallet",
        )),
    }
}

/// Writes the attempts that are no payment's: what was signed of them, and how known ones stand.
pub(super) async fn write_chores(
    tx: &mut Tx,
    tenure: &Tenure,
    commit: &LaneCommit,
) -> Result<(), StoreError> {
    let plugs: Vec<Attempt> = commit.new_plugs.iter().map(signed_plug).collect();
    let makings: Vec<Attempt> = commit
        .new_ticket_creates
        .iter()
        .map(|new| signed(&new.attempt))
        .collect();
    let wallet = commit.wallet.as_str();
    let plugs = plugs
        .iter()
        .zip(&commit.new_plugs)
        .map(|(attempt, plug)| attempts::NewRow {
            wallet,
            owner: None,
            attempt,
            blob: plug.blob.clone(),
            making: None,
        });
    let makings = makings
        .iter()
        .zip(&commit.new_ticket_creates)
        .map(|(attempt, new)| attempts::NewRow {
            wallet,
            owner: None,
            attempt,
            blob: new.blob.clone(),
            making: Some(new.making),
        });
    attempts::insert(tx, tenure, plugs.chain(makings).collect()).await?;
    if commit.plug_updates.is_empty() {
        return Ok(());
    }
    let known = attempts::chores_by_hash(tx, wallet).await?;
    let mut rows = Vec::with_capacity(commit.plug_updates.len());
    for (hash, state) in &commit.plug_updates {
        let chore = known.get(hash).ok_or_else(|| {
            StoreError::corrupt(
                format!("attempt {hash}"),
                "it is to be changed and is not open",
            )
        })?;
        let chore = Attempt {
            state: state.clone(),
            ..chore.clone()
        };
        rows.push(attempts::state_row(wallet, &chore)?);
    }
    attempts::update(tx, rows).await
}

fn signed(new: &NewAttempt) -> Attempt {
    Attempt {
        hash: new.hash,
        slot: new.slot,
        fee: new.fee,
        first_ledger: new.first_ledger,
        last_ledger: new.last_ledger,
        state: AttemptState::Signed,
        signed_at: new.signed_at,
    }
}

fn signed_plug(plug: &NewPlug) -> Attempt {
    Attempt {
        hash: plug.hash,
        slot: plug.slot,
        fee: plug.fee,
        first_ledger: plug.first_ledger,
        last_ledger: plug.last_ledger,
        state: AttemptState::Signed,
        signed_at: plug.signed_at,
    }
}
