//! PostgreSQL over TLS: who is verified, and who is refused.

use super::bed::*;
use crate::support::clusters::Server;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use sqlx::{Connection as _, Executor as _, PgConnection, Row as _};
use std::path::{Path, PathBuf};
use xrpayd::store::{Access, Store, StoreConfig, StoreError};

type Authority = CertifiedIssuer<'static, KeyPair>;

fn authority() -> Authority {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// A certificate for a name, and its key.
fn certificate(authority: &Authority, name: &str) -> (String, String) {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
    params.distinguished_name.push(DnType::CommonName, name);
    let certificate = params.signed_by(&key, authority).unwrap();
    (certificate.pem(), key.serialize_pem())
}

fn file(folder: &Path, name: &str, text: &str) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, text).unwrap();
    path
}

/// `shop` is let in over TLS alone, `pay` with a certificate of its own.
const RULES: &str = "hostssl all shop 127.0.0.1/32 trust\nhostssl all pay 127.0.0.1/32 cert\n\
                     host all xrpayd 127.0.0.1/32 trust\n";

async fn open(url: &str) -> Result<Store, StoreError> {
    let config = StoreConfig {
        acquire_timeout: std::time::Duration::from_secs(20),
        ..StoreConfig::new(url)
    };
    Store::open(&config, Access::Daemon).await
}

/// The whole story of why a URL does not open.
async fn refused(url: &str) -> String {
    let error = open(url).await.unwrap_err();
    let mut story = error.to_string();
    let mut cause: &dyn std::error::Error = &error;
    while let Some(source) = cause.source() {
        story = format!("{story}: {source}");
        cause = source;
    }
    story
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_is_verified_by_its_authority_and_its_name_and_a_client_by_its_certificate() {
    // Where there is no PostgreSQL to test on, that is said, and under CI it fails.
    if fresh_postgres().await.is_none() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let server = Server::alone(folder.path()).await;
    let (ours, theirs) = (authority(), authority());
    let (certificate_of_server, key) = certificate(&ours, "localhost");
    server.write("server.crt", &certificate_of_server);
    server.write("server.key", &key);
    server.write("clients.crt", &ours.pem());
    server.write("pg_hba.conf", RULES);
    server.configure("ssl_ca_file", "clients.crt").await;
    server.configure("ssl", "on").await;
    for role in ["shop", "pay"] {
        server
            .execute(&format!("create role {role} login superuser"))
            .await;
    }
    server.create_database("books").await;
    server
        .comes_true("select current_setting('ssl')::boolean")
        .await;

    let root = file(folder.path(), "root.pem", &ours.pem());
    let strange = file(folder.path(), "strange.pem", &theirs.pem());
    let (root, strange) = (root.display(), strange.display());
    let port = server.port();
    let at = |role: &str, host: &str, more: &str| {
        format!("postgres://{role}@{host}:{port}/books?sslmode={more}")
    };

    let verified = at(
        "shop",
        "localhost",
        &format!("verify-full&sslrootcert={root}"),
    );
    let store = open(&verified).await.unwrap();
    accepted(&store, request("key", "1", T0)).await;
    let mut looks = PgConnection::connect(&server.url("books")).await.unwrap();
    let secured = "select count(*) filter (where ssl) > 0 and count(*) filter (where not ssl) = 0 \
                   from pg_stat_ssl join pg_stat_activity using (pid) where usename = 'shop'";
    let is_secured: bool = looks.fetch_one(secured).await.unwrap().get(0);
    assert!(is_secured, "all that is written goes over TLS");
    store.close().await;

    let strangers = at(
        "shop",
        "localhost",
        &format!("verify-full&sslrootcert={strange}"),
    );
    let story = refused(&strangers).await;
    assert!(story.contains("invalid peer certificate"), "{story}");
    let unknown = refused(&at("shop", "localhost", "verify-full")).await;
    assert!(unknown.contains("UnknownIssuer"), "{unknown}");
    let misnamed = at(
        "shop",
        "127.0.0.1",
        &format!("verify-full&sslrootcert={root}"),
    );
    let story = refused(&misnamed).await;
    assert!(
        story.to_lowercase().contains("not valid for name"),
        "{story}"
    );
    let story = refused(&at("shop", "localhost", "disable")).await;
    assert!(story.contains("no encryption"), "{story}");

    let (certificate_of_client, key) = certificate(&ours, "pay");
    let certificate_of_client = file(folder.path(), "client.pem", &certificate_of_client);
    let key = file(folder.path(), "client.key", &key);
    let full = format!("verify-full&sslrootcert={root}");
    let story = refused(&at("pay", "localhost", &full)).await;
    assert!(story.contains("certificate"), "{story}");
    let known = format!(
        "{full}&sslcert={}&sslkey={}",
        certificate_of_client.display(),
        key.display()
    );
    let store = open(&at("pay", "localhost", &known)).await.unwrap();
    store.ping().await.unwrap();
    store.close().await;
    let story = refused(&at("shop2", "localhost", &known)).await;
    assert!(
        story.contains("shop2"),
        "nobody comes in under another name: {story}"
    );
}
