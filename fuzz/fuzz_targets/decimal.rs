//! Any bytes as a decimal: what is read prints as a number that reads back the same.
#![no_main]

use fulmar_domain::num::Price;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(price) = Price::parse_bytes(bytes) {
        assert_eq!(Price::parse(&price.to_string()), Ok(price));
    }
});
