//! A client of a few lines: HTTP by hand, WebSocket by tungstenite, signatures by the exchange's own function, which the
//! documentation's example pins.

use crate::market::{KEY, Market, SECRET};
use fulmar_simex::server::sign;
use futures_util::{SinkExt, StreamExt};
use serde_json::Value;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

/// Something with an address.
pub trait Served {
    fn address(&self) -> SocketAddr;
}
impl Served for &Market {
    fn address(&self) -> SocketAddr {
        self.handle.address()
    }
}
impl Served for SocketAddr {
    fn address(&self) -> SocketAddr {
        *self
    }
}

/// An answer.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: String,
    pub json: Value,
}
impl Answer {
    pub fn code(&self) -> i64 {
        self.json["code"].as_i64().unwrap_or(0)
    }
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.lines().find_map(|l| l.split_once(": ").filter(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v.trim()))
    }
}

pub fn wall() -> i64 {
    i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap()
}

/// Sends a request as it stands; `None` when the connection broke without an answer.
pub fn raw(at: impl Served, method: &str, path: &str, body: &str, key: Option<&str>) -> Option<Answer> {
    let mut stream = TcpStream::connect(at.address()).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    let key = key.map_or(String::new(), |k| format!("X-MBX-APIKEY: {k}\r\n"));
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{key}Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).unwrap();
    let mut bytes = Vec::new();
    if stream.read_to_end(&mut bytes).is_err() || bytes.is_empty() {
        return None;
    }
    let text = String::from_utf8(bytes).unwrap();
    let (headers, body) = text.split_once("\r\n\r\n").unwrap();
    let status = headers.split(' ').nth(1).unwrap().parse().unwrap();
    Some(Answer { status, headers: headers.to_owned(), json: serde_json::from_str(body).unwrap_or(Value::String(body.to_owned())) })
}
pub fn get(market: &Market, path: &str) -> Answer {
    raw(market, "GET", path, "", None).unwrap()
}
/// The query with timestamp and signature.
pub fn signed_query(params: &str) -> String {
    let joint = if params.is_empty() { "" } else { "&" };
    let text = format!("{params}{joint}timestamp={}&recvWindow=5000", wall());
    let signature = sign(SECRET, &[text.as_bytes()]).unwrap();
    format!("{text}&signature={signature}")
}
/// Sends a signed request of the first account, its parameters in the query.
pub fn signed(market: &Market, method: &str, path: &str, params: &str) -> Answer {
    raw(market, method, &format!("{path}?{}", signed_query(params)), "", Some(KEY)).unwrap()
}
/// A signed request that must succeed.
pub fn ok(market: &Market, method: &str, path: &str, params: &str) -> Value {
    let answer = signed(market, method, path, params);
    assert_eq!(answer.status, 200, "{method} {path}?{params}: {}", answer.json);
    answer.json
}
/// Adds a fault.
pub fn fault(market: &Market, json: &str) -> Value {
    let answer = raw(market, "POST", "/sim/faults", json, None).unwrap();
    assert_eq!(answer.status, 200, "{json}: {}", answer.json);
    answer.json
}

/// A WebSocket.
pub struct Socket(pub WebSocketStream<MaybeTlsStream<tokio::net::TcpStream>>);
impl Socket {
    pub async fn open(at: impl Served, path: &str) -> Self {
        let (stream, _) = connect_async(format!("ws://{}{path}", at.address())).await.unwrap();
        Self(stream)
    }
    pub async fn say(&mut self, text: &str) {
        self.0.send(Message::text(text.to_owned())).await.unwrap();
    }
    /// Next text frame; `None` at the end or after a second of silence.
    pub async fn next(&mut self) -> Option<Value> {
        loop {
            match tokio::time::timeout(Duration::from_secs(1), self.0.next()).await {
                Ok(Some(Ok(Message::Text(text)))) => return Some(serde_json::from_str(&text).unwrap()),
                Ok(Some(Ok(Message::Close(_)) | Err(_)) | None) | Err(_) => return None,
                Ok(Some(Ok(_))) => {}
            }
        }
    }
    /// Text frames until one satisfies `wanted`, which comes last.
    pub async fn until(&mut self, wanted: impl Fn(&Value) -> bool) -> Vec<Value> {
        let mut frames = Vec::new();
        while let Some(frame) = self.next().await {
            let found = wanted(&frame);
            frames.push(frame);
            if found {
                return frames;
            }
        }
        panic!("it never came; before the silence: {frames:#?}");
    }
    /// Sends a message and gives its answer, passing over frames before it.
    pub async fn ask(&mut self, text: &str) -> Value {
        self.say(text).await;
        self.until(|f| f.get("id").is_some() && f.get("e").is_none()).await.pop().unwrap()
    }
    /// Does the connection end within two seconds?
    pub async fn ends(&mut self) -> bool {
        for _ in 0..200 {
            match tokio::time::timeout(Duration::from_secs(2), self.0.next()).await {
                Ok(None | Some(Err(_) | Ok(Message::Close(_)))) => return true,
                Ok(Some(Ok(_))) => {}
                Err(_) => return false,
            }
        }
        false
    }
}
