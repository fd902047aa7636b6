//! What an account has: balances, positions, trades, income.

use super::{Answer, Call};
use crate::server::hub::{margin_word, working_word};
use crate::server::json::Json;
use crate::venue::{AccountSummary, ApiError, IncomeKind, PageQuery, PositionReport};
use fulmar_domain::id::OrderId;
use fulmar_domain::num::{Price, Usdt};
use fulmar_domain::order::{MarginMode, PositionSide, Side};
use fulmar_domain::time::Timestamp;

/// Longest window of a query by time: 7 days.
const WINDOW_MS: i64 = 7 * 86_400_000;

pub(super) fn balance(call: &mut Call<'_>) -> Answer {
    let s = call.exchange.summary(call.account)?;
    let mut j = Json::new();
    j.list().open().word("accountAlias", "SgsR").word("asset", s.balance.asset).dec("balance", s.balance.wallet, 8);
    j.dec("crossWalletBalance", s.balance.cross_wallet, 8).dec("crossUnPnl", s.balance.cross_unrealized, 8);
    j.dec("availableBalance", s.balance.available, 8).dec("maxWithdrawAmount", s.balance.withdrawable, 8);
    j.flag("marginAvailable", true).int("updateTime", s.balance.updated.millis()).close().end();
    Ok(j)
}

fn write_totals(j: &mut Json, s: &AccountSummary) {
    j.dec("totalInitialMargin", s.initial_margin, 8).dec("totalMaintMargin", s.maintenance_margin, 8);
    j.dec("totalWalletBalance", s.balance.wallet, 8).dec("totalUnrealizedProfit", s.unrealized, 8);
    j.dec("totalMarginBalance", s.margin_balance, 8).dec("totalPositionInitialMargin", s.position_margin, 8);
    j.dec("totalOpenOrderInitialMargin", s.order_margin, 8).dec("totalCrossWalletBalance", s.balance.cross_wallet, 8);
    j.dec("totalCrossUnPnl", s.balance.cross_unrealized, 8).dec("availableBalance", s.balance.available, 8);
    j.dec("maxWithdrawAmount", s.balance.withdrawable, 8);
}
fn write_asset(j: &mut Json, s: &AccountSummary, with_available_flag: bool) {
    j.open().word("asset", s.balance.asset).dec("walletBalance", s.balance.wallet, 8).dec("unrealizedProfit", s.unrealized, 8);
    j.dec("marginBalance", s.margin_balance, 8).dec("maintMargin", s.maintenance_margin, 8).dec("initialMargin", s.initial_margin, 8);
    j.dec("positionInitialMargin", s.position_margin, 8).dec("openOrderInitialMargin", s.order_margin, 8);
    j.dec("crossWalletBalance", s.balance.cross_wallet, 8).dec("crossUnPnl", s.balance.cross_unrealized, 8);
    j.dec("availableBalance", s.balance.available, 8).dec("maxWithdrawAmount", s.balance.withdrawable, 8);
    if with_available_flag {
        j.flag("marginAvailable", true);
    }
    j.int("updateTime", s.balance.updated.millis()).close();
}

pub(super) fn account_v2(call: &mut Call<'_>) -> Answer {
    let s = call.exchange.summary(call.account)?;
    let mut j = Json::new();
    j.open().int("feeTier", 0).flag("feeBurn", false).flag("canTrade", true).flag("canDeposit", true).flag("canWithdraw", true);
    j.int("updateTime", 0).flag("multiAssetsMargin", s.multi_assets).int("tradeGroupId", -1);
    write_totals(&mut j, &s);
    j.list_at("assets");
    write_asset(&mut j, &s, true);
    j.end().list_at("positions");
    for p in call.exchange.positions(call.account, None, true) {
        j.open().word("symbol", p.symbol.as_str()).dec("initialMargin", total_margin(&p), 8).dec("maintMargin", p.maintenance_margin, 8);
        j.dec("unrealizedProfit", p.unrealized, 8).dec("positionInitialMargin", p.initial_margin, 8);
        j.dec("openOrderInitialMargin", p.order_margin, 8).int_text("leverage", p.leverage);
        j.flag("isolated", p.margin_mode == MarginMode::Isolated).dec("entryPrice", p.entry, 1).dec("breakEvenPrice", p.break_even, 1);
        j.dec("maxNotional", p.notional_max, 0).dec("bidNotional", p.bid_notional, 0).dec("askNotional", p.ask_notional, 0);
        j.word("positionSide", p.side.as_str()).dec("positionAmt", p.qty, call.hub.places(p.symbol).qty).dec("notional", p.notional, 0);
        j.dec("isolatedWallet", p.isolated_wallet, 0).int("updateTime", p.updated.millis()).close();
    }
    j.end().close();
    Ok(j)
}
pub(super) fn account_v3(call: &mut Call<'_>) -> Answer {
    let s = call.exchange.summary(call.account)?;
    let mut j = Json::new();
    j.open();
    write_totals(&mut j, &s);
    j.list_at("assets");
    write_asset(&mut j, &s, false);
    j.end().list_at("positions");
    for p in call.exchange.positions(call.account, None, false) {
        j.open().word("symbol", p.symbol.as_str()).word("positionSide", p.side.as_str());
        j.dec("positionAmt", p.qty, call.hub.places(p.symbol).qty).dec("unrealizedProfit", p.unrealized, 8);
        j.dec("isolatedMargin", p.isolated_margin, 8).dec("notional", p.notional, 8).dec("isolatedWallet", p.isolated_wallet, 8);
        j.dec("initialMargin", total_margin(&p), 8)
            .dec("maintMargin", p.maintenance_margin, 8)
            .int("updateTime", p.updated.millis())
            .close();
    }
    j.end().close();
    Ok(j)
}
fn total_margin(p: &PositionReport) -> Usdt {
    p.initial_margin.checked_add(p.order_margin).unwrap_or(Usdt::MAX)
}

pub(super) fn positions_v2(call: &mut Call<'_>) -> Answer {
    let symbol = call.optional_symbol()?;
    let mut j = Json::new();
    j.list();
    for p in call.exchange.positions(call.account, symbol, true) {
        j.open().word("symbol", p.symbol.as_str()).dec("positionAmt", p.qty, call.hub.places(p.symbol).qty).dec("entryPrice", p.entry, 1);
        j.dec("breakEvenPrice", p.break_even, 1).dec("markPrice", p.mark, 8).dec("unRealizedProfit", p.unrealized, 8);
        j.dec("liquidationPrice", p.liquidation.unwrap_or(Price::ZERO), 0).int_text("leverage", p.leverage);
        j.dec("maxNotionalValue", p.notional_max, 0).word("marginType", margin_word(p.margin_mode)).dec(
            "isolatedMargin",
            p.isolated_margin,
            8,
        );
        j.word("isAutoAddMargin", "false").word("positionSide", p.side.as_str()).dec("notional", p.notional, 0);
        j.dec("isolatedWallet", p.isolated_wallet, 0).int("updateTime", p.updated.millis());
        j.flag("isolated", p.margin_mode == MarginMode::Isolated).int("adlQuantile", p.adl).close();
    }
    j.end();
    Ok(j)
}
pub(super) fn positions_v3(call: &mut Call<'_>) -> Answer {
    let symbol = call.optional_symbol()?;
    let mut j = Json::new();
    j.list();
    // Version 3 shows only contracts with a position or an open order.
    for p in call.exchange.positions(call.account, symbol, true) {
        if p.qty.is_zero() && p.bid_notional.is_zero() && p.ask_notional.is_zero() {
            continue;
        }
        j.open().word("symbol", p.symbol.as_str()).word("positionSide", p.side.as_str());
        j.dec("positionAmt", p.qty, call.hub.places(p.symbol).qty).dec("entryPrice", p.entry, 1).dec("breakEvenPrice", p.break_even, 1);
        j.dec("markPrice", p.mark, 8).dec("unRealizedProfit", p.unrealized, 8).dec(
            "liquidationPrice",
            p.liquidation.unwrap_or(Price::ZERO),
            0,
        );
        j.dec("isolatedMargin", p.isolated_margin, 0).dec("notional", p.notional, 8).word("marginAsset", "USDT");
        j.dec("isolatedWallet", p.isolated_wallet, 0).dec("initialMargin", total_margin(&p), 8).dec("maintMargin", p.maintenance_margin, 8);
        j.dec("positionInitialMargin", p.initial_margin, 8).dec("openOrderInitialMargin", p.order_margin, 0).int("adl", p.adl);
        j.dec("bidNotional", p.bid_notional, 0).dec("askNotional", p.ask_notional, 0).int("updateTime", p.updated.millis()).close();
    }
    j.end();
    Ok(j)
}

/// A window of at most seven days, the last seven where none is named.
fn week(call: &Call<'_>, mut page: PageQuery) -> Result<PageQuery, ApiError> {
    match (page.from, page.to) {
        (Some(from), Some(to)) if to.since(from).0 > WINDOW_MS => {
            return Err(ApiError::new(-4165, "Invalid time interval, the time range is limited to seven days."));
        }
        (Some(from), None) => page.to = Some(Timestamp(from.millis() + WINDOW_MS)),
        (None, Some(to)) => page.from = Some(Timestamp(to.millis() - WINDOW_MS)),
        (None, None) if page.from_id.is_none() => {
            // The newest of the last seven days: an end without a start keeps the newest.
            page.to = Some(call.exchange.now());
        }
        _ => {}
    }
    Ok(page)
}

pub(super) fn user_trades(call: &mut Call<'_>) -> Answer {
    let symbol = call.instrument()?.symbol;
    let places = call.hub.places(symbol);
    let page = week(call, call.page("fromId", 500, 1_000)?)?;
    let order = call.params.int("orderId")?.map(OrderId);
    let mut j = Json::new();
    j.list();
    for t in call.exchange.user_trades(call.account, symbol, order, page) {
        j.open().word("symbol", symbol.as_str()).word("pair", symbol.as_str()).int("id", t.trade.0).int("orderId", t.order.0);
        j.word("side", t.side.as_str()).dec("price", t.price, places.price).dec("qty", t.qty, places.qty).dec("realizedPnl", t.realized, 8);
        j.word("marginAsset", "USDT")
            .dec("quoteQty", t.quote, 5)
            .word("baseQty", "0")
            .dec("commission", t.fee, 8)
            .word("commissionAsset", "USDT");
        j.int("time", t.time.millis())
            .word("positionSide", t.position_side.as_str())
            .flag("maker", t.maker)
            .flag("buyer", t.side == Side::Buy)
            .close();
    }
    j.end();
    Ok(j)
}

pub(super) fn income(call: &mut Call<'_>) -> Answer {
    let symbol = call.optional_symbol()?;
    let kind = match call.params.text("incomeType")? {
        None => None,
        Some(word) => match IncomeKind::parse(word) {
            Some(kind) => Some(kind),
            // A kind that this exchange never books: nothing to show.
            None if word.bytes().all(|b| b.is_ascii_uppercase() || b == b'_') => {
                let mut j = Json::new();
                j.list().end();
                return Ok(j);
            }
            None => return Err(crate::server::params::not_valid("incomeType")),
        },
    };
    let mut page = call.page("", 100, 1_000)?;
    if let (None, Some(number)) = (page.from, call.params.int::<usize>("page")?) {
        let last = page.limit.saturating_mul(number.max(1));
        page.limit = last;
    }
    let mut j = Json::new();
    j.list();
    for i in call.exchange.income(call.account, symbol, kind, page) {
        j.open()
            .word("symbol", i.symbol.as_ref().map_or("", |s| s.as_str()))
            .word("incomeType", i.kind.as_str())
            .dec("income", i.amount, 8);
        j.word("asset", "USDT").int("time", i.time.millis());
        match i.trade {
            Some(trade) => j.int_text("info", trade.0),
            None => j.word("info", i.kind.as_str()),
        };
        j.int("tranId", i.tran.0);
        match i.trade {
            Some(trade) => j.int_text("tradeId", trade.0),
            None => j.word("tradeId", ""),
        };
        j.close();
    }
    j.end();
    Ok(j)
}

pub(super) fn force_orders(call: &mut Call<'_>) -> Answer {
    let symbol = call.optional_symbol()?;
    let page = week(call, call.page("", 50, 100)?)?;
    let adl = match call.params.text("autoCloseType")? {
        None => None,
        Some("ADL") => Some(true),
        Some("LIQUIDATION") => Some(false),
        Some(_) => return Err(crate::server::params::not_valid("autoCloseType")),
    };
    let mut j = Json::new();
    j.list();
    for f in call.exchange.force_orders(call.account, symbol, page) {
        if adl.is_some_and(|wanted| wanted != f.adl) {
            continue;
        }
        let o = &f.order;
        let p = call.hub.places(o.symbol);
        j.open()
            .int("orderId", o.order.0)
            .word("symbol", o.symbol.as_str())
            .word("pair", o.symbol.as_str())
            .word("status", o.status.as_str());
        j.text("clientOrderId", o.client_id.as_str())
            .dec("price", o.price, p.price)
            .dec("avgPrice", o.average, 5)
            .dec("origQty", o.qty, p.qty);
        j.dec("executedQty", o.filled, p.qty)
            .dec("cumQuote", o.quote, 5)
            .dec("cumBase", o.filled, p.qty)
            .word("timeInForce", o.tif.as_str());
        j.word("type", o.order_type.as_str()).flag("reduceOnly", o.reduce_only).flag("closePosition", o.close_position);
        j.word("side", o.side.as_str()).word("positionSide", o.position_side.as_str()).dec("stopPrice", o.stop_price, p.price);
        j.word("workingType", working_word(o.working)).word("origType", o.orig_type.as_str()).int("time", o.created.millis());
        j.int("updateTime", o.updated.millis()).close();
    }
    j.end();
    Ok(j)
}

pub(super) fn adl_quantile(call: &mut Call<'_>) -> Answer {
    let symbol = call.optional_symbol()?;
    let (_, contracts) = call.one_or_all()?;
    let mut j = Json::new();
    j.list();
    for instrument in contracts {
        let positions = call.exchange.positions(call.account, Some(instrument.symbol), true);
        if symbol.is_none() && positions.iter().all(|p| p.qty.is_zero()) {
            continue;
        }
        j.open().word("symbol", instrument.symbol.as_str()).open_at("adlQuantile");
        for p in &positions {
            j.int(p.side.as_str(), p.adl);
        }
        if positions.iter().any(|p| p.side != PositionSide::Both) {
            j.int("HEDGE", 0);
        } else {
            j.int("LONG", 0).int("SHORT", 0);
        }
        j.close().close();
    }
    j.end();
    Ok(j)
}
