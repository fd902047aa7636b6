//! User-data events as frames: field names, order and types as in Binance's "User Data Streams".

use super::{Hub, Places};
use crate::server::json::Json;
use crate::venue::{
    AccountId, AccountUpdate, AlgoReport, MarginCall, OrderTradeUpdate, OrderType, PositionChange, PriceMatch, TradeLite, UserEvent,
};
use fulmar_domain::num::Price;
use fulmar_domain::order::{MarginMode, WorkingType};
use fulmar_domain::time::Timestamp;

impl Hub {
    /// Encodes a user event once and sends it to the listeners of the account; nothing is encoded when there are none.
    pub(crate) fn publish_user_event(&mut self, account: AccountId, now: Timestamp, event: &UserEvent) {
        if self.users.values().any(|topic| topic.account == account) {
            let mut json = Json::new();
            let name = self.write_user_event(&mut json, now, event);
            self.publish_user(account, name, json.as_str());
        }
    }
    fn write_user_event(&self, j: &mut Json, now: Timestamp, event: &UserEvent) -> &'static str {
        let name = match event {
            UserEvent::Order(_) => "ORDER_TRADE_UPDATE",
            UserEvent::Account(_) => "ACCOUNT_UPDATE",
            UserEvent::Algo(..) => "ALGO_UPDATE",
            UserEvent::TradeLite(_) => "TRADE_LITE",
            UserEvent::MarginCall(_) => "MARGIN_CALL",
            UserEvent::Leverage(..) | UserEvent::MultiAssets(_) => "ACCOUNT_CONFIG_UPDATE",
        };
        j.open().word("e", name);
        if name != "MARGIN_CALL" {
            j.int("T", now.millis());
        }
        j.int("E", now.millis());
        match event {
            UserEvent::Order(update) => write_order(j, update, self.places(update.order.symbol)),
            UserEvent::Account(update) => write_account(j, update),
            UserEvent::Algo(report, reason) => write_algo(j, report, *reason, self.places(report.symbol)),
            UserEvent::TradeLite(trade) => write_trade_lite(j, trade, self.places(trade.symbol)),
            UserEvent::MarginCall(call) => write_margin_call(j, call),
            UserEvent::Leverage(symbol, leverage) => {
                j.open_at("ac").word("s", symbol.as_str()).int("l", *leverage).close();
            }
            UserEvent::MultiAssets(on) => {
                j.open_at("ai").flag("j", *on).close();
            }
        }
        j.close();
        name
    }
}

/// `workingType` as the exchange writes it.
pub(crate) const fn working_word(working: WorkingType) -> &'static str {
    match working {
        WorkingType::MarkPrice => "MARK_PRICE",
        WorkingType::ContractPrice => "CONTRACT_PRICE",
    }
}
/// `priceMatch` as the exchange writes it.
pub(crate) fn match_word(price_match: Option<PriceMatch>) -> &'static str {
    price_match.map_or("NONE", PriceMatch::as_str)
}
/// `marginType` of events and of the older position answers.
pub(crate) const fn margin_word(mode: MarginMode) -> &'static str {
    match mode {
        MarginMode::Cross => "cross",
        MarginMode::Isolated => "isolated",
    }
}

fn write_order(j: &mut Json, u: &OrderTradeUpdate, places: Places) {
    let o = &u.order;
    j.open_at("o").word("s", o.symbol.as_str()).word("c", o.client_id.as_str()).word("S", o.side.as_str()).word("o", o.order_type.as_str());
    j.word("f", o.tif.as_str()).dec("q", o.qty, places.qty).dec("p", o.price, 0).dec("ap", o.average, 0).dec("sp", o.stop_price, 0);
    j.word("x", u.execution.as_str()).word("X", o.status.as_str()).int("i", o.order.0).dec("l", u.last_qty, 0).dec("z", o.filled, 0);
    j.dec("L", u.last_price, 0).dec("n", u.fee, 0).word("N", "USDT").int("T", o.updated.millis()).int("t", u.trade.0);
    j.dec("b", u.bid_notional, 0).dec("a", u.ask_notional, 0).flag("m", u.maker).flag("R", o.reduce_only);
    j.word("wt", working_word(o.working))
        .word("ot", o.orig_type.as_str())
        .word("ps", o.position_side.as_str())
        .flag("cp", o.close_position);
    j.word("AP", "0").word("cr", "0").dec("rp", u.realized, 0).flag("pP", o.price_protect).int("si", 0).int("ss", 0);
    j.word("V", o.stp.as_str())
        .word("pm", match_word(o.price_match))
        .int("gtd", o.good_till.millis())
        .int_text("er", u.expiry_reason)
        .close();
}

fn write_account(j: &mut Json, u: &AccountUpdate) {
    j.open_at("a").list_at("B");
    if let Some(b) = &u.balance {
        j.open().word("a", "USDT").dec("wb", b.wallet, 8).dec("cw", b.cross_wallet, 8).dec("bc", b.change, 0).close();
    }
    j.end().list_at("P");
    for p in &u.positions {
        j.open().word("s", p.symbol.as_str()).dec("pa", p.qty, 0).dec("ep", p.entry, 0).dec("cr", p.realized, 0).dec("up", p.unrealized, 0);
        j.word("mt", margin_word(p.margin_mode)).dec("iw", p.isolated_wallet, 0).word("ps", p.side.as_str()).word("ma", "USDT");
        j.dec("bep", p.break_even, 0).close();
    }
    j.end().word("m", u.reason.as_str()).close();
}

fn write_algo(j: &mut Json, o: &AlgoReport, reason: Option<&'static str>, places: Places) {
    j.open_at("o").word("caid", o.client_id.as_str()).int("aid", o.algo.0).word("at", "CONDITIONAL").word("o", o.order_type.as_str());
    j.word("s", o.symbol.as_str()).word("S", o.side.as_str()).word("ps", o.position_side.as_str()).word("f", o.tif.as_str());
    j.dec("q", o.qty, places.qty).word("X", o.status.as_str());
    match o.child {
        Some(child) => j.int_text("ai", child.0),
        None => j.word("ai", ""),
    };
    j.dec("ap", o.child_average, 5)
        .dec("aq", o.child_filled, 5)
        .word("act", if o.child.is_some() { child_type(o.order_type) } else { "0" });
    j.dec("tp", o.trigger, 0).dec("p", o.price, 0).word("V", o.stp.as_str()).word("wt", working_word(o.working));
    j.word("pm", match_word(o.price_match)).flag("cp", o.close_position).flag("pP", o.price_protect).flag("R", o.reduce_only);
    j.int("tt", o.triggered.millis())
        .int("gtd", o.good_till.millis())
        .text("rm", reason.unwrap_or(""))
        .flag("ia", o.activation > Price::ZERO);
    if o.order_type == OrderType::TrailingStopMarket {
        j.dec("AP", o.activation, 0).dec("cr", o.callback_percent, 0);
    }
    j.close();
}

/// The type of the regular order that a conditional one becomes.
pub(crate) const fn child_type(order_type: OrderType) -> &'static str {
    match order_type {
        OrderType::Limit | OrderType::Stop | OrderType::TakeProfit => "LIMIT",
        OrderType::Market | OrderType::StopMarket | OrderType::TakeProfitMarket | OrderType::TrailingStopMarket => "MARKET",
    }
}

fn write_trade_lite(j: &mut Json, t: &TradeLite, places: Places) {
    j.word("s", t.symbol.as_str()).dec("q", t.qty, places.qty).dec("p", t.price, places.price).flag("m", t.maker);
    j.word("c", t.client_id.as_str()).word("S", t.side.as_str()).dec("L", t.last_price, places.price).dec("l", t.last_qty, places.qty);
    j.int("t", t.trade.0).int("i", t.order.0);
}

fn write_margin_call(j: &mut Json, call: &MarginCall) {
    if let Some(wallet) = call.cross_wallet {
        j.dec("cw", wallet, 8);
    }
    j.list_at("p");
    for (position, mark, maintenance) in &call.positions {
        let PositionChange { symbol, side, qty, margin_mode, isolated_wallet, unrealized, .. } = position;
        j.open().word("s", symbol.as_str()).word("ps", side.as_str()).dec("pa", *qty, 0);
        j.word("mt", if *margin_mode == MarginMode::Cross { "CROSSED" } else { "ISOLATED" });
        j.dec("iw", *isolated_wallet, 0).dec("mp", *mark, 0).dec("up", *unrealized, 0).dec("mm", *maintenance, 0).close();
    }
    j.end();
}
