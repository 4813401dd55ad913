//! The recording of a stranger who asks too much: warned now and then, cut off, and refused at once.
//!
//! How many requests that takes depends on how long they take, so the recorded ones go on beyond the
//! recording's end where the model has not had enough yet.

use crate::client::Client;
use crate::compare::{Held, differences};
use crate::deviations::Deviations;
use crate::recording::{self, Step};
use serde_json::Value;
use std::collections::BTreeSet;
use xrpayd_sandbox::{CloseInterval, Network, NetworkConfig};

const NAME: &str = "s12_ratelimit";
/// The requests after which the recorded server warned, and after which it had enough.
const RECORDED_WARNED: usize = 94;
const RECORDED_CUT_OFF: usize = 465;
/// How much later the model may do so: balances fade by whole seconds of the wall clock.
const SLACK: usize = 120;

fn without(mut message: Value, name: &str) -> Value {
    if let Some(fields) = message.as_object_mut() {
        fields.remove(name);
    }
    message
}

/// Plays the recording to a server's port for strangers.
pub async fn play() -> Deviations {
    let here = "127.0.0.1:0".parse().unwrap();
    let config = NetworkConfig {
        listen_public: vec![here],
        close_interval: CloseInterval::Manual,
        ..NetworkConfig::default()
    };
    let network = Network::start(config).await.unwrap();
    let address = network.public_addresses()[0];
    let steps = recording::load(NAME);
    let of = |connection: &str, direction: &str| -> Vec<&Step> {
        let wanted = |step: &&Step| step.connection == connection && step.direction == direction;
        steps.iter().filter(wanted).collect()
    };
    let (requests, answers) = (of("user", "send"), of("user", "recv"));
    let mut deviations = Deviations::default();
    let mut client = Client::connect(address).await;
    let mut compared = BTreeSet::new();
    let (mut warned, mut answered) = (Vec::new(), 0);
    for request in requests.iter().chain(&requests) {
        client.send(request.message.to_string()).await;
        let Some(actual) = client.answer(&request.message["id"]).await else {
            break;
        };
        answered += 1;
        if actual.get("warning").is_some() {
            assert_eq!(actual["warning"], "load");
            warned.push(answered);
        }
        let command = request.message["command"].as_str().unwrap().to_owned();
        if let Some(recorded) = answers.get(answered - 1)
            && compared.insert(command.clone())
        {
            let recorded = without(recorded.message.clone(), "request");
            let actual = without(actual, "request");
            let details = differences(Held::InShape, &recorded, &without(actual, "warning"));
            deviations.add(NAME, request, &command, details);
        }
    }
    let expected = |recorded| recorded..=recorded + SLACK;
    assert!(expected(RECORDED_WARNED).contains(&warned[0]), "{warned:?}");
    assert!(expected(RECORDED_CUT_OFF).contains(&answered), "{answered}");
    let end = of("user", "close")[0];
    assert_eq!(client.closing().await, Some(end.code));
    let mut again = Client::connect(address).await;
    again.send(of("user2", "send")[0].message.to_string()).await;
    assert_eq!(again.closing().await, Some(of("user2", "close")[0].code));
    network.stop().await;
    deviations
}
