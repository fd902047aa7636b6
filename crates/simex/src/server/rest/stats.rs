//! Klines and tickers.

use super::{Answer, Call};
use crate::server::json::Json;
use crate::server::params::{Params, invalid_symbol, mandatory, not_valid};
use crate::venue::{ApiError, Kline, KlineSource};
use fulmar_domain::market::Timeframe;
use fulmar_domain::symbol::Symbol;
use fulmar_domain::time::Span;

fn interval(params: &Params) -> Result<Timeframe, ApiError> {
    params.one_of("interval", |w| w.parse().ok(), -1120, "Invalid interval.")?.ok_or_else(|| mandatory("interval"))
}
fn write_klines(call: &Call<'_>, symbol: Symbol, source: KlineSource) -> Answer {
    let timeframe = interval(call.params)?;
    let places = call.hub.places(symbol);
    let klines = call.exchange.klines(symbol, source, timeframe, call.page("", 500, 1_500)?);
    let mut j = Json::new();
    j.list();
    let price_places = if source == KlineSource::Mark { 8 } else { places.price };
    for Kline { bar, taker_volume, taker_quote, .. } in &klines {
        j.list().int_item(bar.open_time.millis()).dec_item(bar.open, price_places).dec_item(bar.high, price_places);
        j.dec_item(bar.low, price_places).dec_item(bar.close, price_places).dec_item(bar.volume, places.qty);
        j.int_item(bar.end().minus(Span(1)).millis()).dec_item(bar.quote_volume, places.price).int_item(bar.trades);
        j.dec_item(*taker_volume, places.qty).dec_item(*taker_quote, places.price).item("0").end();
    }
    j.end();
    Ok(j)
}
pub(super) fn klines(call: &mut Call<'_>) -> Answer {
    write_klines(call, call.instrument()?.symbol, KlineSource::Contract)
}
pub(super) fn mark_klines(call: &mut Call<'_>) -> Answer {
    write_klines(call, call.instrument()?.symbol, KlineSource::Mark)
}
pub(super) fn continuous_klines(call: &mut Call<'_>) -> Answer {
    let pair = Symbol::new(call.params.need("pair")?).map_err(|_| invalid_symbol())?;
    if call.params.need("contractType")? != "PERPETUAL" {
        return Err(not_valid("contractType"));
    }
    write_klines(call, call.find(pair)?.symbol, KlineSource::Contract)
}

fn each(call: &Call<'_>, write: impl Fn(&mut Json, Symbol)) -> Answer {
    let (single, contracts) = call.one_or_all()?;
    let mut j = Json::new();
    if !single {
        j.list();
    }
    for instrument in contracts {
        write(&mut j, instrument.symbol);
    }
    if !single {
        j.end();
    } else if j.as_str().is_empty() {
        return Err(ApiError::new(-1000, "The contract has no price yet."));
    }
    Ok(j)
}
pub(super) fn ticker_day(call: &mut Call<'_>) -> Answer {
    each(call, |j, symbol| {
        let Some(t) = call.exchange.ticker(symbol) else { return };
        let p = call.hub.places(symbol);
        j.open().word("symbol", symbol.as_str()).dec("priceChange", t.change, p.price).dec("priceChangePercent", t.change_percent, 3);
        j.dec("weightedAvgPrice", t.weighted_average, p.price).dec("lastPrice", t.last, p.price).dec("lastQty", t.last_qty, p.qty);
        j.dec("openPrice", t.open, p.price).dec("highPrice", t.high, p.price).dec("lowPrice", t.low, p.price);
        j.dec("volume", t.volume, p.qty).dec("quoteVolume", t.quote_volume, 2).int("openTime", t.opened.millis());
        j.int("closeTime", t.closed.millis()).int("firstId", t.first_trade).int("lastId", t.last_trade).int("count", t.trades).close();
    })
}
pub(super) fn ticker_price(call: &mut Call<'_>) -> Answer {
    each(call, |j, symbol| {
        let Some((price, time)) = call.exchange.ticker(symbol).map(|t| (t.last, t.closed)) else { return };
        j.open().word("symbol", symbol.as_str()).dec("price", price, call.hub.places(symbol).price).int("time", time.millis()).close();
    })
}
pub(super) fn ticker_book(call: &mut Call<'_>) -> Answer {
    each(call, |j, symbol| {
        let Some(t) = call.exchange.top(symbol) else { return };
        let p = call.hub.places(symbol);
        j.open().word("symbol", symbol.as_str()).dec("bidPrice", t.bid, p.price).dec("bidQty", t.bid_qty, p.qty);
        j.dec("askPrice", t.ask, p.price)
            .dec("askQty", t.ask_qty, p.qty)
            .int("time", t.time.millis())
            .int("lastUpdateId", t.update)
            .close();
    })
}
