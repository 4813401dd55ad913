//! PostgreSQL's programs, where they are and as whom they run.

use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::Command;

/// PostgreSQL's programs, run as the user that they may be run as.
#[derive(Debug, Clone)]
pub(super) struct Tools {
    programs: PathBuf,
    pub(super) folder: PathBuf,
    pub(super) user: Option<(u32, u32)>,
}

/// Where the programs of the newest PostgreSQL are that tests/postgres.sh would take.
pub(super) fn programs() -> PathBuf {
    let find = "ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -V | tail -n 1";
    let mut programs = said_by(Command::new("sh").args(["-c", find]));
    if programs.is_empty() {
        let find = "dirname \"$(command -v initdb)\"";
        programs = said_by(Command::new("sh").args(["-c", find]));
    }
    programs.into()
}

impl Tools {
    /// The newest PostgreSQL that tests/postgres.sh would take, at home in `folder`.
    pub(super) fn find(folder: &Path) -> Self {
        let number = |of: &str, name: &str| said_by(Command::new("id").args([of, name])).parse();
        // PostgreSQL refuses to run as root.
        let is_root = said_by(Command::new("id").arg("-u")) == "0";
        let user = is_root.then(|| {
            let named = |name: &str| Some((number("-u", name).ok()?, number("-g", name).ok()?));
            named("postgres").or_else(|| named("nobody")).unwrap()
        });
        if let Some((uid, gid)) = user {
            chown(folder, Some(uid), Some(gid)).unwrap();
        }
        // The servers' sockets are there too; the data has folders of its own.
        std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o755)).unwrap();
        Self {
            programs: programs(),
            folder: folder.to_owned(),
            user,
        }
    }

    /// A program that ends where this thread ends.
    pub(super) fn command(&self, program: &str) -> Command {
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL"]);
        if let Some((uid, gid)) = self.user {
            command.args([format!("--reuid={uid}"), format!("--regid={gid}")]);
            command.arg("--clear-groups");
        }
        command.arg(self.programs.join(program));
        command.current_dir(&self.folder);
        command
    }

    /// Runs a program to its success.
    pub(super) fn run(&self, program: &str, arguments: &[&str]) {
        let output = self.command(program).args(arguments).output().unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{program}: {errors}");
    }
}

fn said_by(command: &mut Command) -> String {
    let output = command.output().unwrap();
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}
