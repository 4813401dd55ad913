//! What an engine shows of its wallet, for answers, metrics and health: a picture after every turn, which
//! decides nothing.

use super::backfill::Progress;
use super::engine::Engine;
use crate::journal::waits::Wait;
use xrpayd_core::ids::LedgerIndex;
use xrpayd_core::money::Drops;

/// What others may know of the wallet, at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct View {
    /// Where the journal is; `None` before the first page.
    pub journal_at: Option<LedgerIndex>,
    /// The balance there.
    pub balance: Drops,
    /// What must stay.
    pub reserve: Drops,
    /// What new payments may use.
    pub spendable: Drops,
    /// What open attempts may still cost.
    pub in_flight: Drops,
    /// Open attempts.
    pub open_attempts: usize,
    /// Sequences that nothing uses and that something waits behind.
    pub sequence_gap: usize,
    /// The account's tickets; `None` while they are still to be read.
    pub tickets: Option<TicketsView>,
    /// Why nothing is signed, where nothing is.
    pub halted: Option<String>,
    /// What the account sent that nothing here signed and that nobody has accepted yet.
    pub foreign: usize,
    /// Whether signing waits for the journal to pass what a lost database may have in flight.
    pub sign_from: Option<LedgerIndex>,
    /// The first ledger that the journal covers.
    pub journal_start: Option<LedgerIndex>,
    /// How far the ledgers before the journal have been booked, while they are.
    pub backfill: Option<Progress>,
    /// The histories that cannot be read on: the journal's, and that of the ledgers before it.
    pub waits: Vec<Wait>,
}

impl View {
    /// The ledger through which everything since the wallet's first ledger has been read.
    #[must_use]
    pub fn read_through(&self) -> Option<LedgerIndex> {
        self.backfill.map(|past| past.at).or(self.journal_at)
    }
}

/// What others may know of a wallet's tickets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TicketsView {
    /// Those that stand on the ledger.
    pub standing: u32,
    /// Those of them that nothing uses.
    pub free: u32,
    /// Those that are being made.
    pub on_order: u32,
}

impl Engine<'_> {
    /// Shows how it stands.
    pub(super) fn show(&self) {
        let reserve = self.reserve().unwrap_or_default();
        let (desk, cursor) = (&self.desk, self.desk.cursor());
        self.view.send_replace(View {
            journal_at: Some(cursor.at),
            balance: cursor.balance,
            reserve,
            spendable: desk.spendable(reserve),
            in_flight: desk.in_flight(),
            open_attempts: desk.flights().len(),
            sequence_gap: desk.lane().holes().count(),
            halted: desk.halted().map(str::to_owned),
            foreign: self.foreign,
            tickets: desk.tickets().is_known().then(|| TicketsView {
                standing: desk.tickets().standing_len(),
                free: desk.tickets().free_len(),
                on_order: desk.tickets_on_order(),
            }),
            sign_from: desk.sign_from().filter(|from| cursor.at < *from),
            journal_start: Some(cursor.start),
            backfill: self.histories.past(),
            waits: self.histories.waits(),
        });
    }
}
