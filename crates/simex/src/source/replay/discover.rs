//! Which files of a folder belong to a symbol, by their names.
//!
//! - `BTC_USDT_USDT-1m-futures.feather`, `-8h-mark`, `-8h-funding_rate` (also `.parquet`): BTCUSDT
//! - `BTCUSDT-1m-2026-06.csv`, also `.csv.gz`, `.zip`, `.parquet`, `.feather`, without or with any date; many files of one
//!   symbol follow each other
//! - `BTCUSDT-fundingRate-2026-06.csv` (also packed): rates that were paid
//! - `btcusdt_20240808.gz`, `btcusdt_….txt.gz`, `btcusdt_….csv.gz`: recordings of streams

use super::super::SourceError;
use fulmar_domain::market::Timeframe;
use fulmar_domain::symbol::Symbol;
use std::path::{Path, PathBuf};

/// The files of one symbol.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// Bars of the timeframe asked for, by name.
    pub klines: Vec<PathBuf>,
    /// Bars of the mark price, any length.
    pub marks: Vec<PathBuf>,
    /// Rates that were paid.
    pub fundings: Vec<PathBuf>,
    /// Recorded streams.
    pub recordings: Vec<PathBuf>,
}

/// How a file is packed and laid out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Layout {
    /// Feather or Parquet.
    Columnar,
    /// CSV, plain or packed.
    Text,
}

/// The layout that a name promises; `None` for other files.
pub(crate) fn layout(file: &Path) -> Option<Layout> {
    let name = file.file_name()?.to_str()?.to_ascii_lowercase();
    if [".feather", ".parquet", ".arrow"].iter().any(|e| name.ends_with(e)) {
        Some(Layout::Columnar)
    } else if [".csv", ".csv.gz", ".zip"].iter().any(|e| name.ends_with(e)) {
        Some(Layout::Text)
    } else {
        None
    }
}

/// All files of a folder in the order of their names; a path to one file counts as a folder that holds it alone.
///
/// # Errors
/// [`SourceError::Open`] when the path cannot be read.
pub(crate) fn list(path: &Path) -> Result<Vec<PathBuf>, SourceError> {
    let failed = |e: std::io::Error| SourceError::Open { file: path.to_path_buf(), reason: e.to_string() };
    if std::fs::metadata(path).map_err(failed)?.is_file() {
        return Ok(vec![path.to_path_buf()]);
    }
    let mut files = Vec::new();
    for entry in std::fs::read_dir(path).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        if entry.path().is_file() {
            files.push(entry.path());
        }
    }
    files.sort();
    Ok(files)
}

/// The files of `symbol` among `files`.
pub(crate) fn of_symbol(files: &[PathBuf], symbol: Symbol, timeframe: Timeframe) -> Found {
    let mut found = Found::default();
    for file in files {
        let Some(name) = file.file_name().and_then(|n| n.to_str()) else { continue };
        if let Some(rest) = name.to_ascii_lowercase().strip_prefix(&format!("{}_", symbol.as_str().to_ascii_lowercase()))
            && layout(file).is_none_or(|l| l == Layout::Text)
            && !rest.contains('-')
        {
            found.recordings.push(file.clone());
            continue;
        }
        if layout(file).is_none() {
            continue;
        }
        let stem = name.split('.').next().unwrap_or(name);
        let mut parts = stem.split('-');
        let (market, length, kind) = (parts.next().unwrap_or(""), parts.next().unwrap_or(""), parts.next().unwrap_or(""));
        if market_symbol(market) != symbol.as_str().to_ascii_uppercase() {
            continue;
        }
        match (length, kind) {
            (_, "mark") => found.marks.push(file.clone()),
            (_, "funding_rate") | ("fundingRate", _) => found.fundings.push(file.clone()),
            (length, _) if length == timeframe.as_str() => found.klines.push(file.clone()),
            _ => {}
        }
    }
    found
}

/// `BTC_USDT_USDT` and `BTCUSDT` are both BTCUSDT.
fn market_symbol(market: &str) -> String {
    let mut parts = market.split('_');
    match (parts.next(), parts.next()) {
        (Some(base), Some(quote)) => format!("{base}{quote}").to_ascii_uppercase(),
        _ => market.to_ascii_uppercase(),
    }
}

/// Names of files, for a message.
pub(crate) fn names(files: &[PathBuf]) -> String {
    const SHOWN: usize = 12;
    if files.is_empty() {
        return "no files".to_owned();
    }
    let names: Vec<&str> = files.iter().filter_map(|f| f.file_name().and_then(|n| n.to_str())).collect();
    let more = names.len().saturating_sub(SHOWN);
    let shown = names[..names.len().min(SHOWN)].join(", ");
    if more > 0 { format!("{shown} and {more} more") } else { shown }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_every_layout_lead_to_their_symbol() {
        let files: Vec<PathBuf> = [
            "BTC_USDT_USDT-1m-futures.feather",
            "BTC_USDT_USDT-5m-futures.feather",
            "BTC_USDT_USDT-8h-mark.feather",
            "BTC_USDT_USDT-8h-funding_rate.feather",
            "BTCUSDT-1m-2026-06.csv.gz",
            "BTCUSDT-1m-2026-07.zip",
            "BTCUSDT-1m.parquet",
            "BTCUSDT-fundingRate-2026-06.zip",
            "BTCDOMUSDT-1m.csv",
            "btcusdt_20240808.gz",
            "btcusdt_bookticker_20231002.csv.gz",
            "README.md",
        ]
        .iter()
        .map(PathBuf::from)
        .collect();
        let found = of_symbol(&files, Symbol::new("BTCUSDT").unwrap(), Timeframe::M1);
        assert_eq!(found.klines.len(), 4);
        assert_eq!((found.marks.len(), found.fundings.len(), found.recordings.len()), (1, 2, 2));
        assert!(of_symbol(&files, Symbol::new("USDT").unwrap(), Timeframe::M1).klines.is_empty());
    }
}
