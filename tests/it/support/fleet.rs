//! Several daemons beside each other: one database, one ledger, the same wallets, each with ports and a
//! folder of its own. Each can be killed, frozen, thawed, ended and started again.

use super::daemon::Setup;
use super::process::Process;
use std::path::Path;
use std::time::Duration;

/// Daemons on one database.
#[derive(Debug)]
pub struct Fleet {
    members: Vec<Member>,
}

/// One of them.
#[derive(Debug)]
pub struct Member {
    /// How it is started.
    pub setup: Setup,
    process: Option<Process>,
}

impl Fleet {
    /// The daemons that are set up so, none of them running.
    pub fn of(setups: Vec<Setup>) -> Self {
        let member = |setup| Member {
            setup,
            process: None,
        };
        Self {
            members: setups.into_iter().map(member).collect(),
        }
    }

    /// `count` daemons with the configuration `more`, each in a folder of its own below `folder`, for
    /// the servers at `urls`, on the PostgreSQL database at `store_url`.
    pub fn new(folder: &Path, count: usize, urls: &[String], store_url: &str, more: &str) -> Self {
        let setup = |place: usize| {
            let folder = folder.join(format!("daemon-{place}"));
            std::fs::create_dir(&folder).unwrap();
            Setup::new(&folder, urls, store_url, more)
        };
        Self::of((0..count).map(setup).collect())
    }

    /// How many there are, running or not.
    pub fn len(&self) -> usize {
        self.members.len()
    }

    /// How one of them is started, and where it is reached.
    pub fn setup(&self, place: usize) -> &Setup {
        &self.members[place].setup
    }

    /// The base URLs of their APIs.
    pub fn apis(&self) -> Vec<String> {
        let apis = self.members.iter().map(|member| member.setup.api.clone());
        apis.collect()
    }

    /// Starts one that does not run.
    pub fn start(&mut self, place: usize) {
        let member = &mut self.members[place];
        assert!(member.process.is_none(), "daemon {place} runs already");
        member.process = Some(member.setup.start());
    }

    /// Starts all and waits until each is ready.
    pub async fn start_all(&mut self) {
        for place in 0..self.len() {
            self.start(place);
        }
        self.all_ready().await;
    }

    /// Waits until each that runs can durably accept payments.
    pub async fn all_ready(&self) {
        for member in &self.members {
            if member.process.is_some() {
                member.setup.ready().await;
            }
        }
    }

    /// Waits until one of them can durably accept payments.
    pub async fn ready(&self, place: usize) {
        self.setup(place).ready().await;
    }

    /// Whether it was started and neither killed nor ended by the test.
    pub fn runs(&self, place: usize) -> bool {
        self.members[place].process.is_some()
    }

    /// Ends it at once, as a power cut would.
    pub fn kill(&mut self, place: usize) {
        self.take(place).kill();
    }

    /// Holds it still, sockets and locks and all.
    pub fn freeze(&self, place: usize) {
        self.process(place).freeze();
    }

    /// Lets it go on where it was held.
    pub fn thaw(&self, place: usize) {
        self.process(place).thaw();
    }

    /// Sends it SIGHUP and does not wait.
    pub fn ask_to_reload(&self, place: usize) {
        self.process(place).ask_to_reload();
    }

    /// Sends it SIGTERM and does not wait.
    pub fn ask_to_end(&self, place: usize) {
        self.process(place).ask_to_end();
    }

    /// Asks it to end with SIGTERM and returns its exit code, or fails after `patience`. Others go on
    /// meanwhile: the wait is not one of the runtime's threads.
    pub async fn terminate(&mut self, place: usize, patience: Duration) -> Option<i32> {
        let process = self.take(place);
        tokio::task::spawn_blocking(move || process.terminate(patience))
            .await
            .unwrap_or_else(|failed| panic!("{failed}: {}", self.setup(place).log()))
    }

    /// Ends all that run, one after the other; each has to end clean.
    pub async fn terminate_all(&mut self, patience: Duration) {
        for place in 0..self.len() {
            if self.runs(place) {
                let code = self.terminate(place, patience).await;
                assert_eq!(code, Some(0), "{}", self.setup(place).log());
            }
        }
    }

    /// Fails where one of them has ended that was not asked to.
    pub fn all_alive(&mut self) {
        for (place, member) in self.members.iter_mut().enumerate() {
            let has_ended = member.process.as_mut().is_some_and(Process::has_ended);
            assert!(!has_ended, "daemon {place} died: {}", member.setup.log());
        }
    }

    fn process(&self, place: usize) -> &Process {
        let process = self.members[place].process.as_ref();
        process.unwrap_or_else(|| panic!("daemon {place} does not run"))
    }

    fn take(&mut self, place: usize) -> Process {
        let process = self.members[place].process.take();
        process.unwrap_or_else(|| panic!("daemon {place} does not run"))
    }
}
