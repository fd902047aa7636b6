use super::*;

fn with_file(text: &str) -> Result<Settings, Vec<Violation>> {
    let folder = tempfile::tempdir().expect("folder");
    let file = folder.path().join("mine.toml");
    std::fs::write(&file, text).expect("written");
    load(&Sources { files: vec![file], ..Sources::default() })
}

#[test]
fn the_defaults_stand_by_themselves() {
    let settings = load(&Sources::default()).unwrap_or_else(|found| panic!("{found:#?}"));
    assert!(settings.engine.symbols.iter().any(|s| s.as_str() == "BTCUSDT"));
    assert_eq!(settings.engine.mode, Mode::Simex);
    assert_eq!(settings.risk, RiskLimits::default(), "config/default.toml and the code tell different limits");
}

#[test]
fn all_violations_come_together_with_file_line_and_key() {
    let found = with_file("[engine]\ninstance = \"too-long-a-name\"\nsimbols = [\"BTCUSDT\"]\n\n[risk]\nleverage_max = \"many\"\n\n[api]\nlisten = \"nowhere\"\n")
        .expect_err("four are wrong");
    let told: Vec<String> = found.iter().map(ToString::to_string).collect();
    assert!(told.iter().any(|t| t.contains("mine.toml:3") && t.contains("engine.simbols") && t.contains("`symbols`")), "{told:#?}");
    assert!(told.iter().any(|t| t.contains("mine.toml:6") && t.contains("risk.leverage_max")), "{told:#?}");
    assert!(told.iter().any(|t| t.contains("mine.toml:2") && t.contains("engine.instance")), "{told:#?}");
    assert!(told.iter().any(|t| t.contains("mine.toml:9") && t.contains("api.listen")), "{told:#?}");
}

#[test]
fn later_layers_win_and_numbers_never_pass_through_floats() {
    let folder = tempfile::tempdir().expect("folder");
    let file = folder.path().join("mine.toml");
    std::fs::write(&file, "[risk]\ndaily_loss_max = 0.07000001\nleverage_max = 4\n").expect("written");
    let sources = Sources {
        files: vec![file],
        environment: vec![("FULMAR__RISK__LEVERAGE_MAX".into(), "5".into())],
        flags: vec![("risk.drawdown_max".into(), "off".into())],
    };
    let settings = load(&sources).unwrap_or_else(|found| panic!("{found:#?}"));
    assert_eq!(settings.risk.leverage_max, 5);
    assert_eq!(settings.risk.daily_loss_max.get().map(|r| r.raw()), Some(7_000_001));
    assert_eq!(settings.risk.drawdown_max.get(), None);
}

#[test]
fn limits_of_several_figures_are_switched_off_and_on() {
    let settings = with_file("[risk]\nconsecutive_losses = \"off\"\nlow_profit = { trades = 3, profit = \"0\", lock = 60000 }\n")
        .unwrap_or_else(|found| panic!("{found:#?}"));
    assert!(settings.risk.consecutive_losses.get().is_none());
    assert_eq!(settings.risk.low_profit.get().map(|l| l.trades), Some(3));
}

#[test]
fn syntax_errors_name_the_line() {
    let found = with_file("[engine]\ninstance = \n").expect_err("broken");
    assert!(found.iter().any(|v| v.origin.line == 2), "{found:?}");
}

#[test]
fn the_digest_tells_settings_apart_and_nothing_of_the_secrets() {
    let with = |key: &str, value: &str| {
        let sources = Sources { flags: vec![(key.to_owned(), value.to_owned())], ..Sources::default() };
        load(&sources).unwrap_or_else(|found| panic!("{found:#?}")).digest
    };
    assert_eq!(with("exchange.api_secret", "\"a\""), with("exchange.api_secret", "\"b\""));
    assert_ne!(with("risk.leverage_max", "4"), with("risk.leverage_max", "5"));
}

#[test]
fn dates_become_midnights() {
    assert_eq!(start_ms("1970-01-02"), Some(86_400_000));
    assert_eq!(start_ms("2025-06-01"), Some(1_748_736_000_000));
    assert_eq!(start_ms("2025-13-01"), None);
    assert_eq!(start_ms("soon"), None);
}
