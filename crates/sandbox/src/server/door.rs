//! A server's door: it takes connections while the server is up, and refuses them while it is down.
//!
//! Owns the listening socket. While the door is shut another socket holds the port, so that nobody else
//! gets it, and the system itself refuses whoever knocks.

use super::connection::Role;
use super::http;
use super::sandbox;
use super::shared::Shared;
use crate::clock;
use crate::tasks::Tasks;
use serde_json::json;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Weak};
use std::time::Duration;
use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::watch;

/// Connections that may wait to be accepted.
const BACKLOG: u32 = 1_024;
/// How long to wait after the system refused.
const PAUSE: Duration = Duration::from_millis(50);

/// Accepts connections until the network stops.
pub(crate) async fn accept(
    listener: TcpListener,
    shared: Arc<Shared>,
    server: usize,
    role: Role,
    tasks: Weak<Tasks>,
) {
    let mut open = shared.doors[server].subscribe();
    let mut listener = Some(listener);
    let mut accepted = 0_u64;
    loop {
        let Some(listening) = listener.take() else {
            return;
        };
        let address = listening.local_addr();
        shared.listening[server].send_modify(|count| *count += 1);
        let welcome = async {
            loop {
                let Ok((stream, peer)) = listening.accept().await else {
                    tokio::time::sleep(PAUSE).await;
                    continue;
                };
                let Some(tasks) = tasks.upgrade() else { return };
                let faults = shared.net().servers[server].faults.clone();
                if faults.refuse || faults.condition.down {
                    drop(stream);
                    continue;
                }
                accepted += 1;
                let random = shared.connection_random(server, role, accepted);
                let shared = Arc::clone(&shared);
                tasks.start(http::serve(stream, peer, shared, server, role, random));
            }
        };
        tokio::select! {
            () = welcome => return,
            () = until(&mut open, false) => {}
        }
        drop(listening);
        shared.listening[server].send_modify(|count| *count -= 1);
        listener = match address {
            Ok(address) => reopened(address, &mut open).await,
            Err(error) => {
                tracing::error!(%error, "a listening socket without an address");
                None
            }
        };
    }
}

/// Ends what keeps a server from taking connections, when that was for a time. Nobody else may be able to:
/// where no server takes any, no drill can say so.
pub(crate) async fn reopen_in_time(shared: Arc<Shared>, server: usize) {
    let mut changes = shared.thaws[server].subscribe();
    loop {
        changes.mark_unchanged();
        let condition = shared.net().servers[server].faults.condition.clone();
        let back_in = async {
            match condition.back_at_us {
                Some(at) => {
                    let us = at.saturating_sub(clock::unix_us());
                    tokio::time::sleep(Duration::from_micros(us)).await;
                }
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            changed = changes.changed() => {
                if changed.is_err() {
                    return;
                }
            }
            () = back_in => {
                let ends = [json!({"kind": "refuse", "on": false}), json!({"kind": "restart"})];
                for end in ends.iter().take(1 + usize::from(condition.down)) {
                    if let Err(error) = sandbox::fault(&shared, server, end) {
                        tracing::error!(%error, server, "the door stays shut");
                        return;
                    }
                }
            }
        }
    }
}

/// Waits until the door is to be as wanted; for ever when nobody can say so any more.
async fn until(open: &mut watch::Receiver<bool>, wanted: bool) {
    if open.wait_for(|open| *open == wanted).await.is_err() {
        std::future::pending::<()>().await;
    }
}

/// Holds the port until the door is to open again, and opens it.
async fn reopened(address: SocketAddr, open: &mut watch::Receiver<bool>) -> Option<TcpListener> {
    loop {
        let held = hold(address);
        until(open, true).await;
        match held.and_then(|socket| socket.listen(BACKLOG)) {
            Ok(listener) => return Some(listener),
            Err(error) => {
                tracing::warn!(%error, %address, "the address cannot be listened on again yet");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

/// A socket that has the port and does not listen.
fn hold(address: SocketAddr) -> io::Result<TcpSocket> {
    let socket = if address.is_ipv4() {
        TcpSocket::new_v4()?
    } else {
        TcpSocket::new_v6()?
    };
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    Ok(socket)
}
