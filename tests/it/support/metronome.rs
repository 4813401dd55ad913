//! How long the machine itself kept a thread waiting that only wants to look at the clock: what a test that
//! holds something to a time grants on top of it, and no more.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

const BEAT: Duration = Duration::from_millis(20);
/// Later than this is the machine's doing.
const LATE: Duration = Duration::from_millis(10);

/// Beats until it is dropped, and keeps each beat that came late.
pub struct Metronome {
    began: Instant,
    late: Arc<Mutex<Vec<Stall>>>,
    is_over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

/// A beat that was due and came later.
#[derive(Clone, Copy)]
struct Stall {
    due: Duration,
    came: Duration,
}

impl Metronome {
    pub fn start() -> Self {
        let began = Instant::now();
        let late = Arc::new(Mutex::new(Vec::new()));
        let is_over = Arc::new(AtomicBool::new(false));
        let thread = std::thread::spawn({
            let (late, is_over) = (Arc::clone(&late), Arc::clone(&is_over));
            move || {
                while !is_over.load(Ordering::SeqCst) {
                    let due = began.elapsed() + BEAT;
                    std::thread::sleep(BEAT);
                    let came = began.elapsed();
                    if came - due > LATE {
                        late.lock().unwrap().push(Stall { due, came });
                    }
                }
            }
        });
        Self {
            began,
            late,
            is_over,
            thread: Some(thread),
        }
    }

    /// Now, as [`Self::stalled`] takes it.
    pub fn now(&self) -> Duration {
        self.began.elapsed()
    }

    /// How much of this span the machine kept even this waiting.
    pub fn stalled(&self, from: Duration, to: Duration) -> Duration {
        stalled(&self.late.lock().unwrap(), from, to)
    }
}

impl Drop for Metronome {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::SeqCst);
        if let Some(thread) = self.thread.take() {
            thread.join().expect("the metronome beats until its end");
        }
    }
}

fn stalled(late: &[Stall], from: Duration, to: Duration) -> Duration {
    let within = |stall: &Stall| stall.came.min(to).saturating_sub(stall.due.max(from));
    late.iter().map(within).sum()
}

#[test]
fn a_stall_counts_as_far_as_it_lies_in_the_span() {
    let at = Duration::from_millis;
    let stall = |due, came| Stall {
        due: at(due),
        came: at(came),
    };
    let late = [stall(100, 150), stall(400, 700), stall(900, 2_000)];
    assert_eq!(stalled(&late, at(0), at(3_000)), at(50 + 300 + 1_100));
    assert_eq!(stalled(&late, at(120), at(500)), at(30 + 100));
    assert_eq!(stalled(&late, at(160), at(390)), at(0));
    assert_eq!(stalled(&late, at(1_000), at(1_500)), at(500));
}
