//! The end of a replay: what went through, and whether every balance holds. A balance that does not hold is a failure.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use fulmar_actors::engine::Engine;
use fulmar_adapters::exchange::binance::BinanceVenue;
use fulmar_adapters::journal::segments::{ShowFilter, show};
use fulmar_domain::order::{OrderRole, OrderStatus, PositionSide};
use fulmar_domain::record::Record;
use fulmar_domain::symbol::Symbol;
use fulmar_ports::exchange::TradingVenue;
use sha2::{Digest, Sha256};

use super::simulator::Simulator;
use crate::cli::RunArgs;
use crate::view::LiveView;

/// What the report is made from.
pub(super) struct End<'a> {
    pub(super) engine: &'a Engine,
    pub(super) view: &'a Arc<LiveView>,
    pub(super) simulator: Option<&'a Simulator>,
    pub(super) venue: &'a BinanceVenue,
    pub(super) journal_dir: &'a Path,
}

/// What the journal tells about protection and money.
#[derive(Default)]
struct Told {
    bare: BTreeMap<(Symbol, PositionSide), i64>,
    longest_bare_ms: i64,
    stops: u64,
    digest: Sha256,
    ledger: String,
}

impl Told {
    /// Reads the facts about orders and the bookings, in order.
    fn read(journal_dir: &Path) -> Result<Self> {
        let mut told = Self::default();
        let mut unreadable = None;
        let filter = ShowFilter { kind_prefix: Some("order_updated".to_owned()), ..ShowFilter::default() };
        show(journal_dir, 1, u64::MAX, &filter, &mut |record| {
            match serde_json::from_slice(&record.entry.body) {
                Ok(Record::OrderUpdated(update)) => told.order(&update, record.entry.ts_ms),
                Ok(_) => {}
                Err(error) => unreadable = Some(error),
            }
            unreadable.is_none()
        })
        .context("the journal cannot be read for the report")?;
        if let Some(error) = unreadable {
            return Err(error).context("a record of the journal cannot be read for the report");
        }
        let filter = ShowFilter { kind_prefix: Some("ledger_booked".to_owned()), ..ShowFilter::default() };
        show(journal_dir, 1, u64::MAX, &filter, &mut |record| {
            told.digest.update(&record.entry.body);
            told.ledger.push_str(&String::from_utf8_lossy(&record.entry.body));
            told.ledger.push('\n');
            true
        })
        .context("the journal cannot be read for the report")?;
        Ok(told)
    }

    fn order(&mut self, update: &fulmar_domain::order::OrderUpdate, at: i64) {
        let desk = (update.symbol, update.position_side);
        match &update.role {
            Some(OrderRole::Entry { .. }) if update.fill.is_some() => {
                self.bare.entry(desk).or_insert(at);
            }
            Some(OrderRole::Stop) if update.status == OrderStatus::New => {
                self.stops += 1;
                if let Some(since) = self.bare.remove(&desk) {
                    self.longest_bare_ms = self.longest_bare_ms.max(at - since);
                }
            }
            _ => {}
        }
    }
}

/// Prints the report; `false` when a balance does not hold.
pub(super) async fn report(end: &End<'_>, args: &RunArgs, took: Duration) -> Result<bool> {
    end.view.take_up(true);
    let summary = end.view.summary();
    let tally = *end.engine.tally.lock();
    let account = end.venue.account().await.context("the account cannot be read at the end")?;
    let ours = end.engine.recent.account();
    let told = Told::read(end.journal_dir)?;
    let offered: u64 = end.simulator.map(|s| s.plan.iter().filter_map(|p| p.live_bars).sum()).unwrap_or_default();
    println!("{summary}");
    let mut holds = true;
    let mut balance = |what: &str, is_so: bool, figures: String| {
        println!("{} {what}: {figures}", if is_so { "holds" } else { "FAILS" });
        holds &= is_so;
    };
    balance("bars in = bars processed", offered == summary.frames, format!("{offered} = {}", summary.frames));
    balance(
        "intents = approved + refused",
        summary.intents == summary.approved + summary.refused_total(),
        format!("{} = {} + {}", summary.intents, summary.approved, summary.refused_total()),
    );
    balance(
        "approved + protective = sent + voided",
        tally.approved + tally.protective == tally.sent + tally.voided,
        format!("{} + {} = {} + {}", tally.approved, tally.protective, tally.sent, tally.voided),
    );
    let wallet = ours.as_ref().map(|a| a.wallet).unwrap_or_default();
    balance("our ledger = the exchange's", wallet == account.wallet, format!("wallet {wallet} = {}", account.wallet));
    let positions = ours.as_ref().map_or(0, |a| a.positions.len());
    balance("our positions = the exchange's", positions == account.positions.len(), format!("{positions} = {}", account.positions.len()));
    balance(
        "no position without a stop for longer than one market event",
        told.longest_bare_ms == 0 && told.bare.is_empty(),
        format!("{} stops accepted, longest wait {} ms of market time, without any: {}", told.stops, told.longest_bare_ms, told.bare.len()),
    );
    balance("nothing differed from the exchange", summary.differences == 0, format!("{} differences", summary.differences));
    let digest: String = told.digest.finalize().iter().take(12).map(|b| format!("{b:02x}")).collect();
    let equity = ours.as_ref().map(|a| a.equity).unwrap_or_default();
    println!("wallet {wallet}, equity {equity}, result digest {digest}, took {:.1} s", took.as_secs_f64());
    if let Some(path) = &args.ledger {
        std::fs::write(path, &told.ledger).with_context(|| format!("{} cannot be written", path.display()))?;
    }
    if let Some(simulator) = end.simulator {
        simulator.floor.flush_ledger().map_err(|text| anyhow::anyhow!(text))?;
    }
    Ok(holds)
}
