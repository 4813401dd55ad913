//! A link to PostgreSQL that breaks at the worst moment: when a commit is on its way, or its answer.

use super::dice::Dice;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

/// A message of the PostgreSQL protocol is not longer than this in a test.
const MESSAGE_BYTES_MAX: usize = 64 * 1024 * 1024;

/// The link, in the hands of a test.
pub struct Link {
    /// The database's URL by way of the link.
    pub url: String,
    ways: Arc<Ways>,
}

struct Ways {
    dice: Dice,
    per_mille: AtomicU64,
    done: AtomicU64,
    undone: AtomicU64,
}

/// What happens to a commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Passes,
    /// It is done, and nobody hears of it.
    Unanswered,
    /// It does not arrive.
    Lost,
}

impl Link {
    /// A link to the database at `url`.
    pub async fn to(url: &str, dice: Dice) -> Self {
        let (before, rest) = url.split_once('@').expect("a user");
        let (server, after) = rest.split_once('/').expect("a database");
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let here = listener.local_addr().unwrap();
        let ways = Arc::new(Ways {
            dice,
            per_mille: AtomicU64::new(0),
            done: AtomicU64::new(0),
            undone: AtomicU64::new(0),
        });
        let (server, shared) = (server.to_owned(), Arc::clone(&ways));
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let Ok(server) = TcpStream::connect(&server).await else {
                    continue;
                };
                tokio::spawn(carry(client, server, Arc::clone(&shared)));
            }
        });
        Self {
            url: format!("{before}@{here}/{after}"),
            ways,
        }
    }

    /// So many commits of a thousand are lost, half of them with what they were to do.
    pub fn lose_commits(&self, per_mille: u64) {
        self.ways.per_mille.store(per_mille, Ordering::Relaxed);
    }

    /// Commits that were done and not answered, and those that never arrived.
    pub fn lost(&self) -> (u64, u64) {
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        (count(&self.ways.done), count(&self.ways.undone))
    }
}

impl Ways {
    fn fate(&self) -> Fate {
        if self.dice.between(1, 1_000) > self.per_mille.load(Ordering::Relaxed) {
            Fate::Passes
        } else if self.dice.happens(50) {
            self.done.fetch_add(1, Ordering::Relaxed);
            Fate::Unanswered
        } else {
            self.undone.fetch_add(1, Ordering::Relaxed);
            Fate::Lost
        }
    }
}

/// Carries one connection until one side ends it, or a commit is lost: then both are cut.
async fn carry(client: TcpStream, server: TcpStream, ways: Arc<Ways>) {
    // Messages are handed on one by one, and none waits for the next to fill a packet.
    client.set_nodelay(true).unwrap();
    server.set_nodelay(true).unwrap();
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let (mute, answered) = (Arc::new(AtomicBool::new(false)), Arc::new(Notify::new()));
    let down = hand_down(
        from_server,
        to_client,
        Arc::clone(&mute),
        Arc::clone(&answered),
    );
    tokio::select! {
        _ = hand_up(from_client, to_server, &ways, &mute, &answered) => {}
        () = down => {}
    }
}

/// Hands on messages of the client, one by one.
async fn hand_up(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    ways: &Ways,
    mute: &AtomicBool,
    answered: &Notify,
) -> std::io::Result<()> {
    // The first message has no type.
    let mut head_bytes = 4;
    loop {
        let mut head = vec![0; head_bytes];
        from.read_exact(&mut head).await?;
        let length: [u8; 4] = head[head_bytes - 4..].try_into().unwrap();
        let length = usize::try_from(u32::from_be_bytes(length)).unwrap();
        assert!((4..MESSAGE_BYTES_MAX).contains(&length), "{length} bytes");
        let mut body = vec![0; length - 4];
        from.read_exact(&mut body).await?;
        let is_commit = head_bytes == 5 && head[0] == b'Q' && body.starts_with(b"COMMIT");
        let fate = if is_commit { ways.fate() } else { Fate::Passes };
        if fate == Fate::Lost {
            return Ok(());
        }
        if fate == Fate::Unanswered {
            // Whatever the server says from here on is its answer to the commit.
            mute.store(true, Ordering::SeqCst);
        }
        head.append(&mut body);
        to.write_all(&head).await?;
        if fate == Fate::Unanswered {
            answered.notified().await;
            return Ok(());
        }
        head_bytes = 5;
    }
}

/// Hands on what the server says, until it is to be kept from the client.
async fn hand_down(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mute: Arc<AtomicBool>,
    answered: Arc<Notify>,
) {
    let mut bytes = vec![0; 16 * 1024];
    while let Ok(count @ 1..) = from.read(&mut bytes).await {
        if mute.load(Ordering::SeqCst) {
            answered.notify_one();
        } else if to.write_all(&bytes[..count]).await.is_err() {
            return;
        }
    }
}
