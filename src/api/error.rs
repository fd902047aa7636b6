//! Every error of the API as one JSON shape: `{"error": <stable word>, "message": <one sentence>, …}`.

use crate::view::decimal::to_json;
use actix_web::http::{StatusCode, header};
use actix_web::{HttpResponse, ResponseError};
use fulmar_domain::record::RefusalDetail;
use fulmar_ports::FaultKind;
use fulmar_ports::store::StoreError;
use serde::Serialize;

/// An error answer.
#[derive(Debug, thiserror::Error)]
#[error("{error}: {message}")]
pub struct ApiError {
    status: StatusCode,
    error: &'static str,
    message: String,
    refusal: Option<Vec<RefusalDetail>>,
    decision: Option<u64>,
    allow: Option<&'static str>,
}

#[derive(Serialize)]
struct Body<'a> {
    error: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'a str>,
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    limit: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    failures: Option<&'a [RefusalDetail]>,
}

impl ApiError {
    /// An answer of this status, stable word and sentence.
    #[must_use]
    pub fn new(status: StatusCode, error: &'static str, message: impl Into<String>) -> Self {
        Self { status, error, message: message.into(), refusal: None, decision: None, allow: None }
    }
    /// 400: the request is wrong; the sentence says what would be right.
    #[must_use]
    pub fn bad_request(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad_request", message)
    }
    /// 404.
    #[must_use]
    pub fn not_found(message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", message)
    }
    /// 405 with the methods that the path takes.
    #[must_use]
    pub fn method(allow: &'static str) -> Self {
        let text = format!("this path takes {allow}");
        Self { allow: Some(allow), ..Self::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", text) }
    }
    /// 400: the risk gate refused.
    #[must_use]
    pub fn refused(decision: u64, failures: Vec<RefusalDetail>) -> Self {
        let message = failures.first().map_or_else(|| "the risk gate refused".to_owned(), |f| f.message.clone());
        Self { refusal: Some(failures), decision: Some(decision), ..Self::new(StatusCode::BAD_REQUEST, "risk_limit_exceeded", message) }
    }
    /// 409: it cannot be done as things stand.
    #[must_use]
    pub fn conflict(error: &'static str, message: impl Into<String>, decision: Option<u64>) -> Self {
        Self { decision, ..Self::new(StatusCode::CONFLICT, error, message) }
    }
    /// 503: a part is not there now.
    #[must_use]
    pub fn unavailable(error: &'static str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, error, message)
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        match error.kind() {
            FaultKind::Fatal => Self::unavailable("store_unreadable", error.to_string()),
            _ => Self::unavailable("store_unavailable", error.to_string()),
        }
    }
}

impl From<serde_json::Error> for ApiError {
    fn from(error: serde_json::Error) -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", format!("the answer could not be written: {error}"))
    }
}

impl ResponseError for ApiError {
    fn status_code(&self) -> StatusCode {
        self.status
    }
    fn error_response(&self) -> HttpResponse {
        let first = self.refusal.as_ref().and_then(|f| f.first());
        let body = Body {
            error: self.error,
            code: first.map(|f| f.code.as_str()),
            message: &self.message,
            value: first.map(|f| f.value.as_str()),
            limit: first.map(|f| f.limit.as_str()),
            id: self.decision.map(|id| id.to_string()),
            failures: self.refusal.as_deref(),
        };
        let text = to_json(&body).unwrap_or_else(|_| format!("{{\"error\":\"{}\"}}", self.error));
        let mut answer = HttpResponse::build(self.status);
        answer.insert_header((header::CONTENT_TYPE, "application/json"));
        if let Some(allow) = self.allow {
            answer.insert_header((header::ALLOW, allow));
        }
        if self.status == StatusCode::UNAUTHORIZED {
            answer.insert_header((header::WWW_AUTHENTICATE, "Bearer realm=\"fulmar\""));
        }
        if self.status == StatusCode::SERVICE_UNAVAILABLE {
            answer.insert_header((header::RETRY_AFTER, "1"));
        }
        if self.status == StatusCode::PAYLOAD_TOO_LARGE || self.status == StatusCode::REQUEST_TIMEOUT {
            answer.force_close();
        }
        answer.body(text)
    }
}

/// A JSON answer with decimals as numbers.
///
/// # Errors
/// [`ApiError`] 500 where the value cannot be written.
pub fn json<T: Serialize + ?Sized>(status: StatusCode, value: &T) -> Result<HttpResponse, ApiError> {
    Ok(HttpResponse::build(status).insert_header((header::CONTENT_TYPE, "application/json")).body(to_json(value)?))
}

/// A JSON answer 200.
///
/// # Errors
/// As [`json`].
pub fn ok<T: Serialize + ?Sized>(value: &T) -> Result<HttpResponse, ApiError> {
    json(StatusCode::OK, value)
}
