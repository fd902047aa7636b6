//! Matching of the two reports of one payment.
//!
//! Funding, insurance and transfers are told twice: at once by the account stream, without number and in cross mode without
//! symbol, and later by the income history, with number and symbol. Whichever comes first is booked; the other one is matched
//! to it and, where it brings the symbol, only attributes.
//!
//! Invariant: over both reports of one payment the wallet changes once by its amount.

use crate::num::{NumError, Usdt};
use crate::record::LedgerAccount;
use crate::time::{Span, Timestamp};

/// The two reports of one payment lie at most this far apart in exchange time (funding is paid within a minute of its hour).
const APART_MAX: Span = Span::minutes(15);
/// Unmatched reports that are remembered.
const OPEN_MAX: usize = 1_024;

#[derive(Clone, PartialEq, Eq, Debug)]
struct Open {
    account: LedgerAccount,
    time: Timestamp,
    amount: Usdt,
    attributed: bool,
}

/// Payments known from one report only.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Flows {
    streamed: Vec<Open>,
    recorded: Vec<Open>,
}

/// What an income record means.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Recorded {
    /// New: book it whole.
    Book,
    /// The stream has told it, without symbol: attribute only.
    Attribute,
    /// The stream has told it, with symbol: nothing is left to do.
    Known,
}

fn near(open: &Open, account: LedgerAccount, time: Timestamp) -> bool {
    open.account == account && time.since(open.time).0.abs() <= APART_MAX.0
}

impl Flows {
    /// The account stream tells of `amount`; gives what is still to be booked.
    pub fn streamed(&mut self, account: LedgerAccount, amount: Usdt, time: Timestamp, attributed: bool) -> Result<Usdt, NumError> {
        if let Some(index) = self.recorded.iter().position(|o| near(o, account, time) && o.amount == amount) {
            self.recorded.remove(index);
            return Ok(Usdt::ZERO);
        }
        let mut left = amount;
        let mut kept = Vec::with_capacity(self.recorded.len());
        for open in self.recorded.drain(..) {
            if near(&open, account, time) {
                left = left.checked_sub(open.amount)?;
            } else {
                kept.push(open);
            }
        }
        self.recorded = kept;
        if !left.is_zero() {
            self.streamed.push(Open { account, time, amount: left, attributed });
            if self.streamed.len() > OPEN_MAX {
                self.streamed.remove(0);
            }
        }
        Ok(left)
    }
    /// The income history tells of `amount`.
    pub fn recorded(&mut self, account: LedgerAccount, amount: Usdt, time: Timestamp) -> Result<Recorded, NumError> {
        let meaning = |open: &Open| if open.attributed { Recorded::Known } else { Recorded::Attribute };
        if let Some(index) = self.streamed.iter().position(|o| near(o, account, time) && o.amount == amount) {
            return Ok(meaning(&self.streamed.remove(index)));
        }
        if let Some(index) = self.streamed.iter().position(|o| near(o, account, time))
            && let Some(open) = self.streamed.get_mut(index)
        {
            let found = meaning(open);
            open.amount = open.amount.checked_sub(amount)?;
            if open.amount.is_zero() {
                self.streamed.remove(index);
            }
            return Ok(found);
        }
        self.recorded.push(Open { account, time, amount, attributed: true });
        if self.recorded.len() > OPEN_MAX {
            self.recorded.remove(0);
        }
        Ok(Recorded::Book)
    }
    /// A snapshot of the whole wallet was adopted: what was told before it needs no further booking.
    pub fn forget_recorded(&mut self, until: Timestamp) {
        self.recorded.retain(|o| o.time > until);
    }
}
