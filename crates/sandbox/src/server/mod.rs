//! The servers: sockets, frames, methods and streams, and the public handle of a running network.
//!
//! Owns the listeners and every task. Stopping aborts the tasks; the ledger needs no goodbye, since
//! each close was written to the log before anyone heard of it.

mod absent;
mod account;
mod admin;
mod arrivals;
mod book_changes;
mod books;
mod channel;
mod clio;
mod connection;
mod definitions;
mod deposit;
mod desk;
mod dispatch;
mod door;
mod entry;
mod errors;
mod features;
mod frame;
mod gateway;
mod history;
mod http;
mod info;
mod jsonrpc;
mod ledger_added;
mod ledger_data;
mod ledger_methods;
mod legacy;
mod limits;
mod lines;
mod misc;
mod objects;
mod offers;
mod path_find;
pub(crate) mod path_request;
mod prepare;
pub(crate) mod render;
mod sandbox;
mod secrets;
mod select;
mod shared;
mod signing;
mod simulate;
mod streams;
mod submit;
mod subscribe;
mod transaction;
mod tx_json;
mod wallet;

use crate::config::{CloseInterval, NetworkConfig, StartError};
use crate::faults::FaultError;
use crate::network::Net;
use crate::tasks::Tasks;
use serde_json::Value;
use shared::Shared;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::time::MissedTickBehavior;
use xrpayd_core::address::AccountId;
use xrpayd_core::money::Drops;

/// A running model network. Dropping it stops it; [`Network::stop`] also waits until it has.
#[derive(Debug)]
pub struct Network {
    shared: Arc<Shared>,
    tasks: Arc<Tasks>,
    public_addresses: Vec<SocketAddr>,
}

async fn bind(address: SocketAddr) -> Result<(TcpListener, SocketAddr), StartError> {
    let refused = |source| StartError::Bind { address, source };
    let listener = TcpListener::bind(address).await.map_err(refused)?;
    let bound = listener.local_addr().map_err(refused)?;
    Ok((listener, bound))
}

impl Network {
    /// Binds every address, reads or begins the ledger, and serves at once.
    ///
    /// # Errors
    /// When an address is taken, the state file is not usable, or an account cannot be funded.
    pub async fn start(config: NetworkConfig) -> Result<Self, StartError> {
        if config.listen.is_empty() {
            return Err(StartError::NoAddress);
        }
        let mut listeners = Vec::new();
        let (mut addresses, mut public_addresses) = (Vec::new(), Vec::new());
        for (server, &address) in config.listen.iter().enumerate() {
            let (listener, bound) = bind(address).await?;
            listeners.push((listener, server, connection::Role::Admin));
            addresses.push(bound);
        }
        for &address in &config.listen_public {
            let (listener, bound) = bind(address).await?;
            listeners.push((listener, 0, connection::Role::User));
            public_addresses.push(bound);
        }
        let (senders, receivers): (Vec<_>, Vec<_>) =
            addresses.iter().map(|_| mpsc::unbounded_channel()).unzip();
        let net = Net::start(&config, senders)?;
        let shared = Arc::new(Shared::new(
            net,
            addresses,
            config.close_interval,
            config.seed,
        ));
        let tasks = Arc::new(Tasks::default());
        for (server, events) in receivers.into_iter().enumerate() {
            tasks.start(streams::publish(Arc::clone(&shared), server, events));
            tasks.start(door::reopen_in_time(Arc::clone(&shared), server));
        }
        for (listener, server, role) in listeners {
            let accept = door::accept(
                listener,
                Arc::clone(&shared),
                server,
                role,
                Arc::downgrade(&tasks),
            );
            tasks.start(accept);
        }
        if let CloseInterval::Every(interval) = config.close_interval {
            tasks.start(close_by_the_clock(Arc::clone(&shared), interval));
        }
        Ok(Self {
            shared,
            tasks,
            public_addresses,
        })
    }

    /// The addresses of the servers, as bound.
    #[must_use]
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.shared.addresses
    }

    /// The addresses whose clients are not administrators, as bound.
    #[must_use]
    pub fn public_addresses(&self) -> &[SocketAddr] {
        &self.public_addresses
    }

    /// Closes every connection and stops. Everything validated is already in the state file.
    pub async fn stop(self) {
        self.tasks.stop().await;
    }

    /// Closes a ledger and returns the index of the new open one.
    #[must_use = "the index tells which ledger is open now"]
    pub fn close_ledger(&self) -> u32 {
        self.shared.net().close(None)
    }

    /// As [`Network::close_ledger`], after `advance_s` seconds of the ledger's own time.
    #[must_use = "the index tells which ledger is open now"]
    pub fn close_ledger_after(&self, advance_s: u32) -> u32 {
        self.shared.net().close(Some(advance_s.max(1)))
    }

    /// Pays an account out of the genesis account; validated with the next close. Returns whether the
    /// payment entered the open ledger.
    #[must_use = "an amount below the reserve does not make an account"]
    pub fn fund(&self, account: AccountId, drops: Drops) -> bool {
        self.shared.net().fund(account, drops).0.is_success()
    }

    /// What really happened: every validated transaction by account, balances, and the newest ledger.
    #[must_use]
    pub fn truth(&self) -> Value {
        let everything = crate::auditor::Question::default();
        let evidence = crate::auditor::collect(&self.shared.net().main, everything);
        evidence.render()
    }

    /// Inflicts a fault, as the method `sandbox_fault` does; without `server` on the first.
    ///
    /// # Errors
    /// When the kind, the server or a parameter is not known.
    pub fn fault(&self, request: &Value) -> Result<(), FaultError> {
        sandbox::fault(&self.shared, 0, request)
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        self.tasks.abort();
    }
}

async fn close_by_the_clock(shared: Arc<Shared>, interval: Duration) {
    let first = tokio::time::Instant::now() + interval;
    let mut ticks = tokio::time::interval_at(first, interval.max(Duration::from_millis(1)));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        shared.net().close(None);
    }
}
