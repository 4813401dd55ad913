//! Gathers what the checklist has to know, everything side by side and each part within its time.
//!
//! Changes nothing: the database is opened only where that migrates nothing, and is written to only by
//! the row that every readiness check writes. Servers and receivers that hang cost their own rows.
//!
//! On failure there is a row that says what could not be found out; only a program that cannot be set up
//! at all has no report.

mod books;
mod fetch;
mod host;
mod ledger;
mod reach;

use super::{AppError, build};
use crate::cli::build as binary;
use crate::clock::{Clock as _, OsEntropy, SystemClock};
use crate::config::{ConfigErrors, Loaded};
use crate::preflight::host::Build;
use crate::preflight::people::SignOffs;
use crate::preflight::wallets::{Listed, WalletFacts};
use crate::preflight::{self, Outcome, Report, Row, items};
use crate::supervise::Supervisor;
use crate::telemetry::metrics::Metrics;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use xrpayd_core::ids::LedgerIndex;

/// How long what was begun may take to end.
const GRACE: Duration = Duration::from_secs(5);

/// Goes through the checklist for a configuration that was loaded from `files`. Servers, database and
/// receivers are waited for as long as `patience`.
///
/// # Errors
/// The program cannot be set up.
pub async fn preflight(
    loaded: &Loaded,
    files: &[PathBuf],
    patience: Duration,
) -> Result<Report, AppError> {
    let config = &loaded.config;
    let clock = SystemClock::new();
    let ground = build::Ground {
        clock: Arc::new(clock),
        entropy: Arc::new(OsEntropy::new()?),
        metrics: Arc::new(Metrics::new().map_err(|error| AppError::Metrics(error.to_string()))?),
    };
    let tasks = Supervisor::new();
    let pool = build::pool(config, Vec::new(), &ground, &tasks)?;
    let (ledger, books, mut service) = tokio::join!(
        ledger::gather(config, &pool, patience),
        books::gather(config, &clock, patience),
        reach::gather(loaded, patience),
    );
    tasks.shutdown(GRACE).await;
    service.webhooks = books.webhooks;
    let host = host::gather(config, files, build());

    let now = clock.now();
    let mut pool = ledger.pool;
    pool.needed_from = needed_from(loaded, &books.read_to, pool.tip.map(|tip| tip.index));
    let mut rows = preflight::host::rows(&host);
    rows.extend(preflight::servers::rows(&pool, now));
    for facts in wallets(loaded, ledger.accounts, &books.signed, now) {
        rows.extend(preflight::wallets::rows(&facts));
    }
    rows.extend(preflight::books::rows(&books.facts));
    rows.extend(preflight::service::rows(&service, now));
    rows.extend(preflight::people::rows(&books.signed, now, &rows));
    let place = |row: &Row| items::ITEMS.iter().position(|item| *item == row.item);
    rows.sort_by_key(place);
    Ok(report(config.profile.name(), now, rows))
}

/// The report on a configuration that no daemon starts with.
#[must_use]
pub fn refused(errors: &ConfigErrors) -> Report {
    let all = errors.errors.iter().chain(&errors.warnings);
    let words: Vec<String> = all.map(ToString::to_string).collect();
    let row = Row::of(&items::CONFIG_VALID, Outcome::Fail, words.join("; "));
    report("unknown", SystemClock::new().now(), vec![row])
}

fn report(profile: &'static str, at: xrpayd_core::ids::UnixMs, rows: Vec<Row>) -> Report {
    let Build {
        version, commit, ..
    } = build();
    Report {
        at,
        profile,
        build: (version, commit),
        rows,
    }
}

/// The binary that this is.
const fn build() -> Build {
    Build {
        version: binary::VERSION,
        commit: binary::COMMIT,
        is_release: !cfg!(debug_assertions),
        has_sandbox: cfg!(feature = "sandbox"),
    }
}

/// The oldest ledger that any wallet still has to read; none where that is not known.
fn needed_from(
    loaded: &Loaded,
    read_to: &Result<books::ReadTo, String>,
    tip: Option<LedgerIndex>,
) -> Option<LedgerIndex> {
    let (read_to, tip) = (read_to.as_ref().ok()?, tip?);
    let needed = loaded.config.wallets.iter().map(|(name, wallet)| {
        let begins = wallet.start_ledger.unwrap_or(tip.0);
        let next = read_to
            .get(name)
            .map_or(begins, |at| at.0.saturating_add(1));
        LedgerIndex(next.min(tip.0))
    });
    needed.min()
}

fn wallets(
    loaded: &Loaded,
    accounts: Vec<ledger::Account>,
    signed: &Result<SignOffs, String>,
    now: xrpayd_core::ids::UnixMs,
) -> Vec<WalletFacts> {
    let config = &loaded.config;
    let list = config.preflight.address_list.as_ref().map(|path| {
        std::fs::read_to_string(path)
            .map_err(|error| format!("{}: {error}", path.display()))
            .and_then(|text| preflight::wallets::address_list(&text))
    });
    let word = || {
        let words = signed.as_ref().ok()?;
        let word = words.get(items::WALLET_LISTED.id)?;
        word.holds(now).then_some(word)
    };
    let invoices = &config.invoices.wallet;
    let is_only = config.wallets.len() == 1;
    accounts
        .into_iter()
        .filter_map(|account| {
            let (name, settings) = config.wallets.get_key_value(&account.wallet)?;
            let listed = match &list {
                None => preflight::wallets::by_hand(word(), name, settings.address),
                Some(Err(why)) => Listed::Unreadable(why.clone()),
                Some(Ok(list)) => list
                    .get(name)
                    .map_or(Listed::Missing, |own| Listed::As(*own)),
            };
            Some(WalletFacts {
                name: name.clone(),
                address: settings.address,
                tier: settings.wallet_type.clone(),
                key: account.key,
                account: account.facts,
                low: settings.low_balance,
                critical: settings.critical_balance,
                cap: settings.balance_cap,
                is_paid: invoices.as_ref().map_or(is_only, |paid| paid == name),
                listed,
            })
        })
        .collect()
}
