//! The daemon's own role in the PostgreSQL of compose: made by the very file that the image runs, let in by
//! the very rules that compose mounts, on a real server; and enough for the daemon, which pays under it.

use super::shipped;
use crate::drills::scene::Scene;
use crate::store::fresh_postgres;
use crate::support::clusters::{Server, programs};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use std::path::Path;
use std::process::{Command, Output};

const PASSWORD: &str = "it's a \\ \"password\"";
/// The same as a URL has it.
const PASSWORD_OF_URL: &str = "it%27s%20a%20%5C%20%22password%22";
/// What the image calls its superuser here, and the tests' own server calls `xrpayd`.
const TAKE_THE_PLACE: &str = "create role postgres superuser login";

/// psql as the superuser, by the socket, with more words.
fn psql(folder: &Path, port: u16, words: &[&str]) -> Output {
    let mut command = Command::new(programs().join("psql"));
    command.arg("--host").arg(folder);
    command.args(["--port", &port.to_string(), "--username=postgres"]);
    command.args(["--dbname=postgres", "--no-psqlrc", "--no-password", "-At"]);
    // As the image runs what is in its folder.
    command.args(["-v", "ON_ERROR_STOP=1"]).args(words);
    command.output().unwrap()
}

fn clean(output: &Output) -> String {
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// The authority's certificate, put where the daemon reads it, and the server's with its key.
fn certify(server: &Server, ca: &Path) {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    std::fs::write(ca, authority.pem()).unwrap();
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    let certificate = params.signed_by(&key, &authority).unwrap();
    server.write("server.crt", &certificate.pem());
    server.write("server.key", &key.serialize_pem());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_daemon_migrates_and_pays_under_a_role_that_is_no_superuser() {
    if fresh_postgres().await.is_none() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let server = Server::alone(folder.path()).await;
    server.execute(TAKE_THE_PLACE).await;
    let ask = |words: &[&str]| psql(folder.path(), server.port(), words);
    clean(&ask(&[
        "-c",
        "alter role xrpayd rename to nobody_in_particular",
    ]));

    let secret = folder.path().join("database_password");
    let text = shipped("deploy/compose/initdb/10-role.sql");
    let place = "/run/secrets/database_password";
    assert!(text.contains(place));
    let file = folder.path().join("10-role.sql");
    std::fs::write(&file, text.replace(place, secret.to_str().unwrap())).unwrap();
    let file = file.to_str().unwrap().to_owned();
    // Without its secret it stops, and the image with it.
    assert!(!ask(&["-f", &file]).status.success());
    std::fs::write(&secret, format!("{PASSWORD}\n")).unwrap();
    clean(&ask(&["-f", &file]));
    let powers = "select rolsuper or rolcreaterole or rolreplication or rolbypassrls \
                  from pg_roles where rolname = 'xrpayd'";
    assert_eq!(clean(&ask(&["-c", powers])), "f");
    assert!(!server.log().contains("password\""), "{}", server.log());

    let ca = folder.path().join("ca.pem");
    certify(&server, &ca);
    server.write("pg_hba.conf", &shipped("deploy/compose/pg_hba.conf"));
    clean(&ask(&["-c", "alter system set ssl = on"]));
    clean(&ask(&["-c", "select pg_reload_conf()"]));
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(30);
    while clean(&ask(&["-c", "show ssl"])) != "on" {
        assert!(std::time::Instant::now() < deadline, "{}", server.log());
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    let url = format!(
        "postgres://xrpayd:{PASSWORD_OF_URL}@localhost:{}/xrpayd?sslmode=verify-full&sslrootcert={}",
        server.port(),
        ca.display()
    );
    let scene = Scene::with_store(Some(&url), "500ms", "500", "", &[]);
    let daemon = scene.start().await;
    scene.pay(1, 3).await;
    scene.all_succeed(3).await;
    drop(daemon);

    // Nobody else comes in over the network, the superuser among them, and nobody in the clear.
    for (user, database, mode) in [
        ("postgres", "postgres", "require"),
        ("xrpayd", "postgres", "disable"),
        ("xrpayd", "xrpayd", "disable"),
    ] {
        let mut command = Command::new(programs().join("psql"));
        let asked = format!(
            "host=127.0.0.1 port={} user={user} dbname={database} sslmode={mode}",
            server.port()
        );
        command
            .args([&asked, "-c", "select 1"])
            .env("PGPASSWORD", PASSWORD);
        let output = command.output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(
            said.contains("no pg_hba.conf entry"),
            "{user} {database}: {said}"
        );
    }
}
