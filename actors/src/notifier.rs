//! The notifier actor: notices to the channels, never in the way of trading.

use std::sync::Arc;

use fulmar_domain::id::TimerId;
use fulmar_domain::node::WakeAt;
use fulmar_domain::notify::{NotifyIn, NotifyNode, NotifyOut};
use fulmar_domain::record::Record;
use fulmar_domain::time::{Now, Span};
use fulmar_ports::background::Background;
use fulmar_ports::channel::{Channel, OutgoingNotice};
use fulmar_ports::outlook::{Happening, Outlook};
use tokio::sync::Semaphore;

use crate::facts::Facts;
use crate::shell::Role;

/// Deliveries under way at once, over all channels; more are told to the log only.
pub const DELIVERIES_MAX: usize = 64;

/// What the notifier needs.
pub struct Notifier {
    /// For how long repetitions are gathered.
    pub window: Span,
    /// Where notices go.
    pub channels: Vec<Arc<dyn Channel>>,
    /// Where delivering is done.
    pub background: Arc<dyn Background>,
    /// Bounds deliveries under way.
    pub permits: Arc<Semaphore>,
    /// The journal.
    pub facts: Facts,
    /// The tap.
    pub outlook: Arc<dyn Outlook>,
}

impl Role for Notifier {
    type Node = NotifyNode;

    const NAME: &'static str = "notifier";

    fn rebuild(&mut self, _now: Now) -> NotifyNode {
        NotifyNode::new(self.window)
    }

    fn before(&mut self, input: &mut NotifyIn, now: Now) {
        if let NotifyIn::Notice(notice) = input {
            self.facts.note(Record::Noticed(notice.clone()), now);
            self.outlook.show(Happening::Notice(notice.clone()), now);
        }
    }

    fn route(&mut self, _node: &NotifyNode, out: NotifyOut, _now: Now) -> Option<WakeAt> {
        match out {
            NotifyOut::Wake(wake) => return Some(wake),
            NotifyOut::Deliver { notice, count, first } => {
                let outgoing = Arc::new(OutgoingNotice { notice, time: first, count });
                for channel in &self.channels {
                    let Ok(permit) = Arc::clone(&self.permits).try_acquire_owned() else {
                        tracing::warn!(code = %outgoing.notice.code, channel = channel.name(), "too many deliveries under way: notice not sent there");
                        metrics::counter!("fulmar_notices_dropped_total", "channel" => channel.name().to_owned()).increment(1);
                        continue;
                    };
                    let (channel, outgoing) = (Arc::clone(channel), Arc::clone(&outgoing));
                    self.background.spawn(Box::pin(async move {
                        if let Err(error) = channel.send(&outgoing).await {
                            tracing::warn!(channel = channel.name(), code = %outgoing.notice.code, %error, "notice not delivered");
                            metrics::counter!("fulmar_notices_failed_total", "channel" => channel.name().to_owned()).increment(1);
                        }
                        drop(permit);
                    }));
                }
            }
        }
        None
    }

    fn wake(timer: TimerId) -> Option<NotifyIn> {
        Some(NotifyIn::Wake(timer))
    }
}
