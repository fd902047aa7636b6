//! The filters of a contract, with the exchange's codes and texts.

use super::ApiError;
use fulmar_domain::id::ClientOrderId;
use fulmar_domain::instrument::Instrument;
use fulmar_domain::num::{NumError, Price, Qty, Rounding, Usdt, notional};
use fulmar_domain::order::Side;

fn refuse<T>(code: i32, msg: impl Into<String>) -> Result<T, ApiError> {
    Err(ApiError::new(code, msg))
}

/// A parameter that the order type needs.
pub(super) fn needed<T: Copy>(value: Option<T>, name: &str) -> Result<T, ApiError> {
    value.ok_or_else(|| ApiError::new(-1102, format!("Mandatory parameter '{name}' was not sent, was empty/null, or malformed.")))
}

/// A parameter that must not come with this order.
pub(super) fn unwanted<T>(value: Option<&T>, name: &str) -> Result<(), ApiError> {
    if value.is_none() { Ok(()) } else { refuse(-1106, format!("Parameter '{name}' sent when not required.")) }
}

/// The quantity against precision, lot size and, for market orders, the market lot size.
pub(super) fn quantity(i: &Instrument, qty: Qty, market: bool) -> Result<(), ApiError> {
    if !qty.is_positive() {
        return refuse(-4003, "Quantity less than or equal to zero.");
    }
    if qty.places() > i.qty_places {
        return refuse(-1111, "Precision is over the maximum defined for this asset.");
    }
    let (min, max, step) = if market { (i.market_qty_min, i.market_qty_max, i.market_step) } else { (i.qty_min, i.qty_max, i.step) };
    if qty < min {
        return refuse(-4004, "Quantity less than min quantity.");
    }
    if max.is_positive() && qty > max {
        return refuse(-4005, "Quantity greater than max quantity.");
    }
    if !qty.is_multiple_of(step) {
        return refuse(-4023, "Qty not increased by step size.");
    }
    Ok(())
}

/// A price against precision, range and tick; `what` is `Price` or `Stop price`.
pub(super) fn price(i: &Instrument, price: Price, stop: bool) -> Result<(), ApiError> {
    let what = if stop { "Stop price" } else { "Price" };
    if !price.is_positive() {
        return refuse(if stop { -4006 } else { -4001 }, format!("{what} less than 0."));
    }
    if price.places() > i.price_places {
        return refuse(-1111, "Precision is over the maximum defined for this asset.");
    }
    if i.price_max.is_positive() && price > i.price_max {
        return refuse(if stop { -4007 } else { -4002 }, format!("{what} greater than max price."));
    }
    if price < i.price_min {
        return refuse(-4013, "Price less than min price.");
    }
    if !price.is_multiple_of(i.tick) {
        return refuse(-4014, "Price not increased by tick size.");
    }
    Ok(())
}

/// PERCENT_PRICE: a buy at most mark · up, a sell at least mark · down.
pub(super) fn band(i: &Instrument, side: Side, price: Price, mark: Price) -> Result<(), ApiError> {
    let places = i.price_places;
    let limit = |ratio, rounding| mark.times(ratio, rounding).map_err(super::exchange::broken);
    if side == Side::Buy && i.band_up.is_positive() {
        let top = limit(i.band_up, Rounding::Floor)?;
        if price > top {
            return refuse(-4016, format!("Limit price can't be higher than {}.", top.padded(places)));
        }
    }
    if side == Side::Sell && i.band_down.is_positive() {
        let bottom = limit(i.band_down, Rounding::Ceil)?;
        if price < bottom {
            return refuse(-4024, format!("Limit price can't be lower than {}.", bottom.padded(places)));
        }
    }
    Ok(())
}

/// MIN_NOTIONAL; reduce-only orders are exempt.
pub(super) fn worth(i: &Instrument, price: Price, qty: Qty) -> Result<Usdt, ApiError> {
    let value = notional(price, qty, Rounding::HalfEven)
        .map_err(|_: NumError| ApiError::new(-1013, "Invalid message: price times quantity is out of range."))?;
    if value < i.notional_min {
        return refuse(-4164, format!("Order's notional must be no smaller than {} (unless you choose reduce only).", i.notional_min));
    }
    Ok(value)
}

/// A client id as the exchange takes it.
pub(super) fn client_id(text: &str) -> Result<ClientOrderId, ApiError> {
    ClientOrderId::new(text).ok_or_else(|| {
        ApiError::new(
            -4015,
            if text.len() > 36 { "Client order id length should be less than 36 chars" } else { "Client order id is not valid." },
        )
    })
}
