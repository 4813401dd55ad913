//! The tickets that the operator asks for, by the rules of the real table: one request is open at a
//! time, and that the ledger made them stands whatever was said before.

use super::Tables;
use xrpayd_core::engine::{RequestNews, TicketRequest, TicketRequestId};

/// A request and what came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// Its number.
    pub id: TicketRequestId,
    /// How many tickets.
    pub count: u32,
    /// What was told last.
    pub news: Option<RequestNews>,
}

impl Asked {
    /// Whether it is still to be done.
    #[must_use]
    pub const fn is_open(&self) -> bool {
        matches!(self.news, None | Some(RequestNews::Waits(_)))
    }
}

impl Tables {
    /// The request that is open.
    #[must_use]
    pub fn open_request(&self) -> Option<TicketRequest> {
        let open = self.requests.iter().find(|asked| asked.is_open())?;
        Some(TicketRequest {
            id: open.id,
            count: open.count,
            waits_for: match &open.news {
                Some(RequestNews::Waits(why)) => Some(why.clone()),
                _ => None,
            },
        })
    }

    /// Asks for tickets, unless some are asked for.
    pub fn ask_for_tickets(&mut self, count: u32) {
        if self.open_request().is_none() {
            let number = u32::try_from(self.requests.len()).unwrap_or(u32::MAX);
            self.requests.push(Asked {
                id: TicketRequestId(number),
                count,
                news: None,
            });
        }
    }
}

/// Writes what came of a request.
pub(super) fn tell(requests: &mut [Asked], id: TicketRequestId, news: &RequestNews) {
    for asked in requests.iter_mut().filter(|asked| asked.id == id) {
        let is_made = matches!(asked.news, Some(RequestNews::Made(_)));
        let stands = match news {
            RequestNews::Made(_) => !is_made,
            RequestNews::Waits(_) | RequestNews::Refused(_) => asked.is_open(),
        };
        if stands {
            asked.news = Some(news.clone());
        }
    }
}
