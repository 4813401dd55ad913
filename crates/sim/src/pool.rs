//! The way to the servers: what is asked of whom, and when several answers make one.
//!
//! The same bounds as the daemon's pool, at the level of pages: the tip is what a quorum announces, a page
//! reaches as far as a quorum holds, a claim counts only where it covers exactly what was asked, and
//! nothing is concluded while two servers contradict each other.

use crate::chain::{BASE_FEE, OURS, drops};
use crate::life::{Act, Life, Mail};
use crate::server::{PageClaim, RootClaim};
use crate::tally::Seen;
use crate::tx::Tx;
use crate::world::{Event, Plant, World};
use std::sync::Arc;
use xrpayd_core::fee::FeeQuote;
use xrpayd_core::ids::{LedgerIndex, TxHash};
use xrpayd_core::journal::{Page, RootProof};
use xrpayd_core::payment::Answer;

/// How long an answer of a server is waited for.
const ANSWER_WAIT: u64 = 4_000;
/// Ledgers in one page at most.
const PAGE_MAX: u32 = 32;
/// Servers that a submission goes to.
const SUBMIT_TO: usize = 2;

/// Bytes that are sent together.
pub type Blobs = Vec<(TxHash, Arc<[u8]>)>;

/// A request on its way.
#[derive(Debug, Clone)]
pub struct Ask {
    /// Whose it is.
    pub life: u64,
    /// In which generation of its engine.
    pub generation: u64,
    /// Under which number the answer is waited for.
    pub number: u64,
    /// What is asked.
    pub what: What,
    /// Whether it waited for its server to thaw.
    pub has_waited: bool,
}

/// What a server is asked.
#[derive(Debug, Clone)]
pub enum What {
    /// The account's transactions in a range.
    Page(u32, u32),
    /// The account root after a ledger.
    Root(u32),
    /// To take transactions.
    Submit(Blobs),
}

/// What a server answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said {
    /// Its transactions in the range that it names.
    Page(PageClaim),
    /// Its account root.
    Root(u32, RootClaim),
    /// A code for each transaction.
    Codes(Vec<(TxHash, &'static str)>),
    /// It does not hold what was asked.
    Nothing,
}

/// Why something was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// The next page of the journal.
    Journal(u32, u32),
    /// A page before the journal's beginning.
    Recall(u32, u32),
    /// A proof of absence, of attempts by ticket too where that is said.
    Proof(u32, bool),
    /// The first reading of the account's tickets.
    Tickets(u32),
    /// The journal's beginning.
    Anchor(u32),
}

/// A question to several servers.
#[derive(Debug)]
pub struct Query {
    /// Why it was asked.
    pub reason: Reason,
    waiting: usize,
    claims: Vec<(usize, Said)>,
}

/// Transactions that were sent, and what is known of them.
#[derive(Debug)]
pub struct Sending {
    waiting: usize,
    heard: Vec<usize>,
    answers: Vec<(TxHash, Option<Answer>)>,
}

impl World {
    /// The newest validated ledger that a quorum announces.
    #[must_use]
    pub fn tip(&self) -> Option<LedgerIndex> {
        let heard = self.servers.iter().filter(|server| server.is_heard());
        let mut words: Vec<u32> = heard.map(crate::server::Server::word).collect();
        words.sort_unstable_by(|a, b| b.cmp(a));
        words
            .get(self.swarm.quorum.saturating_sub(1))
            .map(|index| LedgerIndex(*index))
    }

    /// What a transaction costs, by what servers say.
    #[must_use]
    pub fn quote(&self) -> Option<FeeQuote> {
        let is_heard = self.servers.iter().any(crate::server::Server::is_heard);
        is_heard.then(|| FeeQuote {
            base: drops(BASE_FEE),
            open_ledger: drops(self.chain.price),
        })
    }

    /// The furthest ledger through which a quorum holds everything from `from` on.
    pub(crate) fn reach_of(&self, from: u32, most: u32) -> Option<u32> {
        if self.is_planted(Plant::ClampedPages) {
            return (most >= from).then_some(most);
        }
        let holding = self
            .servers
            .iter()
            .filter(|s| s.is_heard() && s.held.0 <= from);
        let mut ends: Vec<u32> = holding.map(|server| server.held.1.min(most)).collect();
        ends.sort_unstable_by(|a, b| b.cmp(a));
        let end = ends.get(self.swarm.quorum.saturating_sub(1))?;
        (*end >= from).then(|| (*end).min(from.saturating_add(PAGE_MAX)))
    }

    /// The lowest ledger from which on a quorum holds everything.
    pub(crate) fn lowest_held(&self) -> Option<u32> {
        let heard = self.servers.iter().filter(|server| server.is_heard());
        let mut starts: Vec<u32> = heard.map(|server| server.held.0).collect();
        starts.sort_unstable();
        starts.get(self.swarm.quorum.saturating_sub(1)).copied()
    }

    /// Asks as many servers as must agree, and perhaps a witness more.
    pub(crate) fn ask(&mut self, life: &mut Life, reason: Reason) {
        let (from, to, what) = match reason {
            Reason::Journal(from, to) | Reason::Recall(from, to) => {
                (from, to, What::Page(from, to))
            }
            Reason::Proof(at, _) | Reason::Tickets(at) | Reason::Anchor(at) => {
                (at, at, What::Root(at))
            }
        };
        // What a server is known to hold may be out of date: now and then one is asked that does not.
        let is_careless = self.is_planted(Plant::ClampedPages) || self.chance.chance(50);
        let holding = self.servers.iter().enumerate();
        let mut holding: Vec<usize> = holding
            .filter(|(_, server)| server.is_heard() && (is_careless || server.holds(from, to)))
            .map(|(at, _)| at)
            .collect();
        self.chance.shuffle(&mut holding);
        let witness = usize::from(self.chance.chance(400));
        holding.truncate(self.swarm.quorum + witness);
        let number = life.next_number();
        life.queries.insert(
            number,
            Query {
                reason,
                waiting: holding.len(),
                claims: Vec::new(),
            },
        );
        for server in holding {
            self.request(life, server, number, what.clone());
        }
        let act = Act::GiveUp(number);
        self.agenda
            .put(ANSWER_WAIT, Event::Life(life.id, life.generation, act));
    }

    fn request(&mut self, life: &Life, server: usize, number: u64, what: What) {
        if self.chance.chance(self.swarm.lost_requests) {
            return self.tally.see(Seen::RequestLost);
        }
        let way = self.chance.within(1, self.swarm.latency);
        let ask = Ask {
            life: life.id,
            generation: life.generation,
            number,
            what,
            has_waited: false,
        };
        self.agenda.put(way, Event::Reach(server, ask));
    }

    /// A request reaches a server.
    pub(crate) fn reach(&mut self, at: usize, mut ask: Ask) {
        let Some(server) = self.servers.get(at) else {
            return;
        };
        if !server.up {
            return;
        }
        if server.frozen {
            // It runs when the server goes on.
            ask.has_waited = true;
            self.agenda.put(2_000, Event::Reach(at, ask));
            return;
        }
        let said = match &ask.what {
            What::Page(from, to) => server
                .page(&self.chain, *from, *to)
                .map_or(Said::Nothing, Said::Page),
            What::Root(at) => server
                .root(&self.chain, *at)
                .map_or(Said::Nothing, |claim| Said::Root(*at, claim)),
            What::Submit(blobs) => {
                let thawed = u64::from(ask.has_waited);
                self.tally.add(Seen::SubmitThawed, thawed);
                self.submitted(at, blobs)
            }
        };
        let copies = 1 + u32::from(self.chance.chance(self.swarm.double_answers));
        self.tally.add(Seen::AnswerDoubled, u64::from(copies - 1));
        for _ in 0..copies {
            if self.chance.chance(self.swarm.lost_answers) {
                self.tally.see(Seen::AnswerLost);
                continue;
            }
            let way = self.chance.within(1, self.swarm.latency);
            let act = Act::Said(ask.number, at, said.clone());
            self.agenda
                .put(way, Event::Life(ask.life, ask.generation, act));
        }
    }

    fn submitted(&mut self, at: usize, blobs: &Blobs) -> Said {
        let mut codes = Vec::with_capacity(blobs.len());
        for (hash, blob) in blobs {
            let (Some(tx), Some(server)) = (Tx::decode(blob), self.servers.get(at)) else {
                continue;
            };
            let (code, is_passed_on) = server.submit(&self.chain, &tx);
            codes.push((*hash, code));
            self.codes.insert(*hash, code);
            // Whatever the answer was, the transaction may reach the network, or be lost on its way.
            if !is_passed_on || self.chance.chance(self.swarm.lost_relays) {
                self.tally.see(Seen::RelayLost);
            } else {
                self.chain.take(tx);
            }
        }
        Said::Codes(codes)
    }

    /// A server's answer reaches the process.
    pub(crate) fn said(&mut self, life: &mut Life, number: u64, server: usize, said: Said) {
        if let Said::Codes(codes) = said {
            return sent(life, number, server, codes);
        }
        let Some(query) = life.queries.get_mut(&number) else {
            return;
        };
        if query.claims.iter().any(|(known, _)| *known == server) {
            return;
        }
        if let (Said::Page(claim), Reason::Journal(from, to) | Reason::Recall(from, to)) =
            (&said, query.reason)
        {
            let is_clamped = (claim.from, claim.to) != (from, to);
            self.tally.add(Seen::RangeClamped, u64::from(is_clamped));
        }
        query.claims.push((server, said));
        let is_planted = self.plants.contains(&Plant::ClampedPages);
        let fits = |said: &Said| match (said, query.reason) {
            (Said::Page(claim), Reason::Journal(from, to) | Reason::Recall(from, to)) => {
                (claim.from, claim.to) == (from, to) || is_planted
            }
            (
                Said::Root(at, _),
                Reason::Proof(asked, _) | Reason::Tickets(asked) | Reason::Anchor(asked),
            ) => *at == asked,
            _ => false,
        };
        let claims: Vec<&(usize, Said)> =
            query.claims.iter().filter(|(_, said)| fits(said)).collect();
        let Some((_, first)) = claims.first() else {
            return self.conclude(life, number, false);
        };
        if claims.iter().any(|(_, said)| said != first) && !self.plants.contains(&Plant::OneVoice) {
            let liars: Vec<usize> = claims.iter().map(|(server, _)| *server).collect();
            self.dispute(&liars);
            let reason = query.reason;
            life.queries.remove(&number);
            return life.unanswered(reason);
        }
        let needed = match self.plants.contains(&Plant::OneVoice) {
            true => 1,
            false => self.swarm.quorum,
        };
        let is_agreed = claims.len() >= needed;
        self.conclude(life, number, is_agreed);
    }

    /// Two servers contradict each other: nothing is concluded, and now and then the ledger itself shows
    /// who lied.
    fn dispute(&mut self, servers: &[usize]) {
        self.tally.see(Seen::Disputed);
        if !self.chance.chance(400) {
            return;
        }
        for at in servers {
            if let Some(server) = self.servers.get_mut(*at)
                && server.lie.is_some()
            {
                server.convicted = true;
                self.tally.see(Seen::Convicted);
            }
        }
    }

    fn conclude(&mut self, life: &mut Life, number: u64, is_agreed: bool) {
        let Some(query) = life.queries.get(&number) else {
            return;
        };
        if !is_agreed {
            if query.claims.len() >= query.waiting {
                self.give_up(life, number);
            }
            return;
        }
        let Some(mut query) = life.queries.remove(&number) else {
            return;
        };
        let servers: Vec<String> = query
            .claims
            .iter()
            .map(|(at, _)| format!("s{at}"))
            .collect();
        let reason = query.reason;
        while let Some((_, said)) = query.claims.pop() {
            match (said, reason) {
                (Said::Page(claim), Reason::Journal(..)) => {
                    return life
                        .mail
                        .push_back(Mail::Page(page_of(claim, reason, servers)));
                }
                (Said::Page(claim), Reason::Recall(..)) => {
                    return life
                        .mail
                        .push_back(Mail::Recalled(page_of(claim, reason, servers)));
                }
                (Said::Root(at, claim), Reason::Proof(_, with_tickets)) => {
                    let proof = RootProof {
                        at: LedgerIndex(at),
                        sequence: claim.root.sequence,
                        tickets: with_tickets.then_some(claim.tickets),
                        servers,
                    };
                    return life.mail.push_back(Mail::Root(Some(proof)));
                }
                (Said::Root(at, claim), Reason::Tickets(_)) => {
                    let read = (LedgerIndex(at), claim.tickets);
                    return life.mail.push_back(Mail::Tickets(Some(read)));
                }
                (Said::Root(at, claim), Reason::Anchor(_)) => {
                    let anchor = Mail::Anchor(at, claim.root, claim.hash);
                    return life.mail.push_back(anchor);
                }
                _ => {}
            }
        }
    }

    /// Nothing more is waited for under this number.
    pub(crate) fn give_up(&mut self, life: &mut Life, number: u64) {
        if let Some(query) = life.queries.remove(&number) {
            life.unanswered(query.reason);
        }
        if let Some(sending) = life.sendings.remove(&number) {
            life.mail.push_back(Mail::Answers(sending.reduced()));
        }
    }

    /// Sends what is in the outbox to some servers.
    pub(crate) fn send(&mut self, life: &mut Life, blobs: Blobs) {
        // That a server has stopped is noticed late: what is sent to it runs when it goes on.
        let hides_frozen = self.chance.chance(500);
        let reached = |server: &crate::server::Server| {
            server.is_heard() || (server.up && !server.convicted && !hides_frozen)
        };
        let heard = self.servers.iter().enumerate();
        let mut heard: Vec<usize> = heard
            .filter(|(_, server)| reached(server))
            .map(|(at, _)| at)
            .collect();
        self.chance.shuffle(&mut heard);
        heard.truncate(SUBMIT_TO);
        let number = life.next_number();
        let answers = blobs.iter().map(|(hash, _)| (*hash, None)).collect();
        life.sendings.insert(
            number,
            Sending {
                waiting: heard.len(),
                heard: Vec::new(),
                answers,
            },
        );
        for server in heard {
            self.request(life, server, number, What::Submit(blobs.clone()));
        }
        let act = Act::GiveUp(number);
        self.agenda
            .put(ANSWER_WAIT, Event::Life(life.id, life.generation, act));
    }
}

/// A server answered to a submission.
fn sent(life: &mut Life, number: u64, server: usize, codes: Vec<(TxHash, &'static str)>) {
    let Some(sending) = life.sendings.get_mut(&number) else {
        return;
    };
    if sending.heard.contains(&server) {
        return;
    }
    sending.heard.push(server);
    for (hash, code) in codes {
        let answer = Answer::Engine(code.to_owned());
        for (known, best) in &mut sending.answers {
            let is_better = best
                .as_ref()
                .is_none_or(|best| answer.despair() < best.despair());
            if *known == hash && is_better {
                *best = Some(answer.clone());
            }
        }
    }
    if sending.heard.len() == sending.waiting
        && let Some(sending) = life.sendings.remove(&number)
    {
        life.mail.push_back(Mail::Answers(sending.reduced()));
    }
}

impl Sending {
    /// One answer for each attempt: the most hopeful, where a server that said nothing is one of them.
    fn reduced(self) -> Vec<(TxHash, Answer)> {
        let is_complete = self.waiting > 0 && self.heard.len() >= self.waiting;
        let one = |best: Option<Answer>| match best {
            Some(best) if is_complete || best.despair() < Answer::Lost.despair() => best,
            Some(_) | None => Answer::Lost,
        };
        self.answers
            .into_iter()
            .map(|(hash, best)| (hash, one(best)))
            .collect()
    }
}

/// The page that a query asked for; what a claim covers was compared with it before.
fn page_of(claim: PageClaim, reason: Reason, servers: Vec<String>) -> Page {
    let (from, to) = match reason {
        Reason::Journal(from, to) | Reason::Recall(from, to) => (from, to),
        Reason::Proof(at, _) | Reason::Tickets(at) | Reason::Anchor(at) => (at, at),
    };
    Page {
        account: OURS,
        from: LedgerIndex(from),
        to: LedgerIndex(to),
        to_hash: claim.to_hash,
        closed_at: None,
        servers,
        entries: claim.entries,
    }
}
