//! Reads the head of a request strictly, before anything acts on it.
//!
//! What one reader of a request takes for its end another may take for its middle; that is how requests
//! are smuggled past a proxy. So whatever could be read in two ways is refused here: a length beside a
//! transfer coding, several lengths, a line that ends without a carriage return, a folded line, a coding
//! that is not `chunked`. Pure: bytes in, a verdict out. What passes here passes the server behind it.

use super::edges::LINE_BYTES_MAX;
use super::problem::{Code, Problem};
use axum::http::{HeaderName, HeaderValue, Method, Uri};

/// The bounds of a head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// The longest one, in bytes.
    pub bytes_max: usize,
    /// The most fields.
    pub fields_max: usize,
}

/// What some bytes are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Read {
    /// The beginning of a head.
    Partial,
    /// A whole head of so many bytes, and how its body follows.
    Whole {
        /// How many of the bytes it is.
        bytes: usize,
        /// What follows.
        body: Framing,
    },
    /// Nothing that can be answered but with a refusal.
    Unfit(Unfit),
}

/// How the end of a body is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// By its length, which may be nothing.
    Length(u64),
    /// By its last chunk.
    Chunked,
}

/// Why a request is refused before it is a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unfit {
    /// It is not HTTP/1.1 as everybody reads it.
    Malformed(&'static str),
    /// Its first line is too long.
    LineTooLong,
    /// Its head is too long.
    HeadTooLong(usize),
    /// It has too many fields.
    TooManyFields(usize),
    /// Its head did not arrive in time.
    TooSlow,
    /// The connection's place was needed by others, or the daemon ends.
    GivenUp,
}

impl Unfit {
    /// The answer.
    #[must_use]
    pub fn problem(self) -> Problem {
        match self {
            Self::Malformed(why) => {
                let detail = format!("The request is not well-formed HTTP/1.1: {why}.");
                Problem::new(Code::MalformedRequest, detail)
            }
            Self::LineTooLong => {
                let detail = format!("The request line may have at most {LINE_BYTES_MAX} bytes.");
                Problem::new(Code::UriTooLong, detail)
            }
            Self::HeadTooLong(bytes_max) => {
                let detail = format!("The request's head may have at most {bytes_max} bytes.");
                Problem::new(Code::HeadersTooLarge, detail)
            }
            Self::TooManyFields(fields_max) => {
                let detail = format!("The request may have at most {fields_max} header fields.");
                Problem::new(Code::HeadersTooLarge, detail)
            }
            Self::TooSlow => {
                let detail = "The request's head did not arrive in time.";
                Problem::new(Code::HeadTimeout, detail)
            }
            Self::GivenUp => {
                let detail = "The connection was given up before the request's head had arrived.";
                Problem::new(Code::Overloaded, detail).retry_after(1)
            }
        }
    }
}

/// Looks for a head at the front of `bytes`.
#[must_use]
pub fn read(bytes: &[u8], bounds: Bounds) -> Read {
    match end_of(bytes, bounds) {
        Ok(Some(end)) => match framing(&bytes[..end], bounds) {
            Ok(body) => Read::Whole { bytes: end, body },
            Err(unfit) => Read::Unfit(unfit),
        },
        Ok(None) => Read::Partial,
        Err(unfit) => Read::Unfit(unfit),
    }
}

/// Where the empty line ends, where it has come.
fn end_of(bytes: &[u8], bounds: Bounds) -> Result<Option<usize>, Unfit> {
    let mut line_from = 0;
    while let Some(length) = bytes[line_from..].iter().position(|&byte| byte == b'\n') {
        let end = line_from + length;
        if length == 0 || bytes[end - 1] != b'\r' {
            return Err(Unfit::Malformed("a line ends without a carriage return"));
        }
        if line_from == 0 && length > LINE_BYTES_MAX {
            return Err(Unfit::LineTooLong);
        }
        if end >= bounds.bytes_max {
            return Err(Unfit::HeadTooLong(bounds.bytes_max));
        }
        if length == 1 {
            return Ok(Some(end + 1));
        }
        line_from = end + 1;
    }
    if line_from == 0 && bytes.len() > LINE_BYTES_MAX {
        return Err(Unfit::LineTooLong);
    }
    if bytes.len() > bounds.bytes_max {
        return Err(Unfit::HeadTooLong(bounds.bytes_max));
    }
    Ok(None)
}

/// Reads a whole head as the server behind will, and how its body follows.
fn framing(head: &[u8], bounds: Bounds) -> Result<Framing, Unfit> {
    let mut fields = vec![httparse::EMPTY_HEADER; bounds.fields_max];
    let mut request = httparse::Request::new(&mut fields);
    match request.parse(head) {
        Ok(httparse::Status::Complete(bytes)) if bytes == head.len() => {}
        Ok(_) => return Err(Unfit::Malformed("its head does not end where it seems to")),
        Err(httparse::Error::TooManyHeaders) => {
            return Err(Unfit::TooManyFields(bounds.fields_max));
        }
        Err(error) => return Err(Unfit::Malformed(said(error))),
    }
    let method = request.method.unwrap_or_default().as_bytes();
    let target = request.path.unwrap_or_default();
    let method = Method::from_bytes(method)
        .map_err(|_| Unfit::Malformed("its method is not a method's name"))?;
    if method == Method::CONNECT {
        return Err(Unfit::Malformed("nothing is tunnelled here"));
    }
    if target.parse::<Uri>().is_err() {
        return Err(Unfit::Malformed("its target is not a path or a URL"));
    }
    let is_newest = request.version == Some(1);
    let (mut length, mut is_chunked, mut hosts) = (None, false, 0_usize);
    for field in request.headers.iter() {
        if HeaderName::from_bytes(field.name.as_bytes()).is_err()
            || HeaderValue::from_bytes(field.value).is_err()
        {
            return Err(Unfit::Malformed("a header field cannot be read"));
        }
        if field.name.eq_ignore_ascii_case("content-length") {
            if length.is_some() {
                return Err(Unfit::Malformed("it has several Content-Length fields"));
            }
            length = Some(number(field.value)?);
        } else if field.name.eq_ignore_ascii_case("transfer-encoding") {
            if is_chunked || !field.value.trim_ascii().eq_ignore_ascii_case(b"chunked") {
                return Err(Unfit::Malformed("a Transfer-Encoding is `chunked`, once"));
            }
            is_chunked = true;
        } else if field.name.eq_ignore_ascii_case("host") {
            hosts += 1;
        }
    }
    if hosts > 1 || (is_newest && hosts == 0) {
        return Err(Unfit::Malformed("it must have one Host field"));
    }
    match (length, is_chunked) {
        (Some(_), true) => Err(Unfit::Malformed(
            "it has a Content-Length beside a Transfer-Encoding",
        )),
        (None, true) if !is_newest => Err(Unfit::Malformed("HTTP/1.0 has no Transfer-Encoding")),
        (None, true) => Ok(Framing::Chunked),
        (length, false) => Ok(Framing::Length(length.unwrap_or(0))),
    }
}

/// Digits alone: no sign, no list, nothing that wraps around.
fn number(value: &[u8]) -> Result<u64, Unfit> {
    let unfit = Unfit::Malformed("its Content-Length is not a number");
    if value.is_empty() || !value.iter().all(u8::is_ascii_digit) {
        return Err(unfit);
    }
    let text = std::str::from_utf8(value).map_err(|_| unfit)?;
    // The two greatest values stand for other framings in the server behind.
    text.parse::<u64>()
        .ok()
        .filter(|length| *length < u64::MAX - 2)
        .ok_or(unfit)
}

const fn said(error: httparse::Error) -> &'static str {
    match error {
        httparse::Error::HeaderName => "a header field's name cannot be read",
        httparse::Error::HeaderValue => "a header field's value cannot be read",
        httparse::Error::NewLine => "a line does not end as a line does",
        httparse::Error::Version => "only HTTP/1.1 and HTTP/1.0 are spoken here",
        httparse::Error::Token => "its request line cannot be read",
        httparse::Error::Status => "it is not a request",
        httparse::Error::TooManyHeaders => "it has too many header fields",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const BOUNDS: Bounds = Bounds {
        bytes_max: 16 * 1024,
        fields_max: 10,
    };

    fn of(text: &str) -> Read {
        read(text.as_bytes(), BOUNDS)
    }

    fn whole(text: &str) -> Framing {
        match of(text) {
            Read::Whole { bytes, body } => {
                assert_eq!(bytes, text.len());
                body
            }
            other => panic!("{other:?}: {text}"),
        }
    }

    #[test]
    fn a_head_ends_with_its_empty_line_and_tells_how_its_body_follows() {
        let get = "GET /v1/payments?limit=1 HTTP/1.1\r\nhost: x\r\n\r\n";
        assert_eq!(whole(get), Framing::Length(0));
        for cut in 0..get.len() {
            assert_eq!(of(&get[..cut]), Read::Partial, "{cut}");
        }
        let post = "POST / HTTP/1.1\r\nHost: x\r\nContent-Length:  12\t\r\n\r\n";
        assert_eq!(whole(post), Framing::Length(12));
        let chunked = "POST / HTTP/1.1\r\nhost:x\r\nTransfer-Encoding: Chunked\r\n\r\n";
        assert_eq!(whole(chunked), Framing::Chunked);
        assert_eq!(whole("GET / HTTP/1.0\r\n\r\n"), Framing::Length(0));
        let absolute = "GET http://elsewhere/v1/payments HTTP/1.1\r\nhost: x\r\n\r\n";
        assert_eq!(whole(absolute), Framing::Length(0));
        let two = read(format!("{get}{post}").as_bytes(), BOUNDS);
        let bytes = get.len();
        let body = Framing::Length(0);
        assert_eq!(two, Read::Whole { bytes, body });
    }

    #[test]
    fn whatever_two_readers_could_read_differently_is_refused() {
        for fields in [
            "content-length: 1\r\ntransfer-encoding: chunked\r\n",
            "transfer-encoding: chunked\r\ncontent-length: 1\r\n",
            "content-length: 1\r\ncontent-length: 1\r\n",
            "content-length: 1\r\ncontent-length: 2\r\n",
            "content-length: 1, 1\r\n",
            "content-length: +1\r\n",
            "content-length: -1\r\n",
            "content-length: 0x10\r\n",
            "content-length: \r\n",
            "content-length: 18446744073709551615\r\n",
            "content-length: 18446744073709551617\r\n",
            "transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n",
            "transfer-encoding: gzip, chunked\r\n",
            "transfer-encoding: identity\r\n",
            "transfer-encoding: xchunked\r\n",
            "transfer-encoding : chunked\r\n",
            " transfer-encoding: chunked\r\n",
            "x: 1\r\n folded: 2\r\n",
            "x: 1\n",
            "x: a\rb\r\n",
            "x: a\0b\r\n",
            "x\0y: 1\r\n",
            "host: y\r\n",
            ": 1\r\n",
        ] {
            let text = format!("POST / HTTP/1.1\r\nhost: x\r\n{fields}\r\n");
            assert!(
                matches!(of(&text), Read::Unfit(Unfit::Malformed(_))),
                "{fields:?}: {:?}",
                of(&text)
            );
        }
        for text in [
            "GET / HTTP/1.1\r\n\r\n",
            "GET /\r\n\r\n",
            "GET / HTTP/2.0\r\nhost: x\r\n\r\n",
            "PRI * HTTP/2.0\r\n\r\n",
            "CONNECT a:443 HTTP/1.1\r\nhost: x\r\n\r\n",
            "GET  / HTTP/1.1\r\nhost: x\r\n\r\n",
            "GET /\0 HTTP/1.1\r\nhost: x\r\n\r\n",
            "POST / HTTP/1.0\r\ntransfer-encoding: chunked\r\n\r\n",
            "\u{16}\u{3}\u{1}\r\n\r\n",
            "GET / HTTP/1.1\n",
        ] {
            assert!(
                matches!(of(text), Read::Unfit(Unfit::Malformed(_))),
                "{text:?}: {:?}",
                of(text)
            );
        }
    }

    #[test]
    fn what_is_too_long_is_refused_before_it_has_ended() {
        let line = format!("GET /{}", "x".repeat(LINE_BYTES_MAX));
        assert_eq!(of(&line), Read::Unfit(Unfit::LineTooLong));
        let ended = format!("{line} HTTP/1.1\r\nhost: x\r\n\r\n");
        assert_eq!(of(&ended), Read::Unfit(Unfit::LineTooLong));
        let fields = format!("GET / HTTP/1.1\r\nx: {}", "x".repeat(BOUNDS.bytes_max));
        let too_long = Read::Unfit(Unfit::HeadTooLong(BOUNDS.bytes_max));
        assert_eq!(of(&fields), too_long);
        assert_eq!(of(&format!("{fields}\r\n\r\n")), too_long);
        let many = format!("GET / HTTP/1.1\r\n{}\r\n", "x: 1\r\n".repeat(11));
        assert_eq!(of(&many), Read::Unfit(Unfit::TooManyFields(10)));
    }

    proptest! {
        #[test]
        fn no_bytes_are_too_much_and_a_head_is_never_read_past_its_empty_line(
            pieces in prop::collection::vec(prop::sample::select(vec![
                "GET", "POST", " ", "/", "x", "HTTP/1.1", "\r\n", "\n", "\r", "\r\n\r\n", ":", "host: x",
                "content-length: 1", "transfer-encoding: chunked", "\0", "\t", "\u{e9}",
            ]), 0..40),
        ) {
            let text = pieces.concat();
            if let Read::Whole { bytes, .. } = of(&text) {
                prop_assert!(text.as_bytes()[..bytes].ends_with(b"\r\n\r\n"));
                prop_assert_eq!(text.find("\r\n\r\n").map(|at| at + 4), Some(bytes));
            }
        }
    }
}
