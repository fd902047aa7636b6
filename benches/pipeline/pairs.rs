//! Two pieces of work in turns, and the median of their ratios.

use std::fs;
use std::time::Instant;

/// Pairs of rounds; odd, so that the median is one of them.
const ROUNDS: usize = 11;
/// How long one round shall last, in nanoseconds of CPU: many times the scheduler's tick, by which CPU time is counted.
const ROUND_NS: f64 = 60_000_000.0;

/// CPU time of this thread in nanoseconds; wall time where the system does not say.
fn cpu_ns(start: Instant) -> f64 {
    let stat = fs::read_to_string("/proc/thread-self/schedstat").ok();
    let cpu = stat.and_then(|text| text.split(' ').next()?.parse::<f64>().ok());
    cpu.unwrap_or_else(|| start.elapsed().as_nanos() as f64)
}

fn time(run: &mut dyn FnMut(u64), times: u64, start: Instant) -> f64 {
    let before = cpu_ns(start);
    run(times);
    (cpu_ns(start) - before).max(1.0)
}

/// How often `run` fits into a round.
fn calibrate(run: &mut dyn FnMut(u64), start: Instant) -> u64 {
    let mut times = 64;
    loop {
        let begin = Instant::now();
        run(times);
        let took = begin.elapsed().as_nanos() as f64;
        if took > ROUND_NS / 20.0 || times > 1 << 34 {
            return ((times as f64) * ROUND_NS / took.max(1.0)).max(1.0) as u64;
        }
        times *= 4;
        std::hint::black_box(start);
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// The heading of the table that [`ratio`] fills.
pub fn print_head() {
    println!("{:<34} {:>10} {:>12} {:>7}   {:<10} baseline", "what", "ns", "baseline ns", "ratio", "goal");
}

/// Runs product and baseline in turns and prints the line. Each is called with the number of times it shall do its work.
pub fn ratio(what: &str, baseline: &str, goal: &str, product: &mut dyn FnMut(u64), yardstick: &mut dyn FnMut(u64)) {
    let start = Instant::now();
    let (a, b) = (calibrate(product, start), calibrate(yardstick, start));
    let (mut of_product, mut of_yardstick, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let p = time(product, a, start) / a as f64;
        let y = time(yardstick, b, start) / b as f64;
        of_product.push(p);
        of_yardstick.push(y);
        ratios.push(p / y);
    }
    println!("{what:<34} {:>10.1} {:>12.1} {:>7.2}   {goal:<10} {baseline}", median(of_product), median(of_yardstick), median(ratios));
}

/// One piece of work without a baseline.
pub fn figure(what: &str, run: &mut dyn FnMut(u64)) {
    let start = Instant::now();
    let times = calibrate(run, start);
    let each = (0..ROUNDS).map(|_| time(run, times, start) / times as f64).collect();
    println!("{what:<34} {:>10.1}", median(each));
}
