//! Tables of requests that are refused, and with which words.

use super::{Client, with};
use serde_json::{Value, json};

/// The account that holds all XRP in the beginning.
pub const GENESIS: &str = "rHb9CJAWyB4rj91VRWn96DkukG4bwdtyTh";
/// Nobody's account, well-formed.
pub const STRANGER: &str = "rrrrrrrrrrrrrrrrrrrrrhoLvTp";

/// A request.
pub fn request(command: &str, fields: Value) -> Value {
    with(json!({ "command": command }), fields)
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
