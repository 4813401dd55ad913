//! Who can reach the service, and whom it can reach.

use super::fetch;
use crate::config::Loaded;
use crate::preflight::service::{Answered, Port, Reach, ServiceFacts, Telling, is_placeholder};
use crate::webhooks::address;
use crate::xrpl::Roots;
use rustls::RootCertStore;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use url::Url;

/// Where Linux tells the addresses of a machine.
const ADDRESSES_V4: &str = "/proc/net/fib_trie";
/// The same for IPv6.
const ADDRESSES_V6: &str = "/proc/net/if_inet6";

/// Looks, and asks whoever is configured; what becomes of the webhooks is filled in by others.
pub(super) async fn gather(loaded: &Loaded, patience: Duration) -> ServiceFacts {
    let config = &loaded.config;
    let roots = roots(loaded);
    let (alertmanager, public, port) = tokio::join!(
        alertmanager(loaded, &roots, patience),
        public(loaded, &roots, patience),
        port(config.http.listen, patience),
    );
    let own = own_addresses();
    ServiceFacts {
        warnings: loaded.warnings.iter().map(ToString::to_string).collect(),
        needs_key: config.auth.enabled,
        http: (
            config.http.listen,
            reach(config.http.listen.ip(), own.as_deref()),
        ),
        names_proxies: !config.http.trusted_proxies.is_empty(),
        port,
        rates: (config.rate_limit.per_minute, config.rate_limit.per_hour),
        public,
        metrics: (
            config.telemetry.listen,
            reach(config.telemetry.listen.ip(), own.as_deref()),
        ),
        alert_receiver: config.telemetry.alert_receiver.clone(),
        alertmanager,
        webhooks: Ok(Vec::new()),
        caps: (config.limits.max_payment, config.limits.daily_limit),
        approval: config.limits.approval.map(|rule| rule.threshold),
    }
}

/// Mozilla's roots, and the operator's own besides; or why those cannot be had.
fn roots(loaded: &Loaded) -> Result<Arc<RootCertStore>, String> {
    let bundled = Roots::Bundled.store();
    let Some(path) = &loaded.config.preflight.ca_file else {
        return Ok(bundled);
    };
    let own = Roots::read(path).map_err(|error| error.to_string())?;
    let mut roots = bundled.as_ref().clone();
    roots.extend(own.store().roots.iter().cloned());
    Ok(Arc::new(roots))
}

/// `path` below a configured URL, whichever way that ends.
fn below(url: &Url, path: &str) -> Url {
    let mut whole = url.clone();
    whole.set_path(&format!("{}{path}", url.path().trim_end_matches('/')));
    whole.set_query(None);
    whole.set_fragment(None);
    whole
}

async fn alertmanager(
    loaded: &Loaded,
    roots: &Result<Arc<RootCertStore>, String>,
    patience: Duration,
) -> Option<Result<Telling, String>> {
    let url = loaded.config.preflight.alertmanager_url.as_ref()?;
    let asked = async {
        let roots = roots.as_ref().map_err(Clone::clone)?;
        let get = async |path: &str| {
            let got = fetch::get(&below(url, path), roots, patience).await?;
            match got.status {
                200 => Ok(got.body),
                status => Err(format!("it answers {path} with status {status}")),
            }
        };
        let (names, status, metrics, alerts) = tokio::try_join!(
            get("/api/v2/receivers"),
            get("/api/v2/status"),
            get("/metrics"),
            get("/api/v2/alerts"),
        )?;
        Ok(Telling {
            receivers: receivers(&names)?,
            placeholders: placeholders(&status)?,
            ways: ways(&String::from_utf8_lossy(&metrics)),
            is_undelivered: list(&alerts)?.iter().any(tells_of_itself),
        })
    };
    Some(asked.await)
}

/// An answer that is a list.
fn list(body: &[u8]) -> Result<Vec<Value>, String> {
    let answer: Value = serde_json::from_slice(body)
        .map_err(|error| format!("its answer is not Alertmanager's: {error}"))?;
    let list = answer.as_array().cloned();
    list.ok_or_else(|| "its answer is not Alertmanager's".to_owned())
}

/// Whether an alert is the one that somebody is not told.
fn tells_of_itself(alert: &Value) -> bool {
    alert["labels"]["alertname"] == "AlertsUndelivered" && alert["status"]["state"] == "active"
}

/// Hosts of the configuration that it runs with that are nobody's. Newer versions show no URL of a webhook;
/// what they hide is judged by whether anybody was told.
fn placeholders(status: &[u8]) -> Result<Vec<String>, String> {
    let answer: Value = serde_json::from_slice(status)
        .map_err(|error| format!("its answer is not Alertmanager's: {error}"))?;
    let config = answer["config"]["original"]
        .as_str()
        .ok_or("its answer is not Alertmanager's")?;
    let urls = config
        .split_whitespace()
        .filter_map(|word| Url::parse(word.trim_matches(['"', '\''])).ok());
    let hosts = urls.filter_map(|url| url.host_str().map(str::to_owned));
    let found: BTreeSet<String> = hosts.filter(|host| is_placeholder(host)).collect();
    Ok(found.into_iter().collect())
}

/// A counter's value. From a million on it is told by its magnitude, and that is enough to know.
fn count(value: &str) -> Option<u64> {
    let told = value.parse().ok();
    told.or_else(|| value.contains("e+").then_some(1_000_000))
}

/// Each way of telling in Alertmanager's metrics: how often it was gone, and how often in vain.
fn ways(metrics: &str) -> Vec<(String, u64, u64)> {
    let mut ways = BTreeMap::<String, (u64, u64)>::new();
    for line in metrics.lines() {
        let Some((series, value)) = line.rsplit_once(' ') else {
            continue;
        };
        let Some((name, labels)) = series.split_once('{') else {
            continue;
        };
        let way = labels
            .split_once("integration=\"")
            .and_then(|(_, rest)| rest.split_once('"'));
        let (Some((way, _)), Some(count)) = (way, count(value)) else {
            continue;
        };
        let counts = ways.entry(way.to_owned()).or_default();
        match name {
            "alertmanager_notifications_total" => counts.0 = counts.0.saturating_add(count),
            "alertmanager_notifications_failed_total" => counts.1 = counts.1.saturating_add(count),
            _ => {}
        }
    }
    let ways = ways.into_iter();
    ways.map(|(way, (told, in_vain))| (way, told, in_vain))
        .collect()
}

/// The names in Alertmanager's answer.
fn receivers(body: &[u8]) -> Result<Vec<String>, String> {
    let list = list(body)?;
    let names = list
        .iter()
        .map(|one| one["name"].as_str().map(str::to_owned));
    let names: Option<Vec<String>> = names.collect();
    names.ok_or_else(|| "its answer is not Alertmanager's".to_owned())
}

async fn public(
    loaded: &Loaded,
    roots: &Result<Arc<RootCertStore>, String>,
    patience: Duration,
) -> Option<Result<Answered, String>> {
    let url = loaded.config.preflight.public_url.as_ref()?;
    let asked = async {
        let roots = roots.as_ref().map_err(Clone::clone)?;
        let got = fetch::get(&below(url, "/health/live"), roots, patience).await?;
        Ok(Answered {
            status: got.status,
            certificate: got.certificate,
        })
    };
    Some(asked.await)
}

/// Who has the API's address: it is tried to be had, and given back at once.
async fn port(listen: SocketAddr, patience: Duration) -> Port {
    let refused = match TcpListener::bind(listen).await {
        Ok(_free) => return Port::Free,
        Err(error) => error,
    };
    if refused.kind() != std::io::ErrorKind::AddrInUse {
        return Port::Taken(refused.to_string());
    }
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    let text = format!("http://{}/health/ready", SocketAddr::new(ip, listen.port()));
    let Ok(url) = Url::parse(&text) else {
        return Port::Taken(refused.to_string());
    };
    match fetch::get(&url, &Roots::Bundled.store(), patience).await {
        Err(why) => Port::Taken(why),
        Ok(got) => {
            let answer: Value = serde_json::from_slice(&got.body).unwrap_or_default();
            match (got.status, answer["status"].as_str()) {
                (200, Some(_)) => Port::Ours(Ok(())),
                (503, Some(_)) => {
                    let why = answer["reason"].as_str().unwrap_or("it is not ready");
                    Port::Ours(Err(why.to_owned()))
                }
                (status, _) => Port::Taken(format!("it answers with status {status}")),
            }
        }
    }
}

/// Who reaches an address that is listened on; `own` are the addresses of this machine.
fn reach(listen: IpAddr, own: Option<&[IpAddr]>) -> Reach {
    if listen.is_loopback() {
        return Reach::Machine;
    }
    if !listen.is_unspecified() {
        return of_addresses(&[listen]);
    }
    own.map_or(Reach::Unknown, of_addresses)
}

fn of_addresses(addresses: &[IpAddr]) -> Reach {
    let mut public = addresses
        .iter()
        .filter(|address| address::reach(**address) == address::Reach::Public);
    public
        .next()
        .map_or(Reach::Private, |address| Reach::Public(address.to_string()))
}

/// The addresses of this machine; none where the system does not tell them.
fn own_addresses() -> Option<Vec<IpAddr>> {
    let v4 = std::fs::read_to_string(ADDRESSES_V4).ok()?;
    // A machine without IPv6 has no such file.
    let v6 = std::fs::read_to_string(ADDRESSES_V6).unwrap_or_default();
    let mut all = addresses_v4(&v4);
    all.extend(addresses_v6(&v6));
    Some(all)
}

/// The addresses in the kernel's table of routes: each on a line before the one that calls it local.
fn addresses_v4(table: &str) -> Vec<IpAddr> {
    let mut last = None;
    let mut found = Vec::new();
    for line in table.lines().map(str::trim) {
        if let Some(address) = line.strip_prefix("|-- ") {
            last = address.parse::<Ipv4Addr>().ok();
        } else if line == "/32 host LOCAL" {
            found.extend(last.map(IpAddr::V4));
        }
    }
    found.sort_unstable();
    found.dedup();
    found
}

/// The addresses in the kernel's list of interfaces: 32 hexadecimal digits at the start of each line.
fn addresses_v6(list: &str) -> Vec<IpAddr> {
    let digits = list
        .lines()
        .filter_map(|line| line.split_whitespace().next());
    let numbers = digits.filter_map(|digits| u128::from_str_radix(digits, 16).ok());
    numbers
        .map(|bits| IpAddr::V6(Ipv6Addr::from_bits(bits)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_alertmanager_says_of_those_whom_it_tells_is_read() {
        let config = "receivers:\n- url: https://pager.example.net/x\n- url: <secret>\n\
            - api: \"https://chat.test\"\n";
        let status = serde_json::json!({ "config": { "original": config } }).to_string();
        let found = placeholders(status.as_bytes()).unwrap();
        assert_eq!(found, ["pager.example.net"]);
        assert!(placeholders(b"[]").is_err() && list(b"{}").is_err());
        let metrics = "# HELP x y\nalertmanager_notifications_total{integration=\"webhook\"} 7\n\
            alertmanager_notifications_failed_total{integration=\"webhook\",reason=\"other\"} 2\n\
            alertmanager_notifications_failed_total{integration=\"webhook\",reason=\"clientError\"} 1\n\
            alertmanager_notifications_total{integration=\"slack\"} 1.5e+06\nother 3\n";
        let expected = [
            ("slack".to_owned(), 1_000_000, 0),
            ("webhook".to_owned(), 7, 3),
        ];
        assert_eq!(ways(metrics), expected);
        let active = |name: &str, state: &str| {
            tells_of_itself(&serde_json::json!({
                "labels": { "alertname": name }, "status": { "state": state },
            }))
        };
        assert!(active("AlertsUndelivered", "active"));
        assert!(!active("AlertsUndelivered", "suppressed") && !active("XrpaydDown", "active"));
    }

    const TABLE: &str = "Main:\n  +-- 0.0.0.0/0 3 0 5\n     |-- 0.0.0.0\n        /0 universe UNICAST\n\
        \x20    +-- 127.0.0.0/8 2 0 2\n           |-- 127.0.0.1\n              /32 host LOCAL\n\
        \x20          |-- 127.255.255.255\n              /32 link BROADCAST\n\
        \x20    |-- 10.1.2.3\n        /32 host LOCAL\n";

    #[test]
    fn the_kernels_tables_tell_the_machines_addresses() {
        let v4 = addresses_v4(TABLE);
        let expected: [IpAddr; 2] = ["10.1.2.3".parse().unwrap(), "127.0.0.1".parse().unwrap()];
        assert_eq!(v4, expected);
        let list = "00000000000000000000000000000001 01 80 10 80 lo\n\
            20010db8000000000000000000000005 02 40 00 80 eth0\n";
        let v6 = addresses_v6(list);
        assert_eq!(v6[0], IpAddr::V6(Ipv6Addr::LOCALHOST));
        assert_eq!(v6[1].to_string(), "2001:db8::5");
    }

    #[test]
    fn who_reaches_a_listener_follows_from_the_machines_addresses() {
        let ip = |text: &str| text.parse::<IpAddr>().unwrap();
        let (any, inside, outside) = (ip("0.0.0.0"), ip("10.1.2.3"), ip("8.8.4.4"));
        assert_eq!(reach(ip("127.0.0.1"), None), Reach::Machine);
        assert_eq!(reach(inside, None), Reach::Private);
        assert_eq!(reach(any, None), Reach::Unknown);
        assert_eq!(reach(any, Some(&[inside])), Reach::Private);
        let public = Reach::Public("8.8.4.4".to_owned());
        assert_eq!(reach(any, Some(&[inside, outside])), public);
        assert_eq!(reach(outside, None), public);
    }

    #[test]
    fn only_alertmanagers_own_answer_names_receivers() {
        let names = receivers(br#"[{"name":"page"},{"name":"chat"}]"#);
        assert_eq!(names.unwrap(), ["page", "chat"]);
        for bad in ["[{}]", "{}", "<html>"] {
            assert!(receivers(bad.as_bytes()).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_path_stands_below_whatever_is_configured() {
        for (url, whole) in [
            ("https://pay.example", "https://pay.example/health/live"),
            ("https://pay.example/", "https://pay.example/health/live"),
            (
                "https://a.example/pay/?x#y",
                "https://a.example/pay/health/live",
            ),
        ] {
            let url = Url::parse(url).unwrap();
            assert_eq!(below(&url, "/health/live").as_str(), whole);
        }
    }
}
