//! `[[strategy]]`: instances as written, checked by the strategies themselves.

use std::collections::BTreeMap;

use fulmar_domain::id::StrategyId;
use fulmar_domain::market::Timeframe;
use fulmar_domain::num::Ratio;
use fulmar_domain::order::MarginMode;
use fulmar_domain::strategy::{ExitRules, Sizing, StrategySettings};
use fulmar_domain::symbol::Symbol;
use serde::Deserialize;

use super::layers::{Tree, Violation};

#[derive(Deserialize)]
struct Written {
    id: String,
    strategy: String,
    symbols: Vec<Symbol>,
    timeframe: String,
    fraction: Ratio,
    leverage: u16,
    margin_mode: MarginMode,
    parameters: BTreeMap<String, serde_json::Value>,
}

/// Reads all instances. `symbols`: those of the engine, for instances that name none.
pub(super) fn read(tree: &Tree, json: &serde_json::Value, symbols: &[Symbol], found: &mut Vec<Violation>) -> Vec<StrategySettings> {
    let list = json.get("strategy").and_then(serde_json::Value::as_array).cloned().unwrap_or_default();
    let mut all: Vec<StrategySettings> = Vec::new();
    for (index, item) in list.into_iter().enumerate() {
        let key = format!("strategy.{index}");
        let mut tell = |key: String, text: String| found.push(Violation { origin: tree.origin(&key), key, text });
        let written: Written = match serde_json::from_value(item) {
            Ok(written) => written,
            Err(error) => {
                tell(key, error.to_string());
                continue;
            }
        };
        let Some(id) = StrategyId::new(&written.id) else {
            tell(format!("{key}.id"), "1 to 31 bytes are needed".to_owned());
            continue;
        };
        let mut settings = StrategySettings::new(id, &written.strategy, written.symbols);
        if settings.symbols.is_empty() {
            settings.symbols = symbols.to_vec();
        }
        if !written.timeframe.is_empty() {
            match written.timeframe.parse::<Timeframe>() {
                Ok(timeframe) => settings.timeframe = Some(timeframe),
                Err(error) => tell(format!("{key}.timeframe"), error.to_string()),
            }
        }
        settings.sizing = Sizing::FixedFraction(written.fraction);
        settings.leverage = written.leverage;
        settings.margin_mode = written.margin_mode;
        settings.exits = ExitRules::default();
        for (name, value) in written.parameters {
            let text = match value {
                serde_json::Value::String(text) => text,
                other => other.to_string(),
            };
            match Ratio::parse(&text) {
                Ok(number) => {
                    settings.parameters.insert(name, number);
                }
                Err(error) => tell(format!("{key}.parameters.{name}"), format!("{text:?}: {error}")),
            }
        }
        if let Err(errors) = settings.make() {
            for error in errors {
                tell(key.clone(), error.to_string());
            }
        }
        for symbol in settings.symbols.iter().filter(|s| !symbols.contains(s)) {
            tell(format!("{key}.symbols"), format!("{symbol} does not stand in engine.symbols"));
        }
        for other in &all {
            if other.id == settings.id {
                tell(format!("{key}.id"), format!("`{}` is used twice", settings.id));
            }
            for symbol in settings.symbols.iter().filter(|s| other.symbols.contains(s)) {
                let text = format!("{symbol} is traded by `{}` already: in one-way mode two strategies would share one position", other.id);
                tell(format!("{key}.symbols"), text);
            }
        }
        all.push(settings);
    }
    all
}
