//! Brings what the ledger says about what we sent to the desk: journal pages and submission answers.
//! Only the first end anything; what proves an absence is in [`super::ask`].

use super::engine::{Engine, StepResult, Stop};
use super::submit::Report;
use xrpayd_core::engine::PageRefused;
use xrpayd_core::ids::TxHash;
use xrpayd_core::journal::Page;
use xrpayd_core::payment::Answer;

impl Engine<'_> {
    /// Takes a page, and shows what it leaves open past its last ledger.
    pub(super) async fn take_page(&mut self, page: Page) -> StepResult {
        let now = self.deps.clock.now();
        let newest = self.deps.pool.tip().borrow().as_ref().map(|tip| tip.index);
        match self.desk.take_page(&page, newest, &self.settings.desk, now) {
            Ok(step) => self.carry_out(step).await?,
            Err(refused @ PageRefused::OutOfTurn(_)) => {
                tracing::warn!(wallet.name = self.deps.wallet.name, %refused, "the page is read again");
                return Err(Stop::reload());
            }
            Err(refused @ PageRefused::Untrue(_)) => {
                return self.stop_over_page(&refused.to_string()).await;
            }
        }
        let overdue = self.desk.overdue(now);
        self.carry_out(overdue).await
    }

    /// Stops the wallet over a page that cannot be true: the cursor stays before it, and it is read
    /// again, perhaps from better servers.
    async fn stop_over_page(&mut self, reason: &str) -> StepResult {
        let wallet = &self.deps.wallet.name;
        tracing::error!(wallet.name = wallet, reason, "the wallet stops signing");
        let now = self.deps.clock.now();
        self.deps
            .store
            .halt_held(self.deps.hold.tenure(), reason, now)
            .await?;
        Err(Stop::reload())
    }

    /// Takes the answers of submissions.
    pub(super) async fn take_answers(&mut self, reports: Vec<Report>) -> StepResult {
        let answers: Vec<(TxHash, Answer)> = reports
            .into_iter()
            .map(|report| (report.hash, report.answer))
            .collect();
        let (tick, now) = (self.tick(), self.deps.clock.now());
        let step = self.desk.take_answers(&answers, tick, now);
        self.carry_out(step).await
    }
}
