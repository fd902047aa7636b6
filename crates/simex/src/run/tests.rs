//! The run loop against a market that only counts.

use super::*;
use crate::source::generator::{GeneratorOptions, GeneratorSource};
use fulmar_domain::symbol::Symbol;
use parking_lot::Mutex;

/// Writes down what it is told. In lock-step it acknowledges at once; the first barrier after a step may be followed by
/// private frames, as the answer of a client makes them.
#[derive(Debug, Default)]
struct Tape {
    log: Mutex<Vec<String>>,
    ticks: AtomicU64,
    barriers: AtomicU64,
    answers: Mutex<u64>,
    silent: bool,
}

impl Market for Tape {
    fn advance(&self, step: &Step) {
        self.log.lock().push(format!("step {}", step.time.0));
        *self.answers.lock() = 1;
    }
    fn tick(&self, _: Timestamp) {
        self.ticks.fetch_add(1, Ordering::AcqRel);
    }
    fn send_barrier(&self, last: bool) -> u64 {
        let number = self.barriers.fetch_add(1, Ordering::AcqRel) + 1;
        self.log.lock().push(format!("barrier {last}"));
        number
    }
    async fn acknowledged(&self, _: u64) {
        if self.silent {
            std::future::pending::<()>().await;
        }
    }
    fn private_frames_since_barrier(&self) -> u64 {
        let mut answers = self.answers.lock();
        std::mem::take(&mut *answers)
    }
}

fn source(minutes: u64) -> Box<dyn MarketSource> {
    let symbols = [Symbol::new("BTCUSDT").unwrap()];
    let options = GeneratorOptions {
        history_bars: 0,
        points_per_minute: 1,
        minutes: Some(minutes),
        ..GeneratorOptions::new(1, &symbols, Timestamp(1_780_272_000_000))
    };
    Box::new(GeneratorSource::new(&options).unwrap())
}

fn finish(handle: RunHandle) -> Result<RunReport, RunError> {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(handle.finished())
}

#[test]
fn in_lock_step_barriers_frame_every_step_and_follow_answers_and_the_last_says_so() {
    let tape = Arc::new(Tape::default());
    let report = finish(spawn(Arc::clone(&tape), source(1), Speed::Max).unwrap()).unwrap();
    assert_eq!((report.end, report.steps, report.bars), (RunEnd::DataEnded, 2, 1));
    let log = tape.log.lock().clone();
    let (open, close) = ("step 1780272000000".to_owned(), "step 1780272059999".to_owned());
    let barrier = |last: bool| format!("barrier {last}");
    assert_eq!(log, vec![barrier(false), open, barrier(false), barrier(false), close, barrier(true), barrier(true)]);
    assert_eq!(tape.ticks.load(Ordering::Acquire), 0, "market time does not pass by itself");
}

#[test]
fn two_runs_in_lock_step_are_the_same() {
    let run = || {
        let tape = Arc::new(Tape::default());
        finish(spawn(Arc::clone(&tape), source(30), Speed::Max).unwrap()).unwrap();
        tape.log.lock().clone()
    };
    assert_eq!(run(), run());
}

#[test]
fn a_run_that_waits_for_its_clients_can_be_stopped() {
    let tape = Arc::new(Tape { silent: true, ..Tape::default() });
    let handle = spawn(Arc::clone(&tape), source(1), Speed::Max).unwrap();
    handle.stopper().stop();
    let report = finish(handle).unwrap();
    assert_eq!((report.end, report.steps), (RunEnd::Stopped, 0));
}

#[test]
fn a_paced_run_keeps_time_and_ticks_between_steps() {
    let tape = Arc::new(Tape::default());
    let began = std::time::Instant::now();
    let report = finish(spawn(Arc::clone(&tape), source(1), Speed::Times(NonZeroU32::new(100).unwrap())).unwrap()).unwrap();
    let took = began.elapsed();
    assert_eq!((report.end, report.steps), (RunEnd::DataEnded, 2));
    assert!(took >= Duration::from_millis(599), "60 s at a hundredfold: {took:?}");
    assert!(tape.ticks.load(Ordering::Acquire) >= 1);
    assert_eq!(tape.barriers.load(Ordering::Acquire), 0);
}

#[test]
fn a_paced_run_stops_when_asked() {
    let handle = spawn(Arc::new(Tape::default()), source(1_000), Speed::REAL).unwrap();
    let progress = handle.progress();
    while progress.steps() == 0 {
        std::thread::yield_now();
    }
    handle.stop();
    assert_eq!(finish(handle).unwrap().end, RunEnd::Stopped);
}

#[test]
fn a_source_that_fails_ends_the_run_with_its_error() {
    struct Broken;
    impl MarketSource for Broken {
        fn instruments(&self) -> Vec<fulmar_domain::instrument::Instrument> {
            Vec::new()
        }
        fn brackets(&self) -> Vec<fulmar_domain::instrument::Brackets> {
            Vec::new()
        }
        fn start(&self) -> Timestamp {
            Timestamp::ZERO
        }
        fn plan(&self) -> Vec<crate::source::SymbolPlan> {
            Vec::new()
        }
        fn history(&self, _: Symbol, _: fulmar_domain::market::Timeframe) -> Vec<fulmar_domain::market::Bar> {
            Vec::new()
        }
        fn next_step(&mut self) -> Result<Option<Step>, SourceError> {
            Err(SourceError::Feed { url: "ws://x".to_owned(), reason: "gone".to_owned() })
        }
        fn remarks(&self) -> Vec<String> {
            Vec::new()
        }
    }
    for speed in [Speed::REAL, Speed::Max] {
        let error = finish(spawn(Arc::new(Tape::default()), Box::new(Broken), speed).unwrap()).unwrap_err();
        assert_eq!(error.to_string(), "the market source failed after 0 steps: the feed at ws://x is lost: gone");
    }
}

#[test]
fn speeds_are_read_and_printed() {
    for text in ["max", "1", "60"] {
        assert_eq!(text.parse::<Speed>().unwrap().to_string(), text);
    }
    for text in ["", "0", "-1", "1.5", "fast"] {
        assert!(text.parse::<Speed>().is_err(), "{text}");
    }
}
