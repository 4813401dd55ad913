//! The way back for a server that was proven wrong: it is asked again what it lied about, at growing
//! intervals, and is heard again once it tells the truth of that.
//!
//! Owns nothing; the case stands with the server's health. A server that cannot be asked stays where
//! it is.

use super::verdict::{self, Case};
use super::{history, root};
use crate::xrpl::server::Server;
use crate::xrpl::shared::Shared;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// The first wait, and the longest.
const WAIT_MIN: Duration = Duration::from_secs(1);
const WAIT_MAX: Duration = Duration::from_secs(600);
/// How often it is looked whose time has come.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Why a server is not heard, and when it is asked again.
#[derive(Debug, Clone)]
pub(in crate::xrpl) struct Quarantine {
    /// What it was proven wrong about.
    pub why: String,
    case: Arc<Case>,
    wait: Duration,
    until: Instant,
}

impl Quarantine {
    pub(super) fn new(why: String, case: Arc<Case>) -> Self {
        Self {
            why,
            case,
            wait: WAIT_MIN,
            until: Instant::now() + WAIT_MIN,
        }
    }
}

/// Looks after the servers that are not heard, for as long as the pool lives.
pub(in crate::xrpl) async fn run(shared: Arc<Shared>) {
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        let roster = shared.roster();
        let servers = roster.servers.iter();
        let due = servers.filter_map(|server| {
            let quarantine = server.health().quarantined.clone()?;
            (quarantine.until <= Instant::now()).then(|| (Arc::clone(server), quarantine))
        });
        for (server, quarantine) in due.collect::<Vec<_>>() {
            review(&shared, &server, quarantine).await;
        }
    }
}

async fn review(shared: &Shared, server: &Arc<Server>, quarantine: Quarantine) {
    let is_true = tells_the_truth(shared, server, &quarantine.case).await;
    {
        let mut health = server.health();
        let case = health.quarantined.as_ref().map(|present| &present.case);
        // It may have been proven wrong about something else meanwhile: this answer says nothing of
        // that.
        if !case.is_some_and(|case| Arc::ptr_eq(case, &quarantine.case)) {
            return;
        }
        let wait = (quarantine.wait * 2).min(WAIT_MAX);
        health.quarantined = (!is_true).then(|| Quarantine {
            wait,
            until: Instant::now() + wait,
            ..quarantine
        });
    }
    if is_true {
        shared.hear_again(server);
        tracing::warn!(
            server.name = server.name(),
            "the server tells the truth of what it was proven wrong about, and is heard again"
        );
    }
}

async fn tells_the_truth(shared: &Shared, server: &Arc<Server>, case: &Case) -> bool {
    match case {
        Case::History {
            subject,
            ledger,
            truth,
        } => {
            let told = history::read(
                shared,
                Arc::clone(server),
                subject,
                (*ledger, *ledger),
                history::ENTRIES_MAX,
            )
            .await;
            told.is_ok_and(|claim| verdict::same(&claim.of_ledger(*ledger), truth))
        }
        Case::Root { account, at, truth } => {
            let told = root::read(Arc::clone(server), *account, *at).await;
            told.is_ok_and(|claim| claim.root.as_ref() == Some(truth))
        }
    }
}
