//! Adopting the exchange's truth: the account read whole replaces what the books say; each difference is reported and booked.
//!
//! Invariant: afterwards wallet, positions and settings equal the snapshot. Facts that happened up to its time and arrive later
//! no longer move them.

use super::books::{Books, PositionKey};
use super::holding::{Holding, Terms};
use super::ledger::Cause;
use super::node::PositionOut;
use crate::account::{AccountSnapshot, VenuePosition};
use crate::id::StrategyId;
use crate::num::{NumError, Price};
use crate::order::ExitReason;
use crate::record::{LedgerAccount, Record};
use std::collections::BTreeMap;

impl Books {
    /// Takes the snapshot over; gives whether anything differed from what was known.
    pub fn adopt(&mut self, snapshot: &AccountSnapshot, out: &mut Vec<PositionOut>) -> Result<bool, NumError> {
        let first = !self.known;
        let mut texts = Vec::new();
        self.adopt_settings(snapshot);
        self.adopt_wallet(snapshot, first, &mut texts, out)?;
        let theirs: BTreeMap<PositionKey, &VenuePosition> =
            snapshot.positions.iter().filter(|p| !p.qty.is_zero()).map(|p| ((p.symbol, p.side), p)).collect();
        let gone: Vec<PositionKey> = self.holdings.keys().filter(|key| !theirs.contains_key(key)).copied().collect();
        for key in gone {
            if let Some(held) = self.holdings.remove(&key) {
                texts.push(format!("{} {}: ours was {}, the exchange has none", key.0, key.1.as_str(), held.qty));
                self.bump(held.strategy, key.0);
                let trip = held.round_trip(ExitReason::External, snapshot.time, held.entry);
                self.close(trip, out)?;
            }
        }
        for (key, position) in theirs {
            self.adopt_position(key, position, snapshot, &mut texts)?;
        }
        self.reported.wallet = Some(snapshot.wallet);
        self.reported.positions = snapshot.positions.iter().map(|p| ((p.symbol, p.side), p.clone())).collect();
        self.reported.time = self.reported.time.max(snapshot.time);
        self.flows.forget_recorded(snapshot.time);
        self.known = true;
        self.hedge = snapshot.hedge_mode;
        self.adopted = Some(self.adopted.map_or(snapshot.time, |at| at.max(snapshot.time)));
        self.first_adopted = self.first_adopted.or(Some(snapshot.time));
        self.time = self.time.max(snapshot.time);
        let differed = !texts.is_empty();
        for text in texts {
            out.push(PositionOut::Journal(Record::DifferenceFound { text: format!("{text}; the exchange's was adopted") }));
        }
        out.push(PositionOut::Journal(Record::SnapshotAdopted(snapshot.clone())));
        Ok(differed)
    }

    fn adopt_settings(&mut self, snapshot: &AccountSnapshot) {
        for settings in &snapshot.settings {
            self.settings.insert(settings.symbol, *settings);
        }
    }

    fn adopt_wallet(
        &mut self,
        snapshot: &AccountSnapshot,
        first: bool,
        texts: &mut Vec<String>,
        out: &mut Vec<PositionOut>,
    ) -> Result<(), NumError> {
        let difference = snapshot.wallet.checked_sub(self.wallet)?;
        if !first && !difference.is_zero() {
            texts.push(format!("wallet: ours was {}, the exchange's is {}", self.wallet, snapshot.wallet));
        }
        let against = if first { LedgerAccount::Transfer } else { LedgerAccount::Adjustment };
        let cause = Cause { symbol: None, strategy: StrategyId::external(), source: "snapshot".to_owned(), time: snapshot.time };
        self.book(against, difference, cause, out)
    }

    fn adopt_position(
        &mut self,
        key: PositionKey,
        theirs: &VenuePosition,
        snapshot: &AccountSnapshot,
        texts: &mut Vec<String>,
    ) -> Result<(), NumError> {
        let kept = self.holdings.get_mut(&key).filter(|held| held.qty.is_positive() == theirs.qty.is_positive());
        let mut differs = true;
        let owner = if let Some(held) = kept {
            let same_entry = close_enough(held.entry, theirs.entry);
            differs = held.qty != theirs.qty || !same_entry;
            if differs {
                texts.push(format!(
                    "{} {}: ours was {} at {}, the exchange's is {} at {}",
                    key.0,
                    key.1.as_str(),
                    held.qty,
                    held.entry,
                    theirs.qty,
                    theirs.entry
                ));
                let entry = if same_entry { held.entry } else { theirs.entry };
                held.adopt(theirs.qty, entry);
            }
            held.margin_mode = theirs.margin_mode;
            held.isolated_wallet = theirs.isolated_wallet;
            held.strategy
        } else {
            let ours = self.holdings.get(&key).map_or_else(|| "none".to_owned(), |h| h.qty.to_string());
            texts.push(format!("{} {}: ours was {ours}, the exchange's is {} at {}", key.0, key.1.as_str(), theirs.qty, theirs.entry));
            let (leverage, _) = self.terms(key.0);
            let terms = Terms { strategy: StrategyId::external(), margin_mode: theirs.margin_mode, leverage, reason: ExitReason::External };
            let mut held = Holding::open(key.0, key.1, theirs.qty, theirs.entry, terms, snapshot.time)?;
            held.isolated_wallet = theirs.isolated_wallet;
            self.holdings.insert(key, held);
            StrategyId::external()
        };
        self.owners.insert(key.0, owner);
        if differs {
            self.bump(owner, key.0);
        }
        Ok(())
    }
}

/// The exchange prints entries with fewer places than it reckons with: a relative difference of 10⁻⁶ is no difference.
fn close_enough(ours: Price, theirs: Price) -> bool {
    (i128::from(ours.raw()) - i128::from(theirs.raw())).abs() * 1_000_000 <= i128::from(ours.raw()).abs()
}
