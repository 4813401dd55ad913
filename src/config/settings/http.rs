//! The rows of `[http]`.

use super::{Kind, Setting, row};

/// Every setting of the section.
pub(super) const ROWS: &[Setting] = &[
    row("http.listen", Kind::Listen, "Where the API listens."),
    row(
        "http.body_max_bytes",
        Kind::Number,
        "The longest request body; a longer one gets 413.",
    ),
    row(
        "http.request_timeout",
        Kind::Duration,
        "How long one request may take.",
    ),
    row(
        "http.head_max_bytes",
        Kind::Number,
        "The longest head of a request, its line and its header fields; a longer one gets 431, and one whose line alone is over 8 kB gets 414.",
    ),
    row(
        "http.fields_max",
        Kind::Number,
        "The most header fields of a request; more get 431.",
    ),
    row(
        "http.head_timeout",
        Kind::Duration,
        "How long the head of a request may take to arrive; then it gets 408.",
    ),
    row(
        "http.idle_timeout",
        Kind::Duration,
        "How long a connection may stand without a request after it was answered one. Longer than a proxy in front keeps its own, or the proxy asks on a connection that was just closed.",
    ),
    row(
        "http.connections_max",
        Kind::Number,
        "The most connections at once. When all are taken, the one that has waited longest without a request gives its place up.",
    ),
    row(
        "http.connections_per_address",
        Kind::Number,
        "The most connections from one address, an IPv6 address counting by its first 64 bits; one more is closed with 503. The addresses of `http.trusted_proxies` are not counted.",
    ),
    row(
        "http.cors_origins",
        Kind::List,
        "The origins of web pages that may read the answers, each to the letter, as `\"https://shop.example\"`. Without any no page may.",
    ),
    row(
        "http.trusted_proxies",
        Kind::List,
        "The networks, such as `10.0.0.0/8`, or addresses of the proxies before the daemon. Their word in \
         `X-Forwarded-For` is taken about who asks; nobody else's is.",
    ),
];
