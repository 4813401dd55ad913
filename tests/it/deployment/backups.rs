//! The jobs that back PostgreSQL up: what compose runs is run, by its own words, to a sealed dump and to the
//! database that is made of it again; what the unit of systemd calls is installed with it.

use super::compose::{compose, texts};
use super::shipped;
use crate::drills::backups::{asked_again_each_is_paid_once, die_in_flight};
use crate::drills::dumps::emptied;
use crate::drills::scene::{SHORT_LIVED, Scene};
use crate::store::bed::fresh_postgres;
use crate::support::clusters::programs;
use crate::support::executable;
use crate::support::outside::outside;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

/// More than a dump, its restore and its sealing take on a machine that has other things to do.
const PATIENCE: Duration = Duration::from_secs(120);
/// What a run that was killed has left, in the clear and sealed.
const LEFT: [&str; 2] = [
    ".xrpayd-20200101T000000Z.dump.partial",
    ".xrpayd-20200101T000000Z.dump.age.partial",
];

/// A scene on PostgreSQL, with a shelf, a place for what is clear, and a key of age.
struct Shelf {
    scene: Scene,
    url: url::Url,
    age: PathBuf,
}

impl Shelf {
    async fn new() -> Option<Self> {
        let age = outside("XRPAYD_TEST_AGE", "a sealed dump", "packages.sh")?;
        let url = fresh_postgres().await?;
        let scene = Scene::with_store(Some(&url), "manual", "10000", SHORT_LIVED, &[]);
        let url = url::Url::parse(&url).unwrap();
        let age = PathBuf::from(age);
        let shelf = Self { scene, url, age };
        for folder in ["backups", "scratch"] {
            std::fs::create_dir(shelf.place(folder)).unwrap();
        }
        std::fs::write(shelf.place("compose.toml"), "").unwrap();
        let recipient = shelf.key("identity");
        shelf.key("other-identity");
        std::fs::write(shelf.place("recipients"), recipient).unwrap();
        Some(shelf)
    }

    fn place(&self, name: &str) -> PathBuf {
        self.scene.folder().join(name)
    }

    /// Makes a key of age; its public half.
    fn key(&self, name: &str) -> Vec<u8> {
        let keygen = self.age.with_file_name("age-keygen");
        let file = self.place(name);
        let made = Command::new(&keygen).arg("-o").arg(&file).output();
        assert!(made.unwrap().status.success());
        let public = Command::new(&keygen).arg("-y").arg(&file).output();
        public.unwrap().stdout
    }

    /// One of the scripts, as PostgreSQL's programs and the built binary are found here.
    fn script(&self, name: &str, host: &str) -> Command {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut command = Command::new(root.join("deploy").join(name));
        let path = format!(
            "{}:{}:{}",
            programs().display(),
            self.age.parent().unwrap().display(),
            std::env::var("PATH").unwrap()
        );
        command.env("PATH", path);
        command.env("XRPAYD", env!("CARGO_BIN_EXE_xrpayd"));
        command.env("PGHOST", host);
        command.env("PGPORT", self.url.port().unwrap().to_string());
        command.env("PGUSER", self.url.username());
        command.env("PGDATABASE", self.url.path().trim_start_matches('/'));
        command
    }

    /// The job as compose starts it, with its folders and files where they are here.
    fn job(&self, host: &str) -> Child {
        let config = self.scene.setup.config().to_owned();
        let words = texts(&compose()["services"]["backup"]["command"]);
        let words = words.iter().map(|word| match word.as_str() {
            "/backups" => self.place("backups").display().to_string(),
            "/scratch" => self.place("scratch").display().to_string(),
            "/etc/xrpayd/backup-recipients.txt" => self.place("recipients").display().to_string(),
            "/etc/xrpayd/xrpayd.toml" => config.display().to_string(),
            "/etc/xrpayd/compose.toml" => self.place("compose.toml").display().to_string(),
            "production" => "sandbox".to_owned(),
            other => other.to_owned(),
        });
        let log = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.place("job.log"))
            .unwrap();
        let mut command = self.script("backup-loop.sh", host);
        let command = command.args(words).stdout(Stdio::null()).stderr(log);
        command.spawn().unwrap()
    }

    fn is_well(&self) -> bool {
        let health = texts(&compose()["services"]["backup"]["healthcheck"]["test"]);
        assert_eq!(
            health[1..3],
            ["/opt/xrpayd/deploy/backup-loop.sh", "--is-well"]
        );
        let mut command = self.script("backup-loop.sh", "127.0.0.1");
        let command = command.arg("--is-well").arg(self.place("backups"));
        command.status().unwrap().success()
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.place("job.log")).unwrap_or_default()
    }

    async fn until(&self, what: &str, is_so: impl Fn(&Self) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !is_so(self) {
            assert!(Instant::now() < deadline, "{what}: {}", self.log());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    fn files(&self, folder: &str) -> Vec<String> {
        let found = std::fs::read_dir(self.place(folder)).unwrap();
        let names = found.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<String> = names.collect();
        names.retain(|name| name != ".backup-postgres.lock");
        names.sort();
        names
    }

    /// Puts a dump back, with what opens it.
    fn put_back(&self, dump: &Path, identity: Option<&str>) -> Output {
        let mut command = self.script("restore-postgres.sh", "127.0.0.1");
        command.arg("--from").arg(dump);
        command.arg("--scratch").arg(self.place("scratch"));
        command.arg("--config").arg(self.scene.setup.config());
        command.args(["--profile", "sandbox"]);
        if let Some(identity) = identity {
            command.arg("--identity").arg(self.place(identity));
        }
        command.output().unwrap()
    }
}

/// Asks the job to end, as a container is asked.
fn ended(mut job: Child) {
    let asked = Command::new("kill").arg(job.id().to_string()).status();
    assert!(asked.unwrap().success());
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(status) = job.try_wait().unwrap() {
            assert_eq!(status.code(), Some(0));
            return;
        }
        assert!(Instant::now() < deadline, "the job does not end");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_job_of_compose_seals_a_dump_that_is_opened_and_put_back_as_the_page_says() {
    let Some(shelf) = Shelf::new().await else {
        return;
    };
    let scene = &shelf.scene;
    let daemon = scene.start().await;
    scene.pay(1, 3).await;
    scene.settle_by_hand().await;
    // Nobody is at that address: it says so, stays, and ends when it is asked to.
    let failing = shelf.job("127.0.0.9");
    shelf
        .until("nothing is said", |shelf| {
            shelf.log().contains("there is no new backup")
        })
        .await;
    assert!(!shelf.is_well());
    ended(failing);
    for left in LEFT {
        std::fs::write(shelf.place("scratch").join(left), "books").unwrap();
        std::fs::write(shelf.place("backups").join(left), "books").unwrap();
    }
    let job = shelf.job("127.0.0.1");
    shelf.until("no backup comes", Shelf::is_well).await;
    scene
        .until_metric("backup_last_timestamp_seconds ", |at| at > 1_700_000_000.0)
        .await;
    shelf
        .until("the backup goes on", |shelf| {
            shelf.log().contains("backups taken away")
        })
        .await;
    ended(job);
    let files = shelf.files("backups");
    let [name, manifest] = files.as_slice() else {
        panic!("{files:?}");
    };
    assert!(name.ends_with(".dump.age") && *manifest == format!("{name}.json"));
    assert_eq!(shelf.files("scratch"), Vec::<String>::new());
    let dump = shelf.place("backups").join(name);
    let bytes = std::fs::read(&dump).unwrap();
    assert!(!bytes.windows(5).any(|window| window == b"PGDMP"));
    let told = std::fs::read_to_string(shelf.place("backups").join(manifest)).unwrap();
    assert!(
        told.contains("before it was sealed: restored into a database"),
        "{told}"
    );
    assert!(told.contains("nobody has opened it since"), "{told}");
    // One that is there is none too few: the next start of the job takes none.
    let again = shelf.job("127.0.0.1");
    shelf
        .until("nothing is said", |shelf| {
            shelf.log().contains("the last backup is younger")
        })
        .await;
    ended(again);
    assert_eq!(shelf.files("backups").len(), 2);
    die_in_flight(scene, daemon).await;

    emptied(shelf.url.as_str()).await;
    for identity in [None, Some("other-identity")] {
        let refused = shelf.put_back(&dump, identity);
        assert!(!refused.status.success(), "{identity:?}");
        assert_eq!(shelf.files("scratch"), Vec::<String>::new());
    }
    let done = shelf.put_back(&dump, Some("identity"));
    let told = String::from_utf8_lossy(&done.stderr).into_owned();
    assert!(done.status.success(), "{told}");
    assert_eq!(shelf.files("scratch"), Vec::<String>::new());
    let _daemon = scene.start().await;
    asked_again_each_is_paid_once(scene).await;
}

#[test]
fn the_units_are_installed_with_what_they_call() {
    let place = tempfile::tempdir().unwrap();
    let root = std::fs::canonicalize(place.path()).unwrap();
    let releases = root.join("opt/xrpayd/releases");
    std::fs::create_dir_all(releases.join("1.0.0")).unwrap();
    std::fs::create_dir(root.join("bin")).unwrap();
    let program = |path: &Path| executable::write(path, "#!/bin/sh\n");
    program(&root.join("bin/systemctl"));
    program(&releases.join("1.0.0/xrpayd"));
    let install = |version: &str| {
        let path = std::env::var("PATH").unwrap();
        let mut command = Command::new("deploy/systemd.sh");
        command.current_dir(env!("CARGO_MANIFEST_DIR"));
        command.env("PATH", format!("{}:{path}", root.join("bin").display()));
        command.env("XRPAYD_ROOT", &root);
        command.env("XRPAYD_RELEASES", &releases);
        let status = command.args(["units", version]).status().unwrap();
        status.success()
    };
    assert!(!install("0.9.0"), "there is no such version");
    assert!(install("1.0.0"));
    // What an operator filled in stays, and what the release brings takes the place of what was there.
    let own = root.join("etc/xrpayd/backup.toml");
    std::fs::write(&own, "# his").unwrap();
    assert!(install("1.0.0"));
    assert_eq!(std::fs::read_to_string(&own).unwrap(), "# his");
    let unit = shipped("deploy/systemd/xrpayd-backup.service");
    let filled_in = "/etc/xrpayd/backup-recipients.txt";
    let needed = unit
        .lines()
        .filter_map(|line| line.strip_prefix("AssertPathExists="));
    let needed: Vec<&str> = needed.collect();
    assert!(
        needed.len() >= 5 && needed.contains(&filled_in),
        "{needed:?}"
    );
    for path in needed.iter().filter(|path| **path != filled_in) {
        let there = root.join(path.trim_start_matches('/'));
        assert!(there.exists(), "{path} is not installed");
    }
    // And it is called by options that it has.
    let script = shipped("deploy/backup-postgres.sh");
    let (_, start) = unit.split_once("ExecStart=").unwrap();
    let (start, _) = start.split_once("\nTimeout").unwrap();
    for option in start
        .split_whitespace()
        .filter(|word| word.starts_with("--"))
    {
        assert!(script.contains(&format!("  {option} ")), "{option}");
    }

    let analyze = outside("XRPAYD_TEST_SYSTEMD_ANALYZE", "the units", "packages.sh");
    let Some(analyze) = analyze else {
        return;
    };
    let system = root.join("usr/lib/systemd");
    std::fs::create_dir_all(&system).unwrap();
    let copied = Command::new("cp")
        .args(["-r", "/usr/lib/systemd/system"])
        .arg(&system)
        .status();
    assert!(copied.unwrap().success());
    let verify = || {
        let mut command = Command::new(&analyze);
        command
            .arg("verify")
            .arg(format!("--root={}", root.display()));
        let units = ["xrpayd-backup.service", "xrpayd-backup.timer"];
        let output = command.args(units).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        (output.status.success(), said)
    };
    assert_eq!(verify(), (true, String::new()));
    std::fs::remove_file(root.join("opt/xrpayd/deploy/backup-postgres.sh")).unwrap();
    let (is_well, said) = verify();
    assert!(!is_well && said.contains("is not executable"), "{said}");
}
