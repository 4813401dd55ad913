use super::*;
use proptest::prelude::*;
use secrecy::{ExposeSecret as _, SecretString};
use std::sync::{Arc, Mutex};

const SEED: &str = "snoPBrXtMeMyMHUVTgbuqAfg1SUTb";
const ED_SEED: &str = "sEdVfbAkapHUcS5dAFVRvkh6qTiNxr1";
const KEY_SECRET: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

/// Takes what is written.
#[derive(Clone, Default)]
struct Paper(Arc<Mutex<Vec<u8>>>);

impl Write for Paper {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Runs `work` under a subscriber of its own and returns what was written.
fn written(
    level: Level,
    human: bool,
    work: impl FnOnce(&reload::Handle<Gate, Registry>),
) -> String {
    let paper = Paper::default();
    let copy = paper.clone();
    let (gate, handle) = reload::Layer::new(Gate::new(level, None));
    let subscriber = subscriber(gate, human, false, move || copy.clone());
    tracing::subscriber::with_default(subscriber, || work(&handle));
    let bytes = paper.0.lock().unwrap().clone();
    String::from_utf8(bytes).unwrap()
}

#[test]
fn a_planted_secret_never_appears_in_either_form() {
    for human in [true, false] {
        let text = written(Level::TRACE, human, |_| {
            let secret = SecretString::from(SEED);
            let key = format!("xrpayd_ab12_{KEY_SECRET}");
            let span = tracing::info_span!("request", seed = SEED);
            let _inside = span.enter();
            tracing::info!(?secret, "the type hides it");
            tracing::info!(
                seed = secret.expose_secret(),
                key,
                "and where it is exposed by mistake"
            );
            tracing::error!("in the message: {SEED}, {ED_SEED}; Bearer {key}");
            tracing::warn!(url = "postgres://pay:hunter2@db.example/x", "of a URL");
            tracing::warn!(secret = "whsec_aGVsbG8/aGVsbG8+aGVsbG8=", "of a webhook");
        });
        assert_eq!(text.lines().count(), 5, "{text}");
        for secret in [SEED, ED_SEED, KEY_SECRET, "hunter2", "aGVsbG8"] {
            assert!(!text.contains(secret), "{secret} in {text}");
        }
        // What is not secret stays, so that the line still says whose key it was.
        for plain in [
            "xrpayd_ab12_…",
            "postgres://…@db.example/x",
            "the type hides it",
        ] {
            assert!(text.contains(plain), "{plain} in {text}");
        }
    }
}

#[test]
fn what_is_no_secret_is_not_touched() {
    for text in [
        "xrpayd_core::payment: pay_0123456789abcdef",
        "rHb9CJAWyB4rj91VRWn96DkukG4bwdtyTh sent to rrrrrrrrrrrrrrrrrrrrrhoLvTp",
        "a_lost_submit_answer_never_pays_twice",
        "supercalifragilisticexpialidocious",
        "wss://s1.ripple.com:443/ and http://127.0.0.1:3000/v1@x",
    ] {
        assert!(
            matches!(strike(text), Cow::Borrowed(same) if same == text),
            "{text}"
        );
    }
}

#[test]
fn json_lines_are_json_with_dotted_fields() {
    let text = written(Level::INFO, false, |_| {
        tracing::info!(payment.id = "pay_1", ledger.index = 7, "settled");
    });
    let line: serde_json::Value = serde_json::from_str(text.trim()).unwrap();
    assert_eq!(line["payment.id"], "pay_1");
    assert_eq!(line["ledger.index"], 7);
    assert_eq!(line["level"], "INFO");
    assert_eq!(line["message"], "settled");
    assert!(line["timestamp"].as_str().unwrap().ends_with('Z'));
}

#[test]
fn the_level_holds_and_can_be_changed_while_it_runs() {
    let text = written(Level::INFO, false, |handle| {
        tracing::debug!("one");
        handle.modify(|gate| gate.set_level(Level::DEBUG)).unwrap();
        tracing::debug!("two");
        tracing::debug!(target: "hyper::proto", "three");
        handle.modify(|gate| gate.set_level(Level::ERROR)).unwrap();
        tracing::warn!("four");
    });
    let shown: Vec<&str> = ["one", "two", "three", "four"]
        .into_iter()
        .filter(|word| text.contains(word))
        .collect();
    assert_eq!(shown, ["two"]);
}

proptest! {
    #[test]
    fn striking_never_panics_and_a_key_is_struck_wherever_it_stands(
        before in "[^a-zA-Z0-9_-]{0,12}", after in "[^a-zA-Z0-9_-]{0,12}", any: String,
    ) {
        let key = format!("{before}xrpayd_k1_{KEY_SECRET}{after}");
        prop_assert!(!strike(&key).contains(KEY_SECRET));
        let between = format!("{any} {SEED}{after}");
        prop_assert!(!strike(&between).contains(SEED) || any.ends_with(|c: char| c != ' '));
        let _ = strike(&any);
    }
}

#[test]
fn a_line_names_its_request_whatever_a_library_asked_before() {
    let text = written(Level::INFO, false, |_| {
        let unheard = tracing::info_span!(target: "library", "unheard");
        let metadata = unheard.metadata().unwrap();
        for n in 0..3 {
            let is_heard = tracing::dispatcher::get_default(|all| all.enabled(metadata));
            assert!(!is_heard);
            let _inside = tracing::info_span!("http", request.id = n).entered();
            tracing::info!("answered");
        }
    });
    assert_eq!(text.lines().count(), 3, "{text}");
    for line in text.lines() {
        assert!(line.contains("\"request.id\":"), "{line}");
    }
}
