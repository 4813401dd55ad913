//! An address of one's own that leads to one server now and to another later, as a proxy or an address
//! that machines hand over to each other does; and whose connections can go silent, as those of a network
//! do that has forgotten them.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, AtomicU32, Ordering};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// What a client of PostgreSQL asks by itself, when a connection goes back into its pool.
const PING: &[u8] = b"S\0\0\0\x04";

/// The address, for as long as its test runs.
#[derive(Debug)]
pub struct Address {
    /// Where it is on this machine.
    pub port: u16,
    leads_to: Arc<AtomicU16>,
    silenced: watch::Sender<u32>,
    swallows_ping: Arc<AtomicU32>,
    swallowed: Arc<AtomicU32>,
}

impl Address {
    /// An address that leads to a port of this machine.
    pub async fn of(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let here = listener.local_addr().unwrap().port();
        let leads_to = Arc::new(AtomicU16::new(port));
        let shared = Arc::clone(&leads_to);
        let (silenced, silence) = watch::channel(0);
        let swallows_ping = Arc::new(AtomicU32::new(0));
        let swallowed = Arc::new(AtomicU32::new(0));
        let (swallows, swallow) = (Arc::clone(&swallows_ping), Arc::clone(&swallowed));
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let port = shared.load(Ordering::SeqCst);
                let mut silence = silence.clone();
                silence.mark_unchanged();
                let (swallows, swallow) = (Arc::clone(&swallows), Arc::clone(&swallow));
                tokio::spawn(async move {
                    let Ok(server) = TcpStream::connect(("127.0.0.1", port)).await else {
                        return;
                    };
                    let (mut from_client, mut to_client) = client.into_split();
                    let (mut from_server, mut to_server) = server.into_split();
                    let is_silenced = tokio::select! {
                        // Either side may end it at any moment.
                        _ = tokio::io::copy(&mut from_server, &mut to_client) => false,
                        asked = ask(&mut from_client, &mut to_server, &swallows) => {
                            let is_ping = matches!(asked, Ok(Asked::Ping));
                            swallow.fetch_add(u32::from(is_ping), Ordering::SeqCst);
                            is_ping
                        }
                        silenced = silence.changed() => silenced.is_ok(),
                    };
                    if is_silenced {
                        // Both stay open, and nothing is handed on.
                        let _ = silence.wait_for(|_| false).await;
                    }
                });
            }
        });
        Self {
            port: here,
            leads_to,
            silenced,
            swallows_ping,
            swallowed,
        }
    }

    /// `url`, which names one server of this machine, by way of this address.
    pub fn instead_of(&self, url: &str) -> String {
        let (before, rest) = url.split_once('@').expect("a user");
        let (_, after) = rest.split_once('/').expect("a database");
        format!("{before}@127.0.0.1:{}/{after}", self.port)
    }

    /// The connections of now hand nothing on any more, and do not end either; new ones do.
    pub fn silences(&self) {
        self.silenced.send_modify(|times| *times += 1);
    }

    /// From now on each connection goes silent by the `nth` ping in a row, as it is sent when it goes back
    /// into its pool.
    pub fn swallows_ping(&self, nth: u32) {
        self.swallows_ping.store(nth, Ordering::SeqCst);
    }

    /// How many have gone silent so.
    pub fn swallowed(&self) -> u32 {
        self.swallowed.load(Ordering::SeqCst)
    }

    /// From now on it leads elsewhere; connections that are made already stay where they are.
    pub fn moves_to(&self, port: u16) {
        self.leads_to.store(port, Ordering::SeqCst);
    }
}

/// How the asking over a connection came to its end.
enum Asked {
    Everything,
    /// By a ping, which was not handed on.
    Ping,
}

/// Hands on what the client asks.
async fn ask(
    client: &mut OwnedReadHalf,
    server: &mut OwnedWriteHalf,
    swallows_ping: &AtomicU32,
) -> io::Result<Asked> {
    let (mut asked, mut pings) = (vec![0; 16 * 1_024], 0);
    loop {
        let read = client.read(&mut asked).await?;
        let asked = asked.get(..read).unwrap_or_default();
        if asked.is_empty() {
            return Ok(Asked::Everything);
        }
        pings = if asked == PING { pings + 1 } else { 0 };
        if pings > 0 && pings == swallows_ping.load(Ordering::SeqCst) {
            return Ok(Asked::Ping);
        }
        server.write_all(asked).await?;
    }
}
