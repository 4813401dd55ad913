//! The document as a page: one file, nothing fetched from anywhere, readable without scripts.
//!
//! The page is whole as it is served. Its script only narrows what is shown and remembers light or dark;
//! the policy that goes with it lets nothing else run.

use axum::http::HeaderValue;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use std::fmt::Write as _;

const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");
const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];

/// A page and the policy that it is served with.
pub(super) struct Page {
    /// The page.
    pub html: String,
    /// What a browser may do on it.
    pub policy: HeaderValue,
}

/// Writes the page.
pub(super) fn render(document: &Value) -> Page {
    let info = &document["info"];
    let mut groups = String::new();
    let mut index = String::new();
    for tag in items(&document["tags"]) {
        let name = text(&tag["name"]);
        let routes = routes_of(document, name);
        let _ = write!(index, "<li><a href=\"#{0}\">{0}</a><ul>", escaped(name));
        for (method, path, operation) in &routes {
            let _ = write!(
                index,
                "<li data-find=\"{find}\"><a href=\"#{id}\"><b class=\"{method}\">{method}</b> {path}</a></li>",
                id = escaped(text(&operation["operationId"])),
                path = escaped(path),
                find = escaped(&sought(document, method, path, operation)),
            );
        }
        index.push_str("</ul></li>");
        let _ = write!(
            groups,
            "<h2 id=\"{0}\">{0}</h2>{1}",
            escaped(name),
            prose(text(&tag["description"]))
        );
        for (method, path, operation) in &routes {
            groups.push_str(&route(document, method, path, operation));
        }
    }
    let schemas = members(&document["components"]["schemas"])
        .map(|(name, schema)| schema_section(name, schema))
        .collect::<String>();
    let html = format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <meta name=\"color-scheme\" content=\"light dark\"><title>{title} API {version}</title>\
         <style>{STYLE}</style></head><body><nav aria-label=\"Contents\"><p><strong>{title}</strong> {version}\
         <button id=\"theme\" type=\"button\" hidden>Light or dark</button></p>\
         <input id=\"find\" type=\"search\" placeholder=\"Search routes, codes, fields\" \
         aria-label=\"Search\" hidden><noscript><p>Search needs JavaScript; everything else is here \
         without it.</p></noscript><ul>{index}<li><a href=\"#schemas\">schemas</a></li></ul></nav>\
         <main><h1>{title} API</h1>{introduction}<p>The same for programs: \
         <a href=\"/openapi.json\">/openapi.json</a></p><h2 id=\"keys\">Keys</h2>{keys}{groups}\
         <h2 id=\"schemas\">schemas</h2>{schemas}</main><script>{SCRIPT}</script></body></html>\n",
        title = escaped(text(&info["title"])),
        version = escaped(text(&info["version"])),
        introduction = prose(text(&info["description"])),
        keys = keys(document),
    );
    Page {
        html,
        policy: policy(),
    }
}

fn policy() -> HeaderValue {
    let hash = |part: &str| STANDARD.encode(Sha256::digest(part.as_bytes()));
    let policy = format!(
        "default-src 'none'; style-src 'sha256-{}'; script-src 'sha256-{}'; base-uri 'none'; \
         form-action 'none'; frame-ancestors 'none'",
        hash(STYLE),
        hash(SCRIPT)
    );
    // Base64 and these words are always a header; the default lets nothing run at all.
    HeaderValue::from_str(&policy).unwrap_or(HeaderValue::from_static("default-src 'none'"))
}

/// The routes of a group, in the order of their paths.
fn routes_of<'a>(document: &'a Value, tag: &str) -> Vec<(&'static str, &'a str, &'a Value)> {
    let paths = members(&document["paths"]);
    let all = paths.flat_map(|(path, methods)| {
        METHODS
            .into_iter()
            .filter_map(move |method| Some((method, path.as_str(), methods.get(method)?)))
    });
    all.filter(|(_, _, operation)| operation["tags"][0] == tag)
        .collect()
}

/// What a search looks through, of a route.
fn sought(document: &Value, method: &str, path: &str, operation: &Value) -> String {
    let refusals = members(&operation["responses"]).flat_map(|(_, answer)| {
        items(&codes_of(resolved(document, answer)))
            .map(text)
            .map(str::to_owned)
            .collect::<Vec<_>>()
    });
    let parameters = items(&operation["parameters"]).map(|one| text(&one["name"]).to_owned());
    let words: Vec<String> = refusals.chain(parameters).collect();
    format!(
        "{method} {path} {} {} {}",
        text(&operation["operationId"]),
        text(&operation["summary"]),
        words.join(" ")
    )
    .to_lowercase()
}

fn codes_of(answer: &Value) -> Value {
    let schema = &answer["content"]["application/problem+json"]["schema"];
    schema["allOf"][1]["properties"]["code"]["enum"].clone()
}

fn keys(document: &Value) -> String {
    members(&document["components"]["securitySchemes"])
        .map(|(name, scheme)| {
            let shown = scheme.get("name").unwrap_or(&scheme["bearerFormat"]);
            format!(
                "<dl><dt id=\"key-{0}\"><code>{1}</code></dt><dd>{2}</dd></dl>",
                escaped(name),
                escaped(text(shown)),
                prose(text(&scheme["description"]))
            )
        })
        .collect()
}

fn route(document: &Value, method: &str, path: &str, operation: &Value) -> String {
    let scopes = &operation["security"][0]["key"];
    let access = match text(&scopes[0]) {
        "" => "<p class=\"access\">No key.</p>".to_owned(),
        scope => format!(
            "<p class=\"access\">Scope <code>{}</code></p>",
            escaped(scope)
        ),
    };
    let answers: String = members(&operation["responses"])
        .map(|(status, answer)| answer_row(status, resolved(document, answer)))
        .collect();
    format!(
        "<section class=\"route\" id=\"{id}\" data-find=\"{find}\"><h3><a href=\"#{id}\"><b class=\"{method}\">\
         {method}</b> <code>{path}</code></a> <span>{summary}</span></h3>{access}{says}{parameters}{body}\
         <h4>Answers</h4><table>{answers}</table></section>",
        id = escaped(text(&operation["operationId"])),
        find = escaped(&sought(document, method, path, operation)),
        path = escaped(path),
        summary = escaped(text(&operation["summary"])),
        says = prose(text(&operation["description"])),
        parameters = parameters(operation),
        body = body(document, operation),
    )
}

fn parameters(operation: &Value) -> String {
    let rows: String = items(&operation["parameters"])
        .map(|one| {
            let required = if one["required"] == true {
                ", required"
            } else {
                ""
            };
            format!(
                "<tr><th><code>{}</code></th><td>{}{required}</td><td>{}</td><td>{}</td></tr>",
                escaped(text(&one["name"])),
                escaped(text(&one["in"])),
                kind_of(&one["schema"]),
                prose(text(&one["description"]))
            )
        })
        .collect();
    if rows.is_empty() {
        return rows;
    }
    format!("<h4>Parameters</h4><table>{rows}</table>")
}

fn body(document: &Value, operation: &Value) -> String {
    let body = &operation["requestBody"];
    let content = &body["content"]["application/json"];
    if content.is_null() {
        return String::new();
    }
    let example = serde_json::to_string_pretty(&content["example"]).unwrap_or_default();
    let named = reference_of(&content["schema"]);
    let schema = named.map_or(&content["schema"], |name| {
        &document["components"]["schemas"][name]
    });
    let required = if body["required"] == true {
        ""
    } else {
        ", which may be left out"
    };
    format!(
        "<h4>Body{required}</h4><p>{}</p>{}<pre>{}</pre>",
        kind_of(&content["schema"]),
        fields(schema),
        escaped(&example)
    )
}

fn answer_row(status: &str, answer: &Value) -> String {
    let kinds: String = members(&answer["content"])
        .map(|(media_type, content)| {
            let schema = &content["schema"];
            let whole = schema.get("allOf").map_or(schema, |parts| &parts[0]);
            format!(
                "<small>{}</small> {}<br>",
                escaped(media_type),
                kind_of(whole)
            )
        })
        .collect();
    format!(
        "<tr><th>{status}</th><td>{}</td><td>{kinds}</td></tr>",
        prose(text(&answer["description"]))
    )
}

fn schema_section(name: &str, schema: &Value) -> String {
    format!(
        "<section class=\"schema\" id=\"schema-{name}\" data-find=\"{find}\"><h3><a href=\"#schema-{name}\">{name}\
         </a></h3>{says}<p>{kind}</p>{fields}</section>",
        name = escaped(name),
        find = escaped(&format!("{name} {}", field_names(schema)).to_lowercase()),
        says = prose(text(&schema["description"])),
        kind = kind_of(schema),
        fields = fields(schema),
    )
}

fn field_names(schema: &Value) -> String {
    let own = members(&schema["properties"]).map(|(name, _)| name.clone());
    let chosen = items(&schema["oneOf"]).map(field_names);
    own.chain(chosen).collect::<Vec<_>>().join(" ")
}

/// The members of an object, or of each object that a choice is between.
fn fields(schema: &Value) -> String {
    let choices: String = items(&schema["oneOf"])
        .filter(|choice| choice.get("properties").is_some())
        .map(|choice| {
            let title = text(choice.get("title").unwrap_or(&choice["description"]));
            format!("<p><em>{}</em></p>{}", escaped(title), fields(choice))
        })
        .collect();
    let required: Vec<&str> = items(&schema["required"]).map(text).collect();
    let rows: String = members(&schema["properties"])
        .map(|(name, field)| {
            let required = if required.contains(&name.as_str()) {
                ""
            } else {
                "<small>optional</small>"
            };
            format!(
                "<tr><th><code>{}</code> {required}</th><td>{}</td><td>{}</td></tr>",
                escaped(name),
                kind_of(field),
                prose(text(&field["description"]))
            )
        })
        .collect();
    if rows.is_empty() {
        return choices;
    }
    format!("<table>{rows}</table>{choices}")
}

/// What a schema is, in a few words, with a link where it is told elsewhere.
fn kind_of(schema: &Value) -> String {
    if let Some(name) = reference_of(schema) {
        return format!("<a href=\"#schema-{0}\">{0}</a>", escaped(name));
    }
    let either = |choices: &Value| items(choices).map(kind_of).collect::<Vec<_>>().join(" or ");
    if schema.get("oneOf").is_some() {
        return either(&schema["oneOf"]);
    }
    let words: Vec<String> = items(&schema["enum"])
        .map(|word| format!("<code>{}</code>", escaped(text(word))))
        .collect();
    if !words.is_empty() {
        return words.join(" ");
    }
    let mut kind = match &schema["type"] {
        Value::Array(kinds) => kinds.iter().map(text).collect::<Vec<_>>().join(" or "),
        kind => text(kind).to_owned(),
    };
    if schema.get("items").is_some() {
        kind = format!("list of {}", kind_of(&schema["items"]));
    }
    for (name, shown) in [
        ("format", ""),
        ("pattern", "matches "),
        ("minimum", "from "),
        ("maximum", "to "),
        ("minLength", "characters from "),
        ("maxLength", "characters to "),
    ] {
        let bound = match &schema[name] {
            Value::Null => continue,
            Value::String(bound) => format!("<code>{}</code>", escaped(bound)),
            bound => bound.to_string(),
        };
        let _ = write!(kind, " <small>{shown}{bound}</small>");
    }
    kind
}

/// What is referred to, where it is.
fn resolved<'a>(document: &'a Value, value: &'a Value) -> &'a Value {
    let place = value["$ref"]
        .as_str()
        .and_then(|place| place.strip_prefix('#'));
    place
        .and_then(|place| document.pointer(place))
        .unwrap_or(value)
}

fn reference_of(schema: &Value) -> Option<&str> {
    schema["$ref"]
        .as_str()?
        .strip_prefix("#/components/schemas/")
}

/// Paragraphs, lists and `code`, which is all that the document's texts use.
fn prose(text: &str) -> String {
    let paragraphs = text.split("\n\n").filter(|part| !part.is_empty());
    paragraphs
        .map(|part| match part.strip_prefix("- ") {
            Some(list) => {
                let entries = list
                    .split("\n- ")
                    .map(|entry| format!("<li>{}</li>", coded(entry)));
                format!("<ul>{}</ul>", entries.collect::<String>())
            }
            None => format!("<p>{}</p>", coded(part)),
        })
        .collect()
}

fn coded(text: &str) -> String {
    let parts = text.split('`').enumerate();
    parts
        .map(|(n, part)| match n % 2 {
            0 => escaped(part),
            _ => format!("<code>{}</code>", escaped(part)),
        })
        .collect()
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn items(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn members(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flat_map(Map::iter)
}
