//! A child process that never outlives its owner.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// What a process is started in.
#[derive(Debug, Clone, Default)]
pub struct Surroundings {
    /// A program with its arguments that becomes the binary, such as `nsenter`.
    pub launcher: Vec<String>,
    /// What it finds in its environment besides the test's own.
    pub environment: Vec<(String, String)>,
}

impl Surroundings {
    /// The built binary, to be run by the launcher.
    pub fn command(&self) -> Command {
        let binary = env!("CARGO_BIN_EXE_xrpayd");
        let Some((program, arguments)) = self.launcher.split_first() else {
            return Command::new(binary);
        };
        let mut command = Command::new(program);
        command.args(arguments).arg(binary);
        command
    }
}

/// The built binary as a child; killed when dropped.
#[derive(Debug)]
pub struct Process {
    child: Child,
}

impl Process {
    /// Starts the binary with `arguments`, its logs going to the end of `log`.
    pub fn start(arguments: &[String], log: &Path) -> Self {
        Self::start_in(&Surroundings::default(), arguments, log)
    }

    /// The same in surroundings that are not the test's own.
    pub fn start_in(surroundings: &Surroundings, arguments: &[String], log: &Path) -> Self {
        let log = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(log)
            .unwrap();
        let child = surroundings
            .command()
            .args(arguments)
            .envs(surroundings.environment.iter().cloned())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .expect("the built binary runs");
        Self { child }
    }

    /// The first `count` lines of its standard output.
    pub fn first_lines(&mut self, count: usize) -> Vec<String> {
        let stdout = self.child.stdout.take().expect("the output is taken once");
        let lines: Vec<String> = BufReader::new(stdout)
            .lines()
            .take(count)
            .map(|line| line.unwrap())
            .collect();
        assert_eq!(
            lines.len(),
            count,
            "the process ended before it said where it listens"
        );
        lines
    }

    /// Ends it at once, as a power cut would.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Sends it SIGTERM.
    pub fn ask_to_end(&self) {
        self.signal("-TERM");
    }

    /// Sends it SIGHUP: it is to read its configuration again.
    pub fn ask_to_reload(&self) {
        self.signal("-HUP");
    }

    /// Holds it still, sockets and locks and all.
    pub fn freeze(&self) {
        self.signal("-STOP");
    }

    /// Lets it go on where it was held.
    pub fn thaw(&self) {
        self.signal("-CONT");
    }

    /// Whether it has ended by itself.
    pub fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        let sent = Command::new("kill").args([name, &pid]).status();
        assert!(sent.unwrap().success());
    }

    /// Asks it to end with SIGTERM and returns its exit code, or fails after `patience`.
    pub fn terminate(self, patience: Duration) -> Option<i32> {
        self.ask_to_end();
        self.exit_code(patience)
    }

    /// Waits until it ends by itself and returns its exit code, or fails after `patience`.
    pub fn exit_code(mut self, patience: Duration) -> Option<i32> {
        let deadline = Instant::now() + patience;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code();
            }
            assert!(Instant::now() < deadline, "still running");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Its number.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Resident memory in kB.
    pub fn resident_kb(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status
            .lines()
            .find(|line| line.starts_with("VmRSS:"))
            .unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Ports below those that the system gives out by itself: nobody who asks for any port, and no
/// outgoing connection, takes one of them between this call and the daemon's start.
const PORTS: std::ops::Range<u16> = 10_000..30_000;

/// A port that was free a moment ago, for a process that must listen on the same one after every
/// restart. No two calls of one test binary return the same port.
pub fn free_port() -> u16 {
    static CALLS: AtomicU32 = AtomicU32::new(0);
    let count = u32::from(PORTS.end - PORTS.start);
    loop {
        // Test binaries that run side by side begin far apart.
        let begin = std::process::id().wrapping_mul(7_919);
        let place = begin.wrapping_add(CALLS.fetch_add(1, Ordering::Relaxed)) % count;
        let port = PORTS.start + u16::try_from(place).unwrap();
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}
