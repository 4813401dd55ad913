//! Shows a pause at what it keeps waiting: marks what is queued, and takes the mark back afterwards.
//!
//! Level-triggered: whatever is queued without the mark while the wallet is paused gets it, however it
//! came into the queue, by an approval or because its attempt was proven dead. Nothing is decided by
//! the mark; what keeps a payment from being signed is the pause itself.

use super::engine::{Engine, StepResult};
use xrpayd_core::pause::Signing;
use xrpayd_core::payment::Substatus;

/// What a queued payment shows that is to be marked.
const UNMARKED: [Substatus; 3] = [Substatus::Queued, Substatus::LowBalance, Substatus::FeeHold];
/// What it shows once it is.
const MARKED: [Substatus; 1] = [Substatus::Paused];
/// Payments marked in one commit at most.
const MARK_BATCH_MAX: u32 = 512;
/// Commits in one pass at most, so that pages and answers do not wait behind a long queue.
const BATCHES_MAX: usize = 8;

impl Engine<'_> {
    /// Marks the queue as paused, or takes the mark from it.
    pub(super) async fn mark_paused(&mut self) -> StepResult {
        for _ in 0..BATCHES_MAX {
            let (store, now) = (&self.deps.store, self.deps.clock.now());
            let wallet = self.deps.wallet.name.as_str();
            let step = match self.desk.signing() {
                Signing::Paused => {
                    let queued = store.queued_as(wallet, &UNMARKED, MARK_BATCH_MAX).await?;
                    self.desk.hold_paused(&queued, now)
                }
                Signing::Open if self.desk.wants_release() => {
                    let queued = store.queued_as(wallet, &MARKED, MARK_BATCH_MAX).await?;
                    self.desk.release_paused(&queued, now)
                }
                Signing::Open => return Ok(()),
            };
            let is_last = step.is_empty();
            self.carry_out(step).await?;
            if is_last {
                return Ok(());
            }
        }
        // The rest has its turn right after what waits now.
        self.deps.wake.notify_one();
        Ok(())
    }
}
