//! The pool against the model ledger, over real sockets.

use serde_json::json;
use std::sync::Arc;
use std::time::{Duration, Instant};
use xrpayd::clock::{SeededEntropy, SystemClock};
use xrpayd::supervise::Supervisor;
use xrpayd::telemetry::metrics::Metrics;
use xrpayd::xrpl::{
    Delivered, Deps, Outcome, Pool, PoolConfig, ServerConfig, State, SubmitAnswer, Voice,
};
use xrpayd_codec::keys::{Algorithm, Keypair};
use xrpayd_core::ids::{LedgerIndex, TxHash};
use xrpayd_core::money::Drops;
use xrpayd_sandbox::{CloseInterval, Network, NetworkConfig};

const PATIENCE: Duration = Duration::from_secs(20);
const XRP: u64 = 1_000_000;

type Blob = (TxHash, Arc<[u8]>);

struct Ground {
    network: Network,
    pool: Pool,
    supervisor: Supervisor,
    metrics: Arc<Metrics>,
    alice: Keypair,
    sequence: u32,
}

fn key(number: u8) -> Keypair {
    Keypair::from_entropy(Algorithm::Ed25519, &[number; 16]).unwrap()
}

impl Ground {
    async fn new(servers: usize, quorum: usize) -> Self {
        let network = Network::start(NetworkConfig {
            listen: vec!["127.0.0.1:0".parse().unwrap(); servers],
            close_interval: CloseInterval::Manual,
            ..NetworkConfig::default()
        })
        .await
        .unwrap();
        let alice = key(1);
        assert!(network.fund(alice.account_id(), Drops::new(100_000 * XRP).unwrap()));
        let sequence = network.close_ledger() - 1;
        let supervisor = Supervisor::new();
        let metrics = Arc::new(Metrics::new().unwrap());
        let config = PoolConfig {
            network_id: 0,
            servers: network
                .addresses()
                .iter()
                .enumerate()
                .map(|(index, address)| ServerConfig {
                    name: format!("s{index}"),
                    url: format!("ws://{address}"),
                    operator: format!("o{index}"),
                    priority: 0,
                    voice: Voice::Counts,
                    pins: Vec::new(),
                })
                .collect(),
            quorum,
            request_timeout: Duration::from_secs(10),
            silence_timeout: Duration::from_secs(2),
            ..PoolConfig::default()
        };
        let deps = Deps {
            clock: Arc::new(SystemClock::new()),
            entropy: Arc::new(SeededEntropy::new(1)),
            metrics: Arc::clone(&metrics),
            supervisor: supervisor.clone(),
        };
        let pool = Pool::start(config, vec![alice.account_id()], deps);
        let ground = Self {
            network,
            pool,
            supervisor,
            metrics,
            alice,
            sequence,
        };
        ground
            .until(|view| view.iter().all(|state| *state == State::Ready))
            .await;
        ground
    }

    async fn until(&self, holds: impl Fn(&[State]) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let states: Vec<State> = self.pool.servers().iter().map(|view| view.state).collect();
            if holds(&states) {
                return;
            }
            assert!(Instant::now() < deadline, "{:?}", self.pool.servers());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Closes a ledger and waits until the pool knows it.
    async fn close(&self) -> LedgerIndex {
        let closed = LedgerIndex(self.network.close_ledger() - 1);
        let mut tip = self.pool.tip();
        let wait = tip.wait_for(|tip| tip.as_ref().is_some_and(|tip| tip.index >= closed));
        drop(
            tokio::time::timeout(PATIENCE, wait)
                .await
                .expect("the pool never knew the ledger")
                .unwrap(),
        );
        closed
    }

    fn payments(&mut self, count: u32) -> Vec<Blob> {
        let to = key(2).account_id().to_string();
        (0..count)
            .map(|_| {
                let tx = json!({"TransactionType": "Payment", "Account": self.alice.account_id().to_string(), "Destination": to,
                    "Amount": (2 * XRP).to_string(), "Fee": "10", "Flags": 0, "Sequence": self.sequence});
                self.sequence += 1;
                let signed = xrpayd_codec::sign(&tx, &self.alice).unwrap();
                (signed.hash, Arc::from(signed.blob))
            })
            .collect()
    }

    fn fault(&self, fault: serde_json::Value) {
        self.network.fault(&fault).unwrap();
    }

    async fn end(self) {
        self.supervisor.shutdown(Duration::from_secs(5)).await;
        self.network.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn payments_go_in_and_come_back_as_agreed_history() {
    let mut ground = Ground::new(3, 2).await;
    let before = ground.close().await;
    let blobs = ground.payments(30);
    let reports = ground.pool.submit(&blobs).await;
    for (report, (hash, _)) in reports.iter().zip(&blobs) {
        assert_eq!(report.hash, *hash);
        let taken = |(_, answer): &(String, SubmitAnswer)| {
            matches!(answer, SubmitAnswer::Engine { result, .. }
            if ["tesSUCCESS", "terQUEUED", "tefPAST_SEQ", "tefALREADY"].contains(&result.as_str()))
        };
        assert!(report.answers.iter().all(taken), "{report:?}");
    }
    let closed = ground.close().await;
    let alice = ground.alice.account_id();
    let history = ground
        .pool
        .history(alice, before.plus(1), closed)
        .await
        .unwrap();
    assert_eq!(
        (history.to, history.servers.len(), history.entries.len()),
        (closed, 3, 30)
    );
    let hashes: Vec<TxHash> = history.entries.iter().map(|entry| entry.hash).collect();
    assert_eq!(
        hashes,
        blobs.iter().map(|(hash, _)| *hash).collect::<Vec<_>>()
    );
    for entry in &history.entries {
        assert_eq!(
            (entry.result.as_str(), entry.account),
            ("tesSUCCESS", alice)
        );
        assert_eq!(
            entry.delivered,
            Delivered::Xrp(Drops::new(2 * XRP).unwrap())
        );
    }
    let last = history.entries.last().unwrap().own_root.unwrap();
    let root = ground
        .pool
        .account_root(alice, closed)
        .await
        .unwrap()
        .root
        .unwrap();
    assert_eq!((root.sequence, root.balance), (last.sequence, last.balance));
    assert_eq!(root.sequence, ground.sequence);
    let nobody = ground
        .pool
        .account_root(key(9).account_id(), closed)
        .await
        .unwrap();
    assert_eq!((nobody.root, nobody.servers.len()), (None, 3));
    assert_eq!(ground.pool.fee().await.unwrap().base.get(), 10);
    ground.end().await;
}

/// Three servers and three payments, of which the liars lie about the second.
async fn lied_about(liars: &[usize], lie: serde_json::Value) -> (Ground, LedgerIndex, LedgerIndex) {
    let mut ground = Ground::new(3, 2).await;
    let before = ground.close().await;
    let blobs = ground.payments(3);
    ground.pool.submit(&blobs).await;
    let closed = ground.close().await;
    for liar in liars {
        let mut fault = lie.clone();
        fault["server"] = json!(liar);
        fault["hash"] = json!(blobs[1].0.to_string());
        ground.fault(fault);
    }
    (ground, before.plus(1), closed)
}

fn lies() -> [serde_json::Value; 2] {
    [
        json!({"kind": "lie_absent"}),
        json!({"kind": "lie_result", "result": "tecPATH_DRY"}),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn one_liar_of_three_is_proven_wrong_by_the_ledger_and_heard_no_more() {
    for lie in lies() {
        for liar in 0..3 {
            let (ground, from, to) = lied_about(&[liar], lie.clone()).await;
            let alice = ground.alice.account_id();
            let history = ground.pool.history(alice, from, to).await.unwrap();
            let results: Vec<&str> = history
                .entries
                .iter()
                .map(|entry| entry.result.as_str())
                .collect();
            assert_eq!(results, ["tesSUCCESS"; 3], "{lie} {liar}");
            assert!(!history.servers.contains(&format!("s{liar}")));
            assert_eq!(ground.pool.servers()[liar].state, State::Refused, "{lie}");
            assert!(ground.metrics.xrpl_server_disagreements_total.get() >= 1);
            let disputes = ground.pool.disputes();
            assert_eq!(disputes[0].outcome, Outcome::Proven, "{disputes:?}");
            ground.end().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_liar_that_tells_the_truth_again_is_heard_again_and_not_before() {
    let (ground, from, to) = lied_about(&[1], json!({"kind": "lie_absent"})).await;
    let alice = ground.alice.account_id();
    ground.pool.history(alice, from, to).await.unwrap();
    ground.until(|states| states[1] == State::Refused).await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(
        ground.pool.servers()[1].state,
        State::Refused,
        "it still lies"
    );
    ground.fault(json!({"server": 1, "kind": "clear"}));
    ground
        .until(|states| states.iter().all(|state| *state == State::Ready))
        .await;
    let history = ground.pool.history(alice, from, to).await.unwrap();
    assert_eq!(history.servers.len(), 3);
    ground.end().await;
}

/// Whoever fails to pay an account names it and does not touch it: it is not of the account's history.
#[tokio::test(flavor = "multi_thread")]
async fn a_strangers_failed_payment_to_us_does_not_make_honest_servers_liars() {
    let mut ground = Ground::new(3, 2).await;
    let stranger = key(3);
    let funds = Drops::new(100 * XRP).unwrap();
    assert!(ground.network.fund(stranger.account_id(), funds));
    let before = ground.close().await;
    let alice = ground.alice.account_id();
    let tx = json!({"TransactionType": "Payment", "Account": stranger.account_id().to_string(), "Destination": alice.to_string(),
        "Amount": (1_000 * XRP).to_string(), "Fee": "10", "Flags": 0, "Sequence": before.0});
    let failing = xrpayd_codec::sign(&tx, &stranger).unwrap();
    let mut blobs = ground.payments(3);
    blobs.push((failing.hash, Arc::from(failing.blob)));
    let reports = ground.pool.submit(&blobs).await;
    let named = format!("{:?}", reports.last().unwrap());
    assert!(named.contains("tecUNFUNDED_PAYMENT"), "{named}");
    let closed = ground.close().await;
    ground.fault(json!({"server": 1, "kind": "lie_absent", "hash": blobs[1].0.to_string()}));
    let history = ground.pool.history(alice, before.plus(1), closed).await;
    assert_eq!(history.map(|history| history.entries.len()), Ok(3));
    let states: Vec<State> = ground
        .pool
        .servers()
        .iter()
        .map(|view| view.state)
        .collect();
    assert_eq!(states, [State::Ready, State::Refused, State::Ready]);
    ground.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_liars_of_three_stop_finality_and_are_not_believed() {
    for lie in lies() {
        let (ground, from, to) = lied_about(&[0, 2], lie.clone()).await;
        let alice = ground.alice.account_id();
        for _ in 0..3 {
            let history = ground.pool.history(alice, from, to).await;
            assert!(history.is_err(), "{lie}: {history:?}");
        }
        let states: Vec<State> = ground
            .pool
            .servers()
            .iter()
            .map(|view| view.state)
            .collect();
        assert_eq!(
            states,
            [State::Refused, State::Ready, State::Refused],
            "{lie}"
        );
        ground.end().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_lies_about_an_account_root_is_proven_wrong() {
    let mut ground = Ground::new(3, 2).await;
    let blobs = ground.payments(3);
    ground.pool.submit(&blobs).await;
    let closed = ground.close().await;
    let alice = ground.alice.account_id();
    ground.fault(
        json!({"server": 1, "kind": "lie_balance", "account": alice.to_string(), "sequence": 1}),
    );
    let agreed = ground.pool.account_root(alice, closed).await.unwrap();
    assert_eq!(agreed.root.unwrap().sequence, ground.sequence);
    assert_eq!(ground.pool.servers()[1].state, State::Refused);
    ground.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn servers_come_and_go_and_the_rest_carry_on() {
    let mut ground = Ground::new(3, 2).await;
    let alice = ground.alice.account_id();
    let mut from = ground.close().await.plus(1);
    for round in 0..6 {
        let victim = round % 3;
        let fault = if round < 3 { "refuse" } else { "disconnect" };
        ground.fault(json!({"server": victim, "kind": fault}));
        let blobs = ground.payments(5);
        ground.pool.submit(&blobs).await;
        let closed = ground.close().await;
        let history = ground.pool.history(alice, from, closed).await.unwrap();
        assert_eq!(
            (history.to, history.entries.len()),
            (closed, 5),
            "round {round}"
        );
        from = closed.plus(1);
        ground.fault(json!({"server": victim, "kind": "clear"}));
        ground
            .until(|states| states.iter().all(|state| *state == State::Ready))
            .await;
    }
    ground.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn servers_that_cannot_be_trusted_with_a_question_are_passed_over() {
    let mut ground = Ground::new(3, 2).await;
    let alice = ground.alice.account_id();
    let from = ground.close().await.plus(1);
    let blobs = ground.payments(2);
    ground.pool.submit(&blobs).await;
    let closed = ground.close().await;
    let faults = [
        json!({"server": 0, "kind": "history_gap", "from": 2, "to": closed.0}),
        json!({"server": 0, "kind": "drop_responses", "only": "account_tx"}),
        json!({"server": 0, "kind": "slow_down"}),
        json!({"server": 0, "kind": "latency", "ms": 300}),
    ];
    for fault in faults {
        ground.fault(fault.clone());
        let history = ground.pool.history(alice, from, closed).await;
        assert_eq!(
            history.map(|history| history.entries.len()),
            Ok(2),
            "{fault}"
        );
        ground.fault(json!({"server": "all", "kind": "clear"}));
    }
    ground.fault(json!({"server": 0, "kind": "wrong_network", "network_id": 77}));
    ground.fault(json!({"server": 0, "kind": "disconnect"}));
    ground.until(|states| states[0] == State::Refused).await;
    assert!(ground.pool.history(alice, from, closed).await.is_ok());
    ground.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_page_of_history_is_read_whole_from_every_server() {
    let mut ground = Ground::new(2, 2).await;
    let alice = ground.alice.account_id();
    let from = ground.close().await.plus(1);
    let blobs = ground.payments(2_500);
    let began = Instant::now();
    let reports = ground.pool.submit(&blobs).await;
    let rate = blobs.len() as f64 / began.elapsed().as_secs_f64();
    let answered = |answer: &SubmitAnswer| matches!(answer, SubmitAnswer::Engine { .. });
    assert!(
        reports
            .iter()
            .all(|report| report.answers.iter().any(|(_, answer)| answered(answer)))
    );
    let mut to = ground.close().await;
    let mut seen = 0;
    let mut next = from;
    let began = Instant::now();
    while seen < blobs.len() {
        let history = ground.pool.history(alice, next, to).await.unwrap();
        seen += history.entries.len();
        next = history.to.plus(1);
        if seen < blobs.len() {
            to = ground.close().await;
        }
        assert!(to.0 < 60, "{seen} of {} transactions came", blobs.len());
    }
    println!(
        "submits {rate:.0} /s, history {:.0} /s",
        seen as f64 / began.elapsed().as_secs_f64()
    );
    assert_eq!(seen, blobs.len());
    ground.end().await;
}
