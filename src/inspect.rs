//! Commands that look and do not trade: settings, journal, store, strategies.

use std::io::Write;
use std::sync::Arc;

use anyhow::{Context, Result};
use fulmar_adapters::journal::segments::{Recovered, SegmentJournal, ShowFilter};
use fulmar_adapters::store::sqlite::{SqliteStore, StoreSettings};
use fulmar_domain::strategy::CATALOG;
use fulmar_ports::journal::Journal;

use crate::settings::{Mode, Settings};
use crate::wiring::recovery;

/// File of the store below the data folder.
pub const STORE_FILE: &str = "store.sqlite";

/// Says that the settings hold.
///
/// # Errors
/// None today.
pub fn settings(settings: &Settings) -> Result<u8> {
    let mode = match settings.engine.mode {
        Mode::Simex => "simulated exchange inside the process",
        Mode::Exchange => settings.exchange.rest_url.as_str(),
    };
    println!(
        "settings hold: {mode}, {} symbols, {} strategies, digest {}",
        settings.engine.symbols.len(),
        settings.strategies.len(),
        settings.digest
    );
    Ok(0)
}

/// Checks every record of the journal.
///
/// # Errors
/// The first damage, with its place.
pub fn verify(settings: &Settings) -> Result<u8> {
    let folder = settings.engine.data_dir.join(recovery::JOURNAL_FOLDER);
    let report = fulmar_adapters::journal::segments::verify(&folder).context("the journal does not hold")?;
    println!("the journal holds: {}", counted(&report));
    Ok(0)
}

/// What reading the whole journal found, in one line.
fn counted(report: &Recovered) -> String {
    let hash: String = report.head.hash.iter().map(|byte| format!("{byte:02x}")).collect();
    let torn = report.torn.as_ref().map_or_else(String::new, |torn| {
        format!("; {} torn bytes at the end of {} from byte {}: the next start drops them", torn.bytes, torn.segment, torn.offset)
    });
    format!("{} records in {} segments, {} bytes, hash of the newest {hash}{torn}", report.head.seq, report.segments, report.bytes)
}

/// Counts records.
///
/// # Errors
/// The first damage, with its place.
pub fn stats(settings: &Settings) -> Result<u8> {
    let folder = settings.engine.data_dir.join(recovery::JOURNAL_FOLDER);
    let stats = fulmar_adapters::journal::segments::stats(&folder).context("the journal cannot be counted")?;
    println!("{}", counted(&stats.recovered));
    for (name, span) in [("market time", stats.ts_ms), ("wall time", stats.wall_ms)] {
        if let Some((first, last)) = span {
            println!("{name} {first} to {last} ms");
        }
    }
    for (kind, figures) in &stats.kinds {
        println!("{kind:<18} {:>9} records {:>12} bytes", figures.records, figures.bytes);
    }
    Ok(0)
}

/// Prints records.
///
/// # Errors
/// The first damage, with its place; a closed output.
pub fn show(settings: &Settings, from: u64, to: Option<u64>, kind: Option<String>) -> Result<u8> {
    let folder = settings.engine.data_dir.join(recovery::JOURNAL_FOLDER);
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    let mut broken = None;
    let filter = ShowFilter { kind_prefix: kind, ..ShowFilter::default() };
    fulmar_adapters::journal::segments::show(&folder, from, to.unwrap_or(u64::MAX), &filter, &mut |record| {
        let entry = &record.entry;
        broken = writeln!(
            out,
            "{{\"seq\":{},\"kind\":\"{}\",\"market_ms\":{},\"wall_ms\":{},\"id\":{},\"cause\":{},\"body\":{}}}",
            record.seq,
            entry.kind,
            entry.ts_ms,
            entry.wall_ms,
            entry.id,
            entry.cause,
            String::from_utf8_lossy(&entry.body)
        )
        .err();
        broken.is_none()
    })
    .context("the journal cannot be shown")?;
    out.flush().context("the output is closed")?;
    match broken {
        Some(error) => Err(error).context("the output is closed"),
        None => Ok(0),
    }
}

/// Makes the store anew from the journal.
///
/// # Errors
/// A journal in use or damaged, a store that cannot be written.
pub fn rebuild(settings: &Settings) -> Result<u8> {
    let folder = &settings.engine.data_dir;
    let mut count = 0_u64;
    let (journal, _) = SegmentJournal::open(recovery::journal_settings(settings, folder), Box::new(|_| {}), &mut |_| count += 1)
        .context("the journal cannot be opened")?;
    let runtime = crate::wiring::io_runtime::start().context("no runtime")?;
    let journal: Arc<dyn Journal> = Arc::new(journal);
    runtime.block_on(async {
        let store = SqliteStore::new(StoreSettings::at(folder.join(STORE_FILE)));
        store.open().await.context("the store cannot be opened")?;
        store.rebuild(journal.tail(1)?).await.context("the store cannot be rebuilt")?;
        store.close("rebuilt").await;
        anyhow::Ok(())
    })?;
    println!("store rebuilt from {count} records: {}", folder.join(STORE_FILE).display());
    Ok(0)
}

/// Lists the strategies.
///
/// # Errors
/// None today.
pub fn strategies() -> Result<u8> {
    for entry in CATALOG {
        println!("{} (also: {})", entry.name, entry.aliases.join(", "));
        for parameter in entry.parameters {
            println!("  {:<16} {} to {}, default {}: {}", parameter.name, parameter.min, parameter.max, parameter.default, parameter.about);
        }
    }
    Ok(0)
}
