//! Which test drills which alert, and what ends it there: the one list that the drills themselves go by,
//! that is held against the rules, and that `docs/OPERATIONS.md` shows.

use std::collections::BTreeSet;
use std::sync::Mutex;

/// What ends an alert in its drill.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cure {
    /// The commands of its page, and nothing else.
    Page,
    /// Somebody changes what the page tells to change, which alone does nothing, and then a command of the
    /// page makes it hold.
    Hand(&'static str),
    /// What no command of ours can do; what, and whose it is.
    Outside(&'static str),
    /// That what it tells of is long enough ago; of what it tells.
    Past(&'static str),
}

/// A test with what it drills.
#[derive(Debug)]
pub struct Test {
    /// Its name.
    pub name: &'static str,
    /// The alerts, each with what ends it.
    pub drills: &'static [(&'static str, Cure)],
}

/// A name in here that is no test does not compile.
macro_rules! drills {
    ($($file:ident::$test:ident { $($alert:ident: $cure:expr,)+ })+) => {
        $(const _: fn() = super::$file::$test;)+
        /// Every drill.
        pub const TESTS: &[Test] = &[$(Test {
            name: concat!("alerts::", stringify!($file), "::", stringify!($test)),
            drills: &[$((stringify!($alert), $cure)),+],
        }),+];
    };
}

use Cure::{Hand, Outside, Page, Past};

const SERVERS: Cure = Hand("other servers in `[xrpl] servers`");
const LOCK: Cure = Outside("the foreign job that holds the database ends");

drills! {
    edges::what_goes_wrong_with_callers_and_reloads_is_noticed {
        AuthFailuresHigh: Past("refusals of the last minutes"),
        RateLimited: Past("refusals of the last minutes"),
        ConfigReloadFailed: Hand("the file as it was"),
        WebhookBacklog: Outside("the integrator's receiver takes events again"),
        BackupTooOld: Page,
        BackupFarTooOld: Page,
    }
    front::a_public_name_that_is_not_answered_or_about_to_end_is_told_of {
        FrontCertificateEndsSoon: Hand("a new certificate in nginx's file"),
        FrontCertificateEnds: Hand("a new certificate in nginx's file"),
        FrontDown: Outside("nginx is started by what keeps it running"),
        FrontUnwatched: Outside("the prober is started by what keeps it running"),
    }
    payments::payments_that_wait_are_told_of_whatever_they_wait_for {
        PaymentStuck: Outside("the servers hand on what they are sent again"),
        LimitNearlyUsed: Hand("a higher `limits.max_pending`"),
        AttemptUnresolved: SERVERS,
        JournalLagging: SERVERS,
        JournalGap: SERVERS,
        PaymentsWaitForFees: Outside("the ledger becomes cheaper; a higher cap needs a start"),
        SpeedBudgetBurnFast: Past("slow payments of the last hours"),
        SpeedBudgetBurnSlow: Past("slow payments of the last days"),
        ServicePaused: Page,
    }
    payments::payments_that_fail_are_told_of_in_the_chat_and_many_that_fail_by_the_pager {
        PaymentsFailing: Past("failures of the last half hour"),
        PaymentsFailingBadly: Past("failures of the last half hour"),
    }
    service::a_daemon_that_ends_or_runs_short_is_noticed {
        MemoryHigh: Outside("a start of that replica, by what keeps it running"),
        FileDescriptorsLow: Outside("the clients close what they hold open"),
        XrpaydCrashLooping: Past("starts of the last quarter of an hour"),
        XrpaydDown: Outside("a start, by what keeps it running"),
    }
    service::a_second_daemon_on_a_copy_of_the_books_is_noticed {
        LeaseHeldTwice: Outside("the other daemon ends, on the machine where it runs"),
    }
    service::those_who_watch_are_watched {
        XrpaydTargetAbsent: Hand("Prometheus' file as it was"),
        RuleEvaluationFailing: Hand("the rules as they were"),
        AlertsUndelivered: Hand("the receiver's address in Alertmanager's file"),
        Watchdog: Outside("it fires always; what is drilled is that its silence is noticed"),
    }
    store::a_database_that_somebody_holds_up_is_noticed {
        HttpSlow: LOCK,
        HttpVerySlow: LOCK,
        HttpErrorRateHigh: LOCK,
        AvailabilityBudgetBurnFast: LOCK,
        AvailabilityBudgetBurnSlow: LOCK,
        StoreDown: LOCK,
    }
    store_replicas::what_keeps_replicas_from_their_work_is_noticed {
        XrpaydReplicaDown: Outside("a start of that replica, by what keeps it running"),
        ReplicaDeaf: Outside("the database's owner lets the role in again"),
        NoLeaseHolder: Outside("the foreign session that locks the leases ends"),
        StorePoolLow: Outside("the foreign session that locks the payments ends"),
    }
    wallets::wallets_that_are_empty_halted_or_unchecked_are_told_of {
        WalletBalanceLow: Outside("treasury refills it from the warm wallet"),
        WalletBalanceCritical: Outside("treasury refills it from the warm wallet"),
        WalletHalted: Page,
        BooksDiffer: Page,
        ReconcileStale: SERVERS,
        RolloutDemoted: Page,
    }
    wallets_replicas::a_wallet_of_which_its_holder_says_nothing_is_told_of {
        WalletViewStale: Outside("the foreign session that locks the table ends"),
    }
    xrpl::servers_that_are_gone_behind_slow_failing_or_at_odds_are_told_of {
        XrplServerDown: SERVERS,
        XrplNoReserve: SERVERS,
        XrplUnreachable: SERVERS,
        XrplServerLagging: SERVERS,
        XrplSlow: SERVERS,
        XrplRequestsFailing: SERVERS,
        XrplServersDisagree: Past("contradictions of the last quarter of an hour"),
    }
}

/// The drills of one test, on their way: what is not of the list is refused, and what is left over fails.
#[derive(Debug)]
pub struct Course {
    test: &'static Test,
    left: Mutex<BTreeSet<&'static str>>,
}

impl Course {
    /// Those of the test that asks.
    pub fn of<F: Fn()>(_test: &F) -> Self {
        let name = std::any::type_name::<F>();
        let name = name.split_once("::").expect("a path").1;
        let test = TESTS.iter().find(|test| test.name == name);
        let test = test.unwrap_or_else(|| panic!("{name} is not in the table of the drills"));
        Self {
            test,
            left: Mutex::new(test.drills.iter().map(|(alert, _)| *alert).collect()),
        }
    }

    /// What ends the alert, of which it is the turn now.
    pub fn turn_of(&self, alert: &str) -> Cure {
        let is_left = self.left.lock().unwrap().remove(alert);
        assert!(is_left, "{} drills no {alert}, or twice", self.test.name);
        let mut drills = self.test.drills.iter();
        drills
            .find(|(name, _)| *name == alert)
            .expect("it was left")
            .1
    }
}

impl Drop for Course {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            let left = self.left.lock().unwrap();
            assert!(left.is_empty(), "{} left out {left:?}", self.test.name);
        }
    }
}

#[test]
fn a_drill_that_is_not_of_the_table_or_is_left_out_is_noticed() {
    let test = super::wallets_replicas::a_wallet_of_which_its_holder_says_nothing_is_told_of;
    let course = Course::of(&test);
    assert!(matches!(course.turn_of("WalletViewStale"), Outside(_)));
    drop(course);
    let fails = |what: fn(&Course)| std::panic::catch_unwind(|| what(&Course::of(&test))).is_err();
    assert!(fails(|_| {}), "a drill was left out");
    let of_another = |course: &Course| {
        course.turn_of("WalletHalted");
    };
    assert!(fails(of_another), "a drill of another test");
    let twice = |course: &Course| {
        course.turn_of("WalletViewStale");
        course.turn_of("WalletViewStale");
    };
    assert!(fails(twice), "twice");
}
