//! `/v1/invoices/{id}/qr.svg`: the link of an invoice for a payer's camera.
//!
//! The picture is modules on a white ground with the quiet zone that the standard asks for, drawn as one
//! path, without scripts, fonts or anything that is fetched. It asks for what is still due, so that it
//! changes when a part is paid: a copy may be kept and has to be asked about (`ETag`).

use super::auth::{Caller, Scope};
use super::invoices::{document, find};
use super::problem::{Code, Problem};
use super::query;
use super::revalidate::{self, Copy};
use super::router::App;
use axum::extract::{Extension, Path, RawQuery, State};
use axum::http::HeaderMap;
use axum::response::Response;
use qrcodegen::{QrCode, QrCodeEcc};
use std::fmt::Write as _;
use std::sync::Arc;

/// The empty modules around the code that a camera needs.
const QUIET_MODULES: i32 = 4;
/// Pixels a module where nobody scales the picture.
const PIXELS: i32 = 8;

/// `GET /v1/invoices/{id}/qr.svg`
pub async fn svg(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    caller.require(Scope::InvoicesRead)?;
    query::none(query.as_deref())?;
    let invoice = find(&app, &caller, &id).await?.invoice;
    let document = document(&app, &invoice);
    let Some(uri) = document.payment_uri() else {
        let status = invoice.status.as_str();
        let detail = format!("Invoice {id} is {status}: there is nothing to pay any more.");
        return Err(Problem::new(Code::AlreadyFinal, detail));
    };
    let Some(picture) = draw(uri) else {
        let detail = "The link of the invoice is too long for a QR code.";
        return Err(Problem::new(Code::Internal, detail));
    };
    let picture = Copy::of("image/svg+xml", picture);
    Ok(revalidate::answer(&headers, &picture, "private, no-cache"))
}

/// The picture of a text; none where the text is too long.
fn draw(text: &str) -> Option<String> {
    let code = QrCode::encode_text(text, QrCodeEcc::Medium).ok()?;
    let modules = code.size().saturating_add(QUIET_MODULES * 2);
    let pixels = modules.saturating_mul(PIXELS);
    let mut path = String::new();
    for y in 0..code.size() {
        let mut x = 0;
        while x < code.size() {
            let run = (x..code.size())
                .take_while(|&x| code.get_module(x, y))
                .count();
            let run = i32::try_from(run).ok()?;
            if run > 0 {
                let (left, top) = (x + QUIET_MODULES, y + QUIET_MODULES);
                // Writing to a string does not fail.
                let _ = write!(path, "M{left} {top}h{run}v1h-{run}z");
            }
            x += run.max(1);
        }
    }
    Some(format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{pixels}\" height=\"{pixels}\" \
         viewBox=\"0 0 {modules} {modules}\" shape-rendering=\"crispEdges\">\
         <rect width=\"{modules}\" height=\"{modules}\" fill=\"#fff\"/>\
         <path d=\"{path}\" fill=\"#000\"/></svg>\n"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a picture shows, pixel by pixel.
    fn pixels(picture: &str) -> Vec<Vec<bool>> {
        let between = |from: &str, to: char| {
            let rest = picture.split_once(from).unwrap().1;
            rest.split_once(to).unwrap().0.to_owned()
        };
        let modules: usize = between("viewBox=\"0 0 ", ' ').parse().unwrap();
        let scale = 4;
        let mut dark = vec![vec![false; modules * scale]; modules * scale];
        for run in between("d=\"M", '"').trim_end_matches('z').split("zM") {
            let (place, shape) = run.split_once('h').unwrap();
            let (x, y) = place.split_once(' ').unwrap();
            let length = shape.split_once('v').unwrap().0;
            let [x, y, length]: [usize; 3] = [x, y, length].map(|n| n.parse().unwrap());
            for row in &mut dark[y * scale..(y + 1) * scale] {
                row[x * scale..(x + length) * scale].fill(true);
            }
        }
        dark
    }

    #[test]
    fn a_camera_reads_what_was_drawn() {
        for uri in [
            "xrpl://rHb9CJAWyB4rj91VRWn96DkukG4bwdtyTh?amount=12.5&dt=4294967295",
            "xrpl://rHb9CJAWyB4rj91VRWn96DkukG4bwdtyTh?amount=10&dt=1&currency=USD&issuer=rPT1Sjq2YGrBMTttX4GZHjKu9dyfzbpAYe&network=1",
        ] {
            let dark = pixels(&draw(uri).unwrap());
            let side = dark.len();
            let mut seen = rqrr::PreparedImage::prepare_from_greyscale(side, side, |x, y| {
                if dark[y][x] { 0 } else { 255 }
            });
            let grids = seen.detect_grids();
            assert_eq!(grids.len(), 1);
            assert_eq!(grids[0].decode().unwrap().1, uri);
            let quiet = dark.iter().take(16).flatten().all(|dark| !dark);
            assert!(
                quiet && dark[16][16],
                "four modules of quiet, then the code"
            );
        }
    }

    #[test]
    fn a_text_that_no_code_holds_is_not_drawn() {
        assert_eq!(draw(&"x".repeat(3_000)), None);
    }
}
