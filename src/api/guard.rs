//! Who may call: loopback only unless a token is set; then whoever knows it.
//!
//! Also against web pages that reach for a local port: a `Host` that is not ours (DNS rebinding) and an `Origin` of another site
//! are refused. Invariant: with a token, nothing under `/api` nor `/metrics` answers without it.

use super::ApiState;
use super::error::ApiError;
use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::{StatusCode, Uri, header};
use actix_web::middleware::Next;
use actix_web::{ResponseError as _, web};
use sha2::{Digest, Sha256};
use std::net::{IpAddr, SocketAddr};

/// Shortest token that is worth the name.
pub const TOKEN_BYTES_MIN: usize = 16;

/// Why the API does not start to listen.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ListenRefused {
    /// Open to the network without a token.
    #[error(
        "api.listen = {0} can be reached from other machines and no token is set: listen on 127.0.0.1, or set FULMAR_API_TOKEN (at least {TOKEN_BYTES_MIN} bytes)"
    )]
    NoToken(SocketAddr),
    /// The token can be guessed.
    #[error("FULMAR_API_TOKEN has {0} bytes: at least {TOKEN_BYTES_MIN} are needed; `openssl rand -hex 32` makes a good one")]
    ShortToken(usize),
    /// The token cannot travel in a header.
    #[error("FULMAR_API_TOKEN holds a blank or a character that is not plain ASCII: use letters and digits")]
    OddToken,
}

/// Checks that the API may listen there.
///
/// # Errors
/// [`ListenRefused`].
pub fn check_listen(addr: SocketAddr, token: Option<&str>) -> Result<(), ListenRefused> {
    match token {
        None if addr.ip().is_loopback() => Ok(()),
        None => Err(ListenRefused::NoToken(addr)),
        Some(token) if token.len() < TOKEN_BYTES_MIN => Err(ListenRefused::ShortToken(token.len())),
        Some(token) if !token.bytes().all(|b| b.is_ascii_graphic()) => Err(ListenRefused::OddToken),
        Some(_) => Ok(()),
    }
}

/// Compares without telling by its time where the difference is: both are hashed, the digests are folded.
#[must_use]
pub fn same_secret(given: &str, known: &str) -> bool {
    let (a, b) = (Sha256::digest(given), Sha256::digest(known));
    a.iter().zip(b.iter()).fold(0_u8, |sum, (x, y)| sum | (x ^ y)) == 0
}

fn host_of(text: &str) -> &str {
    let end = match text.strip_prefix('[') {
        Some(rest) => rest.find(']').map_or(text.len(), |at| at + 2),
        None => text.rfind(':').unwrap_or(text.len()),
    };
    text.get(..end).unwrap_or(text)
}

fn is_loopback_name(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost") || bare.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

fn header_text<'a>(request: &'a ServiceRequest, name: &header::HeaderName) -> Option<&'a str> {
    request.headers().get(name).map(|v| v.to_str().unwrap_or("?"))
}

/// The token of a call: of the header, or of the query where a browser can set no header.
fn given_token(request: &ServiceRequest) -> Option<String> {
    if let Some(text) = header_text(request, &header::AUTHORIZATION) {
        let (scheme, token) = text.split_once(' ')?;
        return scheme.eq_ignore_ascii_case("bearer").then(|| token.trim().to_owned());
    }
    if request.path() != super::ws::PATH {
        return None;
    }
    request.query_string().split('&').find_map(|pair| pair.strip_prefix("token=")).map(str::to_owned)
}

fn check(request: &ServiceRequest, state: &ApiState) -> Result<(), ApiError> {
    let refuse = |error, message: String| Err(ApiError::new(StatusCode::FORBIDDEN, error, message));
    if request.headers().contains_key(header::CONTENT_LENGTH) && request.headers().contains_key(header::TRANSFER_ENCODING) {
        return Err(ApiError::bad_request("Content-Length and Transfer-Encoding together are refused"));
    }
    let host = header_text(request, &header::HOST).unwrap_or_default().to_owned();
    if let Some(origin) = header_text(request, &header::ORIGIN) {
        let authority = origin.parse::<Uri>().ok().and_then(|u| u.authority().map(ToString::to_string));
        if authority.as_deref().is_none_or(|a| !a.eq_ignore_ascii_case(&host)) {
            return refuse("origin_refused", format!("pages of {origin:?} may not call this API: only its own page may"));
        }
    }
    let Some(token) = &state.token else {
        let Some(peer) = request.peer_addr() else {
            return refuse("not_loopback", "the caller's address is not known and no token is set".to_owned());
        };
        if !peer.ip().to_canonical().is_loopback() {
            return refuse(
                "not_loopback",
                format!("{} is not this machine and FULMAR_API_TOKEN is not set: only loopback may call", peer.ip()),
            );
        }
        if !is_loopback_name(host_of(&host)) {
            return refuse(
                "host_refused",
                format!("Host {host:?} does not name this machine: call 127.0.0.1 or localhost, or set FULMAR_API_TOKEN"),
            );
        }
        return Ok(());
    };
    // The page and its files hold no data and are the same for everybody; the page asks for the token.
    if request.path() == "/" || request.path().starts_with("/assets/") {
        return Ok(());
    }
    if given_token(request).is_some_and(|given| same_secret(&given, token)) {
        return Ok(());
    }
    let text = "this API needs its token: Authorization: Bearer <FULMAR_API_TOKEN>";
    Err(ApiError::new(StatusCode::UNAUTHORIZED, "unauthorized", text))
}

/// The middleware.
///
/// # Errors
/// As the service behind it; its own refusals are answers.
pub async fn guard(request: ServiceRequest, next: Next<impl MessageBody + 'static>) -> Result<ServiceResponse<BoxBody>, actix_web::Error> {
    let verdict = match request.app_data::<web::Data<ApiState>>() {
        Some(state) => check(&request, state),
        None => Err(ApiError::unavailable("internal", "the API has no state")),
    };
    match verdict {
        Ok(()) => {
            let api = request.path().starts_with("/api");
            let mut answer = next.call(request).await?.map_into_boxed_body();
            let headers = answer.headers_mut();
            headers.insert(header::X_CONTENT_TYPE_OPTIONS, header::HeaderValue::from_static("nosniff"));
            if api {
                headers.insert(header::CACHE_CONTROL, header::HeaderValue::from_static("no-store"));
            }
            Ok(answer)
        }
        Err(error) => {
            let answer = error.error_response();
            Ok(request.into_response(answer))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback_is_served_without_a_token() {
        let at = |text: &str| text.parse::<SocketAddr>().expect("address");
        assert_eq!(check_listen(at("127.0.0.1:8080"), None), Ok(()));
        assert_eq!(check_listen(at("[::1]:8080"), None), Ok(()));
        assert!(matches!(check_listen(at("0.0.0.0:8080"), None), Err(ListenRefused::NoToken(_))));
        assert!(matches!(check_listen(at("[::]:8080"), None), Err(ListenRefused::NoToken(_))));
        assert_eq!(check_listen(at("0.0.0.0:8080"), Some("0123456789abcdef")), Ok(()));
        assert_eq!(check_listen(at("0.0.0.0:8080"), Some("short")), Err(ListenRefused::ShortToken(5)));
        assert_eq!(check_listen(at("0.0.0.0:8080"), Some("0123456789 abcdef")), Err(ListenRefused::OddToken));
    }

    #[test]
    fn hosts_are_read_with_and_without_port() {
        for (text, host, own) in [
            ("localhost:8080", "localhost", true),
            ("127.0.0.1", "127.0.0.1", true),
            ("[::1]:80", "[::1]", true),
            ("evil.example:80", "evil.example", false),
        ] {
            assert_eq!(host_of(text), host);
            assert_eq!(is_loopback_name(host), own, "{host}");
        }
        assert!(!is_loopback_name("localhost.evil.example"));
    }

    #[test]
    fn secrets_are_equal_only_when_every_byte_is() {
        assert!(same_secret("0123456789abcdef", "0123456789abcdef"));
        for other in ["", "0123456789abcdeF", "0123456789abcde", "0123456789abcdef0"] {
            assert!(!same_secret(other, "0123456789abcdef"));
        }
    }
}
