use super::*;
use crate::clock::{Clock, ManualClock, SeededEntropy};
use proptest::prelude::*;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tracing::field::Empty;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::registry::Registry;
use xrpayd_core::ids::{InvoiceId, PaymentId, UnixMs};
use xrpayd_core::rollout::Ratio;

const ALL: Ratio = Ratio { ppm: 1_000_000 };
const NONE: Ratio = Ratio { ppm: 0 };
const CALLER: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
const PAYMENT: PaymentId = PaymentId(0x0199_1234_5678_7abc_8def_0123_4567_89ab);

/// What `work` tells, with the clock that it may step.
fn told(share: Ratio, work: impl FnOnce(&ManualClock)) -> Vec<Span> {
    let clock = Arc::new(ManualClock::new(UnixMs(1_000_000)));
    let time = Arc::clone(&clock) as Arc<dyn Clock>;
    let (layer, mut spans) = pair(share, time, Arc::new(SeededEntropy::new(7)));
    let subscriber = Registry::default().with(layer);
    tracing::subscriber::with_default(subscriber, || work(&clock));
    std::iter::from_fn(|| spans.waiting()).collect()
}

fn attribute<'a>(span: &'a Span, name: &str) -> Option<&'a Value> {
    let mut all = span.attributes.iter();
    all.find(|(key, _)| *key == name).map(|(_, value)| value)
}

#[test]
fn a_traceparent_is_read_as_the_w3c_has_it_and_written_back() {
    let caller = Context::read(CALLER).unwrap();
    assert_eq!(caller.to_string(), CALLER);
    assert!(caller.sampled);
    let later = Context::read("cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00-more");
    assert!(!later.unwrap().sampled, "a later version may say more");
    for bad in [
        "",
        "00",
        "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "00-00000000000000000000000000000000-b7ad6b7169203331-01",
        "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
        "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
        "00-0af7651916cd43dd8448eb211c80319-b7ad6b7169203331-01",
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331",
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more",
        "00-+af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    ] {
        assert_eq!(Context::read(bad), None, "{bad}");
    }
}

#[test]
fn a_request_goes_on_with_its_callers_trace_and_the_payment_is_linked_to_it() {
    let spans = told(ALL, |clock| {
        let request = tracing::info_span!(
            "http",
            request.id = "req_1",
            trace.id = "0af7651916cd43dd8448eb211c80319c",
            trace.parent = CALLER,
            http.status = Empty
        );
        request.in_scope(|| {
            clock.advance(Duration::from_millis(3));
            tracing::info_span!(
                target: TARGET, "accept", trace.of = %PAYMENT, span.took_us = 2_000_u64,
                request.id = "req_1"
            );
        });
        request.record("http.status", 201);
    });
    let [accept, request] = &spans[..] else {
        panic!("{spans:#?}")
    };
    let caller = Context::read(CALLER).unwrap();
    assert_eq!(
        (request.trace, request.parent),
        (caller.trace, Some(caller.span))
    );
    assert_eq!(request.kind, Kind::Server);
    assert_eq!(attribute(request, "http.status"), Some(&Value::Number(201)));
    assert_eq!(request.ended_ns - request.began_ns, 3_000_000);
    // The payment's trace is the payment's identifier, and its first span is known from it.
    assert_eq!(accept.trace, PAYMENT.0);
    assert_eq!(accept.parent, Some(Context::root_of(PAYMENT.0)));
    assert_eq!(accept.link, Some((request.trace, request.id)));
    assert_eq!(accept.ended_ns - accept.began_ns, 2_000_000);
    assert_eq!(
        attribute(accept, "request.id"),
        Some(&Value::Text("req_1".to_owned()))
    );
}

#[test]
fn the_payments_own_span_is_the_root_that_all_others_name() {
    let spans = told(ALL, |_| {
        tracing::info_span!(target: TARGET, "payment", trace.of = %PAYMENT, span.failed = true);
        tracing::info_span!(target: TARGET, "sign", trace.of = %PAYMENT);
    });
    assert_eq!(
        (spans[0].id, spans[0].parent),
        (Context::root_of(PAYMENT.0), None)
    );
    assert!(spans[0].failed);
    assert_eq!(spans[1].parent, Some(spans[0].id));
    let invoice = InvoiceId(7).to_string();
    let spans = told(ALL, |_| {
        let span = tracing::info_span!(target: TARGET, "webhook", trace.of = invoice);
        let named = traceparent(&span).unwrap();
        assert_eq!(Context::read(&named).unwrap().trace, 7);
    });
    assert_eq!((spans[0].trace, spans[0].kind), (7, Kind::Client));
}

/// A request with this `traceparent`, of somebody who becomes known before it ends, or never does.
fn request(traceparent: Option<&str>, is_known: bool) -> tracing::Span {
    let span = tracing::info_span!("http", trace.parent = traceparent, trace.trusted = Empty);
    if is_known {
        span.record(fields::TRUSTED, true);
    }
    span
}

#[test]
fn what_is_not_kept_is_not_told_and_names_nobody() {
    let unsampled = format!("{}00", &CALLER[..53]);
    for (share, caller) in [(NONE, None), (ALL, Some(unsampled.as_str()))] {
        let spans = told(share, |_| {
            let span = request(caller, true);
            assert_eq!(traceparent(&span), None);
        });
        assert_eq!(spans, []);
    }
    // A known caller that keeps its trace has all of it.
    let kept = told(NONE, |_| {
        let span = request(Some(CALLER), true);
        let _inside = span.enter();
        tracing::info_span!(target: TARGET, "sign");
    });
    assert_eq!(kept.len(), 2);
    assert_eq!(kept[0].parent, Some(kept[1].id));
}

#[test]
fn a_stranger_neither_has_his_trace_kept_nor_keeps_himself_out_of_them() {
    // Of all traces the smallest, which every share but none has in it.
    let chosen = "00-00000000000000000000000000000001-b7ad6b7169203331-01";
    for share in [NONE, Ratio { ppm: 1 }] {
        for caller in [CALLER, chosen] {
            let spans = told(share, |_| {
                let span = request(Some(caller), false);
                let _inside = span.enter();
                assert_eq!(traceparent(&span), None);
                tracing::info_span!(target: TARGET, "sign");
                tracing::info_span!(target: TARGET, "accept", trace.of = %PAYMENT);
            });
            assert_eq!(spans, [], "{caller}");
        }
    }
    let unsampled = format!("{}00", &CALLER[..53]);
    let spans = told(ALL, |_| drop(request(Some(&unsampled), false)));
    assert_eq!(spans.len(), 1);
    assert_eq!(spans[0].trace, Context::read(CALLER).unwrap().trace);
}

#[test]
fn nothing_but_traces_is_taken_and_secrets_are_struck_out() {
    let seed = "sEdVfbAkapHUcS5dAFVRvkh6qTiNxr1";
    let long = "x".repeat(10_000);
    let spans = told(ALL, |_| {
        tracing::info_span!("engine", tx.hash = "AB");
        tracing::info_span!(target: TARGET, "sign", said = seed, long);
    });
    let [sign] = &spans[..] else {
        panic!("{spans:#?}")
    };
    assert_eq!(attribute(sign, "said"), Some(&Value::Text("…".to_owned())));
    let Some(Value::Text(kept)) = attribute(sign, "long") else {
        panic!("{sign:#?}")
    };
    assert_eq!(kept.len(), 256);
}

#[test]
fn a_queue_that_nobody_empties_drops_and_counts_and_never_waits() {
    let clock = Arc::new(ManualClock::new(UnixMs(0)));
    let (layer, mut spans) = pair(ALL, clock, Arc::new(SeededEntropy::new(7)));
    let subscriber = Registry::default().with(layer);
    tracing::subscriber::with_default(subscriber, || {
        for _ in 0..3_000 {
            tracing::info_span!(target: TARGET, "sign", trace.of = %PAYMENT);
        }
    });
    let kept = std::iter::from_fn(|| spans.waiting()).count();
    let dropped = usize::try_from(spans.dropped().load(Ordering::Relaxed)).unwrap();
    assert_eq!((kept, dropped), (2_048, 952));
}

#[test]
fn the_body_is_what_the_protocol_asks_for() {
    let span = Span {
        trace: 0xA,
        id: 0xB,
        parent: Some(0xC),
        name: "sign",
        kind: Kind::Internal,
        began_ns: 1_000,
        ended_ns: 2_000,
        attributes: vec![
            ("tx.hash", Value::Text("AB".to_owned())),
            ("batch", Value::Number(3)),
        ],
        link: Some((0xD, 0xE)),
        failed: true,
    };
    let instance = Instance {
        name: "one".to_owned(),
        profile: "sandbox".to_owned(),
    };
    let body: serde_json::Value =
        serde_json::from_slice(&request_body(&instance, &[span])).unwrap();
    let resource = &body["resourceSpans"][0];
    assert_eq!(
        resource["resource"]["attributes"][0],
        serde_json::json!({ "key": "service.name", "value": { "stringValue": "xrpayd" } })
    );
    assert_eq!(
        resource["scopeSpans"][0]["spans"][0],
        serde_json::json!({
            "traceId": "0000000000000000000000000000000a",
            "spanId": "000000000000000b",
            "parentSpanId": "000000000000000c",
            "name": "sign",
            "kind": 1,
            "startTimeUnixNano": "1000",
            "endTimeUnixNano": "2000",
            "attributes": [
                { "key": "tx.hash", "value": { "stringValue": "AB" } },
                { "key": "batch", "value": { "intValue": "3" } },
            ],
            "links": [{ "traceId": "0000000000000000000000000000000d", "spanId": "000000000000000e" }],
            "status": { "code": 2 },
            "flags": 1,
        })
    );
}

proptest! {
    #[test]
    fn no_text_makes_the_reader_panic(text: String) {
        let _ = Context::read(&text);
    }

    #[test]
    fn of_one_trace_every_replica_says_the_same_and_a_larger_share_has_it_too(
        trace: u128, ppm in 0_u32..=1_000_000,
    ) {
        let has = |ppm| sampled(trace, Ratio { ppm });
        prop_assert!(has(1_000_000) && !has(0));
        if has(ppm) {
            let more = ppm.saturating_add(1).min(1_000_000);
            prop_assert!(has(more));
        }
    }
}
