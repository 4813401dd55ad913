//! Clients: they ask, ask again when they hear nothing, sometimes for something else under the same key,
//! call off, approve, and look; and the operator, who resumes a halted wallet.

use crate::chain::{FIRST, FIRST_SEQUENCE, RESERVE, TAKERS, Taker, account_of, drops, marker_of};
use crate::disk::Wallet;
use crate::life::Act;
use crate::tally::Seen;
use crate::tx::{Body, Tx, hash_of};
use crate::world::{Event, Plant, World};
use std::collections::BTreeMap;
use xrpayd_core::deposit::Credit;
use xrpayd_core::engine::{Job, SignedTx, Task};
use xrpayd_core::ids::{LedgerHash, LedgerIndex, PaymentId};
use xrpayd_core::journal::{Cursor, RootAfter};
use xrpayd_core::payment::{Order, Payment};
use xrpayd_core::tickets::TICKETS_MAX;

/// The name on every client's key.
pub(crate) const SHOP: &str = "shop";
/// How long a client waits for an answer before it asks again.
const PATIENCE: u64 = 5_000;
/// A fee cap of a payment's own, where it has one.
const OWN_FEE_CAP: u64 = 4_000;

/// A client with one payment to be made.
#[derive(Debug, Clone)]
pub struct Client {
    /// What it asks for.
    pub order: Order,
    /// How long the payment may take, where it may not take for ever.
    pub(crate) expires_in: Option<i64>,
    /// Asked at last: it has not begun before.
    begun: bool,
    /// The payment it was told of.
    pub told: Option<PaymentId>,
    /// It was refused, and gives up.
    refused: bool,
    calls_off: bool,
    asks_again: u32,
}

/// What a client does to the API.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Request {
    /// Asks for its payment.
    Pay,
    /// Asks for another payment under the same key.
    PayOther,
    /// Calls it off.
    Cancel,
    /// A second person approves it.
    Approve,
    /// A second person rejects it.
    Reject,
}

/// What reaches a client.
#[derive(Debug)]
pub enum ToClient {
    /// Its time to ask, or to ask again.
    Ask,
    /// The database was replaced: it asks again, whatever it was told.
    AskAgain,
    /// It thinks about calling off, or a second person about approving.
    Think(Request),
    /// An answer, and the era of the database that gave it.
    Answer(Request, u32, Box<Answered>),
}

/// What the API answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answered {
    /// 201 or 200, and the payment as it stands.
    Payment(Box<Payment>),
    /// 422: another request stands under the key.
    KeyReused,
    /// A limit stands in the way.
    Refused,
    /// It cannot be done, or is not known yet.
    Conflict,
}

impl Client {
    /// Whether it has what it can get.
    #[must_use]
    pub const fn is_served(&self) -> bool {
        self.told.is_some() || self.refused || !self.begun
    }

    pub(crate) fn fingerprint(&self, request: Request) -> u64 {
        self.order.amount.get() * 2 + u64::from(request == Request::PayOther)
    }
}

impl World {
    /// The clients of this world, and when they come.
    pub(crate) fn invite(&mut self) {
        for n in 0..self.swarm.payments {
            let odd = self.chance.chance(self.swarm.odd_takers);
            let taker = match odd {
                true => self.chance.pick(&TAKERS, Taker::Plain),
                false => Taker::Plain,
            };
            let amount = match self.chance.chance(200) {
                true => self.chance.within(1, 2 * RESERVE),
                false => self.chance.within(1_000_000, 20_000_000),
            };
            let expiring = self.chance.chance(self.swarm.expiring);
            let order = Order {
                destination: account_of(taker, u8::try_from(n).unwrap_or(u8::MAX)),
                destination_tag: self.chance.chance(500).then_some(0),
                amount: drops(amount),
                source_tag: None,
                invoice_id: None,
                memos: Vec::new(),
                max_fee: self.chance.chance(100).then(|| drops(OWN_FEE_CAP)),
                reference: None,
                metadata: BTreeMap::new(),
                expires_at: None,
                idempotency_key: format!("k{n}"),
                payback: None,
            };
            let expires_in = expiring.then(|| self.chance.within(500, 60_000));
            self.audit
                .expect(marker_of(SHOP, &order.idempotency_key), amount);
            self.clients.push(Client {
                order,
                expires_in: expires_in.and_then(|ms| i64::try_from(ms).ok()),
                begun: false,
                told: None,
                refused: false,
                calls_off: self.chance.chance(self.swarm.cancelled),
                asks_again: 0,
            });
            let comes = self.chance.below(self.swarm.trouble);
            self.agenda.put(comes, Event::Client(n, ToClient::Ask));
        }
    }

    pub(crate) fn befall(&mut self, n: usize, to: ToClient) {
        let Some(client) = self.clients.get_mut(n) else {
            return;
        };
        match to {
            ToClient::AskAgain if !client.begun => {}
            ToClient::Ask | ToClient::AskAgain => {
                client.begun = true;
                if client.is_served() {
                    return;
                }
                self.call(n, Request::Pay);
                self.agenda.put(PATIENCE, Event::Client(n, ToClient::Ask));
            }
            ToClient::Think(request) => self.call(n, request),
            ToClient::Answer(request, era, answered) => {
                // What a lost database said binds nobody.
                if era == self.troubles.era {
                    self.answered(n, request, *answered);
                }
            }
        }
    }

    /// A request goes to any process that is there.
    fn call(&mut self, n: usize, request: Request) {
        let ids: Vec<(u64, u64)> = self
            .lives
            .iter()
            .map(|life| (life.id, life.generation))
            .collect();
        let Some((life, generation)) = ids.get(self.chance.index(ids.len())).copied() else {
            return;
        };
        let way = self.chance.within(1, 50);
        self.agenda
            .put(way, Event::Life(life, generation, Act::Http(n, request)));
    }

    fn answered(&mut self, n: usize, request: Request, answered: Answered) {
        let Some(client) = self.clients.get_mut(n) else {
            return;
        };
        let marker = marker_of(SHOP, &client.order.idempotency_key);
        match (request, answered) {
            (Request::Pay, Answered::Payment(payment)) => {
                let first = client.told.is_none();
                self.tally.add(Seen::Replayed, u64::from(!first));
                client.told = Some(payment.id);
                client.asks_again += 1;
                let (off, again) = (client.calls_off && first, client.asks_again < 3);
                self.audit.accepted(marker, &payment);
                let later = self.chance.within(10, 20_000);
                if off {
                    self.think(n, later, Request::Cancel);
                }
                if first && self.swarm.approvals {
                    let ruling = match self.chance.chance(700) {
                        true => Request::Approve,
                        false => Request::Reject,
                    };
                    let later = self.chance.within(10, 30_000);
                    self.think(n, later, ruling);
                }
                if again && self.chance.chance(300) {
                    let other = self.chance.chance(300) && self.troubles.era == 0;
                    let again = if other {
                        Request::PayOther
                    } else {
                        Request::Pay
                    };
                    let later = self.chance.within(10, 40_000);
                    self.think(n, later, again);
                }
            }
            (Request::PayOther, Answered::Payment(payment)) => {
                if self.troubles.era == 0 {
                    self.audit.wrongly_taken(payment.id);
                }
            }
            (_, Answered::Payment(payment)) => {
                match request {
                    Request::Cancel => self.tally.see(Seen::CalledOff),
                    Request::Approve => self.tally.see(Seen::Approved),
                    Request::Pay | Request::PayOther | Request::Reject => {}
                }
                self.audit.seen(marker, &payment);
            }
            (Request::Cancel, Answered::Conflict) => self.tally.see(Seen::TooLateToCallOff),
            (Request::PayOther, Answered::KeyReused) => {
                self.tally.see(Seen::KeyReused);
                self.audit.key_reused(marker);
            }
            (Request::Pay, Answered::KeyReused) => self.audit.wrongly_refused(marker),
            (Request::Pay, Answered::Refused) => {
                let gives_up = self.healed_at.is_some();
                if let Some(client) = self.clients.get_mut(n) {
                    client.refused |= gives_up && client.told.is_none();
                }
            }
            (_, Answered::KeyReused | Answered::Refused | Answered::Conflict) => {}
        }
    }

    fn think(&mut self, n: usize, later: u64, request: Request) {
        let thought = Event::Client(n, ToClient::Think(request));
        self.agenda.put(later, thought);
    }

    /// Everybody looks: clients at their payments, at the limits and the books; the operator at the
    /// wallet.
    pub(crate) fn look(&mut self) {
        let wait = self.swarm.close;
        self.agenda.put(wait, Event::Look);
        for client in &self.clients {
            let shown = client.told.and_then(|id| self.tables.payments.get(&id));
            if let Some(row) = shown {
                let marker = marker_of(SHOP, &client.order.idempotency_key);
                self.audit.seen(marker, &row.payment);
            }
        }
        let usage = self.tables.usage;
        let (daily, most) = (self.swarm.daily, self.swarm.max_pending);
        self.audit
            .limits(usage.daily_used.get(), daily, usage.pending, most);
        self.look_at_wallet();
        if self.healed_at.is_none() && self.chance.chance(self.swarm.requests) {
            let count = match self.chance.chance(50) {
                true => TICKETS_MAX,
                false => u32::try_from(self.chance.within(1, 20)).unwrap_or(1),
            };
            self.tell(|| format!("the operator asks for {count} tickets"));
            self.tables.ask_for_tickets(count);
        }
        self.keep_copies();
    }

    fn look_at_wallet(&mut self) {
        let patience = if self.healed_at.is_some() { 500 } else { 100 };
        let Some(wallet) = &mut self.tables.wallet else {
            return;
        };
        let (at, balance) = (wallet.cursor.at.0, wallet.cursor.balance.get());
        self.audit.books(&self.chain, at, balance);
        let shown: Vec<&Credit> = self.tables.deposits.values().collect();
        let journal = (wallet.cursor.start.0, at);
        self.audit.deposits(&self.chain, journal, &shown);
        if wallet.knows_tickets {
            self.audit.tickets(&self.chain, at, &self.tables.tickets);
        }
        if wallet.halted.is_some() && self.chance.chance(patience) {
            wallet.halted = None;
            self.tally.see(Seen::Resumed);
            self.tell(|| "the operator resumes the wallet".to_owned());
        }
    }

    /// The journal begins: by the daemon's rule for an account that was used before, signing waits until
    /// nothing of a lost database can be in flight, and what older ledgers remember is read first.
    pub(crate) fn begin_journal(&mut self, at: u32, root: RootAfter, hash: LedgerHash) {
        let was_used = root.sequence != FIRST_SEQUENCE && !self.is_planted(Plant::ForgetPast);
        let tip = LedgerIndex(at);
        let lowest = self.lowest_held().filter(|lowest| *lowest <= at);
        // Where nobody says at this moment what is held, reading begins at the beginning.
        let from = LedgerIndex(lowest.unwrap_or(FIRST));
        let recall = was_used.then_some((from, tip));
        self.tell(|| format!("the journal begins after ledger {at}; used before: {was_used}"));
        self.tables.wallet = Some(Wallet {
            cursor: Cursor {
                start: tip.plus(1),
                at: tip,
                at_hash: hash,
                next_sequence: root.sequence,
                balance: root.balance,
                owner_count: root.owner_count,
            },
            sign_from: was_used.then(|| tip.plus(self.swarm.window)),
            recall,
            knows_tickets: false,
            halted: None,
        });
    }
}

/// Signs one job of a plan.
#[must_use]
pub fn sign(job: &Job) -> SignedTx {
    let body = match &job.task {
        Task::Plug => Body::Noop,
        Task::MakeTickets(making) => Body::MakeTickets(making.count),
        Task::Pay(payment) => Body::Pay {
            to: payment.order.destination,
            tag: payment.order.destination_tag,
            amount: payment.order.amount.get(),
            marker: marker_of(&payment.client, &payment.order.idempotency_key),
        },
    };
    let tx = Tx {
        slot: job.terms.slot,
        fee: job.terms.fee.get(),
        last_ledger: job.terms.last_ledger.0,
        body,
    };
    let blob = tx.encode();
    SignedTx {
        hash: hash_of(&blob),
        blob,
    }
}
