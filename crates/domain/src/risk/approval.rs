//! Tokens of permission. Who holds one knows that the risk gate has seen the order.
//!
//! Invariant: nothing outside this crate can make or alter one: fields are private, there is no public constructor, and the
//! types are not deserialised.

use crate::num::{Qty, Usdt};
use crate::order::{CancelIntent, ExitReason, OrderIntent, PositionSide, Side};
use crate::symbol::Symbol;
use serde::Serialize;

/// An entry that passed every rule. Void once the gate's epoch has moved.
///
/// It cannot be made elsewhere, nor read from text:
/// ```compile_fail,E0624
/// # fn forge(intent: fulmar_domain::order::OrderIntent) {
/// fulmar_domain::risk::ApprovedOrder::new(intent, 0, fulmar_domain::num::Usdt::ZERO);
/// # }
/// ```
/// ```compile_fail,E0277
/// fn read<T: serde::de::DeserializeOwned>() {}
/// read::<fulmar_domain::risk::ApprovedOrder>();
/// ```
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct ApprovedOrder {
    intent: OrderIntent,
    gate_epoch: u64,
    reserved: Usdt,
}

impl ApprovedOrder {
    pub(in crate::risk) const fn new(intent: OrderIntent, gate_epoch: u64, reserved: Usdt) -> Self {
        Self { intent, gate_epoch, reserved }
    }
    #[cfg(test)]
    pub(crate) const fn for_tests(intent: OrderIntent, gate_epoch: u64) -> Self {
        Self { intent, gate_epoch, reserved: Usdt::ZERO }
    }
    /// What was approved, unchanged.
    #[must_use]
    pub const fn intent(&self) -> &OrderIntent {
        &self.intent
    }
    /// Epoch of the gate at the instant of approval; with any other epoch the order must be voided.
    #[must_use]
    pub const fn gate_epoch(&self) -> u64 {
        self.gate_epoch
    }
    /// Margin and fee set aside until the account frame accounts for the order.
    #[must_use]
    pub const fn reserved(&self) -> Usdt {
        self.reserved
    }
}

/// What may be done whatever the gate says, since it can only lower the risk.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case", tag = "action")]
#[allow(clippy::large_enum_variant, reason = "moved once from queue to node; boxing would cost an allocation per fact")]
pub enum ProtectiveAction {
    /// An order that only reduces a position that stands.
    Exit(OrderIntent),
    /// Withdraw standing entry orders.
    Cancel(CancelIntent),
    /// Close a position, or a part of it, at market.
    Flatten {
        /// Contract.
        symbol: Symbol,
        /// Which position.
        position_side: PositionSide,
        /// Quantity to close, positive.
        qty: Qty,
        /// Side of the closing order.
        side: Side,
        /// Why.
        reason: ExitReason,
    },
}

/// Permission for something that only reduces, withdraws or protects. Valid while the gate is reduce-only or halted; voided only
/// by a lost lease. Made by the risk gate and by execution's keeper of brackets.
///
/// ```compile_fail,E0624
/// # fn forge(action: fulmar_domain::risk::ProtectiveAction) {
/// fulmar_domain::risk::ApprovedProtection::new(action);
/// # }
/// ```
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct ApprovedProtection(ProtectiveAction);

impl ApprovedProtection {
    pub(crate) const fn new(action: ProtectiveAction) -> Self {
        Self(action)
    }
    #[cfg(test)]
    pub(crate) const fn for_tests_exit(intent: OrderIntent) -> Self {
        Self(ProtectiveAction::Exit(intent))
    }
    /// What may be done.
    #[must_use]
    pub const fn action(&self) -> &ProtectiveAction {
        &self.0
    }
}
