//! JSON-RPC as a server answers it over HTTP: the same methods, in another envelope.
//!
//! Owns nothing. What is no request gets a status and plain words; what a method refuses is a success
//! of HTTP with the error in its body. `batch` answers many requests in one list.

use super::clio;
use super::connection::{self, Role};
use super::dispatch::{self, Client};
use super::frame::{self, Request, RpcError};
use super::limits::{self, Load};
use super::shared::Shared;
use crate::random::Random;
use serde_json::{Map, Value, json};
use std::sync::Arc;

const METHOD_NOT_FOUND: i32 = -32_601;
const SERVER_OVERLOADED: i32 = -32_604;
const FORBIDDEN: i32 = -32_605;
const WRONG_VERSION: i32 = -32_606;

/// What goes back to the client.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) body: String,
}

/// The words beside a status.
pub(crate) const fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        400 => "Bad Request",
        403 => "Forbidden",
        503 => "Server is overloaded",
        _ => "Internal Server Error",
    }
}

/// Why a request was not even tried: status, code in a batch, words.
#[derive(Debug)]
struct Refusal {
    status: u16,
    code: i32,
    words: &'static str,
}

impl Refusal {
    const fn malformed(words: &'static str) -> Self {
        Self {
            status: 400,
            code: METHOD_NOT_FOUND,
            words,
        }
    }
}

/// Answers a body; `None` where a drill loses the request or the answer.
pub(crate) async fn reply(
    shared: &Arc<Shared>,
    client: &Client,
    random: &mut Random,
    body: &[u8],
) -> Option<Reply> {
    let whole = match read(body) {
        Ok(whole) => whole,
        Err(reply) => return Some(reply),
    };
    let command = whole.get("method").and_then(Value::as_str).unwrap_or("");
    let exchange = connection::Exchange::of(shared, client.server);
    exchange.delay(random).await;
    if exchange.loses_request(random, command) {
        return None;
    }
    let reply = if command == "batch" {
        batch(shared, client, &whole)
    } else {
        single(shared, client, &whole)
    };
    (!exchange.loses_answer(random, command)).then_some(reply)
}

fn read(body: &[u8]) -> Result<Map<String, Value>, Reply> {
    let unparsed = |words: &str| Reply {
        status: 400,
        body: format!("Unable to parse request: {words}"),
    };
    if body.len() > frame::REQUEST_LEN_MAX {
        return Err(unparsed(""));
    }
    match serde_json::from_slice(body) {
        Ok(Value::Object(whole)) if !whole.is_empty() => Ok(whole),
        Ok(Value::Object(_) | Value::Array(_) | Value::Null) => Err(unparsed("")),
        Ok(_) => Err(unparsed(
            "* Line 1, Column 1\n  A valid JSON document must be either an array or an object value.\n",
        )),
        Err(error) => {
            let expected = if body.trim_ascii_start().starts_with(b"{") {
                "Missing '}' or object member name"
            } else {
                "Syntax error: value, object or array expected."
            };
            // A parser that met the end has read one character less than the one it missed.
            let (line, column) = (error.line().max(1), error.column() + 1);
            Err(unparsed(&format!(
                "* Line {line}, Column {column}\n  {expected}\n"
            )))
        }
    }
}

fn single(shared: &Arc<Shared>, client: &Client, whole: &Map<String, Value>) -> Reply {
    let tried = request(shared, client, whole, first_param(whole), Form::Single)
        .map(|request| answer(shared, client, request));
    match tried {
        Ok(answer) => Reply {
            status: 200,
            body: format!("{answer}\n"),
        },
        Err(refusal) => Reply {
            status: refusal.status,
            body: refusal.words.to_owned(),
        },
    }
}

fn batch(shared: &Arc<Shared>, client: &Client, whole: &Map<String, Value>) -> Reply {
    let Some(Value::Array(requests)) = whole.get("params") else {
        return Reply {
            status: 400,
            body: "Malformed batch request".to_owned(),
        };
    };
    let error = |code: i32, words: &str| json!({"code": code, "message": words});
    let answers: Vec<Value> = requests
        .iter()
        .map(|one| {
            let Value::Object(fields) = one else {
                return json!({"request": one, "error": error(METHOD_NOT_FOUND, "Method not found")});
            };
            match request(shared, client, fields, first_param(fields), Form::InBatch) {
                Ok(request) => answer(shared, client, request),
                Err(refusal) if refusal.code == WRONG_VERSION => {
                    json!({"request": one, "error": error(refusal.code, refusal.words)})
                }
                Err(refusal) => {
                    let mut echo = fields.clone();
                    echo.insert("error".to_owned(), error(refusal.code, refusal.words));
                    Value::Object(echo)
                }
            }
        })
        .collect();
    Reply {
        status: 200,
        body: format!("{}\n", Value::Array(answers)),
    }
}

/// Whether a request stands alone.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Single,
    InBatch,
}

/// The object that carries a request's parameters, where its form is right.
fn first_param(whole: &Map<String, Value>) -> Option<&Map<String, Value>> {
    whole.get("params")?.as_array()?.first()?.as_object()
}

/// Checks a request as far as a server does before it calls a method.
fn request(
    shared: &Shared,
    client: &Client,
    whole: &Map<String, Value>,
    first: Option<&Map<String, Value>>,
    form: Form,
) -> Result<Request, Refusal> {
    let mut version = first.map_or(Some(1), frame::version);
    if form == Form::InBatch && version == Some(1) {
        version = frame::version(whole);
    }
    let version = version.ok_or(Refusal {
        status: 400,
        code: WRONG_VERSION,
        words: "invalid_API_version",
    })?;
    if client.role == Role::User && shared.is_over_limit(client) {
        return Err(Refusal {
            status: 503,
            code: SERVER_OVERLOADED,
            words: "Server is overloaded",
        });
    }
    let checked = named(client, whole, form);
    if checked.is_err() && client.role == Role::User {
        shared.charge(client, limits::MALFORMED);
    }
    checked.map(|(command, params)| Request {
        command,
        version,
        params,
    })
}

fn named(
    client: &Client,
    whole: &Map<String, Value>,
    form: Form,
) -> Result<(String, Map<String, Value>), Refusal> {
    let method = whole.get("method").unwrap_or(&Value::Null);
    let forbidden = method.as_str().is_some_and(dispatch::is_for_administrators);
    if forbidden && client.role == Role::User {
        return Err(Refusal {
            status: 403,
            code: FORBIDDEN,
            words: "Forbidden",
        });
    }
    let command = match method {
        Value::Null => return Err(Refusal::malformed("Null method")),
        Value::String(command) if command.is_empty() => {
            return Err(Refusal::malformed("method is empty"));
        }
        Value::String(command) => command.clone(),
        _ => return Err(Refusal::malformed("method is not string")),
    };
    let mut params = match form {
        Form::InBatch => whole.clone(),
        Form::Single => params(whole.get("params").unwrap_or(&Value::Null))?,
    };
    if params
        .get("ripplerpc")
        .is_some_and(|version| !version.is_string())
    {
        return Err(Refusal::malformed("ripplerpc is not a string"));
    }
    params.insert("command".to_owned(), json!(command));
    Ok((command, params))
}

/// Nothing, something empty, or a list with one object or null in it.
fn params(value: &Value) -> Result<Map<String, Value>, Refusal> {
    match value {
        Value::Null => Ok(Map::new()),
        Value::Object(fields) if fields.is_empty() => Ok(Map::new()),
        Value::String(text) if text.is_empty() => Ok(Map::new()),
        Value::Array(list) => match list.as_slice() {
            [] | [Value::Null] => Ok(Map::new()),
            [Value::Object(fields)] => Ok(fields.clone()),
            _ => Err(Refusal::malformed("params unparseable")),
        },
        _ => Err(Refusal::malformed("params unparseable")),
    }
}

/// Calls the method and puts what it says into the envelope of JSON-RPC.
fn answer(shared: &Arc<Shared>, client: &Client, request: Request) -> Value {
    let condition = shared.net().servers[client.server].faults.condition.clone();
    let marks = clio::marks(&condition, &request);
    let outcome = dispatch::call(shared, client, &request);
    let load = match client.role {
        Role::User => shared.charge(client, limits::cost(&request.command, &outcome)),
        Role::Admin => Load::Fine,
    };
    let params = request.params;
    let is_second = params
        .get("ripplerpc")
        .and_then(Value::as_str)
        .is_some_and(|version| version >= "2.0");
    let mut out = Map::new();
    match outcome {
        Ok(mut result) => {
            result["status"] = json!("success");
            with_load(&mut result, load);
            out.insert("result".to_owned(), result);
        }
        Err(error) if is_second => {
            out.insert("error".to_owned(), second_error(&error, load));
        }
        Err(error) => {
            let mut result = Value::Object(error.fields());
            result["status"] = json!("error");
            result["request"] = Value::Object(frame::masked(&params));
            with_load(&mut result, load);
            out.insert("result".to_owned(), result);
        }
    }
    out.extend(marks);
    for field in ["jsonrpc", "ripplerpc", "id"] {
        if let Some(value) = params.get(field) {
            out.insert(field.to_owned(), value.clone());
        }
    }
    Value::Object(out)
}

fn second_error(error: &RpcError, load: Load) -> Value {
    let mut fields = error.fields();
    let code = fields.get("error_code").cloned().unwrap_or_default();
    let message = fields.remove("error_message").unwrap_or_default();
    fields.insert("code".to_owned(), code);
    fields.insert("message".to_owned(), message);
    fields.insert("status".to_owned(), json!("error"));
    let mut out = Value::Object(fields);
    with_load(&mut out, load);
    out
}

fn with_load(result: &mut Value, load: Load) {
    if load == Load::Warned {
        result["warning"] = json!("load");
    }
}
