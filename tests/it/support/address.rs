//! An address of one's own that leads to one server now and to another later, as a proxy or an address
//! that machines hand over to each other does.

use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use tokio::net::{TcpListener, TcpStream};

/// The address, for as long as its test runs.
#[derive(Debug)]
pub struct Address {
    /// Where it is on this machine.
    pub port: u16,
    leads_to: Arc<AtomicU16>,
}

impl Address {
    /// An address that leads to a port of this machine.
    pub async fn of(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let here = listener.local_addr().unwrap().port();
        let leads_to = Arc::new(AtomicU16::new(port));
        let shared = Arc::clone(&leads_to);
        tokio::spawn(async move {
            while let Ok((mut client, _)) = listener.accept().await {
                let port = shared.load(Ordering::SeqCst);
                tokio::spawn(async move {
                    if let Ok(mut server) = TcpStream::connect(("127.0.0.1", port)).await {
                        // Either side may end it at any moment.
                        let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
                    }
                });
            }
        });
        Self {
            port: here,
            leads_to,
        }
    }

    /// From now on it leads elsewhere; connections that are made already stay where they are.
    pub fn moves_to(&self, port: u16) {
        self.leads_to.store(port, Ordering::SeqCst);
    }
}
