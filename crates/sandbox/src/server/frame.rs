//! Frames: reading a request, and shaping answers and errors as rippled shapes them.
//!
//! Owns nothing. Whatever a client sends, there is an answer.

use super::limits::Load;
use serde_json::{Map, Value, json};
use std::borrow::Cow;

/// A request longer than this is not read.
pub(crate) const REQUEST_LEN_MAX: usize = 1_000_000;
/// The API versions that rippled 2.4 speaks.
const VERSIONS: std::ops::RangeInclusive<u64> = 1..=2;

/// An error of a method: rippled's token, code and words, and what else stands in the frame.
#[derive(Debug, Clone)]
pub(crate) struct RpcError {
    token: &'static str,
    code: Option<i32>,
    pub(super) message: Option<Cow<'static, str>>,
    pub(crate) extra: Map<String, Value>,
}

impl RpcError {
    pub(super) fn new(token: &'static str, code: i32, message: &'static str) -> Self {
        let message = Some(Cow::Borrowed(message));
        Self {
            token,
            code: Some(code),
            message,
            extra: Map::new(),
        }
    }

    /// An error that has only a token.
    pub(crate) fn bare(token: &'static str) -> Self {
        Self {
            token,
            code: None,
            message: None,
            extra: Map::new(),
        }
    }

    pub(crate) fn forbidden() -> Self {
        Self::new("forbidden", 3, "Bad credentials.")
    }
    /// The server has no validated ledgers to look through.
    pub(crate) fn no_validated_range(version: u32) -> Self {
        if version > 1 {
            Self::not_in_network(version)
        } else {
            Self::ledger_indexes_invalid()
        }
    }
    /// Clio has no such thing.
    pub(crate) fn reporting_unsupported() -> Self {
        Self::new(
            "reportingUnsupported",
            91,
            "Requested operation not supported by reporting mode server",
        )
    }
    /// The server has no part in its network.
    pub(crate) fn not_in_network(version: u32) -> Self {
        if version > 1 {
            Self::new("notSynced", 18, "Not synced to the network.")
        } else {
            Self::new("noNetwork", 17, "Not synced to the network.")
        }
    }
    pub(crate) fn slow_down() -> Self {
        Self::new(
            "slowDown",
            10,
            "You are placing too much load on the server.",
        )
    }
    /// The method needs a current ledger, and the server's validated one is old.
    pub(crate) fn no_current(version: u32) -> Self {
        if version > 1 {
            Self::new("notSynced", 18, "Not synced to the network.")
        } else {
            Self::new("noCurrent", 16, "Current ledger is unavailable.")
        }
    }
    /// A ledger was asked for by what it is, and the server's validated one is old.
    pub(crate) fn no_network(version: u32) -> Self {
        if version > 1 {
            Self::new("notSynced", 18, "notSynced")
        } else {
            Self::new("noNetwork", 17, "InsufficientNetworkMode")
        }
    }
    pub(crate) fn amendment_blocked() -> Self {
        Self::new("amendmentBlocked", 14, "Amendment blocked, need upgrade.")
    }
    pub(crate) fn account_not_found() -> Self {
        Self::new("actNotFound", 19, "Account not found.")
    }
    pub(crate) fn ledger_not_found() -> Self {
        Self::new("lgrNotFound", 21, "ledgerNotFound")
    }
    pub(crate) fn ledger_not_validated() -> Self {
        Self::new("lgrNotValidated", 22, "Ledger not validated.")
    }
    pub(crate) fn transaction_not_found() -> Self {
        Self::new("txnNotFound", 29, "Transaction not found.")
    }
    pub(crate) fn invalid_params() -> Self {
        Self::new("invalidParams", 31, "Invalid parameters.")
    }
    pub(crate) fn unknown_command() -> Self {
        Self::new("unknownCmd", 32, "Unknown method.")
    }
    pub(crate) fn account_malformed() -> Self {
        Self::new("actMalformed", 35, "Account malformed.")
    }
    pub(crate) fn invalid_hotwallet() -> Self {
        Self::new("invalidHotWallet", 30, "Invalid hotwallet.")
    }
    pub(crate) fn destination_not_found() -> Self {
        Self::new("dstActNotFound", 50, "Destination account not found.")
    }
    pub(crate) fn ledger_indexes_invalid() -> Self {
        Self::new("lgrIdxsInvalid", 57, "Ledger indexes invalid.")
    }
    pub(crate) fn ledger_index_malformed() -> Self {
        Self::new("lgrIdxMalformed", 58, "Ledger index malformed.")
    }
    pub(crate) fn stream_malformed() -> Self {
        Self::new("malformedStream", 71, "Stream malformed.")
    }
    pub(crate) fn internal() -> Self {
        Self::new("internal", 73, "Internal error.")
    }
    pub(crate) fn not_implemented() -> Self {
        Self::new("notImpl", 74, "Not implemented.")
    }
    pub(crate) fn not_supported() -> Self {
        Self::new("notSupported", 75, "Operation not supported.")
    }
    pub(crate) fn range_too_large() -> Self {
        Self::new("excessiveLgrRange", 78, "Ledger range exceeds 1000.")
    }
    /// What is asked for is on the network with this id, and not on the server's.
    pub(crate) fn wrong_network(id: u32) -> Self {
        let words = format!(
            "Wrong network. You should submit this request to a node running on NetworkID: {id}"
        );
        Self {
            message: Some(Cow::Owned(words)),
            ..Self::new("wrongNetwork", 4, "")
        }
    }
    pub(crate) fn range_invalid() -> Self {
        Self::new("invalidLgrRange", 79, "Ledger range is invalid.")
    }

    /// `invalidParams` with other words.
    pub(crate) fn invalid(message: impl Into<Cow<'static, str>>) -> Self {
        Self {
            message: Some(message.into()),
            ..Self::invalid_params()
        }
    }

    /// A field that is not there.
    pub(crate) fn missing(field: &str) -> Self {
        Self::invalid(format!("Missing field '{field}'."))
    }

    /// A field that has the wrong form.
    pub(crate) fn invalid_field(field: &str) -> Self {
        Self::invalid(format!("Invalid field '{field}'."))
    }

    /// A blob that never reached the engine.
    pub(crate) fn invalid_transaction(exception: &str) -> Self {
        Self::bare("invalidTransaction").with("error_exception", json!(exception))
    }

    /// A method or a stream that exists elsewhere and not in the model.
    pub(crate) fn not_supported_because(message: &'static str) -> Self {
        Self {
            message: Some(Cow::Borrowed(message)),
            ..Self::not_supported()
        }
    }

    /// The error's name.
    pub(crate) const fn token(&self) -> &'static str {
        self.token
    }

    /// The error as fields of an answer.
    pub(crate) fn fields(&self) -> Map<String, Value> {
        let mut fields = self.extra.clone();
        fields.insert("error".to_owned(), json!(self.token));
        if let Some(code) = self.code {
            fields.insert("error_code".to_owned(), json!(code));
        }
        if let Some(message) = &self.message {
            fields.insert("error_message".to_owned(), json!(message));
        }
        fields
    }

    /// The error with one more field in its frame.
    pub(crate) fn with(mut self, field: &str, value: Value) -> Self {
        self.extra.insert(field.to_owned(), value);
        self
    }

    /// The error with more fields in its frame.
    pub(crate) fn with_all(mut self, fields: Map<String, Value>) -> Self {
        self.extra.extend(fields);
        self
    }
}

/// A request that may be answered.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) command: String,
    pub(crate) version: u32,
    pub(crate) params: Map<String, Value>,
}

/// Reads a frame; the error is the whole answer.
pub(crate) fn read(text: &str) -> Result<Request, String> {
    let not_json = || json!({"type": "error", "error": "jsonInvalid", "value": text}).to_string();
    if text.len() > REQUEST_LEN_MAX {
        return Err(not_json());
    }
    let params = match serde_json::from_str(text) {
        Ok(Value::Object(params)) => params,
        _ => return Err(not_json()),
    };
    let Some(version) = version(&params) else {
        let error = RpcError::bare("invalid_API_version");
        return Err(failure(&error, &params, Map::new()));
    };
    let name = |field: &str| params.get(field).map(Value::as_str);
    let command = match (name("command"), name("method")) {
        (Some(Some(command)), Some(Some(method))) if command == method => Some(command),
        (Some(name), None) | (None, Some(name)) => name,
        _ => None,
    };
    match command.map(str::to_owned) {
        Some(command) => Ok(Request {
            command,
            version,
            params,
        }),
        None => {
            let error = RpcError::bare("missingCommand");
            Err(failure(&error, &params, Map::new()))
        }
    }
}

/// The API version that a request asks for: 1 when it names none.
pub(crate) fn version(params: &Map<String, Value>) -> Option<u32> {
    match params.get("api_version") {
        None => Some(1),
        Some(version) => version
            .as_u64()
            .filter(|version| VERSIONS.contains(version))
            .and_then(|version| u32::try_from(version).ok()),
    }
}

fn envelope(params: &Map<String, Value>, status: &str) -> Map<String, Value> {
    let mut frame = Map::new();
    for field in ["id", "api_version", "jsonrpc", "ripplerpc"] {
        if let Some(value) = params.get(field) {
            frame.insert(field.to_owned(), value.clone());
        }
    }
    frame.insert("status".to_owned(), json!(status));
    frame.insert("type".to_owned(), json!("response"));
    frame
}

fn with_load(frame: &mut Map<String, Value>, load: Load) {
    if load == Load::Warned {
        frame.insert("warning".to_owned(), json!("load"));
    }
}

/// A request as it may be shown: without its secrets.
pub(crate) fn masked(params: &Map<String, Value>) -> Map<String, Value> {
    let mut request = params.clone();
    for secret in ["secret", "seed", "seed_hex", "passphrase"] {
        if let Some(value) = request.get_mut(secret) {
            *value = json!("<masked>");
        }
    }
    request
}

/// The frame of an answer; `marks` stand in it beside the result.
pub(crate) fn success(
    result: Value,
    params: &Map<String, Value>,
    load: Load,
    marks: Map<String, Value>,
) -> String {
    let mut frame = envelope(params, "success");
    frame.extend(marks);
    with_load(&mut frame, load);
    frame.insert("result".to_owned(), result);
    Value::Object(frame).to_string()
}

/// The frame of an error. A real server's warning of load gets lost where there is one, and so does ours.
pub(crate) fn failure(
    error: &RpcError,
    params: &Map<String, Value>,
    marks: Map<String, Value>,
) -> String {
    let mut frame = envelope(params, "error");
    frame.insert("request".to_owned(), Value::Object(masked(params)));
    frame.extend(error.fields());
    frame.extend(marks);
    Value::Object(frame).to_string()
}
