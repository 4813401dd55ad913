//! An API on a store of its own, with a clock that is stepped by hand.

mod call;

use super::schema::Exchange;
use axum::Router;
use axum::http::StatusCode;
use futures_util::future::BoxFuture;
use http_body_util::BodyExt;
use serde_json::Value;
use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::watch;
use tower::ServiceExt;
use xrpayd::app::switchboard;
use xrpayd::clock::{Clock, ManualClock, SeededEntropy};
use xrpayd::deposits::issue;
use xrpayd::http::auth::hash_secret;
use xrpayd::http::edges::Edges;
use xrpayd::http::state::{
    Access as From, Auth, BackfillRow, DisputeRow, JournalRow, Outlook, RateLimits, Readiness,
    Routing, ServerRow, SideRow, TicketsRow, TipRow, WalletRow,
};
use xrpayd::http::{AppState, Live, Rules, Settings, router};
use xrpayd::payments::accept::Policy;
use xrpayd::store::{Access, Actor, KeyLimits, NewKey, Store, StoreConfig};
use xrpayd::supervise::Supervisor;
use xrpayd::telemetry::health::Thresholds;
use xrpayd::telemetry::metrics::Metrics;
use xrpayd_core::address::AccountId;
use xrpayd_core::ids::{LedgerHash, LedgerIndex, UnixMs};
use xrpayd_core::limits::Caps;
use xrpayd_core::money::Drops;
use xrpayd_core::payment::Order;
use xrpayd_core::preflight::Facts;
use xrpayd_core::rollout::{Criteria, Ladder, Ratio, Stage as RolloutStage};

pub use call::{Answer, Call, get, order, post, post_payment};

/// The paying account.
pub const HOT: &str = "rHb9CJAWyB4rj91VRWn96DkukG4bwdtyTh";
/// An account to be paid.
pub const SHOP: &str = "rPT1Sjq2YGrBMTttX4GZHjKu9dyfzbpAYe";
/// The instant at which every bed begins: 2027-01-15T08:00:00Z.
pub const START: UnixMs = UnixMs(1_800_000_000_000);

pub fn xrp(text: &str) -> Drops {
    Drops::from_xrp(text).unwrap()
}

/// What the rooms that know the ledger would say.
pub struct Stage {
    pub wallets: Mutex<Vec<WalletRow>>,
    pub servers: Mutex<Vec<ServerRow>>,
    pub disputes: Mutex<Vec<DisputeRow>>,
    pub tip: Mutex<Option<TipRow>>,
    pub draining: Mutex<bool>,
    pub stalled: Mutex<Option<String>>,
    pub past_is_read: Mutex<bool>,
    pub woken: Mutex<Vec<String>>,
    pub breaks: Mutex<bool>,
    /// What the ledger says of accounts; nothing where it is not asked about them.
    pub accounts: Mutex<Result<BTreeMap<AccountId, Facts>, &'static str>>,
    pub outlook: Mutex<Outlook>,
}

/// Two servers that tell different hashes of a ledger.
fn dispute(ledger: u32) -> DisputeRow {
    let side = |server: &str, hash| SideRow {
        server: server.to_owned(),
        ledger_index: LedgerIndex(ledger),
        ledger_hash: Some(LedgerHash([hash; 32])),
        says: format!("{server} says so"),
    };
    DisputeRow {
        about: "a validated ledger".to_owned(),
        outcome: "proven".to_owned(),
        times: 3,
        first_at: START,
        last_at: START,
        sides: [side("one", 1), side("two", 2)],
    }
}

impl Live for Stage {
    fn servers(&self) -> Vec<ServerRow> {
        assert!(!*self.breaks.lock().unwrap(), "a broken invariant");
        self.servers.lock().unwrap().clone()
    }
    fn disputes(&self) -> Vec<DisputeRow> {
        self.disputes.lock().unwrap().clone()
    }
    fn wallets(&self) -> Vec<WalletRow> {
        self.wallets.lock().unwrap().clone()
    }
    fn tip(&self) -> Option<TipRow> {
        *self.tip.lock().unwrap()
    }
    fn quorum(&self) -> usize {
        1
    }
    fn wake(&self, wallet: &str) {
        self.woken.lock().unwrap().push(wallet.to_owned());
    }
    fn is_draining(&self) -> bool {
        *self.draining.lock().unwrap()
    }
    /// The richest pays: which one it is matters here only where it can be told from the first.
    fn route(
        &self,
        among: &[String],
        _: Drops,
        destination: Option<AccountId>,
        _: Routing,
    ) -> Option<String> {
        let wallets = self.wallets.lock().unwrap();
        let routed = wallets
            .iter()
            .filter(|row| among.contains(&row.name) && Some(row.account) != destination);
        routed
            .max_by_key(|row| row.spendable)
            .map(|row| row.name.clone())
    }
    fn past_is_read(&self) -> bool {
        *self.past_is_read.lock().unwrap()
    }
    fn stalled(&self) -> Option<String> {
        self.stalled.lock().unwrap().clone()
    }
    fn destination_known(&self, _: &str, destination: AccountId) -> Option<Facts> {
        let accounts = self.accounts.lock().unwrap();
        accounts.as_ref().ok()?.get(&destination).cloned()
    }
    fn destination<'a>(
        &'a self,
        wallet: &'a str,
        destination: AccountId,
    ) -> BoxFuture<'a, Result<Facts, &'static str>> {
        let away = self.accounts.lock().unwrap().as_ref().err().copied();
        let known = self.destination_known(wallet, destination);
        let answer = known.ok_or(away.unwrap_or("nobody was asked"));
        Box::pin(std::future::ready(answer))
    }
    fn outlook<'a>(&'a self, _: &'a str, _: &'a Order) -> BoxFuture<'a, Outlook> {
        let outlook = self.outlook.lock().unwrap().clone();
        Box::pin(std::future::ready(outlook))
    }
}

/// The API under test.
pub struct Bed {
    pub router: Router,
    pub state: AppState,
    pub store: Store,
    pub clock: Arc<ManualClock>,
    pub live: Arc<Stage>,
    pub metrics: Arc<Metrics>,
    pub rules: watch::Sender<Arc<Rules>>,
    /// What is drained first: the listeners.
    pub web: Supervisor,
    pub url: String,
    supervisor: Supervisor,
    keys_made: AtomicU64,
    _folder: Option<tempfile::TempDir>,
}

/// Generous rules, so that a test meets only the fence it sets up.
pub fn rules() -> Rules {
    let wallets: BTreeMap<String, AccountId> = [("hot".to_owned(), HOT.parse().unwrap())].into();
    let caps = Caps {
        min_payment: xrp("0.001"),
        max_payment: xrp("100"),
        daily: xrp("1000"),
        max_pending: 500,
    };
    Rules {
        invoices: issue::Policy {
            wallets: wallets.clone(),
            wallet: None,
            assets: Vec::new(),
            expires_in: Duration::from_secs(3_600),
            tag_quarantine: Duration::from_secs(86_400),
        },
        policy: Policy {
            network_id: 0,
            wallets,
            routed: vec!["hot".to_owned()],
            stage: "internal".to_owned(),
            words: 0,
            allowed_clients: vec!["*".to_owned()],
            caps,
            scopes: Default::default(),
            approval: None,
        },
        rate_limits: RateLimits {
            writes_per_minute: 100_000,
            writes_per_hour: 100_000,
            reads_per_minute: 100_000,
            admin_per_minute: 100_000,
            checks_per_minute: 100_000,
            failures_per_minute: NonZeroU32::new(100_000).unwrap(),
        },
        access: From::default(),
        ladder: Ladder {
            stages: vec![RolloutStage {
                name: "internal".to_owned(),
                max_payment: Some(xrp("10")),
                daily_limit: None,
                caps,
                allowed_clients: vec!["*".to_owned()],
                criteria: Criteria {
                    min_duration_ms: Some(86_400_000),
                    max_error_rate: Some(Ratio { ppm: 10_000 }),
                    ..Criteria::default()
                },
            }],
            first: "internal".to_owned(),
            highest: "internal".to_owned(),
            auto_demotion: None,
        },
        thresholds: Thresholds::default(),
    }
}

impl Bed {
    pub async fn new() -> Self {
        Self::with(|_| {}, Auth::Required).await
    }

    pub async fn with(change: impl FnOnce(&mut Rules), auth: Auth) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}", folder.path().join("x.db").display());
        Self {
            _folder: Some(folder),
            ..Self::on(url, change, auth).await
        }
    }

    /// The same on a database of PostgreSQL, where there is one.
    pub async fn postgres(change: impl FnOnce(&mut Rules)) -> Option<Self> {
        let url = crate::store::fresh_postgres().await?;
        Some(Self::on(url, change, Auth::Required).await)
    }

    async fn on(url: String, change: impl FnOnce(&mut Rules), auth: Auth) -> Self {
        let store = Store::open(&StoreConfig::new(&url), Access::Daemon)
            .await
            .unwrap();
        let supervisor = Supervisor::new();
        store.start_accept_writer(&supervisor);
        let clock = Arc::new(ManualClock::new(START));
        let metrics = Arc::new(Metrics::new().unwrap());
        let live = Arc::new(Stage {
            wallets: Mutex::new(vec![WalletRow {
                age: None,
                is_stale: false,
                name: "hot".to_owned(),
                account: HOT.parse().unwrap(),
                wallet_type: "hot".to_owned(),
                balance: Some(xrp("500")),
                reserve: Some(xrp("1")),
                spendable: Some(xrp("490")),
                in_flight: xrp("9"),
                in_flight_count: 2,
                journal_ledger: Some(LedgerIndex(77)),
                journal: Some(JournalRow {
                    start: LedgerIndex(3),
                    through: LedgerIndex(40),
                    lag: 39,
                    backfill: Some(BackfillRow {
                        from: LedgerIndex(3),
                        to: LedgerIndex(70),
                        at: LedgerIndex(40),
                        transactions: 1_234,
                    }),
                    waits: Vec::new(),
                }),
                tickets: Some(TicketsRow {
                    standing: 5,
                    free: 4,
                    on_order: 10,
                }),
                halted: None,
                foreign: 0,
                low_balance: xrp("50"),
                critical_balance: xrp("20"),
            }]),
            servers: Mutex::new(vec![ServerRow {
                name: "one".to_owned(),
                operator: "us".to_owned(),
                state: "ready".to_owned(),
                readiness: Readiness::Ready,
                cause: None,
                reason: None,
                since: Some(START),
                validated_ledger: Some(LedgerIndex(78)),
                lag_ledgers: Some(0),
                latency: Some(Duration::from_millis(12)),
                latency_p95: Some(Duration::from_millis(31)),
                errors_per_mille: 4,
                budget_per_second: None,
                complete_ledgers: "2-78".to_owned(),
                build_version: Some("2.4.0".to_owned()),
                load_factor: Some(1),
                score: Some(990),
            }]),
            disputes: Mutex::new(vec![dispute(77), dispute(78)]),
            tip: Mutex::new(Some(TipRow {
                ledger_index: LedgerIndex(78),
                close_time: START,
                seen_at: START,
            })),
            draining: Mutex::new(false),
            stalled: Mutex::new(None),
            past_is_read: Mutex::new(true),
            woken: Mutex::default(),
            breaks: Mutex::new(false),
            accounts: Mutex::new(Err("the servers did not answer")),
            outlook: Mutex::default(),
        });
        let mut first = rules();
        change(&mut first);
        let rules = watch::Sender::new(Arc::new(first));
        let state = AppState {
            store: store.clone(),
            clock: Arc::clone(&clock) as Arc<dyn Clock>,
            entropy: Arc::new(SeededEntropy::new(7)),
            metrics: Arc::clone(&metrics),
            live: Arc::clone(&live) as Arc<dyn Live>,
            webhooks: crate::webhooks::bed::webhooks(
                Arc::clone(&clock) as Arc<dyn Clock>,
                Arc::new(SeededEntropy::new(8)),
            ),
            settings: Settings {
                body_bytes_max: 10_240,
                request_timeout: Duration::from_secs(2),
                shutdown_grace: Duration::from_secs(30),
                auth,
                heartbeat: Duration::from_millis(100),
                streams_per_key: 2,
                edges: Edges::default(),
            },
            rules: rules.subscribe(),
            switches: switchboard::start(store.clone(), &supervisor).await,
        };
        Self {
            router: router(state.clone()),
            state,
            store,
            clock,
            live,
            metrics,
            rules,
            web: supervisor.child(),
            url,
            supervisor,
            keys_made: AtomicU64::new(0),
            _folder: None,
        }
    }

    /// The store as another replica opens it.
    pub async fn replica(&self) -> Store {
        let config = StoreConfig::new(&self.url);
        Store::open(&config, Access::Daemon).await.unwrap()
    }

    /// What another replica serves on the same store, or this one after a restart.
    pub fn another(&self) -> Router {
        router(self.state.clone())
    }

    /// Puts other rules in force, as a reload does.
    pub fn reload(&self, change: impl FnOnce(&mut Rules)) {
        self.rules.send_modify(|rules| change(Arc::make_mut(rules)));
    }

    /// A key of `client`; returns the bearer token.
    pub async fn key(&self, client: &str, scopes: &[&str]) -> String {
        self.key_with(client, scopes, |_| {}).await
    }

    pub async fn key_with(
        &self,
        client: &str,
        scopes: &[&str],
        change: impl FnOnce(&mut NewKey),
    ) -> String {
        let id = format!("k{}", self.keys_made.fetch_add(1, Ordering::Relaxed));
        let mut key = NewKey {
            id: id.clone(),
            client: client.to_owned(),
            secret_hash: hash_secret("s3cret"),
            scopes: scopes.iter().map(|&scope| scope.to_owned()).collect(),
            cidrs: Vec::new(),
            expires_at: None,
            created_at: START,
            require_signature: false,
            limits: KeyLimits::default(),
        };
        change(&mut key);
        self.store.create_key(&key, &Actor::Daemon).await.unwrap();
        format!("xrpayd_{id}_s3cret")
    }

    /// A key that may read and write payments.
    pub async fn merchant(&self) -> String {
        self.key("shop", &["payments:read", "payments:write"]).await
    }

    pub async fn send(&self, call: Call) -> Answer {
        self.send_to(&self.router, call).await
    }

    /// Asks another than the bed's own API.
    pub async fn send_to(&self, router: &Router, call: Call) -> Answer {
        let asked = call.body.clone();
        let request = call.build();
        let (method, uri) = (request.method().clone(), request.uri().clone());
        let response = router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        // Whatever a test is about: nothing is taken or answered that the document does not describe.
        let exchange = Exchange {
            method: &method,
            uri: &uri,
            asked: &asked,
            status: parts.status,
            headers: &parts.headers,
            answered: &bytes,
        };
        exchange.is_described();
        Answer {
            status: parts.status,
            headers: parts.headers,
            body: serde_json::from_slice(&bytes).unwrap_or(Value::Null),
            text: String::from_utf8_lossy(&bytes).into_owned(),
        }
    }

    /// Posts a payment and expects it to be accepted.
    pub async fn pay(&self, token: &str, idempotency_key: &str, body: Value) -> Value {
        let answer = self.send(post_payment(token, idempotency_key, &body)).await;
        assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.body);
        answer.body
    }

    pub async fn end(self) {
        self.web.shutdown(Duration::from_secs(10)).await;
        self.supervisor.shutdown(Duration::from_secs(10)).await;
        self.store.close().await;
    }
}
