//! The channel that is always there: one structured log line per notice.

use fulmar_domain::control::Severity;
use fulmar_ports::{
    BoxFuture,
    channel::{Channel, ChannelError, OutgoingNotice},
};

/// Writes notices to the log; never fails.
#[derive(Debug, Default, Clone, Copy)]
pub struct LogChannel;

impl Channel for LogChannel {
    fn name(&self) -> &str {
        "log"
    }

    fn send<'a>(&'a self, outgoing: &'a OutgoingNotice) -> BoxFuture<'a, Result<(), ChannelError>> {
        let OutgoingNotice { notice, time, count } = outgoing;
        let symbol = notice.symbol.as_ref().map_or("", |s| s.as_str());
        let (code, text) = (notice.code.as_str(), notice.text.as_str());
        match notice.severity {
            Severity::Info => tracing::info!(target: "fulmar::notice", code, symbol, count, %time, "{text}"),
            Severity::Warning => tracing::warn!(target: "fulmar::notice", code, symbol, count, %time, "{text}"),
            Severity::Critical => tracing::error!(target: "fulmar::notice", code, symbol, count, %time, "{text}"),
        }
        Box::pin(std::future::ready(Ok(())))
    }
}

#[cfg(test)]
mod tests {
    use fulmar_domain::{control::Notice, time::Timestamp};

    use super::*;

    #[tokio::test]
    async fn the_log_takes_every_severity() {
        for severity in [Severity::Info, Severity::Warning, Severity::Critical] {
            let outgoing = OutgoingNotice { notice: Notice::new(severity, "X", "text"), time: Timestamp(0), count: 1 };
            assert_eq!(LogChannel.send(&outgoing).await, Ok(()));
        }
        assert_eq!(LogChannel.name(), "log");
    }
}
