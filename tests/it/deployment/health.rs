//! `xrpayd health`, which the health checks of the image and of the units run: what it says of a daemon
//! that is well, that is mute, that leaves, and that is gone.

use crate::drills::scene::Scene;
use std::time::Duration;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_daemon_that_is_well_is_told_from_one_that_is_mute_or_gone() {
    let scene = Scene::new("1s", "500", "");
    let daemon = scene.start().await;
    let health = |more: &[&str]| {
        let mut command = vec!["health"];
        command.extend(more);
        scene.setup.try_command(&command)
    };
    for (more, status) in [
        (&[][..], "ready"),
        (&["--url", &scene.setup.api], "ready"),
        (&["--probe", "live"], "live"),
        (&["--probe", "all"], "healthy"),
    ] {
        let (code, answer, said) = health(more);
        assert_eq!(code, Some(0), "{more:?}: {said}");
        assert_eq!(answer["status"], status, "{more:?}");
    }
    daemon.freeze();
    let (code, answer, said) = health(&["--timeout", "200ms"]);
    assert_eq!(code, Some(1));
    assert!(answer.is_null(), "{answer}");
    assert!(said.contains("does not answer within"), "{said}");
    daemon.thaw();
    assert_eq!(daemon.terminate(Duration::from_secs(60)), Some(0));
    let (code, _, said) = health(&[]);
    assert_eq!(code, Some(1));
    assert!(said.contains("No daemon answers at 127.0.0.1"), "{said}");
    let (code, _, said) = health(&["--url", "https://127.0.0.1:1"]);
    assert_eq!(code, Some(1));
    assert!(said.contains("plain http"), "{said}");
}
