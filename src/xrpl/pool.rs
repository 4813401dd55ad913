//! The pool: several servers, one face.

use super::account_setup::AgreedSetup;
use super::backlog::{Backlog, Mark};
use super::config::{Deps, PoolConfig};
use super::dispute::Dispute;
use super::error::{HistoryError, RequestError};
use super::history::{AgreedHistory, AgreedLeave, AgreedRoot, AgreedTickets, Root};
use super::proto;
use super::proto::fee::Fee;
use super::quorum;
use super::roster::{self, Changed, Members};
use super::route;
use super::server::{Command, Server};
use super::shared::Shared;
use super::simulate::{self, Simulation};
use super::submit::{self, MaySend, Submission, SubmitReport, Work};
use super::subscribe::Subscription;
use super::tip::Tip;
use super::transport::{Transport, WebSocket};
use super::view::{ServerView, shown_url};
use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, MissedTickBehavior};
use xrpayd_core::address::AccountId;
use xrpayd_core::ids::{LedgerIndex, TxHash};
use xrpayd_core::money::Drops;

/// How often the gauges are brought up to date.
const MEASURE_EVERY: Duration = Duration::from_secs(1);
/// Servers that are asked for the fee: enough for a median that one of them cannot move.
const FEE_SAMPLE: usize = 3;
/// Streams that must tell the fee, where so many servers are fit, before none is asked.
const FEE_TELLERS_MIN: usize = 2;

/// What a transaction costs, by the median of the servers that were asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FeeQuote {
    /// The base fee.
    pub base: Drops,
    /// What gets a transaction into the open ledger now.
    pub open_ledger: Drops,
    /// What gets it into the queue.
    pub minimum: Drops,
}

/// Redundant connections to servers of one network. Cheap to clone.
#[derive(Clone)]
pub struct Pool {
    shared: Arc<Shared>,
    /// The servers of the last submission.
    last_submitters: Arc<Mutex<Vec<usize>>>,
    /// An answer has said that the fee is not what it was held for.
    fee_doubted: Arc<AtomicBool>,
}

impl Pool {
    /// Starts connecting to every server at once, and returns before any connection stands.
    #[must_use]
    pub fn start(config: PoolConfig, accounts: Vec<AccountId>, deps: Deps) -> Self {
        let transport = WebSocket::new(config.roots.clone());
        Self::start_on(Arc::new(transport), config, &accounts, deps)
    }

    /// A pool that has no server, for tests of those who use one.
    #[cfg(test)]
    pub(crate) fn without_servers(
        clock: Arc<dyn crate::clock::Clock>,
        supervisor: crate::supervise::Supervisor,
    ) -> Self {
        let deps = Deps {
            clock,
            entropy: Arc::new(crate::clock::SeededEntropy::new(1)),
            metrics: Arc::new(crate::telemetry::metrics::Metrics::new().unwrap()),
            supervisor,
        };
        Self::start(PoolConfig::default(), Vec::new(), deps)
    }

    /// As [`start`](Self::start), over another transport.
    #[must_use]
    pub fn start_on(
        transport: Arc<dyn Transport>,
        config: PoolConfig,
        accounts: &[AccountId],
        deps: Deps,
    ) -> Self {
        let supervisor = deps.supervisor.clone();
        let members = Members {
            servers: config.servers.clone(),
            quorum: config.quorum,
            submit_to: config.submit_to,
        };
        let subscription = Subscription::new(accounts, config.account_streams);
        let shared = Arc::new(Shared::new(config, deps, transport, subscription));
        roster::adopt(&shared, members);
        supervisor.spawn("xrpl:gauges", measure(Arc::clone(&shared)));
        supervisor.spawn("xrpl:parole", quorum::parole::run(Arc::clone(&shared)));
        Self {
            shared,
            last_submitters: Arc::default(),
            fee_doubted: Arc::default(),
        }
    }

    /// The newest validated ledger that enough servers agree on.
    #[must_use]
    pub fn tip(&self) -> watch::Receiver<Option<Tip>> {
        self.shared.watch_tip()
    }

    /// Notified when a stream shows a transaction of one of our accounts, or a server became ready.
    /// A hint only: what it says is found by looking at the level.
    #[must_use]
    pub fn hint(&self) -> Arc<Notify> {
        Arc::clone(&self.shared.hint)
    }

    /// Every server, in the order of the configuration.
    #[must_use]
    pub fn servers(&self) -> Vec<ServerView> {
        let (tip, now) = (self.shared.tip_index(), Instant::now());
        let roster = self.shared.roster();
        roster
            .servers
            .iter()
            .map(|server| view(server, tip, now))
            .collect()
    }

    /// How many voices must agree.
    #[must_use]
    pub fn quorum(&self) -> usize {
        self.shared.quorum()
    }

    /// What servers have said against each other, the newest last; a bounded number.
    #[must_use]
    pub fn disputes(&self) -> Vec<Dispute> {
        self.shared.disputes()
    }

    /// Submits `blobs`, in the order given, to the fittest servers at once. One report a blob, in the
    /// same order. Lost answers are no errors: they are [`SubmitAnswer::Unknown`](super::SubmitAnswer).
    pub async fn submit(&self, blobs: &[(TxHash, Arc<[u8]>)]) -> Vec<SubmitReport> {
        let alone = Backlog::default();
        self.submit_from(&alone, Mark::default(), blobs, &MaySend::always())
            .await
            .reports
    }

    /// As [`submit`](Self::submit), for a wallet with other attempts open: each server is first
    /// given those up to `mark` that it was not given on its present connection, in the order of
    /// the sequences.
    pub async fn submit_from(
        &self,
        backlog: &Backlog,
        mark: Mark,
        blobs: &[(TxHash, Arc<[u8]>)],
        may: &MaySend,
    ) -> Submission {
        let count = self.shared.roster().submit_to;
        let servers = {
            let found = route::candidates(&self.shared);
            let mut last = self
                .last_submitters
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            let servers = route::submitters(found, &last);
            last.clear();
            last.extend(servers.iter().take(count).map(|server| server.index));
            servers
        };
        let work = Work {
            backlog,
            mark,
            blobs,
            may,
        };
        submit::submit(&self.shared, servers, count, work).await
    }

    /// Takes over what a new configuration says of the servers: those that are new are connected to,
    /// those that are gone finish what they were asked, and those that were refused are tried again.
    pub fn adopt(&self, members: Members) -> Changed {
        roster::adopt(&self.shared, members)
    }

    /// Counts up whenever a server becomes ready: it may lack what the others have.
    #[must_use]
    pub fn arrivals(&self) -> watch::Receiver<u64> {
        self.shared.watch_arrivals()
    }

    /// The account's validated transactions from `from` to at most `to`, agreed by the quorum. It
    /// ends earlier where not enough servers hold all of it, or where it would be very long.
    ///
    /// # Errors
    /// Says why there is no agreement.
    pub async fn history(
        &self,
        account: AccountId,
        from: LedgerIndex,
        to: LedgerIndex,
    ) -> Result<AgreedHistory, HistoryError> {
        quorum::history(&self.shared, account, (from, to), quorum::ENTRIES_MAX).await
    }

    /// The same with at most `most` transactions, or those of one ledger where it holds more.
    ///
    /// # Errors
    /// Says why there is no agreement.
    pub async fn history_of(
        &self,
        account: AccountId,
        range: (LedgerIndex, LedgerIndex),
        most: usize,
    ) -> Result<AgreedHistory, HistoryError> {
        quorum::history(&self.shared, account, range, most).await
    }

    /// The oldest ledger from which a quorum of voices holds every one up to its newest.
    #[must_use]
    pub fn lowest_held(&self) -> Option<LedgerIndex> {
        route::lowest_of_quorum(&self.shared)
    }

    /// The account root at exactly the validated ledger `at`, agreed by the quorum.
    ///
    /// # Errors
    /// Says why there is no agreement.
    pub async fn account_root(
        &self,
        account: AccountId,
        at: LedgerIndex,
    ) -> Result<AgreedRoot, HistoryError> {
        quorum::account_root(&self.shared, account, at).await
    }

    /// How the account is set up at exactly the validated ledger `at`: its flags, its regular key and who
    /// signs for it, agreed by the quorum.
    ///
    /// # Errors
    /// Says why there is no agreement.
    pub async fn account_setup(
        &self,
        account: AccountId,
        at: LedgerIndex,
    ) -> Result<AgreedSetup, HistoryError> {
        quorum::account_setup(&self.shared, account, at).await
    }

    /// The account root at exactly the validated ledger `at` by the word of one server, which nobody else
    /// has to bear out: enough where nothing final follows from it.
    ///
    /// # Errors
    /// No server that is fit and within its budget told it.
    pub async fn glance(
        &self,
        account: AccountId,
        at: LedgerIndex,
    ) -> Result<Option<Root>, RequestError> {
        quorum::glance(&self.shared, account, at).await
    }

    /// The account's tickets that stand at exactly the validated ledger `at`, agreed by the quorum.
    ///
    /// # Errors
    /// Says why there is no agreement.
    pub async fn tickets(
        &self,
        account: AccountId,
        at: LedgerIndex,
    ) -> Result<AgreedTickets, HistoryError> {
        quorum::tickets(&self.shared, account, at).await
    }

    /// Whether `source` may pay `destination`, which takes payments only from those it authorised, at
    /// exactly the validated ledger `at`, agreed by the quorum.
    ///
    /// # Errors
    /// Says why there is no agreement.
    pub async fn deposit_authorized(
        &self,
        source: AccountId,
        destination: AccountId,
        at: LedgerIndex,
    ) -> Result<AgreedLeave, HistoryError> {
        quorum::deposit_authorized(&self.shared, source, destination, at).await
    }

    /// What one server that offers it thinks would come of `tx`, unsigned and in the ledger's JSON. A
    /// hint, and nothing more.
    ///
    /// # Errors
    /// No server that is fit offers it, or none answered.
    pub async fn simulate(&self, tx: &serde_json::Value) -> Result<Simulation, RequestError> {
        simulate::simulate(&self.shared, tx).await
    }

    /// What a transaction costs now: as the servers' streams tell it, which costs no request, or, where
    /// none does or an answer has put it in doubt, as they say when asked.
    ///
    /// # Errors
    /// No server answered.
    pub async fn fee(&self) -> Result<FeeQuote, RequestError> {
        let is_doubted = self.fee_doubted.swap(false, Ordering::Relaxed);
        let Some(told) = self.told_fee() else {
            return self.asked_fee().await;
        };
        if !is_doubted {
            return Ok(told);
        }
        // What a server asks for its own load stands in its stream alone.
        Ok(self.asked_fee().await.map_or(told, |asked| FeeQuote {
            base: asked.base,
            open_ledger: asked.open_ledger.max(told.minimum),
            minimum: asked.minimum.max(told.minimum),
        }))
    }

    /// A server has just said that a fee is too low: the next one is asked for.
    pub fn doubt_fee(&self) {
        self.fee_doubted.store(true, Ordering::Relaxed);
    }

    /// The fee by the streams of the servers that are fit; `None` where others are fit too and only
    /// one tells it: not every make of server does, and none sets the fee alone.
    fn told_fee(&self) -> Option<FeeQuote> {
        let base = self.shared.watch_tip().borrow().as_ref()?.base_fee;
        let found = route::candidates(&self.shared);
        let fit = || found.iter().filter(|candidate| candidate.is_ready());
        let quotes: Vec<FeeQuote> = fit()
            .filter_map(|candidate| {
                let (open_ledger, minimum) = candidate.server.health().load?.fees(base)?;
                Some(FeeQuote {
                    base,
                    open_ledger,
                    minimum,
                })
            })
            .collect();
        if quotes.len() < fit().count().min(FEE_TELLERS_MIN) {
            return None;
        }
        median_quote(&quotes)
    }

    async fn asked_fee(&self) -> Result<FeeQuote, RequestError> {
        let mut found = route::candidates(&self.shared);
        found.truncate(FEE_SAMPLE);
        let mut asking: FuturesUnordered<_> = found
            .iter()
            .map(|candidate| ask_fee(&candidate.server))
            .collect();
        let mut quotes = Vec::with_capacity(FEE_SAMPLE);
        let mut last_error = RequestError::NoServer;
        // One answer is enough, and the others are waited for only a moment: a frozen server must
        // not hold up every signature.
        let mut until = Instant::now() + self.shared.config.request_timeout * 2;
        while let Ok(Some(answer)) = tokio::time::timeout_at(until, asking.next()).await {
            match answer {
                Ok(quote) => {
                    quotes.push(quote);
                    until = until.min(Instant::now() + self.shared.config.hedge_after);
                }
                Err(error) => last_error = error,
            }
        }
        drop(asking);
        median_quote(&quotes).ok_or(last_error)
    }
}

/// The median of each amount, so that one server alone moves none.
fn median_quote(quotes: &[FeeQuote]) -> Option<FeeQuote> {
    let median = |field: fn(&FeeQuote) -> Drops| {
        let mut values: Vec<Drops> = quotes.iter().map(field).collect();
        values.sort_unstable();
        values.get(values.len() / 2).copied()
    };
    Some(FeeQuote {
        base: median(|quote| quote.base)?,
        open_ledger: median(|quote| quote.open_ledger)?,
        minimum: median(|quote| quote.minimum)?,
    })
}

async fn ask_fee(server: &Server) -> Result<FeeQuote, RequestError> {
    let frame = server.ask_ok(Command::Fee, "").await?;
    let fee: Fee = proto::result(&frame).map_err(|error| server.malformed(Command::Fee, error))?;
    Ok(FeeQuote {
        base: fee.drops.base_fee,
        open_ledger: fee.drops.open_ledger_fee,
        minimum: fee.drops.minimum_fee,
    })
}

fn view(server: &Server, tip: Option<LedgerIndex>, now: Instant) -> ServerView {
    let health = server.health();
    let (state, cause) = health.standing(tip, now);
    ServerView {
        name: server.config.name.clone(),
        url: shown_url(&server.config.url),
        operator: server.config.operator.clone(),
        state,
        cause,
        since: health.since,
        validated_ledger: health.validated,
        lag: health.lag(tip),
        latency: health.latency.mean(),
        latency_p95: health.latency.p95(),
        load_factor: health.load_factor,
        errors_per_mille: health.errors_per_mille,
        budget_per_second: health.budget.rate(),
        complete_ledgers: health.complete.to_string(),
        network_id: health.network_id,
        build_version: health.build_version.clone(),
        last_error: health.trouble(),
        score: health.score(tip, now),
        connected_since: health.connected_since,
    }
}

async fn measure(shared: Arc<Shared>) {
    let mut ticks = tokio::time::interval(MEASURE_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        shared.measure();
    }
}
