//! Which answers are sent compressed, to whoever takes gzip.
//!
//! Lists and documents are; what is small is not, because it would not get smaller. Never a stream of
//! events, which must not wait for a block to fill, nor an answer that [`HoldsSecret`]: the length of a
//! compressed answer tells something of what is in it, to somebody who can have words of his own put
//! beside a secret and watch the wire.

use axum::body::HttpBody;
use axum::http::Response;
use tower_http::CompressionLevel;
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::{And, NotForContentType, Predicate, SizeAbove};

/// Below this an answer fits one packet either way.
const BYTES_MIN: u16 = 1_024;

/// Marks an answer that shows a secret.
#[derive(Debug, Clone, Copy)]
pub struct HoldsSecret;

/// Leaves out what [`HoldsSecret`].
#[derive(Debug, Clone, Copy)]
pub struct NoSecret;

impl Predicate for NoSecret {
    fn should_compress<B: HttpBody>(&self, response: &Response<B>) -> bool {
        response.extensions().get::<HoldsSecret>().is_none()
    }
}

/// What is compressed.
pub type Worthwhile = And<And<SizeAbove, NotForContentType>, NoSecret>;

/// The layer, to stand around everything that makes an answer.
pub fn layer() -> CompressionLayer<Worthwhile> {
    let worthwhile = SizeAbove::new(BYTES_MIN)
        .and(NotForContentType::SSE)
        .and(NoSecret);
    CompressionLayer::new()
        .gzip(true)
        .quality(CompressionLevel::Fastest)
        .compress_when(worthwhile)
}
