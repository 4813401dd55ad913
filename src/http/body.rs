//! Reading a body: bounded in size and time, JSON, and of the right shape, or refused by name.

use super::edges::{BODY_BYTES_PER_SECOND_MIN, BODY_GRACE};
use super::problem::{Code, Problem};
use super::router::App;
use crate::request::Object;
use axum::body::{Body, Bytes, HttpBody as _};
use axum::http::{HeaderMap, header};
use http_body_util::BodyExt;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_path_to_error::{Path, Segment};
use std::time::Duration;
use tokio::time::Instant;

/// How long a body may take to arrive: it is a few kilobytes.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// What is taken of a body that is too large before it is answered.
const DRAINED_BYTES_MAX: usize = 16 * 1024 * 1024;
/// How long that may take.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(2);

/// Reads the whole body, at most `bytes_max` of it.
///
/// # Errors
/// 413 where it is larger, 408 where it does not arrive, 400 where it breaks off.
pub async fn read(mut body: Body, bytes_max: usize) -> Result<Bytes, Problem> {
    let announced = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
    if announced > bytes_max {
        if announced <= DRAINED_BYTES_MAX {
            drain(body).await;
        }
        return Err(too_large(bytes_max));
    }
    let began = Instant::now();
    let mut collected = Vec::new();
    loop {
        // So much time as so many bytes may take, and no more than any body.
        let taken = u64::try_from(collected.len()).unwrap_or(u64::MAX);
        let earned = BODY_GRACE + Duration::from_secs(taken / BODY_BYTES_PER_SECOND_MIN);
        let deadline = began + earned.min(BODY_TIMEOUT);
        let frame = match tokio::time::timeout_at(deadline, body.frame()).await {
            Ok(Some(Ok(frame))) => frame,
            Ok(Some(Err(_))) => {
                return Err(Problem::new(Code::MalformedJson, "The body broke off."));
            }
            Ok(None) => return Ok(collected.into()),
            Err(_) => {
                let detail =
                    format!("The body did not arrive within {BODY_TIMEOUT:?}, or came too slowly.");
                return Err(Problem::new(Code::BodyTimeout, detail));
            }
        };
        let Some(data) = frame.data_ref() else {
            continue;
        };
        if collected.len().saturating_add(data.len()) > bytes_max {
            drain(body).await;
            return Err(too_large(bytes_max));
        }
        collected.extend_from_slice(data);
    }
}

fn too_large(bytes_max: usize) -> Problem {
    let detail = format!("The body may have at most {bytes_max} bytes.");
    Problem::new(Code::BodyTooLarge, detail)
}

/// Takes what is still on its way, within bounds, and throws it away: a client that is in the middle
/// of sending reads an answer only if the connection is not cut under it.
async fn drain(mut body: Body) {
    let rest = async {
        let mut taken = 0_usize;
        while let Some(Ok(frame)) = body.frame().await {
            taken = taken.saturating_add(frame.data_ref().map_or(0, Bytes::len));
            if taken > DRAINED_BYTES_MAX {
                return;
            }
        }
    };
    // Whether it ended or the time did: the answer is the same.
    let _ = tokio::time::timeout(DRAIN_TIMEOUT, rest).await;
}

/// Reads a body as JSON of the shape `T`.
///
/// # Errors
/// As [`read`]; 415 where the header says that it is something else, 400 where it is not JSON of that
/// shape.
pub async fn of<T: DeserializeOwned>(
    app: &App,
    headers: &HeaderMap,
    body: Body,
) -> Result<T, Problem> {
    let bytes = read(body, app.state.settings.body_bytes_max).await?;
    json(headers, &bytes)
}

fn json<T: DeserializeOwned>(headers: &HeaderMap, bytes: &[u8]) -> Result<T, Problem> {
    require_json(headers)?;
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let Object(value) = serde_path_to_error::deserialize(&mut deserializer)
        .map_err(|error| shape_problem(error.path(), error.inner()))?;
    deserializer
        .end()
        .map_err(|error| shape_problem(&serde_path_to_error::Track::new().path(), &error))?;
    Ok(value)
}

/// Reads a body of which nothing is required, so that it may be left out.
///
/// # Errors
/// As [`of`].
pub async fn or_default<T: DeserializeOwned + Default>(
    app: &App,
    headers: &HeaderMap,
    body: Body,
) -> Result<T, Problem> {
    let bytes = read(body, app.state.settings.body_bytes_max).await?;
    if bytes.is_empty() {
        return Ok(T::default());
    }
    json(headers, &bytes)
}

/// The body of a request that says everything by its path: nothing, or an object with nothing in it.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Nothing {}

/// Reads the body of a request that needs none.
///
/// # Errors
/// As [`of`]; 400 where something is in it.
pub async fn none(app: &App, headers: &HeaderMap, body: Body) -> Result<(), Problem> {
    let Nothing {} = or_default(app, headers, body).await?;
    Ok(())
}

/// A body that says nothing about its type is taken for JSON; one that says otherwise is not.
fn require_json(headers: &HeaderMap) -> Result<(), Problem> {
    let Some(value) = headers.get(header::CONTENT_TYPE) else {
        return Ok(());
    };
    let essence = value.to_str().unwrap_or_default();
    let essence = essence.split(';').next().unwrap_or_default().trim();
    if essence.eq_ignore_ascii_case("application/json") {
        return Ok(());
    }
    let detail = "The Content-Type header must be application/json.";
    Err(Problem::new(Code::UnsupportedMediaType, detail)
        .at("/header/content-type", "must be application/json"))
}

fn shape_problem(path: &Path, error: &serde_json::Error) -> Problem {
    // serde_json ends its messages with a place in the text, which the pointer says better.
    let whole = error.to_string();
    let said = whole
        .rsplit_once(" at line ")
        .map_or(whole.as_str(), |(said, _)| said);
    if !error.is_data() {
        let detail = format!("The body is not JSON: {whole}.");
        return Problem::new(Code::MalformedJson, detail);
    }
    let code = if said.starts_with("unknown field") {
        Code::UnknownField
    } else {
        Code::InvalidType
    };
    let pointer = pointer(path);
    let said = in_plain_words(said);
    let detail = if pointer.is_empty() {
        format!("The body cannot be used: {said}.")
    } else {
        format!("The field {pointer} cannot be used: {said}.")
    };
    Problem::new(code, detail).at(pointer, said)
}

/// What a field must be, in words that are not those of a programming language.
fn in_plain_words(said: &str) -> String {
    let Some((_, expected)) = said.split_once(", expected ") else {
        return said.to_owned();
    };
    let must_be = match expected {
        "u32" => "a whole number from 0 to 4294967295",
        "u64" => "a whole number, 0 or more",
        "a sequence" => "a list",
        "a boolean" => "true or false",
        expected if said.starts_with("invalid ") => expected,
        // Which names there are is worth saying as it stands.
        _ => return said.to_owned(),
    };
    format!("must be {must_be}")
}

/// The path as a JSON pointer.
fn pointer(path: &Path) -> String {
    let mut out = String::new();
    for segment in path {
        match segment {
            Segment::Seq { index } => out.push_str(&format!("/{index}")),
            Segment::Map { key } => {
                out.push('/');
                out.push_str(&key.replace('~', "~0").replace('/', "~1"));
            }
            Segment::Enum { .. } | Segment::Unknown => {}
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::payments::accept::PaymentRequest;
    use axum::http::HeaderValue;

    fn refused(text: &str) -> (Code, String) {
        let problem = json::<PaymentRequest>(&HeaderMap::new(), text.as_bytes()).unwrap_err();
        let pointer = problem.errors.first().map(|fault| fault.pointer.clone());
        (problem.code, pointer.unwrap_or_default())
    }

    /// A body of pieces of so many bytes, one after each `gap`.
    fn dripping(piece: usize, gap: Duration) -> Body {
        Body::from_stream(futures_util::stream::unfold((), move |()| async move {
            tokio::time::sleep(gap).await;
            let bytes = Bytes::from(vec![b' '; piece]);
            Some((Ok::<_, std::convert::Infallible>(bytes), ()))
        }))
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_drips_is_given_up_and_one_that_never_ends_is_bounded() {
        let second = Duration::from_secs(1);
        let given_up = |piece, gap, bytes_max| async move {
            let began = Instant::now();
            let problem = read(dripping(piece, gap), bytes_max).await.unwrap_err();
            (problem.code, began.elapsed())
        };
        let (code, took) = given_up(1, second, 10_240).await;
        assert_eq!((code, took), (Code::BodyTimeout, BODY_GRACE));
        // Fast enough for its size, and still not without an end.
        let (code, took) = given_up(2_048, second, 1_048_576).await;
        assert_eq!((code, took), (Code::BodyTimeout, BODY_TIMEOUT));
        let (code, took) = given_up(2_048, Duration::ZERO, 10_240).await;
        assert_eq!(code, Code::BodyTooLarge);
        assert!(took <= DRAIN_TIMEOUT);
    }

    #[test]
    fn a_body_of_the_wrong_shape_is_told_which_field() {
        let at = |pointer: &str| pointer.to_owned();
        for (body, code, pointer) in [
            (r#"{"colour":"red"}"#, Code::UnknownField, "/colour"),
            (
                r#"{"amount":{"colour":1}}"#,
                Code::UnknownField,
                "/amount/colour",
            ),
            (
                r#"{"amount":{"value":1.5}}"#,
                Code::InvalidType,
                "/amount/value",
            ),
            (
                r#"{"destination_tag":4294967297}"#,
                Code::InvalidType,
                "/destination_tag",
            ),
            (
                r#"{"destination_tag":-1}"#,
                Code::InvalidType,
                "/destination_tag",
            ),
            (
                r#"{"destination_tag":"7"}"#,
                Code::InvalidType,
                "/destination_tag",
            ),
            (
                r#"{"memos":[{},{"data":5}]}"#,
                Code::InvalidType,
                "/memos/1/data",
            ),
            (
                r#"{"metadata":{"a/b":5}}"#,
                Code::InvalidType,
                "/metadata/a~1b",
            ),
            (r#"[]"#, Code::InvalidType, ""),
            (
                r#"["rPT1Sjq2YGrBMTttX4GZHjKu9dyfzbpAYe"]"#,
                Code::InvalidType,
                "",
            ),
            (
                r#"{"amount":["XRP",null,null,"1"]}"#,
                Code::InvalidType,
                "/amount",
            ),
            (r#"{"memos":[["a"]]}"#, Code::InvalidType, "/memos/0"),
            (r#"{"#, Code::MalformedJson, ""),
            ("", Code::MalformedJson, ""),
            (r#"{} {}"#, Code::MalformedJson, ""),
        ] {
            assert_eq!(refused(body), (code, at(pointer)), "{body}");
        }
    }

    #[test]
    fn what_a_field_must_be_is_said_in_plain_words() {
        let detail = |text: &str| {
            let problem = json::<PaymentRequest>(&HeaderMap::new(), text.as_bytes()).unwrap_err();
            problem.errors.first().unwrap().detail.clone()
        };
        assert_eq!(
            detail(r#"{"destination_tag":4294967296}"#),
            "must be a whole number from 0 to 4294967295"
        );
        assert_eq!(detail(r#"{"wallet":7}"#), "must be a string");
        assert_eq!(detail(r#"{"amount":"5"}"#), "must be an object");
        assert_eq!(detail(r#"{"memos":{}}"#), "must be a list");
        assert!(detail(r#"{"colour":1}"#).starts_with("unknown field `colour`"));
    }

    #[test]
    fn a_name_that_is_given_twice_is_refused() {
        assert_eq!(
            refused(r#"{"wallet":"a","wallet":"b"}"#).0,
            Code::InvalidType
        );
        assert_eq!(
            refused(r#"{"metadata":{"a":"1","a":"2"}}"#).0,
            Code::InvalidType
        );
    }

    #[test]
    fn only_json_is_read() {
        let mut headers = HeaderMap::new();
        let mut with = |kind: &'static str| {
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
            json::<PaymentRequest>(&headers, b"{}").map_err(|problem| problem.code)
        };
        assert!(with("application/json; charset=utf-8").is_ok());
        assert_eq!(with("text/plain").unwrap_err(), Code::UnsupportedMediaType);
    }
}
