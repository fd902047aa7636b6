//! The mirror of a live feed, against a second simulated exchange that serves a generated market over its public streams.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use fulmar_domain::market::{Bar, Timeframe};
use fulmar_domain::symbol::Symbol;
use fulmar_domain::time::Timestamp;
use fulmar_simex::run::{self, Speed, open_exchange};
use fulmar_simex::server::{Floor, ServerConfig, serve};
use fulmar_simex::source::generator::{GeneratorOptions, GeneratorSource};
use fulmar_simex::source::mirror::{MirrorOptions, MirrorSource};
use fulmar_simex::source::{MarketSource, PointKind};
use std::collections::BTreeMap;
use std::net::TcpListener;
use std::num::NonZeroU32;

const START: Timestamp = Timestamp(1_780_272_000_000);

fn generator(symbols: &[Symbol]) -> GeneratorSource {
    let options = GeneratorOptions { history_bars: 50, points_per_minute: 6, ..GeneratorOptions::new(7, symbols, START) };
    GeneratorSource::new(&options).unwrap()
}

#[tokio::test]
async fn a_mirror_of_a_second_exchange_shows_its_trades_tops_marks_and_bars() {
    let symbols = ["BTCUSDT", "ETHUSDT"].map(|s| Symbol::new(s).unwrap());
    let source = generator(&symbols);
    let exchange = open_exchange(&source, |_| {}).unwrap();
    let floor = Floor::new(exchange, ServerConfig::default());
    let server = serve(TcpListener::bind("127.0.0.1:0").unwrap(), floor.clone()).unwrap();
    let history: BTreeMap<Symbol, Vec<Bar>> = symbols.iter().map(|s| (*s, source.history(*s, Timeframe::M1))).collect();
    let mirror = MirrorSource::connect(MirrorOptions {
        url: format!("ws://{}", server.address()),
        instruments: source.instruments(),
        brackets: source.brackets(),
        history,
        start: START,
        timeframe: Timeframe::M1,
        silence_ms_max: 5_000,
        redial_ms: 20,
        failures_max: 5,
    });
    let mut mirror = mirror.unwrap();
    assert_eq!(mirror.history(symbols[0], Timeframe::M1).len(), 50);
    let run = run::spawn(floor, Box::new(source), Speed::Times(NonZeroU32::new(120).unwrap())).unwrap();
    // What the other exchange will play, known from the same seed.
    let mut original = generator(&symbols);
    let mut played: Vec<Bar> = Vec::new();
    while played.len() < 40 {
        let step = original.next_step().unwrap().unwrap();
        played.extend(step.points.iter().filter_map(|p| if let PointKind::BarClosed(bar) = p.kind { Some(bar) } else { None }));
    }
    let watched = tokio::task::spawn_blocking(move || {
        let (mut seen, mut bars, mut last) = ([0_u32; 4], Vec::new(), START);
        for _ in 0..2_000 {
            let step = mirror.next_step().unwrap().unwrap();
            assert!(step.time >= last, "time never goes back");
            last = step.time;
            for point in step.points {
                match point.kind {
                    PointKind::Trade { .. } => seen[0] += 1,
                    PointKind::Top { bid, ask, .. } => {
                        assert!(bid < ask);
                        seen[1] += 1;
                    }
                    PointKind::Mark { .. } => seen[2] += 1,
                    PointKind::BarClosed(bar) => bars.push(bar),
                    PointKind::FundingRate(_) => seen[3] += 1,
                    PointKind::Depth { .. } => {}
                }
            }
            if bars.len() >= 4 && seen.iter().all(|n| *n > 0) {
                break;
            }
        }
        (seen, bars)
    });
    let (seen, bars) = watched.await.unwrap();
    println!("trades, tops, marks, rates: {seen:?}; {} bars", bars.len());
    assert!(seen.iter().all(|n| *n > 0) && bars.len() >= 4, "{seen:?} {}", bars.len());
    for bar in bars {
        let original = played.iter().find(|b| b.symbol == bar.symbol && b.open_time == bar.open_time).unwrap();
        assert_eq!(
            (bar.open, bar.high, bar.low, bar.close, bar.volume),
            (original.open, original.high, original.low, original.close, original.volume)
        );
    }
    run.stop();
    run.finished().await.unwrap();
    server.stop().await;
}
