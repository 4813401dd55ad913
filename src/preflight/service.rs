//! What the service is asked to do and who can reach it: listeners, limits, alerts, receivers.

use super::items;
use super::servers::certificate_row;
use super::{Outcome, Row, must, should};
use std::net::SocketAddr;
use xrpayd_core::ids::UnixMs;
use xrpayd_core::money::Drops;

/// A rate above which a key is not limited in earnest.
const PER_MINUTE_MAX: u32 = 6_000;
/// The same for an hour.
const PER_HOUR_MAX: u32 = 100_000;
/// The shipped most that one payment may move: more is meant, or a mistake.
const SHIPPED_MAX_PAYMENT: Drops = drops(100_000_000);
/// The shipped most that a day may move.
const SHIPPED_DAILY: Drops = drops(1_000_000_000);

const fn drops(drops: u64) -> Drops {
    match Drops::new(drops) {
        Some(drops) => drops,
        None => Drops::MAX,
    }
}

/// What was seen.
#[derive(Debug, Clone)]
pub struct ServiceFacts {
    /// What the configuration's own checks warn of.
    pub warnings: Vec<String>,
    /// Whether requests need a key.
    pub needs_key: bool,
    /// The API's address and who reaches it.
    pub http: (SocketAddr, Reach),
    /// Whether proxies are named.
    pub names_proxies: bool,
    /// Who has the API's address now.
    pub port: Port,
    /// Writes of a key in a minute and in an hour.
    pub rates: (u32, u32),
    /// The certificate under which clients find the API, and the answer there; none where no URL is set.
    pub public: Option<Result<Answered, String>>,
    /// The metrics' address and who reaches it.
    pub metrics: (SocketAddr, Reach),
    /// Who is told, in the operator's words.
    pub alert_receiver: Option<String>,
    /// What Alertmanager says of those it tells; none where no URL is set.
    pub alertmanager: Option<Result<Telling, String>>,
    /// Each webhook endpoint that is enabled, and whether it can be reached; or why they are not known.
    pub webhooks: Result<Vec<Knock>, String>,
    /// The most that one payment, and a day, may move.
    pub caps: (Drops, Drops),
    /// From which amount on a second person is asked; none where nobody is.
    pub approval: Option<Drops>,
}

/// Whom Alertmanager tells, and whether they take it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Telling {
    /// The names of its receivers.
    pub receivers: Vec<String>,
    /// Hosts of its configuration that are nobody's: names that are kept for examples.
    pub placeholders: Vec<String>,
    /// Each way that it has told anybody by since it started: its name, how often, and how often in vain.
    pub ways: Vec<(String, u64, u64)>,
    /// Whether it says itself, by the alert of that, that somebody is not told now.
    pub is_undelivered: bool,
}

impl Telling {
    /// Why nobody may count on it, where that is so.
    fn fault(&self) -> Option<String> {
        if self.receivers.is_empty() {
            return Some("Alertmanager has no receiver".to_owned());
        }
        if !self.placeholders.is_empty() {
            let hosts = self.placeholders.join(", ");
            return Some(format!("its receivers are examples and nobody's: {hosts}"));
        }
        if self.is_undelivered {
            return Some("AlertsUndelivered fires: somebody is not told".to_owned());
        }
        if self.ways.iter().all(|(_, told, _)| *told == 0) {
            return Some("it has told nobody since it started: send a test page".to_owned());
        }
        let mut in_vain = self
            .ways
            .iter()
            .filter(|(_, told, vain)| *vain > 0 && vain >= told);
        in_vain
            .next()
            .map(|(way, told, _)| format!("by {way} it has told nobody, {told} times"))
    }
}

/// Whether a name is kept for examples, and is nobody's.
pub fn is_placeholder(host: &str) -> bool {
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    let kept = ["example", "example.com", "example.net", "example.org"];
    let is_within = |name: &&str| host == **name || host.ends_with(&format!(".{name}"));
    kept.iter().any(is_within)
}

/// An endpoint, and what it could not be reached for, where it could not.
pub type Knock = (String, Result<(), String>);

/// Who reaches an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reach {
    /// This machine alone.
    Machine,
    /// Private networks, by the addresses that this machine has.
    Private,
    /// Anybody, by this address.
    Public(String),
    /// Every address of this machine, and which those are cannot be seen.
    Unknown,
}

/// Who has an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Port {
    /// Nobody.
    Free,
    /// This service, which says it is ready, or why not.
    Ours(Result<(), String>),
    /// Something else.
    Taken(String),
}

/// What was found under the public URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answered {
    /// The status of the answer.
    pub status: u16,
    /// Until when the certificate holds; none where there is none.
    pub certificate: Option<UnixMs>,
}

/// The rows of the service.
#[must_use]
pub fn rows(facts: &ServiceFacts, now: UnixMs) -> Vec<Row> {
    let warnings = &facts.warnings;
    let words = match warnings.as_slice() {
        [] => "nothing is wrong with it".to_owned(),
        some => some.join("; "),
    };
    let mut rows = vec![Row::of(
        &items::CONFIG_VALID,
        should(warnings.is_empty()),
        words,
    )];
    let words = match facts.needs_key {
        true => "every request needs a key",
        false => "auth.enabled is false: whoever reaches the API may spend",
    };
    rows.push(Row::of(&items::AUTH_ON, must(facts.needs_key), words));
    rows.push(http(facts));
    rows.push(port(facts));
    rows.push(rates(facts));
    // Where no URL is set a person has to say so.
    rows.extend(facts.public.as_ref().map(|seen| public(seen, now)));
    rows.push(metrics(facts));
    rows.push(alerts(facts));
    rows.extend(webhooks(facts));
    rows.extend(limits(facts));
    rows
}

fn shown(reach: &Reach) -> String {
    match reach {
        Reach::Machine => "this machine alone".to_owned(),
        Reach::Private => "private networks".to_owned(),
        Reach::Public(address) => format!("anybody who reaches {address}"),
        Reach::Unknown => "whoever reaches any address of this machine".to_owned(),
    }
}

fn http(facts: &ServiceFacts) -> Row {
    let (address, reach) = &facts.http;
    let reached = format!("{address} is reached by {}", shown(reach));
    let (outcome, words) = match (reach, facts.names_proxies) {
        (Reach::Machine, _) => (Outcome::Pass, reached),
        (Reach::Private | Reach::Unknown, true) => {
            (Outcome::Pass, format!("{reached}; proxies are named"))
        }
        (Reach::Private | Reach::Unknown, false) => (
            Outcome::Fail,
            format!("{reached}, in the clear, and no proxy is named"),
        ),
        (Reach::Public(_), _) => (Outcome::Fail, format!("{reached}, in the clear")),
    };
    Row::of(&items::HTTP_EXPOSED, outcome, words)
}

fn port(facts: &ServiceFacts) -> Row {
    let address = facts.http.0;
    let (outcome, words) = match &facts.port {
        Port::Free => (Outcome::Pass, format!("nothing listens at {address} yet")),
        Port::Ours(Ok(())) => (Outcome::Pass, format!("the service at {address} is ready")),
        Port::Ours(Err(why)) => (Outcome::Fail, format!("the service at {address}: {why}")),
        Port::Taken(why) => (
            Outcome::Fail,
            format!("something else has {address}: {why}"),
        ),
    };
    Row::of(&items::HTTP_PORT, outcome, words)
}

fn rates(facts: &ServiceFacts) -> Row {
    let (minute, hour) = facts.rates;
    let is_bound = minute <= PER_MINUTE_MAX && hour <= PER_HOUR_MAX;
    let words = format!("{minute} writes a minute and {hour} an hour");
    Row::of(&items::HTTP_RATES, must(is_bound), words)
}

fn public(seen: &Result<Answered, String>, now: UnixMs) -> Row {
    let (outcome, words) = match seen {
        Err(why) => (Outcome::Fail, why.clone()),
        Ok(answer) => match answer.certificate {
            None => (Outcome::Fail, "it is plain http://".to_owned()),
            Some(until) => {
                let (outcome, words) = certificate_row(&Ok(until), now);
                let is_well = outcome == Outcome::Pass && answer.status == 200;
                (must(is_well), format!("status {}; {words}", answer.status))
            }
        },
    };
    Row::of(&items::HTTP_CERTIFICATE, outcome, words)
}

fn metrics(facts: &ServiceFacts) -> Row {
    let (address, reach) = &facts.metrics;
    let outcome = match reach {
        Reach::Machine | Reach::Private => Outcome::Pass,
        Reach::Unknown => Outcome::Warn,
        Reach::Public(_) => Outcome::Fail,
    };
    let words = format!("{address} is reached by {}", shown(reach));
    Row::of(&items::METRICS_EXPOSED, outcome, words)
}

fn alerts(facts: &ServiceFacts) -> Row {
    let (outcome, words) = match (&facts.alertmanager, &facts.alert_receiver) {
        (None, _) => (
            Outcome::Fail,
            "preflight.alertmanager_url is not set".to_owned(),
        ),
        (Some(Err(why)), _) => (Outcome::Fail, why.clone()),
        (Some(Ok(telling)), who) => {
            let names = telling.receivers.join(", ");
            match (telling.fault(), who) {
                (Some(why), _) => (Outcome::Fail, why),
                (None, None) => (
                    Outcome::Fail,
                    format!("it has {names}; telemetry.alert_receiver is not set"),
                ),
                (None, Some(who)) if who.split([':', '/', '@', ' ']).any(is_placeholder) => (
                    Outcome::Fail,
                    format!("telemetry.alert_receiver is an example and nobody's: {who}"),
                ),
                (None, Some(who)) => (Outcome::Pass, format!("it has {names}; {who} is told")),
            }
        }
    };
    Row::of(&items::ALERTS_RECEIVER, outcome, words)
}

fn webhooks(facts: &ServiceFacts) -> Vec<Row> {
    let item = &items::WEBHOOK_RECEIVERS;
    match &facts.webhooks {
        Err(why) => vec![Row::of(item, Outcome::Fail, why.clone())],
        Ok(endpoints) if endpoints.is_empty() => {
            vec![Row::of(item, Outcome::Pass, "there is none")]
        }
        Ok(endpoints) => endpoints
            .iter()
            .map(|(id, reached)| match reached {
                Ok(()) => Row::about(item, id, Outcome::Pass, "it is reached"),
                Err(why) => Row::about(item, id, Outcome::Fail, why.clone()),
            })
            .collect(),
    }
}

fn limits(facts: &ServiceFacts) -> Vec<Row> {
    let (payment, daily) = facts.caps;
    let told = format!(
        "{} XRP a payment, {} XRP a day",
        payment.to_xrp(),
        daily.to_xrp()
    );
    let caps = if payment > daily {
        (
            Outcome::Fail,
            format!("{told}: a day does not bear one payment"),
        )
    } else if payment > SHIPPED_MAX_PAYMENT || daily > SHIPPED_DAILY {
        (
            Outcome::Warn,
            format!("{told}: more than the shipped 100 and 1,000"),
        )
    } else {
        (Outcome::Pass, told)
    };
    let approval = match facts.approval {
        None => (
            Outcome::Fail,
            "limits.approval_threshold is not set".to_owned(),
        ),
        Some(from) => (
            must(from <= payment),
            format!(
                "from {} XRP on, of {} XRP at most",
                from.to_xrp(),
                payment.to_xrp()
            ),
        ),
    };
    vec![
        Row::of(&items::LIMITS_CAPS, caps.0, caps.1),
        Row::of(&items::LIMITS_APPROVAL, approval.0, approval.1),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixMs = UnixMs(1_000_000);

    fn service() -> ServiceFacts {
        ServiceFacts {
            warnings: Vec::new(),
            needs_key: true,
            http: (SocketAddr::from(([127, 0, 0, 1], 3000)), Reach::Machine),
            names_proxies: false,
            port: Port::Free,
            rates: (30, 500),
            public: Some(Ok(Answered {
                status: 200,
                certificate: Some(UnixMs(NOW.0 + 60 * 86_400_000)),
            })),
            metrics: (SocketAddr::from(([10, 0, 0, 1], 9090)), Reach::Private),
            alert_receiver: Some("the rota".to_owned()),
            alertmanager: Some(Ok(Telling {
                receivers: vec!["page".to_owned()],
                placeholders: Vec::new(),
                ways: vec![("webhook".to_owned(), 5, 1)],
                is_undelivered: false,
            })),
            webhooks: Ok(vec![("we_1".to_owned(), Ok(()))]),
            caps: (SHIPPED_MAX_PAYMENT, SHIPPED_DAILY),
            approval: Some(drops(50_000_000)),
        }
    }

    fn found(change: fn(&mut ServiceFacts)) -> Vec<(&'static str, &'static str)> {
        let mut facts = service();
        change(&mut facts);
        let rows = rows(&facts, NOW).into_iter();
        let bad = rows.filter(|row| row.outcome != Outcome::Pass);
        bad.map(|row| (row.item.id, row.outcome.as_str())).collect()
    }

    /// Something else about those whom Alertmanager tells.
    fn told(change: fn(&mut Telling)) -> Vec<(&'static str, &'static str)> {
        let mut facts = service();
        if let Some(Ok(telling)) = &mut facts.alertmanager {
            change(telling);
        }
        let rows = rows(&facts, NOW).into_iter();
        let bad = rows.filter(|row| row.outcome != Outcome::Pass);
        bad.map(|row| (row.item.id, row.outcome.as_str())).collect()
    }

    #[test]
    fn receivers_that_nobody_is_behind_are_no_receivers() {
        let fails = [("alerts.receiver", "fail")];
        assert_eq!(told(|_| ()), []);
        assert_eq!(told(|t| t.receivers.clear()), fails);
        assert_eq!(told(|t| t.ways.clear()), fails);
        assert_eq!(told(|t| t.ways = vec![("webhook".to_owned(), 0, 0)]), fails);
        let in_vain = |t: &mut Telling| t.ways.push(("pagerduty".to_owned(), 3, 3));
        assert_eq!(told(in_vain), fails);
        assert_eq!(told(|t| t.ways.push(("slack".to_owned(), 0, 0))), []);
        assert_eq!(told(|t| t.is_undelivered = true), fails);
        let example = |t: &mut Telling| t.placeholders.push("pager.example.net".to_owned());
        assert_eq!(told(example), fails);
        for who in ["https://pager.example.com/x", "a@Example.ORG", "example"] {
            let mut facts = service();
            facts.alert_receiver = Some(who.to_owned());
            let row = alerts(&facts);
            assert_eq!(row.outcome, Outcome::Fail, "{who}");
        }
        for who in [
            "pager.test",
            "counterexample.com",
            "the rota",
            "alertmanager:9093",
        ] {
            assert!(!who.split([':', ' ']).any(is_placeholder), "{who}");
        }
    }

    #[test]
    fn a_sound_service_passes_and_each_fault_is_named() {
        assert_eq!(found(|_| ()), []);
        assert_eq!(
            found(|s| s.warnings.push("x".to_owned())),
            [("config.valid", "warn")]
        );
        assert_eq!(found(|s| s.needs_key = false), [("http.auth", "fail")]);
        assert_eq!(
            found(|s| s.http.1 = Reach::Private),
            [("http.exposure", "fail")]
        );
        assert_eq!(
            found(|s| {
                s.http.1 = Reach::Private;
                s.names_proxies = true;
            }),
            []
        );
        let public = |s: &mut ServiceFacts| {
            s.http.1 = Reach::Public("1.2.3.4".to_owned());
            s.names_proxies = true;
        };
        assert_eq!(found(public), [("http.exposure", "fail")]);
        assert_eq!(
            found(|s| s.port = Port::Taken("404".to_owned())),
            [("http.port", "fail")]
        );
        assert_eq!(
            found(|s| s.port = Port::Ours(Err("503".to_owned()))),
            [("http.port", "fail")]
        );
        assert_eq!(
            found(|s| s.rates = (1_000_000_000, 500)),
            [("http.rate_limits", "fail")]
        );
        assert_eq!(found(|s| s.public = None), []);
        assert_eq!(
            found(|s| {
                s.public = Some(Ok(Answered {
                    status: 200,
                    certificate: None,
                }));
            }),
            [("http.certificate", "fail")]
        );
        assert_eq!(
            found(|s| s.metrics.1 = Reach::Public("1.2.3.4".to_owned())),
            [("metrics.exposure", "fail")]
        );
        assert_eq!(
            found(|s| s.alertmanager = None),
            [("alerts.receiver", "fail")]
        );
        assert_eq!(
            found(|s| s.alert_receiver = None),
            [("alerts.receiver", "fail")]
        );
        assert_eq!(
            found(|s| s.webhooks = Ok(vec![("we_1".to_owned(), Err("refused".to_owned()))])),
            [("webhooks.receivers", "fail")]
        );
        assert_eq!(
            found(|s| s.webhooks = Err("away".to_owned())),
            [("webhooks.receivers", "fail")]
        );
        assert_eq!(found(|s| s.caps.1 = drops(1)), [("limits.caps", "fail")]);
        assert_eq!(
            found(|s| s.caps.1 = drops(2_000_000_000)),
            [("limits.caps", "warn")]
        );
        assert_eq!(found(|s| s.approval = None), [("limits.approval", "fail")]);
        assert_eq!(
            found(|s| s.approval = Some(drops(200_000_000))),
            [("limits.approval", "fail")]
        );
    }
}
