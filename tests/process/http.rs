//! A client of a few lines: HTTP by hand, signatures by HMAC.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hmac::{Hmac, KeyInit, Mac};
use serde_json::Value;
use sha2::Sha256;

/// An answer.
#[derive(Debug)]
pub struct Answer {
    /// Status.
    pub status: u16,
    /// Body as text.
    pub body: String,
}

impl Answer {
    /// The body as JSON, null where it is none.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or(Value::Null)
    }

    /// The body of an answer that must be 200.
    pub fn ok(self) -> Value {
        assert_eq!(self.status, 200, "{}", self.body);
        self.json()
    }
}

/// Sends a request; the error tells why there was no answer.
pub fn send(at: &str, method: &str, path: &str, body: &str, headers: &[(&str, &str)]) -> Result<Answer, String> {
    let text = |error: std::io::Error| error.to_string();
    let mut stream = TcpStream::connect(at).map_err(text)?;
    stream.set_read_timeout(Some(Duration::from_secs(20))).map_err(text)?;
    let more: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let length = body.len();
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: {at}\r\nConnection: close\r\nContent-Type: application/json\r\n{more}Content-Length: {length}\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).map_err(text)?;
    stream.write_all(body.as_bytes()).map_err(text)?;
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).map_err(text)?;
    let all = String::from_utf8_lossy(&bytes);
    let (head, body) = all.split_once("\r\n\r\n").ok_or("the connection broke before the answer")?;
    let status = head.split(' ').nth(1).and_then(|s| s.parse().ok()).ok_or("no status")?;
    Ok(Answer { status, body: body.to_owned() })
}

/// Asks for a path.
pub fn get(at: &str, path: &str) -> Result<Answer, String> {
    send(at, "GET", path, "", &[])
}

/// Asks the exchange for the test's account.
pub fn signed(at: &str, method: &str, path: &str, parameters: &str) -> Result<Answer, String> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_err(|e| e.to_string())?.as_millis();
    let joint = if parameters.is_empty() { "" } else { "&" };
    let query = format!("{parameters}{joint}timestamp={now}&recvWindow=10000");
    let mut mac = Hmac::<Sha256>::new_from_slice(super::SECRET.as_bytes()).map_err(|e| e.to_string())?;
    mac.update(query.as_bytes());
    let signature: String = mac.finalize().into_bytes().iter().map(|b| format!("{b:02x}")).collect();
    send(at, method, &format!("{path}?{query}&signature={signature}"), "", &[("X-MBX-APIKEY", super::KEY)])
}
