//! Requests in the making, and what came back.

use super::SHOP;
use axum::body::Body;
use axum::http::{HeaderMap, Method, Request, StatusCode};
use serde_json::{Value, json};
use std::net::SocketAddr;
use xrpayd::http::auth::Peer;

/// An ordinary payment.
pub fn order(value: &str) -> Value {
    json!({ "destination": SHOP, "amount": { "currency": "XRP", "value": value } })
}

pub fn post_payment(token: &str, idempotency_key: &str, body: &Value) -> Call {
    Call::new(Method::POST, "/v1/payments")
        .token(token)
        .header("idempotency-key", idempotency_key)
        .json(body)
}

pub fn get(path: &str, token: &str) -> Call {
    Call::new(Method::GET, path).token(token)
}

pub fn post(path: &str, token: &str) -> Call {
    Call::new(Method::POST, path).token(token)
}

/// A request in the making.
pub struct Call {
    request: axum::http::request::Builder,
    pub(super) body: Vec<u8>,
    peer: SocketAddr,
}

impl Call {
    pub fn new(method: Method, path: &str) -> Self {
        Self {
            request: Request::builder().method(method).uri(path),
            body: Vec::new(),
            peer: "127.0.0.1:40000".parse().unwrap(),
        }
    }

    pub fn token(self, token: &str) -> Self {
        self.header("authorization", &format!("Bearer {token}"))
    }

    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.request = self.request.header(name, value.as_bytes());
        self
    }

    pub fn json(self, body: &Value) -> Self {
        self.header("content-type", "application/json")
            .bytes(body.to_string().as_bytes())
    }

    pub fn bytes(mut self, body: &[u8]) -> Self {
        self.body = body.to_vec();
        self
    }

    pub fn from(mut self, peer: &str) -> Self {
        self.peer = peer.parse().unwrap();
        self
    }

    pub fn build(self) -> Request<Body> {
        let mut request = self.request.body(Body::from(self.body)).unwrap();
        request.extensions_mut().insert(Peer(self.peer));
        request
    }
}

/// What came back.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Value,
    pub text: String,
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    /// Expects a well-formed problem with this code, and returns the pointers it names.
    pub fn refused(&self, status: u16, code: &str) -> Vec<String> {
        assert_eq!(
            (self.status.as_u16(), self.body["code"].as_str()),
            (status, Some(code)),
            "{}",
            self.body
        );
        assert_eq!(
            self.header("content-type"),
            Some("application/problem+json")
        );
        assert_eq!(self.body["status"], status);
        assert_eq!(self.body["type"], format!("urn:xrpayd:problem:{code}"));
        assert_eq!(
            self.body["request_id"].as_str(),
            self.header("x-request-id")
        );
        assert!(self.body["title"].is_string() && self.body["detail"].is_string());
        assert!(self.body["retryable"].is_boolean() && self.body["effect"] == "none");
        let errors = self.body["errors"].as_array().unwrap();
        errors
            .iter()
            .map(|error| error["pointer"].as_str().unwrap().to_owned())
            .collect()
    }
}
