//! Exact counts of what went through the engine: the end of a replay prints them, `/metrics` exports them.
//!
//! Counted on the spot, not when the view gets round to it. Invariant: nothing is dropped here, whatever is dropped from display.

use fulmar_domain::market::MarketEvent;
use fulmar_domain::order::OrderRole;
use fulmar_domain::record::Record;
use fulmar_domain::symbol::Symbol;
use fulmar_ports::outlook::Happening;
use parking_lot::Mutex;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt;

/// Counts since the process started.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// Closed bars per symbol.
    pub bars: BTreeMap<Symbol, u64>,
    /// Indicator frames of live bars (not history).
    pub frames: u64,
    /// Intents raised, as shown.
    pub intents: u64,
    /// Intents approved, as shown.
    pub approved: u64,
    /// Intents refused, by the first rule that failed.
    pub refused: BTreeMap<String, u64>,
    /// Order facts by status.
    pub orders: BTreeMap<String, u64>,
    /// Fills.
    pub fills: u64,
    /// Finished round trips per symbol.
    pub round_trips: BTreeMap<Symbol, u64>,
    /// Ledger bookings.
    pub bookings: u64,
    /// Notices by code.
    pub notices: BTreeMap<String, u64>,
    /// Changes of the gate.
    pub gate_changes: u64,
    /// Journalled: orders planned on a decision (entries and exits).
    pub planned: u64,
    /// Journalled: protective orders planned (stops, targets, trailing stops).
    pub protective: u64,
    /// Journalled: orders voided before a plan, and after.
    pub voided: (u64, u64),
    /// Journalled: cancellations planned.
    pub cancels: u64,
    /// Journalled: differences found between journal and exchange.
    pub differences: u64,
    /// Journalled: failures per actor.
    pub panics: BTreeMap<String, u64>,
    /// What the display left out under load. Not a loss of the engine.
    pub undisplayed: u64,
}

impl Summary {
    /// Bars of all symbols.
    #[must_use]
    pub fn bars_total(&self) -> u64 {
        self.bars.values().sum()
    }
    /// Refusals of all codes.
    #[must_use]
    pub fn refused_total(&self) -> u64 {
        self.refused.values().sum()
    }
    /// Orders planned and not voided thereafter.
    #[must_use]
    pub const fn sent(&self) -> u64 {
        (self.planned + self.protective).saturating_sub(self.voided.1)
    }
}

fn list<K: fmt::Display>(f: &mut fmt::Formatter<'_>, title: &str, of: &BTreeMap<K, u64>) -> fmt::Result {
    write!(f, "{title:<12}")?;
    if of.is_empty() {
        f.write_str(" none")?;
    }
    for (name, count) in of {
        write!(f, " {name}={count}")?;
    }
    writeln!(f)
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "bars in {}, indicator frames {}", self.bars_total(), self.frames)?;
        writeln!(f, "intents {} = approved {} + refused {}", self.intents, self.approved, self.refused_total())?;
        writeln!(
            f,
            "orders on decisions {} + protective {} = sent {} + voided {} (dropped before a plan: {})",
            self.planned,
            self.protective,
            self.sent(),
            self.voided.1,
            self.voided.0
        )?;
        writeln!(f, "fills {}, bookings {}, differences {}", self.fills, self.bookings, self.differences)?;
        list(f, "bars", &self.bars)?;
        list(f, "refused", &self.refused)?;
        list(f, "orders", &self.orders)?;
        list(f, "round trips", &self.round_trips)?;
        list(f, "panics", &self.panics)
    }
}

/// The counting place.
#[derive(Debug, Default)]
pub struct Counts(Mutex<Summary>);

fn add<K: Ord>(to: &mut BTreeMap<K, u64>, key: K) {
    *to.entry(key).or_default() += 1;
}

impl Counts {
    /// Counts what was shown.
    pub fn shown(&self, happening: &Happening) {
        match happening {
            Happening::Market(MarketEvent::BarClosed(bar)) => add(&mut self.0.lock().bars, bar.symbol),
            Happening::Indicators(frame) if !frame.history => self.0.lock().frames += 1,
            Happening::Intent(_) => self.0.lock().intents += 1,
            Happening::Approved(_) => self.0.lock().approved += 1,
            Happening::Refused(refusal) => {
                let code = refusal.failures.first().map_or("UNNAMED", |f| f.code.as_str());
                let mut counts = self.0.lock();
                match counts.refused.get_mut(code) {
                    Some(count) => *count += 1,
                    None => add(&mut counts.refused, code.to_owned()),
                }
            }
            Happening::Order(update) => {
                let mut counts = self.0.lock();
                let status = status_word(update.status);
                match counts.orders.get_mut(status) {
                    Some(count) => *count += 1,
                    None => add(&mut counts.orders, status.to_owned()),
                }
                counts.fills += u64::from(update.fill.is_some());
            }
            Happening::Ledger(_) => self.0.lock().bookings += 1,
            Happening::Trade(trip) => add(&mut self.0.lock().round_trips, trip.symbol),
            Happening::Gate { .. } => self.0.lock().gate_changes += 1,
            Happening::Notice(notice) => add(&mut self.0.lock().notices, notice.code.clone()),
            Happening::Market(_)
            | Happening::Feed(_)
            | Happening::Indicators(_)
            | Happening::Account(_)
            | Happening::Role(_)
            | Happening::Reconciled => {}
        }
    }

    /// Counts what was journalled and is not shown.
    pub fn recorded(&self, record: &Record) {
        match record {
            Record::OrderPlanned(order) => {
                let mut counts = self.0.lock();
                match order.role {
                    OrderRole::Entry { .. } | OrderRole::Exit { .. } => counts.planned += 1,
                    OrderRole::Stop | OrderRole::Target | OrderRole::Trailing => counts.protective += 1,
                }
            }
            Record::OrderVoided { intent, .. } => {
                let voided = &mut self.0.lock().voided;
                if intent.is_some() { voided.1 += 1 } else { voided.0 += 1 }
            }
            Record::CancelPlanned { .. } => self.0.lock().cancels += 1,
            Record::DifferenceFound { .. } => self.0.lock().differences += 1,
            Record::ActorFailed { actor, .. } => add(&mut self.0.lock().panics, actor.clone()),
            _ => {}
        }
    }

    /// Counts what was left out of display.
    pub fn left_out(&self) {
        self.0.lock().undisplayed += 1;
    }

    /// The counts so far.
    #[must_use]
    pub fn read(&self) -> Summary {
        self.0.lock().clone()
    }
}

/// The status as the exchange writes it.
#[must_use]
pub const fn status_word(status: fulmar_domain::order::OrderStatus) -> &'static str {
    use fulmar_domain::order::OrderStatus;
    match status {
        OrderStatus::Pending => "PENDING",
        OrderStatus::Unknown => "UNKNOWN",
        OrderStatus::New => "NEW",
        OrderStatus::Triggered => "TRIGGERED",
        OrderStatus::PartiallyFilled => "PARTIALLY_FILLED",
        OrderStatus::Filled => "FILLED",
        OrderStatus::Canceled => "CANCELED",
        OrderStatus::Rejected => "REJECTED",
        OrderStatus::Expired => "EXPIRED",
        OrderStatus::Dead => "DEAD",
    }
}
