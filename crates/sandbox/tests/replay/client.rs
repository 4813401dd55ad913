//! A client that keeps answers and news apart.

use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::Value;
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

/// How long the model may take to say what the real server said.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long it may take for news that perhaps never come. It is waited for once a connection.
const STREAM_PATIENCE: Duration = Duration::from_millis(400);
/// How long nothing must come before a connection counts as silent.
const SILENCE: Duration = Duration::from_millis(50);
/// What a close without a code counts as.
const NO_CODE: u64 = 1005;
/// What an end without a close counts as.
const NO_CLOSE: u64 = 1006;

/// What came of waiting for a frame.
enum Frame {
    Came,
    Nothing,
    /// The server closed the connection, with this code.
    Closed(u64),
}

/// A connection to one of the model's servers.
pub struct Client {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    answers: VecDeque<Value>,
    news: VecDeque<Value>,
    closed: Option<u64>,
    /// Whether news that should have come did not: what is still awaited will not come either.
    is_silent: bool,
}

/// Whether a frame is news rather than an answer. News of paths carry the id of their request.
pub fn is_news(message: &Value) -> bool {
    let kind = message["type"].as_str().unwrap_or_default();
    kind != "response" && kind != "error"
}

/// What makes two stream messages the same piece of news.
fn key(news: &Value) -> String {
    let history = news.get("account_history_tx_index").is_some();
    let hash = news["hash"]
        .as_str()
        .or_else(|| news["transaction"]["hash"].as_str());
    format!(
        "{} {} {:?} {history}",
        news["type"], news["validated"], hash
    )
}

impl Client {
    /// Connects; waits for a server that is only just coming up.
    pub async fn connect(address: SocketAddr) -> Self {
        let url = format!("ws://{address}");
        let deadline = tokio::time::Instant::now() + PATIENCE;
        let socket = loop {
            match tokio_tungstenite::connect_async(&url).await {
                Ok((socket, _)) => break socket,
                Err(error) if tokio::time::Instant::now() > deadline => panic!("{error}"),
                Err(_) => tokio::time::sleep(Duration::from_millis(5)).await,
            }
        };
        Self {
            socket,
            answers: VecDeque::new(),
            news: VecDeque::new(),
            closed: None,
            is_silent: false,
        }
    }

    pub async fn send(&mut self, text: String) {
        self.socket.send(Message::text(text)).await.unwrap();
    }

    async fn pump(&mut self, patience: Duration) -> Frame {
        if let Some(code) = self.closed {
            return Frame::Closed(code);
        }
        match tokio::time::timeout(patience, self.socket.next()).await {
            Ok(Some(Ok(Message::Text(text)))) => {
                let message: Value = serde_json::from_str(&text).expect("the model sends JSON");
                if is_news(&message) {
                    self.news.push_back(message);
                } else {
                    self.answers.push_back(message);
                }
                Frame::Came
            }
            Ok(Some(Ok(Message::Close(frame)))) => {
                let code = frame.map_or(NO_CODE, |frame| u16::from(frame.code).into());
                self.closed = Some(code);
                Frame::Closed(code)
            }
            Ok(Some(Ok(_))) => Frame::Came,
            Ok(None | Some(Err(_))) => {
                self.closed = Some(NO_CLOSE);
                Frame::Closed(NO_CLOSE)
            }
            Err(_) => Frame::Nothing,
        }
    }

    /// The answer to the request with this id.
    pub async fn answer(&mut self, id: &Value) -> Option<Value> {
        loop {
            if let Some(found) = self.answers.iter().position(|answer| answer["id"] == *id) {
                return self.answers.remove(found);
            }
            if !matches!(self.pump(PATIENCE).await, Frame::Came) {
                return None;
            }
        }
    }

    /// The first of the news that is the recorded one's counterpart.
    pub async fn news_like(&mut self, recorded: &Value) -> Option<Value> {
        loop {
            if let Some(found) = self.news.iter().position(|news| key(news) == key(recorded)) {
                return self.news.remove(found);
            }
            if self.is_silent {
                return None;
            }
            self.is_silent = !matches!(self.pump(STREAM_PATIENCE).await, Frame::Came);
        }
    }

    /// Waits until so many news have come, or none come any more.
    pub async fn heard(&mut self, count: usize) {
        while self.news.len() < count && matches!(self.pump(STREAM_PATIENCE).await, Frame::Came) {}
    }

    /// What else comes until the connection is silent, and the code with which the server closed it, if
    /// it did.
    pub async fn rest(mut self) -> (VecDeque<Value>, Option<u64>) {
        while matches!(self.pump(SILENCE).await, Frame::Came) {}
        (self.news, self.closed)
    }

    /// The code with which the server closes the connection.
    pub async fn closing(&mut self) -> Option<u64> {
        loop {
            match self.pump(PATIENCE).await {
                Frame::Came => {}
                Frame::Nothing => return None,
                Frame::Closed(code) => return Some(code),
            }
        }
    }
}
