//! What the journal keeps: commands, intents and facts. Recovery, replay, audit and the store all read these and nothing else.

use crate::account::{AccountEvent, AccountSnapshot, Income};
use crate::breaker::BreakerState;
use crate::control::{Command, Notice};
use crate::gate::{GateOwner, GateWord, Role};
use crate::id::{ClientOrderId, DecisionId, Epoch, IntentSeq, StrategyId};
use crate::market::Bar;
use crate::num::{Price, Usdt};
use crate::order::{CancelIntent, OrderIntent, OrderUpdate, VenueOrder};
use crate::symbol::Symbol;
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};

/// One entry of the journal's body.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "record")]
pub enum Record {
    /// A process began to write.
    SessionStarted {
        /// Its epoch.
        epoch: Epoch,
        /// Program version.
        version: String,
        /// Digest of the settings in force.
        config_digest: String,
    },
    /// A process ended in order.
    SessionEnded {
        /// Why.
        reason: String,
    },
    /// The role of this process changed.
    RoleChanged(Role),
    /// The gate changed.
    GateChanged {
        /// Who changed it.
        owner: GateOwner,
        /// The gate since.
        gate: GateWord,
        /// Why, in one sentence.
        cause: String,
    },
    /// The operator ordered something.
    Command(Command),
    /// A strategy wanted to trade.
    IntentRaised(OrderIntent),
    /// A strategy wanted to cancel.
    CancelRaised(CancelIntent),
    /// Risk refused; all codes that failed, the first is the verdict.
    IntentRefused(RefusalRecord),
    /// An order is about to be sent: durable before its first byte leaves.
    OrderPlanned(VenueOrder),
    /// A cancellation is about to be sent.
    CancelPlanned {
        /// Which order.
        client_id: ClientOrderId,
        /// Contract.
        symbol: Symbol,
        /// It is an algo order.
        algo: bool,
    },
    /// An approved order was dropped before it left (gate moved, lease lost, journal full).
    OrderVoided {
        /// Decision.
        decision: DecisionId,
        /// Its intent, where one had been planned.
        intent: Option<IntentSeq>,
        /// Why.
        cause: String,
    },
    /// A fact about an order, with its fill.
    OrderUpdated(OrderUpdate),
    /// The exchange reported an account change.
    AccountChanged(AccountEvent),
    /// An income record was booked.
    IncomeBooked(Income),
    /// The account was read whole and adopted.
    SnapshotAdopted(AccountSnapshot),
    /// What recovery found to differ between journal and exchange.
    DifferenceFound {
        /// One sentence: what, where, which side was adopted.
        text: String,
    },
    /// A ledger booking; the sum over both accounts is zero.
    LedgerBooked(LedgerEntry),
    /// Equity at an instant.
    EquityMarked {
        /// Wallet.
        wallet: Usdt,
        /// Equity.
        equity: Usdt,
        /// Equity at the last UTC midnight.
        day_start: Usdt,
        /// Highest equity so far.
        peak: Usdt,
        /// Market time.
        time: Timestamp,
    },
    /// A round trip ended.
    TradeClosed(RoundTrip),
    /// The circuit breaker's state from now on.
    BreakerChanged(BreakerState),
    /// A closed bar that strategies decided on.
    BarSeen(Bar),
    /// An actor failed.
    ActorFailed {
        /// Group and actor.
        actor: String,
        /// Type of the message at hand, empty where none.
        message: String,
        /// Its number.
        message_id: u64,
        /// Text of the panic.
        text: String,
        /// File and line.
        place: String,
        /// Restarts of this actor so far.
        restarts: u64,
    },
    /// A notice for people.
    Noticed(Notice),
}

impl Record {
    /// The stable name of its kind, as in the serialised form.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::SessionStarted { .. } => "session_started",
            Self::SessionEnded { .. } => "session_ended",
            Self::RoleChanged(_) => "role_changed",
            Self::GateChanged { .. } => "gate_changed",
            Self::Command(_) => "command",
            Self::IntentRaised(_) => "intent_raised",
            Self::CancelRaised(_) => "cancel_raised",
            Self::IntentRefused(_) => "intent_refused",
            Self::OrderPlanned(_) => "order_planned",
            Self::CancelPlanned { .. } => "cancel_planned",
            Self::OrderVoided { .. } => "order_voided",
            Self::OrderUpdated(_) => "order_updated",
            Self::AccountChanged(_) => "account_changed",
            Self::IncomeBooked(_) => "income_booked",
            Self::SnapshotAdopted(_) => "snapshot_adopted",
            Self::DifferenceFound { .. } => "difference_found",
            Self::LedgerBooked(_) => "ledger_booked",
            Self::EquityMarked { .. } => "equity_marked",
            Self::TradeClosed(_) => "trade_closed",
            Self::BreakerChanged(_) => "breaker_changed",
            Self::BarSeen(_) => "bar_seen",
            Self::ActorFailed { .. } => "actor_failed",
            Self::Noticed(_) => "noticed",
        }
    }
}

/// A refusal as the journal keeps it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct RefusalRecord {
    /// What was wanted.
    pub intent: OrderIntent,
    /// Every rule that failed, in the table's order; the first is the verdict.
    pub failures: Vec<RefusalDetail>,
}

/// One failed rule.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct RefusalDetail {
    /// Stable code, such as `LEVERAGE_TOO_HIGH`.
    pub code: String,
    /// What was measured, as text; empty where a fact was missing.
    pub value: String,
    /// The limit, as text; empty where a fact was missing.
    pub limit: String,
    /// One sentence.
    pub message: String,
}

/// Accounts of the double-entry ledger.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "plain words")]
pub enum LedgerAccount {
    Wallet,
    RealizedPnl,
    Commission,
    Funding,
    Transfer,
    Insurance,
    Adjustment,
}

/// A booking: `amount` goes to the wallet and its negative to `against`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct LedgerEntry {
    /// Dense number.
    pub seq: u64,
    /// The other account.
    pub against: LedgerAccount,
    /// Change of the wallet.
    pub amount: Usdt,
    /// Contract, missing for transfers.
    pub symbol: Option<Symbol>,
    /// Owner.
    pub strategy: StrategyId,
    /// What caused it: `trade:<id>`, `tran:<id>`, `snapshot`.
    pub source: String,
    /// Market time.
    pub time: Timestamp,
}

/// A position from its first fill to flat.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct RoundTrip {
    /// Owner.
    pub strategy: StrategyId,
    /// Contract.
    pub symbol: Symbol,
    /// Long?
    pub long: bool,
    /// Largest absolute quantity.
    pub qty: crate::num::Qty,
    /// Average entry.
    pub entry: Price,
    /// Average exit.
    pub exit: Price,
    /// Realised profit without fees.
    pub realized: Usdt,
    /// Fees.
    pub fees: Usdt,
    /// Funding received.
    pub funding: Usdt,
    /// Why it ended.
    pub reason: crate::order::ExitReason,
    /// First fill.
    pub opened: Timestamp,
    /// Last fill.
    pub closed: Timestamp,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::TranId;

    #[test]
    fn a_record_whose_content_has_a_kind_of_its_own_reads_back() {
        let record = Record::IncomeBooked(Income {
            id: TranId(7),
            kind: "FUNDING_FEE".to_owned(),
            symbol: None,
            amount: Usdt::from_raw(-1),
            asset: "USDT".to_owned(),
            time: Timestamp(5),
        });
        let json = serde_json::to_string(&record).expect("serialises");
        assert!(json.starts_with("{\"record\":\"income_booked\""), "{json}");
        assert_eq!(serde_json::from_str::<Record>(&json).expect("reads"), record);
    }
}
