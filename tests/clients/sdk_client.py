"""Binance's official Python SDK from PyPI trades on the simulated exchange with nothing changed but its URLs.

The SDK parses every answer and frame into typed models, so a field of the wrong type is an error here.

Usage: sdk_client.py http://127.0.0.1:PORT   (or SIMEX_URL; key and secret by SIMEX_KEY and SIMEX_SECRET)
"""

import asyncio
import os
import sys
import time
from urllib.parse import urlparse

from binance_common.configuration import ConfigurationRestAPI, ConfigurationWebSocketAPI, ConfigurationWebSocketStreams
from binance_common.errors import BadRequestError
from binance_sdk_derivatives_trading_usds_futures.derivatives_trading_usds_futures import DerivativesTradingUsdsFutures
from binance_sdk_derivatives_trading_usds_futures.rest_api.models import PlaceMultipleOrdersBatchOrdersParameterInner

from checks import Checks, wait_for

BASE = (sys.argv[1] if len(sys.argv) > 1 else os.environ.get("SIMEX_URL", "")).rstrip("/")
KEY, SECRET = os.environ.get("SIMEX_KEY", "simexKey"), os.environ.get("SIMEX_SECRET", "simexSecret")
SYMBOL = "ETHUSDT"
if not BASE:
    sys.exit("give the URL of a simulated exchange")
WS = "ws://" + urlparse(BASE).netloc
checks = Checks("sdk")

client = DerivativesTradingUsdsFutures(
    config_rest_api=ConfigurationRestAPI(api_key=KEY, api_secret=SECRET, base_path=BASE, timeout=5_000, retries=0),
    config_ws_api=ConfigurationWebSocketAPI(api_key=KEY, api_secret=SECRET, stream_url=f"{WS}/ws-fapi/v1"),
    config_ws_streams=ConfigurationWebSocketStreams(stream_url=WS),
)
rest = client.rest_api


def data(response):
    """The parsed answer, out of the wrapper that models of several forms have."""
    value = response.data()
    return getattr(value, "actual_instance", value)


def price(factor):
    last = float(data(rest.symbol_price_ticker(symbol=SYMBOL)).price)
    return round(last * factor, 1)


def market_data():
    rest.test_connectivity()
    checks.that("time", data(rest.check_server_time()).server_time > 1_600_000_000_000)
    info = data(rest.exchange_information())
    checks.that("contracts", SYMBOL in [s.symbol for s in info.symbols])
    checks.that("limits", {r.rate_limit_type for r in info.rate_limits} == {"REQUEST_WEIGHT", "ORDERS"})
    book = data(rest.order_book(symbol=SYMBOL, limit=20))
    checks.that("book", book.last_update_id > 0 and len(book.bids) > 1 and len(book.asks) > 1)
    checks.that("trades", wait_for(lambda: data(rest.recent_trades_list(symbol=SYMBOL, limit=5)), bool))
    checks.that("older trades", data(rest.old_trades_lookup(symbol=SYMBOL, limit=5)))
    checks.that("aggregate trades", data(rest.compressed_aggregate_trades_list(symbol=SYMBOL, limit=5)))
    klines = data(rest.kline_candlestick_data(symbol=SYMBOL, interval="1m", limit=100))
    checks.that("klines", len(klines) == 100)
    checks.that("continuous klines", data(rest.continuous_contract_kline_candlestick_data(pair=SYMBOL, contract_type="PERPETUAL", interval="1m", limit=10)))
    checks.that("mark klines", data(rest.mark_price_kline_candlestick_data(symbol=SYMBOL, interval="1m", limit=10)))
    checks.that("mark price", float(data(rest.mark_price(symbol=SYMBOL)).mark_price) > 0)
    checks.that("all mark prices", len(data(rest.mark_price())) >= 1)
    checks.that("funding info", data(rest.get_funding_rate_info())[0].funding_interval_hours in (1, 4, 8))
    rest.get_funding_rate_history(symbol=SYMBOL)
    checks.that("day statistics", float(data(rest.ticker24hr_price_change_statistics(symbol=SYMBOL)).last_price) > 0)
    checks.that("all day statistics", len(data(rest.ticker24hr_price_change_statistics())) >= 1)
    checks.that("price", float(data(rest.symbol_price_ticker_v2(symbol=SYMBOL)).price) > 0)
    ticker = data(rest.symbol_order_book_ticker(symbol=SYMBOL))
    checks.that("best bid and ask", float(ticker.bid_price) < float(ticker.ask_price))
    checks.that("open interest", float(data(rest.open_interest(symbol=SYMBOL)).open_interest) >= 0)


def settings():
    brackets = data(rest.notional_and_leverage_brackets(symbol=SYMBOL))
    checks.that("brackets", len(brackets[0].brackets) > 3 if isinstance(brackets, list) else len(brackets.brackets) > 3)
    checks.that("balance v2", float(data(rest.futures_account_balance_v2())[0].balance) > 100)
    checks.that("balance v3", float(data(rest.futures_account_balance_v3())[0].balance) > 100)
    for account in (data(rest.account_information_v2()), data(rest.account_information_v3())):
        checks.that("account", float(account.total_wallet_balance) > 100)
    checks.that("leverage", data(rest.change_initial_leverage(symbol=SYMBOL, leverage=12)).leverage == 12)
    rest.change_margin_type(symbol=SYMBOL, margin_type="ISOLATED")
    config = data(rest.symbol_configuration(symbol=SYMBOL))[0]
    checks.that("settings are kept", (config.leverage, config.margin_type) == (12, "ISOLATED"), config)
    rest.change_position_mode(dual_side_position="true")
    checks.that("hedge mode", data(rest.get_current_position_mode()).dual_side_position is True)
    rest.change_position_mode(dual_side_position="false")
    checks.that("one-way mode", data(rest.futures_account_configuration()).dual_side_position is False)
    checks.that("multi-assets mode", data(rest.get_current_multi_assets_mode()).multi_assets_margin is False)
    checks.that("fees", float(data(rest.user_commission_rate(symbol=SYMBOL)).taker_commission_rate) > 0)
    checks.that("order limits", len(data(rest.query_user_rate_limit())) == 2)


def refused(what, code, action):
    try:
        action()
        checks.that(what, False, "was not refused")
    except BadRequestError as error:
        checks.that(what, str(code) in str(vars(error)) or str(code) in str(error), f"{error} {vars(error)}")


def resting_orders():
    name = f"sdk-{int(time.time())}"
    order = data(rest.new_order(symbol=SYMBOL, side="BUY", type="LIMIT", time_in_force="GTC", quantity=0.5, price=price(0.9), new_client_order_id=name))
    checks.that("a limit order stands", (order.status, order.client_order_id) == ("NEW", name), order)
    checks.that("it is found", data(rest.query_order(symbol=SYMBOL, orig_client_order_id=name)).order_id == order.order_id)
    checks.that("it is open", data(rest.query_current_open_order(symbol=SYMBOL, order_id=order.order_id)).status == "NEW")
    checks.that("it is listed", [o.order_id for o in data(rest.current_all_open_orders(symbol=SYMBOL))] == [order.order_id])
    checks.that("it is among all", order.order_id in [o.order_id for o in data(rest.all_orders(symbol=SYMBOL))])
    changed = data(rest.modify_order(symbol=SYMBOL, side="BUY", quantity=0.6, price=price(0.89), order_id=order.order_id))
    checks.that("it is changed", float(changed.orig_qty) == 0.6, changed)
    checks.that("it is cancelled", data(rest.cancel_order(symbol=SYMBOL, order_id=order.order_id)).status == "CANCELED")
    refused("a second cancel is refused", -2011, lambda: rest.cancel_order(symbol=SYMBOL, order_id=order.order_id))
    refused("too much is refused", -2019, lambda: rest.new_order(symbol=SYMBOL, side="BUY", type="LIMIT", time_in_force="GTC", quantity=900, price=price(0.99)))
    one = PlaceMultipleOrdersBatchOrdersParameterInner(symbol=SYMBOL, side="BUY", type="LIMIT", time_in_force="GTC", quantity=0.5, price=price(0.9))
    several = data(rest.place_multiple_orders(batch_orders=[one, one]))
    checks.that("two at once", len(several) == 2 and all(o.status == "NEW" for o in several), several)
    rest.cancel_multiple_orders(symbol=SYMBOL, order_id_list=[o.order_id for o in several])
    checks.that("both are cancelled", data(rest.current_all_open_orders(symbol=SYMBOL)) == [])
    rest.auto_cancel_all_open_orders(symbol=SYMBOL, countdown_time=0)
    rest.cancel_all_open_orders(symbol=SYMBOL)
    rest.test_order(symbol=SYMBOL, side="BUY", type="LIMIT", time_in_force="GTC", quantity=0.5, price=price(0.9))
    checks.that("a test order leaves nothing", data(rest.current_all_open_orders(symbol=SYMBOL)) == [])


def position():
    return [p for p in data(rest.position_information_v3(symbol=SYMBOL)) if float(p.position_amt) != 0]


def conditional(**more):
    return data(rest.new_algo_order(algo_type="CONDITIONAL", symbol=SYMBOL, side="SELL", **more))


def fills():
    order = data(rest.new_order(symbol=SYMBOL, side="BUY", type="MARKET", quantity=0.5, new_order_resp_type="RESULT"))
    filled = wait_for(lambda: data(rest.query_order(symbol=SYMBOL, order_id=order.order_id)), lambda o: o.status == "FILLED")
    checks.that("a market order fills", filled.status == "FILLED" and float(filled.avg_price) > 0, filled)
    held = position()
    checks.that("the position stands", held and float(held[0].position_amt) == 0.5, held)
    checks.that("version 2 shows it", float(data(rest.position_information_v2(symbol=SYMBOL))[0].position_amt) == 0.5)
    rest.modify_isolated_position_margin(symbol=SYMBOL, amount=10, type=1)
    rest.position_adl_quantile_estimation(symbol=SYMBOL)
    stop = conditional(type="STOP_MARKET", trigger_price=price(0.8), close_position="true", working_type="MARK_PRICE")
    target = conditional(type="TAKE_PROFIT_MARKET", trigger_price=price(1.2), quantity=0.5, reduce_only="true")
    limit = conditional(type="TAKE_PROFIT", trigger_price=price(1.2), price=price(1.21), quantity=0.5, reduce_only="true", time_in_force="GTC")
    trailing = conditional(type="TRAILING_STOP_MARKET", callback_rate=5, quantity=0.5, reduce_only="true")
    ids = {o.algo_id for o in (stop, target, limit, trailing)}
    checks.that("conditional orders stand", {o.algo_id for o in data(rest.current_all_algo_open_orders())} == ids)
    checks.that("one is found", data(rest.query_algo_order(algo_id=stop.algo_id)).algo_status == "NEW")
    checks.that("one is cancelled", str(data(rest.cancel_algo_order(algo_id=target.algo_id)).code) == "200")
    rest.cancel_all_algo_open_orders(symbol=SYMBOL)
    checks.that("none is left", data(rest.current_all_algo_open_orders()) == [])
    checks.that("their history stays", ids <= {o.algo_id for o in data(rest.query_all_algo_orders(symbol=SYMBOL))})
    # One of the two lies in the way of the price.
    near = [conditional(type=kind, trigger_price=price(f), quantity=0.5, reduce_only="true") for kind, f in (("STOP_MARKET", 0.9998), ("TAKE_PROFIT_MARKET", 1.0002))]
    checks.that("a touched one closes the position", not wait_for(position, lambda p: not p, 45))
    states = [data(rest.query_algo_order(algo_id=o.algo_id)) for o in near]
    done = [o for o in states if o.algo_status == "FINISHED"]
    checks.that("it became a regular order", len(done) >= 1 and data(rest.query_order(symbol=SYMBOL, order_id=int(done[0].actual_order_id))).status == "FILLED", states)
    rest.cancel_all_algo_open_orders(symbol=SYMBOL)
    trades = data(rest.account_trade_list(symbol=SYMBOL))
    checks.that("both sides traded", {t.side for t in trades} == {"BUY", "SELL"}, trades)
    income = data(rest.get_income_history(symbol=SYMBOL))
    checks.that("income", {"COMMISSION", "REALIZED_PNL"} <= {i.income_type for i in income}, income)
    rest.users_force_orders()


async def streams():
    connection = client.websocket_streams
    await connection.create_connection()
    seen = {}

    def listen(name):
        def hear(message):
            seen.setdefault(name, []).append(message)

        return hear

    s = connection
    opened = {
        "aggregate trades": s.aggregate_trade_streams(symbol="ethusdt"),
        "klines": s.kline_candlestick_streams(symbol="ethusdt", interval="1m"),
        "continuous klines": s.continuous_contract_kline_candlestick_streams(pair="ethusdt", contract_type="perpetual", interval="1m"),
        "mark price": s.mark_price_stream(symbol="ethusdt", update_speed="1s"),
        "all mark prices": s.mark_price_stream_for_all_market(update_speed="1s"),
        "ticker": s.individual_symbol_ticker_streams(symbol="ethusdt"),
        "all tickers": s.all_market_tickers_streams(),
        "mini ticker": s.individual_symbol_mini_ticker_stream(symbol="ethusdt"),
        "all mini tickers": s.all_market_mini_tickers_stream(),
        "best bid and ask": s.individual_symbol_book_ticker_streams(symbol="ethusdt"),
        "all best bids and asks": s.all_book_tickers_stream(),
        "partial depth": s.partial_book_depth_streams(symbol="ethusdt", levels=10, update_speed="100ms"),
        "depth": s.diff_book_depth_streams(symbol="ethusdt", update_speed="100ms"),
    }
    for name, opening in opened.items():
        handle = await opening
        handle.on("message", listen(name))
    key = data(rest.start_user_data_stream()).listen_key
    rest.keepalive_user_data_stream()
    user = await s.user_data(key)
    user.on("message", listen("user data"))
    await asyncio.sleep(2)
    api = client.websocket_api
    await api.create_connection()
    placed = await api.new_order(symbol=SYMBOL, side="BUY", type="LIMIT", time_in_force="GTC", quantity=0.5, price=price(0.9))
    order_id = placed.data().result.order_id
    checks.that("an order over the trading socket", placed.data().status == 200 and order_id > 0, placed.data())
    state = await api.query_order(symbol=SYMBOL, order_id=order_id)
    checks.that("its state over the trading socket", state.data().result.status == "NEW", state.data())
    gone = await api.cancel_order(symbol=SYMBOL, order_id=order_id)
    checks.that("its cancel over the trading socket", gone.data().result.status == "CANCELED", gone.data())
    rest.new_order(symbol=SYMBOL, side="BUY", type="MARKET", quantity=0.5)
    await asyncio.sleep(6)
    rest.new_order(symbol=SYMBOL, side="SELL", type="MARKET", quantity=0.5, reduce_only="true")
    await asyncio.sleep(4)
    for name in [*opened, "user data"]:
        checks.that(f"stream of {name}", seen.get(name), "nothing came")
    kinds = {type(getattr(m, "actual_instance", m)).__name__ for m in seen.get("user data", [])}
    checks.that("orders and the account among the user data", any("Order" in k for k in kinds) and any("Account" in k for k in kinds), kinds)
    checks.that("prices in the frames", float(seen["aggregate trades"][0].p) > 0 if seen.get("aggregate trades") else False)
    rest.close_user_data_stream()
    await api.close_connection(close_session=True)
    await connection.close_connection(close_session=True)


def main():
    checks.part("market data", market_data)
    checks.part("settings", settings)
    checks.part("resting orders", resting_orders)
    checks.part("fills", fills)
    checks.part("streams", lambda: asyncio.run(streams()))
    checks.end()


main()
