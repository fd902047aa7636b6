//! The webhook against a real socket: what is posted, and what each answer means.
#![allow(clippy::unwrap_used, reason = "a test may fail by panic")]

use std::time::{Duration, Instant};

use fulmar_adapters::channel::webhook::{WebhookChannel, WebhookSettings};
use fulmar_domain::{
    control::{Notice, Severity},
    time::Timestamp,
};
use fulmar_ports::{
    FaultKind,
    channel::{Channel, ChannelError, OutgoingNotice},
    secrets::Secret,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

fn notice() -> OutgoingNotice {
    OutgoingNotice {
        notice: Notice::new(Severity::Critical, "BREAKER_TRIPPED", "drawdown 16 % above 15 %"),
        time: Timestamp(1_700_000_000_000),
        count: 3,
    }
}

/// Answers each connection with one of the texts (an empty one keeps silent); gives the URL and what was received.
async fn server(answers: Vec<String>) -> (String, tokio::task::JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://127.0.0.1:{}/hook?token=canary", listener.local_addr().unwrap().port());
    let task = tokio::spawn(async move {
        let mut requests = Vec::new();
        for answer in answers {
            let (mut socket, _) = listener.accept().await.unwrap();
            let mut bytes = Vec::new();
            let mut block = [0; 4_096];
            loop {
                let n = socket.read(&mut block).await.unwrap();
                bytes.extend_from_slice(&block[..n]);
                if n == 0 || bytes.ends_with(b"}") {
                    break;
                }
            }
            requests.push(String::from_utf8(bytes).unwrap());
            if answer.is_empty() {
                tokio::time::sleep(Duration::from_secs(30)).await;
            }
            socket.write_all(answer.as_bytes()).await.unwrap();
        }
        requests
    });
    (url, task)
}

fn answer(status: &str, headers: &str) -> String {
    format!("HTTP/1.1 {status}\r\n{headers}content-length: 0\r\nconnection: close\r\n\r\n")
}

fn channel(url: &str, timeout_ms: u64) -> WebhookChannel {
    WebhookChannel::new(WebhookSettings {
        name: "hook".into(),
        url: url.into(),
        allowed_hosts: vec!["127.0.0.1".into()],
        allow_private: true,
        timeout_ms,
        bearer: Some(Secret::new("sesame")),
    })
    .unwrap()
}

#[tokio::test]
async fn a_notice_is_posted_as_json_with_its_token() {
    let (url, task) = server(vec![answer("204 No Content", "")]).await;
    channel(&url, 5_000).send(&notice()).await.unwrap();
    let requests = task.await.unwrap();
    let (head, body) = requests[0].split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("POST /hook?token=canary HTTP/1.1"));
    assert!(head.to_lowercase().contains("authorization: bearer sesame"));
    let json: serde_json::Value = serde_json::from_str(body).unwrap();
    assert_eq!(json["code"], "BREAKER_TRIPPED");
    assert_eq!(json["severity"], "critical");
    assert_eq!(json["count"], 3);
    assert_eq!(json["time"], 1_700_000_000_000_i64);
}

#[tokio::test]
async fn answers_are_told_apart_and_redirects_are_not_followed() {
    let (url, task) = server(vec![
        answer("302 Found", "location: http://127.0.0.1:1/elsewhere\r\n"),
        answer("400 Bad Request", ""),
        answer("500 Internal Server Error", ""),
        answer("429 Too Many Requests", "retry-after: 7\r\n"),
        answer("429 Too Many Requests", ""),
    ])
    .await;
    let channel = channel(&url, 5_000);
    let mut kinds = Vec::new();
    let mut waits = Vec::new();
    for _ in 0..5 {
        let error = channel.send(&notice()).await.unwrap_err();
        assert!(!error.to_string().contains("canary"));
        kinds.push(error.kind());
        if let ChannelError::Throttled { retry_after_ms, .. } = error {
            waits.push(retry_after_ms);
        }
    }
    use FaultKind::{Fatal, Retryable, Throttled};
    assert_eq!(kinds, [Fatal, Fatal, Retryable, Throttled, Throttled]);
    assert_eq!(waits, [7_000, 30_000]);
    assert_eq!(task.await.unwrap().len(), 5);
}

#[tokio::test]
async fn a_mute_server_costs_the_timeout_and_a_dead_one_nothing() {
    let (url, task) = server(vec![String::new()]).await;
    let start = Instant::now();
    let error = channel(&url, 200).send(&notice()).await.unwrap_err();
    assert!(start.elapsed() < Duration::from_secs(3));
    assert_eq!(error.kind(), FaultKind::Retryable);
    assert!(!error.to_string().contains("canary"), "{error}");
    task.abort();
    let error = channel("http://127.0.0.1:1/?token=canary", 200).send(&notice()).await.unwrap_err();
    assert_eq!(error.kind(), FaultKind::Retryable);
    assert!(!error.to_string().contains("canary") && !format!("{error:?}").contains("canary"), "{error}");
}
