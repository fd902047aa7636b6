//! Requests that change something, and questions about the account: [`TradingVenue`] over signed REST.

use super::answers;
use super::rest::{Call, Rest, Security};
use super::sign::Query;
use super::venue::BinanceVenue;
use bytes::Bytes;
use fulmar_domain::account::{AccountSnapshot, Income, VenuePosition};
use fulmar_domain::execution::{OrderRef, OrderState, Outcome};
use fulmar_domain::id::{OrderId, TradeId};
use fulmar_domain::order::{
    Fill, MarginMode, OrderEvent, OrderKind, OrderRole, PositionSide, TimeInForce, VenueError, VenueOrder, WorkingType,
};
use fulmar_domain::symbol::Symbol;
use fulmar_domain::time::{Span, Timestamp};
use fulmar_ports::exchange::{BoxFuture, QueryError, TradingVenue};
use reqwest::Method;
use std::sync::Arc;

/// Longest window of `userTrades` (Binance: seven days).
const TRADES_WINDOW: Span = Span::hours(7 * 24);
/// How far back trades are kept (Binance: three months).
const TRADES_KEPT: Span = Span::hours(89 * 24);
/// How often the account is read until two readings agree.
const ACCOUNT_TRIES: usize = 4;

/// Maps a success's body; a body that cannot be read leaves the outcome unknown.
fn read_done<T>(outcome: Outcome<Bytes>, fence: Timestamp, read: impl FnOnce(&[u8]) -> Result<T, QueryError>) -> Outcome<T> {
    match outcome {
        Outcome::Done(body) => match read(&body) {
            Ok(value) => Outcome::Done(value),
            Err(error) => Outcome::Unknown { error: VenueError { code: 0, message: error.to_string() }, fence },
        },
        Outcome::Refused(error) => Outcome::Refused(error),
        Outcome::NotExecuted { error, retry_after } => Outcome::NotExecuted { error, retry_after },
        Outcome::Unknown { error, fence } => Outcome::Unknown { error, fence },
    }
}

/// "Already so" counts as done.
fn already(outcome: Outcome<Bytes>, code: i32) -> Outcome<()> {
    match outcome {
        Outcome::Done(_) => Outcome::Done(()),
        Outcome::Refused(error) if error.code == code => Outcome::Done(()),
        other => read_done(other, Timestamp::ZERO, |_| Ok(())),
    }
}

const fn working(working: WorkingType) -> &'static str {
    match working {
        WorkingType::MarkPrice => "MARK_PRICE",
        WorkingType::ContractPrice => "CONTRACT_PRICE",
    }
}

const fn time_in_force(tif: TimeInForce) -> &'static str {
    match tif {
        TimeInForce::Gtc => "GTC",
        TimeInForce::Ioc => "IOC",
        TimeInForce::Fok => "FOK",
        TimeInForce::Gtx => "GTX",
        TimeInForce::Gtd { .. } => "GTD",
    }
}

/// The parameters of a new regular or algo order.
fn order_query(order: &VenueOrder) -> Result<Query, VenueError> {
    let base = |kind: &str| {
        Query::new()
            .with("symbol", order.symbol)
            .with("side", order.side.as_str())
            .with("positionSide", order.position_side.as_str())
            .with("type", kind)
    };
    // Hedge mode: the side of the position says what reduces, and `reduceOnly` is not allowed.
    let reduce = (order.reduce_only && order.position_side == PositionSide::Both).then_some("true");
    let regular = |query: Query, answer: &str| {
        query
            .with("quantity", order.qty)
            .with_some("reduceOnly", reduce)
            .with("newClientOrderId", order.client_id)
            .with("newOrderRespType", answer)
    };
    let algo = |kind: &str, trigger: Option<_>, price: Option<_>, on: WorkingType| {
        let query = base(kind)
            .with("algoType", "CONDITIONAL")
            .with_some("triggerPrice", trigger)
            .with_some("price", price)
            .with_some("timeInForce", price.map(|_| "GTC"))
            .with("workingType", working(on))
            .with("clientAlgoId", order.client_id);
        if order.close_position {
            query.with("closePosition", "true")
        } else {
            query.with("quantity", order.qty).with_some("reduceOnly", reduce)
        }
    };
    Ok(match order.kind {
        OrderKind::Market => regular(base("MARKET"), "RESULT"),
        OrderKind::Limit { price, tif } => {
            let query = base("LIMIT").with("price", price).with("timeInForce", time_in_force(tif));
            let query = match tif {
                TimeInForce::Gtd { until } => query.with("goodTillDate", until.millis()),
                _ => query,
            };
            let answer = if matches!(tif, TimeInForce::Ioc | TimeInForce::Fok) { "RESULT" } else { "ACK" };
            regular(query, answer)
        }
        OrderKind::StopMarket { trigger, working } => algo("STOP_MARKET", Some(trigger), None, working),
        OrderKind::TakeProfitMarket { trigger, working } => algo("TAKE_PROFIT_MARKET", Some(trigger), None, working),
        OrderKind::Stop { trigger, price, working } => algo("STOP", Some(trigger), Some(price), working),
        OrderKind::TakeProfit { trigger, price, working } => algo("TAKE_PROFIT", Some(trigger), Some(price), working),
        OrderKind::TrailingStopMarket { activation, callback, working } => {
            let percent = callback
                .times_int(100)
                .map_err(|e| VenueError { code: 0, message: format!("callback rate {callback} cannot be written in percent: {e}") })?;
            algo("TRAILING_STOP_MARKET", None, None, working).with_some("activatePrice", activation).with("callbackRate", percent)
        }
    })
}

/// Does this order only reduce?
const fn reduces(order: &VenueOrder) -> bool {
    order.reduce_only || order.close_position || !matches!(order.role, OrderRole::Entry { .. })
}

fn query_call(order: OrderRef, window: Span) -> Call {
    let query = Query::new().with("symbol", order.symbol);
    if order.algo {
        Call::new(Method::GET, "/fapi/v1/algoOrder", query.with("clientAlgoId", order.client_id), Security::Signed(window), 1)
    } else {
        Call::new(Method::GET, "/fapi/v1/order", query.with("origClientOrderId", order.client_id), Security::Signed(window), 1)
    }
}

fn state_of(order: OrderRef, body: &[u8]) -> Result<OrderState, QueryError> {
    if order.algo { answers::algo(body).map(OrderState::Algo) } else { answers::order(body).map(OrderState::Regular) }
}

impl BinanceVenue {
    fn orders_window(&self) -> Security {
        Security::Signed(self.rest.settings.recv_window_orders)
    }
    fn signed(&self) -> Security {
        Security::Signed(self.rest.settings.recv_window)
    }
    fn change_to<T: Send + 'static>(
        &self,
        call: Call,
        read: impl FnOnce(&[u8]) -> Result<T, QueryError> + Send + 'static,
    ) -> BoxFuture<Outcome<T>> {
        let fence = self.rest.fence(self.rest.clock.now());
        let sent = self.rest.change(call);
        Box::pin(async move { read_done(sent.await, fence, read) })
    }
    fn ask_for<T: Send + 'static>(
        &self,
        call: Call,
        read: impl FnOnce(&[u8]) -> Result<T, QueryError> + Send + 'static,
    ) -> BoxFuture<Result<T, QueryError>> {
        let asked = self.rest.ask(call);
        Box::pin(async move { read(&asked.await?) })
    }
}

async fn account_now(rest: Arc<Rest>) -> Result<AccountSnapshot, QueryError> {
    let signed = Security::Signed(rest.settings.recv_window);
    let get = |path, query, weight| Call::new(Method::GET, path, query, signed, weight);
    let wallet = || get("/fapi/v3/account", Query::new(), 5);
    let hedge_mode = answers::hedge_mode(&rest.ask_now(get("/fapi/v1/positionSide/dual", Query::new(), 30)).await?)?;
    let fees = Query::new().with("symbol", rest.settings.fee_symbol);
    let (taker_fee, maker_fee) = answers::commission(&rest.ask_now(get("/fapi/v1/commissionRate", fees, 20)).await?)?;
    let settings = answers::symbol_config(&rest.ask_now(get("/fapi/v1/symbolConfig", Query::new(), 5)).await?)?;
    // Wallet and positions are two answers; they belong together only when nothing moved between them.
    let mut before = answers::wallet(&rest.ask_now(wallet()).await?)?;
    for _ in 0..ACCOUNT_TRIES {
        let positions = answers::positions(&rest.ask_now(get("/fapi/v3/positionRisk", Query::new(), 5)).await?)?;
        let read_at = rest.clock.now();
        let after = answers::wallet(&rest.ask_now(wallet()).await?)?;
        let same = after == before
            && positions.len() == after.positions.len()
            && positions
                .iter()
                .zip(&after.positions)
                .all(|(p, a)| p.symbol == a.symbol && p.position_side == a.position_side && p.position_amt == a.position_amt);
        before = after;
        if !same {
            continue;
        }
        // What the answer contains is told by the exchange's stamps, which are on the clock of fills; a simulated market's clock
        // is not the protocol's.
        let time = if rest.settings.lock_step { read_at } else { before.changed.unwrap_or(read_at) };
        let mut of_venue = Vec::with_capacity(positions.len());
        for p in positions {
            let margin_mode = settings.iter().find(|s| s.symbol == p.symbol).map(|s| s.margin_mode).ok_or_else(|| {
                QueryError::Unreadable { what: "symbolConfig".to_owned(), why: format!("{} has a position and no settings", p.symbol) }
            })?;
            of_venue.push(VenuePosition {
                symbol: p.symbol,
                side: p.position_side,
                qty: p.position_amt,
                entry: p.entry_price,
                margin_mode,
                isolated_wallet: p.isolated_wallet,
            });
        }
        return Ok(AccountSnapshot { wallet: before.usdt, hedge_mode, positions: of_venue, settings, taker_fee, maker_fee, time });
    }
    Err(QueryError::Unreachable("the account moved between each two readings; ask again".to_owned()))
}

async fn fills_now(rest: Arc<Rest>, symbol: Symbol, from: Option<TradeId>, since: Timestamp) -> Result<Vec<Fill>, QueryError> {
    let signed = Security::Signed(rest.settings.recv_window);
    let call = |query: Query| Call::new(Method::GET, "/fapi/v1/userTrades", query, signed, 5);
    let base = || Query::new().with("symbol", symbol).with("limit", 1_000);
    if let Some(from) = from {
        return answers::fills(&rest.ask_now(call(base().with("fromId", from))).await?);
    }
    // Market time may run ahead of the protocol's in the simulated exchange, so the last window is left open.
    let now = rest.clock.now();
    let mut start = since.max(now.minus(TRADES_KEPT));
    loop {
        let last = now.since(start).0 < TRADES_WINDOW.0;
        let end = (!last).then(|| start.plus(TRADES_WINDOW).minus(Span(1)).millis());
        let query = base().with("startTime", start.millis()).with_some("endTime", end);
        let fills = answers::fills(&rest.ask_now(call(query)).await?)?;
        if last || !fills.is_empty() {
            return Ok(fills);
        }
        start = start.plus(TRADES_WINDOW);
    }
}

impl TradingVenue for BinanceVenue {
    fn place(&self, order: VenueOrder, sign_until: Option<Timestamp>) -> BoxFuture<Outcome<OrderState>> {
        let query = match order_query(&order) {
            Ok(query) => query,
            Err(error) => return Box::pin(async move { Outcome::Refused(error) }),
        };
        let algo = order.kind.is_algo();
        let path = if algo { "/fapi/v1/algoOrder" } else { "/fapi/v1/order" };
        let mut call = Call::new(Method::POST, path, query, self.orders_window(), 0).order().for_risk(reduces(&order));
        call.sign_until = sign_until;
        self.change_to(
            call,
            move |body| if algo { answers::algo(body).map(OrderState::Algo) } else { answers::order(body).map(OrderState::Regular) },
        )
    }

    fn cancel(&self, order: OrderRef) -> BoxFuture<Outcome<OrderState>> {
        let query = Query::new().with("symbol", order.symbol);
        let window = self.rest.settings.recv_window_orders;
        if !order.algo {
            let query = query.with("origClientOrderId", order.client_id);
            let call = Call::new(Method::DELETE, "/fapi/v1/order", query, self.orders_window(), 1).for_risk(true);
            return self.change_to(call, |body| answers::order(body).map(OrderState::Regular));
        }
        // The answer to cancelling an algo order holds nothing but its number: its state is asked for.
        let query = query.with("clientAlgoId", order.client_id);
        let sent = self.rest.change(Call::new(Method::DELETE, "/fapi/v1/algoOrder", query, self.orders_window(), 1).for_risk(true));
        let rest = Arc::clone(&self.rest);
        self.rest.change_on_runtime(async move {
            match sent.await {
                Outcome::Done(_) => {
                    let state = rest.ask_now(query_call(order, window).for_risk(true)).await.and_then(|body| state_of(order, &body));
                    match state {
                        Ok(state) => Outcome::Done(state),
                        Err(error) => Outcome::Unknown {
                            error: VenueError { code: 0, message: format!("cancelled, but its state is not known: {error}") },
                            fence: rest.clock.now(),
                        },
                    }
                }
                other => read_done(other, Timestamp::ZERO, |body| state_of(order, body)),
            }
        })
    }

    fn set_leverage(&self, symbol: Symbol, leverage: u16) -> BoxFuture<Outcome<u16>> {
        let query = Query::new().with("symbol", symbol).with("leverage", leverage);
        self.change_to(Call::new(Method::POST, "/fapi/v1/leverage", query, self.signed(), 1), answers::leverage)
    }

    fn set_margin_mode(&self, symbol: Symbol, mode: MarginMode) -> BoxFuture<Outcome<()>> {
        let word = match mode {
            MarginMode::Cross => "CROSSED",
            MarginMode::Isolated => "ISOLATED",
        };
        let query = Query::new().with("symbol", symbol).with("marginType", word);
        let sent = self.rest.change(Call::new(Method::POST, "/fapi/v1/marginType", query, self.signed(), 1));
        Box::pin(async move { already(sent.await, -4046) })
    }

    fn set_hedge_mode(&self, hedge: bool) -> BoxFuture<Outcome<()>> {
        let query = Query::new().with("dualSidePosition", hedge);
        let sent = self.rest.change(Call::new(Method::POST, "/fapi/v1/positionSide/dual", query, self.signed(), 1));
        Box::pin(async move { already(sent.await, -4059) })
    }

    fn countdown_cancel(&self, symbol: Symbol, after: Span) -> BoxFuture<Outcome<()>> {
        let query = Query::new().with("symbol", symbol).with("countdownTime", after.0);
        let call = Call::new(Method::POST, "/fapi/v1/countdownCancelAll", query, self.signed(), 10);
        self.change_to(call, |_| Ok(()))
    }

    fn query(&self, order: OrderRef) -> BoxFuture<Result<OrderState, QueryError>> {
        self.ask_for(query_call(order, self.rest.settings.recv_window), move |body| state_of(order, body))
    }

    fn open_orders(&self) -> BoxFuture<Result<Vec<OrderState>, QueryError>> {
        let rest = Arc::clone(&self.rest);
        let signed = self.signed();
        self.rest.on_runtime(async move {
            let regular = rest.ask_now(Call::new(Method::GET, "/fapi/v1/openOrders", Query::new(), signed, 40)).await?;
            let algo = rest.ask_now(Call::new(Method::GET, "/fapi/v1/openAlgoOrders", Query::new(), signed, 40)).await?;
            let mut all = answers::orders(&regular)?;
            all.extend(answers::algos(&algo)?);
            Ok(all)
        })
    }

    fn query_child(&self, symbol: Symbol, order: OrderId) -> BoxFuture<Result<OrderEvent, QueryError>> {
        let query = Query::new().with("symbol", symbol).with("orderId", order);
        self.ask_for(Call::new(Method::GET, "/fapi/v1/order", query, self.signed(), 1), answers::order)
    }

    fn fills(&self, symbol: Symbol, from: Option<TradeId>, since: Timestamp) -> BoxFuture<Result<Vec<Fill>, QueryError>> {
        self.rest.on_runtime(fills_now(Arc::clone(&self.rest), symbol, from, since))
    }

    fn incomes(&self, since: Timestamp) -> BoxFuture<Result<Vec<Income>, QueryError>> {
        let query = Query::new().with("startTime", since.millis()).with("limit", 1_000);
        self.ask_for(Call::new(Method::GET, "/fapi/v1/income", query, self.signed(), 30), answers::incomes)
    }

    fn account(&self) -> BoxFuture<Result<AccountSnapshot, QueryError>> {
        self.rest.on_runtime(account_now(Arc::clone(&self.rest)))
    }

    fn server_time(&self) -> BoxFuture<Result<Timestamp, QueryError>> {
        self.ask_for(super::rest::time_call(), answers::server_time)
    }
}
