//! The exchange's books against an independent reckoning: random trading on a generated market, then `tests/oracle/oracle.py`
//! over the exchange's ledger. It must agree with every figure, and notice every alteration of one.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use fulmar_domain::instrument::{Bracket, Brackets};
use fulmar_domain::num::{Price, Qty, Rounding, Usdt, qty_for};
use fulmar_domain::order::{MarginMode, PositionSide, Side};
use fulmar_domain::symbol::Symbol;
use fulmar_domain::time::Timestamp;
use fulmar_simex::run::open_exchange;
use fulmar_simex::source::generator::{GeneratorOptions, GeneratorSource};
use fulmar_simex::source::{MarketSource, PointKind};
use fulmar_simex::venue::{AccountId, Exchange, NewOrder, PositionMarginChange};
use serde_json::json;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Small steps that look random; the same in every run.
struct Dice(u64);
impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }
}

fn oracle() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/oracle/oracle.py"))
}

/// Trades at random for some hours, in isolated and cross margin, one-way and hedged, until positions are liquidated too.
fn trade(seed: u64, ledger: &Path, brackets: &Path) {
    let names = ["BTCUSDT", "ETHUSDT", "DOGEUSDT"].map(|n| Symbol::new(n).unwrap());
    let options = GeneratorOptions {
        history_bars: 10,
        points_per_minute: 2,
        minutes: Some(1_500),
        ..GeneratorOptions::new(seed, &names, Timestamp(1_780_272_000_000))
    };
    let mut source = GeneratorSource::new(&options).unwrap();
    let tiers = |b: &Brackets| {
        let tier = |t: &Bracket| json!({"bracket": t.tier, "notionalCap": t.cap, "maintMarginRatio": t.mmr, "cum": t.cum});
        json!({"symbol": b.symbol, "brackets": b.tiers.iter().map(tier).collect::<Vec<_>>()})
    };
    std::fs::write(brackets, json!(source.brackets().iter().map(tiers).collect::<Vec<_>>()).to_string()).unwrap();
    let mut exchange = open_exchange(&source, |_| {}).unwrap();
    exchange.log_mut().record_marks(true);
    exchange.log_mut().write_to(Box::new(std::io::BufWriter::new(std::fs::File::create(ledger).unwrap())));
    let accounts = ["isolated", "cross", "hedged"].map(|key| exchange.open_account(key));
    let mut out = Vec::new();
    for name in names {
        exchange.set_margin_mode(accounts[0], name, MarginMode::Isolated, &mut out).unwrap();
        for account in accounts {
            exchange.set_leverage(account, name, 75, &mut out).unwrap();
        }
    }
    exchange.set_hedge_mode(accounts[2], true).unwrap();
    let mut dice = Dice(seed);
    let (mut placed, mut refused, mut moved, mut forced) = (0, 0, 0, 0);
    while let Some(step) = source.next_step().unwrap() {
        exchange.advance(&step, &mut out);
        out.clear();
        for point in &step.points {
            let PointKind::Trade { price, .. } = point.kind else { continue };
            if dice.roll(200) == 0 {
                let account = accounts[0];
                let amount = Usdt::from_int(i64::try_from(dice.roll(40)).unwrap() - 10).unwrap();
                let change = PositionMarginChange { symbol: point.symbol, side: None, add: !amount.is_negative(), amount: amount.abs() };
                moved += usize::from(exchange.change_position_margin(account, &change, &mut out).is_ok());
            }
            if dice.roll(2_000) == 0 {
                forced += usize::from(exchange.liquidate(accounts[usize::try_from(dice.roll(3)).unwrap()], point.symbol, &mut out).is_ok());
            }
            if dice.roll(40) == 0 {
                let account = accounts[usize::try_from(dice.roll(3)).unwrap()];
                match place(&mut exchange, account, point.symbol, price, account == accounts[2], &mut dice) {
                    true => placed += 1,
                    false => refused += 1,
                }
            }
        }
    }
    println!("seed {seed}: {placed} orders placed, {refused} refused, margin moved {moved} times, {forced} forced liquidations");
    assert!(placed > 200 && moved > 10 && forced > 0);
    exchange.log_mut().flush().unwrap();
}

fn place(exchange: &mut Exchange, account: AccountId, symbol: Symbol, price: Price, hedged: bool, dice: &mut Dice) -> bool {
    let value = Usdt::from_int(i64::try_from(200 + dice.roll(12_000)).unwrap()).unwrap();
    let instrument = exchange.instruments().iter().find(|i| i.symbol == symbol).map(|i| i.step).unwrap();
    let qty: Qty = qty_for(value, price, Rounding::Floor).unwrap().round_to(instrument, Rounding::Floor).unwrap();
    let side = if dice.roll(2) == 0 { Side::Buy } else { Side::Sell };
    let mut order = NewOrder::market(symbol, side, qty);
    if hedged {
        order.position_side = Some(if dice.roll(2) == 0 { PositionSide::Long } else { PositionSide::Short });
    }
    let mut out = Vec::new();
    exchange.place(account, &order, &mut out).is_ok()
}

fn run(arguments: &[&str]) -> (bool, String) {
    let output = Command::new("python3").arg(oracle()).args(arguments).output().unwrap();
    let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    (output.status.success(), text)
}

fn python(test: &str) -> bool {
    let there = Command::new("python3").arg("--version").output().is_ok_and(|o| o.status.success());
    if !there {
        println!("SKIPPED: {test} needs python3");
    }
    there
}

#[test]
fn the_exchanges_books_agree_with_an_independent_reckoning_to_the_last_decimal() {
    if !python("the_exchanges_books_agree_with_an_independent_reckoning_to_the_last_decimal") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    for seed in [3, 4] {
        let ledger = folder.path().join(format!("ledger-{seed}.jsonl"));
        let brackets = folder.path().join("brackets.json");
        trade(seed, &ledger, &brackets);
        let named = [ledger.to_str().unwrap(), "--brackets", brackets.to_str().unwrap()];
        let (agrees, text) = run(&named);
        println!("{text}");
        assert!(agrees, "{text}");
        assert!(text.contains("\n0 differences"));
        for kind in ["fill", "funding", "liquidation", "mark"] {
            assert!(text.lines().any(|l| l.trim().ends_with(kind)), "no {kind} in the run: {text}");
        }
        if seed == 3 {
            let (notices, text) = run(&[["--self-test"].as_slice(), &named].concat());
            assert!(notices, "{text}");
        }
    }
}

#[test]
fn the_reckoning_notices_every_alteration_of_its_own_sample() {
    if !python("the_reckoning_notices_every_alteration_of_its_own_sample") {
        return;
    }
    let (notices, text) = run(&["--self-test"]);
    assert!(notices && text.contains("0 failures"), "{text}");
    let (reads, _) = run(&["/nowhere.jsonl"]);
    assert!(!reads);
}
