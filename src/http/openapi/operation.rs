//! What one route takes, does and answers, in the few words that a route's description needs.
//!
//! What is the same for all of them is written here once: who is let in, what is refused before a
//! handler is asked, the headers of every answer.

use super::schemas::{Schemas, reference};
use crate::http::auth::Scope;
use crate::http::problem::{Code, Document as Problem};
use axum::http::StatusCode;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};
use utoipa::ToSchema;

/// What a document is gathered in.
#[derive(Default)]
pub(super) struct Gathered {
    /// What the routes refer to.
    pub schemas: Schemas,
    /// The routes, by path and method.
    pub paths: Map<String, Value>,
}

impl Gathered {
    /// Describes a route: its method and path, its group and name, and what it does.
    pub(super) fn route(
        &mut self,
        route: (&'static str, &'static str),
        name: (&str, &str),
        summary: &str,
    ) -> Operation<'_> {
        Operation::new(self, route, name, summary)
    }
}

/// A route.
pub(super) struct Operation<'a> {
    gathered: &'a mut Gathered,
    method: &'static str,
    path: &'static str,
    shown: Map<String, Value>,
    answers: BTreeMap<u16, Value>,
    refusals: BTreeSet<(u16, &'static str)>,
}

/// The media type of refusals.
const PROBLEM: &str = "application/problem+json";
/// What goes wrong before a handler of a route with a key is asked, and below every one of them.
const GUARDED: [Code; 14] = [
    Code::Unauthenticated,
    Code::KeyExpired,
    Code::KeyRevoked,
    Code::SignatureMissing,
    Code::SignatureInvalid,
    Code::SignatureStale,
    Code::SignatureReplayed,
    Code::AddressNotAllowed,
    Code::BodyTimeout,
    Code::BodyTooLarge,
    Code::MalformedJson,
    Code::RateLimited,
    Code::StoreUnavailable,
    Code::Overloaded,
];
/// What can go wrong with every request, most of it before its path is looked at.
const EVERYWHERE: [Code; 6] = [
    Code::MalformedRequest,
    Code::HeadTimeout,
    Code::UriTooLong,
    Code::HeadersTooLarge,
    Code::Internal,
    Code::TimedOut,
];
/// What can be wrong with a body.
const OF_BODIES: [Code; 4] = [
    Code::MalformedJson,
    Code::UnknownField,
    Code::InvalidType,
    Code::UnsupportedMediaType,
];

impl<'a> Operation<'a> {
    fn new(
        gathered: &'a mut Gathered,
        (method, path): (&'static str, &'static str),
        (tag, id): (&str, &str),
        summary: &str,
    ) -> Self {
        let mut shown = Map::new();
        shown.insert("tags".to_owned(), json!([tag]));
        shown.insert("operationId".to_owned(), json!(id));
        shown.insert("summary".to_owned(), json!(summary));
        shown.insert("parameters".to_owned(), json!([]));
        shown.insert("security".to_owned(), json!([]));
        Self {
            gathered,
            method,
            path,
            shown,
            answers: BTreeMap::new(),
            refusals: BTreeSet::new(),
        }
        .refuses(&EVERYWHERE)
    }

    /// What a person has to know beyond the summary.
    pub(super) fn says(mut self, text: &str) -> Self {
        self.shown.insert("description".to_owned(), json!(text));
        self
    }

    /// The scope that the caller's key needs.
    pub(super) fn needs(self, scope: Scope) -> Self {
        self.needs_named(scope.as_str())
    }

    /// The scope that the caller's key needs, by its name.
    pub(super) fn needs_named(mut self, scope: &str) -> Self {
        let security = json!([
            { "key": [scope] },
            { "key": [scope], "timestamp": [], "signature": [] },
        ]);
        self.shown.insert("security".to_owned(), security);
        self.refuses(&GUARDED).refuses(&[Code::ScopeMissing])
    }

    fn parameter(mut self, parameter: Value) -> Self {
        if let Some(Value::Array(parameters)) = self.shown.get_mut("parameters") {
            parameters.push(parameter);
        }
        self
    }

    /// A part of the path that is of the kind `T`.
    pub(super) fn part<T: ToSchema>(self, name: &str, description: &str) -> Self {
        let schema = self.gathered.schemas.of::<T>();
        self.part_as(name, schema, description)
    }

    /// A part of the path.
    pub(super) fn part_as(self, name: &str, schema: Value, description: &str) -> Self {
        self.parameter(json!({
            "name": name, "in": "path", "required": true, "description": description, "schema": schema,
        }))
        .refuses(&[Code::InvalidQuery])
    }

    /// A parameter of the query.
    pub(super) fn query(self, name: &str, schema: Value, description: &str) -> Self {
        self.parameter(json!({
            "name": name, "in": "query", "required": false, "description": description, "schema": schema,
        }))
        .refuses(&[Code::InvalidQuery])
    }

    /// A parameter of the query that is of the kind `T`.
    pub(super) fn asks<T: ToSchema>(self, name: &str, description: &str) -> Self {
        let schema = self.gathered.schemas.of::<T>();
        self.query(name, schema, description)
    }

    /// A handler that refuses every query.
    pub(super) fn no_query(self) -> Self {
        self.refuses(&[Code::InvalidQuery])
    }

    /// The place and the size of a page.
    pub(super) fn pages(self, cursor: Value) -> Self {
        self.sized()
            .query("cursor", cursor, "`next_cursor` of the page before.")
    }

    /// The size of a page.
    pub(super) fn sized(self) -> Self {
        let limit = json!({ "type": "integer", "minimum": 1, "maximum": 200, "default": 50 });
        self.query("limit", limit, "The most rows of a page.")
    }

    /// A header.
    pub(super) fn header(self, parameter: Value) -> Self {
        self.parameter(parameter)
    }

    /// The key by which a request is known again, which must be there.
    pub(super) fn idempotent(self) -> Self {
        self.refuses(&[Code::IdempotencyKeyMissing])
            .idempotency_key(true)
    }

    /// The key by which a request is known again, which may be there.
    pub(super) fn may_be_idempotent(self) -> Self {
        self.idempotency_key(false)
    }

    fn idempotency_key(self, required: bool) -> Self {
        self.parameter(json!({
            "name": "Idempotency-Key", "in": "header", "required": required,
            "description": "New for each request and the same for each retry of it, for ever; a UUIDv7 \
                            serves well.",
            "schema": { "type": "string", "pattern": "^[!-~]{1,255}$", "minLength": 1, "maxLength": 255 },
            "example": "01948f5e-7b1c-7c3e-9a2b-4d5e6f708192",
        }))
        .refuses(&[Code::IdempotencyKeyInvalid, Code::IdempotencyKeyReused])
    }

    /// The body of a request, with an example of it.
    pub(super) fn takes<T: ToSchema>(self, example: Value) -> Self {
        self.body::<T>(true, example)
    }

    /// A body that may be left out.
    pub(super) fn may_take<T: ToSchema>(self, example: Value) -> Self {
        self.body::<T>(false, example)
    }

    fn body<T: ToSchema>(mut self, required: bool, example: Value) -> Self {
        let schema = self.gathered.schemas.of::<T>();
        let content = json!({ "schema": schema, "example": example });
        let body = json!({ "required": required, "content": { "application/json": content } });
        self.shown.insert("requestBody".to_owned(), body);
        self.refuses(&OF_BODIES)
    }

    /// A handler that takes a body with nothing in it, or none.
    pub(super) fn no_body(self) -> Self {
        let nothing = json!({ "type": "object", "additionalProperties": false });
        let mut this = self.refuses(&OF_BODIES);
        let body = json!({
            "required": false,
            "description": "Nothing, or an object with nothing in it.",
            "content": { "application/json": { "schema": nothing, "example": {} } },
        });
        this.shown.insert("requestBody".to_owned(), body);
        this
    }

    /// An answer of the kind `T`.
    pub(super) fn answers<T: ToSchema>(self, status: u16, description: &str) -> Self {
        let schema = self.gathered.schemas.of::<T>();
        self.answers_as(status, description, "application/json", schema)
    }

    /// A page of a list of `T`.
    pub(super) fn lists<T: ToSchema>(self, description: &str) -> Self {
        let item = self.gathered.schemas.of::<T>();
        let page = json!({
            "type": "object",
            "required": ["data", "next_cursor"],
            "properties": {
                "data": { "type": "array", "items": item },
                "next_cursor": {
                    "type": ["string", "null"],
                    "description": "What to ask with for the next page; null at the end.",
                },
            },
        });
        self.answers_as(200, description, "application/json", page)
    }

    /// An answer of any media type.
    pub(super) fn answers_as(
        mut self,
        status: u16,
        description: &str,
        media_type: &str,
        schema: Value,
    ) -> Self {
        let mut headers = self.headers();
        if status == 201 {
            headers["Location"] = header("Location");
        }
        let replayed = self
            .refusals
            .contains(&(422, Code::IdempotencyKeyReused.as_str()));
        if status == 200 && replayed {
            headers["Idempotent-Replayed"] = header("Idempotent-Replayed");
        }
        let answer = json!({
            "description": description,
            "headers": headers,
            "content": { media_type: { "schema": schema } },
        });
        self.answers.insert(status, answer);
        self
    }

    /// What can be asked next of what the answer tells: the routes by name, each with the parts of its
    /// path and where in the answer they stand.
    pub(super) fn leads_to(mut self, status: u16, routes: &[&str], parts: &[(&str, &str)]) -> Self {
        let parameters: Map<String, Value> = parts
            .iter()
            .map(|(name, pointer)| {
                (
                    (*name).to_owned(),
                    json!(format!("$response.body#{pointer}")),
                )
            })
            .collect();
        if let Some(answer) = self.answers.get_mut(&status) {
            for route in routes {
                answer["links"][*route] = json!({ "operationId": route, "parameters": parameters });
            }
        }
        self
    }

    /// An answer without a body.
    pub(super) fn answers_nothing(mut self, status: u16, description: &str) -> Self {
        let answer = json!({ "description": description, "headers": self.headers() });
        self.answers.insert(status, answer);
        self
    }

    /// The refusals of its own.
    pub(super) fn refuses(mut self, codes: &[Code]) -> Self {
        let shown = codes
            .iter()
            .map(|code| (code.status().as_u16(), code.as_str()));
        self.refusals.extend(shown);
        self
    }

    /// The headers of every answer, as far as they are known here.
    fn headers(&self) -> Value {
        let mut headers = json!({ "x-request-id": header("x-request-id") });
        if self.shown["security"] != json!([]) {
            rate_limits(&mut headers);
        }
        headers
    }

    /// Puts it into the document's paths.
    pub(super) fn done(mut self) {
        self.gathered.schemas.of::<Problem<'static>>();
        let mut responses: BTreeMap<u16, Value> = std::mem::take(&mut self.answers);
        let mut by_status: BTreeMap<u16, Vec<&str>> = BTreeMap::new();
        for (status, code) in &self.refusals {
            by_status.entry(*status).or_default().push(code);
        }
        for (status, codes) in by_status {
            responses.insert(status, self.refusal(status, &codes));
        }
        let responses: Map<String, Value> = responses
            .into_iter()
            .map(|(status, answer)| (status.to_string(), answer))
            .collect();
        self.shown.insert("responses".to_owned(), responses.into());
        let path = self
            .gathered
            .paths
            .entry(self.path)
            .or_insert_with(|| json!({}));
        path[self.method] = self.shown.into();
    }

    fn refusal(&self, status: u16, codes: &[&str]) -> Value {
        let titles = codes.iter().map(|code| {
            let mut all = Code::ALL.iter();
            let title = all
                .find(|known| known.as_str() == *code)
                .map(|code| code.title());
            format!("- `{code}`: {}", title.unwrap_or_default())
        });
        let titles: Vec<String> = titles.collect();
        let mut headers = json!({ "x-request-id": header("x-request-id") });
        if codes.contains(&Code::RateLimited.as_str()) {
            rate_limits(&mut headers);
        }
        if [429, 503, 504].contains(&status) {
            headers["Retry-After"] = header("Retry-After");
        }
        if status == 401 {
            headers["WWW-Authenticate"] = header("WWW-Authenticate");
        }
        let these = json!({
            "type": "object",
            "properties": { "status": { "const": status }, "code": { "enum": codes } },
        });
        json!({
            "description": titles.join("\n"),
            "headers": headers,
            "content": {
                PROBLEM: {
                    "schema": { "allOf": [reference("Problem"), these] },
                },
            },
        })
    }
}

fn header(name: &str) -> Value {
    json!({ "$ref": format!("#/components/headers/{name}") })
}

fn rate_limits(headers: &mut Value) {
    for name in ["RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset"] {
        headers[name] = header(name);
    }
}

/// Takes the refusals that several routes have out of them, and refers to them by name.
pub(super) fn share(paths: &mut Map<String, Value>) -> Map<String, Value> {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    each_refusal(paths, |refusal| {
        let count = counts.entry(refusal.to_string()).or_default();
        *count = count.saturating_add(1);
    });
    let mut shared = Map::new();
    each_refusal(paths, |refusal| {
        let is_common = counts
            .get(&refusal.to_string())
            .is_some_and(|count| *count > 1);
        let name = name_of(refusal);
        let known = shared.get(&name).is_none_or(|known| known == refusal);
        if is_common && known {
            let reference = json!({ "$ref": format!("#/components/responses/{name}") });
            shared.insert(name, std::mem::replace(refusal, reference));
        }
    });
    shared
}

fn each_refusal(paths: &mut Map<String, Value>, mut what: impl FnMut(&mut Value)) {
    let methods = paths.values_mut().filter_map(Value::as_object_mut);
    for operation in methods.flat_map(|methods| methods.values_mut()) {
        let responses = operation["responses"].as_object_mut();
        let all = responses.into_iter().flat_map(|all| all.values_mut());
        all.filter(|answer| answer["content"].get(PROBLEM).is_some())
            .for_each(&mut what);
    }
}

/// A refusal by its codes, or by its status where they are many.
fn name_of(refusal: &Value) -> String {
    let these = &refusal["content"][PROBLEM]["schema"]["allOf"][1]["properties"];
    let codes = these["code"]["enum"].as_array();
    let codes: Vec<&str> = codes
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    if codes.len() <= 3 {
        return codes.join("-or-");
    }
    let status = these["status"]["const"]
        .as_u64()
        .and_then(|status| u16::try_from(status).ok());
    let status = status.and_then(|status| StatusCode::from_u16(status).ok());
    let reason = status.and_then(|status| status.canonical_reason());
    reason.unwrap_or_default().to_lowercase().replace(' ', "-")
}
