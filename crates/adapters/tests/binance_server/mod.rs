//! A tiny HTTP server for tests: answers what a closure says, keeps what was asked.
#![allow(dead_code, reason = "each test binary uses its part")]

use fulmar_adapters::exchange::binance::{BinanceSettings, BinanceVenue};
use fulmar_domain::symbol::Symbol;
use fulmar_ports::secrets::Secret;
use parking_lot::Mutex;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

/// An answer of the server.
pub enum Say {
    /// Status, extra header lines, body.
    Answer(u16, String, Vec<u8>),
    /// Take the request and close without a word.
    Hang,
}

/// A good answer.
pub fn ok(body: impl Into<Vec<u8>>) -> Say {
    Say::Answer(200, String::new(), body.into())
}
/// Any other answer.
pub fn bad(status: u16, body: &str) -> Say {
    Say::Answer(status, String::new(), body.into())
}

pub type Asked = Arc<Mutex<Vec<String>>>;

/// Starts the server; gives its address and what was asked (`METHOD /path?query`).
pub async fn serve(answer: impl Fn(&str) -> Say + Send + Sync + 'static) -> (String, Asked) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback");
    let address = listener.local_addr().expect("address");
    let asked = Asked::default();
    let (kept, answer) = (Arc::clone(&asked), Arc::new(answer));
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            let (kept, answer) = (Arc::clone(&kept), Arc::clone(&answer));
            tokio::spawn(async move {
                loop {
                    let mut head = Vec::new();
                    while !head.ends_with(b"\r\n\r\n") {
                        match socket.read_u8().await {
                            Ok(byte) => head.push(byte),
                            Err(_) => return,
                        }
                    }
                    let head = String::from_utf8_lossy(&head).into_owned();
                    let line = head.lines().next().unwrap_or_default().trim_end_matches(" HTTP/1.1").to_owned();
                    kept.lock().push(line.clone());
                    match answer(&line) {
                        Say::Hang => return,
                        Say::Answer(status, headers, body) => {
                            let text = format!("HTTP/1.1 {status} x\r\ncontent-length: {}\r\n{headers}\r\n", body.len());
                            if socket.write_all(text.as_bytes()).await.is_err() || socket.write_all(&body).await.is_err() {
                                return;
                            }
                        }
                    }
                }
            });
        }
    });
    (format!("http://{address}"), asked)
}

pub fn btc() -> Symbol {
    Symbol::new("BTCUSDT").expect("name")
}

pub fn settings(rest: &str, ws: &str) -> BinanceSettings {
    let mut s = BinanceSettings::new(rest, ws, Secret::new("key"), Secret::new("secret"), btc());
    s.request_timeout = Duration::from_secs(2);
    s.redial_min = Duration::from_millis(20);
    s.verify_bars = false;
    s
}

pub fn venue(rest: &str) -> BinanceVenue {
    BinanceVenue::new(settings(rest, "ws://127.0.0.1:1"), tokio::runtime::Handle::current()).expect("venue")
}

/// Where the recorded data lie, or a loud note that the test is skipped.
pub fn data(test: &str) -> Option<std::path::PathBuf> {
    let folder = std::env::var("FULMAR_DATA").unwrap_or_else(|_| concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data").to_owned());
    let path = std::path::PathBuf::from(folder);
    if path.join("frames.jsonl").exists() {
        return Some(path);
    }
    println!("SKIPPED: {test} needs FULMAR_DATA");
    None
}

/// Reads a file, unpacked when it ends in `.gz`.
pub fn unpack(path: &std::path::Path) -> Vec<u8> {
    use std::io::Read;
    let raw = std::fs::read(path).expect("file");
    if path.extension().is_none_or(|e| e != "gz") {
        return raw;
    }
    let mut all = Vec::new();
    flate2::read::MultiGzDecoder::new(&raw[..]).read_to_end(&mut all).expect("gzip");
    all
}
