//! From the queue to the ledger's door: reads the queue, has the key sign what the desk plans, carries
//! it out.

use super::carry::Carried;
use super::engine::{Engine, StepResult, Stop};
use crate::telemetry::traces;
use crate::wallet::{SignError, Wallet};
use std::sync::Arc;
use xrpayd_core::engine::{Conditions, Job, Plan, SignedTx, Task};

/// Commits in one pass at most, so that pages and answers do not wait behind a long queue.
const SCANS_MAX: usize = 8;
/// Payments expired in one commit at most.
const EXPIRE_BATCH_MAX: u32 = 256;

impl Engine<'_> {
    /// Ends payments whose time has run out while they are queued or wait for an approval.
    pub(super) async fn expire_queued(&mut self) -> StepResult {
        if !self.past_is_read() {
            return Ok(());
        }
        let (deps, now) = (self.deps, self.deps.clock.now());
        let name = &deps.wallet.name;
        loop {
            let due = deps.store.past_expiry(name, now, EXPIRE_BATCH_MAX).await?;
            let known = self.known_to_the_ledger(&due).await?;
            let step = self.desk.expire(&due, &known, now);
            let is_last = step.is_empty();
            self.carry_out(step).await?;
            if is_last {
                return Ok(());
            }
        }
    }

    /// Signs as many queued payments as the lane has room for; whether the queue may hold more that could be
    /// signed now.
    pub(super) async fn sign_queued(&mut self) -> Result<bool, Stop> {
        if !self.past_is_read() {
            self.look_ahead().await?;
        }
        let mut may_be_more = true;
        for _ in 0..SCANS_MAX {
            may_be_more = self.past_is_read() && self.sign_some().await?;
            if !may_be_more {
                break;
            }
        }
        self.lookout.forget();
        if may_be_more {
            // The rest has its turn right after what waits now.
            self.deps.wake.notify_one();
        }
        Ok(may_be_more)
    }

    /// Has the accounts that come first looked at while the journal is still read.
    async fn look_ahead(&mut self) -> StepResult {
        if !self.lookout.may_look_ahead() {
            return Ok(());
        }
        let Some(scan) = self.desk.scan_ahead() else {
            return Ok(());
        };
        let (store, name) = (&self.deps.store, self.deps.wallet.name.as_str());
        let first = store.queued(name, scan.after, scan.limit).await?;
        self.lookout.look_ahead(&first);
        Ok(())
    }

    /// One commit's worth; `true` when there may be more.
    async fn sign_some(&mut self) -> Result<bool, Stop> {
        let (deps, mut rules) = (self.deps, self.settings.desk);
        let Some(at) = self.conditions() else {
            return Ok(false);
        };
        let room = self
            .desk
            .lane()
            .open_len()
            .saturating_add(self.signs_at_most);
        rules.max_in_flight = rules.max_in_flight.min(room);
        let Some(scan) = self.desk.next_scan(&at, &rules) else {
            return Ok(false);
        };
        self.lookout.heed_what_came_ahead();
        let name = deps.wallet.name.as_str();
        let queued = deps.store.queued(name, scan.after, scan.limit).await?;
        let known = self.known_to_the_ledger(&queued).await?;
        let now = deps.clock.now();
        let lookout = &mut self.lookout;
        let plan = self
            .desk
            .plan_signing(queued, &known, &at, &rules, now, &mut |payment| {
                lookout.look(payment)
            });
        let (may_be_more, jobs) = (plan.may_be_more(), plan.jobs().len());
        match self.try_to_sign(plan).await? {
            Carried::Out => {
                let was = std::mem::replace(&mut self.signs_at_most, usize::MAX);
                Ok(was < usize::MAX || may_be_more)
            }
            Carried::Outrun => {
                tracing::debug!(
                    wallet.name = name,
                    "payments were changed while they were signed: the queue is read again"
                );
                // The fewer are signed at once, the less can somebody change meanwhile.
                self.signs_at_most = (jobs / 2).max(1);
                Ok(true)
            }
        }
    }

    /// Puts dearer attempts in the place of those that wait under a higher price.
    pub(super) async fn raise_fees(&mut self) -> StepResult {
        let (rules, now) = (self.settings.desk, self.deps.clock.now());
        let Some(at) = self.conditions() else {
            return Ok(());
        };
        match self.desk.plan_replacements(&at, &rules, now) {
            Some(plan) => self.sign_and_carry_out(plan).await,
            None => Ok(()),
        }
    }

    /// Fills with no-ops the sequences that something waits behind.
    pub(super) async fn plug_holes(&mut self) -> StepResult {
        let rules = self.settings.desk;
        let Some(at) = self.conditions() else {
            return Ok(());
        };
        match self.desk.plan_plugs(&at, &rules) {
            Some(plan) => self.sign_and_carry_out(plan).await,
            None => Ok(()),
        }
    }

    /// What the ledger looks like now; `None` while it cannot be seen.
    pub(super) fn conditions(&self) -> Option<Conditions> {
        let tip = self.deps.pool.tip();
        let tip = tip.borrow().as_ref().map(|tip| tip.index)?;
        Some(Conditions {
            tip,
            quote: (*self.fees.borrow())?,
            reserve: self.reserve()?,
        })
    }

    /// Has the plan signed off the async threads, since a batch is thousands of curve operations.
    pub(super) async fn sign_and_carry_out(&mut self, plan: Plan) -> StepResult {
        self.try_to_sign(plan).await?.or_reload()
    }

    /// The same for whoever can plan anew without reading everything.
    async fn try_to_sign(&mut self, plan: Plan) -> Result<Carried, Stop> {
        if !self.deps.hold.lasts() {
            return Err(Stop::lease_lost());
        }
        let began = self.deps.clock.monotonic();
        let jobs = plan.jobs();
        let signed = if jobs.is_empty() {
            Ok(Vec::new())
        } else {
            let wallet = Arc::clone(&self.deps.wallet);
            match tokio::task::spawn_blocking(move || sign_all(&wallet, &jobs)).await {
                Ok(signed) => signed.map_err(|error| error.to_string()),
                Err(broken) => Err(broken.to_string()),
            }
        };
        let step = self.desk.seal(plan, signed, self.deps.clock.now());
        let signatures = traces::payment::signatures(&step.commit().changes);
        let carried = self.try_to_carry_out(step).await?;
        if let Carried::Out = carried {
            let took = self.deps.clock.monotonic().saturating_sub(began);
            traces::payment::signed(&signatures, took);
        }
        Ok(carried)
    }
}

fn sign_all(wallet: &Wallet, jobs: &[Job]) -> Result<Vec<SignedTx>, SignError> {
    jobs.iter()
        .map(|job| match &job.task {
            Task::Pay(payment) => wallet.sign_payment(&payment.client, &payment.order, job.terms),
            Task::Plug => wallet.sign_plug(job.terms),
            Task::MakeTickets(making) => wallet.sign_ticket_create(making.count, job.terms),
        })
        .collect()
}
