//! The unit of systemd and the manifests of Kubernetes: that they start what is shipped, give it time to
//! drain, probe what a restart cures, confine it, and keep one replica serving.

use super::shipped;
use serde_json::Value;

/// The longest that production's daemon takes to end, by `shutdown.notice` and `shutdown.grace`.
const DRAIN_SECONDS_MAX: u64 = 35;

/// The documents of a manifest, as JSON.
pub fn documents(name: &str) -> Vec<Value> {
    let text = shipped(&format!("deploy/kubernetes/base/{name}"));
    serde_norway::Deserializer::from_str(&text)
        .map(|document| {
            let value: serde_norway::Value = serde::Deserialize::deserialize(document).unwrap();
            serde_json::to_value(value).unwrap()
        })
        .filter(|value| !value.is_null())
        .collect()
}

/// The canary: the stable set of replicas with the changes of its overlay.
pub fn canary() -> Value {
    let overlay: serde_norway::Value =
        serde_norway::from_str(&shipped("deploy/kubernetes/canary/kustomization.yaml")).unwrap();
    let patches = overlay["patches"].as_sequence().unwrap();
    let patch = patches
        .iter()
        .find(|patch| patch["target"]["kind"] == "StatefulSet");
    let operations: Value =
        serde_norway::from_str(patch.unwrap()["patch"].as_str().unwrap()).unwrap();
    let mut set = documents("statefulset.yaml").remove(0);
    for operation in operations.as_array().unwrap() {
        assert_eq!(operation["op"], "replace");
        let path = operation["path"].as_str().unwrap();
        let place = set.pointer_mut(path).unwrap_or_else(|| panic!("{path}"));
        *place = operation["value"].clone();
    }
    set
}

#[test]
fn kubernetes_replaces_one_replica_at_a_time_and_restarts_none_for_what_a_restart_cures_not() {
    let set = documents("statefulset.yaml").remove(0);
    let pod = &set["spec"]["template"]["spec"];
    assert!(set["spec"]["replicas"].as_u64().unwrap() >= 2);
    assert_eq!(set["spec"]["updateStrategy"]["type"], "RollingUpdate");
    let patience = pod["terminationGracePeriodSeconds"].as_u64().unwrap();
    assert!(patience > DRAIN_SECONDS_MAX);
    let container = &pod["containers"][0];
    let probe = |name: &str| {
        container[name]["httpGet"]["path"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    assert_eq!(probe("startupProbe"), "/health/live");
    assert_eq!(probe("livenessProbe"), "/health/live");
    assert_eq!(probe("readinessProbe"), "/health/ready");
    // A replica that leaves is noticed before it stops taking requests (shutdown.notice, 5 s).
    let readiness = &container["readinessProbe"];
    let noticed = readiness["periodSeconds"].as_u64().unwrap()
        * readiness["failureThreshold"].as_u64().unwrap();
    assert!(noticed < 5, "{noticed} s");
    assert_eq!(container["resources"]["limits"]["cpu"], "1");
    assert_eq!(container["resources"]["limits"]["memory"], "1Gi");
    assert_eq!(pod["automountServiceAccountToken"], false);
    let context = &pod["securityContext"];
    assert_eq!(context["runAsNonRoot"], true);
    assert_eq!(context["runAsUser"], 10001);
    assert_eq!(context["seccompProfile"]["type"], "RuntimeDefault");
    let others = pod["initContainers"].as_array().unwrap().iter();
    for container in others.chain([container]) {
        let context = &container["securityContext"];
        assert_eq!(context["allowPrivilegeEscalation"], false);
        assert_eq!(context["readOnlyRootFilesystem"], true);
        assert_eq!(context["capabilities"]["drop"], serde_json::json!(["ALL"]));
        assert!(!container["resources"]["limits"]["memory"].is_null());
    }
    let budget = documents("disruption.yaml").remove(0);
    assert_eq!(budget["spec"]["maxUnavailable"], 1);

    let canary = canary();
    assert_eq!(canary["metadata"]["name"], "xrpayd-canary");
    assert_eq!(canary["spec"]["replicas"], 1);
    let labels = &canary["spec"]["template"]["metadata"]["labels"];
    let stable = &set["spec"]["template"]["metadata"]["labels"];
    assert_eq!(&canary["spec"]["selector"]["matchLabels"], labels);
    assert_ne!(labels, stable, "neither set owns the other's replicas");
    // Both are of the service, and of the budget.
    let service = documents("services.yaml").remove(0);
    for selector in [
        &service["spec"]["selector"],
        &budget["spec"]["selector"]["matchLabels"],
    ] {
        for (name, value) in selector.as_object().unwrap() {
            assert_eq!((&labels[name], &stable[name]), (value, value));
        }
    }
}

#[test]
fn kubernetes_lets_clients_ask_what_is_for_clients_and_nobody_else_anything() {
    let ingress = documents("ingress.yaml").remove(0);
    let paths = ingress["spec"]["rules"][0]["http"]["paths"]
        .as_array()
        .unwrap();
    let is_let_in = |asked: &str| {
        paths.iter().any(|path| {
            let (text, kind) = (path["path"].as_str().unwrap(), &path["pathType"]);
            asked == text || (kind == "Prefix" && asked.starts_with(&format!("{text}/")))
        })
    };
    // The document of the API knows every path; what changes how the service runs is not for clients.
    let document: Value = serde_json::from_str(&shipped("docs/openapi.json")).unwrap();
    let inner = [
        "/v1/pause",
        "/v1/resume",
        "/v1/rollout/promote",
        "/v1/rollout/demote",
        "/v1/audit",
    ];
    let probes = ["/health/live", "/health/ready"];
    for path in document["paths"].as_object().unwrap().keys() {
        let expected = !inner.contains(&path.as_str()) && !probes.contains(&path.as_str());
        assert_eq!(is_let_in(path), expected, "{path}");
    }
    assert!(!is_let_in("/metrics") && !is_let_in("/console"));
    let annotation = |name: &str| {
        let full = format!("nginx.ingress.kubernetes.io/{name}");
        ingress["metadata"]["annotations"][full]
            .as_str()
            .unwrap()
            .to_owned()
    };
    assert_eq!(annotation("limit-rps"), "10");
    assert_eq!(annotation("proxy-body-size"), "10k");
    assert_eq!(annotation("proxy-read-timeout"), "35");
    assert_eq!(annotation("proxy-next-upstream"), "error timeout");
    let policies = documents("network.yaml");
    let allowed = policies[0]["spec"]["ingress"].as_array().unwrap();
    for rule in allowed {
        assert_eq!(rule["from"].as_array().unwrap().len(), 1);
        assert!(rule["ports"][0]["port"].is_u64());
    }
    assert_eq!(policies[1]["spec"]["podSelector"], serde_json::json!({}));
    assert!(policies[1]["spec"]["ingress"].is_null());
}

#[test]
fn kubernetes_configures_what_the_daemon_takes() {
    let place = tempfile::tempdir().unwrap();
    let text = shipped("deploy/kubernetes/base/xrpayd.toml");
    let config = place.path().join("xrpayd.toml");
    std::fs::write(&config, text).unwrap();
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_xrpayd"))
        .args(["config", "check", "--profile", "production", "--config"])
        .arg(&config)
        // The volume of a replica is no folder of this machine.
        .env("XRPAYD__STORE__LAST_RUN_DIR", place.path())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(0), "{said}");
}

#[test]
fn the_unit_starts_what_the_deploy_hooks_install_and_gives_it_time() {
    let unit = shipped("deploy/systemd/xrpayd@.service");
    let value = |name: &str| {
        let line = unit
            .lines()
            .find_map(|line| line.strip_prefix(&format!("{name}=")));
        line.unwrap_or_else(|| panic!("{name}")).to_owned()
    };
    let hooks = shipped("deploy/systemd.sh");
    assert!(
        hooks.contains("/opt/xrpayd/instances") && hooks.contains("systemctl stop \"xrpayd@$2\"")
    );
    assert!(value("ExecStart").starts_with("/opt/xrpayd/instances/%i/current/xrpayd serve "));
    let patience: u64 = value("TimeoutStopSec").parse().unwrap();
    assert!(patience > DRAIN_SECONDS_MAX);
    assert_eq!(value("User"), "xrpayd");
    assert_eq!(value("LimitCORE"), "0");
    assert_eq!(value("Restart"), "on-failure");
    assert_eq!(value("ExecReload"), "/bin/kill -HUP $MAINPID");
}
