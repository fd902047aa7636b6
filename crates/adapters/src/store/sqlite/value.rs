//! Domain values as columns: fixed-point numbers as integers of 10⁻⁸, times as milliseconds, enums as the words that their
//! JSON form has.

use fulmar_domain::{
    num::{Price, Qty, Usdt},
    time::Timestamp,
};
use fulmar_ports::store::StoreError;
use serde::{Serialize, de::DeserializeOwned};
use sqlx::{Row, sqlite::SqliteRow};

/// A sequence number as SQLite's integer.
pub(super) fn int(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// The word of an enum without content.
pub(super) fn word<T: Serialize>(value: &T) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => word,
        Ok(other) => other.to_string(),
        Err(error) => format!("unprintable: {error}"),
    }
}

/// Reads typed values from the columns of one row; errors name table and column.
pub(super) struct Reader<'a> {
    pub(super) table: &'static str,
    pub(super) row: &'a SqliteRow,
}

impl Reader<'_> {
    fn bad(&self, column: &str, reason: impl ToString) -> StoreError {
        StoreError::Unreadable { place: format!("{}.{column}", self.table), reason: reason.to_string() }
    }

    pub(super) fn int(&self, column: &str) -> Result<i64, StoreError> {
        self.row.try_get(column).map_err(|e| self.bad(column, e))
    }

    pub(super) fn int_opt(&self, column: &str) -> Result<Option<i64>, StoreError> {
        self.row.try_get(column).map_err(|e| self.bad(column, e))
    }

    pub(super) fn number(&self, column: &str) -> Result<u64, StoreError> {
        u64::try_from(self.int(column)?).map_err(|e| self.bad(column, e))
    }

    pub(super) fn flag(&self, column: &str) -> Result<bool, StoreError> {
        Ok(self.int(column)? != 0)
    }

    pub(super) fn price(&self, column: &str) -> Result<Price, StoreError> {
        self.int(column).map(Price::from_raw)
    }

    pub(super) fn qty(&self, column: &str) -> Result<Qty, StoreError> {
        self.int(column).map(Qty::from_raw)
    }

    pub(super) fn usdt(&self, column: &str) -> Result<Usdt, StoreError> {
        self.int(column).map(Usdt::from_raw)
    }

    pub(super) fn time(&self, column: &str) -> Result<Timestamp, StoreError> {
        self.int(column).map(Timestamp)
    }

    pub(super) fn text(&self, column: &str) -> Result<String, StoreError> {
        self.row.try_get(column).map_err(|e| self.bad(column, e))
    }

    fn text_opt(&self, column: &str) -> Result<Option<String>, StoreError> {
        self.row.try_get(column).map_err(|e| self.bad(column, e))
    }

    /// A value whose JSON form is a plain string: ids, symbols, words.
    pub(super) fn word<T: DeserializeOwned>(&self, column: &str) -> Result<T, StoreError> {
        let text = self.text(column)?;
        serde_json::from_value(serde_json::Value::String(text)).map_err(|e| self.bad(column, e))
    }

    pub(super) fn word_opt<T: DeserializeOwned>(&self, column: &str) -> Result<Option<T>, StoreError> {
        match self.text_opt(column)? {
            None => Ok(None),
            Some(text) => serde_json::from_value(serde_json::Value::String(text)).map(Some).map_err(|e| self.bad(column, e)),
        }
    }

    pub(super) fn json<T: DeserializeOwned>(&self, column: &str) -> Result<T, StoreError> {
        serde_json::from_str(&self.text(column)?).map_err(|e| self.bad(column, e))
    }

    pub(super) fn json_opt<T: DeserializeOwned>(&self, column: &str) -> Result<Option<T>, StoreError> {
        match self.text_opt(column)? {
            None => Ok(None),
            Some(text) => serde_json::from_str(&text).map(Some).map_err(|e| self.bad(column, e)),
        }
    }
}
