//! What the exchange answers when it refuses: code, HTTP status and text, as Binance writes them.

/// An error answer. The texts are Binance's own ("Error Codes" of the USDⓈ-M documentation, and recorded answers).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{code} {msg}")]
pub struct ApiError {
    /// Binance's code, such as −2019.
    pub code: i32,
    /// HTTP status, 400 for all refusals of the matching engine and the account.
    pub http: u16,
    /// Text.
    pub msg: String,
}

impl ApiError {
    /// A refusal with status 400.
    #[must_use]
    pub fn new(code: i32, msg: impl Into<String>) -> Self {
        Self { code, http: 400, msg: msg.into() }
    }
}
