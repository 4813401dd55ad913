//! A machine that fails at the test's word: its wall clock jumps, its disk is full or does not sync,
//! its power is cut. `machine.c` does it, inside the daemon's process; the system's C compiler, which
//! the linker needs anyway, builds it.

use crate::support::process::Surroundings;
use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// No space left on the device.
pub const ENOSPC: i64 = 28;
/// An error of the device.
pub const EIO: i64 = 5;

/// The places of the orders, in the order in which `machine.c` reads them.
#[derive(Debug, Clone, Copy)]
enum Order {
    ClockMs,
    SyncErrno,
    SyncPerMille,
    WriteErrno,
    WritePerMille,
    SpaceLimited,
    SpaceLeft,
    Failures,
    PageMicros,
}

/// The machine under one daemon.
#[derive(Debug)]
pub struct Machine {
    folder: tempfile::TempDir,
    orders: File,
}

impl Machine {
    /// A machine that is well.
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("platter")).unwrap();
        let orders = File::options()
            .read(true)
            .write(true)
            .create_new(true)
            .open(folder.path().join("orders"))
            .unwrap();
        orders.set_len(4096).unwrap();
        Self { folder, orders }
    }

    /// What a daemon is started in to be on this machine.
    pub fn surroundings(&self) -> Surroundings {
        let variable = |name: &str, path: &Path| (name.to_owned(), path.display().to_string());
        Surroundings {
            launcher: Vec::new(),
            environment: vec![
                variable("LD_PRELOAD", library()),
                variable("XRPAYD_TEST_MACHINE", &self.folder.path().join("orders")),
                variable("XRPAYD_TEST_PLATTER", &self.folder.path().join("platter")),
            ],
        }
    }

    fn order(&self, order: Order, value: i64) {
        let at = u64::try_from(order as usize * 8).unwrap();
        self.orders.write_all_at(&value.to_ne_bytes(), at).unwrap();
    }

    /// The wall clock is so many milliseconds ahead, or behind.
    pub fn set_clock(&self, ahead_ms: i64) {
        self.order(Order::ClockMs, ahead_ms);
    }

    /// So many syncs of a thousand fail with `errno`, and what they were to make durable is lost.
    pub fn fail_syncs(&self, errno: i64, per_mille: i64) {
        self.order(Order::SyncPerMille, per_mille);
        self.order(Order::SyncErrno, errno);
    }

    /// So many writes of a thousand fail with `errno`.
    pub fn fail_writes(&self, errno: i64, per_mille: i64) {
        self.order(Order::WritePerMille, per_mille);
        self.order(Order::WriteErrno, errno);
    }

    /// The disk takes so long for each page that is synced, and a death finds it in the middle.
    pub fn slow_syncs(&self, page_us: i64) {
        self.order(Order::PageMicros, page_us);
    }

    /// The database's files may grow by so many bytes more.
    pub fn leave_space(&self, bytes: i64) {
        self.order(Order::SpaceLeft, bytes);
        self.order(Order::SpaceLimited, 1);
    }

    /// The disk is well again. What it has lost stays lost.
    pub fn heal_disk(&self) {
        self.order(Order::SyncErrno, 0);
        self.order(Order::WriteErrno, 0);
        self.order(Order::SpaceLimited, 0);
        self.order(Order::PageMicros, 0);
    }

    /// How many calls were made to fail.
    pub fn failures(&self) -> i64 {
        let mut bytes = [0; 8];
        let at = u64::try_from(Order::Failures as usize * 8).unwrap();
        self.orders.read_exact_at(&mut bytes, at).unwrap();
        i64::from_ne_bytes(bytes)
    }

    /// What is there of a database that others made is on the disk.
    pub fn holds(&self, database: &Path) {
        for (path, on_disk) in self.files_of(database) {
            if path.exists() {
                std::fs::copy(path, on_disk).unwrap();
            }
        }
    }

    /// The files of a database, and where each is as the disk has it.
    fn files_of(&self, database: &Path) -> [(PathBuf, PathBuf); 3] {
        ["", "-wal", "-shm"].map(|suffix| {
            let mut path = database.as_os_str().to_owned();
            path.push(suffix);
            let path = PathBuf::from(path);
            let platter = self.folder.path().join("platter");
            let on_disk = platter.join(path.file_name().unwrap());
            (path, on_disk)
        })
    }

    /// After the daemon was killed: leaves of its database what had been synced.
    pub fn cut_power(&self, database: &Path) {
        for (path, on_disk) in self.files_of(database) {
            if on_disk.exists() {
                std::fs::copy(on_disk, path).unwrap();
            } else if path.exists() {
                std::fs::remove_file(path).unwrap();
            }
        }
    }
}

/// The library, built once in a run.
fn library() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/survival/machine.c");
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let fresh = folder.join(format!("machine-{}.so", std::process::id()));
        let built = folder.join("machine.so");
        let mut compiler = Command::new("cc");
        compiler.args([
            "-Wall", "-Wextra", "-Werror", "-O1", "-shared", "-fPIC", "-o",
        ]);
        let status = compiler.arg(&fresh).arg(source).arg("-ldl").status();
        let built_it = status.expect("a C compiler, `cc`, is needed to build the failing machine");
        assert!(built_it.success(), "the failing machine does not compile");
        // Another run of the tests may be using the one that stands there.
        std::fs::rename(fresh, &built).unwrap();
        built
    })
}
