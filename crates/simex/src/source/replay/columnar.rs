//! Bars and series from feather (Arrow IPC) and Parquet files.
//!
//! Columns are found by name, times in any unit. A cut or damaged file is named with the reader's own reason.

use super::super::{RowFault, SourceError};
use super::candles::{Candles, Cell, RawCandle};
use arrow_array::cast::AsArray;
use arrow_array::types::{
    Float32Type, Float64Type, Int32Type, Int64Type, TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType,
    TimestampSecondType, UInt32Type, UInt64Type,
};
use arrow_array::{Array, RecordBatch};
use arrow_ipc::reader::FileReader;
use arrow_schema::{ArrowError, DataType, TimeUnit};
use fulmar_domain::time::Timestamp;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use std::fs::File;
use std::io::BufReader;
use std::path::Path;

/// Names under which the time of a row goes.
const TIME: [&str; 5] = ["date", "open_time", "timestamp", "time", "calc_time"];

fn batches(file: &Path) -> Result<Vec<RecordBatch>, SourceError> {
    let handle = File::open(file).map_err(|e| SourceError::Open { file: file.to_path_buf(), reason: e.to_string() })?;
    let parquet = file.extension().is_some_and(|e| e.eq_ignore_ascii_case("parquet"));
    let format = if parquet { "Parquet" } else { "feather (Arrow IPC)" };
    let broken = |reason: String| SourceError::Unreadable { file: file.to_path_buf(), format, reason };
    let all: Result<Vec<RecordBatch>, ArrowError> = if parquet {
        let builder = ParquetRecordBatchReaderBuilder::try_new(handle).map_err(|e| broken(e.to_string()))?;
        builder.build().map_err(|e| broken(e.to_string()))?.collect()
    } else {
        FileReader::try_new(BufReader::new(handle), None).map_err(|e| broken(e.to_string()))?.collect()
    };
    all.map_err(|e| broken(e.to_string()))
}

/// Reads the bars of a file.
pub(super) fn candles(file: &Path, into: &mut Candles) -> Result<(), SourceError> {
    let mut row = 0;
    for batch in batches(file)? {
        let time = required(file, &batch, &TIME, "date")?;
        let [open, high, low, close, volume] = [
            required(file, &batch, &["open"], "open")?,
            required(file, &batch, &["high"], "high")?,
            required(file, &batch, &["low"], "low")?,
            required(file, &batch, &["close"], "close")?,
            required(file, &batch, &["volume"], "volume")?,
        ];
        let quote = find(&batch, &["quote_volume", "quote_asset_volume"]);
        let trades = find(&batch, &["count", "number_of_trades", "trades"]);
        for index in 0..batch.num_rows() {
            row += 1;
            let at = |fault| SourceError::Row { file: file.to_path_buf(), row, fault };
            let raw = RawCandle {
                open_time: instant(time, index).map_err(at)?,
                open: number(open, index),
                high: number(high, index),
                low: number(low, index),
                close: number(close, index),
                volume: number(volume, index),
                quote_volume: quote.map(|column| number(column, index)),
                trades: trades.map(|column| count(column, index)).transpose().map_err(at)?,
            };
            into.push(file, row, &raw)?;
        }
    }
    Ok(())
}

/// Reads (row, time, count of 10⁻⁸) of a funding or mark file: the column `open`, or one of the exchange's own names.
pub(super) fn series(file: &Path) -> Result<Vec<(u64, Timestamp, i64)>, SourceError> {
    let mut out = Vec::new();
    for batch in batches(file)? {
        let time = required(file, &batch, &TIME, "date")?;
        let value = required(file, &batch, &["open", "last_funding_rate", "funding_rate", "fundingRate"], "open")?;
        for index in 0..batch.num_rows() {
            let row = out.len() as u64 + 1;
            let at = |fault| SourceError::Row { file: file.to_path_buf(), row, fault };
            out.push((row, instant(time, index).map_err(at)?, number(value, index).fixed("open").map_err(at)?));
        }
    }
    Ok(out)
}

fn find<'a>(batch: &'a RecordBatch, names: &[&str]) -> Option<&'a dyn Array> {
    names.iter().find_map(|name| batch.column_by_name(name)).map(AsRef::as_ref)
}

fn required<'a>(file: &Path, batch: &'a RecordBatch, names: &[&str], column: &'static str) -> Result<&'a dyn Array, SourceError> {
    let found = || batch.schema().fields().iter().map(|f| format!("{}: {}", f.name(), f.data_type())).collect::<Vec<_>>().join(", ");
    let array = find(batch, names).ok_or_else(|| SourceError::Column { file: file.to_path_buf(), column, found: found() })?;
    let fits = match array.data_type() {
        DataType::Timestamp(..) => TIME.contains(&column),
        DataType::Int64 | DataType::UInt64 | DataType::Int32 | DataType::UInt32 | DataType::Float64 | DataType::Float32 => true,
        DataType::Utf8 => !TIME.contains(&column),
        _ => false,
    };
    if fits { Ok(array) } else { Err(SourceError::Column { file: file.to_path_buf(), column, found: found() }) }
}

fn instant(array: &dyn Array, index: usize) -> Result<Timestamp, RowFault> {
    if array.is_null(index) {
        return Err(RowFault::NotANumber { column: "date" });
    }
    let millis = match array.data_type() {
        DataType::Timestamp(TimeUnit::Second, _) => {
            array.as_primitive::<TimestampSecondType>().value(index).checked_mul(1_000).ok_or(RowFault::OutOfRange { column: "date" })?
        }
        DataType::Timestamp(TimeUnit::Millisecond, _) => array.as_primitive::<TimestampMillisecondType>().value(index),
        DataType::Timestamp(TimeUnit::Microsecond, _) => array.as_primitive::<TimestampMicrosecondType>().value(index).div_euclid(1_000),
        DataType::Timestamp(TimeUnit::Nanosecond, _) => array.as_primitive::<TimestampNanosecondType>().value(index).div_euclid(1_000_000),
        DataType::Int64 => super::epoch_millis(array.as_primitive::<Int64Type>().value(index)),
        DataType::UInt64 => super::epoch_millis(
            i64::try_from(array.as_primitive::<UInt64Type>().value(index)).map_err(|_| RowFault::OutOfRange { column: "date" })?,
        ),
        other => return Err(RowFault::Unparsable { column: "date", text: other.to_string() }),
    };
    Ok(Timestamp(millis))
}

fn number(array: &dyn Array, index: usize) -> Cell<'_> {
    if array.is_null(index) {
        return Cell::Null;
    }
    match array.data_type() {
        DataType::Float64 => Cell::Float(array.as_primitive::<Float64Type>().value(index)),
        DataType::Float32 => Cell::Float(f64::from(array.as_primitive::<Float32Type>().value(index))),
        DataType::Int64 => Cell::Float(array.as_primitive::<Int64Type>().value(index) as f64),
        DataType::UInt64 => Cell::Float(array.as_primitive::<UInt64Type>().value(index) as f64),
        DataType::Int32 => Cell::Float(f64::from(array.as_primitive::<Int32Type>().value(index))),
        DataType::UInt32 => Cell::Float(f64::from(array.as_primitive::<UInt32Type>().value(index))),
        DataType::Utf8 => Cell::Text(array.as_string::<i32>().value(index)),
        _ => Cell::Null,
    }
}

fn count(array: &dyn Array, index: usize) -> Result<u64, RowFault> {
    let raw = number(array, index).fixed("count")?;
    u64::try_from(raw / fulmar_domain::num::SCALE).map_err(|_| RowFault::Negative { column: "count" })
}
