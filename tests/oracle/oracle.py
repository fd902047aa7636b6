#!/usr/bin/env python3
"""An independent reckoning of the simulated exchange's books.

Reads the exchange's ledger (one JSON object a line, see crates/simex/src/venue/log.rs for the fields) and recomputes, from
raw fills, funding rates and marks alone: positions, average entries, realised PnL, fees, funding, isolated margin,
liquidations and the wallet. Compares every figure with the one that the exchange wrote down and, where asked for, with the
engine's own ledger. Uses nothing of the project: Python 3 and its `decimal` only.

    oracle.py LEDGER.jsonl [--fulmar ENGINE.jsonl] [--account N] [--brackets BRACKETS.json]
    oracle.py --self-test [LEDGER.jsonl] [--brackets BRACKETS.json]

--fulmar    the engine's ledger: lines that hold an object with `against`, `amount`, `symbol`, `source`
            (a bare entry, or one inside a journal record; other lines are passed over)
--account   the account of the engine at the exchange, when more than one has traded
--brackets  the answer of GET /fapi/v1/leverageBracket; then the maintenance margin of cross accounts is recomputed too, and
            every recorded mark is checked for an isolated liquidation that should have happened and did not (the ledger must
            have been written with marks)
--self-test alters one value of each kind in the ledger (a built-in one when none is named), drops and doubles records, and
            fails unless the reckoning notices each of them

Prints counts and differences. Exit code 0: everything agrees to 1e-8; 1: something differs; 2: wrong use or unreadable input.

The rules (trading-rules, "Account"), with the rounding that the exchange documents, q(x) = nearest 1e-8, half to even:
    value of a fill      q(price * qty)
    fee                  q(value * rate)
    realised             q((exit - entry) * closed) with the sign of the position
    entry after adding   q((entry * held + price * added) / (held + added)); reducing leaves it; crossing zero starts anew
    funding              -q(q(mark * qty) * rate), qty signed: a long pays when the rate is positive
    isolated margin      adding: up(value / leverage); reducing: q(margin * closed / held), all with the last piece
    notional             up(|qty| * mark); maintenance: up(notional * rate) - cum, never below zero
    liquidation          margin balance <= maintenance; fills at the bankruptcy price or better; the fee is what is left, at
                         most q(value * fee rate); what lacks is paid by insurance
"""

import argparse
import json
import sys
from collections import defaultdict, deque
from decimal import ROUND_CEILING, ROUND_HALF_EVEN, Decimal, getcontext

getcontext().prec = 60
UNIT = Decimal("0.00000001")
TOLERANCE = UNIT
ZERO = Decimal(0)
SHOWN = 40


def q(x):
    return x.quantize(UNIT, rounding=ROUND_HALF_EVEN)


def up(x):
    return x.quantize(UNIT, rounding=ROUND_CEILING)


class Position:
    """Signed quantity, average entry and isolated margin of one leg."""

    def __init__(self):
        self.qty, self.entry, self.isolated = ZERO, ZERO, ZERO
        self.mode = "cross"
        self.touched = False  # margin was moved by a request that does not tell which leg

    def fill(self, signed, price, leverage, mode):
        """Books a fill and gives what it realised."""
        realized, rest = ZERO, signed
        self.mode = mode
        if self.qty * signed < 0:
            closed = min(abs(self.qty), abs(signed))
            sign = 1 if self.qty > 0 else -1
            realized = q((price - self.entry) * closed * sign)
            whole = closed == abs(self.qty)
            self.isolated -= self.isolated if whole else q(self.isolated * closed / abs(self.qty))
            self.qty -= sign * closed
            rest = signed + sign * closed
            if whole:
                self.entry = ZERO
                self.touched = False
        if rest:
            held, added = abs(self.qty), abs(rest)
            self.entry = q((self.entry * held + price * added) / (held + added))
            self.qty += rest
            if mode == "isolated":
                self.isolated += up(q(price * added) / leverage)
        return realized

    def unrealized(self, mark):
        return q((mark - self.entry) * self.qty)


class Reckoning:
    """Goes through a ledger once; `differences` holds what does not agree."""

    def __init__(self, brackets=None):
        self.differences = []
        self.counts = defaultdict(int)
        self.positions = defaultdict(Position)  # (account, symbol, leg)
        self.wallet = defaultdict(lambda: ZERO)  # ours, by account
        self.theirs = {}  # the newest balance that the exchange wrote
        self.expected = defaultdict(deque)  # (account, kind): (seq, symbol, amount)
        self.seen = defaultdict(deque)
        self.sums = defaultdict(lambda: ZERO)  # (account, kind, symbol)
        self.trades = defaultdict(lambda: [ZERO, ZERO])  # (account, symbol, trade): realised, fee
        self.marks = {}
        self.brackets = brackets
        self.due = {}  # (account, symbol, leg): seq of the mark that liquidates it
        self.forced = {}  # (account, order): what a liquidation allows
        self.filled = {}  # order: quantity filled so far
        self.seq = None
        self.time = None

    def differ(self, seq, what, ours, theirs):
        self.differences.append(f"record {seq}: {what}: reckoned {ours}, written {theirs}")

    def same(self, seq, what, ours, theirs):
        if abs(ours - Decimal(theirs)) > TOLERANCE:
            self.differ(seq, what, ours, theirs)

    # Records ---------------------------------------------------------------------------------------------------------

    def take(self, r):
        seq, kind = r["seq"], r["record"]
        self.counts[kind] += 1
        if self.seq is not None and seq != self.seq + 1:
            self.differ(seq, "number of the record", self.seq + 1, seq)
        if self.time is not None and r["time"] < self.time:
            self.differ(seq, "time goes back", self.time, r["time"])
        self.seq, self.time = seq, r["time"]
        handler = getattr(self, "take_" + kind, None)
        if handler:
            handler(seq, r)

    def take_account(self, seq, r):
        amount = Decimal(r["start_balance"])
        if amount:
            self.book(seq, r["account"], "TRANSFER", None, amount)

    def take_request(self, seq, r):
        if r["what"] != "position_margin" or r.get("code", 0) != 0:
            return
        legs = [(r["account"], r["symbol"], leg) for leg in ("BOTH", "LONG", "SHORT")]
        held = [self.positions[leg] for leg in legs if leg in self.positions and self.positions[leg].qty]
        if len(held) == 1:
            held[0].isolated += Decimal(r["id"])
        else:  # the record names no leg: taken from the next fill or liquidation
            for position in held:
                position.touched = True

    def take_order(self, seq, r):
        key = (r["account"], r["order"])
        if r["status"] in ("PARTIALLY_FILLED", "FILLED"):
            self.same(seq, "filled quantity of the order", self.filled.get(key, ZERO), r["filled"])

    def take_fill(self, seq, r):
        account, symbol = r["account"], r["symbol"]
        position = self.positions[(account, symbol, r["position_side"])]
        price, qty, rate = Decimal(r["price"]), Decimal(r["qty"]), Decimal(r["fee_rate"])
        if price <= 0 or qty <= 0:
            self.differ(seq, "price and quantity of a fill", "above zero", f"{price} {qty}")
            return
        if (account, symbol, r["trade"], r["order"]) in self.filled:
            self.differ(seq, "fill", "each once", f"trade {r['trade']} again")
        self.filled[(account, symbol, r["trade"], r["order"])] = True
        order = (account, r["order"])
        self.filled[order] = self.filled.get(order, ZERO) + qty
        self.same(seq, "position before", position.qty, r["position_before"])
        self.same(seq, "entry before", position.entry, r["entry_before"])
        signed = qty if r["side"] == "BUY" else -qty
        realized = position.fill(signed, price, int(r["leverage"]), r["margin_mode"])
        fee = q(q(price * qty) * rate)
        self.same(seq, "position after", position.qty, r["position_after"])
        self.same(seq, "entry after", position.entry, r["entry_after"])
        self.same(seq, "realised", realized, r["realized"])
        self.same(seq, "fee", fee, r["fee"])
        if r["margin_mode"] == "isolated" and not position.touched:
            self.same(seq, "isolated margin", position.isolated, r["isolated_after"])
        elif position.touched:
            position.isolated = Decimal(r["isolated_after"])
            self.counts["isolated margins taken as given (moved by a request that names no leg)"] += 1
        if realized:
            self.book(seq, account, "REALIZED_PNL", symbol, realized)
        if fee:
            self.book(seq, account, "COMMISSION", symbol, -fee)
        trade = self.trades[(account, symbol, str(r["trade"]))]
        trade[0] += realized
        trade[1] -= fee
        forced = self.forced.get(order)
        if forced:
            self.after_liquidation(seq, forced, r, realized, fee, position)

    def take_funding(self, seq, r):
        account, symbol = r["account"], r["symbol"]
        position = self.positions[(account, symbol, r["position_side"])]
        self.same(seq, "position at funding", position.qty, r["qty"])
        amount = -q(q(Decimal(r["mark"]) * position.qty) * Decimal(r["rate"]))
        self.same(seq, "funding", amount, r["amount"])
        if amount:
            self.book(seq, account, "FUNDING_FEE", symbol, amount)
            if r["margin_mode"] == "isolated":
                position.isolated += amount

    def take_wallet(self, seq, r):
        account, kind, amount = r["account"], r["kind"], Decimal(r["amount"])
        before = self.theirs.get(account, ZERO)
        self.same(seq, f"balance after {kind}", before + amount, r["wallet"])
        self.theirs[account] = Decimal(r["wallet"])
        self.seen[(account, kind)].append((seq, r.get("symbol"), amount))
        self.match(account, kind)

    def take_mark(self, seq, r):
        symbol, mark = r["symbol"], Decimal(r["price"])
        self.marks[symbol] = mark
        self.overdue(seq, symbol)
        if not self.brackets or symbol not in self.brackets:
            return
        for (account, name, leg), position in self.positions.items():
            if name != symbol or not position.qty or position.mode != "isolated" or position.touched:
                continue
            notional = up(abs(position.qty) * mark)
            rate, cum = self.tier(symbol, notional)
            need = max(up(notional * rate) - cum, ZERO)
            if position.isolated + position.unrealized(mark) <= need:
                self.due[(account, symbol, leg)] = seq
            self.counts["marks checked for a liquidation"] += 1

    def take_liquidation(self, seq, r):
        account, symbol, leg = r["account"], r["symbol"], r["position_side"]
        position = self.positions[(account, symbol, leg)]
        self.due.pop((account, symbol, leg), None)
        if (account, r["order"]) in self.forced:
            self.differ(seq, "liquidation", "each once", f"order {r['order']} again")
        mark, qty, rate = Decimal(r["mark"]), Decimal(r["qty"]), Decimal(r["rate"])
        self.same(seq, "position liquidated", position.qty, r["qty"])
        self.same(seq, "entry of the position liquidated", position.entry, r["entry"])
        if symbol in self.marks:
            self.same(seq, "mark of the liquidation", self.marks[symbol], r["mark"])
        notional = up(abs(qty) * mark)
        if self.brackets and symbol in self.brackets:
            tier = self.tier(symbol, notional)
            self.same(seq, "maintenance rate", tier[0], r["rate"])
            self.same(seq, "maintenance amount", tier[1], r["cum"])
        need = max(up(notional * rate) - Decimal(r["cum"]), ZERO)
        balance = None
        if r["margin_mode"] == "isolated":
            self.same(seq, "maintenance margin", need, r["maintenance_margin"])
            if position.touched:
                position.isolated = Decimal(r["isolated_wallet"])
            self.same(seq, "isolated wallet", position.isolated, r["isolated_wallet"])
            balance = position.isolated + position.unrealized(mark)
        else:
            balance = self.cross_balance(account)
            whole = self.cross_maintenance(account)
            if whole is not None:
                self.same(seq, "maintenance margin of the account", whole, r["maintenance_margin"])
            elif need > Decimal(r["maintenance_margin"]):
                self.differ(seq, "maintenance margin of the account, at least", need, r["maintenance_margin"])
        if balance is None:
            self.counts["cross liquidations without all marks: margin balance taken as given"] += 1
            balance = Decimal(r["margin_balance"])
        self.same(seq, "margin balance", balance, r["margin_balance"])
        if not r["forced"] and balance > Decimal(r["maintenance_margin"]):
            self.differ(seq, "liquidation above the maintenance margin", balance, r["maintenance_margin"])
        bankruptcy = Decimal(r["bankruptcy"])
        exact = mark - balance / qty
        early = exact - bankruptcy if qty > 0 else bankruptcy - exact
        if early > UNIT and bankruptcy > UNIT:
            self.differ(seq, "bankruptcy price, which may not lie beyond", exact, bankruptcy)
        self.forced[(account, r["order"])] = {
            "left": abs(qty), "bankruptcy": bankruptcy, "fee_rate": Decimal(r["fee_rate"]), "value": ZERO, "spent": ZERO,
            "isolated": position.isolated, "mode": r["margin_mode"], "long": qty > 0,
        }

    def after_liquidation(self, seq, forced, r, realized, fee, position):
        """A fill of a liquidation; with the last one, what insurance gets or pays."""
        price, qty = Decimal(r["price"]), Decimal(r["qty"])
        worse = price < forced["bankruptcy"] if forced["long"] else price > forced["bankruptcy"]
        if worse:
            self.differ(seq, "liquidation price, not worse than", forced["bankruptcy"], price)
        forced["left"] -= qty
        forced["value"] += q(price * qty)
        forced["spent"] += realized - fee
        if forced["left"] > 0:
            return
        account = r["account"]
        if position.qty:
            self.differ(seq, "position after a liquidation", 0, position.qty)
        if forced["mode"] == "isolated":
            left = forced["isolated"] + forced["spent"]
        else:
            left = self.cross_balance(account)
            if left is not None and self.holds_cross(account):
                left = max(left, ZERO)
        if left is None:
            self.expected[(account, "INSURANCE_CLEAR")].append((seq, r["symbol"], None))
        else:
            clear = -left if left < 0 else -min(q(forced["value"] * forced["fee_rate"]), left)
            if clear:
                self.book(seq, account, "INSURANCE_CLEAR", r["symbol"], clear)
        self.match(account, "INSURANCE_CLEAR")

    # Sums ------------------------------------------------------------------------------------------------------------

    def book(self, seq, account, kind, symbol, amount):
        self.wallet[account] += amount
        self.sums[(account, kind, symbol)] += amount
        self.expected[(account, kind)].append((seq, symbol, amount))
        self.match(account, kind)

    def match(self, account, kind):
        """Pairs what we expect in the wallet with what the exchange booked, in order."""
        expected, seen = self.expected[(account, kind)], self.seen[(account, kind)]
        while expected and seen:
            (_, symbol, ours), (seq, named, theirs) = expected.popleft(), seen.popleft()
            if ours is None:
                self.wallet[account] += theirs
                self.sums[(account, kind, named)] += theirs
                self.counts["insurance payments taken as given"] += 1
                continue
            self.same(seq, f"{kind} of {symbol}", ours, theirs)
            if symbol != named:
                self.differ(seq, f"symbol of {kind}", symbol, named)

    def tier(self, symbol, notional):
        tiers = self.brackets[symbol]
        return next(((rate, cum) for cap, rate, cum in tiers if notional <= cap), tiers[-1][1:])

    def cross(self, account):
        return [(s, p) for (a, s, _), p in self.positions.items() if a == account and p.qty and p.mode == "cross"]

    def holds_cross(self, account):
        return bool(self.cross(account))

    def cross_balance(self, account):
        """Wallet less isolated margins plus unrealised of cross positions; None without all their marks."""
        held = self.cross(account)
        if any(symbol not in self.marks for symbol, _ in held):
            return None
        isolated = sum((p.isolated for (a, _, _), p in self.positions.items() if a == account), ZERO)
        return self.wallet[account] - isolated + sum((p.unrealized(self.marks[s]) for s, p in held), ZERO)

    def cross_maintenance(self, account):
        """Sum over the cross positions; None without all their marks and tiers."""
        total = ZERO
        for symbol, position in self.cross(account):
            if symbol not in self.marks or not self.brackets or symbol not in self.brackets:
                return None
            notional = up(abs(position.qty) * self.marks[symbol])
            rate, cum = self.tier(symbol, notional)
            total += max(up(notional * rate) - cum, ZERO)
        return total

    def overdue(self, seq, symbol=None):
        for key in [k for k in self.due if symbol is None or k[1] == symbol]:
            self.differ(seq, f"liquidation of {key[1]} {key[2]} of account {key[0]}", f"due at record {self.due.pop(key)}", "none")

    def finish(self):
        self.overdue("end")
        for (account, kind), left in self.seen.items():
            for seq, symbol, amount in left:
                if kind == "TRANSFER":  # money from outside: an input, not a result
                    self.wallet[account] += amount
                    self.sums[(account, kind, None)] += amount
                    self.counts["transfers taken as given"] += 1
                else:
                    self.differ(seq, f"{kind} of {symbol}", "no such booking", amount)
        for (account, kind), left in self.expected.items():
            for seq, symbol, amount in left:
                if amount is not None:
                    self.differ(seq, f"{kind} of {symbol}", amount, "not booked")
        for (account, order), forced in self.forced.items():
            if forced["left"] > 0:
                self.differ("end", f"liquidation order {order}", "filled", f"{forced['left']} left")
        for account in sorted(set(self.wallet) | set(self.theirs)):
            self.same("end", f"wallet of account {account}", self.wallet[account], self.theirs.get(account, ZERO))
        return self

    # The engine ------------------------------------------------------------------------------------------------------

    def compare_engine(self, lines, account):
        kinds = {"realized_pnl": "REALIZED_PNL", "commission": "COMMISSION", "funding": "FUNDING_FEE", "insurance": "INSURANCE_CLEAR"}
        sums, wallet, entries = defaultdict(lambda: ZERO), ZERO, 0
        trades = defaultdict(lambda: [ZERO, ZERO])
        for line in lines:
            entry = ledger_entry(line)
            if entry is None:
                continue
            entries += 1
            amount, against, symbol = Decimal(entry["amount"]), entry["against"], entry.get("symbol")
            wallet += amount
            if against in kinds:
                sums[(kinds[against], symbol)] += amount
            if str(entry.get("source", "")).startswith("trade:") and against in ("realized_pnl", "commission"):
                trades[(symbol, entry["source"][6:])][against == "commission"] += amount
        self.counts["entries of the engine's ledger"] = entries
        if not entries:
            self.differ("engine", "ledger", "entries", "none")
        self.same("engine", "wallet", self.wallet[account], wallet)
        ours = {(k, s): v for (a, k, s), v in self.sums.items() if a == account and k != "TRANSFER"}
        for key in sorted(set(ours) | set(sums), key=str):
            self.same("engine", f"sum of {key[0]} of {key[1]}", ours.get(key, ZERO), sums.get(key, ZERO))
        if trades:
            mine = {(s, t): v for (a, s, t), v in self.trades.items() if a == account}
            for key in sorted(set(mine) | set(trades)):
                a, b = mine.get(key, [ZERO, ZERO]), trades.get(key, [ZERO, ZERO])
                self.same("engine", f"realised by trade {key[1]} of {key[0]}", a[0], b[0])
                self.same("engine", f"fee of trade {key[1]} of {key[0]}", a[1], b[1])
            self.counts["trades compared with the engine"] = len(trades)


def ledger_entry(value):
    """The ledger entry inside a JSON value, however deep; None where there is none."""
    if isinstance(value, dict):
        if "against" in value and "amount" in value:
            return value
        for inner in value.values():
            found = ledger_entry(inner)
            if found is not None:
                return found
    return None


def read_lines(path):
    out = []
    with open(path, encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            if line.strip():
                try:
                    out.append(json.loads(line, parse_float=Decimal))
                except json.JSONDecodeError as error:
                    raise SystemExit2(f"{path}: line {number}: no JSON: {error}") from error
    return out


class SystemExit2(Exception):
    """Wrong use or unreadable input."""


def read_brackets(path):
    with open(path, encoding="utf-8") as file:
        data = json.load(file, parse_float=Decimal)
    rows = data if isinstance(data, list) else [data]
    tier = lambda b: (Decimal(b["notionalCap"]), Decimal(b["maintMarginRatio"]), Decimal(b["cum"]))
    return {row["symbol"]: [tier(b) for b in sorted(row["brackets"], key=lambda b: b["bracket"])] for row in rows}


def reckon(records, brackets=None):
    reckoning = Reckoning(brackets)
    for record in records:
        reckoning.take(record)
    return reckoning.finish()


# Self-test -------------------------------------------------------------------------------------------------------------

def sample():
    """A small ledger worked out by hand: a long that pays funding and is reduced and closed, then one that is liquidated."""
    rows = []

    def add(record, **fields):
        rows.append({"seq": len(rows), "time": 1000 + len(rows), "record": record, "account": 0, **fields})

    def wallet(kind, amount, balance, symbol="BTCUSDT"):
        add("wallet", kind=kind, symbol=symbol, amount=amount, wallet=balance, tran=len(rows))

    def fill(trade, order, side, price, qty, fee, realized, before, entry, after, entry_after, isolated):
        add("fill", symbol="BTCUSDT", order=order, trade=trade, side=side, position_side="BOTH", price=price, qty=qty, maker=False,
            fee_rate="0.0005", fee=fee, realized=realized, leverage=10, margin_mode="isolated", position_before=before,
            entry_before=entry, position_after=after, entry_after=entry_after, isolated_after=isolated)

    add("account", api_key="k", start_balance="1000")
    wallet("TRANSFER", "1000", "1000", None)
    wallet("COMMISSION", "-0.1", "999.9")
    fill(1, 11, "BUY", "100", "2", "0.1", "0", "0", "0", "2", "100", "20")
    add("funding", symbol="BTCUSDT", position_side="BOTH", margin_mode="isolated", qty="2", mark="101", rate="0.0001",
        amount="-0.0202", funding_time=1004)
    wallet("FUNDING_FEE", "-0.0202", "999.8798")
    wallet("REALIZED_PNL", "5", "1004.8798")
    wallet("COMMISSION", "-0.0525", "1004.8273")
    fill(2, 12, "SELL", "105", "1", "0.0525", "5", "2", "100", "1", "100", "9.9899")
    wallet("REALIZED_PNL", "-1", "1003.8273")
    wallet("COMMISSION", "-0.0495", "1003.7778")
    fill(3, 13, "SELL", "99", "1", "0.0495", "-1", "1", "100", "0", "0", "0")
    wallet("COMMISSION", "-0.1", "1003.6778")
    fill(4, 14, "BUY", "100", "2", "0.1", "0", "0", "0", "2", "100", "20")
    add("mark", symbol="BTCUSDT", price="90.5")
    # balance 20 - 19 = 1 <= 181 * 0.01 = 1.81; bankruptcy 90.5 - 1 / 2 = 90
    add("liquidation", symbol="BTCUSDT", position_side="BOTH", margin_mode="isolated", mark="90.5", qty="2", entry="100",
        isolated_wallet="20", margin_balance="1", maintenance_margin="1.81", rate="0.01", cum="0", bankruptcy="90",
        fee_rate="0.0125", order=15, forced=False)
    wallet("REALIZED_PNL", "-19.6", "984.0778")
    wallet("COMMISSION", "-0.0902", "983.9876")
    fill(5, 15, "SELL", "90.2", "2", "0.0902", "-19.6", "2", "100", "0", "0", "0")
    # left: 20 - 19.6 - 0.0902 = 0.3098, less than 180.4 * 0.0125 = 2.255
    wallet("INSURANCE_CLEAR", "-0.3098", "983.6778")
    return rows


def mutations(records):
    """(name, altered ledger): one value of each kind altered, records dropped and doubled."""
    def copy():
        return [dict(r) for r in records]

    def first(record, **having):
        return next((i for i, r in enumerate(records) if r["record"] == record and all(r.get(k) == v for k, v in having.items())), None)

    fields = {
        "fill": ["price", "qty", "fee", "fee_rate", "realized", "position_before", "position_after", "entry_after"],
        "funding": ["rate", "mark", "qty", "amount"],
        "wallet": ["amount", "wallet"],
        "liquidation": ["mark", "qty", "margin_balance", "maintenance_margin"],
    }
    for kind, names in fields.items():
        at = first(kind)
        if at is None:
            yield f"{kind}: does not occur", None
            continue
        for name in names:
            altered = copy()
            step = UNIT * 2 if name in ("fee", "realized", "amount", "wallet", "margin_balance", "maintenance_margin") else Decimal(altered[at][name]) / 100
            altered[at][name] = str(Decimal(altered[at][name]) + (step or UNIT * 2))
            yield f"{kind}: {name} altered", altered
        altered = copy()
        del altered[at]
        yield f"{kind}: dropped", altered
        renumbered = [dict(r, seq=i) for i, r in enumerate(altered)]
        yield f"{kind}: dropped and renumbered", renumbered
        doubled = copy()
        doubled.insert(at, dict(doubled[at]))
        yield f"{kind}: doubled and renumbered", [dict(r, seq=i) for i, r in enumerate(doubled)]
    for kind in ("COMMISSION", "REALIZED_PNL", "FUNDING_FEE", "INSURANCE_CLEAR"):
        at = first("wallet", kind=kind)
        if at is None:
            yield f"wallet {kind}: does not occur", None
            continue
        altered = copy()
        shift = UNIT * 2
        altered[at]["amount"] = str(Decimal(altered[at]["amount"]) + shift)
        for r in altered[at:]:
            if r["record"] == "wallet" and r["account"] == altered[at]["account"]:
                r["wallet"] = str(Decimal(r["wallet"]) + shift)
        yield f"wallet {kind}: altered with all later balances", altered


def self_test(records, brackets=None):
    clean = reckon(records, brackets)
    missed = 0
    for difference in clean.differences[:SHOWN]:
        print(f"the unaltered ledger differs: {difference}")
    missed += len(clean.differences)
    tried = 0
    for name, altered in mutations(records):
        if altered is None:
            print(f"  -     {name}")
            continue
        tried += 1
        found = reckon(altered, brackets).differences
        print(f"  {'found' if found else 'MISSED'} {name}" + (f": {found[0]}" if found else ""))
        missed += not found
    # What makes the two figures differ may lie in the engine as well.
    account = next((r["account"] for r in records if r["record"] == "fill"), None)
    if account is not None:
        engine = engine_entries(records, account)
        agreed = reckon(records, brackets)
        agreed.compare_engine(engine, account)
        missed += len(agreed.differences)
        for name, alter in {"amount": lambda e: dict(e, amount=str(Decimal(e["amount"]) + UNIT * 2)), "symbol": lambda e: dict(e, symbol="X")}.items():
            tried += 1
            at = next(i for i, e in enumerate(engine) if e["against"] == "commission")
            other = reckon(records, brackets)
            other.compare_engine(engine[:at] + [alter(engine[at])] + engine[at + 1:], account)
            print(f"  {'found' if other.differences else 'MISSED'} engine's ledger: {name} altered")
            missed += not other.differences
    print(f"self-test: {tried} alterations, {missed} failures")
    return 1 if missed else 0


def engine_entries(records, account):
    names = {"TRANSFER": "transfer", "REALIZED_PNL": "realized_pnl", "COMMISSION": "commission", "FUNDING_FEE": "funding", "INSURANCE_CLEAR": "insurance"}
    return [
        {"against": names[r["kind"]], "amount": r["amount"], "symbol": r.get("symbol"), "source": "tran"}
        for r in records if r["record"] == "wallet" and r["account"] == account
    ]


def main():
    parser = argparse.ArgumentParser(description="Recomputes the simulated exchange's books from raw fills, rates and marks.")
    parser.add_argument("ledger", nargs="?", help="the exchange's ledger, one JSON object a line")
    parser.add_argument("--fulmar", help="the engine's ledger, one JSON object a line")
    parser.add_argument("--account", type=int, help="the engine's account at the exchange")
    parser.add_argument("--brackets", help="the answer of GET /fapi/v1/leverageBracket")
    parser.add_argument("--self-test", action="store_true", help="alter one value of each kind and expect to notice")
    args = parser.parse_args()
    brackets = read_brackets(args.brackets) if args.brackets else None
    if args.self_test:
        return self_test(read_lines(args.ledger) if args.ledger else sample(), brackets)
    if not args.ledger:
        parser.error("a ledger is needed")
    records = read_lines(args.ledger)
    if not records:
        raise SystemExit2(f"{args.ledger}: no records")
    reckoning = reckon(records, brackets)
    if args.fulmar:
        traded = sorted({r["account"] for r in records if r["record"] == "fill"})
        if args.account is None and len(traded) > 1:
            raise SystemExit2(f"accounts {traded} have traded: name the engine's with --account")
        account = args.account if args.account is not None else (traded[0] if traded else 0)
        reckoning.compare_engine(read_lines(args.fulmar), account)
    for name, count in sorted(reckoning.counts.items()):
        print(f"{count:>9} {name}")
    for account in sorted(reckoning.wallet):
        print(f"account {account}: wallet {reckoning.wallet[account]}")
        for kind in ("TRANSFER", "REALIZED_PNL", "COMMISSION", "FUNDING_FEE", "INSURANCE_CLEAR"):
            total = sum((v for (a, k, _), v in reckoning.sums.items() if a == account and k == kind), ZERO)
            print(f"    {kind:<16} {total}")
    for difference in reckoning.differences[:SHOWN]:
        print(difference)
    if len(reckoning.differences) > SHOWN:
        print(f"… and {len(reckoning.differences) - SHOWN} more")
    print(f"{len(reckoning.differences)} differences")
    return 1 if reckoning.differences else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (SystemExit2, OSError, KeyError) as error:
        print(f"oracle: {error!r}" if isinstance(error, KeyError) else f"oracle: {error}", file=sys.stderr)
        sys.exit(2)
