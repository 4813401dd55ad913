//! A person's word on which invoice a deposit is for: one transaction, by the machine's own rules.

use super::{by_id, document, rows};
use crate::store::audit::{self, Actor, Audited};
use crate::store::deposit_news;
use crate::store::deposits::{self, Deposit, Place};
use crate::store::error::StoreError;
use crate::store::retry;
use crate::store::{Store, events};
use serde_json::json;
use xrpayd_core::ids::{DepositId, InvoiceId, UnixMs};
use xrpayd_core::invoice::{Event, Illegal, Invoice, decide};

/// What a person says about a deposit.
#[derive(Debug, Clone, Copy)]
pub struct Assignment<'a> {
    /// The deposit.
    pub deposit: DepositId,
    /// The version of it that was read, where that matters to whoever asks.
    pub version: Option<u32>,
    /// The invoice that it is for.
    pub invoice: InvoiceId,
    /// Whose invoice it must be; none for anybody's.
    pub client: Option<&'a str>,
    /// The key by which it is said.
    pub by: &'a str,
    /// The client that the key speaks for.
    pub of: &'a str,
}

/// What became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AssignOutcome {
    /// It is done; the deposit after it.
    Done(Deposit),
    /// It was so before.
    AsBefore(Deposit),
    /// There is no such deposit.
    NoDeposit,
    /// The client has no such invoice.
    NoInvoice,
    /// The deposit has changed since it was read.
    Stale(Deposit),
    /// It belongs to another invoice.
    Elsewhere(Deposit, InvoiceId),
    /// It cannot be anybody's: why, for a sentence.
    NotAssignable(Deposit, &'static str),
    /// The invoice does not take it.
    Illegal(Deposit, Illegal),
}

impl Store {
    /// Assigns an unmatched deposit to an invoice, which takes it as if its tag had named it.
    ///
    /// # Errors
    /// Nothing was changed, unless [`StoreError::effect_unknown`].
    pub async fn assign(
        &self,
        assignment: Assignment<'_>,
        now: UnixMs,
    ) -> Result<AssignOutcome, StoreError> {
        retry::while_contended(|| self.assign_once(assignment, now)).await
    }

    async fn assign_once(
        &self,
        said: Assignment<'_>,
        now: UnixMs,
    ) -> Result<AssignOutcome, StoreError> {
        let mut tx = self.db().write().await?;
        let lock = tx.for_update();
        let invoice = by_id(&mut tx, said.invoice, lock).await?;
        let is_theirs = |found: &Invoice| said.client.is_none_or(|client| found.client == client);
        let invoice = invoice.filter(is_theirs);
        let deposit = deposits::by_id(&mut tx, said.deposit, lock).await?;
        let (mut invoice, mut deposit) = match (invoice, deposit) {
            (_, None) => {
                tx.end().await?;
                return Ok(AssignOutcome::NoDeposit);
            }
            (None, Some(_)) => {
                tx.end().await?;
                return Ok(AssignOutcome::NoInvoice);
            }
            (Some(invoice), Some(deposit)) => (invoice, deposit),
        };
        let event = match may_be_assigned(&deposit, said) {
            Ok(event) => event,
            Err(outcome) => {
                tx.end().await?;
                return Ok(*outcome);
            }
        };
        let steps = match decide(&invoice, event, now) {
            Ok(steps) => steps,
            Err(why) => {
                tx.end().await?;
                return Ok(AssignOutcome::Illegal(deposit, why));
            }
        };
        let of_invoice = document::news(&steps, deposit.network_id, Some(deposit.id))?;
        let before = (invoice.version, deposit.version);
        if let Some(last) = steps.into_iter().next_back() {
            invoice = last.invoice;
        }
        deposit.place = Place::Invoice(invoice.id);
        deposit.client.clone_from(&invoice.client);
        deposit.assigned_by = Some(said.by.to_owned());
        deposit.version = before.1.saturating_add(1);
        rows::update(&mut tx, vec![(before.0, &invoice)]).await?;
        deposits::update(&mut tx, before.1, &deposit).await?;
        let mut news = vec![deposit_news::news_at(&deposit, "deposit.received", now)?];
        news.extend(of_invoice);
        let assigned = Audited {
            at: now,
            actor: Actor::Key {
                id: said.by.to_owned(),
                client: said.of.to_owned(),
            },
            action: "deposit.assigned",
            object: deposit.id.to_string(),
            data: json!({
                "invoice_id": invoice.id.to_string(),
                "client": invoice.client,
                "amount": deposit.amount.exact(),
                "version": { "before": before.1, "after": deposit.version },
            }),
        };
        audit::note(&mut tx, vec![assigned]).await?;
        events::tell(&mut tx, news).await?;
        tx.commit().await?;
        Ok(AssignOutcome::Done(deposit))
    }
}

/// What an assignment means to the invoice, or why the deposit is not to be had.
fn may_be_assigned(deposit: &Deposit, said: Assignment<'_>) -> Result<Event, Box<AssignOutcome>> {
    let standing = deposit.clone();
    match standing.place {
        Place::Invoice(id) if id == said.invoice => {
            return Err(Box::new(AssignOutcome::AsBefore(standing)));
        }
        Place::Invoice(id) => return Err(Box::new(AssignOutcome::Elsewhere(standing, id))),
        Place::Internal => {
            let why = "it came from one of our own wallets";
            return Err(Box::new(AssignOutcome::NotAssignable(standing, why)));
        }
        Place::Unmatched(_) => {}
    }
    if said
        .version
        .is_some_and(|version| version != standing.version)
    {
        return Err(Box::new(AssignOutcome::Stale(standing)));
    }
    if standing.returned_by().is_some() {
        let why = "it is returned, or about to be";
        return Err(Box::new(AssignOutcome::NotAssignable(standing, why)));
    }
    let Some(amount) = standing.amount.exact() else {
        let why = "the ledger does not say how much arrived";
        return Err(Box::new(AssignOutcome::NotAssignable(standing, why)));
    };
    Ok(Event::Assign {
        amount,
        // What was booked from before that was kept came at the latest when it was booked.
        closed_at: standing.closed_at.unwrap_or(standing.created_at),
    })
}
