//! Something behind nginx that does as it is told, and remembers byte for byte what it was sent.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// What it does with a request that it has read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    /// 200.
    Answers,
    /// Closes the connection.
    HangsUp,
    /// Nothing, and the connection stays.
    IsMute,
}

#[derive(Debug)]
struct Memory {
    manner: Manner,
    requests: Mutex<Vec<String>>,
    connections: AtomicUsize,
}

/// A replica that is none.
#[derive(Debug)]
pub struct Replica {
    /// Where it listens.
    pub address: String,
    memory: Arc<Memory>,
    task: JoinHandle<()>,
}

impl Replica {
    /// One with these manners.
    pub async fn start(manner: Manner) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let memory = Arc::new(Memory {
            manner,
            requests: Mutex::default(),
            connections: AtomicUsize::new(0),
        });
        let shared = Arc::clone(&memory);
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                shared.connections.fetch_add(1, Ordering::SeqCst);
                let shared = Arc::clone(&shared);
                tokio::spawn(async move { serve(stream, &shared).await });
            }
        });
        Self {
            address,
            memory,
            task,
        }
    }

    /// Every request so far, head and body.
    pub fn requests(&self) -> Vec<String> {
        self.memory.requests.lock().unwrap().clone()
    }

    /// How many requests contain this.
    pub fn heard(&self, text: &str) -> usize {
        let requests = self.requests();
        requests.iter().filter(|said| said.contains(text)).count()
    }

    /// How many connections were made to it.
    pub fn connections(&self) -> usize {
        self.memory.connections.load(Ordering::SeqCst)
    }
}

impl Drop for Replica {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Reads requests from a connection until it ends, or the manners end it.
async fn serve(stream: TcpStream, memory: &Memory) {
    let mut stream = BufReader::new(stream);
    loop {
        let (mut request, mut length) = (String::new(), 0);
        loop {
            let before = request.len();
            match stream.read_line(&mut request).await {
                Ok(0) | Err(_) => return,
                Ok(_) => {}
            }
            let line = request[before..].trim().to_lowercase();
            if let Some(value) = line.strip_prefix("content-length:") {
                length = value.trim().parse().unwrap();
            }
            if line.is_empty() {
                break;
            }
        }
        let mut body = vec![0; length];
        if stream.read_exact(&mut body).await.is_err() {
            return;
        }
        request.push_str(&String::from_utf8_lossy(&body));
        memory.requests.lock().unwrap().push(request);
        match memory.manner {
            Manner::Answers => {
                let answer =
                    "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 2\r\n\r\nok";
                if stream.write_all(answer.as_bytes()).await.is_err() {
                    return;
                }
            }
            Manner::HangsUp => return,
            Manner::IsMute => std::future::pending().await,
        }
    }
}
