//! What the servers say, of themselves and of our accounts.

use super::fetch;
use crate::config::{Config, Server, Wallet as WalletSettings, secrets};
use crate::preflight::servers::{PoolFacts, ServerFacts, Standing, TipFacts, Way};
use crate::preflight::wallets::{AccountFacts, SignerFacts};
use crate::wallet::{LocalSigner, Signer as _};
use crate::xrpl::{AccountSetup, Cause, Outcome, Pool, Roots, ServerView, State, Tip};
use futures_util::future::join_all;
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::time::Instant;
use url::Url;
use xrpayd_core::address::AccountId;
use xrpayd_core::ids::UnixMs;

/// How often the pool is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// A server that has failed is given this part of the patience to come back.
const SECOND_CHANCE: u32 = 3;
/// How often an account is asked for: servers learn of a new ledger one after the other.
const TRIES_MAX: u32 = 3;
/// The port of a `wss://` URL that names none.
const TLS_PORT: u16 = 443;

/// What was found.
pub(super) struct Found {
    pub(super) pool: PoolFacts,
    pub(super) accounts: Vec<Account>,
}

/// A wallet's account, and the key that is to sign for it.
pub(super) struct Account {
    pub(super) wallet: String,
    pub(super) key: Result<AccountId, String>,
    pub(super) facts: Result<Option<AccountFacts>, String>,
}

/// Waits for the servers, and asks them for the accounts.
pub(super) async fn gather(config: &Config, pool: &Pool, patience: Duration) -> Found {
    let (certificates, ()) = tokio::join!(certificates(config, patience), settled(pool, patience));
    let tip = pool.tip().borrow().clone();
    let asked = config.wallets.iter().map(|(name, settings)| async {
        let facts = tokio::time::timeout(patience, account(pool, settings)).await;
        Account {
            wallet: name.clone(),
            key: key(settings),
            facts: facts.unwrap_or_else(|_| Err("the servers did not answer in time".to_owned())),
        }
    });
    let accounts = join_all(asked).await;
    let views = pool.servers();
    let of_view = |view: &ServerView| {
        let server = config
            .xrpl
            .servers
            .iter()
            .find(|own| own.name == view.name)?;
        let certificate = certificates.get(&view.name).cloned();
        Some(facts(config, server, view, certificate))
    };
    let open = pool.disputes().into_iter();
    let open = open.filter(|dispute| dispute.outcome == Outcome::Open);
    let pool = PoolFacts {
        network_id: config.network.id,
        quorum: pool.quorum(),
        servers: views.iter().filter_map(of_view).collect(),
        tip: tip.map(|tip| TipFacts {
            index: tip.index,
            hash: tip.hash,
            closed_at: tip.close_time,
            seen_at: tip.seen_at,
        }),
        disputes: open
            .map(|dispute| format!("{}; {}", dispute.left, dispute.right))
            .collect(),
        held_from: pool.lowest_held(),
        needed_from: None,
        waited: patience,
    };
    Found { pool, accounts }
}

/// Waits until every server has shown what it is, and until there is a ledger.
async fn settled(pool: &Pool, patience: Duration) {
    let began = Instant::now();
    loop {
        let is_late = began.elapsed() >= patience / SECOND_CHANCE;
        let has_shown = |view: &ServerView| {
            view.state.is_usable()
                || view.state == State::Refused
                || (is_late && view.last_error.is_some())
        };
        let is_done = pool.servers().iter().all(has_shown);
        let has_ledger = pool.tip().borrow().is_some() && pool.lowest_held().is_some();
        if (is_done && (has_ledger || is_late)) || began.elapsed() >= patience {
            return;
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

fn facts(
    config: &Config,
    server: &Server,
    view: &ServerView,
    certificate: Option<Result<UnixMs, String>>,
) -> ServerFacts {
    let why = || match (&view.last_error, view.cause) {
        (Some(error), _) => error.clone(),
        (None, Some(cause)) => cause.as_str().to_owned(),
        (None, None) => view.state.as_str().to_owned(),
    };
    let standing = match (view.cause, view.state) {
        (Some(Cause::WrongNetwork), _) => Standing::OtherNetwork,
        (Some(Cause::AmendmentBlocked), _) => Standing::AmendmentBlocked,
        (_, State::Ready) => Standing::Ready,
        (_, State::Degraded) => Standing::Doubtful(why()),
        (_, State::Connecting | State::Syncing | State::OpenCircuit | State::Refused) => {
            Standing::Away(why())
        }
    };
    ServerFacts {
        name: view.name.clone(),
        operator: view.operator.clone(),
        counts: config.xrpl.counts(server),
        way: if server.url.is_secure() {
            Way::Encrypted
        } else if server.url.is_loopback() {
            Way::Loopback
        } else {
            Way::Clear
        },
        standing,
        network_id: view.network_id,
        version: view.build_version.clone(),
        validated: view.validated_ledger,
        certificate,
    }
}

/// The certificates of the servers that show one.
async fn certificates(
    config: &Config,
    patience: Duration,
) -> BTreeMap<String, Result<UnixMs, String>> {
    let roots = match &config.xrpl.ca_file {
        // The pool stands on the same file, so it could be read.
        Some(path) => Roots::read(path).unwrap_or_default(),
        None => Roots::Bundled,
    };
    let roots = roots.store();
    let secure = config.xrpl.servers.iter();
    let secure = secure.filter(|server| server.url.is_secure());
    let looked = secure.map(|server| async {
        let url = Url::parse(server.url.as_str()).map_err(|error| error.to_string());
        let seen = match url {
            Ok(url) => {
                let port = url.port().unwrap_or(TLS_PORT);
                fetch::certificate(server.url.host(), port, &roots, patience).await
            }
            Err(error) => Err(error),
        };
        (server.name.clone(), seen)
    });
    join_all(looked).await.into_iter().collect()
}

/// The address of the key that is configured.
fn key(settings: &WalletSettings) -> Result<AccountId, String> {
    let seed = secrets::resolve(&settings.seed).map_err(|error| error.to_string())?;
    let signer = LocalSigner::from_seed(&seed).map_err(|error| error.to_string())?;
    Ok(signer.public_key().account_id())
}

/// The account at the newest ledger that the servers agree on.
async fn account(pool: &Pool, settings: &WalletSettings) -> Result<Option<AccountFacts>, String> {
    let mut tries = 1;
    loop {
        let Some(tip) = pool.tip().borrow().clone() else {
            return Err("the servers agree on no ledger".to_owned());
        };
        match pool.account_setup(settings.address, tip.index).await {
            Ok(agreed) if agreed.hash.is_some_and(|hash| hash != tip.hash) => {
                return Err("the servers that were asked follow another chain".to_owned());
            }
            Ok(agreed) => {
                let servers = agreed.servers;
                return Ok(agreed.setup.map(|setup| of_setup(&tip, servers, &setup)));
            }
            Err(error) if tries == TRIES_MAX => return Err(error.to_string()),
            Err(_) => {
                tries += 1;
                tokio::time::sleep(LOOK_EVERY).await;
            }
        }
    }
}

fn of_setup(tip: &Tip, servers: Vec<String>, setup: &AccountSetup) -> AccountFacts {
    let signers = setup.signers.as_ref().map(|list| SignerFacts {
        count: list.signers.len(),
        quorum: list.quorum,
        is_of_one: list.is_of_one(),
        bears_a_loss: list.signers.iter().all(|(one, _)| list.does_without(*one)),
    });
    AccountFacts {
        at: tip.index,
        servers,
        balance: setup.root.balance,
        reserve: tip.reserve_of(setup.root.owner_count),
        regular_key: setup.root.regular_key,
        is_master_disabled: setup.is_master_disabled(),
        requires_tag: setup.requires_tag(),
        requires_authorization: setup.requires_authorization(),
        is_pseudo: setup.root.is_pseudo,
        signers,
    }
}
