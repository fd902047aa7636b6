use super::*;
use proptest::prelude::*;
use rust_decimal::{Decimal, RoundingStrategy};

fn oracle(raw: i64) -> Decimal {
    Decimal::from_i128_with_scale(i128::from(raw), DECIMALS)
}

fn strategy_of(rounding: Rounding) -> RoundingStrategy {
    match rounding {
        Rounding::Floor => RoundingStrategy::ToNegativeInfinity,
        Rounding::Ceil => RoundingStrategy::ToPositiveInfinity,
        Rounding::TowardZero => RoundingStrategy::ToZero,
        Rounding::AwayFromZero => RoundingStrategy::AwayFromZero,
        Rounding::HalfEven => RoundingStrategy::MidpointNearestEven,
    }
}

fn any_rounding() -> impl Strategy<Value = Rounding> {
    prop_oneof![
        Just(Rounding::Floor),
        Just(Rounding::Ceil),
        Just(Rounding::TowardZero),
        Just(Rounding::AwayFromZero),
        Just(Rounding::HalfEven)
    ]
}

proptest! {
    #[test]
    fn printing_and_reading_give_the_same_number(raw in any::<i64>()) {
        prop_assert_eq!(Price::parse(&Price::from_raw(raw).to_string()), Ok(Price::from_raw(raw)));
        prop_assert_eq!(Price::parse(&Price::from_raw(raw).padded(8)), Ok(Price::from_raw(raw)));
        let json = serde_json::to_string(&Qty::from_raw(raw)).expect("serialises");
        prop_assert_eq!(serde_json::from_str::<Qty>(&json).expect("reads"), Qty::from_raw(raw));
    }

    #[test]
    fn reading_agrees_with_the_decimal_oracle(whole in -90_000_000_000_i64..90_000_000_000, part in 0_u32..100_000_000) {
        let text = format!("{whole}.{part:08}");
        let expected = text.parse::<Decimal>().expect("decimal");
        prop_assert_eq!(oracle(Usdt::parse(&text).expect("parses").raw()), expected);
    }

    #[test]
    fn no_bytes_make_reading_panic(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
        if let Ok(value) = Price::parse_bytes(&bytes) {
            prop_assert_eq!(Price::parse(&value.to_string()), Ok(value));
        }
    }

    #[test]
    fn products_and_quotients_agree_with_the_decimal_oracle(
        price in 1_i64..2_000_000_000_000, qty in -1_000_000_000_000_i64..1_000_000_000_000, rounding in any_rounding()
    ) {
        let product = oracle(price) * oracle(qty);
        let expected = product.round_dp_with_strategy(DECIMALS, strategy_of(rounding));
        let value = notional(Price::from_raw(price), Qty::from_raw(qty), rounding);
        match value {
            Ok(value) => prop_assert_eq!(oracle(value.raw()), expected),
            Err(error) => {
                prop_assert_eq!(error, NumError::Overflow);
                prop_assert!(expected.abs() > Decimal::from(92_233_720_368_i64));
            }
        }
        // The quotient's oracle works on whole numbers: Decimal rounds a quotient to 28 digits first.
        let quotient = qty_for(Usdt::from_raw(qty), Price::from_raw(price), Rounding::Floor).expect("fits");
        prop_assert_eq!(i128::from(quotient.raw()), (i128::from(qty) * i128::from(SCALE)).div_euclid(i128::from(price)));
    }

    #[test]
    fn sums_agree_or_overflow(a in any::<i64>(), b in any::<i64>()) {
        match Usdt::from_raw(a).checked_add(Usdt::from_raw(b)) {
            Ok(sum) => prop_assert_eq!(oracle(sum.raw()), oracle(a) + oracle(b)),
            Err(error) => { prop_assert_eq!(error, NumError::Overflow); prop_assert!(a.checked_add(b).is_none()); }
        }
    }

    #[test]
    fn rounding_to_a_step_gives_a_multiple_next_to_the_number(raw in -1_000_000_000_000_i64..1_000_000_000_000, step in 1_i64..1_000_000_000, rounding in any_rounding()) {
        let rounded = Qty::from_raw(raw).round_to(Qty::from_raw(step), rounding).expect("fits");
        prop_assert!(rounded.is_multiple_of(Qty::from_raw(step)));
        prop_assert!((rounded.raw() - raw).abs() < step);
    }
}

#[test]
fn malformed_text_is_refused_with_its_reason() {
    for text in ["", "-", ".", "1.", ".5", "+1", "1e5", " 1", "1 ", "0x1", "NaN", "inf", "1.2.3", "--1"] {
        assert_eq!(Price::parse(text), Err(NumError::Syntax), "{text:?}");
    }
    assert_eq!(Price::parse("0.000000001"), Err(NumError::TooPrecise));
    assert_eq!(Price::parse("0.100000000000"), Price::parse("0.1"));
    assert_eq!(Price::parse("92233720368.54775808"), Err(NumError::Overflow));
    assert_eq!(Price::parse("-92233720368.54775808"), Ok(Price::from_raw(i64::MIN)));
}

#[test]
fn padding_keeps_the_places_that_interfaces_expect() {
    assert_eq!(Price::parse("5").map(|p| p.padded(2)), Ok("5.00".to_owned()));
    assert_eq!(Price::parse("5.125").map(|p| p.padded(2)), Ok("5.125".to_owned()));
    assert_eq!(Price::parse("0.10").map(Price::places), Ok(1));
    assert_eq!(Price::parse("10").map(Price::places), Ok(0));
}
