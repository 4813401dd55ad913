//! The unit of systemd and the manifests of Kubernetes: that they start what is shipped, give it time to
//! drain, probe what a restart cures, confine it, and keep one replica serving.

use super::shipped;
use crate::support::outside::outside;
use serde_json::Value;

/// The longest that production's daemon takes to end, by `shutdown.notice` and `shutdown.grace`.
const DRAIN_SECONDS_MAX: u64 = 35;

/// The documents of a manifest, as JSON.
pub fn documents(name: &str) -> Vec<Value> {
    let folder = if name == "statefulset.yaml" {
        "replicas"
    } else {
        "base"
    };
    let text = shipped(&format!("deploy/kubernetes/{folder}/{name}"));
    serde_norway::Deserializer::from_str(&text)
        .map(|document| {
            let value: serde_norway::Value = serde::Deserialize::deserialize(document).unwrap();
            serde_json::to_value(value).unwrap()
        })
        .filter(|value| !value.is_null())
        .collect()
}

/// A kustomization.
fn kustomization(folder: &str) -> serde_norway::Value {
    let text = shipped(&format!("deploy/kubernetes/{folder}/kustomization.yaml"));
    serde_norway::from_str(&text).unwrap()
}

/// The canary: the set of replicas with the changes of its overlay.
pub fn canary() -> Value {
    let overlay = kustomization("canary");
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
    let suffix = overlay["nameSuffix"].as_str().expect("names of its own");
    for path in [
        "/metadata/name",
        "/spec/template/spec/volumes/0/configMap/name",
    ] {
        let name = set.pointer_mut(path).expect("a name");
        *name = format!("{}{suffix}", name.as_str().unwrap()).into();
    }
    set
}

/// What is applied from a folder, as kubectl renders it; `None`, said aloud, where that is not there: no
/// registry of packages that the scripts of the tests ask has it.
fn rendered(folder: &str) -> Option<Vec<Value>> {
    let mut command = std::process::Command::new("kubectl");
    command.current_dir(env!("CARGO_MANIFEST_DIR"));
    let output = command
        .args(["kustomize", &format!("deploy/kubernetes/{folder}")])
        .output();
    let Ok(output) = output else {
        let told = b"LEFT OUT: kubectl is not installed: the manifests were not rendered\n";
        std::io::Write::write_all(&mut std::io::stderr(), told).unwrap();
        return None;
    };
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}");
    let text = String::from_utf8(output.stdout).unwrap();
    let documents = serde_norway::Deserializer::from_str(&text);
    let values = documents.map(|document| {
        let value: serde_norway::Value = serde::Deserialize::deserialize(document).unwrap();
        serde_json::to_value(value).unwrap()
    });
    Some(values.collect())
}

#[test]
fn whoever_deletes_the_canary_deletes_nothing_of_the_others() {
    // By the files: it takes the replicas and their configuration alone, and names both anew.
    let canary = kustomization("canary");
    assert_eq!(canary["resources"].as_sequence().unwrap().len(), 1);
    assert_eq!(canary["resources"][0], "../replicas");
    assert!(!canary["nameSuffix"].as_str().unwrap().is_empty());
    assert!(canary["configMapGenerator"].is_null());
    let replicas = kustomization("replicas");
    assert_eq!(replicas["resources"].as_sequence().unwrap().len(), 1);
    assert_eq!(replicas["resources"][0], "statefulset.yaml");
    let map = replicas["configMapGenerator"].as_sequence().unwrap();
    assert_eq!(map.len(), 1);
    assert_eq!(map[0]["name"], "xrpayd");
    let base = kustomization("base");
    assert!(base["configMapGenerator"].is_null());
    // By the program that applies them.
    let (Some(base), Some(canary)) = (rendered("base"), rendered("canary")) else {
        return;
    };
    let names = |documents: &[Value]| -> std::collections::BTreeSet<(String, String)> {
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let names = documents.iter();
        names
            .map(|one| (text(&one["kind"]), text(&one["metadata"]["name"])))
            .collect()
    };
    let (stable, trial) = (names(&base), names(&canary));
    assert_eq!(
        stable.intersection(&trial).count(),
        0,
        "{stable:?} {trial:?}"
    );
    assert_eq!((stable.len(), trial.len()), (10, 2), "{stable:?} {trial:?}");
    for (documents, names) in [(&base, &stable), (&canary, &trial)] {
        let set = documents.iter().find(|one| one["kind"] == "StatefulSet");
        let pod = &set.unwrap()["spec"]["template"]["spec"];
        let volumes = pod["volumes"].as_array().unwrap();
        let map = volumes.iter().find(|one| one["name"] == "config").unwrap();
        let map = map["configMap"]["name"].as_str().unwrap().to_owned();
        assert!(
            names.contains(&("ConfigMap".to_owned(), map)),
            "its own map"
        );
        assert_eq!(pod["serviceAccountName"], "xrpayd");
        assert_eq!(set.unwrap()["spec"]["serviceName"], "xrpayd-replicas");
    }
}

#[test]
fn every_place_has_prometheus_ask_for_the_job_that_the_rules_know() {
    let set = documents("statefulset.yaml").remove(0);
    let services = documents("services.yaml");
    let named = |what: &Value| what["metadata"]["name"].as_str().unwrap().to_owned();
    let (set_name, service) = (named(&set), named(&services[1]));
    let file = |path: &str| -> Value {
        let value: serde_norway::Value = serde_norway::from_str(&shipped(path)).unwrap();
        serde_json::to_value(value).unwrap()
    };
    let cluster = file("deploy/kubernetes/prometheus.yml");
    let aws = file("deploy/terraform/prometheus.yml");
    for config in [&cluster, &aws, &file("alerts/prometheus.yml")] {
        assert_eq!(config["scrape_configs"][0]["job_name"], "xrpayd");
        let rules = serde_json::json!(["xrpayd.rules.yml", "slo.rules.yml"]);
        assert_eq!(config["rule_files"], rules);
    }
    let place = format!("{service}.xrpayd.svc.cluster.local");
    let replicas = set["spec"]["replicas"].as_u64().unwrap();
    let targets: Vec<String> = (0..replicas)
        .map(|number| format!("{set_name}-{number}.{place}:9090"))
        .collect();
    let jobs = cluster["scrape_configs"].as_array().unwrap();
    let asked = &jobs[0]["static_configs"][0]["targets"];
    assert_eq!(*asked, serde_json::json!(targets));
    let trial = canary()["metadata"]["name"].as_str().unwrap().to_owned();
    let looked_up = &jobs[1]["dns_sd_configs"][0];
    assert_eq!(looked_up["names"][0], format!("{trial}-0.{place}"));
    assert_eq!(looked_up["port"], 9090);
    let relabels = jobs[1]["relabel_configs"].as_array().unwrap();
    let to_job = serde_json::json!({"target_label": "job", "replacement": "xrpayd"});
    assert!(relabels.contains(&to_job));
    // The names of AWS are those that its files make.
    let service = shipped("deploy/terraform/service.tf");
    let name = aws["scrape_configs"][0]["dns_sd_configs"][0]["names"][0].as_str();
    assert_eq!(name, Some("daemon.xrpayd-production.internal"));
    assert!(service.contains("name = \"daemon\"\n"));
    assert!(service.contains("name = \"xrpayd-${var.environment}.internal\""));

    let found = outside("XRPAYD_TEST_PROMTOOL", "the scrape files", "packages.sh");
    let Some(promtool) = found else {
        return;
    };
    for path in ["deploy/kubernetes", "deploy/terraform"] {
        let folder = tempfile::tempdir().unwrap();
        for (from, name) in [
            (path, "prometheus.yml"),
            ("alerts", "xrpayd.rules.yml"),
            ("alerts", "slo.rules.yml"),
        ] {
            let text = shipped(&format!("{from}/{name}"));
            std::fs::write(folder.path().join(name), text).unwrap();
        }
        let mut command = std::process::Command::new(&promtool);
        command.args(["check", "config", "--lint-fatal"]);
        let output = command.arg(folder.path().join("prometheus.yml")).output();
        let output = output.unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{path}: {said}");
        assert!(said.contains("2 rule files found"), "{said}");
    }
}

#[test]
fn the_ingress_controller_refuses_as_nginx_does() {
    let text = shipped("deploy/kubernetes/ingress-nginx.yaml");
    let map: Value = serde_norway::from_str(&text).unwrap();
    assert_eq!(map["metadata"]["namespace"], "ingress-nginx");
    for (setting, here) in [
        ("limit-req-status-code", "limit_req_status"),
        ("limit-conn-status-code", "limit_conn_status"),
    ] {
        let status = map["data"][setting].as_str().unwrap();
        assert!(shipped("nginx/http.conf").contains(&format!("{here} {status};")));
    }
    let age = map["data"]["hsts-max-age"].as_str().unwrap();
    let header = format!("\"max-age={age}; includeSubDomains\"");
    assert_eq!(map["data"]["hsts"], "true");
    assert_eq!(map["data"]["hsts-include-subdomains"], "true");
    assert!(shipped("nginx/headers.conf").contains(&header));
    // Whoever ends TLS on AWS says the same.
    let listener = shipped("deploy/terraform/service.tf");
    assert!(listener.contains(&format!(
        "strict_transport_security_header_value = {header}"
    )));
}

#[test]
fn a_task_on_aws_is_given_its_files_and_the_authority_of_its_database() {
    let service = shipped("deploy/terraform/service.tf");
    let (_, rest) = service
        .split_once("command = [join(\" && \", [")
        .expect("the first container");
    let (list, _) = rest.split_once("])]").unwrap();
    let commands: Vec<&str> = list
        .lines()
        .filter_map(|line| line.trim().strip_prefix('"')?.strip_suffix("\","))
        .collect();
    assert!(commands.len() > 6, "{commands:?}");
    let place = tempfile::tempdir().unwrap();
    let (secrets, config) = (place.path().join("secrets"), place.path().join("config"));
    for folder in [&secrets, &config] {
        std::fs::create_dir(folder).unwrap();
    }
    let (secrets_at, config_at) = (secrets.display().to_string(), config.display().to_string());
    // The user is that of a container.
    let script = commands.join(" && ").replace("chown -R 10001:10001", "ls");
    let script = script.replace("/run/secrets", &secrets_at);
    let script = script.replace("/etc/xrpayd", &config_at);
    let outputs = shipped("deploy/terraform/outputs.tf");
    let url = outputs
        .split('"')
        .find(|word| word.starts_with("postgres://"));
    let url = url.expect("the form of the URL");
    let url = url.replace("${aws_db_instance.xrpayd.address}", "db.example.com");
    assert!(url.contains("sslmode=verify-full&sslrootcert=/run/secrets/database_ca"));
    let url = url.replace("/run/secrets", &secrets_at);
    let (_, layer) = service.split_once("<<-TOML\n").unwrap();
    let (layer, _) = layer.split_once("  TOML").unwrap();
    let subnets = "${jsonencode([for subnet in data.aws_subnet.public : subnet.cidr_block])}";
    assert!(layer.contains(subnets));
    let layer = layer.replace(subnets, "[\"10.1.0.0/24\"]");
    let layer = layer.replace("/run/secrets", &secrets_at);
    let own = shipped("deploy/compose/xrpayd.example.toml").replace("/run/secrets", &secrets_at);
    let status = std::process::Command::new("sh")
        .args(["-c", &script])
        .env("SEED", crate::support::daemon::WALLET.1)
        .env("DATABASE_URL", &url)
        .env(
            "WEBHOOK_KEY",
            "a2V5a2V5a2V5a2V5a2V5a2V5a2V5a2V5a2V5a2V5a2U=",
        )
        .env("DATABASE_CA", "-----BEGIN CERTIFICATE-----")
        .env("CONFIG", own)
        .env("LAYER", layer)
        .stdout(std::process::Stdio::null())
        .status();
    assert!(status.unwrap().success());
    for name in [
        "hot_wallet_seed",
        "database_url",
        "webhook_key",
        "database_ca",
    ] {
        let found = std::fs::metadata(secrets.join(name)).unwrap();
        let mode = std::os::unix::fs::PermissionsExt::mode(&found.permissions());
        assert_eq!(mode & 0o077, 0, "{name}");
    }
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_xrpayd"));
    command.args(["config", "check", "--profile", "production"]);
    for name in ["xrpayd.toml", "layer.toml"] {
        command.arg("--config").arg(config.join(name));
    }
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(0), "{said}");
    // The bundle is a variable of its own, which ends in the one place that the URL names.
    assert!(service.contains("{ name = \"DATABASE_CA\", value = var.database_ca }"));
    assert!(shipped("deploy/terraform/variables.tf").contains("variable \"database_ca\""));
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
    let text = shipped("deploy/kubernetes/replicas/xrpayd.toml");
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
    // Whatever ends it: it is tried again until it stays up, and not five times in a second.
    assert_eq!(value("StartLimitIntervalSec"), "0");
    assert!((3..=30).contains(&value("RestartSec").parse::<u64>().unwrap()));
    assert_eq!(value("ExecReload"), "/bin/kill -HUP $MAINPID");
}
