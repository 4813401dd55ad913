//! What the runbooks say is given, a block for each way to deploy: held against the very files that deploy, and
//! its `xrpayd` run by the shell with a stand-in for the program that it goes through.

use super::compose::{compose, services, texts};
use super::orchestrators::documents;
use super::shipped;
use crate::support::executable;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

/// The block below a heading of runbooks/README.md.
fn block(heading: &str) -> String {
    let page = shipped("runbooks/README.md");
    let (_, rest) = page
        .split_once(&format!("### {heading}\n"))
        .expect("the heading");
    let (_, rest) = rest.split_once("```text\n").expect("its block");
    rest.split_once("```").expect("its end").0.to_owned()
}

/// What the block sets, and what its `xrpayd` runs for a command as the runbooks have it.
fn given(heading: &str, program: &str) -> (BTreeMap<String, String>, Vec<String>) {
    let place = tempfile::tempdir().unwrap();
    let words = place.path().join("words");
    executable::write(
        &place.path().join(program),
        &format!(
            "#!/bin/sh\ncase \"$*\" in *port-forward*) exit;; esac\nprintf '%s\\n' \"$@\" >{}\n",
            words.display()
        ),
    );
    let script = format!(
        "{}\n{}\nxrpayd audit list --limit 1 --config \"$CONFIG\"\nwait\nexport -p\n",
        block(heading),
        block("And everywhere")
    );
    let path = std::env::var("PATH").unwrap();
    let output = Command::new("bash")
        .args(["-c", &script])
        .env_clear()
        .env("PATH", format!("{}:{path}", place.path().display()))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success() && said.is_empty(), "{said}");
    let set = String::from_utf8(output.stdout).unwrap();
    let set = set.lines().filter_map(|line| {
        let (name, value) = line.strip_prefix("declare -x ")?.split_once('=')?;
        Some((name.to_owned(), value.trim_matches('"').to_owned()))
    });
    let words = std::fs::read_to_string(words).expect("it was asked");
    (set.collect(), words.lines().map(str::to_owned).collect())
}

/// Whether the words are those of a command of the daemon with the configuration of its service, which has
/// the words `serving` itself.
fn is_configured_like(words: &[String], serving: &[String]) {
    let own = ["audit", "list", "--limit", "1"];
    assert_eq!(words[..own.len()], own);
    let options = |words: &[String]| -> Vec<String> {
        let words = words.iter().flat_map(|word| word.split('='));
        let words: Vec<&str> = words.collect();
        let pairs = words.chunks(2).map(|pair| pair.join("="));
        let mut pairs: Vec<String> = pairs.collect();
        // The order of the layers counts, and not where the profile stands.
        pairs.sort_by_key(|pair| !pair.starts_with("--profile"));
        pairs
    };
    assert_eq!(options(&words[own.len()..]), options(&serving[1..]));
    assert_eq!(serving[0], "serve");
}

/// What every way to deploy is asked about, and what of it is a file of the repository.
fn is_complete(given: &BTreeMap<String, String>) {
    let pages = std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("runbooks")).unwrap();
    let text: String = pages
        .map(|page| std::fs::read_to_string(page.unwrap().path()).unwrap())
        .collect();
    for name in [
        "CONFIG",
        "API",
        "METRICS",
        "PROMETHEUS",
        "ALERTMANAGER",
        "ADMIN_KEY_FILE",
        "KEY_FILE",
        "WALLET",
        "BACKUPS",
        "DATABASE_URL",
    ] {
        assert!(text.contains(&format!("${name}")) || text.contains(&format!("${{{name}")));
        assert!(!given[name].is_empty(), "{name}");
    }
    for name in ["DEPLOY", "HOOKS"] {
        let Some(path) = given.get(name) else {
            continue;
        };
        let own = path
            .strip_prefix("/opt/xrpayd/")
            .expect("the host's checkout");
        assert!(
            Path::new(env!("CARGO_MANIFEST_DIR")).join(own).exists(),
            "{path}"
        );
    }
}

#[test]
fn what_the_runbooks_are_given_under_compose_is_what_compose_runs() {
    let (given, words) = given("Compose", "docker");
    is_complete(&given);
    let compose = compose();
    let services = services(&compose);
    assert_eq!(words[..5], ["compose", "-p", "xrpayd", "exec", "-T"]);
    assert_eq!(compose["name"], "xrpayd");
    let replica = &services[&words[5]];
    assert_eq!(words[6], "xrpayd");
    let serving = texts(&replica["command"]);
    is_configured_like(&words[7..], &serving);
    assert!(serving.contains(&format!("--config={}", given["CONFIG"])));
    let listens = replica["environment"]["XRPAYD__TELEMETRY__LISTEN"].as_str();
    assert_eq!(
        given["METRICS"],
        format!("http://{}/metrics", listens.unwrap())
    );
    let second = services["xrpayd-2"]["networks"]["watch"]["ipv4_address"].as_str();
    assert!(block("Compose").contains(second.unwrap()));
    for (variable, service) in [
        ("PROMETHEUS", "prometheus"),
        ("ALERTMANAGER", "alertmanager"),
    ] {
        let port = texts(&services[service]["ports"]).remove(0);
        let (address, _) = port.rsplit_once(':').unwrap();
        assert_eq!(given[variable], format!("http://{address}"), "{service}");
    }
    // The operators' name is served at 8443, which the host publishes at the port of https.
    let ops = texts(&services["nginx"]["ports"]);
    assert!(ops.iter().any(|port| port.ends_with("}:443:8443")));
    let name = given["API"].strip_prefix("https://").unwrap();
    assert!(
        shipped("nginx/ops.conf")
            .contains(&format!("listen 8443 ssl http2;\n    server_name {name};"))
    );
    assert!(given["UPSTREAM"].ends_with("/nginx/upstream.conf"));
    // The role and the database that psql asks for are those that are made.
    let role = shipped("deploy/compose/initdb/10-role.sql");
    assert!(
        role.contains("create role xrpayd login") && role.contains("database xrpayd owner xrpayd")
    );
    assert!(block("Compose").contains("postgres psql --username=xrpayd --dbname=xrpayd"));
    assert!(services.contains_key("postgres"));
}

#[test]
fn what_the_runbooks_are_given_under_systemd_is_what_the_unit_runs() {
    let (given, words) = given("systemd", "runuser");
    is_complete(&given);
    let unit = shipped("deploy/systemd/xrpayd@.service");
    let value = |name: &str| {
        let line = unit
            .lines()
            .find_map(|line| line.strip_prefix(&format!("{name}=")));
        line.unwrap().replace("%i", &given["INSTANCE"])
    };
    assert_eq!(words[..3], ["--user", &value("User"), "--"]);
    let started = value("ExecStart");
    let mut started = started.split(' ').map(str::to_owned);
    assert_eq!(words[3], started.next().unwrap());
    is_configured_like(&words[4..], &started.collect::<Vec<_>>());
    assert!(shipped("docs/DEPLOYS.md").contains("`xrpayd/site.conf`"));
}

#[test]
fn what_the_runbooks_are_given_under_kubernetes_is_what_the_manifests_have() {
    let (given, words) = given("Kubernetes", "kubectl");
    is_complete(&given);
    let set = documents("statefulset.yaml").remove(0);
    let container = &set["spec"]["template"]["spec"]["containers"][0];
    let pod = format!("{}-0", set["metadata"]["name"].as_str().unwrap());
    assert_eq!(given["POD"], pod);
    assert_eq!(words[..5], ["-n", "xrpayd", "exec", "-i", &pod]);
    assert_eq!(words[5..9], ["-c", "xrpayd", "--", "xrpayd"]);
    assert_eq!(container["name"], "xrpayd");
    let serving = container["args"].as_array().unwrap().iter();
    let serving: Vec<String> = serving
        .map(Value::as_str)
        .map(|word| word.unwrap().to_owned())
        .collect();
    is_configured_like(&words[9..], &serving);
    let forwarded = block("Kubernetes");
    for port in container["ports"].as_array().unwrap() {
        let port = format!(":{}", port["containerPort"]);
        assert!(forwarded.contains(&format!("{port} ")), "{port}");
    }
}
