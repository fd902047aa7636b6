//! The engine's books against the exchange's, by what both say to the outside: the journal as `fulmar journal show` prints it,
//! and the exchange's REST. Nothing of the product's own reckoning is used here.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::str::FromStr;

use rust_decimal::Decimal;
use serde_json::Value;

use super::{Simex, run};

/// A decimal of JSON, given as text or number.
pub fn decimal(value: &Value) -> Decimal {
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    Decimal::from_str(&text).unwrap_or_else(|error| panic!("{text:?} is no decimal: {error}"))
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// The bodies of the journal's records whose kind begins with `kind`.
pub fn journal(data: &Path, kind: &str) -> Vec<Value> {
    let folder = data.display().to_string();
    let (code, out, errors) = run(&["journal", "show", "--data-dir", &folder, "--kind", kind]);
    assert_eq!(code, 0, "{errors}");
    out.lines().map(|line| serde_json::from_str::<Value>(line).expect("a record")["body"].clone()).collect()
}

/// One fill: symbol, trade, order, price, quantity, realised profit, fee.
type FillKey = (String, i64, i64, Decimal, Decimal, Decimal, Decimal);

/// What a journal says.
#[derive(Debug, Default)]
pub struct OurBooks {
    /// Client ids of planned orders, each as often as it was planned.
    pub planned: BTreeMap<String, usize>,
    /// Status of each order that was ever told.
    pub status: BTreeMap<String, String>,
    /// Quantity filled of each.
    pub filled: BTreeMap<String, Decimal>,
    /// Fills.
    pub fills: BTreeSet<FillKey>,
    /// Fills told, doubles included.
    pub fills_told: usize,
    /// Sum of all bookings.
    pub wallet: Decimal,
    /// Bookings by their source: `trade:<id>`, `tran:<id>`, `snapshot`.
    pub sums: BTreeMap<String, Decimal>,
    /// Sources that stand twice against the same account.
    pub double_bookings: Vec<String>,
    /// Differences that were found and adopted.
    pub differences: Vec<String>,
}

const FINAL: [&str; 5] = ["FILLED", "CANCELED", "REJECTED", "EXPIRED", "DEAD"];

impl OurBooks {
    /// Reads them from a data folder.
    pub fn read(data: &Path) -> Self {
        let mut books = Self::default();
        for order in journal(data, "order_planned") {
            *books.planned.entry(text(&order["client_id"])).or_default() += 1;
        }
        for update in journal(data, "order_updated") {
            let id = text(&update["client_id"]);
            books.status.insert(id.clone(), text(&update["status"]));
            books.filled.insert(id, decimal(&update["filled"]));
            let fill = &update["fill"];
            if fill.is_object() {
                books.fills_told += 1;
                let number = |key: &str| fill[key].as_i64().expect("a number");
                let key = (text(&fill["symbol"]), number("trade"), number("order"));
                let figures = (decimal(&fill["price"]), decimal(&fill["qty"]), decimal(&fill["realized"]), decimal(&fill["fee"]));
                books.fills.insert((key.0, key.1, key.2, figures.0, figures.1, figures.2, figures.3));
            }
        }
        let mut seen = BTreeSet::new();
        for entry in journal(data, "ledger_booked") {
            let (source, symbol) = (text(&entry["source"]), text(&entry["symbol"]));
            books.wallet += decimal(&entry["amount"]);
            *books.sums.entry(source.clone()).or_default() += decimal(&entry["amount"]);
            if source != "snapshot" && !seen.insert((source.clone(), text(&entry["against"]), symbol)) {
                books.double_bookings.push(source);
            }
        }
        for difference in journal(data, "difference_found") {
            books.differences.push(text(&difference["text"]));
        }
        books
    }

    /// Orders that were planned and are not known to have ended or to stand at the exchange.
    pub fn in_flight(&self) -> Vec<&str> {
        let open = |id: &&String| matches!(self.status.get(*id).map(String::as_str), None | Some("PENDING" | "UNKNOWN"));
        self.planned.keys().filter(open).map(String::as_str).collect()
    }

    /// Orders that stand at the exchange.
    pub fn standing(&self) -> BTreeSet<String> {
        let open = |(_, status): &(&String, &String)| !FINAL.contains(&status.as_str());
        self.status.iter().filter(open).map(|(id, _)| id.clone()).collect()
    }
}

/// All pages of a history that is asked by number.
fn pages(simex: &Simex, path: &str, symbol: &str, key: &str, from: &str) -> Vec<Value> {
    let mut all: Vec<Value> = Vec::new();
    loop {
        let next = all.last().map_or(0, |row| row[key].as_i64().expect("a number") + 1);
        let page = simex.ask(path, &format!("symbol={symbol}&{from}={next}&limit=500"));
        let page = page.as_array().expect("a list").clone();
        let more = page.len() >= 500;
        all.extend(page);
        if !more {
            return all;
        }
    }
}

/// What two sets of books agree on.
#[derive(Debug, Default)]
pub struct Agreement {
    /// Orders and algo orders compared.
    pub orders: usize,
    /// Fills compared.
    pub fills: usize,
    /// Open positions compared.
    pub positions: usize,
}

/// Every difference between the engine's books (from its journal) and the exchange's; none where they agree.
pub fn differences(data: &Path, simex: &Simex, symbols: &[&str]) -> (Agreement, Vec<String>) {
    let ours = OurBooks::read(data);
    let mut found = Vec::new();
    let mut agreed = Agreement::default();
    let mut need = |holds: bool, text: String| {
        if !holds {
            found.push(text);
        }
    };
    for (id, count) in &ours.planned {
        need(*count == 1, format!("{id} was planned {count} times"));
    }
    need(ours.fills.len() == ours.fills_told, format!("{} fills told, {} different ones", ours.fills_told, ours.fills.len()));
    need(ours.double_bookings.is_empty(), format!("booked twice: {:?}", ours.double_bookings));
    let account = simex.account();
    let mut theirs: BTreeMap<String, (String, Decimal)> = BTreeMap::new();
    let mut their_fills = BTreeSet::new();
    let mut their_algos = BTreeSet::new();
    for symbol in symbols {
        let algos = simex.ask("/fapi/v1/allAlgoOrders", &format!("symbol={symbol}&limit=1000"));
        let children: BTreeSet<String> =
            algos.as_array().expect("a list").iter().map(|a| text(&a["actualOrderId"])).filter(|c| !c.is_empty()).collect();
        for algo in algos.as_array().expect("a list") {
            let id = text(&algo["clientAlgoId"]);
            let status = text(&algo["algoStatus"]);
            need(ours.planned.contains_key(&id), format!("{id} stands at the exchange and was never planned"));
            need(their_algos.insert(id.clone()), format!("{id} stands twice at the exchange"));
            let our_status = ours.status.get(&id).map_or("nothing", String::as_str);
            let same = match status.as_str() {
                "FINISHED" => matches!(our_status, "FILLED" | "EXPIRED" | "CANCELED"),
                "TRIGGERING" => matches!(our_status, "NEW" | "TRIGGERED"),
                other => our_status == other,
            };
            need(same, format!("{id}: the exchange says {status}, the journal {our_status}"));
        }
        for order in pages(simex, "/fapi/v1/allOrders", symbol, "orderId", "orderId") {
            let id = text(&order["clientOrderId"]);
            if children.contains(&order["orderId"].to_string()) {
                continue;
            }
            let twice = theirs.insert(id.clone(), (text(&order["status"]), decimal(&order["executedQty"])));
            need(twice.is_none(), format!("{id} stands twice at the exchange"));
            need(ours.planned.contains_key(&id), format!("{id} stands at the exchange and was never planned"));
        }
        for fill in pages(simex, "/fapi/v1/userTrades", symbol, "id", "fromId") {
            let number = |key: &str| fill[key].as_i64().expect("a number");
            let figures = (decimal(&fill["price"]), decimal(&fill["qty"]), decimal(&fill["realizedPnl"]), decimal(&fill["commission"]));
            their_fills.insert((text(&fill["symbol"]), number("id"), number("orderId"), figures.0, figures.1, figures.2, figures.3));
        }
    }
    for (id, (status, filled)) in &theirs {
        let our_status = ours.status.get(id).map_or("nothing", String::as_str);
        let same = our_status == status || (our_status == "EXPIRED" && status == "EXPIRED_IN_MATCH");
        need(same, format!("{id}: the exchange says {status}, the journal {our_status}"));
        let our_filled = ours.filled.get(id).copied().unwrap_or_default();
        need(our_filled == *filled, format!("{id}: the exchange filled {filled}, the journal {our_filled}"));
    }
    agreed.orders = theirs.len() + their_algos.len();
    for fill in their_fills.symmetric_difference(&ours.fills) {
        let whose = if ours.fills.contains(fill) { "only the journal has" } else { "the journal lacks" };
        need(false, format!("{whose} the fill {fill:?}"));
    }
    agreed.fills = their_fills.len();
    let wallet = decimal(&account["wallet"]);
    need(wallet == ours.wallet, format!("wallet: the exchange has {wallet}, the ledger adds up to {}", ours.wallet));
    let open: BTreeSet<String> =
        rows(&account["openOrders"], "clientOrderId").chain(rows(&account["openAlgoOrders"], "clientAlgoId")).collect();
    let standing = ours.standing();
    need(open == standing, format!("standing at the exchange {open:?}, in the journal {standing:?}"));
    stops(&account, &mut need);
    agreed.positions = account["positions"].as_array().map_or(0, Vec::len);
    (agreed, found)
}

fn rows<'a>(list: &'a Value, key: &'a str) -> impl Iterator<Item = String> + 'a {
    list.as_array().into_iter().flatten().map(move |row| text(&row[key]))
}

/// Each open position has exactly one live stop, and no stop stands without a position.
fn stops(account: &Value, need: &mut impl FnMut(bool, String)) {
    let held: BTreeSet<String> = rows(&account["positions"], "symbol").collect();
    let mut guarded: BTreeMap<String, usize> = BTreeMap::new();
    for order in account["openAlgoOrders"].as_array().into_iter().flatten() {
        if order["type"] == "STOP_MARKET" {
            *guarded.entry(text(&order["symbol"])).or_default() += 1;
        }
    }
    for symbol in &held {
        let count = guarded.get(symbol).copied().unwrap_or_default();
        need(count == 1, format!("the position in {symbol} has {count} stops"));
    }
    for symbol in guarded.keys() {
        need(held.contains(symbol), format!("a stop of {symbol} stands without a position"));
    }
}

/// Positions that the engine shows against those that the exchange has.
pub fn same_positions(engine: &super::Engine, simex: &Simex) -> Result<usize, String> {
    let shown = engine.get("/api/v1/positions");
    let shown: BTreeMap<String, (Decimal, Decimal)> =
        shown.as_array().into_iter().flatten().map(|p| (text(&p["symbol"]), (decimal(&p["qty"]), decimal(&p["entry_price"])))).collect();
    let risk = simex.ask("/fapi/v3/positionRisk", "");
    let real: BTreeMap<String, (Decimal, Decimal)> = risk
        .as_array()
        .into_iter()
        .flatten()
        .filter(|p| !decimal(&p["positionAmt"]).is_zero())
        .map(|p| (text(&p["symbol"]), (decimal(&p["positionAmt"]), decimal(&p["entryPrice"]))))
        .collect();
    let close = |(symbol, (qty, entry)): (&String, &(Decimal, Decimal))| {
        shown.get(symbol).is_some_and(|(q, e)| q == qty && (e - entry).abs() < Decimal::new(1, 6))
    };
    if shown.len() == real.len() && real.iter().all(close) { Ok(real.len()) } else { Err(format!("shown {shown:?}, real {real:?}")) }
}

/// Holds new entries back, lets what is under way settle, and compares; the market may go on. All differences are told.
pub fn assert_agree(engine: &super::Engine, simex: &Simex, symbols: &[&str]) -> Agreement {
    super::wait_for("the books agree", std::time::Duration::from_secs(30), || {
        let before = simex.records();
        std::thread::sleep(std::time::Duration::from_millis(600));
        let (agreed, mut found) = differences(&engine.data, simex, symbols);
        if let Err(text) = same_positions(engine, simex) {
            found.push(text);
        }
        match simex.records() == before {
            _ if found.is_empty() => Ok(agreed),
            moved => Err(format!("({}) {}", if moved { "at rest" } else { "while trading" }, found.join("; "))),
        }
    })
}
