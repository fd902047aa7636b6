//! The double-entry ledger.
//!
//! Invariant: each booking goes to the wallet and, with the sign turned, to one other account; so the sum over all accounts is
//! always zero.

use crate::id::StrategyId;
use crate::num::{NumError, Usdt};
use crate::record::{LedgerAccount, LedgerEntry};
use crate::symbol::Symbol;
use crate::time::Timestamp;
use std::collections::BTreeMap;

/// What a booking is about.
#[derive(Clone, Debug)]
pub(super) struct Cause {
    pub symbol: Option<Symbol>,
    pub strategy: StrategyId,
    pub source: String,
    pub time: Timestamp,
}

/// All accounts and the number of the last booking.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Ledger {
    balances: BTreeMap<LedgerAccount, Usdt>,
    seq: u64,
}

impl Ledger {
    /// Books `amount` to the wallet and its negative to `against`. Nothing changes on an error.
    pub fn book(&mut self, against: LedgerAccount, amount: Usdt, cause: Cause) -> Result<LedgerEntry, NumError> {
        let wallet = self.balance(LedgerAccount::Wallet).checked_add(amount)?;
        let other = self.balance(against).checked_sub(amount)?;
        self.balances.insert(LedgerAccount::Wallet, wallet);
        self.balances.insert(against, other);
        self.seq += 1;
        Ok(LedgerEntry {
            seq: self.seq,
            against,
            amount,
            symbol: cause.symbol,
            strategy: cause.strategy,
            source: cause.source,
            time: cause.time,
        })
    }
    /// Balance of one account.
    pub fn balance(&self, account: LedgerAccount) -> Usdt {
        self.balances.get(&account).copied().unwrap_or_default()
    }
    /// Sum over all accounts; anything but zero is a bug.
    pub fn sum(&self) -> i128 {
        self.balances.values().map(|b| i128::from(b.raw())).sum()
    }
}
