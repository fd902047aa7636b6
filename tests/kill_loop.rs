//! The engine is killed again and again while it trades, as a power failure would, on an exchange that loses answers; each
//! start recovers, and in the end the books are the exchange's.
//!
//! `FULMAR_KILLS` sets how often (8 where missing), `FULMAR_SEED` the moments.

mod process;

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use process::books::{OurBooks, assert_agree};
use process::{Engine, Simex, wait_for};

const SYMBOLS: [&str; 6] = ["BTCUSDT", "ETHUSDT", "SOLUSDT", "XRPUSDT", "BNBUSDT", "DOGEUSDT"];

/// Chance by xorshift: the same seed gives the same moments.
struct Chance(u64);

impl Chance {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}

fn number(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).ok().map_or(otherwise, |text| text.parse().unwrap_or_else(|_| panic!("{name}={text}: a number is needed")))
}

fn faults(simex: &Simex) {
    for path in ["/fapi/v1/order", "/fapi/v1/algoOrder"] {
        simex.fault(&format!(r#"{{"fault":"drop_after","path":"{path}","probability":0.05,"count":1000000}}"#));
        simex.fault(&format!(r#"{{"fault":"unavailable","text":"A","execute":true,"path":"{path}","probability":0.025,"count":1000000}}"#));
        simex.fault(&format!(r#"{{"fault":"unavailable","text":"A","path":"{path}","probability":0.025,"count":1000000}}"#));
    }
    // Each rule takes its share of what the rules before it have left: together evenly 0 to 200 ms.
    for (ms, share) in [(200, 0.2), (150, 0.25), (100, 0.333), (50, 0.5)] {
        simex.fault(&format!(r#"{{"fault":"delay","ms":{ms},"path":"/fapi/","probability":{share},"count":1000000}}"#));
    }
}

/// Waits until something reached the exchange's ledger that was not there, at most so long.
fn just_after_an_order(simex: &Simex, within: Duration) {
    let (before, end) = (simex.records(), Instant::now() + within);
    while simex.records() == before && Instant::now() < end {
        std::thread::sleep(Duration::from_millis(2));
    }
}

#[test]
fn killed_at_any_moment_it_recovers_and_the_books_are_the_exchanges() {
    let kills = number("FULMAR_KILLS", 8);
    let seed = number("FULMAR_SEED", 1);
    let mut chance = Chance(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let folder = tempfile::tempdir().expect("a folder");
    let symbols = SYMBOLS.join(",");
    // At this speed an hour's orders come in six seconds: the limits of a minute would end the run, not the kills.
    let market = ["--speed", "600", "--seed", "3", "--symbols", &symbols, "--set", "simex.request_limits=false"];
    let simex = Simex::start(folder.path(), &market);
    let data = folder.path().join("data");
    let off = ["consecutive_losses", "daily_loss_max", "drawdown_max"].map(|rule| format!("risk.{rule}=off"));
    let mut settings = vec!["--symbols", &symbols, "--set", "breaker.drawdown_max=off", "--set", "breaker.daily_loss_max=off"];
    for rule in &off {
        settings.extend(["--set", rule]);
    }
    faults(&simex);
    let (mut back, mut in_flight, mut statuses, mut seen) = (Vec::new(), 0, BTreeMap::<&str, usize>::new(), BTreeSet::new());
    let mut began = Instant::now();
    let mut engine = Engine::start(&data, Some(&simex), &settings);
    for kill in 1..=kills {
        engine.wait_open(Duration::from_secs(60));
        let opened = began.elapsed();
        std::thread::sleep(Duration::from_millis(chance.below(4_000)));
        if chance.below(2) == 0 {
            just_after_an_order(&simex, Duration::from_secs(3));
        }
        engine.program.kill();
        let books = OurBooks::read(&data);
        // Orders that were in doubt at an earlier kill already count no second time.
        let flying: Vec<String> = books.in_flight().into_iter().filter(|id| !seen.contains(*id)).map(str::to_owned).collect();
        seen.extend(flying.iter().cloned());
        in_flight += usize::from(!flying.is_empty());
        for id in &flying {
            let status = books.status.get(id).map_or("planned", |status| if status == "UNKNOWN" { "unknown" } else { "pending" });
            *statuses.entry(status).or_default() += 1;
        }
        println!("kill {kill}: trading after {:.2} s, {} orders planned, in flight {flying:?}", opened.as_secs_f64(), books.planned.len());
        began = Instant::now();
        engine = Engine::start(&data, Some(&simex), &settings);
        back.push(began.elapsed());
    }
    back.sort();
    let median = back.get(back.len() / 2).copied().unwrap_or_default();
    let slowest = back.last().copied().unwrap_or_default();
    println!(
        "{kills} kills, {in_flight} with an order in flight ({statuses:?}); ping back after {median:?} in the median, {slowest:?} at most"
    );
    assert!(slowest < Duration::from_secs(60), "{slowest:?}");
    engine.wait_open(Duration::from_secs(60));
    let planned = OurBooks::read(&data).planned.len();
    wait_for("it trades again", Duration::from_secs(30), || {
        let now = OurBooks::read(&data).planned.len();
        if now > planned { Ok(()) } else { Err(format!("{now} orders, {}", engine.get("/api/v1/status")["gate"])) }
    });
    simex.no_faults();
    let held = engine.post("/api/v1/gate", r#"{"state":"reduce_only"}"#);
    assert_eq!(held.status, 200, "{}", held.body);
    let agreed = assert_agree(&engine, &simex, &SYMBOLS);
    let differences = OurBooks::read(&data).differences;
    println!("books agree: {agreed:?}; {} differences found and adopted on the way", differences.len());
    for difference in &differences {
        println!("  {difference}");
    }
    assert!(agreed.fills > 0 && agreed.orders > 0);
    let (code, _) = engine.stop();
    assert_eq!(code, Some(0));
    assert!(in_flight as u64 * 20 >= kills * 5, "only {in_flight} of {kills} kills struck with an order in flight");
}
