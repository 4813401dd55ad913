//! Tables of requests that are refused, and with which words.

use super::Client;
use serde_json::{Value, json};

/// A request.
pub fn with(command: &str, fields: Value) -> Value {
    let mut request = json!({ "command": command });
    for (name, value) in fields.as_object().unwrap() {
        request[name.as_str()] = value.clone();
    }
    request
}

/// A request, and the token and words of its error in both versions.
pub type Refused = (Value, &'static str, &'static str);

/// Asks everything in the table in both versions, and compares the errors.
pub async fn assert_refused(client: &mut Client, table: Vec<Refused>) {
    for (request, token, words) in table {
        for version in [1, 2] {
            let mut request = request.clone();
            request["api_version"] = json!(version);
            let answer = client.ask(request.clone()).await;
            let told = (answer["error"].as_str(), answer["error_message"].as_str());
            let words = (!words.is_empty()).then_some(words);
            assert_eq!(told, (Some(token), words), "{request} got {answer}");
        }
    }
}
