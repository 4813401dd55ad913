//! The scripts that a release runs on the operator's machines: the hooks by which the deploy scripts replace
//! the replicas of compose, the digests of its images, and the host's checkout.

use super::git;
use super::shipped;
use crate::support::executable;
use std::process::{Command, Output};

fn said(output: &Output) -> String {
    let mut said = String::from_utf8_lossy(&output.stdout).into_owned();
    said.push_str(&String::from_utf8_lossy(&output.stderr));
    said
}

#[test]
fn the_hooks_of_compose_keep_which_image_a_replica_runs_and_take_digests_alone() {
    let place = tempfile::tempdir().unwrap();
    let file = |name: &str| place.path().join(name);
    let image = |digit: &str| format!("registry.example.com/xrpayd@sha256:{}", digit.repeat(64));
    std::fs::write(
        file("compose.env"),
        format!("XRPAYD_IMAGE={}\n", image("1")),
    )
    .unwrap();
    let calls = file("calls");
    let stub = format!("#!/bin/sh\necho \"$*\" >>{}\n", calls.display());
    executable::write(&file("docker"), &stub);
    let path = format!(
        "{}:{}",
        place.path().display(),
        std::env::var("PATH").unwrap()
    );
    let hook = |words: &[&str]| {
        let output = Command::new("deploy/compose.sh")
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .args(words)
            .env("PATH", &path)
            .env("XRPAYD_COMPOSE_ENV", file("compose.env"))
            .env("XRPAYD_REPLICAS_ENV", file("replicas.env"))
            .env("XRPAYD_IMAGES", file("images.env"))
            .env("XRPAYD_RECEIVERS", file("alertmanager.yml"))
            .output()
            .unwrap();
        (output.status.code(), said(&output).trim().to_owned())
    };
    let receivers = |host: &str| {
        let text = format!("receivers:\n  - name: pager\n    url: \"https://{host}/wake\"\n");
        std::fs::write(file("alertmanager.yml"), text).unwrap();
    };
    receivers("pager.shop.internal");
    let called = || std::fs::read_to_string(&calls).unwrap_or_default();
    assert_eq!(hook(&["version", "xrpayd-1"]), (Some(0), image("1")));
    assert_eq!(hook(&["install", "xrpayd-1", &image("2")]).0, Some(0));
    assert_eq!(hook(&["version", "xrpayd-1"]), (Some(0), image("2")));
    assert_eq!(hook(&["version", "xrpayd-2"]), (Some(0), image("1")));
    assert_eq!(hook(&["install", "xrpayd-1", &image("3")]).0, Some(0));
    assert_eq!(hook(&["version", "xrpayd-1"]), (Some(0), image("3")));
    let kept = std::fs::read_to_string(file("replicas.env")).unwrap();
    assert_eq!(kept, format!("XRPAYD_1_IMAGE={}\n", image("3")));
    assert!(called().contains(&format!("pull --quiet {}", image("3"))));
    assert!(called().contains("run --rm --no-deps xrpayd-1 config check --profile=production"));
    for (words, expected) in [
        (
            &["start", "xrpayd-2"][..],
            "up --detach --no-deps --wait xrpayd-2",
        ),
        (&["stop", "xrpayd-2"], "stop xrpayd-2"),
        (&["reload"], "kill --signal HUP nginx"),
    ] {
        assert_eq!(hook(words).0, Some(0), "{words:?}");
        let last = called().lines().last().unwrap().to_owned();
        assert!(last.ends_with(expected), "{last}");
        assert!(last.contains("--file ") && last.contains("docker-compose.production.yml"));
    }
    assert_eq!(hook(&["preflight", "xrpayd-1", "--allow-open"]).0, Some(0));
    let last = called().lines().last().unwrap().to_owned();
    let asked = "exec -T xrpayd-1 xrpayd preflight --profile=production \
                 --config=/etc/xrpayd/xrpayd.toml --config=/etc/xrpayd/compose.toml --allow-open";
    assert!(last.ends_with(asked), "{last}");

    // What starts the others is refused while one of their images has no digest, and says which.
    let unpinned = shipped("deploy/images.env");
    let unpinned: String = unpinned
        .lines()
        .map(|line| format!("{}\n", line.split('@').next().unwrap()))
        .collect();
    let pinned: String = unpinned
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| format!("{line}@sha256:{}\n", "a1".repeat(32)))
        .collect();
    for word in ["up", "follow"] {
        std::fs::write(file("images.env"), &unpinned).unwrap();
        let before = called();
        let (code, said) = hook(&[word]);
        assert_eq!(code, Some(1), "{word}: {said}");
        assert!(
            said.contains("no digest") && said.contains("POSTGRES_IMAGE"),
            "{said}"
        );
        assert_eq!(called(), before, "{word}: docker was asked");
        std::fs::write(file("images.env"), &pinned).unwrap();
        assert_eq!(hook(&[word]).0, Some(0), "{word}");
    }
    let all = called();
    assert!(all.contains("up --detach --wait\n"), "{all}");
    assert!(all.contains("--force-recreate prometheus alertmanager grafana\n"));
    assert!(all.trim_end().ends_with("kill --signal HUP nginx"), "{all}");

    // Nobody would be told at night.
    receivers("pager.example.net");
    let before = called();
    let (code, said) = hook(&["up"]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("pager.example.net"), "{said}");

    for words in [
        &["install", "xrpayd-1", "registry.example.com/xrpayd:latest"][..],
        &["install", "postgres", &image("2")],
        &["version", "../1"],
        &["remove", "xrpayd-1"],
        &["preflight", "nginx"],
        &[],
    ] {
        assert_eq!(hook(words).0, Some(2), "{words:?}");
    }
    assert_eq!(called(), before, "docker was not asked");
}

#[test]
fn one_command_fills_the_digests_in_or_leaves_the_file_as_it_was() {
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("images.env");
    let stub = |answer: &str| {
        let text = format!(
            "#!/bin/sh\necho \"$*\" >>{}/calls\n{answer}\n",
            place.path().display()
        );
        executable::write(&place.path().join("docker"), &text);
    };
    let path = format!(
        "{}:{}",
        place.path().display(),
        std::env::var("PATH").unwrap()
    );
    let pin = || {
        let mut command = Command::new("deploy/images.sh");
        command.current_dir(env!("CARGO_MANIFEST_DIR")).arg("pin");
        let command = command.env("PATH", &path).env("XRPAYD_IMAGES", &file);
        command.output().unwrap()
    };
    let shipped = shipped("deploy/images.env");
    std::fs::write(&file, &shipped).unwrap();
    stub("echo sha256:nonsense");
    assert_eq!(pin().status.code(), Some(1));
    assert_eq!(std::fs::read_to_string(&file).unwrap(), shipped);
    stub(&format!("echo sha256:{}", "b2".repeat(32)));
    let output = pin();
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let pinned = std::fs::read_to_string(&file).unwrap();
    let images = pinned.lines().filter(|line| !line.starts_with('#'));
    let digest = format!("@sha256:{}", "b2".repeat(32));
    assert!(images.clone().count() > 5 && images.clone().all(|line| line.ends_with(&digest)));
    let calls = std::fs::read_to_string(place.path().join("calls")).unwrap();
    assert!(
        calls.contains("docker.io/library/postgres:15-bookworm\n"),
        "{calls}"
    );
}

#[test]
fn the_hosts_checkout_follows_a_release_and_keeps_what_the_host_changed() {
    let place = tempfile::tempdir().unwrap();
    let (source, host) = (place.path().join("source"), place.path().join("host"));
    std::fs::create_dir(&source).unwrap();
    git(&source, &["init", "--quiet"]);
    let commit = |files: &[(&str, &str)]| {
        for (name, text) in files {
            std::fs::write(source.join(name), text).unwrap();
        }
        git(&source, &["add", "."]);
        git(&source, &["commit", "--quiet", "-m", "a release"]);
        git(&source, &["rev-parse", "HEAD"])
    };
    let first = commit(&[
        ("site", "name example\na\nb\nc\nd\ne\n"),
        ("rules", "old\n"),
    ]);
    let (from, to) = (source.display().to_string(), host.display().to_string());
    git(place.path(), &["clone", "--quiet", &from, &to]);
    let second = commit(&[
        ("site", "name example\na\nb\nc\nd\nnew\n"),
        ("rules", "new\n"),
    ]);
    let third = commit(&[("site", "other\n"), ("secret", "theirs\n")]);
    let bring = |commit: &str| {
        let mut command = Command::new("deploy/checkout.sh");
        command.current_dir(env!("CARGO_MANIFEST_DIR"));
        command.args(["--checkout", &to, "--commit", commit, "--from", &from]);
        let output = command.output().unwrap();
        (output.status.code(), said(&output))
    };
    let file = |name: &str| std::fs::read_to_string(host.join(name)).unwrap();
    let own = "name ours\na\nb\nc\nd\ne\n";
    std::fs::write(host.join("site"), own).unwrap();
    for _ in 0..2 {
        let (code, said) = bring(&second);
        assert_eq!(code, Some(0), "{said}");
        assert_eq!(git(&host, &["rev-parse", "HEAD"]), second);
        assert_eq!(file("site"), "name ours\na\nb\nc\nd\nnew\n");
        assert_eq!(file("rules"), "new\n");
    }
    // What does not go together with it is left alone, as a whole.
    let before = git(&host, &["status", "--porcelain"]);
    let (code, said) = bring(&third);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("nothing was changed"), "{said}");
    assert_eq!(git(&host, &["rev-parse", "HEAD"]), second);
    assert_eq!(git(&host, &["status", "--porcelain"]), before);
    assert_eq!(git(&host, &["worktree", "list"]).lines().count(), 1);
    // And back, with the host's own name.
    let (code, said) = bring(&first);
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(
        (file("site").as_str(), file("rules").as_str()),
        (own, "old\n")
    );
    // A file of the host's own is not written over.
    git(&host, &["checkout", "--quiet", "site"]);
    std::fs::write(host.join("secret"), "ours\n").unwrap();
    let (code, said) = bring(&third);
    assert_eq!(code, Some(1), "{said}");
    assert_eq!(file("secret"), "ours\n");
    assert_eq!(git(&host, &["stash", "list"]), "");
}
