//! What follows the question mark: known names only, values checked.

use crate::api::error::ApiError;
use actix_web::HttpRequest;
use fulmar_domain::id::StrategyId;
use fulmar_domain::market::Timeframe;
use fulmar_domain::symbol::Symbol;
use fulmar_domain::time::Timestamp;
use fulmar_ports::store::{LIMIT_MAX, Page};
use serde::Deserialize;

/// Every parameter of the reading paths. Each path names those that it takes.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Query {
    pub symbol: Option<String>,
    pub strategy: Option<String>,
    pub timeframe: Option<String>,
    pub status: Option<String>,
    pub kind: Option<String>,
    pub code: Option<String>,
    pub source: Option<String>,
    pub before: Option<i64>,
    pub from: Option<i64>,
    pub to: Option<i64>,
    pub limit: Option<u32>,
}

/// Reads the query string; `takes` are the names that this path knows.
pub(super) fn read(request: &HttpRequest, takes: &[&str]) -> Result<Query, ApiError> {
    for pair in request.query_string().split('&').filter(|p| !p.is_empty()) {
        let name = pair.split('=').next().unwrap_or_default();
        if !takes.contains(&name) {
            let shown: String = name.chars().take(40).collect();
            let known = if takes.is_empty() { "none".to_owned() } else { takes.join(", ") };
            return Err(ApiError::bad_request(format!("unknown parameter {shown:?}: this path takes {known}")));
        }
    }
    let read = actix_web::web::Query::<Query>::from_query(request.query_string());
    let query = read.map_err(|error| ApiError::bad_request(format!("the parameters cannot be read: {error}")))?.into_inner();
    if query.limit.is_some_and(|l| l == 0 || l > LIMIT_MAX) {
        return Err(ApiError::bad_request(format!("limit: 1 to {LIMIT_MAX} expected")));
    }
    Ok(query)
}

impl Query {
    pub(super) fn symbol(&self) -> Result<Option<Symbol>, ApiError> {
        let read = self.symbol.as_deref().map(|s| Symbol::new(&s.to_uppercase())).transpose();
        read.map_err(|error| ApiError::bad_request(format!("symbol: {error}")))
    }
    pub(super) fn timeframe(&self) -> Result<Option<Timeframe>, ApiError> {
        self.timeframe.as_deref().map(str::parse).transpose().map_err(|error| ApiError::bad_request(format!("timeframe: {error}")))
    }
    /// The instance of that name, or the name itself where no strategy has it (orders of the past, `operator`, `external`).
    pub(super) fn strategy(&self, view: &crate::view::LiveView) -> Result<Option<StrategyId>, ApiError> {
        let Some(name) = self.strategy.as_deref() else { return Ok(None) };
        let known = view.find_strategy(name).map(|s| s.id).or_else(|| StrategyId::new(name));
        known.map(Some).ok_or_else(|| ApiError::bad_request("strategy: a name of 1 to 31 bytes expected"))
    }
    pub(super) fn limit(&self, otherwise: u32) -> u32 {
        self.limit.unwrap_or(otherwise)
    }
    pub(super) fn before(&self) -> Result<Option<u64>, ApiError> {
        self.before.map(u64::try_from).transpose().map_err(|_| ApiError::bad_request("before: a sequence number expected"))
    }
    pub(super) fn page(&self, view: &crate::view::LiveView) -> Result<Page, ApiError> {
        Ok(Page { symbol: self.symbol()?, strategy: self.strategy(view)?, before: self.before()?, limit: self.limit(100) })
    }
    /// `source=live` reads what this run remembers instead of the store.
    pub(super) fn live(&self) -> Result<bool, ApiError> {
        match self.source.as_deref() {
            None | Some("store") => Ok(false),
            Some("live") => Ok(true),
            Some(_) => Err(ApiError::bad_request("source: live or store expected")),
        }
    }
    pub(super) fn times(&self) -> (Option<Timestamp>, Option<Timestamp>) {
        (self.from.map(Timestamp), self.to.map(Timestamp))
    }
}
