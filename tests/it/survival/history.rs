//! What clients asked and what they were told, each answer held against all earlier ones.
//!
//! An answer may be old only if it was asked for before a newer one was received: each request takes
//! along how much was known when it was sent, and its answer may not know less.

use crate::support::daemon::tail;
use serde_json::Value;
use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::Mutex;

/// Statuses that are never left.
pub const FINAL: [&str; 5] = ["succeeded", "failed", "expired", "cancelled", "rejected"];

/// What belongs to the request and never to what became of it.
const GIVEN: [&str; 7] = [
    "id",
    "destination",
    "destination_tag",
    "amount",
    "wallet",
    "created_at",
    "expires_at",
];

/// Every answer of a run.
#[derive(Debug)]
pub struct History {
    seed: u64,
    logs: Vec<PathBuf>,
    book: Mutex<Book>,
}

#[derive(Debug, Default)]
struct Book {
    asked: BTreeMap<u64, Asked>,
    known: HashMap<String, Known>,
    answers: usize,
}

/// One idempotency key. Its number is the payment's destination tag.
#[derive(Debug, Clone)]
struct Asked {
    xrp: String,
    id: Option<String>,
    /// Whether it was answered 201.
    created: bool,
}

/// What is known of a payment.
#[derive(Debug, Clone)]
pub struct Known {
    /// The newest that was told of it.
    pub newest: Value,
}

/// How much was known of a payment when something was asked.
#[derive(Debug, Clone, Copy, Default)]
pub struct Floor(u64);

/// How much was known of all payments when something was asked.
#[derive(Debug, Clone, Default)]
pub struct Floors(HashMap<String, Floor>);

/// Whether a payment has its end.
pub fn is_final(payment: &Value) -> bool {
    FINAL.iter().any(|status| payment["status"] == *status)
}

fn version(payment: &Value) -> u64 {
    payment["version"].as_u64().expect("a version")
}

impl History {
    /// The history of a run with `seed`, with nothing in it; what the daemons log is in `logs`.
    pub fn new(seed: u64, logs: Vec<PathBuf>) -> Self {
        Self {
            seed,
            logs,
            book: Mutex::default(),
        }
    }

    /// Writes down that a payment of `xrp` with this tag will be asked for.
    pub fn asks(&self, tag: u64, xrp: &str) {
        let asked = Asked {
            xrp: xrp.to_owned(),
            id: None,
            created: false,
        };
        let before = self.book.lock().unwrap().asked.insert(tag, asked);
        assert!(before.is_none(), "the tag {tag} was used before");
    }

    /// What is known of the payment with this tag at the moment.
    pub fn floor_of_tag(&self, tag: u64) -> (bool, Floor) {
        let book = self.book.lock().unwrap();
        let asked = &book.asked[&tag];
        let known = asked.id.as_ref().and_then(|id| book.known.get(id));
        let floor = known.map_or(Floor(0), |known| Floor(version(&known.newest)));
        (asked.created, floor)
    }

    /// What is known of a payment at the moment.
    pub fn floor(&self, id: &str) -> Floor {
        let book = self.book.lock().unwrap();
        Floor(version(&book.known[id].newest))
    }

    /// What is known of every payment at the moment.
    pub fn floors(&self) -> Floors {
        let book = self.book.lock().unwrap();
        let known = book.known.iter();
        Floors(
            known
                .map(|(id, known)| (id.clone(), Floor(version(&known.newest))))
                .collect(),
        )
    }

    /// Takes the answer to a request for a payment that was or was not answered 201 before.
    pub fn accepted(&self, tag: u64, status: u16, payment: &Value, before: (bool, Floor)) {
        let (was_created, floor) = before;
        self.check(
            !(status == 201 && was_created),
            "a key was answered 201 twice",
            payment,
        );
        self.check(
            payment["destination_tag"] == tag,
            "a key was answered with the payment of another",
            payment,
        );
        {
            let mut book = self.book.lock().unwrap();
            let asked = book.asked.get_mut(&tag).expect("it was asked for");
            let id = payment["id"].as_str().expect("an id").to_owned();
            let same = asked.id.as_ref().is_none_or(|known| *known == id);
            let amount = payment["amount"]["value"] == *asked.xrp;
            let twice = status == 201 && asked.created;
            asked.id = Some(id);
            asked.created |= status == 201;
            drop(book);
            self.check(same, "a key has two payments", payment);
            self.check(amount, "another amount than was asked for", payment);
            self.check(!twice, "a key was answered 201 twice", payment);
        }
        self.saw(payment, floor);
    }

    /// Takes what was told of a payment, asked for when at least `floor` was known of it.
    pub fn saw(&self, payment: &Value, floor: Floor) {
        let mut book = self.book.lock().unwrap();
        book.answers += 1;
        let id = payment["id"].as_str().expect("an id");
        let at = version(payment);
        let Some(known) = book.known.get_mut(id) else {
            let fresh = Known {
                newest: payment.clone(),
            };
            book.known.insert(id.to_owned(), fresh);
            return;
        };
        let newest = known.newest.clone();
        if at > version(&newest) {
            known.newest = payment.clone();
        }
        drop(book);
        let fails = |what: &str| self.fails(what, &[&newest, payment]);
        if at < floor.0 {
            fails("an older state was told after a newer one");
        }
        if at == version(&newest) && *payment != newest {
            fails("one version is told in two ways");
        }
        let (older, newer) = if at < version(&newest) {
            (payment, &newest)
        } else {
            (&newest, payment)
        };
        if is_final(older) && older != newer {
            fails("a final payment changed");
        }
        if GIVEN.iter().any(|field| older[field] != newer[field]) {
            fails("what was asked for changed");
        }
        let attempts = |payment: &Value| -> Vec<Value> {
            let attempts = payment["attempts"].as_array().expect("attempts").iter();
            attempts.map(|attempt| attempt["tx_hash"].clone()).collect()
        };
        if !attempts(newer).starts_with(&attempts(older)) {
            fails("an attempt was forgotten");
        }
    }

    /// Takes a list, asked for when `floors` were known.
    pub fn saw_all<'a>(&self, payments: impl IntoIterator<Item = &'a Value>, floors: &Floors) {
        for payment in payments {
            let id = payment["id"].as_str().expect("an id");
            self.saw(payment, floors.0.get(id).copied().unwrap_or_default());
        }
    }

    /// Every payment that some client knows, by tag.
    pub fn known(&self) -> BTreeMap<u64, Known> {
        let book = self.book.lock().unwrap();
        let answered = book.asked.iter();
        answered
            // One whose first answer is just being read is not known yet.
            .filter_map(|(tag, asked)| Some((*tag, book.known.get(asked.id.as_ref()?)?.clone())))
            .collect()
    }

    /// The ids of the payments that some client knows.
    pub fn ids(&self) -> Vec<String> {
        let book = self.book.lock().unwrap();
        let asked = book.asked.values();
        asked.filter_map(|asked| asked.id.clone()).collect()
    }

    /// Whether a payment with this tag was ever asked for, and for how much.
    pub fn was_asked(&self, tag: u64) -> Option<String> {
        let book = self.book.lock().unwrap();
        book.asked.get(&tag).map(|asked| asked.xrp.clone())
    }

    /// How many answers were checked.
    pub fn answers(&self) -> usize {
        self.book.lock().unwrap().answers
    }

    /// Fails with the seed unless `holds`.
    pub fn check(&self, holds: bool, what: &str, evidence: &Value) {
        if !holds {
            self.fails(what, &[evidence]);
        }
    }

    fn fails(&self, what: &str, evidence: &[&Value]) -> ! {
        let seed = self.seed;
        let logs: Vec<String> = self.logs.iter().map(|log| tail(log)).collect();
        let log = logs.join("\n\n");
        panic!("XRPAYD_TEST_SEED={seed}: {what}: {evidence:#?}\n{log}");
    }
}

#[cfg(test)]
mod tests {
    //! The history that finds nothing wrong is worth as much as the wrongs that it would find.

    use super::{Floor, History, is_final};
    use serde_json::{Value, json};
    use std::panic::{AssertUnwindSafe, catch_unwind};

    fn told(version: u64, status: &str) -> Value {
        json!({
            "id": "pay_1", "status": status, "version": version, "destination": "r", "wallet": "hot",
            "destination_tag": 7, "amount": { "currency": "XRP", "value": "1.5" },
            "created_at": "2026-11-21T00:00:00Z", "expires_at": null,
            "attempts": [{ "tx_hash": "A" }],
        })
    }

    fn knows(version: u64, status: &str) -> History {
        let history = History::new(1, Vec::new());
        history.asks(7, "1.5");
        history.accepted(7, 201, &told(version, status), (false, Floor(0)));
        history
    }

    fn found_out(work: impl FnOnce()) -> String {
        let panic = catch_unwind(AssertUnwindSafe(work)).expect_err("nothing was found out");
        panic.downcast_ref::<String>().unwrap().clone()
    }

    #[test]
    fn every_contradiction_between_two_answers_is_found_out() {
        let mut other_amount = told(2, "processing");
        other_amount["amount"]["value"] = json!("2");
        let mut forgotten = told(2, "processing");
        forgotten["attempts"] = json!([]);
        let mut changed = told(1, "processing");
        changed["attempts"] = json!([{ "tx_hash": "A" }, { "tx_hash": "B" }]);
        for (contradiction, floor, what) in [
            (other_amount, 1, "what was asked for changed"),
            (forgotten, 1, "an attempt was forgotten"),
            (changed, 1, "one version is told in two ways"),
        ] {
            let history = knows(1, "processing");
            let said = found_out(|| history.saw(&contradiction, Floor(floor)));
            assert!(
                said.contains(what) && said.contains("XRPAYD_TEST_SEED=1"),
                "{said}"
            );
        }
        let history = knows(3, "processing");
        let said = found_out(|| history.saw(&told(2, "processing"), Floor(3)));
        assert!(said.contains("older state"), "{said}");
        // An answer that was on its way while a newer one arrived is in order.
        knows(3, "processing").saw(&told(2, "processing"), Floor(2));
        let history = knows(3, "succeeded");
        let said = found_out(|| history.saw(&told(4, "failed"), Floor(3)));
        assert!(said.contains("a final payment changed"), "{said}");
        assert!(is_final(&told(1, "rejected")) && !is_final(&told(1, "processing")));
    }

    #[test]
    fn a_key_has_one_payment_and_is_answered_201_once() {
        let mut other = told(1, "processing");
        other["id"] = json!("pay_2");
        let history = knows(1, "processing");
        let before = history.floor_of_tag(7);
        let said = found_out(|| history.accepted(7, 200, &other, before));
        assert!(said.contains("two payments"), "{said}");
        let history = knows(1, "processing");
        let before = history.floor_of_tag(7);
        let said = found_out(|| history.accepted(7, 201, &told(1, "processing"), before));
        assert!(said.contains("201 twice"), "{said}");
    }
}
