//! Where versions are deployed: a fleet behind nginx, the hooks that the deploy scripts call, and clients
//! who put up with nothing.

use super::dice::{Dice, seed};
use super::link::Link;
use super::stage::{GRACE, SHOP, Stage};
use super::tenures::{self, Tenures, name_of};
use super::traffic::Traffic;
use crate::store::fresh_postgres;
use crate::support::executable;
use crate::support::fleet::Fleet;
use crate::support::outside::outside;
use crate::support::process::free_port;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// The version that loses commits.
pub const BROKEN: &str = "broken";
/// The version that everything begins with.
pub const FIRST: &str = "one";
/// A version that does not start.
pub const DEAD: &str = "dead";
/// So many commits of a thousand are lost by the broken version: all.
const LOST: u64 = 1_000;
/// The balancer is this repository's, and nginx takes what it says relative to its own folder.
const PROXY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/nginx/proxy.conf");
const HTTP: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/nginx/http.conf");
const UPSTREAM: &str = include_str!("../../../nginx/upstream.conf");
/// Where `http.conf` looks for it, in nginx's folder.
const UPSTREAM_FILE: &str = "xrpayd/upstream.conf";

/// The URL of a fresh database and nginx; `None`, said aloud, where one of them is missing. Under CI that
/// fails.
async fn needs() -> Option<(String, String)> {
    let nginx = outside("XRPAYD_TEST_NGINX", "a deploy behind nginx", "packages.sh")?;
    Some((fresh_postgres().await?, nginx))
}

/// nginx in a folder of its own; ended when dropped.
struct Nginx {
    program: String,
    folder: PathBuf,
    process: Child,
}

impl Nginx {
    fn start(program: &str, folder: &Path, port: u16) -> Self {
        let own = folder.display();
        let user = if rustix::process::geteuid().is_root() {
            "user root root;"
        } else {
            ""
        };
        let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map(|kind| format!("{kind}_temp_path {own}/{kind};\n"))
            .concat();
        let text = format!(
            "{user}\ndaemon off;\nworker_processes 2;\npid {own}/pid;\nerror_log {own}/error.log;\n\
             events {{ worker_connections 512; }}\n\
             http {{\naccess_log off;\n{temporary}include {HTTP};\n\
             server {{\nlisten 127.0.0.1:{port};\nlocation / {{ include {PROXY}; }}\n\
             location = /v1/events/stream {{ include {PROXY}; proxy_buffering off; }}\n}}\n}}\n"
        );
        std::fs::write(folder.join("nginx.conf"), text).unwrap();
        let mut nginx = Self {
            program: program.to_owned(),
            folder: folder.to_owned(),
            process: Command::new("true").spawn().unwrap(),
        };
        nginx.process.wait().unwrap();
        nginx.process = nginx.command().stdin(Stdio::null()).spawn().unwrap();
        nginx
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        let log = self.folder.join("error.log");
        command.arg("-e").arg(log).arg("-p").arg(&self.folder);
        command.arg("-c").arg(self.folder.join("nginx.conf"));
        command
    }

    /// Checks the configuration and lets nginx read it again.
    fn reload(&self) -> bool {
        [&["-t", "-q"][..], &["-s", "reload"]].iter().all(|words| {
            let status = self.command().args(*words).status();
            status.unwrap().success()
        })
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // It ends its workers itself; killed, it would leave them. Its files may be gone by now.
        let pid = self.process.id().to_string();
        let _ = Command::new("kill").args(["-TERM", &pid]).status();
        let _ = self.process.wait();
    }
}

/// What the hooks work on.
struct Ground {
    fleet: tokio::sync::Mutex<Fleet>,
    versions: Mutex<BTreeMap<usize, String>>,
    /// Instances whose machines are gone.
    lost: Mutex<BTreeSet<usize>>,
    nginx: Nginx,
    url: String,
    link: Link,
    /// What the hooks were asked, in their order.
    asked: Mutex<Vec<String>>,
}

/// A fleet behind nginx.
pub struct Yard {
    pub stage: Stage,
    /// The API behind nginx.
    pub api: String,
    ground: Arc<Ground>,
    folder: PathBuf,
}

impl Yard {
    /// So many daemons of the first version, of which the first `serving` get requests; those run. `None`
    /// where a program for it is missing.
    pub async fn open(count: usize, serving: usize) -> Option<Self> {
        let (url, nginx) = needs().await?;
        let seed = seed();
        let link = Link::to(&url, Dice::new(seed, 3_000)).await;
        let (stage, mut fleet) = Stage::of_fleet(seed, &url, count, |place, setup| {
            let name = name_of(place);
            setup
                .with(&format!(
                    "[lease]\nttl = \"3s\"\nname = \"{name}\"\n\
                     [http]\ntrusted_proxies = [\"127.0.0.1\"]\n"
                ))
                .with("")
        });
        tenures::call_witness(&url).await;
        assert!(stage.ledger.submissions().await.is_empty());
        let folder = stage.folder().join("nginx");
        std::fs::create_dir_all(folder.join("xrpayd")).unwrap();
        for place in 0..serving {
            fleet.start(place);
        }
        fleet.all_ready().await;
        write_fleet(&folder, &fleet, serving);
        let port = free_port();
        let api = format!("http://127.0.0.1:{port}");
        let ground = Arc::new(Ground {
            nginx: Nginx::start(&nginx, &folder, port),
            versions: Mutex::new((0..count).map(|place| (place, FIRST.to_owned())).collect()),
            fleet: tokio::sync::Mutex::new(fleet),
            lost: Mutex::default(),
            url,
            link,
            asked: Mutex::default(),
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let hooks = listener.local_addr().unwrap().port();
        write_hooks(&folder, hooks);
        let answers = Arc::clone(&ground);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                answer(stream, &answers).await;
            }
        });
        let yard = Self {
            stage,
            api,
            ground,
            folder,
        };
        yard.serves().await;
        Some(yard)
    }

    /// Waits until nginx answers with what a daemon says.
    async fn serves(&self) {
        let deadline = Instant::now() + Duration::from_secs(30);
        let ready = format!("{}/health/ready", self.api);
        while !reqwest::get(&ready)
            .await
            .is_ok_and(|answer| answer.status().is_success())
        {
            assert!(Instant::now() < deadline, "nginx does not serve");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// A deploy script with the options that every test wants, and `more`.
    pub fn script(&self, name: &str, more: &[&str]) -> Command {
        let mut command = Command::new(format!("deploy/{name}"));
        command.current_dir(env!("CARGO_MANIFEST_DIR"));
        for (option, file) in [
            ("--fleet", "fleet"),
            ("--hooks", "hooks"),
            ("--upstream", UPSTREAM_FILE),
            ("--state", "state"),
        ] {
            command.arg(option).arg(self.folder.join(file));
        }
        // A machine that is busy with other tests answers late; that is not what is tested here.
        let patient = ["--p99-max", "5", "--requests-min", "5", "--watch", "3"];
        command.args(patient).args(more).stdin(Stdio::null());
        command
    }

    /// Runs a deploy script to its end: its exit code, and all it said.
    pub async fn run(&self, name: &str, more: &[&str]) -> (Option<i32>, String) {
        finished(self.script(name, more)).await
    }

    /// The same once nothing is at work any more that a killed script had begun: what it asked for last
    /// goes on to its end, and holds the others up meanwhile.
    pub async fn run_when_free(&self, name: &str, more: &[&str]) -> (Option<i32>, String) {
        let deadline = Instant::now() + Duration::from_secs(60);
        loop {
            let (code, said) = self.run(name, more).await;
            if !said.contains("another deploy is at work") || Instant::now() > deadline {
                return (code, said);
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Where the files of a deploy are.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The version of each instance.
    pub fn versions(&self) -> Vec<String> {
        self.ground
            .versions
            .lock()
            .unwrap()
            .values()
            .cloned()
            .collect()
    }

    /// What the hooks were asked so far.
    pub fn asked(&self) -> Vec<String> {
        self.ground.asked.lock().unwrap().clone()
    }

    /// The balancer's file.
    pub fn upstream(&self) -> String {
        std::fs::read_to_string(self.folder.join(UPSTREAM_FILE)).unwrap()
    }

    /// Whether a deploy is written down that neither ended nor was undone.
    pub fn is_unfinished(&self) -> bool {
        self.folder.join("state/deploy").exists()
    }

    /// Which instances run.
    pub async fn running(&self) -> Vec<bool> {
        let fleet = self.ground.fleet.lock().await;
        (0..fleet.len()).map(|place| fleet.runs(place)).collect()
    }

    /// Ends an instance behind everybody's back.
    pub async fn kill(&self, place: usize) {
        self.ground.fleet.lock().await.kill(place);
    }

    /// Loses an instance with its machine: no hook reaches it.
    pub async fn lose(&self, place: usize) {
        self.ground.lost.lock().unwrap().insert(place);
        self.kill(place).await;
    }

    /// Its machine is back, and nothing runs on it.
    pub fn regain(&self, place: usize) {
        self.ground.lost.lock().unwrap().remove(&place);
    }

    /// Runs a block of a runbook as whoever is on call does, with what the page says is given.
    pub async fn block(&self, text: &str) -> (Option<i32>, String) {
        let mut command = Command::new("bash");
        command.args(["-euo", "pipefail", "-c", text]);
        command.env("DEPLOY", concat!(env!("CARGO_MANIFEST_DIR"), "/deploy"));
        for (variable, file) in [
            ("FLEET", "fleet"),
            ("HOOKS", "hooks"),
            ("UPSTREAM", UPSTREAM_FILE),
            ("STATE", "state"),
        ] {
            command.env(variable, self.folder.join(file));
        }
        command.env("WALLETS", "1").stdin(Stdio::null());
        finished(command).await
    }

    /// Sends clients to nginx.
    pub fn traffic(&self) -> Traffic {
        Traffic::open(&self.api, self.stage.key())
    }

    /// Every payment is final by the ledger's word, and there was one writer throughout. Returns how many
    /// there were.
    pub async fn audit(&self, paid: &BTreeMap<u64, String>) -> usize {
        let merchant = crate::support::merchant::Merchant::new(&self.api, self.stage.key());
        merchant.all_final(super::stage::PATIENCE).await;
        let listed = merchant.all_payments().await;
        let truth = self.stage.ledger.truth_of(SHOP).await;
        for (tag, id) in paid {
            let mut of_tag = truth.iter().filter(|tx| tx["destination_tag"] == *tag);
            let once = of_tag.next().unwrap_or_else(|| panic!("{id} was not paid"));
            assert!(of_tag.next().is_none(), "{id} was paid twice");
            let payment = listed.iter().find(|payment| payment["id"] == **id);
            let payment = payment.unwrap_or_else(|| panic!("{id} is lost"));
            assert_eq!(payment["status"], "succeeded", "{payment:#}");
            assert_eq!(payment["tx_hash"], once["hash"]);
        }
        let submissions = self.stage.ledger.submissions().await;
        let seen = Tenures::read(&self.ground.url, &submissions).await;
        assert!(!seen.signings.is_empty());
        assert_eq!(seen.wrongs(), Vec::<String>::new());
        listed.len()
    }
}

/// Runs a command to its end: its exit code, and all it said.
pub async fn finished(mut command: Command) -> (Option<i32>, String) {
    let output = tokio::task::spawn_blocking(move || command.output().unwrap());
    let output = output.await.unwrap();
    let mut said = String::from_utf8_lossy(&output.stdout).into_owned();
    said.push_str(&String::from_utf8_lossy(&output.stderr));
    println!("{said}");
    (output.status.code(), said)
}

/// The balancer's file with other `server` lines.
pub fn upstream_with(servers: &str) -> String {
    let is_server = |line: &&str| line.trim_start().starts_with("server ");
    let (first, _) = UPSTREAM.split_once("    server ").expect("an example");
    let rest = UPSTREAM.trim_start_matches(first);
    let rest = rest.lines().filter(|line| !is_server(line));
    let rest: String = rest.map(|line| format!("{line}\n")).collect();
    format!("{first}{servers}{rest}")
}

/// The fleet as the scripts read it, and the balancer's file as an operator would fill it in.
fn write_fleet(folder: &Path, fleet: &Fleet, serving: usize) {
    let mut servers = String::new();
    let mut lines = "# name API metrics colour\n".to_owned();
    for place in 0..fleet.len() {
        let setup = fleet.setup(place);
        let api = setup.api.trim_start_matches("http://");
        let is_serving = place < serving;
        let colour = if is_serving { "blue" } else { "green" };
        lines.push_str(&format!(
            "{} {api} {} {colour}\n",
            name_of(place),
            setup.metrics
        ));
        let share = if is_serving {
            "max_fails=2 fail_timeout=5s"
        } else {
            "down"
        };
        servers.push_str(&format!("    server {api} {share};\n"));
    }
    std::fs::write(folder.join("fleet"), lines).unwrap();
    let upstream = upstream_with(&servers);
    std::fs::write(folder.join(UPSTREAM_FILE), upstream).unwrap();
}

/// A program that hands its words on to the test and ends as the test says.
fn write_hooks(folder: &Path, port: u16) {
    let path = folder.join("hooks");
    let text = format!(
        "#!/usr/bin/env bash\nset -euo pipefail\nexec 3<>/dev/tcp/127.0.0.1/{port}\n\
         echo \"$*\" >&3\nread -r code <&3\ncat <&3\nexit \"$code\"\n"
    );
    executable::write(&path, &text);
}

async fn answer(stream: TcpStream, ground: &Ground) {
    let mut stream = BufReader::new(stream);
    let mut line = String::new();
    stream.read_line(&mut line).await.unwrap();
    ground.asked.lock().unwrap().push(line.trim().to_owned());
    let words: Vec<&str> = line.split_whitespace().collect();
    let (code, said) = hook(&words, ground).await;
    // A script that was killed does not wait for it.
    let _ = stream.write_all(format!("{code}\n{said}").as_bytes()).await;
}

async fn hook(words: &[&str], ground: &Ground) -> (i32, String) {
    let place = |name: &str| -> usize { name.strip_prefix("daemon-").unwrap().parse().unwrap() };
    let is_lost = |&name: &&str| {
        name.starts_with("daemon-") && ground.lost.lock().unwrap().contains(&place(name))
    };
    if words.get(1).is_some_and(is_lost) {
        return (255, "no route to host\n".to_owned());
    }
    match *words {
        ["version", name] => {
            let version = ground.versions.lock().unwrap()[&place(name)].clone();
            (0, format!("{version}\n"))
        }
        ["install", name, version] => {
            let store = if version == BROKEN {
                format!("[store]\nurl = \"{}\"\n", ground.link.url)
            } else {
                String::new()
            };
            let fleet = ground.fleet.lock().await;
            fleet.setup(place(name)).rewrite_last_layer(&store);
            let mut versions = ground.versions.lock().unwrap();
            versions.insert(place(name), version.to_owned());
            (0, String::new())
        }
        ["start", name] if ground.versions.lock().unwrap()[&place(name)] == DEAD => {
            (1, "it ends at once\n".to_owned())
        }
        ["start", name] => {
            let mut fleet = ground.fleet.lock().await;
            if !fleet.runs(place(name)) {
                ground.link.lose_commits(0);
                fleet.start(place(name));
                fleet.ready(place(name)).await;
                // What is broken shows under load alone.
                ground.link.lose_commits(LOST);
            }
            (0, String::new())
        }
        ["stop", name] => {
            let mut fleet = ground.fleet.lock().await;
            if fleet.runs(place(name)) {
                ground.link.lose_commits(0);
                let code = fleet.terminate(place(name), GRACE).await;
                return (code.unwrap_or(1), String::new());
            }
            (0, String::new())
        }
        ["follow"] => (0, String::new()),
        ["reload"] => (i32::from(!ground.nginx.reload()), String::new()),
        _ => (2, format!("what is {words:?}?\n")),
    }
}
