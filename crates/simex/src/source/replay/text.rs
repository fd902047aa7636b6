//! Bars and series from CSV files, plain, gzipped or zipped, with or without a header line.
//!
//! Without a header the columns are those of the exchange's own files: open_time, open, high, low, close, volume, close_time,
//! quote_volume, count, …

use super::super::{RowFault, SourceError};
use super::candles::{Candles, Cell, RawCandle};
use csv::{ReaderBuilder, StringRecord};
use flate2::read::MultiGzDecoder;
use fulmar_domain::time::Timestamp;
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

/// Where each column stands.
struct Columns {
    time: usize,
    open: usize,
    high: usize,
    low: usize,
    close: usize,
    volume: usize,
    quote: Option<usize>,
    count: Option<usize>,
}

/// Opens a text file, unpacking what is packed. A zip must hold exactly one file.
pub(crate) fn open(file: &Path) -> Result<Box<dyn Read + Send>, SourceError> {
    let handle = File::open(file).map_err(|e| SourceError::Open { file: file.to_path_buf(), reason: e.to_string() })?;
    let is = |ext: &str| file.extension().is_some_and(|e| e.eq_ignore_ascii_case(ext));
    if is("gz") {
        return Ok(Box::new(MultiGzDecoder::new(BufReader::new(handle))));
    }
    if is("zip") {
        let broken = |reason: String| SourceError::Unreadable { file: file.to_path_buf(), format: "zip", reason };
        let mut archive = zip::ZipArchive::new(BufReader::new(handle)).map_err(|e| broken(e.to_string()))?;
        if archive.len() != 1 {
            return Err(broken(format!("{} files inside where one is expected", archive.len())));
        }
        let mut text = Vec::new();
        archive.by_index(0).map_err(|e| broken(e.to_string()))?.read_to_end(&mut text).map_err(|e| broken(e.to_string()))?;
        return Ok(Box::new(std::io::Cursor::new(text)));
    }
    Ok(Box::new(BufReader::new(handle)))
}

/// Reads the bars of a file.
pub(super) fn candles(file: &Path, into: &mut Candles) -> Result<(), SourceError> {
    let mut columns: Option<Columns> = None;
    rows(file, |row, record| {
        let at = |fault| SourceError::Row { file: file.to_path_buf(), row, fault };
        let columns = match &columns {
            Some(known) => known,
            None if row == 1 && !starts_with_number(record) => {
                columns = Some(named(file, record)?);
                return Ok(());
            }
            None => columns.insert(Columns { time: 0, open: 1, high: 2, low: 3, close: 4, volume: 5, quote: Some(7), count: Some(8) }),
        };
        let cell = |index: usize| record.get(index).ok_or_else(|| at(RowFault::Cells { expected: index + 1, found: record.len() }));
        let text = |index: usize| cell(index).map(Cell::Text);
        let raw = RawCandle {
            open_time: instant(cell(columns.time)?).map_err(at)?,
            open: text(columns.open)?,
            high: text(columns.high)?,
            low: text(columns.low)?,
            close: text(columns.close)?,
            volume: text(columns.volume)?,
            quote_volume: columns.quote.map(text).transpose()?,
            trades: columns.count.map(|index| count(cell(index)?).map_err(at)).transpose()?,
        };
        into.push(file, row, &raw)
    })
}

/// Reads (line, time, count of 10⁻⁸) of a funding or mark file.
pub(super) fn series(file: &Path) -> Result<Vec<(u64, Timestamp, i64)>, SourceError> {
    let mut out = Vec::new();
    let mut at_columns: Option<(usize, usize)> = None;
    rows(file, |row, record| {
        let at = |fault| SourceError::Row { file: file.to_path_buf(), row, fault };
        let (time, value) = match at_columns {
            Some(known) => known,
            None if row == 1 && !starts_with_number(record) => {
                let time = position(record, &["calc_time", "date", "open_time", "timestamp", "time", "fundingTime"]);
                let value = position(record, &["last_funding_rate", "open", "funding_rate", "fundingRate"]);
                let missing = |column| SourceError::Column { file: file.to_path_buf(), column, found: list(record) };
                at_columns = Some((time.ok_or_else(|| missing("calc_time"))?, value.ok_or_else(|| missing("last_funding_rate"))?));
                return Ok(());
            }
            // calc_time, funding_interval_hours, last_funding_rate
            None => *at_columns.insert((0, 2)),
        };
        let cell = |index: usize| record.get(index).ok_or_else(|| at(RowFault::Cells { expected: index + 1, found: record.len() }));
        let value = Cell::Text(cell(value)?).fixed("last_funding_rate").map_err(at)?;
        out.push((row, instant(cell(time)?).map_err(at)?, value));
        Ok(())
    })?;
    Ok(out)
}

/// Calls `each` with the number (from 1, the header counts) and the cells of every line.
pub(super) fn rows(file: &Path, mut each: impl FnMut(u64, &StringRecord) -> Result<(), SourceError>) -> Result<(), SourceError> {
    let mut reader = ReaderBuilder::new().has_headers(false).flexible(true).from_reader(open(file)?);
    let mut record = StringRecord::new();
    let mut row = 0;
    loop {
        match reader.read_record(&mut record) {
            Ok(false) => return Ok(()),
            Ok(true) => row += 1,
            Err(error) => {
                let reason = format!("after line {row}: {error}");
                return Err(SourceError::Unreadable { file: file.to_path_buf(), format: "CSV", reason });
            }
        }
        each(row, &record)?;
    }
}

fn starts_with_number(record: &StringRecord) -> bool {
    record.get(0).is_some_and(|cell| cell.starts_with(|c: char| c.is_ascii_digit() || c == '-'))
}

fn list(record: &StringRecord) -> String {
    record.iter().take(20).collect::<Vec<_>>().join(", ")
}

/// Index of the first of `names` that the header has.
pub(super) fn position(header: &StringRecord, names: &[&str]) -> Option<usize> {
    names.iter().find_map(|name| header.iter().position(|cell| cell.trim().eq_ignore_ascii_case(name)))
}

fn named(file: &Path, header: &StringRecord) -> Result<Columns, SourceError> {
    let need = |names: &[&str], column| {
        position(header, names).ok_or_else(|| SourceError::Column { file: file.to_path_buf(), column, found: list(header) })
    };
    Ok(Columns {
        time: need(&["open_time", "date", "timestamp", "time"], "open_time")?,
        open: need(&["open"], "open")?,
        high: need(&["high"], "high")?,
        low: need(&["low"], "low")?,
        close: need(&["close"], "close")?,
        volume: need(&["volume"], "volume")?,
        quote: position(header, &["quote_volume", "quote_asset_volume"]),
        count: position(header, &["count", "number_of_trades", "trades"]),
    })
}

/// Epoch text in seconds, milliseconds or microseconds.
pub(crate) fn instant(text: &str) -> Result<Timestamp, RowFault> {
    let number = text.trim().parse::<i64>();
    number
        .map(|n| Timestamp(super::epoch_millis(n)))
        .map_err(|_| RowFault::Unparsable { column: "time", text: text.chars().take(40).collect() })
}

fn count(text: &str) -> Result<u64, RowFault> {
    let bad = || RowFault::Unparsable { column: "count", text: text.chars().take(40).collect() };
    let text = text.trim();
    text.strip_suffix(".0").unwrap_or(text).parse::<u64>().map_err(|_| bad())
}
