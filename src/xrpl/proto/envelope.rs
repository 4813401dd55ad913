//! What every frame has in common, read first and cheaply: whose answer it is, or which stream.

use serde::Deserialize;
use serde_json::value::RawValue;
use std::borrow::Cow;

/// The head of a frame.
#[derive(Debug, Deserialize)]
pub(in crate::xrpl) struct Envelope<'a> {
    /// The id of the request it answers, in whatever shape.
    #[serde(borrow, default)]
    id: Option<&'a RawValue>,
    /// `response`, `error`, or the name of a stream's message.
    #[serde(borrow, default, rename = "type")]
    pub kind: Option<Cow<'a, str>>,
    /// The name of an error.
    #[serde(borrow, default)]
    pub error: Option<Cow<'a, str>>,
    /// `load` when the server is about to refuse us.
    #[serde(borrow, default)]
    pub warning: Option<Cow<'a, str>>,
}

impl Envelope<'_> {
    /// The id, where it is one that we could have sent.
    pub(in crate::xrpl) fn id(&self) -> Option<u64> {
        self.id.and_then(|raw| raw.get().parse().ok())
    }

    /// Whether the frame bears an id at all.
    pub(in crate::xrpl) const fn has_id(&self) -> bool {
        self.id.is_some()
    }
}

/// Reads the head of a frame; `None` where it is not a JSON object.
pub(in crate::xrpl) fn parse(frame: &str) -> Option<Envelope<'_>> {
    // An array would be read as the fields in their order.
    if !frame.trim_ascii_start().starts_with('{') {
        return None;
    }
    serde_json::from_str(frame).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_an_error_and_a_stream_message_are_told_apart() {
        let ok = parse(
            r#"{"api_version":2,"id":7,"result":{"id":9},"status":"success","type":"response"}"#,
        );
        assert_eq!(ok.unwrap().id(), Some(7));
        let error =
            r#"{"error":"slowDown","id":1,"status":"error","type":"response","warning":"load"}"#;
        let error = parse(error).unwrap();
        assert_eq!(error.error.as_deref(), Some("slowDown"));
        assert_eq!(error.warning.as_deref(), Some("load"));
        let stream = parse(r#"{"type":"ledgerClosed","ledger_index":3}"#).unwrap();
        assert!(!stream.has_id());
        assert_eq!(stream.kind.as_deref(), Some("ledgerClosed"));
    }

    #[test]
    fn an_id_that_we_never_send_is_none_of_ours() {
        for id in [r#""7""#, "-1", "1.5", r#"{"a":1}"#, "99999999999999999999"] {
            let frame = format!(r#"{{"id":{id},"type":"response"}}"#);
            let envelope = parse(&frame).unwrap();
            assert!(envelope.has_id());
            assert_eq!(envelope.id(), None, "{id}");
        }
    }

    #[test]
    fn what_is_not_an_object_is_refused() {
        for frame in ["", "null", "[]", "7", "not json", r#"{"id":"#] {
            assert!(parse(frame).is_none(), "{frame}");
        }
    }
}
