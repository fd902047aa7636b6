//! Settings: defaults of the table, all violations at once, the written form.

use crate::build::*;
use fulmar_domain::risk::{Limit, RiskLimits, StrategyLimits};
use fulmar_domain::time::Span;

#[test]
fn the_defaults_are_those_of_the_table_and_valid() {
    let limits = RiskLimits::default();
    assert_eq!(limits.validate(), Ok(()));
    assert_eq!((limits.mark_age_max, limits.price_band, limits.leverage_max), (Span::secs(5), ratio("0.05"), 10));
    assert_eq!((limits.position_margin_max, limits.gross_exposure_max), (Limit::At(ratio("0.1")), Limit::At(ratio("3"))));
    assert_eq!((limits.net_exposure_max, limits.daily_loss_max), (Limit::At(ratio("2")), Limit::At(ratio("0.05"))));
    assert_eq!((limits.drawdown_max, limits.liquidation_distance_min), (Limit::At(ratio("0.15")), ratio("0.05")));
    assert_eq!((limits.risk_per_trade_max, limits.funding_cost_max), (Limit::At(ratio("0.01")), Limit::At(ratio("0.01"))));
    assert_eq!((limits.positions_max, limits.orders_max, limits.orders_per_second), (Limit::At(10), Limit::At(50), Limit::At(10)));
    let streak = limits.consecutive_losses.get().expect("on");
    assert_eq!((streak.losses, streak.lock), (6, Span::hours(1)));
}

#[test]
fn every_violation_is_named_at_once() {
    let mut limits = RiskLimits {
        leverage_max: 0,
        price_band: ratio("-0.1"),
        drawdown_max: Limit::At(ratio("1.5")),
        orders_per_minute: Limit::At(5_000),
        ..RiskLimits::default()
    };
    let own = StrategyLimits { leverage_max: Some(50), cooldown: Some(Limit::At(Span(-1))), ..StrategyLimits::default() };
    limits.strategies.insert(ema(), own);
    let keys: Vec<String> = limits.validate().expect_err("wrong").into_iter().map(|v| v.key).collect();
    let wanted = [
        "leverage_max",
        "price_band",
        "drawdown_max",
        "orders_per_minute",
        "strategies.ema_rsi.cooldown",
        "strategies.ema_rsi.leverage_max",
    ];
    assert_eq!(keys, wanted);
}

#[test]
fn limits_are_written_as_values_or_off_and_unknown_keys_are_refused() {
    let text = r#"{"daily_loss_max":"off","leverage_max":3,"strategies":{"ema_rsi":{"drawdown_max":"0.1","cooldown":60000}}}"#;
    let limits: RiskLimits = serde_json::from_str(text).expect("settings");
    assert_eq!((limits.daily_loss_max, limits.leverage_max), (Limit::OFF, 3));
    let own = limits.of(ema());
    assert_eq!((own.drawdown_max, own.cooldown), (Limit::At(ratio("0.1")), Limit::At(Span::minutes(1))));
    let written = serde_json::to_string(&limits).expect("text");
    assert_eq!(serde_json::from_str::<RiskLimits>(&written).expect("settings"), limits);
    assert!(serde_json::from_str::<RiskLimits>(r#"{"leverage":3}"#).is_err());
}
