//! A PgBouncer of one test's own, from Debian, that deals out connections by the transaction.

use super::outside::outside;
use super::process::free_port;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use url::Url;

/// How many connections to the server it has for all: fewer than one daemon asks for.
pub const SERVER_CONNECTIONS: u32 = 4;
/// How long it may take to start on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running PgBouncer; ended when dropped.
#[derive(Debug)]
pub struct Pgbouncer {
    process: Child,
    /// The URL of the database through it.
    pub url: String,
    _folder: tempfile::TempDir,
}

impl Pgbouncer {
    /// One before the database at `url`; `None`, said aloud, where the program is missing. Under CI
    /// that fails.
    pub async fn before(url: &str) -> Option<Self> {
        let program = outside(
            "XRPAYD_TEST_PGBOUNCER",
            "a test behind a pooler",
            "packages.sh",
        )?;
        let folder = tempfile::tempdir().unwrap();
        std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
        let server = Url::parse(url).unwrap();
        let port = free_port();
        let settings = folder.path().join("pgbouncer.ini");
        let text = format!(
            "[databases]\n* = host={} port={} user={}\n\
             [pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nauth_type = any\n\
             unix_socket_dir =\npool_mode = transaction\nmax_client_conn = 500\n\
             default_pool_size = {SERVER_CONNECTIONS}\n",
            server.host_str().unwrap(),
            server.port().unwrap(),
            server.username(),
        );
        std::fs::write(&settings, text).unwrap();
        let mut command = Command::new(program);
        // It refuses to run as root and then becomes somebody else.
        if is_root() {
            command.args(["-u", "nobody"]);
        }
        let process = command
            .arg(&settings)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut through = server;
        through.set_port(Some(port)).unwrap();
        let pooler = Self {
            process,
            url: through.to_string(),
            _folder: folder,
        };
        let deadline = Instant::now() + PATIENCE;
        while tokio::net::TcpStream::connect(("127.0.0.1", port))
            .await
            .is_err()
        {
            assert!(Instant::now() < deadline, "PgBouncer does not start");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Some(pooler)
    }
}

impl Drop for Pgbouncer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn is_root() -> bool {
    let id = Command::new("id").arg("-u").output().unwrap();
    id.stdout.starts_with(b"0\n")
}
