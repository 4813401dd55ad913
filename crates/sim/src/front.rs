//! The daemon's front: what becomes of a client's request, on the model store, with the limits and the
//! machine of core.

use crate::chain::{drops, marker_of};
use crate::client::{Answered, Client, Request, SHOP, ToClient};
use crate::disk::Row;
use crate::life::{Act, Life};
use crate::tally::Seen;
use crate::world::{Event, World};
use xrpayd_core::ids::PaymentId;
use xrpayd_core::limits::{Caps, reserve};
use xrpayd_core::money::Drops;
use xrpayd_core::payment::{
    ApprovalRule, Ballot, Effect, Event as Happening, Payment, approval, decide,
};

impl World {
    /// A request is served, by a process that may be killed before it answers.
    pub(crate) fn http(&mut self, life: &mut Life, n: usize, request: Request) {
        if self.chance.chance(self.swarm.crash_at_await / 4) {
            return self.crash(life, Seen::DiedInRequest);
        }
        let troubled = self.troubles.bad_disk;
        if troubled && self.chance.chance(200) {
            return;
        }
        let Some(answered) = self.serve(n, request) else {
            return;
        };
        self.tell(|| format!("client {n}: {request:?} is answered {}", answered.line()));
        let is_lost = self.healed_at.is_none() && self.chance.chance(self.swarm.lost_replies);
        if is_lost || (troubled && self.chance.chance(200)) {
            return self.tally.see(Seen::ReplyLost);
        }
        let way = self.chance.within(1, 50);
        let answer = ToClient::Answer(request, self.troubles.era, Box::new(answered));
        self.agenda.put(way, Event::Client(n, answer));
        let wake = self.chance.chance(900);
        if wake {
            self.soon(life, 1, Act::Wake);
        }
    }

    fn serve(&mut self, n: usize, request: Request) -> Option<Answered> {
        // Whoever asks again after a lost database asks for the same.
        if request == Request::PayOther && self.troubles.era > 0 {
            return None;
        }
        let client = self.clients.get(n)?.clone();
        let key = &client.order.idempotency_key;
        let known = self.tables.keys.get(key).copied();
        // While it is paused nothing new is taken: whoever was told so asks again.
        if self.tables.is_paused && known.is_none() {
            return None;
        }
        let happening = match request {
            Request::Pay | Request::PayOther => return Some(self.accept(&client, request, known)),
            Request::Cancel => Happening::Cancel,
            Request::Approve => Happening::Approve(self.ballot(known?)?),
            Request::Reject => Happening::Reject {
                ballot: self.ballot(known?)?,
                reason: None,
            },
        };
        Some(self.rule(known?, happening))
    }

    fn ballot(&self, id: PaymentId) -> Option<Ballot> {
        let row = self.tables.payments.get(&id)?;
        Some(Ballot {
            by: "second".to_owned(),
            version: row.payment.version,
        })
    }

    fn caps(&self) -> Caps {
        Caps {
            min_payment: drops(1),
            max_payment: drops(100_000_000),
            daily: drops(self.swarm.daily),
            max_pending: self.swarm.max_pending,
        }
    }

    fn accept(&mut self, client: &Client, request: Request, known: Option<PaymentId>) -> Answered {
        let now = self.wall();
        let fingerprint = client.fingerprint(request);
        if let Some(row) = known.and_then(|id| self.tables.payments.get(&id)) {
            return match row.fingerprint == fingerprint {
                true => Answered::Payment(Box::new(row.payment.clone())),
                false => Answered::KeyReused,
            };
        }
        self.tables.advance_window(now);
        if self
            .tables
            .counted_through
            .is_some_and(|through| now <= through)
        {
            return Answered::Refused;
        }
        let mut order = client.order.clone();
        order.expires_at = client.expires_in.map(|ms| now.plus_ms(ms));
        if request == Request::PayOther {
            order.amount = order.amount.checked_add(drops(1)).unwrap_or(order.amount);
        }
        let Ok(usage) = reserve(&self.caps(), self.tables.usage, order.amount) else {
            self.tally.see(Seen::OverLimit);
            return Answered::Refused;
        };
        let rule = self.swarm.approvals.then_some(ApprovalRule {
            threshold: drops(10_000_000),
            expires_in_ms: 40_000,
        });
        let (state, approval) =
            approval::beginning(rule, order.amount, order.expires_at, "first", now);
        let payment = Payment {
            id: self.new_id(now.0),
            version: 1,
            client: SHOP.to_owned(),
            wallet: "hot".to_owned(),
            order,
            stage: "general".to_owned(),
            state,
            approval,
            attempts: Vec::new(),
            created_at: now,
            updated_at: now,
        };
        let row = Row {
            counted: payment.order.amount,
            payment: payment.clone(),
            fingerprint,
        };
        self.tables.usage = usage;
        let key = payment.order.idempotency_key.clone();
        self.tables.keys.insert(key, payment.id);
        self.tables.payments.insert(payment.id, row);
        Answered::Payment(Box::new(payment))
    }

    fn new_id(&mut self, now: i64) -> PaymentId {
        let time = u128::try_from(now).unwrap_or_default();
        PaymentId(time << 80 | u128::from(self.chance.bits()))
    }

    /// A person's word on a payment, by the machine's own rules.
    fn rule(&mut self, id: PaymentId, happening: Happening) -> Answered {
        let now = self.wall();
        let Some(row) = self.tables.payments.get(&id) else {
            return Answered::Conflict;
        };
        let payment = row.payment.clone();
        let decision = match decide(&payment, happening, now) {
            Ok(Some(decision)) => decision,
            Ok(None) => return Answered::Payment(Box::new(payment)),
            Err(_) => return Answered::Conflict,
        };
        let marker = marker_of(SHOP, &payment.order.idempotency_key);
        let is_unknown = self.tables.past_is_unknown()
            || self.is_catching_up()
            || !self.tables.recalled(&[marker]).is_empty();
        if decision.payment.status().is_final() && is_unknown {
            return Answered::Conflict;
        }
        let settled: Option<Drops> = decision.effects.iter().find_map(|effect| match effect {
            Effect::Settle { delivered } => Some(*delivered),
            _ => None,
        });
        match self
            .tables
            .ruled(payment.version, decision.payment.clone(), settled)
        {
            Ok(()) => Answered::Payment(Box::new(decision.payment)),
            Err(_) => Answered::Conflict,
        }
    }
}

impl Answered {
    fn line(&self) -> String {
        match self {
            Self::Payment(payment) => format!("{} {:?}", payment.id, payment.state),
            other => format!("{other:?}"),
        }
    }
}
