//! The rows that only `xrpayd preflight` reads.

use super::{Kind, Setting, row};

/// Every setting of the section, and what the checklist asks of a wallet.
pub(super) const ROWS: &[Setting] = &[
    row(
        "wallets.<name>.balance_cap_xrp",
        Kind::Xrp,
        "The most that the wallet is to hold: what is above belongs into a colder one. The daemon goes on \
         above it; `xrpayd preflight` fails, as it does where a hot wallet has none.",
    ),
    row(
        "preflight.alertmanager_url",
        Kind::Url,
        "Where Alertmanager is, as `\"http://alertmanager:9093\"`: `xrpayd preflight` asks it for its receivers.",
    ),
    row(
        "preflight.public_url",
        Kind::Url,
        "Where clients find the API, as `\"https://pay.example.com\"`: `xrpayd preflight` asks it for \
         `/health/live` and looks at its certificate.",
    ),
    row(
        "preflight.ca_file",
        Kind::Text,
        "A PEM file of root certificates that these two may chain to, besides Mozilla's that are bundled with \
         this program.",
    ),
    row(
        "preflight.address_list",
        Kind::Text,
        "The production list of addresses, kept by somebody else than this configuration: a file with a \
         wallet's name and its address on each line. `xrpayd preflight` holds the wallets against it.",
    ),
];
