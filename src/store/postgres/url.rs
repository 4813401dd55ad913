//! What a URL of PostgreSQL says. A parameter that nobody knows is refused: a mistyped `sslmode` would
//! connect in the clear.

use crate::store::error::StoreError;
use sqlx::ConnectOptions as _;
use sqlx::postgres::PgConnectOptions;
use std::str::FromStr as _;
use url::Url;

/// What the driver understands.
const PARAMETERS: [&str; 18] = [
    "sslmode",
    "ssl-mode",
    "sslrootcert",
    "ssl-root-cert",
    "ssl-ca",
    "sslcert",
    "ssl-cert",
    "sslkey",
    "ssl-key",
    "statement-cache-capacity",
    "host",
    "hostaddr",
    "port",
    "dbname",
    "user",
    "password",
    "application_name",
    "options",
];

/// How to connect.
pub(super) fn options(text: &str) -> Result<PgConnectOptions, StoreError> {
    let url = Url::parse(text).map_err(|error| StoreError::Config(error.to_string()))?;
    for (name, _) in url.query_pairs() {
        if !PARAMETERS.contains(&name.as_ref()) && !name.starts_with("options[") {
            let why = format!("has a parameter {name:?} that is not known");
            return Err(StoreError::Config(why));
        }
    }
    let options = PgConnectOptions::from_str(text)?
        // Poolers refuse it, and no floating-point number is ever read.
        .extra_float_digits(None)
        .disable_statement_logging();
    Ok(match options.get_application_name() {
        Some(_) => options,
        None => options.application_name("xrpayd"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parameter_that_nobody_knows_is_refused_by_its_name() {
        let error = options("postgres://db/x?ssl_mode=verify-full").unwrap_err();
        assert!(error.to_string().contains("ssl_mode"), "{error}");
        let url = "postgres://db/x?sslmode=verify-full&sslrootcert=ca.pem&options[geqo]=off";
        assert_eq!(options(url).unwrap().get_application_name(), Some("xrpayd"));
        let named = "postgres://db/x?application_name=shop";
        assert_eq!(options(named).unwrap().get_application_name(), Some("shop"));
    }
}
