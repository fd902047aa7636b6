//! Start = recover: what the journal says, before the exchange is asked.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result};
use fulmar_actors::facts::Fold;
use fulmar_adapters::journal::segments::{JournalSettings, SegmentJournal};
use fulmar_domain::breaker::BreakerState;
use fulmar_domain::execution::{ExecutionNode, ExecutionRules};
use fulmar_domain::id::Epoch;
use fulmar_domain::position::node::{PositionNode, PositionSettings};
use fulmar_domain::record::Record;
use fulmar_domain::symbol::Symbol;
use fulmar_domain::time::Timestamp;
use fulmar_ports::journal::JournalHealth;

use crate::settings::Settings;

/// Where the journal lives below the data folder.
pub const JOURNAL_FOLDER: &str = "journal";

/// What the journal said.
pub struct Recovered {
    /// The journal, open for writing.
    pub journal: Arc<SegmentJournal>,
    /// Orders, positions and ledger.
    pub fold: Fold,
    /// Wall time of the newest record; `None` for a fresh journal.
    pub last_wall: Option<Timestamp>,
    /// Records read.
    pub records: u64,
    /// The breaker as it was left; closed for a fresh journal.
    pub breaker: BreakerState,
}

/// Where in `settings` the journal stands.
#[must_use]
pub fn journal_settings(settings: &Settings, data_dir: &Path) -> JournalSettings {
    JournalSettings {
        segment_bytes: settings.journal.segment_mib << 20,
        lazy_sync_ms: settings.journal.lazy_sync_ms,
        reserve_bytes: settings.journal.reserve_mib << 20,
        fsync: settings.journal.fsync,
        ..JournalSettings::in_dir(data_dir.join(JOURNAL_FOLDER))
    }
}

/// Opens the journal, verifies all of it and folds it up. `since`: exchange time from which a fresh account is of interest.
///
/// # Errors
/// A journal in use, damaged in the middle, unreadable, or with a record that this version does not know.
pub fn open(
    settings: &Settings,
    epoch: Epoch,
    symbols: &[Symbol],
    since: Timestamp,
    on_health: Box<dyn Fn(JournalHealth) + Send>,
) -> Result<Recovered> {
    let rules = ExecutionRules {
        instance: settings.engine.instance.clone(),
        stop_deadline: fulmar_domain::time::Span(settings.execution.stop_deadline_ms),
        doubt_interval: fulmar_domain::time::Span(settings.execution.unknown_interval_ms),
        doubt_answers: settings.execution.unknown_answers,
        fills_late: fulmar_domain::time::Span(settings.execution.fills_late_ms),
        retry: fulmar_domain::time::Span(settings.execution.retry_ms),
    };
    let mut fold =
        Fold { execution: ExecutionNode::new(rules, epoch, symbols, since), position: PositionNode::new(PositionSettings::default()) };
    let (mut last_wall, mut records, mut unreadable) = (None, 0_u64, None);
    let mut breaker = BreakerState::default();
    let journal_settings = journal_settings(settings, &settings.engine.data_dir);
    let (journal, report) = SegmentJournal::open(journal_settings, on_health, &mut |view| {
        records += 1;
        last_wall = Some(Timestamp(view.wall_ms));
        match serde_json::from_slice::<Record>(view.body) {
            Ok(record) => {
                fold.apply(&record);
                if let Record::BreakerChanged(state) = &record {
                    breaker = state.clone();
                }
            }
            Err(error) => {
                unreadable.get_or_insert_with(|| format!("record {} of kind `{}`: {error}", view.seq, view.kind));
            }
        }
    })
    .context("the journal cannot be opened")?;
    if let Some(text) = unreadable {
        anyhow::bail!("the journal holds a record that this version cannot read ({text}); start the version that wrote it");
    }
    if let Some(torn) = &report.torn {
        tracing::warn!(segment = %torn.segment, offset = torn.offset, bytes = torn.bytes, "the last write before the stop was torn and is dropped");
    }
    Ok(Recovered { journal: Arc::new(journal), fold, last_wall, records, breaker })
}
