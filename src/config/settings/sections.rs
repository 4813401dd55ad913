//! The sections, in the order of the manual.

/// Every section, in the order of the manual, with a word on it.
pub(in crate::config) const SECTIONS: [(&str, &str); 18] = [
    ("network", "Which XRP Ledger network the daemon pays on."),
    ("xrpl", "The servers, and how they are spoken to."),
    (
        "wallets",
        "The hot wallets: one table a wallet, `[wallets.hot]`. A name has lower-case letters, digits, \
         `_` and `-`. `[wallets.\"*\"]` holds what every wallet has that does not say otherwise.",
    ),
    (
        "limits",
        "The hard caps, whatever the stage of the rollout; and caps of single clients and destinations, \
         which hold besides: one table a client, `[limits.clients.shop]`, and one an address, \
         `[limits.destinations.r…]`. `[limits.clients.\"*\"]` and `[limits.destinations.\"*\"]` hold what \
         every one has that does not say otherwise. What is not set is not bounded there; a cap of 0 lets \
         nothing through. A cap that is set later counts what the last 24 hours have seen before.",
    ),
    (
        "rollout",
        "The stages, in order. A list of stages in a later layer replaces the whole list. Of a \
         stage's cap and the hard cap the lower one holds.",
    ),
    ("http", "The public API."),
    ("auth", "Who may use the API."),
    ("rate_limit", "How often one API key may use it."),
    ("store", "The database."),
    (
        "webhooks",
        "How clients' endpoints are told of what happens. Endpoints themselves are made over the API.",
    ),
    (
        "invoices",
        "Money that is asked for, and by which tag it is known when it comes.",
    ),
    (
        "events",
        "The feed of what happened: `GET /v1/events` and its stream.",
    ),
    (
        "reconcile",
        "Books against ledger, in the background. A wallet whose books differ is halted.",
    ),
    ("telemetry", "Logs and metrics."),
    (
        "lease",
        "Who may write a wallet, where several replicas serve one PostgreSQL database.",
    ),
    (
        "preflight",
        "What `xrpayd preflight` looks at besides what the daemon uses. See [PREFLIGHT.md](PREFLIGHT.md).",
    ),
    ("shutdown", "How the daemon ends."),
    ("secrets", "Reserved; it has no settings in this version."),
];
