//! Two PostgreSQL servers of one test's own, one of which streams to the other: killed, frozen, cut
//! off, promoted and taken in again as an operator's machines would be.
//!
//! Owns their processes and their folder, which end with it; where the test itself is killed, the
//! servers are too. Whoever calls makes sure first that PostgreSQL is there to be tested on.

mod tools;

use super::process::free_port;
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection, Row as _};
use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tools::Tools;

/// How long a server may take for what it is asked to, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(90);
/// How often is looked whether it has done so.
const GLANCE: Duration = Duration::from_millis(20);
/// The role that owns everything.
const ROLE: &str = "xrpayd";

/// What both are set to. A server that is killed keeps what it gave to the system, so nothing has to be
/// synced where nobody cuts the power; and what a rewind reads stays, also over a recovery.
const SETTINGS: &str = "fsync = off\nshared_buffers = 32MB\nwal_keep_size = 256MB\n\
                        wal_retrieve_retry_interval = 100ms\n";

/// Whether a standby streams from somebody.
const STREAMS: &str =
    "select exists (select 1 from pg_stat_wal_receiver where status = 'streaming')";

/// What a commit on the primary waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Replication {
    /// The primary's own disk: a promotion may lose what was answered.
    Asynchronous,
    /// The standby's disk too.
    Synchronous,
}

/// A primary and its standby. A test that starts them is not to be on a thread that ends before it
/// does: with that thread the servers end.
#[derive(Debug)]
pub struct Clusters {
    servers: [Server; 2],
    primary: usize,
    // The last to go: the servers are ended before their files are taken away.
    _folder: tempfile::TempDir,
}

impl Clusters {
    /// Makes and starts both, and waits until the standby streams.
    pub async fn start(replication: Replication) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let tools = Tools::find(folder.path());
        let mut servers = ["one", "two"].map(|name| Server::below(folder.path(), name, &tools));
        let [one, two] = &mut servers;
        one.init();
        one.open().await;
        two.follow(one);
        two.open().await;
        let clusters = Self {
            servers,
            primary: 0,
            _folder: folder,
        };
        clusters.streams().await;
        clusters.replicate(replication).await;
        clusters
    }

    /// The one that takes writes.
    pub const fn primary(&self) -> &Server {
        &self.servers[self.primary]
    }

    /// The other one.
    pub const fn standby(&self) -> &Server {
        &self.servers[1 - self.primary]
    }

    /// The one that takes writes, to be hurt.
    pub const fn primary_mut(&mut self) -> &mut Server {
        &mut self.servers[self.primary]
    }

    /// The other one, to be hurt.
    pub const fn standby_mut(&mut self) -> &mut Server {
        &mut self.servers[1 - self.primary]
    }

    /// The URL that names both servers, in the order in which they were made.
    pub fn url(&self, database: &str) -> String {
        let [one, two] = self.servers.each_ref().map(|server| server.port);
        format!("postgres://{ROLE}@127.0.0.1:{one},127.0.0.1:{two}/{database}?sslmode=disable")
    }

    /// Sets what commits on the primary wait for from here on.
    pub async fn replicate(&self, replication: Replication) {
        let names = match replication {
            Replication::Asynchronous => "",
            Replication::Synchronous => "*",
        };
        self.primary()
            .configure("synchronous_standby_names", names)
            .await;
        let is_so = match replication {
            Replication::Asynchronous => "select true",
            Replication::Synchronous => {
                "select exists (select 1 from pg_stat_replication where sync_state = 'sync')"
            }
        };
        self.primary().comes_true(is_so).await;
    }

    /// The standby receives nothing any more; what the primary answers from here on it alone has.
    pub async fn cut(&self) {
        self.standby().configure("primary_conninfo", "").await;
        let gone = "select not exists (select 1 from pg_stat_wal_receiver)";
        self.standby().comes_true(gone).await;
    }

    /// Waits until the standby streams.
    pub async fn streams(&self) {
        let streams = "select exists (select 1 from pg_stat_replication where state = 'streaming')";
        self.primary().comes_true(streams).await;
    }

    /// Makes the standby the primary, whatever became of the old one; its commits wait for nobody.
    pub async fn promote(&mut self) {
        self.promote_as_it_is().await;
        // Without one, pg_rewind would take the server for one of the old timeline.
        self.primary().execute("checkpoint").await;
    }

    /// The same, with its first checkpoint minutes away, as it is where nobody asks for one.
    pub async fn promote_as_it_is(&mut self) {
        let standby = self.standby();
        let data = standby.data.display().to_string();
        standby.tools.run("pg_ctl", &["-D", &data, "-w", "promote"]);
        standby.comes_true("select not pg_is_in_recovery()").await;
        // There is nobody that it could wait for.
        standby.configure("synchronous_standby_names", "").await;
        self.primary = 1 - self.primary;
    }

    /// One more standby, which streams from the primary of this moment and from nobody else until it is
    /// told otherwise. It has to go before the others do.
    pub async fn another_standby(&self, name: &str) -> Server {
        let primary = self.primary();
        let folder = &primary.tools.folder;
        let mut server = Server::below(folder, name, &primary.tools);
        server.follow(primary);
        server.open().await;
        server.comes_true("select pg_is_in_recovery()").await;
        server.comes_true(STREAMS).await;
        server
    }

    /// Takes the server that is not the primary in again as the standby: what it has that the primary
    /// has not is wound back.
    pub async fn rejoin(&mut self) {
        let source = format!("host=127.0.0.1 port={} user={ROLE}", self.primary().port);
        let source = format!("{source} dbname=postgres");
        let back = &mut self.servers[1 - self.primary];
        back.kill();
        let data = back.data.display().to_string();
        let rewind = ["-D", &data, "--source-server", &source, "-R", "-N"];
        back.tools.run("pg_rewind", &rewind);
        back.open().await;
        self.streams().await;
    }
}

/// Where PostgreSQL's programs are.
pub fn programs() -> PathBuf {
    tools::programs()
}

/// One PostgreSQL server.
#[derive(Debug)]
pub struct Server {
    tools: Tools,
    data: PathBuf,
    port: u16,
    process: Option<Child>,
}

impl Server {
    /// Makes and starts a server that is nobody's standby, in a folder that outlives it.
    pub async fn alone(folder: &Path) -> Self {
        let mut server = Self::below(folder, "alone", &Tools::find(folder));
        server.init();
        server.open().await;
        server
    }

    /// The same, with its log archived, so that it can be recovered to a moment.
    pub async fn archiving(folder: &Path) -> Self {
        let mut server = Self::below(folder, "archiving", &Tools::find(folder));
        server.init();
        let archive = folder.join("archive");
        std::fs::create_dir(&archive).unwrap();
        if let Some((uid, gid)) = server.tools.user {
            chown(&archive, Some(uid), Some(gid)).unwrap();
        }
        let archive = archive.display();
        server.settings(&format!(
            "archive_mode = on\narchive_command = 'test ! -f {archive}/%f && cp %p {archive}/%f'\n\
             restore_command = 'cp {archive}/%f %p'\n"
        ));
        server.open().await;
        server
    }

    /// Copies its files while it runs, as the ground for a recovery.
    pub fn base_backup(&self, name: &str) {
        let (data, port) = (self.tools.folder.join(name), self.port.to_string());
        let data = data.display().to_string();
        let copy = ["-D", &data, "-h", "127.0.0.1", "-p", &port, "-U", ROLE];
        let fast = ["-N", "-c", "fast"];
        self.tools
            .run("pg_basebackup", &[&copy[..], &fast].concat());
    }

    /// Names this moment, to which it can be recovered once this returns.
    pub async fn name_moment(&self, name: &str) {
        self.execute(&format!("select pg_create_restore_point('{name}')"))
            .await;
        let count = "select archived_count from pg_stat_archiver";
        let before = self.number("postgres", count).await;
        self.execute("select pg_switch_wal()").await;
        self.comes_true(&format!("select ({count}) > {before}"))
            .await;
    }

    /// Loses its files and everything since the moment: what was copied takes their place, and its archive
    /// is read as far as that.
    pub async fn recover(&mut self, copy: &str, moment: &str) {
        self.kill();
        self.data = self.tools.folder.join(copy);
        self.settings(&format!(
            "recovery_target_name = '{moment}'\nrecovery_target_action = 'promote'\n"
        ));
        self.write("recovery.signal", "");
        self.open().await;
        self.comes_true("select not pg_is_in_recovery()").await;
    }

    fn below(folder: &Path, name: &str, tools: &Tools) -> Self {
        Self {
            tools: tools.clone(),
            data: folder.join(name),
            port: free_port(),
            process: None,
        }
    }

    /// Copies the files of another one, which it will stream from.
    fn follow(&self, primary: &Self) {
        let (data, port) = (self.data.display().to_string(), primary.port.to_string());
        let copy = ["-D", &data, "-h", "127.0.0.1", "-p", &port, "-U", ROLE];
        let follow = ["-R", "-N", "-c", "fast"];
        self.tools
            .run("pg_basebackup", &[&copy[..], &follow].concat());
    }

    /// Streams from another one from here on.
    pub async fn turns_to(&self, primary: &Self) {
        let line = format!("host=127.0.0.1 port={} user={ROLE}", primary.port);
        self.configure("primary_conninfo", &line).await;
    }

    /// Makes its files.
    fn init(&self) {
        let data = self.data.display().to_string();
        let initdb = ["-D", &data, "-U", ROLE, "-A", "trust", "-E", "UTF8"];
        self.tools.run(
            "initdb",
            &[&initdb[..], &["--locale=C.UTF-8", "-k", "-N"]].concat(),
        );
        self.settings(SETTINGS);
    }

    /// Writes settings that it heeds when it starts.
    fn settings(&self, text: &str) {
        let settings = self.data.join("postgresql.conf");
        let mut settings = OpenOptions::new().append(true).open(settings).unwrap();
        settings.write_all(text.as_bytes()).unwrap();
    }

    /// Writes a file among its own that it alone may read.
    pub fn write(&self, name: &str, text: &str) {
        let path = self.data.join(name);
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        if let Some((uid, gid)) = self.tools.user {
            chown(&path, Some(uid), Some(gid)).unwrap();
        }
    }

    /// The URL of a database on this server alone.
    pub fn url(&self, database: &str) -> String {
        let port = self.port;
        format!("postgres://{ROLE}@127.0.0.1:{port}/{database}?sslmode=disable")
    }

    /// Where it listens on this machine.
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// The first column of the first row as a whole number.
    pub async fn number(&self, database: &str, sql: &str) -> i64 {
        let mut connection = PgConnection::connect(&self.url(database)).await.unwrap();
        let sql = AssertSqlSafe(sql.to_owned());
        let row = connection.fetch_one(sql).await.unwrap();
        connection.close().await.unwrap();
        row.get(0)
    }

    /// Makes an empty database.
    pub async fn create_database(&self, name: &str) {
        self.execute(&format!("create database {name}")).await;
    }

    /// Runs a statement in the database `postgres`.
    pub async fn execute(&self, sql: &str) {
        let mut connection = PgConnection::connect(&self.url("postgres")).await.unwrap();
        let sql = AssertSqlSafe(sql.to_owned());
        connection.execute(sql).await.unwrap();
        connection.close().await.unwrap();
    }

    /// Changes a setting for good, and has the server heed it.
    pub async fn configure(&self, setting: &str, value: &str) {
        self.execute(&format!("alter system set {setting} = '{value}'"))
            .await;
        self.execute("select pg_reload_conf()").await;
    }

    /// Waits until a condition holds on this server.
    pub async fn comes_true(&self, condition: &str) {
        let deadline = Instant::now() + PATIENCE;
        while self.says(condition).await.is_none_or(|holds| !holds) {
            assert!(Instant::now() < deadline, "{condition}: {}", self.log());
            tokio::time::sleep(GLANCE).await;
        }
    }

    /// Its answer to a condition; `None` where it does not answer.
    async fn says(&self, condition: &str) -> Option<bool> {
        let mut connection = PgConnection::connect(&self.url("postgres")).await.ok()?;
        let condition = AssertSqlSafe(condition.to_owned());
        let row = connection.fetch_one(condition).await.ok()?;
        connection.close().await.ok()?;
        Some(row.get(0))
    }

    /// Starts it where it was left, and waits until it answers.
    pub async fn open(&mut self) {
        assert!(self.process.is_none(), "it runs already");
        // Its own end is a kill, which leaves this file; the process that it names is gone.
        let _ = std::fs::remove_file(self.data.join("postmaster.pid"));
        let log = OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.log_path())
            .unwrap();
        let folder = self.tools.folder.display().to_string();
        let process = self
            .tools
            .command("postgres")
            .arg("-D")
            .arg(&self.data)
            .args(["-h", "127.0.0.1", "-p", &self.port.to_string()])
            .args(["-k", &folder])
            .stdin(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        self.process = Some(process);
        self.comes_true("select true").await;
    }

    /// Ends it and everything that it is made of at once, as a machine that loses its power does.
    pub fn kill(&mut self) {
        let Some(mut process) = self.process.take() else {
            return;
        };
        let pid = process.id();
        // Held still it makes no new processes, so that all there are can be counted.
        signal("-STOP", &[pid]);
        signal("-KILL", &children_of(pid));
        process.kill().unwrap();
        process.wait().unwrap();
    }

    /// Holds it still with its connections open: nobody is told, and nobody is answered.
    pub fn freeze(&self) {
        self.signal_all("-STOP");
    }

    /// Lets it go on where it was held.
    pub fn thaw(&self) {
        self.signal_all("-CONT");
    }

    fn signal_all(&self, name: &str) {
        let pid = self.process.as_ref().expect("it runs").id();
        signal(name, &[pid]);
        signal(name, &children_of(pid));
    }

    fn log_path(&self) -> PathBuf {
        self.data.with_extension("log")
    }

    /// The end of its log, for a failure's message.
    pub fn log(&self) -> String {
        super::daemon::tail(&self.log_path())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The processes that `pid` made.
fn children_of(pid: u32) -> Vec<u32> {
    let processes = std::fs::read_dir("/proc").unwrap();
    let numbers = processes.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    numbers
        .filter(|number: &u32| {
            let stat = std::fs::read_to_string(format!("/proc/{number}/stat")).unwrap_or_default();
            // The name may hold anything; the state and the parent follow its bracket.
            let after = stat.rsplit_once(')').map_or("", |(_, after)| after);
            after.split_whitespace().nth(1) == Some(&pid.to_string())
        })
        .collect()
}

/// Sends a signal to processes, of which any may have ended by itself.
fn signal(name: &str, pids: &[u32]) {
    let pids = pids.iter().map(u32::to_string);
    let _ = Command::new("kill")
        .arg(name)
        .args(pids)
        .stderr(Stdio::null())
        .status()
        .unwrap();
}
