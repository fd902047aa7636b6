//! REST answers in our types. Unknown fields are ignored; a missing one is an error, never a default.

use super::settings::RequestLimits;
use super::words::{algo_status, average, average_if_any, child, loose, margin_mode, order_status, whole};
use fulmar_domain::account::{Income, SymbolSettings};
use fulmar_domain::execution::OrderState;
use fulmar_domain::id::{AlgoId, ClientOrderId, OrderId, TradeId, TranId};
use fulmar_domain::instrument::{Bracket, Brackets, Instrument, SymbolStatus};
use fulmar_domain::market::{Bar, DepthSnapshot, Level, Mark, Timeframe};
use fulmar_domain::num::{NumError, Price, Qty, Ratio, Usdt};
use fulmar_domain::order::{AlgoEvent, Fill, MarginMode, OrderEvent, PositionSide, Side};
use fulmar_domain::symbol::Symbol;
use fulmar_domain::time::{Span, Timestamp};
use fulmar_ports::exchange::QueryError;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use std::collections::BTreeMap;

fn unreadable(what: &str, why: impl std::fmt::Display) -> QueryError {
    QueryError::Unreadable { what: what.to_owned(), why: why.to_string() }
}

/// Reads a body as `T`.
pub(super) fn read<T: DeserializeOwned>(what: &str, body: &[u8]) -> Result<T, QueryError> {
    serde_json::from_slice(body).map_err(|e| unreadable(what, e))
}

/// `time`.
pub(super) fn server_time(body: &[u8]) -> Result<Timestamp, QueryError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Answer {
        server_time: i64,
    }
    read::<Answer>("time", body).map(|a| Timestamp(a.server_time))
}

/// A regular order in any answer that shows one.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct OrderAnswer {
    symbol: Symbol,
    order_id: i64,
    client_order_id: String,
    side: Side,
    position_side: PositionSide,
    status: String,
    orig_qty: Qty,
    executed_qty: Qty,
    #[serde(default, deserialize_with = "average_if_any")]
    avg_price: Option<Price>,
    price: Price,
    reduce_only: bool,
    #[serde(rename = "type")]
    kind: String,
    orig_type: Option<String>,
    update_time: i64,
}

impl From<OrderAnswer> for OrderEvent {
    fn from(a: OrderAnswer) -> Self {
        Self {
            symbol: a.symbol,
            order: OrderId(a.order_id),
            client_id: ClientOrderId::new(&a.client_order_id),
            client_text: a.client_order_id,
            side: a.side,
            position_side: a.position_side,
            status: order_status(&a.status),
            qty: a.orig_qty,
            filled: a.executed_qty,
            average: a.avg_price,
            price: a.price,
            reduce_only: a.reduce_only,
            type_text: a.orig_type.unwrap_or(a.kind),
            fill: None,
            time: Timestamp(a.update_time),
        }
    }
}

/// An algo order in any answer that shows one.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct AlgoAnswer {
    symbol: Symbol,
    algo_id: i64,
    client_algo_id: String,
    #[serde(alias = "type")]
    order_type: String,
    side: Side,
    position_side: PositionSide,
    algo_status: String,
    quantity: Option<String>,
    #[serde(default, deserialize_with = "average_if_any")]
    trigger_price: Option<Price>,
    close_position: Option<bool>,
    #[serde(default, deserialize_with = "child")]
    actual_order_id: Option<i64>,
    update_time: i64,
}

impl TryFrom<AlgoAnswer> for AlgoEvent {
    type Error = QueryError;
    fn try_from(a: AlgoAnswer) -> Result<Self, QueryError> {
        let qty = match a.quantity.as_deref() {
            None | Some("" | "null") => None,
            Some(text) => Some(Qty::parse(text).map_err(|e| unreadable("algo order", format_args!("quantity {text:?}: {e}")))?),
        };
        // An algo order has a quantity or closes the position, never both and never neither.
        let close_position = match (a.close_position, qty) {
            (Some(close), _) => close,
            (None, Some(qty)) if qty.is_positive() => false,
            (None, _) => return Err(unreadable("algo order", "neither quantity nor closePosition")),
        };
        let qty = match qty {
            Some(qty) => qty,
            None if close_position => Qty::ZERO,
            None => return Err(unreadable("algo order", "quantity is missing")),
        };
        Ok(Self {
            symbol: a.symbol,
            algo: AlgoId(a.algo_id),
            client_id: ClientOrderId::new(&a.client_algo_id),
            side: a.side,
            position_side: a.position_side,
            status: algo_status(&a.algo_status),
            trigger: a.trigger_price.unwrap_or(Price::ZERO),
            qty,
            close_position,
            child: a.actual_order_id.map(OrderId),
            type_text: a.order_type,
            time: Timestamp(a.update_time),
        })
    }
}

/// One regular order.
pub(super) fn order(body: &[u8]) -> Result<OrderEvent, QueryError> {
    read::<OrderAnswer>("order", body).map(Into::into)
}
/// One algo order.
pub(super) fn algo(body: &[u8]) -> Result<AlgoEvent, QueryError> {
    read::<AlgoAnswer>("algo order", body)?.try_into()
}
/// `openOrders`.
pub(super) fn orders(body: &[u8]) -> Result<Vec<OrderState>, QueryError> {
    Ok(read::<Vec<OrderAnswer>>("open orders", body)?.into_iter().map(|a| OrderState::Regular(a.into())).collect())
}
/// `openAlgoOrders`.
pub(super) fn algos(body: &[u8]) -> Result<Vec<OrderState>, QueryError> {
    read::<Vec<AlgoAnswer>>("open algo orders", body)?.into_iter().map(|a| a.try_into().map(OrderState::Algo)).collect()
}

/// `userTrades`.
pub(super) fn fills(body: &[u8]) -> Result<Vec<Fill>, QueryError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Answer {
        symbol: Symbol,
        id: i64,
        order_id: i64,
        side: Side,
        position_side: PositionSide,
        price: Price,
        qty: Qty,
        realized_pnl: Usdt,
        commission: Usdt,
        commission_asset: String,
        maker: bool,
        time: i64,
    }
    let mut fills: Vec<Fill> = read::<Vec<Answer>>("userTrades", body)?
        .into_iter()
        .map(|a| Fill {
            symbol: a.symbol,
            trade: TradeId(a.id),
            order: OrderId(a.order_id),
            side: a.side,
            position_side: a.position_side,
            price: a.price,
            qty: a.qty,
            realized: a.realized_pnl,
            fee: a.commission,
            fee_in_usdt: a.commission_asset == "USDT",
            maker: a.maker,
            time: Timestamp(a.time),
        })
        .collect();
    fills.sort_by_key(|f| f.trade);
    Ok(fills)
}

/// `income`.
pub(super) fn incomes(body: &[u8]) -> Result<Vec<Income>, QueryError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Answer {
        symbol: Option<String>,
        income_type: String,
        income: Usdt,
        asset: String,
        time: i64,
        #[serde(deserialize_with = "whole")]
        tran_id: i64,
    }
    let mut incomes = Vec::new();
    for a in read::<Vec<Answer>>("income", body)? {
        let symbol = match a.symbol.as_deref() {
            None | Some("") => None,
            Some(name) => Some(Symbol::new(name).map_err(|e| unreadable("income", e))?),
        };
        let (id, time) = (TranId(a.tran_id), Timestamp(a.time));
        incomes.push(Income { id, kind: a.income_type, symbol, amount: a.income, asset: a.asset, time });
    }
    incomes.sort_by_key(|i| i.time);
    Ok(incomes)
}

/// A position amount, for comparing two readings.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct AccountPosition {
    pub symbol: Symbol,
    pub position_side: PositionSide,
    pub position_amt: Qty,
    update_time: i64,
}

/// What `v3/account` says: the USDT wallet and the amounts of positions that are not flat.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wallet {
    pub usdt: Usdt,
    /// When wallet or positions changed last, by the exchange's own account; missing for an account that never held anything.
    pub changed: Option<Timestamp>,
    pub positions: Vec<AccountPosition>,
}

/// `v3/account`.
pub(super) fn wallet(body: &[u8]) -> Result<Wallet, QueryError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Asset {
        asset: String,
        wallet_balance: Usdt,
        update_time: i64,
    }
    #[derive(Deserialize)]
    struct Answer {
        assets: Vec<Asset>,
        positions: Vec<AccountPosition>,
    }
    let answer: Answer = read("account", body)?;
    let of_assets = answer.assets.iter().filter(|a| a.asset == "USDT").map(|a| a.update_time);
    let changed = of_assets.chain(answer.positions.iter().map(|p| p.update_time)).max().filter(|ms| *ms > 0).map(Timestamp);
    // An account that never held USDT lists none; that is a balance of zero, not a missing field.
    let usdt = answer.assets.iter().find(|a| a.asset == "USDT").map_or(Usdt::ZERO, |a| a.wallet_balance);
    let mut positions: Vec<_> = answer.positions.into_iter().filter(|p| !p.position_amt.is_zero()).collect();
    positions.sort_by_key(|p| (p.symbol, p.position_side));
    Ok(Wallet { usdt, changed, positions })
}

/// A position of `v3/positionRisk`; its margin mode is in `symbolConfig`.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RiskPosition {
    pub symbol: Symbol,
    pub position_side: PositionSide,
    pub position_amt: Qty,
    #[serde(deserialize_with = "average")]
    pub entry_price: Price,
    pub isolated_wallet: Usdt,
}

/// `v3/positionRisk`: positions that are not flat.
pub(super) fn positions(body: &[u8]) -> Result<Vec<RiskPosition>, QueryError> {
    let mut positions: Vec<RiskPosition> = read("positionRisk", body)?;
    positions.retain(|p| !p.position_amt.is_zero());
    positions.sort_by_key(|p| (p.symbol, p.position_side));
    Ok(positions)
}

/// `symbolConfig`.
pub(super) fn symbol_config(body: &[u8]) -> Result<Vec<SymbolSettings>, QueryError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Answer {
        symbol: Symbol,
        leverage: u16,
        #[serde(deserialize_with = "margin_mode")]
        margin_type: MarginMode,
    }
    let answers = read::<Vec<Answer>>("symbolConfig", body)?;
    Ok(answers.into_iter().map(|a| SymbolSettings { symbol: a.symbol, leverage: a.leverage, margin_mode: a.margin_type }).collect())
}

/// `commissionRate`: (taker, maker).
pub(super) fn commission(body: &[u8]) -> Result<(Ratio, Ratio), QueryError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Answer {
        maker_commission_rate: Ratio,
        taker_commission_rate: Ratio,
    }
    read::<Answer>("commissionRate", body).map(|a| (a.taker_commission_rate, a.maker_commission_rate))
}

/// `positionSide/dual`.
pub(super) fn hedge_mode(body: &[u8]) -> Result<bool, QueryError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Answer {
        dual_side_position: bool,
    }
    read::<Answer>("positionSide/dual", body).map(|a| a.dual_side_position)
}

/// `leverage`.
pub(super) fn leverage(body: &[u8]) -> Result<u16, QueryError> {
    #[derive(Deserialize)]
    struct Answer {
        leverage: u16,
    }
    read::<Answer>("leverage", body).map(|a| a.leverage)
}

/// `premiumIndex` of one contract.
pub(super) fn mark(body: &[u8]) -> Result<Mark, QueryError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Answer {
        symbol: Symbol,
        mark_price: Price,
        index_price: Price,
        last_funding_rate: Ratio,
        next_funding_time: i64,
        time: i64,
    }
    let a: Answer = read("premiumIndex", body)?;
    if !a.mark_price.is_positive() {
        return Err(unreadable("premiumIndex", "the mark price is not positive"));
    }
    let (next_funding, time) = (Timestamp(a.next_funding_time), Timestamp(a.time));
    Ok(Mark { symbol: a.symbol, price: a.mark_price, index: a.index_price, funding_rate: a.last_funding_rate, next_funding, time })
}

/// `klines`: rows of open time, open, high, low, close, volume, close time, quote volume, trades, …
pub(super) fn bars(symbol: Symbol, timeframe: Timeframe, body: &[u8]) -> Result<Vec<Bar>, QueryError> {
    type Row = (i64, Price, Price, Price, Price, Qty, i64, Usdt, u64);
    let rows: Vec<Vec<&RawValue>> = serde_json::from_slice(body).map_err(|e| unreadable("klines", e))?;
    let mut bars = Vec::with_capacity(rows.len());
    for row in rows {
        fn cell<'a, T: Deserialize<'a>>(row: &[&'a RawValue], index: usize) -> Result<T, QueryError> {
            let raw = row.get(index).ok_or_else(|| unreadable("klines", format_args!("a row has no column {index}")))?;
            serde_json::from_str(raw.get()).map_err(|e| unreadable("klines", format_args!("column {index}: {e}")))
        }
        let (open_time, open, high, low, close, volume, _close_time, quote_volume, trades): Row = (
            cell(&row, 0)?,
            cell(&row, 1)?,
            cell(&row, 2)?,
            cell(&row, 3)?,
            cell(&row, 4)?,
            cell(&row, 5)?,
            cell(&row, 6)?,
            cell(&row, 7)?,
            cell(&row, 8)?,
        );
        let bar = Bar { symbol, timeframe, open_time: Timestamp(open_time), open, high, low, close, volume, quote_volume, trades };
        super::decode::check_bar(&bar).map_err(|e| unreadable("klines", e))?;
        bars.push(bar);
    }
    if bars.windows(2).any(|w| matches!(w, [a, b] if a.open_time >= b.open_time)) {
        return Err(unreadable("klines", "rows out of order"));
    }
    Ok(bars)
}

/// `depth`.
pub(super) fn depth(symbol: Symbol, body: &[u8]) -> Result<DepthSnapshot, QueryError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Answer {
        last_update_id: i64,
        #[serde(rename = "T")]
        time: i64,
        bids: Vec<(Price, Qty)>,
        asks: Vec<(Price, Qty)>,
    }
    let a: Answer = read("depth", body)?;
    let levels = |rows: Vec<(Price, Qty)>| rows.into_iter().map(|(price, qty)| Level { price, qty }).collect::<Vec<_>>();
    let (bids, asks) = (levels(a.bids), levels(a.asks));
    if bids.iter().chain(&asks).any(|l| !l.price.is_positive() || !l.qty.is_positive()) {
        return Err(unreadable("depth", "a level without positive price and quantity"));
    }
    Ok(DepthSnapshot { symbol, last: a.last_update_id, bids, asks, time: Timestamp(a.time) })
}

/// `listenKey`.
pub(super) fn listen_key(body: &[u8]) -> Result<String, QueryError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Answer {
        listen_key: String,
    }
    read::<Answer>("listenKey", body).map(|a| a.listen_key)
}

/// `fundingInfo`: intervals of the contracts that have one of their own.
pub(super) fn funding_intervals(body: &[u8]) -> Result<BTreeMap<String, Span>, QueryError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Answer {
        symbol: String,
        funding_interval_hours: i64,
    }
    let answers = read::<Vec<Answer>>("fundingInfo", body)?;
    Ok(answers.into_iter().map(|a| (a.symbol, Span::hours(a.funding_interval_hours))).collect())
}

/// Interval of contracts that `fundingInfo` does not list (Binance, "Get Funding Rate Info").
const FUNDING_INTERVAL: Span = Span::hours(8);

/// `exchangeInfo` with intervals: USDT perpetuals and the request limits. A contract that cannot be read is left out and
/// logged, since one broken contract must not hide the others; risk refuses what it has no filters of.
pub(super) fn instruments(body: &[u8], intervals: &BTreeMap<String, Span>) -> Result<(Vec<Instrument>, RequestLimits), QueryError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Limit {
        rate_limit_type: String,
        interval: String,
        interval_num: u32,
        limit: u32,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Answer<'a> {
        #[serde(default)]
        rate_limits: Vec<Limit>,
        #[serde(borrow)]
        symbols: Vec<&'a RawValue>,
    }
    let answer: Answer<'_> = serde_json::from_slice(body).map_err(|e| unreadable("exchangeInfo", e))?;
    let mut limits = RequestLimits::default();
    for l in &answer.rate_limits {
        match (l.rate_limit_type.as_str(), l.interval.as_str(), l.interval_num) {
            ("REQUEST_WEIGHT", "MINUTE", 1) => limits.weight_per_minute = l.limit,
            ("ORDERS", "SECOND", 10) => limits.orders_per_10s = l.limit,
            ("ORDERS", "MINUTE", 1) => limits.orders_per_minute = l.limit,
            _ => {}
        }
    }
    let mut instruments = Vec::with_capacity(answer.symbols.len());
    for raw in answer.symbols {
        match instrument(raw.get(), intervals) {
            Ok(Some(instrument)) => instruments.push(instrument),
            Ok(None) => {}
            Err(why) => tracing::warn!(
                why,
                contract = raw.get().get(..80).unwrap_or_default(),
                "a contract of exchangeInfo cannot be read and is left out"
            ),
        }
    }
    Ok((instruments, limits))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Contract {
    symbol: String,
    contract_type: String,
    status: String,
    base_asset: String,
    quote_asset: String,
    margin_asset: String,
    price_precision: u32,
    quantity_precision: u32,
    trigger_protect: Ratio,
    liquidation_fee: Ratio,
    market_take_bound: Ratio,
    filters: Vec<Filter>,
}

#[derive(Deserialize)]
#[serde(tag = "filterType", rename_all = "SCREAMING_SNAKE_CASE", rename_all_fields = "camelCase")]
#[expect(clippy::enum_variant_names, reason = "the exchange's own words")]
enum Filter {
    PriceFilter {
        min_price: Price,
        max_price: Price,
        tick_size: Price,
    },
    LotSize {
        min_qty: Qty,
        max_qty: Qty,
        step_size: Qty,
    },
    MarketLotSize {
        min_qty: Qty,
        max_qty: Qty,
        step_size: Qty,
    },
    MinNotional {
        notional: Usdt,
    },
    PercentPrice {
        multiplier_up: Ratio,
        multiplier_down: Ratio,
    },
    MaxNumOrders {
        limit: u32,
    },
    MaxNumAlgoOrders {
        limit: u32,
    },
    #[serde(other)]
    Other,
}

fn instrument(raw: &str, intervals: &BTreeMap<String, Span>) -> Result<Option<Instrument>, String> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Kind {
        contract_type: String,
        quote_asset: String,
    }
    let kind: Kind = serde_json::from_str(raw).map_err(|e| e.to_string())?;
    if kind.quote_asset != "USDT" || !kind.contract_type.ends_with("PERPETUAL") {
        return Ok(None);
    }
    let c: Contract = serde_json::from_str(raw).map_err(|e| e.to_string())?;
    debug_assert!(c.contract_type == kind.contract_type && c.quote_asset == kind.quote_asset);
    if c.margin_asset != "USDT" {
        return Ok(None);
    }
    let symbol = Symbol::new(&c.symbol).map_err(|e| e.to_string())?;
    let (mut price, mut lot, mut market_lot, mut notional, mut band, mut orders, mut algos) = (None, None, None, None, None, None, None);
    for filter in c.filters {
        match filter {
            Filter::PriceFilter { min_price, max_price, tick_size } => price = Some((min_price, max_price, tick_size)),
            Filter::LotSize { min_qty, max_qty, step_size } => lot = Some((min_qty, max_qty, step_size)),
            Filter::MarketLotSize { min_qty, max_qty, step_size } => market_lot = Some((min_qty, max_qty, step_size)),
            Filter::MinNotional { notional: least } => notional = Some(least),
            Filter::PercentPrice { multiplier_up, multiplier_down } => band = Some((multiplier_up, multiplier_down)),
            Filter::MaxNumOrders { limit } => orders = Some(limit),
            Filter::MaxNumAlgoOrders { limit } => algos = Some(limit),
            Filter::Other => {}
        }
    }
    let missing = |name: &str| format!("{symbol}: filter {name} is missing");
    let (price_min, price_max, tick) = price.ok_or_else(|| missing("PRICE_FILTER"))?;
    let (qty_min, qty_max, step) = lot.ok_or_else(|| missing("LOT_SIZE"))?;
    let (market_qty_min, market_qty_max, market_step) = market_lot.ok_or_else(|| missing("MARKET_LOT_SIZE"))?;
    let (band_up, band_down) = band.ok_or_else(|| missing("PERCENT_PRICE"))?;
    Ok(Some(Instrument {
        symbol,
        status: match c.status.as_str() {
            "TRADING" => SymbolStatus::Trading,
            "PENDING_TRADING" => SymbolStatus::PendingTrading,
            _ => SymbolStatus::NotTrading,
        },
        base: c.base_asset,
        price_min,
        price_max,
        tick,
        qty_min,
        qty_max,
        step,
        market_qty_min,
        market_qty_max,
        market_step,
        notional_min: notional.ok_or_else(|| missing("MIN_NOTIONAL"))?,
        band_up,
        band_down,
        orders_max: orders.ok_or_else(|| missing("MAX_NUM_ORDERS"))?,
        algo_orders_max: algos.ok_or_else(|| missing("MAX_NUM_ALGO_ORDERS"))?,
        liquidation_fee: c.liquidation_fee,
        market_take_bound: c.market_take_bound,
        trigger_protect: c.trigger_protect,
        price_places: c.price_precision,
        qty_places: c.quantity_precision,
        funding_interval: intervals.get(&c.symbol).copied().unwrap_or(FUNDING_INTERVAL),
    }))
}

/// `leverageBracket`: a list, or one object. Contracts without tiers or with a name that is none are left out and logged.
pub(super) fn brackets(body: &[u8]) -> Result<Vec<Brackets>, QueryError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Tier<'a> {
        bracket: u8,
        initial_leverage: u16,
        #[serde(borrow)]
        notional_cap: &'a RawValue,
        #[serde(borrow)]
        notional_floor: &'a RawValue,
        #[serde(borrow)]
        maint_margin_ratio: &'a RawValue,
        #[serde(borrow)]
        cum: &'a RawValue,
    }
    #[derive(Deserialize)]
    struct Contract<'a> {
        symbol: String,
        #[serde(borrow)]
        brackets: Vec<Tier<'a>>,
    }
    let object = body.iter().find(|b| !b.is_ascii_whitespace()) == Some(&b'{');
    let contracts: Vec<Contract<'_>> =
        if object { serde_json::from_slice(body).map(|one| vec![one]) } else { serde_json::from_slice(body) }
            .map_err(|e| unreadable("leverageBracket", e))?;
    let mut all = Vec::with_capacity(contracts.len());
    for contract in contracts {
        let Ok(symbol) = Symbol::new(&contract.symbol) else {
            tracing::warn!(symbol = contract.symbol, "brackets of a contract whose name is none are left out");
            continue;
        };
        let mut tiers = Vec::with_capacity(contract.brackets.len());
        for t in contract.brackets {
            let number =
                |raw: &RawValue| loose(raw.get()).map_err(|e| unreadable("leverageBracket", format_args!("{symbol}: {e}: {}", raw.get())));
            // The last tier's cap may be larger than any amount that fits.
            let cap = match loose(t.notional_cap.get()) {
                Err(NumError::Overflow) => i64::MAX,
                other => other.map_err(|e| unreadable("leverageBracket", format_args!("{symbol}: notionalCap: {e}")))?,
            };
            tiers.push(Bracket {
                tier: t.bracket,
                leverage_max: t.initial_leverage,
                floor: Usdt::from_raw(number(t.notional_floor)?),
                cap: Usdt::from_raw(cap),
                mmr: Ratio::from_raw(number(t.maint_margin_ratio)?),
                cum: Usdt::from_raw(number(t.cum)?),
            });
        }
        tiers.sort_by_key(|t| t.floor);
        if tiers.is_empty() {
            tracing::warn!(%symbol, "a contract without leverage brackets is left out");
        } else {
            all.push(Brackets { symbol, tiers });
        }
    }
    Ok(all)
}
