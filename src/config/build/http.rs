//! Section `http`.

use super::callers::trusted_proxies;
use super::positive;
use crate::config::read::Reader;
use crate::config::schema::Http;

/// The most that a listener may be asked to hold.
const CONNECTIONS: std::ops::RangeInclusive<u64> = 1..=1_000_000;
const ORIGINS: &str = "http.cors_origins";

/// Reads the section.
pub(super) fn http(r: &mut Reader) -> Option<Http> {
    let listen = r.required("http.listen");
    let body_max_bytes = r.number("http.body_max_bytes", 1_024..=1_048_576);
    let request_timeout = positive(r, "http.request_timeout");
    let head_max_bytes = r.number("http.head_max_bytes", 1_024..=1_048_576);
    let fields_max = r.number("http.fields_max", 16..=1_000);
    let head_timeout = positive(r, "http.head_timeout");
    let idle_timeout = positive(r, "http.idle_timeout");
    let connections_max = r.number("http.connections_max", CONNECTIONS);
    let connections_per_address = r.number("http.connections_per_address", CONNECTIONS);
    let cors_origins = r.required::<Vec<String>>(ORIGINS);
    for origin in cors_origins.iter().flatten() {
        if let Some(wrong) = fault_of_origin(origin) {
            r.error(ORIGINS, format!("names {origin:?}, {wrong}"));
        }
    }
    let trusted_proxies = trusted_proxies(r);
    Some(Http {
        listen: listen?,
        body_max_bytes: body_max_bytes?,
        request_timeout: request_timeout?,
        head_max_bytes: head_max_bytes?,
        fields_max: fields_max?,
        head_timeout: head_timeout?,
        idle_timeout: idle_timeout?,
        connections_max: connections_max?,
        connections_per_address: connections_per_address?,
        cors_origins: cors_origins?,
        trusted_proxies: trusted_proxies?,
    })
}

/// An origin is compared to the letter with what browsers send: what no browser sends is a mistake.
fn fault_of_origin(origin: &str) -> Option<&'static str> {
    if origin == "*" {
        return Some("and every origin has to be named: keys are not for every page");
    }
    let Ok(url) = url::Url::parse(origin) else {
        return Some("which is no origin, as https://shop.example is");
    };
    if !matches!(url.scheme(), "http" | "https") || url.origin().ascii_serialization() != origin {
        return Some(
            "which no browser sends: an origin is scheme, host and port where it is not the usual \
             one, in lower case and without a slash at its end",
        );
    }
    None
}
