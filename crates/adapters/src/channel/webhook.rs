//! The channel that posts each notice as JSON to a URL of the user's choice.
//!
//! The URL is a setting, so it must not become a door into the local network: the host must be on an allow-list, addresses
//! of private ranges are refused wherever the name leads, redirects are not followed, proxies of the environment are not
//! used, and plain `http` needs the same permission as private addresses.
//!
//! Invariant: one call makes at most one request and ends within the timeout.

use std::{
    error::Error,
    io,
    net::{IpAddr, Ipv6Addr, SocketAddr},
    time::Duration,
};

use fulmar_ports::{
    BoxFuture,
    channel::{Channel, ChannelError, OutgoingNotice},
    secrets::Secret,
};
use reqwest::{
    Client, StatusCode, Url,
    dns::{Addrs, Name, Resolve, Resolving},
    header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue, RETRY_AFTER},
    redirect,
};

/// Settings of one webhook.
#[derive(Debug, Clone)]
pub struct WebhookSettings {
    /// The channel's name.
    pub name: String,
    /// Where to post.
    pub url: String,
    /// Hosts that may be called; the URL's host must be one of them.
    pub allowed_hosts: Vec<String>,
    /// Allow `http` and private, loopback and link-local addresses.
    pub allow_private: bool,
    /// A request's time limit in milliseconds, connection included.
    pub timeout_ms: u64,
    /// Sent as `Authorization: Bearer …`.
    pub bearer: Option<Secret>,
}

/// Waited when the other side throttles without saying how long.
const DEFAULT_RETRY_AFTER_MS: u64 = 30_000;
/// The longest wait that is believed.
const MAX_RETRY_AFTER_MS: u64 = 3_600_000;

/// Posts notices to one URL.
#[derive(Debug)]
pub struct WebhookChannel {
    name: String,
    url: Url,
    authorization: Option<HeaderValue>,
    client: Client,
}

impl WebhookChannel {
    /// Checks the settings and prepares a client; no request is made.
    ///
    /// # Errors
    /// [`ChannelError::Config`] says which setting is refused and why.
    pub fn new(settings: WebhookSettings) -> Result<Self, ChannelError> {
        let config = |reason: String| ChannelError::Config { channel: settings.name.clone(), reason };
        // The texts name the host at most: path and query of a webhook often are its password.
        let url = Url::parse(&settings.url).map_err(|e| config(format!("url: {e}")))?;
        check_url(&url, &settings).map_err(config)?;
        let authorization = match &settings.bearer {
            None => None,
            Some(bearer) => {
                let mut value = HeaderValue::from_str(&format!("Bearer {}", bearer.expose()))
                    .map_err(|_| config("bearer: it holds characters that a header cannot".into()))?;
                value.set_sensitive(true);
                Some(value)
            }
        };
        if rustls::crypto::CryptoProvider::get_default().is_none() && rustls::crypto::ring::default_provider().install_default().is_err() {
            tracing::debug!("webhook: another part of the program installed the TLS provider first");
        }
        let builder = Client::builder()
            .redirect(redirect::Policy::none())
            .no_proxy()
            .timeout(Duration::from_millis(settings.timeout_ms))
            .user_agent(concat!("fulmar/", env!("CARGO_PKG_VERSION")));
        let builder = if settings.allow_private { builder } else { builder.dns_resolver(PublicOnly) };
        let client = builder.build().map_err(|e| config(format!("client: {e}")))?;
        Ok(Self { name: settings.name, url, authorization, client })
    }

    async fn post(&self, outgoing: &OutgoingNotice) -> Result<(), ChannelError> {
        let unavailable = |reason: String| ChannelError::Unavailable { channel: self.name.clone(), reason };
        let body = serde_json::to_vec(outgoing)
            .map_err(|e| ChannelError::Refused { channel: self.name.clone(), reason: format!("not JSON: {e}") })?;
        let mut request = self.client.post(self.url.clone()).header(CONTENT_TYPE, "application/json").body(body);
        if let Some(authorization) = &self.authorization {
            request = request.header(AUTHORIZATION, authorization.clone());
        }
        let answer = request.send().await.map_err(|e| unavailable(describe(e)))?;
        let status = answer.status();
        if status.is_success() {
            return Ok(());
        }
        if status == StatusCode::TOO_MANY_REQUESTS {
            let seconds = answer.headers().get(RETRY_AFTER).and_then(|v| v.to_str().ok()).and_then(|v| v.parse::<u64>().ok());
            let retry_after_ms = seconds.map_or(DEFAULT_RETRY_AFTER_MS, |s| s.saturating_mul(1_000)).min(MAX_RETRY_AFTER_MS);
            return Err(ChannelError::Throttled { channel: self.name.clone(), retry_after_ms });
        }
        let reason = format!("HTTP {status}");
        if status.is_server_error() || status == StatusCode::REQUEST_TIMEOUT {
            return Err(unavailable(reason));
        }
        Err(ChannelError::Refused { channel: self.name.clone(), reason })
    }
}

impl Channel for WebhookChannel {
    fn name(&self) -> &str {
        &self.name
    }

    fn send<'a>(&'a self, notice: &'a OutgoingNotice) -> BoxFuture<'a, Result<(), ChannelError>> {
        Box::pin(self.post(notice))
    }
}

fn check_url(url: &Url, settings: &WebhookSettings) -> Result<(), String> {
    let host = url.host_str().unwrap_or_default();
    match url.scheme() {
        "https" => {}
        "http" if settings.allow_private => {}
        other => return Err(format!("url: scheme `{other}` is not allowed, use https")),
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("url: name and password do not belong there, use `bearer`".into());
    }
    if !settings.allowed_hosts.iter().any(|allowed| allowed.eq_ignore_ascii_case(host)) {
        return Err(format!("url: host `{host}` is not among allowed_hosts"));
    }
    let literal = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    if !settings.allow_private && literal.is_ok_and(|ip| !is_public(ip)) {
        return Err(format!("url: `{host}` is a private address (allow_private permits it)"));
    }
    if settings.timeout_ms == 0 {
        return Err("timeout_ms: it must be above 0".into());
    }
    Ok(())
}

/// A request's error without its URL, causes included.
fn describe(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text.push_str(": ");
        text.push_str(&inner.to_string());
        cause = inner.source();
    }
    text
}

/// Resolves names, leaving out every address that is not public.
struct PublicOnly;

impl Resolve for PublicOnly {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let found: Vec<SocketAddr> =
                tokio::net::lookup_host((name.as_str(), 0)).await?.filter(|address| is_public(address.ip())).collect();
            if found.is_empty() {
                return Err(io::Error::other("the host has no public address").into());
            }
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}

/// True for addresses that are not reserved, private, local or for documentation (RFC 6890).
fn is_public(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => {
            let [a, b, c, _] = ip.octets();
            !(ip.is_private()
                || ip.is_loopback()
                || ip.is_link_local()
                || ip.is_unspecified()
                || ip.is_documentation()
                || a == 0
                || a >= 224
                || (a == 100 && (64..128).contains(&b))
                || (a == 192 && b == 0 && c == 0)
                || (a == 198 && (b == 18 || b == 19)))
        }
        IpAddr::V6(ip) => match embedded_v4(ip) {
            Some(inner) => is_public(inner),
            None => ip.segments()[0] & 0xe000 == 0x2000 && ip.segments()[..2] != [0x2001, 0x0db8],
        },
    }
}

/// The IPv4 address inside a mapped, NAT64 or 6to4 address.
fn embedded_v4(ip: Ipv6Addr) -> Option<IpAddr> {
    let s = ip.segments();
    let join = |hi: u16, lo: u16| IpAddr::from([(hi >> 8) as u8, hi as u8, (lo >> 8) as u8, lo as u8]);
    match s {
        [0, 0, 0, 0, 0, 0xffff, hi, lo] | [0x64, 0xff9b, 0, 0, 0, 0, hi, lo] | [0x2002, hi, lo, ..] => Some(join(hi, lo)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(url: &str) -> WebhookSettings {
        WebhookSettings {
            name: "hook".into(),
            url: url.into(),
            allowed_hosts: vec!["hooks.example.com".into(), "10.0.0.1".into(), "[::1]".into(), "8.8.8.8".into()],
            allow_private: false,
            timeout_ms: 1_000,
            bearer: None,
        }
    }

    #[test]
    fn only_allowed_public_https_hosts_are_taken() {
        assert!(WebhookChannel::new(settings("https://HOOKS.example.com/path")).is_ok());
        assert!(WebhookChannel::new(settings("https://8.8.8.8/")).is_ok());
        for bad in [
            "http://hooks.example.com/",
            "https://evil.example.com/",
            "https://hooks.example.com.evil.net/",
            "https://10.0.0.1/",
            "https://[::1]/",
            "https://u:p@hooks.example.com/",
            "ftp://hooks.example.com/",
            "file:///etc/passwd",
            "no url",
        ] {
            assert!(matches!(WebhookChannel::new(settings(bad)), Err(ChannelError::Config { .. })), "{bad}");
        }
    }

    #[test]
    fn private_and_reserved_addresses_are_told_from_public_ones() {
        for private in [
            "127.0.0.1",
            "10.1.2.3",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "0.0.0.0",
            "100.64.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "198.18.0.1",
            "::1",
            "::",
            "fe80::1",
            "fc00::1",
            "::ffff:127.0.0.1",
            "64:ff9b::a00:1",
            "2002:7f00:1::",
            "2001:db8::1",
            "ff02::1",
        ] {
            assert!(!is_public(private.parse().unwrap()), "{private}");
        }
        for public in ["8.8.8.8", "1.1.1.1", "100.128.0.1", "2606:4700::1111", "::ffff:8.8.8.8"] {
            assert!(is_public(public.parse().unwrap()), "{public}");
        }
    }

    #[tokio::test]
    async fn a_name_that_leads_to_a_private_address_is_not_called() {
        let mut settings = settings("https://localhost/");
        settings.allowed_hosts = vec!["localhost".into()];
        let channel = WebhookChannel::new(settings).unwrap();
        let outgoing = OutgoingNotice {
            notice: fulmar_domain::control::Notice::new(fulmar_domain::control::Severity::Info, "X", "text"),
            time: fulmar_domain::time::Timestamp(0),
            count: 1,
        };
        let error = channel.send(&outgoing).await.unwrap_err();
        assert!(matches!(&error, ChannelError::Unavailable { reason, .. } if reason.contains("no public address")), "{error}");
    }
}
