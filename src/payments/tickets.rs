//! Has tickets made: those that an operator asked for, and those that the low-water mark asks for.
//!
//! A request is looked for now and then and with every life of the engine; it stays open in the store
//! until the journal has settled it, so a crash anywhere only means that it is looked for again.

use super::engine::{Engine, StepResult};
use xrpayd_core::engine::{TicketPlan, TicketWants};

impl Engine<'_> {
    /// Looks for what an operator asked for.
    pub(super) async fn look_for_ticket_request(&mut self) -> StepResult {
        let name = &self.deps.wallet.name;
        self.request = self.deps.store.open_ticket_request(name).await?;
        Ok(())
    }

    /// Signs the transaction that makes the tickets which are wanted, where it can be signed now.
    pub(super) async fn make_tickets(&mut self) -> StepResult {
        let refill = self.settings.refill;
        if self.request.is_none() && refill.wanted(self.desk.tickets()) == 0 {
            return Ok(());
        }
        let Some(at) = self.conditions() else {
            return Ok(());
        };
        let Some(reserve_each) = self.reserve_each() else {
            return Ok(());
        };
        let wants = TicketWants {
            request: self.request.as_ref(),
            refill,
            reserve_each,
        };
        let now = self.deps.clock.now();
        match self
            .desk
            .plan_tickets(&wants, &at, &self.settings.desk, now)
        {
            TicketPlan::Nothing => Ok(()),
            TicketPlan::Sign(plan) => self.sign_and_carry_out(plan).await,
            TicketPlan::Tell(step) => {
                self.carry_out(step).await?;
                self.look_for_ticket_request().await
            }
        }
    }
}
