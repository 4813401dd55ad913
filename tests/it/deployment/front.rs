//! nginx with the very files of this repository: what is the machine's own (addresses, places, the
//! certificates) is replaced text by text, and a text that is no longer there fails the test.

use crate::support::outside::outside;
use crate::support::process::free_port;
use crate::survival::yard::upstream_with;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// The files of `nginx/` besides the main one.
const FILES: [&str; 8] = [
    "http.conf",
    "tls.conf",
    "headers.conf",
    "problems.conf",
    "proxy.conf",
    "upstream.conf",
    "site.conf",
    "ops.conf",
];
/// The name of the API's server.
pub const PAY: &str = "pay.example.com";
/// The name of the operators' server.
pub const OPS: &str = "ops.example.com";

/// nginx before some replicas.
pub struct Front {
    curl: String,
    program: String,
    folder: tempfile::TempDir,
    process: Mutex<Option<Child>>,
    authority: Authority,
    /// Where the API is served.
    pub site: u16,
    /// Where nothing is served, in the clear.
    pub plain: u16,
    /// Where operators are served.
    pub ops: u16,
    /// Where the health check of its container asks.
    pub alive: u16,
}

/// Who signs the certificates.
type Authority = CertifiedIssuer<'static, KeyPair>;

/// What was answered.
#[derive(Debug, Clone)]
pub struct Answer {
    pub status: u16,
    headers: Vec<(String, String)>,
    pub body: String,
}

impl Answer {
    /// Every value of a header.
    pub fn all(&self, name: &str) -> Vec<&str> {
        let named = self.headers.iter().filter(|(found, _)| found == name);
        named.map(|(_, value)| value.as_str()).collect()
    }

    /// The one value of a header.
    pub fn one(&self, name: &str) -> &str {
        let all = self.all(name);
        assert_eq!(all.len(), 1, "{name}: {self:?}");
        all[0]
    }

    /// The body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// Reads the head and the body.
    pub fn read(text: &str) -> Self {
        let (head, body) = text.split_once("\r\n\r\n").expect("a head");
        let mut lines = head.split("\r\n");
        let status = lines.next().and_then(|line| line.split(' ').nth(1));
        let headers = lines.map(|line| {
            let (name, value) = line.split_once(':').expect("a field");
            (name.to_lowercase(), value.trim().to_owned())
        });
        Self {
            status: status.expect("a status").parse().unwrap(),
            headers: headers.collect(),
            body: body.to_owned(),
        }
    }
}

impl Front {
    /// nginx before the replicas at these addresses, with `more` replaced in its files; `None`, said
    /// aloud, where nginx is missing.
    pub async fn open(replicas: &[String], more: &[(&str, &str)]) -> Option<Self> {
        let program = outside("XRPAYD_TEST_NGINX", "nginx as it is shipped", "packages.sh")?;
        let curl = outside("XRPAYD_TEST_CURL", "nginx as it is shipped", "packages.sh")?;
        let folder = tempfile::tempdir().unwrap();
        let own = folder.path().display().to_string();
        for inner in ["xrpayd", "tls", "srv/runbooks"] {
            std::fs::create_dir_all(folder.path().join(inner)).unwrap();
        }
        let authority = authority(folder.path());
        certify(folder.path(), &authority, ("pay", PAY), None);
        certify(folder.path(), &authority, ("ops", OPS), None);
        let (site, plain, ops) = (free_port(), free_port(), free_port());
        let alive = free_port();
        let listen = |port: u16, kind: &str| format!("listen 127.0.0.1:{port} {kind}");
        let mut overlay: Vec<(&str, String)> = vec![
            ("/tmp/", format!("{own}/")),
            ("/dev/stderr", format!("{own}/error.log")),
            ("/dev/stdout", format!("{own}/access.log")),
            ("/etc/nginx/tls", format!("{own}/tls")),
            ("/srv/xrpayd", format!("{own}/srv")),
            ("listen 443 ssl", listen(site, "ssl")),
            ("listen 80 default", listen(plain, "default")),
            ("listen 8443 ssl", listen(ops, "ssl")),
            ("listen 127.0.0.1:8081", format!("listen 127.0.0.1:{alive}")),
            // Every address of this machine is a loopback one: one of them stays private.
            ("allow 127.0.0.0/8", "allow 127.0.0.1".to_owned()),
        ];
        overlay.extend(more.iter().map(|(text, by)| (*text, (*by).to_owned())));
        write_files(folder.path(), &overlay, replicas);
        let front = Self {
            curl,
            program,
            process: Mutex::default(),
            authority,
            folder,
            site,
            plain,
            ops,
            alive,
        };
        front.begins().await;
        Some(front)
    }

    /// nginx is started, and serves.
    pub async fn begins(&self) {
        let folder = self.folder.path();
        let mut command = Command::new(&self.program);
        command.arg("-e").arg(folder.join("error.log"));
        command.arg("-p").arg(folder).arg("-c");
        command.arg(folder.join("nginx.conf"));
        let user = if rustix::process::geteuid().is_root() {
            " user root root;"
        } else {
            ""
        };
        command.args(["-g", &format!("daemon off;{user}")]);
        let child = command.stdin(Stdio::null()).spawn().unwrap();
        *self.process.lock().unwrap() = Some(child);
        self.serves().await;
    }

    /// nginx ends: by itself and its workers with it, where killed it would leave them.
    pub fn ends(&self) {
        if let Some(mut child) = self.process.lock().unwrap().take() {
            let pid = child.id().to_string();
            let _ = Command::new("kill").args(["-TERM", &pid]).status();
            let _ = child.wait();
        }
    }

    /// nginx is told to read its files again.
    pub fn read_again(&self) {
        let process = self.process.lock().unwrap();
        let pid = process.as_ref().expect("it runs").id().to_string();
        let told = Command::new("kill").args(["-HUP", &pid]).status();
        assert!(told.unwrap().success());
    }

    /// Somebody puts a new certificate of the API's name, good for so many days, into nginx's files.
    pub fn certify(&self, days: i64) {
        let folder = self.folder.path();
        certify(folder, &self.authority, ("pay", PAY), Some(days));
    }

    /// Where a file of nginx's is.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    async fn serves(&self) {
        let deadline = Instant::now() + Duration::from_secs(30);
        while tokio::net::TcpStream::connect(("127.0.0.1", self.ops))
            .await
            .is_err()
        {
            assert!(Instant::now() < deadline, "{}", self.file("error.log"));
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// A file that nginx wrote.
    pub fn file(&self, name: &str) -> String {
        std::fs::read_to_string(self.folder.path().join(name)).unwrap_or_default()
    }

    /// Puts a runbook where nginx finds it.
    pub fn write_runbook(&self, name: &str, text: &str) {
        let path = self.folder.path().join("srv/runbooks").join(name);
        std::fs::write(path, text).unwrap();
    }

    /// A call of curl from this machine's address `127.0.0.N`, which verifies the server it asks.
    pub fn curl(&self, from: u8) -> Command {
        let mut command = Command::new(&self.curl);
        command.args(["-sS", "--max-time", "60", "--http1.1", "--path-as-is"]);
        command
            .arg("--cacert")
            .arg(self.folder.path().join("ca.pem"));
        command.args(["--interface", &format!("127.0.0.{from}")]);
        for (name, port) in [(PAY, self.site), (PAY, self.plain), (OPS, self.ops)] {
            command.args(["--resolve", &format!("{name}:{port}:127.0.0.1")]);
        }
        command.stdin(Stdio::null());
        command
    }

    /// What curl's own file has to say for this front's names and authority.
    pub fn curlrc(&self) -> String {
        let authority = self.folder.path().join("ca.pem");
        format!(
            "cacert = \"{}\"\nresolve = \"{PAY}:{}:127.0.0.1\"\n",
            authority.display(),
            self.site
        )
    }

    /// The API's address of a path.
    pub fn at(&self, path: &str) -> String {
        format!("https://{PAY}:{}{path}", self.site)
    }

    /// The operators' address of a path.
    pub fn at_ops(&self, path: &str) -> String {
        format!("https://{OPS}:{}{path}", self.ops)
    }

    /// Asks from `127.0.0.N` with more words for curl.
    pub async fn ask(&self, from: u8, url: &str, more: &[&str]) -> Answer {
        let (failed, answer) = self.try_ask(from, url, more).await;
        answer.unwrap_or_else(|| panic!("{url}: {failed}"))
    }

    /// The same, where it may be that nothing is answered: what curl says then.
    pub async fn try_ask(&self, from: u8, url: &str, more: &[&str]) -> (String, Option<Answer>) {
        let mut command = self.curl(from);
        // It would wait for leave to send a body.
        command.args(["-i", "-H", "Expect:"]).args(more).arg(url);
        let output = tokio::task::spawn_blocking(move || command.output().unwrap());
        let output = output.await.unwrap();
        let failed = String::from_utf8_lossy(&output.stderr).into_owned();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let answer = text.starts_with("HTTP/").then(|| Answer::read(&text));
        (failed, answer)
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        self.ends();
    }
}

/// An authority, whose own certificate is put into a file.
fn authority(folder: &Path) -> Authority {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params
        .distinguished_name
        .push(DnType::CommonName, "authority");
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    std::fs::write(folder.join("ca.pem"), authority.pem()).unwrap();
    authority
}

/// A certificate for a name, and its key, in the files that nginx reads; good for ever, or for so many days.
fn certify(folder: &Path, authority: &Authority, of: (&str, &str), days: Option<i64>) {
    let (file, name) = of;
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
    params.distinguished_name.push(DnType::CommonName, name);
    if let Some(days) = days {
        params.not_after = time::OffsetDateTime::now_utc() + time::Duration::days(days);
    }
    let certificate = params.signed_by(&key, authority).unwrap();
    let place = |ending: &str| folder.join(format!("tls/{file}.{ending}"));
    std::fs::write(place("crt"), certificate.pem()).unwrap();
    std::fs::write(place("key"), key.serialize_pem()).unwrap();
}

fn write_files(folder: &Path, overlay: &[(&str, String)], replicas: &[String]) {
    let shipped = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("nginx");
    let mut is_there = vec![false; overlay.len()];
    let mut write = |text: String, place: PathBuf| {
        let mut text = text;
        for (at, (old, new)) in overlay.iter().enumerate() {
            is_there[at] |= text.contains(old);
            text = text.replace(old, new);
        }
        std::fs::write(place, text).unwrap();
    };
    let read = |name: &str| std::fs::read_to_string(shipped.join(name)).unwrap();
    write(read("nginx.conf"), folder.join("nginx.conf"));
    let mut servers = String::new();
    for address in replicas {
        servers.push_str(&format!(
            "    server {address} max_fails=2 fail_timeout=5s;\n"
        ));
    }
    for name in FILES {
        let text = match name {
            "upstream.conf" => upstream_with(&servers),
            _ => read(name),
        };
        write(text, folder.join("xrpayd").join(name));
    }
    let mut shipped: Vec<String> = std::fs::read_dir(&shipped)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name != "nginx.conf")
        .collect();
    shipped.sort();
    let mut known = FILES.map(str::to_owned);
    known.sort();
    assert_eq!(shipped, known, "every file of nginx/ is run");
    for ((old, _), found) in overlay.iter().zip(is_there) {
        assert!(found, "{old:?} is in none of the files any more");
    }
}
