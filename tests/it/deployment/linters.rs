//! Programs that know these kinds of files look over all of them, and find nothing.

use super::orchestrators::{canary, documents};
use super::shipped;
use crate::support::outside::outside;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What the whole unit may be exposed to, by `systemd-analyze security`: 0 is nothing, 10 everything.
const EXPOSURE_MAX: f64 = 2.0;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Files below a folder of the repository with one of these endings.
fn files(folder: &str, endings: &[&str]) -> Vec<PathBuf> {
    fn walk(folder: &Path, endings: &[&str], found: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let has_ending = |ending: &&str| path.extension().is_some_and(|own| own == *ending);
            if path.is_dir() {
                walk(&path, endings, found);
            } else if endings.iter().any(has_ending) {
                found.push(path);
            }
        }
    }
    let mut found = Vec::new();
    walk(&root().join(folder), endings, &mut found);
    found.sort();
    found
}

/// Runs a program to a success; what it said.
fn clean(command: &mut Command) -> String {
    let output = command.current_dir(root()).output().unwrap();
    let mut said = String::from_utf8_lossy(&output.stdout).into_owned();
    said.push_str(&String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{command:?}: {said}");
    said
}

/// One of the pinned linters, by name.
fn linter(name: &str) -> Option<Command> {
    let place = outside("XRPAYD_TEST_LINTERS", name, "linters.sh")?;
    Some(Command::new(Path::new(&place).join("bin").join(name)))
}

#[test]
fn the_scripts_have_nothing_that_shellcheck_knows() {
    let Some(shellcheck) = outside("XRPAYD_TEST_SHELLCHECK", "shellcheck", "packages.sh") else {
        return;
    };
    let mut scripts = files("deploy", &["sh"]);
    scripts.extend(files("tests", &["sh"]));
    assert!(scripts.len() > 10, "{scripts:?}");
    clean(Command::new(shellcheck).arg("-x").args(scripts));
}

#[test]
fn what_is_written_in_yaml_is_well_formed() {
    let Some(yamllint) = outside("XRPAYD_TEST_YAMLLINT", "yamllint", "packages.sh") else {
        return;
    };
    // Long lines are GitHub's expressions and addresses; `on` is GitHub's own word.
    let rules = "{extends: default, rules: {line-length: {max: 130}, truthy: {check-keys: false}, \
                 comments: {min-spaces-from-content: 1}}}";
    let mut all = Vec::new();
    for entry in std::fs::read_dir(root()).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        // `rules` looks over the folder of the alerts, whose cases have long lines.
        if path.is_dir() && !["target", ".git", "alerts"].contains(&name.as_str()) {
            all.extend(files(&name, &["yaml", "yml"]));
        } else if name.ends_with(".yml") || name.ends_with(".yaml") {
            all.push(path);
        }
    }
    let has = |end: &str| all.iter().any(|path| path.ends_with(end));
    for end in [
        "grafana/provisioning/datasources/prometheus.yml",
        "deploy/kubernetes/base/ingress.yaml",
        "deploy/terraform/prometheus.yml",
        ".github/workflows/ci.yml",
        "docker-compose.production.yml",
    ] {
        assert!(has(end), "{end}");
    }
    clean(
        Command::new(yamllint)
            .args(["--strict", "-d", rules])
            .args(all),
    );
}

#[test]
fn the_dockerfile_has_nothing_that_hadolint_knows() {
    let Some(mut hadolint) = linter("hadolint") else {
        return;
    };
    clean(hadolint.args(["--failure-threshold", "style", "Dockerfile"]));
}

#[test]
fn compose_and_the_workflows_are_as_their_schemas_have_it() {
    for (schema, files) in [
        (
            "vendor.compose-spec",
            vec![root().join("docker-compose.production.yml")],
        ),
        (
            "vendor.github-workflows",
            files(".github/workflows", &["yml"]),
        ),
    ] {
        let Some(mut check) = linter("check-jsonschema") else {
            return;
        };
        assert!(!files.is_empty());
        clean(check.args(["--builtin-schema", schema]).args(files));
    }
}

#[test]
fn the_workflows_have_nothing_that_zizmor_knows_and_every_action_is_a_commit() {
    for path in files(".github/workflows", &["yml"]) {
        let text = std::fs::read_to_string(&path).unwrap();
        for line in text.lines().filter(|line| line.contains("uses:")) {
            let used = line.split("uses:").nth(1).unwrap().trim();
            if used.starts_with("./") {
                continue;
            }
            let (_, commit) = used.split_once('@').expect("a version");
            let (commit, name) = commit.split_once(" # v").expect("the version by name");
            assert!(
                commit.len() == 40 && commit.chars().all(|c| c.is_ascii_hexdigit()),
                "{line}"
            );
            assert!(!name.is_empty());
        }
    }
    let Some(mut zizmor) = linter("zizmor") else {
        return;
    };
    clean(zizmor.args([
        "--offline",
        "--persona",
        "pedantic",
        "--min-severity",
        "low",
        ".github/workflows",
    ]));
}

#[test]
fn what_a_workflow_runs_as_root_is_told_where_its_programs_are() {
    let mut seen = 0;
    for path in files(".github/workflows", &["yml"]) {
        let text = std::fs::read_to_string(&path).unwrap();
        let run = text.lines().filter(|line| !line.trim().starts_with('#'));
        for line in run.filter(|line| line.contains("sudo ")) {
            // sudo's own path overrules one that is merely preserved.
            assert!(
                line.contains("sudo env \"HOME=$HOME\" \"PATH=$PATH\" "),
                "{line}"
            );
            seen += 1;
        }
    }
    assert!(seen > 0);
}

#[test]
fn a_release_asks_before_it_begins_and_is_put_in_by_the_script_that_takes_it_back() {
    let text = shipped(".github/workflows/release.yml");
    let workflow: serde_norway::Value = serde_norway::from_str(&text).unwrap();
    for place in ["staging", "production"] {
        let steps = workflow["jobs"][place]["steps"].as_sequence().unwrap();
        let runs: Vec<&str> = steps
            .iter()
            .filter_map(|step| step["run"].as_str())
            .collect();
        let at = |part: &str| {
            let found = runs.iter().position(|run| run.contains(part));
            found.unwrap_or_else(|| panic!("{place}: {part}"))
        };
        let (checked, put_in) = (at("compose.sh preflight"), at("deploy/release.sh "));
        assert!(at("gh attestation verify") < checked && checked < put_in);
        let is_staging = place == "staging";
        assert_eq!(runs[checked].contains("--allow-open"), is_staging);
        assert_eq!(runs[put_in].contains("--own-traffic"), is_staging);
        for part in [
            "--commit \"$GITHUB_SHA\"",
            "--from \"$GITHUB_WORKSPACE\"",
            "-- --watch",
        ] {
            assert!(runs[put_in].contains(part), "{place}: {part}");
        }
        // The commit is there to be handed on.
        let checkout = &steps[0]["with"];
        assert_eq!(checkout["fetch-depth"], 0);
    }
}

#[test]
fn the_manifests_are_as_kubernetes_has_it() {
    let place = tempfile::tempdir().unwrap();
    let mut manifests: Vec<PathBuf> = files("deploy/kubernetes/base", &["yaml"]);
    manifests.extend(files("deploy/kubernetes/replicas", &["yaml"]));
    manifests.retain(|path| !path.ends_with("kustomization.yaml"));
    let listed = ["base", "replicas"]
        .map(|folder| shipped(&format!("deploy/kubernetes/{folder}/kustomization.yaml")))
        .concat();
    let mut copies = Vec::new();
    for path in manifests {
        let name = path.file_name().unwrap().to_str().unwrap();
        assert!(
            listed.contains(&format!("- {name}\n")),
            "{name} is not applied"
        );
        // As JSON, so that what YAML's anchors repeat is there.
        for (at, document) in documents(name).into_iter().enumerate() {
            let copy = place.path().join(format!("{name}.{at}.json"));
            std::fs::write(&copy, document.to_string()).unwrap();
            copies.push(copy);
        }
    }
    let copy = place.path().join("canary.json");
    std::fs::write(&copy, canary().to_string()).unwrap();
    copies.push(copy);
    copies.push(root().join("deploy/kubernetes/ingress-nginx.yaml"));
    let Some(mut validate) = linter("kubernetes-validate") else {
        return;
    };
    let said = clean(validate.arg("--strict").args(&copies));
    assert_eq!(said.matches(" passed ").count(), copies.len(), "{said}");
}

#[test]
fn the_unit_is_as_systemd_has_it_and_leaves_the_daemon_little() {
    let analyze = outside(
        "XRPAYD_TEST_SYSTEMD_ANALYZE",
        "the unit of systemd",
        "packages.sh",
    );
    let Some(analyze) = analyze else {
        return;
    };
    let place = tempfile::tempdir().unwrap();
    let unit = place.path().join("xrpayd@blue.service");
    let text = shipped("deploy/systemd/xrpayd@.service");
    let binary = "/opt/xrpayd/instances/%i/current/xrpayd";
    assert!(text.contains(binary));
    // It has to be there for the check; and so has whoever it runs as.
    let text = text.replace(binary, env!("CARGO_BIN_EXE_xrpayd"));
    std::fs::write(&unit, text).unwrap();
    let said = clean(Command::new(&analyze).arg("verify").arg(&unit));
    assert_eq!(said.trim(), "");
    for unit in [unit, root().join("deploy/systemd/xrpayd-backup.service")] {
        let level = exposure(&analyze, &unit);
        assert!(level <= EXPOSURE_MAX, "{}: {level}", unit.display());
    }
}

/// How exposed a unit is, by systemd's own count.
fn exposure(analyze: &str, unit: &Path) -> f64 {
    let said = clean(
        Command::new(analyze)
            .args(["security", "--offline=true"])
            .arg(unit),
    );
    let overall = said
        .split("Overall exposure level for")
        .nth(1)
        .expect("a verdict");
    let level = overall
        .split(": ")
        .nth(1)
        .unwrap()
        .split(' ')
        .next()
        .unwrap();
    level.parse().unwrap()
}

#[test]
fn terraform_is_written_as_terraform_writes_it() {
    // No registry of packages that the scripts of the tests ask has this program: a run without it says so.
    let Ok(found) = Command::new("terraform").arg("version").output() else {
        let told = b"LEFT OUT: terraform is not installed: its files were not read\n";
        std::io::Write::write_all(&mut std::io::stderr(), told).unwrap();
        return;
    };
    assert!(found.status.success());
    clean(Command::new("terraform").args(["fmt", "-check", "-recursive", "deploy/terraform"]));
}
