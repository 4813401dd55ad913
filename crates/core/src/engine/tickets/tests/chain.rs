//! The desk beside a ledger that knows of an account its next sequence and its tickets.

use super::*;
use proptest::prelude::*;

#[derive(Debug, Clone)]
enum Event {
    Pay,
    Make(u32),
    /// The next ledger, with so many of what could be in it, chosen by these numbers.
    Close(Vec<usize>),
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let event = prop_oneof![
        4 => Just(Event::Pay),
        1 => (1..4_u32).prop_map(Event::Make),
        4 => proptest::collection::vec(0..8_usize, 0..4).prop_map(Event::Close),
    ];
    proptest::collection::vec(event, 0..80)
}

/// A ledger that knows of an account its next sequence and its tickets.
#[derive(Default)]
struct Chain {
    next: u32,
    tickets: BTreeSet<u32>,
    by_hash: BTreeMap<TxHash, u32>,
}

impl Chain {
    /// What `hash` does where it can be applied now.
    fn apply(&mut self, desk: &Desk, hash: TxHash) -> Option<Entry> {
        let flight = &desk.flights()[&hash];
        let count = match flight.owner {
            Owner::Tickets(making) => making.count,
            Owner::Payment(_) | Owner::Plug => 0,
        };
        match flight.slot {
            Slot::Sequence(sequence) if sequence == self.next => self.next += 1,
            Slot::Ticket(ticket) if self.tickets.remove(&ticket) => {}
            Slot::Sequence(_) | Slot::Ticket(_) => return None,
        }
        self.tickets.extend(self.next..self.next + count);
        self.next += count;
        *self.by_hash.entry(hash).or_default() += 1;
        let kind = if count > 0 { TICKET_CREATE } else { "Payment" };
        Some(Entry {
            slot: flight.slot,
            transaction_type: kind.into(),
            root_after: Some(RootAfter {
                balance: bed::drops(bed::BALANCE),
                sequence: self.next,
                owner_count: 0,
            }),
            ..bed::entry(hash, 0, MADE)
        })
    }
}

proptest! {
    /// However payments, tickets and ledgers interleave, and however little of it each ledger takes:
    /// the desk knows what the chain knows, and no slot is given to two.
    #[test]
    fn the_desk_and_the_ledger_agree_on_sequences_and_tickets(events in events()) {
        let mut desk = desk_with([40, 41, 42]);
        let mut chain = Chain {
            next: 100,
            tickets: BTreeSet::from([40, 41, 42]),
            ..Chain::default()
        };
        let (mut number, mut requests) = (0, 0);
        for event in events {
            match event {
                Event::Pay => {
                    number += 1;
                    bed::signed(&mut desk, vec![bed::payment(number)]);
                }
                Event::Make(count) => {
                    requests += 1;
                    let request = TicketRequest {
                        id: TicketRequestId(requests),
                        ..request(count)
                    };
                    let wants = wants(Some(&request));
                    if let TicketPlan::Sign(plan) = plan(&mut desk, &wants) {
                        let step = bed::sealed(&mut desk, plan);
                        let _ = desk.made_durable(step);
                    }
                }
                Event::Close(chosen) => {
                    let mut open: Vec<_> = desk.flights().iter()
                        .map(|(hash, flight)| (flight.slot, *hash)).collect();
                    open.sort_unstable();
                    let mut entries = Vec::new();
                    for nth in chosen {
                        let hash = open.get(nth).map(|(_, hash)| *hash);
                        entries.extend(hash.and_then(|hash| chain.apply(&desk, hash)));
                    }
                    let step = take(&mut desk, entries);
                    prop_assert_eq!(&step.commit().halt, &None);
                    let _ = desk.made_durable(step);
                }
            }
            prop_assert_eq!(desk.cursor().next_sequence, chain.next);
            prop_assert_eq!(desk.tickets().standing(), &chain.tickets);
            let slots: BTreeSet<Slot> = desk.flights().values().map(|flight| flight.slot).collect();
            prop_assert_eq!(slots.len(), desk.flights().len());
            prop_assert!(chain.by_hash.values().all(|times| *times == 1));
        }
    }
}
