//! Any bytes as an error answer: classified, never a panic.
#![no_main]

use fulmar_adapters::exchange::binance::{classify, read_error};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (u16, Option<i64>, i64, &[u8])| {
    let (status, retry_after, now, body) = input;
    let error = read_error(status, body);
    assert!(error.message.chars().count() <= 256);
    let _class = classify(status, &error, retry_after, now.clamp(0, i64::MAX / 2));
});
