//! How an account trades: leverage, margin and position modes, fees, brackets.

use super::{Answer, Call, success};
use crate::server::json::Json;
use crate::server::params::{mandatory, not_valid};
use crate::venue::{ApiError, PositionMarginChange};
use fulmar_domain::num::Usdt;
use fulmar_domain::order::MarginMode;

const fn margin_type(mode: MarginMode) -> &'static str {
    match mode {
        MarginMode::Cross => "CROSSED",
        MarginMode::Isolated => "ISOLATED",
    }
}

pub(super) fn leverage_bracket(call: &mut Call<'_>) -> Answer {
    let (_, contracts) = call.one_or_all()?;
    let mut j = Json::new();
    j.list();
    for instrument in contracts {
        let Some(brackets) = call.exchange.brackets(instrument.symbol) else { continue };
        j.open().word("symbol", instrument.symbol.as_str()).raw("notionalCoef", "1.0").list_at("brackets");
        for t in &brackets.tiers {
            j.open().int("bracket", t.tier).int("initialLeverage", t.leverage_max).num("notionalCap", t.cap).num("notionalFloor", t.floor);
            j.num("maintMarginRatio", t.mmr).num("cum", t.cum).close();
        }
        j.end().close();
    }
    j.end();
    Ok(j)
}

pub(super) fn set_leverage(call: &mut Call<'_>) -> Answer {
    let symbol = call.instrument()?.symbol;
    let leverage = call.params.int("leverage")?.ok_or_else(|| mandatory("leverage"))?;
    let config = call.exchange.set_leverage(call.account, symbol, leverage, call.out)?;
    let mut j = Json::new();
    j.open().word("symbol", symbol.as_str()).int("leverage", config.leverage).dec("maxNotionalValue", config.notional_max, 0).close();
    Ok(j)
}
pub(super) fn set_margin_type(call: &mut Call<'_>) -> Answer {
    let symbol = call.instrument()?.symbol;
    let mode = match call.params.need("marginType")? {
        "ISOLATED" => MarginMode::Isolated,
        "CROSSED" => MarginMode::Cross,
        _ => return Err(not_valid("marginType")),
    };
    call.exchange.set_margin_mode(call.account, symbol, mode, call.out)?;
    Ok(success("success"))
}
pub(super) fn position_margin(call: &mut Call<'_>) -> Answer {
    let symbol = call.instrument()?.symbol;
    let amount: Usdt = call.params.decimal("amount")?.ok_or_else(|| mandatory("amount"))?;
    let kind = call.params.int::<u8>("type")?.ok_or_else(|| mandatory("type"))?;
    if !(1..=2).contains(&kind) {
        return Err(not_valid("type"));
    }
    if !amount.is_positive() {
        return Err(ApiError::new(-4055, "Amount must be positive."));
    }
    let side = super::orders::position_side_of(call.params)?;
    call.exchange.change_position_margin(call.account, &PositionMarginChange { symbol, side, amount, add: kind == 1 }, call.out)?;
    let mut j = Json::new();
    j.open().num("amount", amount).int("code", 200).word("msg", "Successfully modify position margin.").int("type", kind).close();
    Ok(j)
}

pub(super) fn position_mode(call: &mut Call<'_>) -> Answer {
    let mut j = Json::new();
    j.open().flag("dualSidePosition", call.exchange.summary(call.account)?.hedge).close();
    Ok(j)
}
pub(super) fn set_position_mode(call: &mut Call<'_>) -> Answer {
    let hedge = call.params.flag("dualSidePosition")?.ok_or_else(|| mandatory("dualSidePosition"))?;
    call.exchange.set_hedge_mode(call.account, hedge)?;
    Ok(success("success"))
}
pub(super) fn multi_assets(call: &mut Call<'_>) -> Answer {
    let mut j = Json::new();
    j.open().flag("multiAssetsMargin", call.exchange.summary(call.account)?.multi_assets).close();
    Ok(j)
}
pub(super) fn set_multi_assets(call: &mut Call<'_>) -> Answer {
    let on = call.params.flag("multiAssetsMargin")?.ok_or_else(|| mandatory("multiAssetsMargin"))?;
    call.exchange.set_multi_assets(call.account, on, call.out)?;
    Ok(success("success"))
}

pub(super) fn commission_rate(call: &mut Call<'_>) -> Answer {
    let symbol = call.instrument()?.symbol;
    let s = call.exchange.summary(call.account)?;
    let mut j = Json::new();
    j.open().word("symbol", symbol.as_str()).dec("makerCommissionRate", s.maker_fee, 4).dec("takerCommissionRate", s.taker_fee, 4);
    j.dec("rpiCommissionRate", s.maker_fee, 5).close();
    Ok(j)
}
pub(super) fn account_config(call: &mut Call<'_>) -> Answer {
    let s = call.exchange.summary(call.account)?;
    let mut j = Json::new();
    j.open().int("feeTier", 0).flag("canTrade", true).flag("canDeposit", true).flag("canWithdraw", true).flag("dualSidePosition", s.hedge);
    j.int("updateTime", 0).flag("multiAssetsMargin", s.multi_assets).int("tradeGroupId", -1).close();
    Ok(j)
}
pub(super) fn symbol_config(call: &mut Call<'_>) -> Answer {
    let symbol = call.optional_symbol()?;
    let mut j = Json::new();
    j.list();
    for c in call.exchange.symbol_configs(call.account, symbol) {
        j.open().word("symbol", c.symbol.as_str()).word("marginType", margin_type(c.margin_mode)).flag("isAutoAddMargin", false);
        j.int("leverage", c.leverage).dec("maxNotionalValue", c.notional_max, 0).close();
    }
    j.end();
    Ok(j)
}
pub(super) fn order_limits(call: &mut Call<'_>) -> Answer {
    let limits = call.limits.config();
    let mut j = Json::new();
    j.list();
    for (interval, number, limit) in [("SECOND", 10, limits.orders_per_10_seconds), ("MINUTE", 1, limits.orders_per_minute)] {
        let limit = if limit == 0 { 1_000_000_000 } else { limit };
        j.open().word("rateLimitType", "ORDERS").word("interval", interval).int("intervalNum", number).int("limit", limit).close();
    }
    j.end();
    Ok(j)
}
