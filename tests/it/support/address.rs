//! An address of one's own that leads to one server now and to another later, as a proxy or an address
//! that machines hand over to each other does; and whose connections can go silent, as those of a network
//! do that has forgotten them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// The address, for as long as its test runs.
#[derive(Debug)]
pub struct Address {
    /// Where it is on this machine.
    pub port: u16,
    leads_to: Arc<AtomicU16>,
    silenced: watch::Sender<u32>,
}

impl Address {
    /// An address that leads to a port of this machine.
    pub async fn of(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let here = listener.local_addr().unwrap().port();
        let leads_to = Arc::new(AtomicU16::new(port));
        let shared = Arc::clone(&leads_to);
        let (silenced, silence) = watch::channel(0);
        tokio::spawn(async move {
            while let Ok((mut client, _)) = listener.accept().await {
                let port = shared.load(Ordering::SeqCst);
                let mut silence = silence.clone();
                silence.mark_unchanged();
                tokio::spawn(async move {
                    let Ok(mut server) = TcpStream::connect(("127.0.0.1", port)).await else {
                        return;
                    };
                    let is_silenced = tokio::select! {
                        // Either side may end it at any moment.
                        _ = tokio::io::copy_bidirectional(&mut client, &mut server) => false,
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

    /// From now on it leads elsewhere; connections that are made already stay where they are.
    pub fn moves_to(&self, port: u16) {
        self.leads_to.store(port, Ordering::SeqCst);
    }
}
