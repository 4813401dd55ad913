//! Who wrote a wallet when, as the database itself saw it, held against what arrived at the ledger.
//!
//! The witness is a trigger in the test's own database: with each attempt it writes down the lease that
//! was in force when it was committed, whatever the daemon believes. Nothing of it is the daemon's code.

use crate::support::daemon::WALLET;
use crate::support::ledger::SERVERS;
use serde_json::Value;
use sqlx::postgres::PgRow;
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection, Row as _};
use std::collections::HashMap;

/// Writes down what each attempt is inserted under.
const WITNESS: &str = "
    create table witness_signings (
        hash text primary key, epoch bigint, in_force bigint not null, at_ms bigint not null
    );
    create function witness_a_signing() returns trigger language plpgsql as $$ begin
        insert into witness_signings
            select upper(encode(new.hash, 'hex')), new.epoch, leases.epoch,
                   (extract(epoch from clock_timestamp()) * 1000)::bigint
            from leases where leases.wallet = new.wallet;
        return new;
    end $$;
    create constraint trigger witness_of_signings after insert on attempts
        deferrable initially deferred for each row execute function witness_a_signing();";

/// A transaction that was signed, when and under which epochs: the one that the daemon wrote, and the
/// one that was in force.
#[derive(Debug, Clone)]
pub struct Signing {
    pub hash: String,
    pub epoch: Option<i64>,
    pub in_force: i64,
    pub at_ms: i64,
}

/// One holding of the wallet's lease.
#[derive(Debug, Clone)]
pub struct Tenure {
    pub epoch: i64,
    pub holder: String,
    pub taken_at_ms: i64,
}

/// A blob that arrived at a server of the ledger that one daemon alone knows.
#[derive(Debug, Clone)]
pub struct Arrival {
    pub daemon: usize,
    pub hash: String,
    pub at_ms: i64,
}

/// Everything that is known of who wrote when.
#[derive(Debug, Default)]
pub struct Tenures {
    pub signings: Vec<Signing>,
    pub tenures: Vec<Tenure>,
    pub arrivals: Vec<Arrival>,
}

/// The name that a daemon of the fleet has among the replicas.
pub fn name_of(daemon: usize) -> String {
    format!("daemon-{daemon}")
}

/// Sets the witness up, in a database whose schema is there.
pub async fn call_witness(url: &str) {
    let mut database = PgConnection::connect(url).await.unwrap();
    database.execute(WITNESS).await.unwrap();
    database.close().await.unwrap();
}

/// Looks at who holds the lease, over one connection for as long as that lives: new ones would cost the
/// machine more than what they are to watch.
pub struct Watch {
    url: String,
    connection: Option<PgConnection>,
}

impl Watch {
    pub fn of(url: &str) -> Self {
        Self {
            url: url.to_owned(),
            connection: None,
        }
    }

    /// The epoch that is in force and the daemon that holds it; `None` where nobody does or the database
    /// does not answer.
    pub async fn in_force(&mut self) -> Option<(i64, usize)> {
        let row = "select epoch, holder from leases where wallet = 'hot'";
        let row = self.asked(row.to_owned()).await?;
        let (epoch, holder): (i64, String) = (row.get(0), row.get(1));
        Some((epoch, daemon_of(&holder)?))
    }

    /// How many transactions were signed under an epoch or a later one.
    pub async fn signed_since(&mut self, epoch: i64) -> i64 {
        let count = format!("select count(*) from witness_signings where in_force >= {epoch}");
        self.asked(count).await.map_or(0, |row| row.get(0))
    }

    async fn asked(&mut self, sql: String) -> Option<PgRow> {
        if self.connection.is_none() {
            self.connection = PgConnection::connect(&self.url).await.ok();
        }
        let answer = self
            .connection
            .as_mut()?
            .fetch_one(AssertSqlSafe(sql))
            .await;
        if answer.is_err() {
            self.connection = None;
        }
        answer.ok()
    }
}

fn daemon_of(holder: &str) -> Option<usize> {
    let rest = holder.strip_prefix("daemon-")?;
    let digits = rest.split(|c: char| !c.is_ascii_digit()).next()?;
    digits.parse().ok()
}

impl Tenures {
    /// Reads the witness, the log of the leases, and the ledger's record.
    pub async fn read(url: &str, submissions: &[Value]) -> Self {
        let mut database = PgConnection::connect(url).await.unwrap();
        let signings = "select hash, epoch, in_force, at_ms from witness_signings";
        let signings = database.fetch_all(signings).await.unwrap();
        let tenures = "select epoch, holder, taken_at from lease_log where wallet = 'hot' \
                       order by epoch";
        let tenures = database.fetch_all(tenures).await.unwrap();
        database.close().await.unwrap();
        let signing = |row: &PgRow| Signing {
            hash: row.get(0),
            epoch: row.get(1),
            in_force: row.get(2),
            at_ms: row.get(3),
        };
        let tenure = |row: &PgRow| Tenure {
            epoch: row.get(0),
            holder: row.get(1),
            taken_at_ms: row.get(2),
        };
        let servers = u64::try_from(SERVERS).unwrap();
        let arrival = |told: &Value| Arrival {
            daemon: usize::try_from(told["server"].as_u64().unwrap() / servers).unwrap(),
            hash: told["hash"].as_str().unwrap().to_owned(),
            at_ms: i64::try_from(told["at_us"].as_u64().unwrap() / 1_000).unwrap(),
        };
        let ours = submissions
            .iter()
            .filter(|told| told["account"] == WALLET.0);
        Self {
            signings: signings.iter().map(signing).collect(),
            tenures: tenures.iter().map(tenure).collect(),
            arrivals: ours.map(arrival).collect(),
        }
    }

    /// What must not be, one sentence each: a signing under a stale epoch, a submission of what nobody
    /// committed, and one by a daemon that never held the lease under which it may be sent.
    pub fn wrongs(&self) -> Vec<String> {
        let mut wrongs = Vec::new();
        let mut by_hash = HashMap::new();
        for signing in &self.signings {
            by_hash.insert(signing.hash.as_str(), signing);
            if signing.epoch != Some(signing.in_force) {
                wrongs.push(format!("signed under a stale epoch: {signing:?}"));
            }
        }
        for pair in self.tenures.windows(2) {
            if pair[0].epoch >= pair[1].epoch || pair[0].taken_at_ms > pair[1].taken_at_ms {
                wrongs.push(format!("epochs that do not grow: {pair:?}"));
            }
        }
        for arrival in &self.arrivals {
            let Some(signing) = by_hash.get(arrival.hash.as_str()) else {
                wrongs.push(format!("submitted and not committed: {arrival:?}"));
                continue;
            };
            if arrival.at_ms < signing.at_ms {
                wrongs.push(format!(
                    "submitted before its commit: {arrival:?} {signing:?}"
                ));
            }
            // Whoever sends it held the lease when it was committed, or after: it is in his books.
            let may = self.tenures.iter().any(|tenure| {
                tenure.epoch >= signing.in_force
                    && tenure.taken_at_ms <= arrival.at_ms
                    && daemon_of(&tenure.holder) == Some(arrival.daemon)
            });
            if !may {
                wrongs.push(format!("submitted by a stranger: {arrival:?} {signing:?}"));
            }
        }
        wrongs
    }

    /// The arrivals from a daemon whose lease another one had by then, with the time since it was taken.
    /// The bytes are in the books of both, or `wrongs` tells of them.
    pub fn late(&self) -> Vec<(&Arrival, i64)> {
        let late = |arrival| {
            let since = self.late_by_ms(arrival)?;
            Some((arrival, since))
        };
        self.arrivals.iter().filter_map(late).collect()
    }

    fn late_by_ms(&self, arrival: &Arrival) -> Option<i64> {
        let mut taken = self.tenures.iter().rev();
        let in_force = taken.find(|one| one.taken_at_ms <= arrival.at_ms)?;
        let is_late = daemon_of(&in_force.holder) != Some(arrival.daemon);
        is_late.then(|| arrival.at_ms - in_force.taken_at_ms)
    }

    /// The holding that followed `epoch`.
    pub fn after(&self, epoch: i64) -> Option<&Tenure> {
        self.tenures.iter().find(|tenure| tenure.epoch > epoch)
    }

    /// How long after `at_ms` the ledger first received what was signed under a later epoch than `epoch`.
    pub fn heals_ms(&self, epoch: i64, at_ms: i64) -> Option<i64> {
        let later: HashMap<&str, i64> = self
            .signings
            .iter()
            .filter(|signing| signing.in_force > epoch)
            .map(|signing| (signing.hash.as_str(), signing.in_force))
            .collect();
        let first = self
            .arrivals
            .iter()
            .filter(|arrival| later.contains_key(arrival.hash.as_str()))
            .map(|arrival| arrival.at_ms - at_ms);
        first.filter(|ms| *ms >= 0).min()
    }
}

#[cfg(test)]
mod tests {
    //! The audit that finds nothing is worth as much as what it would find.

    use super::{Arrival, Signing, Tenure, Tenures};

    fn signing(hash: &str, epoch: i64, in_force: i64, at_ms: i64) -> Signing {
        Signing {
            hash: hash.to_owned(),
            epoch: Some(epoch),
            in_force,
            at_ms,
        }
    }

    fn arrival(daemon: usize, hash: &str, at_ms: i64) -> Arrival {
        Arrival {
            daemon,
            hash: hash.to_owned(),
            at_ms,
        }
    }

    /// Daemon 0 holds the lease from 100 on, daemon 1 from 200 on.
    fn two_holders() -> Tenures {
        let tenure = |epoch: i64, holder: &str| Tenure {
            epoch,
            holder: holder.to_owned(),
            taken_at_ms: epoch * 100,
        };
        Tenures {
            signings: vec![signing("A", 1, 1, 110), signing("B", 2, 2, 210)],
            tenures: vec![tenure(1, "daemon-0-x7"), tenure(2, "daemon-1-b2")],
            arrivals: vec![
                arrival(0, "A", 120),
                // The successor sends what it found, and the thawed one what it had committed.
                arrival(1, "A", 205),
                arrival(0, "A", 215),
                arrival(1, "B", 220),
            ],
        }
    }

    #[test]
    fn a_hand_over_with_both_sending_what_both_have_is_in_order_and_counted() {
        let seen = two_holders();
        assert_eq!(seen.wrongs(), Vec::<String>::new());
        let late: Vec<_> = seen
            .late()
            .iter()
            .map(|(late, since)| (late.daemon, *since))
            .collect();
        assert_eq!(late, [(0, 15)]);
        assert_eq!(seen.heals_ms(1, 150), Some(70));
        assert_eq!(seen.heals_ms(2, 150), None);
    }

    #[test]
    fn every_wrong_of_two_writers_is_found_out() {
        type Plant = fn(&mut Tenures);
        let plants: [(&str, Plant); 5] = [
            ("stale epoch", |seen| {
                seen.signings.push(signing("C", 1, 2, 230));
            }),
            ("not committed", |seen| {
                seen.arrivals.push(arrival(0, "C", 230));
            }),
            ("before its commit", |seen| {
                seen.arrivals.push(arrival(1, "B", 209));
            }),
            ("a stranger", |seen| {
                seen.arrivals.push(arrival(0, "B", 230));
            }),
            ("do not grow", |seen| seen.tenures.swap(0, 1)),
        ];
        for (what, plant) in plants {
            let mut seen = two_holders();
            plant(&mut seen);
            let wrongs = seen.wrongs();
            assert!(
                wrongs.iter().any(|wrong| wrong.contains(what)),
                "{wrongs:?}"
            );
        }
    }
}
