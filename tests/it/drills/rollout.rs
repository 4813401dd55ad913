//! The stages with a real daemon: commands beside it, a reload that allows less, a restart, and a stage
//! that is given up because too many payments fail.

use super::scene::{GRACE, SHOP, Scene, is_final};
use serde_json::{Value, json};

/// Two stages of which the first one is left by one payment; `more` is what else the section says.
fn layer(more: &str) -> String {
    format!(
        "[rollout]\nstage = \"internal\"\n{more}\n\
         [[rollout.stages]]\nname = \"internal\"\nmax_payment_xrp = \"10\"\n\
         criteria = {{ min_payments = 1, max_error_rate = \"0\" }}\n\
         [[rollout.stages]]\nname = \"beta\"\nmax_payment_xrp = \"100\"\n"
    )
}

fn of(tag: u32, value: &str) -> Value {
    json!({ "destination": SHOP, "destination_tag": tag, "amount": { "currency": "XRP", "value": value } })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stage_is_climbed_and_left_by_commands_beside_the_daemon_and_by_a_reload() {
    let scene = Scene::new("200ms", "10000", "");
    let setup = scene.setup.clone().with(&layer(""));
    let daemon = setup.start();
    setup.ready().await;
    let merchant = &scene.merchant;
    let pay = async |tag: u32, key: &str, value: &str| {
        merchant
            .post("/v1/payments", Some(key), &of(tag, value))
            .await
    };
    let is_at = async |stage: &'static str| {
        merchant
            .until("/v1/limits", |limits| limits["stage"] == stage)
            .await
    };

    let (status, refused) = pay(1, "big", "50").await;
    assert_eq!(
        (status, &refused["code"]),
        (422, &json!("amount_above_stage_limit"))
    );
    let (code, seen, errors) = setup.try_command(&["rollout", "evaluate"]);
    assert_eq!((code, &seen["ready"]), (Some(1), &json!(false)), "{errors}");
    let (code, _, errors) = setup.try_command(&["rollout", "promote"]);
    assert_eq!(code, Some(1));
    assert!(
        errors.contains("not met: min_payments") && errors.contains("not met: max_error_rate"),
        "{errors}"
    );

    let (_, small) = pay(2, "small", "1").await;
    merchant
        .payment(small["id"].as_str().unwrap(), is_final)
        .await;
    assert_eq!(setup.command(&["rollout", "evaluate"])["ready"], true);
    let promoted = setup.command(&[
        "rollout", "promote", "--from", "internal", "--reason", "it works",
    ]);
    assert_eq!(
        (&promoted["stage"], &promoted["version"]),
        (&json!("beta"), &json!(2))
    );
    let (code, _, _) = setup.try_command(&["rollout", "promote", "--from", "internal"]);
    assert_eq!(code, Some(1), "one promotion is not two");
    assert_eq!(is_at("beta").await["caps"]["max_payment"]["value"], "100");
    let (status, big) = pay(1, "big", "50").await;
    assert_eq!((status, &big["stage"]), (201, &json!("beta")), "{big}");
    scene
        .until_metric("rollout_stage", |stage| stage > 0.5)
        .await;

    // A demotion binds before the daemon has heard of it.
    setup.command(&["rollout", "demote", "--reason", "a drill"]);
    let (status, refused) = pay(3, "bigger", "50").await;
    assert_eq!(
        (status, &refused["code"]),
        (422, &json!("amount_above_stage_limit"))
    );
    let (status, again) = pay(1, "big", "50").await;
    assert_eq!(
        (status, &again["id"]),
        (200, &big["id"]),
        "what was accepted is"
    );
    let history = setup.command(&["rollout", "status"])["history"].clone();
    assert_eq!(
        (&history[0]["change"], &history[0]["reason"]),
        (&json!("demoted"), &json!("a drill"))
    );
    assert_eq!(history.as_array().unwrap().len(), 3);
    setup.command(&["rollout", "promote", "--override-reason", "it was a drill"]);
    is_at("beta").await;

    // What the criteria ask about and no payment tells is written down and closed, once.
    let words = ["--kind", "alert", "--summary", "a drill"];
    let added = setup.command(&[&["rollout", "incident", "add"][..], &words].concat());
    let number = added["number"].to_string();
    for _ in 0..2 {
        let closed = setup.command(&["rollout", "incident", "close", &number, "--note", "seen"]);
        assert!(
            closed["closed_at"].is_string() && closed["note"] == "seen",
            "{closed}"
        );
    }
    let listed = setup.command(&["rollout", "incident", "list"]);
    assert_eq!(listed["data"][0]["summary"], "a drill");
    let (code, _, errors) = setup.try_command(&["rollout", "incident", "close", "99"]);
    assert_eq!(
        (code, errors.contains("no incident 99")),
        (Some(1), true),
        "{errors}"
    );

    // A restart keeps the stage, whatever the configuration says of a new database's.
    assert_eq!(daemon.terminate(GRACE), Some(0));
    let daemon = setup.start();
    setup.ready().await;
    is_at("beta").await;

    // A reload that allows less is a demotion.
    setup.rewrite_last_layer(&layer("highest_stage = \"internal\""));
    daemon.ask_to_reload();
    is_at("internal").await;
    let last = setup.command(&["rollout", "status"])["history"][0].clone();
    assert_eq!(
        (&last["by"], &last["to"]),
        (&json!("daemon"), &json!("internal"))
    );
    assert_eq!(setup.command(&["audit", "verify"])["whole"], true);
    scene.all_succeed(2).await;
    assert_eq!(daemon.terminate(GRACE), Some(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stage_at_which_payments_fail_is_given_up_without_a_person() {
    let rule = "stage = \"beta\"\n[rollout.auto_demote]\nburn_rate = 10\nerror_budget = \"0.05\"\nmin_payments = 3\n";
    let text = layer("").replace("stage = \"internal\"\n", rule);
    let scene = Scene::new("200ms", "10000", "");
    let setup = scene.setup.clone().with(&text);
    let daemon = setup.start();
    setup.ready().await;
    let merchant = &scene.merchant;
    let stage = async || merchant.get("/v1/limits").await["stage"].clone();
    let (status, good) = merchant
        .post("/v1/payments", Some("good"), &of(1, "1"))
        .await;
    assert_eq!(status, 201);
    merchant
        .payment(good["id"].as_str().unwrap(), is_final)
        .await;
    assert_eq!(stage().await, "beta");

    // The ledger takes the fee of these, and pays nobody.
    for tag in 10..14 {
        let force = json!({
            "kind": "force_result", "destination_tag": tag, "result": "tecPATH_DRY",
        });
        scene.ledger.fault_all(&force).await;
        let key = format!("failing-{tag}");
        let (status, failing) = merchant
            .post("/v1/payments", Some(&key), &of(tag, "1"))
            .await;
        assert_eq!(status, 201, "{failing}");
    }
    merchant
        .until("/v1/limits", |limits| limits["stage"] == "internal")
        .await;
    scene.ledger.clear().await;
    let last = setup.command(&["rollout", "status"])["history"][0].clone();
    assert_eq!(
        (&last["by"], &last["change"]),
        (&json!("daemon"), &json!("demoted"))
    );
    assert_eq!(last["evidence"][0]["window"], "long_window");
    let told = merchant.all_events().await;
    let told: Vec<&Value> = told
        .iter()
        .filter(|event| event["type"] == "rollout.changed")
        .collect();
    assert_eq!(told.len(), 1);
    assert_eq!(told[0]["data"]["previous_stage"], "beta");
    assert_eq!(daemon.terminate(GRACE), Some(0));
}
