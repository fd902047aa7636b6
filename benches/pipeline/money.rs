//! Profit and fee of a closed trade, checked: our fixed-point numbers against `rust_decimal`.

use std::hint::black_box;

use divan::Bencher;
use fulmar_domain::num::{Price, Qty, Ratio, Rounding, Usdt, notional};
use rust_decimal::Decimal;

use crate::pairs::ratio;

fn ours() -> impl FnMut() {
    let (entry, exit) = (Price::parse("64990.9").unwrap(), Price::parse("65210.4").unwrap());
    let (qty, fee) = (Qty::parse("0.154").unwrap(), Ratio::parse("0.0005").unwrap());
    move || {
        let profit = |(entry, exit, qty, fee): (Price, Price, Qty, Ratio)| -> Result<Usdt, fulmar_domain::num::NumError> {
            let gain = notional(exit.checked_sub(entry)?, qty, Rounding::HalfEven)?;
            gain.checked_sub(notional(exit, qty, Rounding::HalfEven)?.times(fee, Rounding::HalfEven)?)
        };
        black_box(profit(black_box((entry, exit, qty, fee)))).unwrap();
    }
}

fn decimal() -> impl FnMut() {
    let d = |text: &str| text.parse::<Decimal>().unwrap();
    let (entry, exit, qty, fee) = (d("64990.9"), d("65210.4"), d("0.154"), d("0.0005"));
    move || {
        let profit = |(entry, exit, qty, fee): (Decimal, Decimal, Decimal, Decimal)| {
            let gain = exit.checked_sub(entry)?.checked_mul(qty)?.round_dp(8);
            gain.checked_sub(exit.checked_mul(qty)?.round_dp(8).checked_mul(fee)?.round_dp(8))
        };
        black_box(profit(black_box((entry, exit, qty, fee)))).unwrap();
    }
}

/// Prints the ratio.
pub fn ratios() {
    let (mut a, mut b) = (ours(), decimal());
    ratio("profit and fee, checked", "rust_decimal", "<= 0.15", &mut |n| (0..n).for_each(|_| a()), &mut |n| (0..n).for_each(|_| b()));
}

#[divan::bench]
fn profit_and_fee(bencher: Bencher) {
    bencher.bench_local(ours());
}

#[divan::bench]
fn profit_and_fee_rust_decimal(bencher: Bencher) {
    bencher.bench_local(decimal());
}
