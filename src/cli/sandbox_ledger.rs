//! `xrpayd sandbox-ledger`: only the model ledger, spoken to like rippled over websocket.

use super::args::{OutputArgs, some_duration};
use super::failure::Failure;
use clap::Args;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;
use xrpayd_core::address::AccountId;
use xrpayd_core::money::Drops;

/// Run only the model ledger. Every address is a server of the same network.
#[derive(Debug, Args)]
pub(super) struct SandboxLedger {
    /// Where its servers listen; port 0 takes a free one.
    #[arg(long, value_name = "ADDR", required = true, value_delimiter = ',')]
    listen: Vec<SocketAddr>,
    /// Further addresses of the first server, whose clients are strangers and not its administrators.
    #[arg(long, value_name = "ADDR", value_delimiter = ',')]
    listen_public: Vec<SocketAddr>,
    /// How often ledgers close, as 1s or 200ms; `manual` closes only on `ledger_accept`.
    #[arg(long, value_name = "DURATION|manual", default_value = "1s", value_parser = interval)]
    close_interval: Interval,
    /// Seeds everything that is random.
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// The network's identifier.
    #[arg(long, value_name = "N", default_value_t = 0)]
    network_id: u32,
    /// Transactions in an open ledger before the fee escalates. Without it the fee never does.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    ledger_capacity: Option<u32>,
    /// How many ledgers of history the servers keep, which bounds their memory. Without it they keep all.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    retain_ledgers: Option<u32>,
    /// The file that makes the ledger survive a restart. Without it nothing is kept.
    #[arg(long, value_name = "FILE")]
    state: Option<PathBuf>,
    /// An account of a fresh ledger and its XRP; may be given several times.
    #[arg(long, value_name = "ADDRESS=XRP", value_parser = funding)]
    fund: Vec<(AccountId, Drops)>,
    #[command(flatten)]
    output: OutputArgs,
}

/// When ledgers close.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Interval {
    Every(Duration),
    Manual,
}

fn interval(text: &str) -> Result<Interval, String> {
    match text {
        "manual" => Ok(Interval::Manual),
        text => some_duration(text).map(Interval::Every),
    }
}

fn funding(text: &str) -> Result<(AccountId, Drops), String> {
    let (address, xrp) = text
        .split_once('=')
        .ok_or("must be ADDRESS=XRP, as rHb9CJAWyB4rj91VRWn96DkukG4bwdtyTh=100")?;
    let address = address
        .parse()
        .map_err(|error| format!("the address {error}"))?;
    let xrp = Drops::from_xrp(xrp).map_err(|error| format!("the amount {error}"))?;
    Ok((address, xrp))
}

#[cfg(not(feature = "sandbox"))]
impl SandboxLedger {
    /// Says that it cannot.
    pub(super) async fn run(self) -> Result<(), Failure> {
        Err(super::sandbox::not_built_in())
    }
}

#[cfg(feature = "sandbox")]
impl SandboxLedger {
    /// Runs until a signal.
    pub(super) async fn run(self) -> Result<(), Failure> {
        use serde_json::json;
        use xrpayd_sandbox::{CloseInterval, Network, NetworkConfig};

        // The signals are listened to before anything is told, so that none is missed.
        let ended = asked_to_end()?;
        let network = Network::start(NetworkConfig {
            listen: self.listen,
            listen_public: self.listen_public,
            close_interval: match self.close_interval {
                Interval::Every(interval) => CloseInterval::Every(interval),
                Interval::Manual => CloseInterval::Manual,
            },
            seed: self.seed,
            network_id: self.network_id,
            ledger_capacity: self.ledger_capacity,
            retain_ledgers: self.retain_ledgers,
            state: self.state,
            fund: self.fund,
        })
        .await
        .map_err(|error| Failure::because("The model ledger cannot start.", error))?;
        let (servers, public) = (urls(network.addresses()), urls(network.public_addresses()));
        let lines: Vec<&str> = servers.iter().chain(&public).map(String::as_str).collect();
        let mut places = json!({ "ledger": servers });
        if !public.is_empty() {
            places["public"] = json!(public);
        }
        let told = self.output.print(&lines.join("\n"), &places);
        if told.is_ok() {
            ended.await;
        }
        network.stop().await;
        told
    }
}

/// Where clients find what listens there.
#[cfg(feature = "sandbox")]
fn urls(addresses: &[SocketAddr]) -> Vec<String> {
    addresses
        .iter()
        .map(|address| format!("ws://{address}"))
        .collect()
}

/// Waits for SIGINT or SIGTERM, from the moment of this call on.
#[cfg(feature = "sandbox")]
fn asked_to_end() -> Result<impl Future<Output = ()>, Failure> {
    use tokio::signal::unix::{SignalKind, signal};
    let deaf = |error| Failure::because("The process's signals cannot be listened to.", error);
    let mut interrupt = signal(SignalKind::interrupt()).map_err(deaf)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(deaf)?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_account_begins_with_is_read_strictly() {
        let (account, drops) = funding("rHb9CJAWyB4rj91VRWn96DkukG4bwdtyTh=12.5").unwrap();
        assert_eq!(account.to_string(), "rHb9CJAWyB4rj91VRWn96DkukG4bwdtyTh");
        assert_eq!(drops.get(), 12_500_000);
        for bad in [
            "",
            "r=1",
            "rHb9CJAWyB4rj91VRWn96DkukG4bwdtyTh",
            "rHb9CJAWyB4rj91VRWn96DkukG4bwdtyTh=1e3",
        ] {
            assert!(funding(bad).is_err(), "{bad}");
        }
        assert_eq!(interval("manual"), Ok(Interval::Manual));
        assert_eq!(
            interval("200ms"),
            Ok(Interval::Every(Duration::from_millis(200)))
        );
        assert!(interval("0s").is_err() && interval("soon").is_err());
    }
}
