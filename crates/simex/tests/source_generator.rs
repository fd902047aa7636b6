//! What the generated market promises: the same seed gives the same bytes, bars are made of exactly the trades, history and
//! market are one series, and the market looks like one.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use fulmar_domain::market::{Bar, Timeframe};
use fulmar_domain::num::{Price, Qty};
use fulmar_domain::order::Side;
use fulmar_domain::symbol::Symbol;
use fulmar_domain::time::{Span, Timestamp};
use fulmar_simex::source::generator::{GeneratorOptions, GeneratorSource, SymbolSetup};
use fulmar_simex::source::{MarketSource, PointKind, Step};
use proptest::prelude::*;

const START: Timestamp = Timestamp(1_780_272_000_000);

fn symbols(names: &[&str]) -> Vec<Symbol> {
    names.iter().map(|n| Symbol::new(n).unwrap()).collect()
}

fn play(options: &GeneratorOptions) -> (GeneratorSource, Vec<Step>) {
    let mut source = GeneratorSource::new(options).unwrap();
    let steps = std::iter::from_fn(|| source.next_step().unwrap()).collect();
    (source, steps)
}

fn short(seed: u64, names: &[&str]) -> GeneratorOptions {
    GeneratorOptions { history_bars: 5, minutes: Some(20), ..GeneratorOptions::new(seed, &symbols(names), START) }
}

#[test]
fn the_same_seed_gives_the_same_bytes_and_another_seed_others() {
    let bytes = |seed| format!("{:?}", play(&short(seed, &["BTCUSDT", "ETHUSDT", "ODDUSDT"])).1);
    assert_eq!(bytes(1), bytes(1));
    assert_ne!(bytes(1), bytes(2));
}

#[test]
fn a_symbol_is_the_same_whatever_others_are_generated() {
    let of = |names: &[&str]| {
        let (_, steps) = play(&short(9, names));
        let points = steps.into_iter().flat_map(|s| s.points).filter(|p| p.symbol.as_str() == "ETHUSDT");
        points.collect::<Vec<_>>()
    };
    assert_eq!(of(&["ETHUSDT"]), of(&["SOLUSDT", "ETHUSDT", "BTCUSDT"]));
}

#[test]
fn history_is_the_beginning_of_the_same_series() {
    let name = Symbol::new("BTCUSDT").unwrap();
    let long = GeneratorOptions { history_bars: 30, minutes: Some(1), ..short(3, &["BTCUSDT"]) };
    let late = GeneratorOptions { start: START.minus(Span::minutes(20)), history_bars: 10, minutes: Some(20), ..short(3, &["BTCUSDT"]) };
    let history = GeneratorSource::new(&long).unwrap().history(name, Timeframe::M1);
    let (early, steps) = play(&late);
    let mut whole = early.history(name, Timeframe::M1);
    whole.extend(bars(&steps));
    assert_eq!(history, whole);
    let opening = play(&long).1.first().map(|s| s.time);
    assert_eq!((opening, history.last().map(Bar::end)), (Some(START), Some(START)));
}

#[test]
fn a_start_price_and_a_tick_can_be_set_and_nonsense_is_refused() {
    let setup = |price: &str, tick: &str| SymbolSetup {
        symbol: Symbol::new("ODDUSDT").unwrap(),
        price: Some(Price::parse(price).unwrap()),
        tick: Some(Price::parse(tick).unwrap()),
    };
    let options = GeneratorOptions { symbols: vec![setup("0.5", "0.00001")], ..short(1, &[]) };
    let (source, steps) = play(&options);
    assert_eq!(source.instruments()[0].tick, Price::parse("0.00001").unwrap());
    assert!(bars(&steps).iter().all(|b| b.high < Price::parse("0.6").unwrap() && b.low > Price::parse("0.4").unwrap()));
    let refused = |options: GeneratorOptions| GeneratorSource::new(&options).unwrap_err().to_string();
    assert!(refused(GeneratorOptions { symbols: vec![setup("0.5", "0.1")], ..options.clone() }).contains("finer tick"));
    assert!(refused(GeneratorOptions { points_per_minute: 0, ..options.clone() }).contains("points_per_minute is 0"));
    assert!(refused(GeneratorOptions { start: Timestamp(1), ..options.clone() }).contains("no whole minute"));
    assert!(refused(GeneratorOptions { symbols: vec![], ..options.clone() }).contains("no symbol"));
    assert!(refused(GeneratorOptions { symbols: vec![setup("0.5", "0.001"); 2], ..options }).contains("named twice"));
}

fn bars(steps: &[Step]) -> Vec<Bar> {
    steps.iter().flat_map(|s| &s.points).filter_map(|p| if let PointKind::BarClosed(bar) = p.kind { Some(bar) } else { None }).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn time_goes_on_books_are_sound_and_bars_are_made_of_the_trades(seed in any::<u64>(), points in 1_u32..=60) {
        let options = GeneratorOptions { points_per_minute: points, minutes: Some(4), ..short(seed, &["BTCUSDT", "DOGEUSDT", "ODDUSDT"]) };
        let (source, steps) = play(&options);
        prop_assert_eq!(steps.len(), 4 * (points as usize + 1));
        prop_assert_eq!(steps[0].time, START);
        for pair in steps.windows(2) {
            prop_assert!(pair[0].time < pair[1].time);
        }
        for instrument in source.instruments() {
            let (mut trades, mut volume) = (Vec::new(), Qty::ZERO);
            for point in steps.iter().flat_map(|s| &s.points).filter(|p| p.symbol == instrument.symbol) {
                match point.kind {
                    PointKind::Trade { price, qty, taker } => {
                        prop_assert!(price.is_positive() && price.is_multiple_of(instrument.tick));
                        prop_assert!(qty.is_positive() && qty.is_multiple_of(instrument.step));
                        trades.push((price, taker));
                        volume = volume.checked_add(qty).unwrap();
                    }
                    PointKind::Top { bid, ask, bid_qty, ask_qty } => {
                        prop_assert!(bid < ask && bid.is_positive() && bid_qty.is_positive() && ask_qty.is_positive());
                        let (price, taker) = *trades.last().unwrap();
                        prop_assert_eq!(price, if taker == Side::Buy { ask } else { bid });
                    }
                    PointKind::Mark { price, index } => prop_assert!(price.is_positive() && index.is_positive()),
                    PointKind::BarClosed(bar) => {
                        let prices = || trades.iter().map(|(p, _)| *p);
                        prop_assert_eq!((Some(bar.high), Some(bar.low)), (prices().max(), prices().min()));
                        prop_assert_eq!((Some(bar.open), Some(bar.close)), (prices().next(), prices().next_back()));
                        prop_assert_eq!((bar.volume, bar.trades), (volume, trades.len() as u64));
                        prop_assert_eq!(point.time, bar.end().minus(Span(1)));
                        (trades, volume) = (Vec::new(), Qty::ZERO);
                    }
                    PointKind::FundingRate(rate) => prop_assert!(rate.abs().raw() <= 300_000),
                    PointKind::Depth { .. } => prop_assert!(false),
                }
            }
            prop_assert!(trades.is_empty());
        }
    }
}

fn returns(bars: &[Bar]) -> Vec<f64> {
    bars.windows(2).map(|w| w[1].close.to_f64() / w[0].close.to_f64() - 1.0).collect()
}

fn correlation(a: &[f64], b: &[f64]) -> f64 {
    let mean = |x: &[f64]| x.iter().sum::<f64>() / x.len() as f64;
    let (ma, mb) = (mean(a), mean(b));
    let dot = |x: &[f64], mx: f64, y: &[f64], my: f64| x.iter().zip(y).map(|(x, y)| (x - mx) * (y - my)).sum::<f64>();
    dot(a, ma, b, mb) / (dot(a, ma, a, ma) * dot(b, mb, b, mb)).sqrt()
}

#[test]
fn the_market_looks_like_one_and_gives_the_reference_strategy_work() {
    let names = ["BTCUSDT", "ETHUSDT", "DOGEUSDT"];
    for seed in [1, 42, 2_026] {
        let options =
            GeneratorOptions { history_bars: 20_000, points_per_minute: 4, ..GeneratorOptions::new(seed, &symbols(&names), START) };
        let source = GeneratorSource::new(&options).unwrap();
        let series: Vec<Vec<Bar>> = symbols(&names).into_iter().map(|s| source.history(s, Timeframe::M1)).collect();
        let moves: Vec<Vec<f64>> = series.iter().map(|b| returns(b)).collect();
        for (name, (bars, r)) in names.iter().zip(series.iter().zip(&moves)) {
            let square: Vec<f64> = r.iter().map(|x| x * x).collect();
            let sd = (square.iter().sum::<f64>() / r.len() as f64).sqrt();
            let kurtosis = r.iter().map(|x| x.powi(4)).sum::<f64>() / r.len() as f64 / sd.powi(4);
            let size: Vec<f64> = r.iter().map(|x| x.abs()).collect();
            let clustering = correlation(&size[1..], &size[..size.len() - 1]);
            let volume: Vec<f64> = bars[1..].iter().map(|b| b.volume.to_f64()).collect();
            let (with_moves, with_itself) = (correlation(&volume, &size), correlation(&volume[1..], &volume[..volume.len() - 1]));
            let crosses = crosses(bars);
            println!(
                "{seed} {name}: sd {sd:.6} kurtosis {kurtosis:.1} clustering {clustering:.2} volume {with_moves:.2} {with_itself:.2}, a cross every {:.1} bars, {} to {}",
                bars.len() as f64 / crosses as f64,
                bars[0].open,
                bars[bars.len() - 1].close
            );
            assert!(sd > 0.0003 && sd < 0.003 && kurtosis > 4.5 && clustering > 0.04);
            assert!(with_moves > 0.1 && with_itself > 0.1);
            assert!((22.0..34.0).contains(&(bars.len() as f64 / crosses as f64)));
            let (first, last) = (bars[0].open.to_f64(), bars[bars.len() - 1].close.to_f64());
            assert!(last / first > 0.4 && last / first < 2.5, "{first} {last}");
        }
        let together = correlation(&moves[0], &moves[1]);
        println!("{seed}: correlation {together:.2}");
        assert!(together > 0.5 && together < 0.95);
    }
}

/// Crosses of EMA(12) and EMA(26), textbook recursion.
fn crosses(bars: &[Bar]) -> usize {
    let first = bars[0].close.to_f64();
    let (mut fast, mut slow, mut count) = (first, first, 0);
    let mut above = false;
    for bar in bars {
        let close = bar.close.to_f64();
        fast += (close - fast) * 2.0 / 13.0;
        slow += (close - slow) * 2.0 / 27.0;
        if (fast > slow) != above {
            above = fast > slow;
            count += 1;
        }
    }
    count
}
