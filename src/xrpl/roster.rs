//! Which servers the pool has, and how many of them must agree: what a new configuration may change
//! while the pool lives.
//!
//! A server whose row stays as it was keeps its connection and all that is known of it. One that is new
//! gets a connection; one that is gone is asked nothing more, answers what it was asked, and is then
//! left. Nobody waits for any of this.

use super::config::ServerConfig;
use super::connection;
use super::server::Server;
use super::shared::Shared;
use super::voters::{self, Told};
use std::sync::Arc;

/// What a configuration says of the servers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Members {
    /// The servers.
    pub servers: Vec<ServerConfig>,
    /// How many voices must agree before anything is final.
    pub quorum: usize,
    /// How many servers a transaction is given to at once.
    pub submit_to: usize,
}

/// What a new configuration changed.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Changed {
    /// Servers that are new, by name.
    pub added: Vec<String>,
    /// Servers that are gone, by name.
    pub removed: Vec<String>,
}

/// The servers at one moment.
#[derive(Debug)]
pub(super) struct Roster {
    pub servers: Vec<Arc<Server>>,
    pub quorum: usize,
    pub submit_to: usize,
    told: Told,
}

impl Roster {
    /// No servers.
    pub(super) const fn empty() -> Self {
        Self {
            servers: Vec::new(),
            quorum: 1,
            submit_to: 1,
            told: Told::ByServer,
        }
    }

    /// The voice that a server's word belongs to; `None` where it does not count.
    pub(super) fn voter(&self, server: &Server) -> Option<String> {
        self.told.voter(&server.config)
    }
}

/// Takes over what a configuration says of the servers.
pub(super) fn adopt(shared: &Arc<Shared>, members: Members) -> Changed {
    let before = shared.roster();
    let told = voters::told_apart(&members.servers, members.quorum);
    if told == Told::ByServer && members.quorum > 1 {
        tracing::warn!(
            quorum = members.quorum,
            "the servers are run by fewer operators than must agree: each server counts as a voice of its own"
        );
    }
    let (mut changed, mut fresh) = (Changed::default(), Vec::new());
    let servers: Vec<Arc<Server>> = members
        .servers
        .into_iter()
        .map(|config| {
            let same = before.servers.iter().find(|old| old.config == config);
            same.map(Arc::clone).unwrap_or_else(|| {
                changed.added.push(config.name.clone());
                let (server, calls) = shared.new_server(config);
                fresh.push((Arc::clone(&server), calls));
                server
            })
        })
        .collect();
    let now = Arc::new(Roster {
        servers,
        quorum: members.quorum.max(1),
        submit_to: members.submit_to,
        told,
    });
    let stays = |server: &Arc<Server>| now.servers.iter().any(|kept| Arc::ptr_eq(kept, server));
    let gone: Vec<Arc<Server>> = before
        .servers
        .iter()
        .filter(|server| !stays(server))
        .map(Arc::clone)
        .collect();
    shared.take_roster(Arc::clone(&now), &gone);
    for server in &gone {
        changed.removed.push(server.name().to_owned());
        server.leave();
    }
    for (server, calls) in fresh {
        let name = format!("xrpl:{}", server.name());
        let work = connection::run(Arc::clone(shared), server, calls);
        shared.deps.supervisor.spawn(name, work);
    }
    // What was refused by the old configuration may be right by the new one.
    let kept = before.servers.iter().filter(|server| stays(server));
    kept.for_each(|server| server.reconsider());
    changed
}
