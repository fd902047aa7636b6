"""ccxt from PyPI trades on the simulated exchange with nothing changed but its URLs.

Usage: ccxt_client.py http://127.0.0.1:PORT   (or SIMEX_URL; key and secret by SIMEX_KEY and SIMEX_SECRET)
"""

import asyncio
import os
import sys
from urllib.parse import urlparse

import ccxt
import ccxt.pro

from checks import Checks, wait_for

BASE = (sys.argv[1] if len(sys.argv) > 1 else os.environ.get("SIMEX_URL", "")).rstrip("/")
KEY, SECRET = os.environ.get("SIMEX_KEY", "simexKey"), os.environ.get("SIMEX_SECRET", "simexSecret")
SYMBOL = "BTC/USDT:USDT"
if not BASE:
    sys.exit("give the URL of a simulated exchange")
WS = "ws://" + urlparse(BASE).netloc
checks = Checks("ccxt")


def redirect(exchange):
    """Every futures URL to the simulated exchange; whatever else ccxt would call stays unreachable."""
    api = exchange.urls["api"]
    for name in list(api):
        if not isinstance(api[name], str):
            continue
        if name.startswith("fapi") and name != "fapiData":
            version = api[name].rsplit("/", 1)[1]
            api[name] = f"{BASE}/fapi/{version}"
        else:
            api[name] = "http://127.0.0.1:1/"
    if "ws" in api:
        api["ws"]["linear"] = f"{WS}/ws"
        api["ws"]["ws-api"]["linear"] = f"{WS}/ws-fapi/v1"
    return exchange


def options():
    return {
        "apiKey": KEY,
        "secret": SECRET,
        "enableRateLimit": False,
        "options": {"defaultType": "swap", "fetchMarkets": {"types": ["linear"]}, "fetchCurrencies": False, "adjustForTimeDifference": True},
    }


def step(exchange, price):
    return float(exchange.price_to_precision(SYMBOL, price))


def market_data(exchange):
    markets = exchange.load_markets()
    market = markets[SYMBOL]
    checks.that("the market is a linear swap", market["swap"] and market["linear"] and market["active"], market)
    checks.that("the market has steps and a smallest order", market["precision"]["price"] and market["limits"]["cost"]["min"], market["limits"])
    checks.that("server time", exchange.fetch_time() > 1_600_000_000_000)
    book = exchange.fetch_order_book(SYMBOL, 20)
    checks.that("the book has levels on both sides, best first", len(book["bids"]) > 1 and book["bids"][0][0] > book["bids"][1][0] and book["asks"][0][0] > book["bids"][0][0], book)
    ticker = exchange.fetch_ticker(SYMBOL)
    checks.that("the ticker has prices", ticker["last"] > 0 and ticker["high"] >= ticker["low"], ticker)
    checks.that("tickers", SYMBOL in exchange.fetch_tickers())
    checks.that("last prices", exchange.fetch_last_prices([SYMBOL])[SYMBOL]["price"] > 0)
    checks.that("bids and asks", exchange.fetch_bids_asks([SYMBOL])[SYMBOL]["bid"] > 0)
    candles = exchange.fetch_ohlcv(SYMBOL, "1m", limit=200)
    checks.that("candles follow each other", len(candles) == 200 and all(b[0] - a[0] == 60_000 for a, b in zip(candles, candles[1:])))
    checks.that("five-minute candles", len(exchange.fetch_ohlcv(SYMBOL, "5m", limit=50)) > 10)
    checks.that("mark candles", len(exchange.fetch_mark_ohlcv(SYMBOL, "1m", limit=5)) > 0)
    trades = wait_for(lambda: exchange.fetch_trades(SYMBOL, limit=10), bool)
    checks.that("public trades", trades and trades[-1]["price"] > 0)
    funding = exchange.fetch_funding_rate(SYMBOL)
    checks.that("funding rate with its next time", funding["markPrice"] > 0 and funding["fundingTimestamp"] > 0, funding)
    checks.that("funding rates", SYMBOL in exchange.fetch_funding_rates([SYMBOL]))
    checks.that("funding intervals", exchange.fetch_funding_intervals([SYMBOL])[SYMBOL]["interval"])
    exchange.fetch_funding_rate_history(SYMBOL, limit=5)
    checks.that("open interest", exchange.fetch_open_interest(SYMBOL)["openInterestAmount"] is not None)
    tiers = exchange.fetch_leverage_tiers([SYMBOL])[SYMBOL]
    checks.that("brackets grow", len(tiers) > 3 and tiers[0]["maxLeverage"] > tiers[-1]["maxLeverage"], tiers[:2])


def settings(exchange):
    balance = exchange.fetch_balance()
    checks.that("there is money", balance["USDT"]["total"] > 100, balance["USDT"])
    checks.that("leverage", exchange.set_leverage(10, SYMBOL)["leverage"] in (10, "10"))
    checks.that("leverage is kept", exchange.fetch_leverage(SYMBOL)["longLeverage"] == 10, exchange.fetch_leverage(SYMBOL))
    exchange.set_margin_mode("isolated", SYMBOL)
    checks.that("margin mode is kept", exchange.fetch_margin_mode(SYMBOL)["marginMode"] == "isolated")
    exchange.set_margin_mode("cross", SYMBOL)
    checks.that("margin mode can go back", exchange.fetch_margin_mode(SYMBOL)["marginMode"] == "cross")
    exchange.set_position_mode(True, SYMBOL)
    checks.that("position mode is kept", exchange.fetch_position_mode(SYMBOL)["hedged"] is True)
    exchange.set_position_mode(False, SYMBOL)
    checks.that("position mode can go back", exchange.fetch_position_mode(SYMBOL)["hedged"] is False)
    fee = exchange.fetch_trading_fee(SYMBOL)
    checks.that("fees", fee["taker"] > fee["maker"] >= 0, fee)


def resting_orders(exchange):
    last = exchange.fetch_ticker(SYMBOL)["last"]
    order = exchange.create_order(SYMBOL, "limit", "buy", 0.01, step(exchange, last * 0.9), {"clientOrderId": "ccxt-limit-1"})
    checks.that("a limit order stands", order["status"] == "open" and order["clientOrderId"] == "ccxt-limit-1", order)
    checks.that("it is found", exchange.fetch_order(order["id"], SYMBOL)["id"] == order["id"])
    checks.that("it is among the open ones", [o["id"] for o in exchange.fetch_open_orders(SYMBOL)] == [order["id"]])
    checks.that("it is among all", order["id"] in [o["id"] for o in exchange.fetch_orders(SYMBOL)])
    edited = exchange.edit_order(order["id"], SYMBOL, "limit", "buy", 0.02, step(exchange, last * 0.91))
    checks.that("it is changed in place", edited["id"] == order["id"] and edited["amount"] == 0.02, edited)
    checks.that("it is cancelled", exchange.cancel_order(order["id"], SYMBOL)["status"] == "canceled")
    checks.that("it is gone", exchange.fetch_open_orders(SYMBOL) == [])
    several = exchange.create_orders([
        {"symbol": SYMBOL, "type": "limit", "side": "buy", "amount": 0.01, "price": step(exchange, last * 0.9), "params": {}},
        {"symbol": SYMBOL, "type": "limit", "side": "buy", "amount": 0.01, "price": step(exchange, last * 0.89), "params": {}},
    ])
    checks.that("two at once", len(several) == 2 and all(o["id"] for o in several), several)
    exchange.cancel_orders([o["id"] for o in several], SYMBOL)
    checks.that("both are cancelled", exchange.fetch_open_orders(SYMBOL) == [])
    exchange.create_order(SYMBOL, "limit", "buy", 0.01, step(exchange, last * 0.9))
    exchange.cancel_all_orders(SYMBOL)
    checks.that("all are cancelled", exchange.fetch_open_orders(SYMBOL) == [])
    for what, call, code in [
        ("too small", lambda: exchange.create_order(SYMBOL, "limit", "buy", 0.001, step(exchange, last * 0.05)), "-4164"),
        ("too much", lambda: exchange.create_order(SYMBOL, "market", "buy", 90), "-2019"),
        ("unknown order", lambda: exchange.cancel_order("1", SYMBOL), "-2011"),
    ]:
        try:
            call()
            checks.that(f"{what} is refused", False)
        except ccxt.ExchangeError as error:
            checks.that(f"{what} is refused", code in str(error), error)


def fills(exchange):
    order = exchange.create_order(SYMBOL, "market", "buy", 0.02)
    filled = wait_for(lambda: exchange.fetch_order(order["id"], SYMBOL), lambda o: o["status"] == "closed")
    checks.that("a market order fills", filled["status"] == "closed" and filled["filled"] == 0.02 and filled["average"] > 0, filled)
    position = exchange.fetch_positions([SYMBOL])[0]
    checks.that("the position stands", position["contracts"] == 0.02 and position["side"] == "long" and position["entryPrice"] > 0, position)
    checks.that("the position has a mark and a margin", position["markPrice"] > 0 and position["initialMargin"] > 0, position)
    checks.that("positionRisk shows it", any(p["contracts"] == 0.02 for p in exchange.fetch_positions_risk([SYMBOL])))
    last = exchange.fetch_ticker(SYMBOL)["last"]
    stop = exchange.create_order(SYMBOL, "STOP_MARKET", "sell", None, None, {"stopPrice": step(exchange, last * 0.8), "closePosition": True})
    target = exchange.create_order(SYMBOL, "TAKE_PROFIT_MARKET", "sell", 0.02, None, {"stopPrice": step(exchange, last * 1.2), "reduceOnly": True})
    trailing = exchange.create_order(SYMBOL, "TRAILING_STOP_MARKET", "sell", 0.02, None, {"trailingPercent": 5, "reduceOnly": True})
    limit = exchange.create_order(SYMBOL, "STOP", "sell", 0.02, step(exchange, last * 0.79), {"stopPrice": step(exchange, last * 0.8), "reduceOnly": True})
    waiting = exchange.fetch_open_orders(SYMBOL, params={"trigger": True})
    wanted = {o["id"] for o in (stop, target, trailing, limit)}
    checks.that("conditional orders stand", {o["id"] for o in waiting} == wanted, waiting)
    checks.that("conditional orders are not regular ones", exchange.fetch_open_orders(SYMBOL) == [])
    checks.that("a conditional order is found", exchange.fetch_order(stop["id"], SYMBOL, {"trigger": True})["id"] == stop["id"])
    for order in (target, trailing, limit):
        exchange.cancel_order(order["id"], SYMBOL, {"trigger": True})
    checks.that("one is left", [o["id"] for o in exchange.fetch_open_orders(SYMBOL, params={"trigger": True})] == [stop["id"]])
    exchange.cancel_all_orders(SYMBOL, {"trigger": True})
    checks.that("none is left", exchange.fetch_open_orders(SYMBOL, params={"trigger": True}) == [])
    closing = exchange.create_order(SYMBOL, "market", "sell", 0.02, None, {"reduceOnly": True})
    wait_for(lambda: exchange.fetch_order(closing["id"], SYMBOL), lambda o: o["status"] == "closed")
    checks.that("the position is closed", exchange.fetch_positions([SYMBOL]) == [] or exchange.fetch_positions([SYMBOL])[0]["contracts"] == 0)
    trades = exchange.fetch_my_trades(SYMBOL)
    checks.that("both sides traded", {t["side"] for t in trades} == {"buy", "sell"} and all(t["fee"]["cost"] > 0 for t in trades), trades[-2:])
    income = exchange.fapiPrivateGetIncome({"symbol": "BTCUSDT"})
    checks.that("income has fees and profit", {"COMMISSION", "REALIZED_PNL"} <= {i["incomeType"] for i in income}, income)
    exchange.fetch_funding_history(SYMBOL)
    exchange.fetch_ledger("USDT")
    checks.that("a touched stop becomes an order", triggered(exchange))


def triggered(exchange):
    order = exchange.create_order(SYMBOL, "market", "buy", 0.01)
    wait_for(lambda: exchange.fetch_order(order["id"], SYMBOL), lambda o: o["status"] == "closed")
    last = exchange.fetch_ticker(SYMBOL)["last"]
    # A tenth of a basis point away on both sides: one of the two is touched soon.
    near = [
        exchange.create_order(SYMBOL, "STOP_MARKET", "sell", 0.01, None, {"stopPrice": step(exchange, last * 0.99999), "reduceOnly": True}),
        exchange.create_order(SYMBOL, "TAKE_PROFIT_MARKET", "sell", 0.01, None, {"stopPrice": step(exchange, last * 1.00001), "reduceOnly": True}),
    ]
    left = wait_for(lambda: [p for p in exchange.fetch_positions([SYMBOL]) if p["contracts"]], lambda p: not p, 30)
    exchange.cancel_all_orders(SYMBOL, {"trigger": True})
    return near and not left


async def streams():
    exchange = redirect(ccxt.pro.binance(options()))
    try:
        await exchange.load_markets()

        async def seen(what, watch, good=lambda value: bool(value)):
            try:
                value = await asyncio.wait_for(watch, 20)
                checks.that(f"stream of {what}", good(value), str(value)[:300])
            except Exception as error:  # noqa: BLE001 - every failure is reported
                checks.that(f"stream of {what}", False, f"{type(error).__name__}: {error}")

        await seen("trades", exchange.watch_trades(SYMBOL), lambda t: t[-1]["price"] > 0)
        await seen("the ticker", exchange.watch_ticker(SYMBOL), lambda t: t["last"] > 0)
        await seen("tickers", exchange.watch_tickers([SYMBOL]), lambda t: SYMBOL in t)
        await seen("candles", exchange.watch_ohlcv(SYMBOL, "1m"), lambda c: c[-1][4] > 0)
        await seen("the book", exchange.watch_order_book(SYMBOL), lambda b: b["bids"][0][0] < b["asks"][0][0])
        await seen("bids and asks", exchange.watch_bids_asks([SYMBOL]), lambda b: b[SYMBOL]["bid"] > 0)
        await seen("mark prices", exchange.watch_mark_price(SYMBOL), lambda m: m["markPrice"] > 0)
        await seen("all mark prices", exchange.watch_mark_prices([SYMBOL]), lambda m: SYMBOL in m)
        orders = asyncio.ensure_future(exchange.watch_orders(SYMBOL))
        trades = asyncio.ensure_future(exchange.watch_my_trades(SYMBOL))
        balance = asyncio.ensure_future(exchange.watch_balance())
        positions = asyncio.ensure_future(exchange.watch_positions([SYMBOL]))
        await asyncio.sleep(2)
        await exchange.create_order(SYMBOL, "market", "buy", 0.01, None, {"newClientOrderId": "ccxt-stream-1"})
        await seen("orders", orders, lambda o: any(x["clientOrderId"] == "ccxt-stream-1" for x in o))
        await seen("own trades", trades, lambda t: t[-1]["amount"] > 0)
        await seen("the balance", balance, lambda b: b["USDT"]["total"] > 0)
        await seen("positions", positions, lambda p: p is not None)
        await exchange.create_order(SYMBOL, "market", "sell", 0.01, None, {"reduceOnly": True})
        last = (await exchange.fetch_ticker(SYMBOL))["last"]
        placed = await exchange.create_order_ws(SYMBOL, "limit", "buy", 0.01, step(exchange, last * 0.9))
        checks.that("an order over the trading socket", placed["status"] == "open", placed)
        cancelled = await exchange.cancel_order_ws(placed["id"], SYMBOL)
        checks.that("a cancel over the trading socket", cancelled["status"] == "canceled", cancelled)
    finally:
        await exchange.close()


def main():
    exchange = redirect(ccxt.binance(options()))
    checks.part("market data", lambda: market_data(exchange))
    checks.part("settings", lambda: settings(exchange))
    checks.part("resting orders", lambda: resting_orders(exchange))
    checks.part("fills", lambda: fills(exchange))
    checks.part("streams", lambda: asyncio.run(streams()))
    checks.end()


main()
