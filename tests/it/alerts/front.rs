//! The public name as clients meet it: nginx as it is shipped before a daemon, asked by the prober that is
//! shipped, with a certificate that is about to end, then without nginx, then without the prober.

use super::service::Place;
use super::table::Course;
use super::watch::shortened;
use crate::deployment::front::{Front, PAY};
use crate::drills::scene::Scene;
use crate::grafana::board::{boards, filled_in};
use crate::support::blackbox::Blackbox;
use crate::support::overlay::Overlay;

/// Days for which a new certificate is good.
const NEW: i64 = 90;

/// The shipped files, in which the public name is that of this machine's nginx and the prober the test's.
fn asking(files: Overlay, front: &Front) -> Overlay {
    let authority = front.path("ca.pem");
    let client = format!(
        "fail_if_not_ssl: true\n      headers: {{Host: {PAY}}}\n      \
         tls_config: {{ca_file: {}, server_name: {PAY}}}",
        authority.display()
    );
    let name = format!("https://127.0.0.1:{}/health/live", front.site);
    files
        .in_file("blackbox.yml", &[("fail_if_not_ssl: true", &client)])
        .in_file(
            "prometheus.yml",
            &[
                ("https://pay.example.com/health/live", &name),
                // A busy machine has time to shake hands.
                (
                    "metrics_path: /probe",
                    "metrics_path: /probe\n    scrape_interval: 3s\n    scrape_timeout: 3s",
                ),
            ],
        )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
pub(super) async fn a_public_name_that_is_not_answered_or_about_to_end_is_told_of() {
    let trusting = [("http", "trusted_proxies = [\"127.0.0.1\"]\n")];
    let scene = Scene::in_one_file("250ms", "10000", &trusting);
    let api = scene.setup.api.trim_start_matches("http://").to_owned();
    let Some(front) = Front::open(&[api], &[]).await else {
        return;
    };
    let rules = shortened(&[
        ("FrontDown", &[("for: 1m", "for: 1s")]),
        ("FrontUnwatched", &[("for: 5m", "for: 1s")]),
    ]);
    let files = asking(rules, &front);
    let Some(prober) = Blackbox::start(scene.folder(), &files).await else {
        return;
    };
    let files = files.in_file("prometheus.yml", &[("blackbox:9115", &prober.address)]);
    front.certify(NEW);
    front.read_again();
    // As clients are set up who find the name on this machine, and know its authority.
    let client = format!(
        "resolve = \"{PAY}:{}:127.0.0.1\"\ncacert = \"{}\"\n",
        front.site,
        front.path("ca.pem").display()
    );
    std::fs::write(scene.folder().join(".curlrc"), client).unwrap();
    let Some(mut place) = Place::over(scene, files, &[]).await else {
        return;
    };
    let certificate = front.path("tls/pay.crt").display().to_string();
    let nginx = format!("nginx: master process .*{}", front.path("").display());
    place.hands = place
        .hands
        .clone()
        .given("FRONT", &format!("https://{PAY}:{}", front.site))
        .given("BLACKBOX", &format!("http://{}", prober.address))
        .given("PAY_CRT", &certificate)
        .given("NGINX_PROCESS", &nginx);
    let course = Course::of(&a_public_name_that_is_not_answered_or_about_to_end_is_told_of);
    let drill = place.drill(&course);
    let prometheus = &place.watch.prometheus;
    let answered = "probe_success{job=\"front\"} == 1";
    prometheus
        .until(answered, |series| !series.is_empty())
        .await;
    for board in boards() {
        for query in board.queries() {
            if query.expression.contains("job=\"front\"") {
                let asked = filled_in(&query.expression);
                prometheus.until(&asked, |series| !series.is_empty()).await;
            }
        }
    }

    for (alert, days) in [
        ("FrontCertificateEndsSoon", 10),
        ("FrontCertificateEnds", 2),
    ] {
        let forgotten = async {
            front.certify(days);
            front.read_again();
        };
        let renewed = async { front.certify(NEW) };
        drill.by_hand(&[alert], forgotten, renewed).await;
    }
    // One page, and not a word beside it of what it says already.
    let soon = place
        .watch
        .alertmanager
        .notices_of("FrontCertificateEndsSoon");
    assert_eq!(soon.len(), 2, "{soon:?}");

    let gone = async { front.ends() };
    drill.by_others(&["FrontDown"], gone, front.begins()).await;
    let gone = async { prober.dies() };
    drill
        .by_others(&["FrontUnwatched"], gone, prober.lives())
        .await;
}
