//! The table of who may use which route, and the routes that the source has.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Every scope but `admin`.
pub(super) const SCOPES: [&str; 6] = [
    "payments:read",
    "payments:write",
    "payments:approve",
    "invoices:read",
    "invoices:write",
    "webhooks:write",
];

/// Who may use a route.
pub(super) enum For {
    /// Whoever comes.
    Anybody,
    /// Keys with one of these scopes.
    Scopes(&'static [&'static str]),
    /// Keys with `admin`.
    Admin,
}

/// Whose what is asked for is.
pub(super) enum Of {
    /// Nobody's in particular, or the caller's own by the nature of the route.
    Nobody,
    /// One client's; to others it is not there, by this code.
    Client(&'static str),
}

/// A route: its method, its path, who may use it, whose its object is, and a body that it takes.
pub(super) type Row = (&'static str, &'static str, For, Of, Option<&'static str>);

pub(super) const NOTHING: Option<&str> = None;
const READ: For = For::Scopes(&["payments:read"]);
const WRITE: For = For::Scopes(&["payments:write"]);
const APPROVE: For = For::Scopes(&["payments:approve"]);
const INVOICES_READ: For = For::Scopes(&["invoices:read"]);
const INVOICES_WRITE: For = For::Scopes(&["invoices:write"]);
const HOOKS: For = For::Scopes(&["webhooks:write"]);
const PAYMENT: Of = Of::Client("payment_not_found");
const INVOICE: Of = Of::Client("invoice_not_found");
const DEPOSIT: Of = Of::Client("deposit_not_found");
const ENDPOINT: Of = Of::Client("webhook_endpoint_not_found");

pub(super) fn table() -> Vec<Row> {
    let refund = r#"{"amount":{"currency":"XRP","value":"1"}}"#;
    vec![
        ("GET", "/health", For::Anybody, Of::Nobody, NOTHING),
        ("GET", "/health/live", For::Anybody, Of::Nobody, NOTHING),
        ("GET", "/health/ready", For::Anybody, Of::Nobody, NOTHING),
        ("GET", "/v1/payments", READ, Of::Nobody, NOTHING),
        ("POST", "/v1/payments", WRITE, Of::Nobody, Some("{}")),
        (
            "POST",
            "/v1/payments/validate",
            WRITE,
            Of::Nobody,
            Some("{}"),
        ),
        ("GET", "/v1/payments/{id}", READ, PAYMENT, NOTHING),
        ("GET", "/v1/payments/{id}/events", READ, PAYMENT, NOTHING),
        (
            "POST",
            "/v1/payments/{id}/cancel",
            WRITE,
            PAYMENT,
            Some("{}"),
        ),
        (
            "POST",
            "/v1/payments/{id}/approve",
            APPROVE,
            PAYMENT,
            Some(r#"{"version":1}"#),
        ),
        (
            "POST",
            "/v1/payments/{id}/reject",
            APPROVE,
            PAYMENT,
            Some(r#"{"version":1}"#),
        ),
        ("GET", "/v1/invoices", INVOICES_READ, Of::Nobody, NOTHING),
        (
            "POST",
            "/v1/invoices",
            INVOICES_WRITE,
            Of::Nobody,
            Some("{}"),
        ),
        ("GET", "/v1/invoices/{id}", INVOICES_READ, INVOICE, NOTHING),
        (
            "GET",
            "/v1/invoices/{id}/qr.svg",
            INVOICES_READ,
            INVOICE,
            NOTHING,
        ),
        (
            "POST",
            "/v1/invoices/{id}/cancel",
            INVOICES_WRITE,
            INVOICE,
            Some("{}"),
        ),
        (
            "POST",
            "/v1/invoices/{id}/refunds",
            INVOICES_WRITE,
            INVOICE,
            Some(refund),
        ),
        ("GET", "/v1/deposits", INVOICES_READ, Of::Nobody, NOTHING),
        ("GET", "/v1/deposits/{id}", INVOICES_READ, DEPOSIT, NOTHING),
        (
            "POST",
            "/v1/deposits/{id}/assign",
            INVOICES_WRITE,
            DEPOSIT,
            Some(r#"{"invoice_id":"{invoice}"}"#),
        ),
        (
            "POST",
            "/v1/deposits/{id}/return",
            INVOICES_WRITE,
            DEPOSIT,
            Some("{}"),
        ),
        ("GET", "/v1/events", READ, Of::Nobody, NOTHING),
        ("GET", "/v1/events/stream", READ, Of::Nobody, NOTHING),
        ("GET", "/v1/wallets", READ, Of::Nobody, NOTHING),
        ("GET", "/v1/wallets/{name}", READ, Of::Nobody, NOTHING),
        ("GET", "/v1/servers", READ, Of::Nobody, NOTHING),
        ("GET", "/v1/limits", READ, Of::Nobody, NOTHING),
        ("GET", "/v1/rollout", READ, Of::Nobody, NOTHING),
        ("GET", "/v1/pause", READ, Of::Nobody, NOTHING),
        ("POST", "/v1/pause", For::Admin, Of::Nobody, Some("{}")),
        ("POST", "/v1/resume", For::Admin, Of::Nobody, Some("{}")),
        ("GET", "/openapi.json", For::Anybody, Of::Nobody, NOTHING),
        ("GET", "/docs", For::Anybody, Of::Nobody, NOTHING),
        (
            "POST",
            "/v1/rollout/promote",
            For::Admin,
            Of::Nobody,
            Some("{}"),
        ),
        (
            "POST",
            "/v1/rollout/demote",
            For::Admin,
            Of::Nobody,
            Some("{}"),
        ),
        ("GET", "/v1/audit", For::Admin, Of::Nobody, NOTHING),
        ("GET", "/v1/webhook-endpoints", HOOKS, Of::Nobody, NOTHING),
        (
            "POST",
            "/v1/webhook-endpoints",
            HOOKS,
            Of::Nobody,
            Some("{}"),
        ),
        (
            "GET",
            "/v1/webhook-endpoints/{id}",
            HOOKS,
            ENDPOINT,
            NOTHING,
        ),
        (
            "PATCH",
            "/v1/webhook-endpoints/{id}",
            HOOKS,
            ENDPOINT,
            Some(r#"{"description":"x"}"#),
        ),
        (
            "DELETE",
            "/v1/webhook-endpoints/{id}",
            HOOKS,
            ENDPOINT,
            NOTHING,
        ),
        (
            "POST",
            "/v1/webhook-endpoints/{id}/rotate-secret",
            HOOKS,
            ENDPOINT,
            Some("{}"),
        ),
        (
            "POST",
            "/v1/webhook-endpoints/{id}/test",
            HOOKS,
            ENDPOINT,
            Some("{}"),
        ),
        (
            "POST",
            "/v1/webhook-endpoints/{id}/recover",
            HOOKS,
            ENDPOINT,
            Some(r#"{"since":"2027-01-01T00:00:00Z"}"#),
        ),
        (
            "GET",
            "/v1/webhook-endpoints/{id}/deliveries",
            HOOKS,
            ENDPOINT,
            NOTHING,
        ),
        (
            "GET",
            "/v1/webhook-endpoints/{id}/deliveries/{delivery}",
            HOOKS,
            ENDPOINT,
            NOTHING,
        ),
        (
            "POST",
            "/v1/webhook-endpoints/{id}/deliveries/{delivery}/redeliver",
            HOOKS,
            ENDPOINT,
            Some("{}"),
        ),
    ]
}

/// The rows of what there is: the contract names more than every version has.
pub(super) fn routes() -> Vec<Row> {
    let source = inventory();
    let is_there = |row: &Row| source.contains(&(row.0.to_owned(), row.1.to_owned()));
    table().into_iter().filter(is_there).collect()
}

/// The text of a call's arguments, from behind its opening parenthesis.
fn arguments(text: &str) -> &str {
    let (mut depth, mut quoted) = (1_usize, false);
    for (at, c) in text.char_indices() {
        match c {
            '"' => quoted = !quoted,
            '(' if !quoted => depth += 1,
            ')' if !quoted => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return &text[..at];
        }
    }
    panic!("a call without an end: {text}");
}

/// Every route of the API in the source: its methods by its path.
pub(super) fn inventory() -> BTreeSet<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/http");
    let mut found = BTreeSet::new();
    let mut folders = vec![folder];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                of_file(&std::fs::read_to_string(path).unwrap(), &mut found);
            }
        }
    }
    found
}

fn of_file(text: &str, found: &mut BTreeSet<(String, String)>) {
    let mut names = BTreeMap::new();
    for line in text.lines() {
        if let Some((name, rest)) = line.trim().split_once(": &str = \"") {
            let name = name.rsplit(' ').next().unwrap();
            names.insert(name.to_owned(), rest.trim_end_matches("\";").to_owned());
        }
    }
    for (at, call) in text.match_indices(".route(") {
        let arguments = arguments(&text[at + call.len()..]);
        let (path, methods) = arguments.split_once(',').unwrap();
        // Payments have routes of another kind: what is a route of the API is a text or a constant.
        let is_path = |c: char| c == '"' || c == '&' || c.is_ascii_uppercase();
        if !path.trim().starts_with(is_path) || path.trim().starts_with("&mut") {
            continue;
        }
        let path = path
            .trim()
            .trim_start_matches("&format!(")
            .trim_end_matches(')')
            .trim();
        let mut path = match path.strip_prefix('"') {
            Some(quoted) => quoted.trim_end_matches('"').to_owned(),
            None => names[path].clone(),
        };
        for (name, value) in &names {
            path = path.replace(&format!("{{{name}}}"), value);
        }
        // The metrics have a listener of their own.
        if path == "/metrics" {
            continue;
        }
        let before = found.len();
        for method in ["get", "post", "put", "patch", "delete", "any"] {
            let is_one = methods.match_indices(&format!("{method}(")).any(|(at, _)| {
                let before = methods[..at].chars().next_back();
                !before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == ':')
            });
            if is_one {
                found.insert((method.to_uppercase(), path.clone()));
            }
        }
        assert!(found.len() > before, "no method is read of {arguments}");
    }
}
