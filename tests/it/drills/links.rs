//! Links that are half open, and servers that come late to an account's transactions.

use futures_util::FutureExt as _;
use serde_json::json;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use xrpayd::clock::{SeededEntropy, SystemClock};
use xrpayd::supervise::Supervisor;
use xrpayd::telemetry::metrics::Metrics;
use xrpayd::xrpl::{
    Backlog, Cause, Deps, MaySend, Pool, PoolConfig, ServerConfig, ServerView, State, SubmitAnswer,
    Voice,
};
use xrpayd_codec::keys::{Algorithm, Keypair};
use xrpayd_core::ids::TxHash;
use xrpayd_core::money::Drops;
use xrpayd_core::payment::Slot;
use xrpayd_sandbox::{CloseInterval, Network, NetworkConfig};

const PATIENCE: Duration = Duration::from_secs(30);

/// What a link does with the bytes of its connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Passes,
    /// They vanish in both directions, and nobody is told: no end, no reset.
    Swallows,
    /// Nobody is let in, and whoever is in is thrown out.
    Shut,
}

/// A link to a server, in the hands of the test.
struct Link {
    url: String,
    way: watch::Sender<Way>,
}

impl Link {
    async fn to(server: std::net::SocketAddr, way: Way) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("ws://{}", listener.local_addr().unwrap());
        let way = watch::Sender::new(way);
        let watched = way.subscribe();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let mut way = watched.clone();
                tokio::spawn(async move {
                    let server = TcpStream::connect(server).await.unwrap();
                    let (from_client, to_client) = client.into_split();
                    let (from_server, to_server) = server.into_split();
                    let up = carry(from_client, to_server, way.clone());
                    let down = carry(from_server, to_client, way.clone());
                    let shut = way.wait_for(|way| *way == Way::Shut).map(|_| ());
                    tokio::select! {
                        () = up => {}
                        () = down => {}
                        () = shut => {}
                    }
                });
            }
        });
        Self { url, way }
    }

    fn set(&self, way: Way) {
        self.way.send_replace(way);
    }
}

async fn carry(
    mut from: tokio::net::tcp::OwnedReadHalf,
    mut to: tokio::net::tcp::OwnedWriteHalf,
    way: watch::Receiver<Way>,
) {
    let mut bytes = vec![0; 16 * 1024];
    while let Ok(count @ 1..) = from.read(&mut bytes).await {
        let passes = *way.borrow() == Way::Passes;
        if passes && to.write_all(&bytes[..count]).await.is_err() {
            return;
        }
    }
}

struct Ground {
    network: Network,
    pool: Pool,
    links: Vec<Link>,
    supervisor: Supervisor,
}

fn key(number: u8) -> Keypair {
    Keypair::from_entropy(Algorithm::Ed25519, &[number; 16]).unwrap()
}

impl Ground {
    /// A pool over links to two model servers; `silence` is its silence time-out.
    async fn new(ways: [Way; 2], silence: Duration) -> Self {
        let network = Network::start(NetworkConfig {
            listen: vec!["127.0.0.1:0".parse().unwrap(); 2],
            close_interval: CloseInterval::Manual,
            ..NetworkConfig::default()
        })
        .await
        .unwrap();
        let drops = Drops::new(100_000_000_000).unwrap();
        assert!(network.fund(key(1).account_id(), drops));
        let _open = network.close_ledger();
        let mut links = Vec::new();
        for (address, way) in network.addresses().iter().zip(ways) {
            links.push(Link::to(*address, way).await);
        }
        let server = |(index, link): (usize, &Link)| ServerConfig {
            name: format!("s{index}"),
            url: link.url.clone(),
            operator: format!("o{index}"),
            priority: 0,
            voice: Voice::Counts,
            pins: Vec::new(),
        };
        let config = PoolConfig {
            servers: links.iter().enumerate().map(server).collect(),
            quorum: 1,
            silence_timeout: silence,
            backoff_max: Duration::from_millis(100),
            ..PoolConfig::default()
        };
        let supervisor = Supervisor::new();
        let deps = Deps {
            clock: Arc::new(SystemClock::new()),
            entropy: Arc::new(SeededEntropy::new(1)),
            metrics: Arc::new(Metrics::new().unwrap()),
            supervisor: supervisor.clone(),
        };
        let pool = Pool::start(config, Vec::new(), deps);
        Self {
            network,
            pool,
            links,
            supervisor,
        }
    }

    async fn until(&self, server: usize, holds: impl Fn(&ServerView) -> bool) -> ServerView {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let view = self.pool.servers().remove(server);
            if holds(&view) {
                return view;
            }
            assert!(Instant::now() < deadline, "{view:?}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    async fn ready(&self, server: usize) {
        self.until(server, |view| view.state == State::Ready).await;
    }

    async fn end(self) {
        self.supervisor.shutdown(Duration::from_secs(5)).await;
        self.network.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_half_open_link_is_given_up_within_the_silence_time_out_and_made_anew() {
    let silence = Duration::from_secs(3);
    let ground = Ground::new([Way::Passes, Way::Passes], silence).await;
    ground.ready(0).await;
    ground.ready(1).await;
    ground.links[1].set(Way::Swallows);
    let began = Instant::now();
    let view = ground
        .until(1, |view| view.cause == Some(Cause::NoAnswer))
        .await;
    let took = began.elapsed();
    println!("half open: given up after {took:?} of {silence:?}");
    assert!(took < silence, "{took:?}: {view:?}");
    assert!(!view.state.is_usable(), "{view:?}");
    assert!(ground.pool.servers()[0].state.is_usable());
    ground.links[1].set(Way::Shut);
    ground
        .until(1, |view| view.cause != Some(Cause::NoAnswer))
        .await;
    ground.links[1].set(Way::Passes);
    let _open = ground.network.close_ledger();
    ground.ready(1).await;
    ground.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_comes_late_takes_the_next_payment_because_it_got_the_earlier_ones() {
    let ground = Ground::new([Way::Passes, Way::Shut], Duration::from_secs(20)).await;
    ground.ready(0).await;
    // What one server takes the other does not hear of by itself.
    let apart = json!({ "server": 1, "kind": "partition" });
    ground.network.fault(&apart).unwrap();
    let sequence = {
        let at = ground.pool.tip().borrow().as_ref().unwrap().index;
        let root = ground.pool.account_root(key(1).account_id(), at).await;
        root.unwrap().root.unwrap().sequence
    };
    let blobs: Vec<(TxHash, Arc<[u8]>)> = (sequence..sequence + 6)
        .map(|sequence| {
            let tx = json!({"TransactionType": "Payment", "Account": key(1).account_id().to_string(),
                "Destination": key(2).account_id().to_string(), "Amount": "20000000", "Fee": "10", "Flags": 0,
                "Sequence": sequence});
            let signed = xrpayd_codec::sign(&tx, &key(1)).unwrap();
            (signed.hash, Arc::from(signed.blob))
        })
        .collect();
    let backlog = Backlog::default();
    let submit = async |range: std::ops::Range<usize>| {
        let batch = &blobs[range.clone()];
        for ((hash, blob), nth) in batch.iter().zip(range) {
            let sequence = sequence + u32::try_from(nth).unwrap();
            backlog.open(*hash, Slot::Sequence(sequence), blob);
        }
        ground
            .pool
            .submit_from(&backlog, backlog.mark(), batch, &MaySend::always())
            .await
    };
    let first = submit(0..3).await;
    for report in &first.reports {
        assert_eq!(report.answers.len(), 1, "{report:?}");
    }
    ground.links[1].set(Way::Passes);
    ground.ready(1).await;
    let second = submit(3..6).await;
    let by_late = |answers: &[(String, SubmitAnswer)]| {
        let late = answers.iter().find(|(name, _)| name == "s1");
        match &late.expect("it was given to the late server too").1 {
            SubmitAnswer::Engine { result, .. } => result.clone(),
            other => panic!("{other:?}"),
        }
    };
    for report in &second.reports {
        assert_eq!(by_late(&report.answers), "tesSUCCESS", "{second:?}");
    }
    let earlier: Vec<String> = second
        .predecessors
        .iter()
        .map(|report| by_late(&report.answers))
        .collect();
    assert_eq!(earlier, ["tesSUCCESS"; 3]);
    let third = submit(0..0).await;
    assert!(
        third.predecessors.is_empty(),
        "once a connection: {third:?}"
    );
    ground.end().await;
}
