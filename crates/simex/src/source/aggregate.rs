//! Longer bars made of shorter ones.

use fulmar_domain::market::{Bar, Timeframe};

/// Bars of `timeframe` made of `bars` (one symbol, one shorter or equal timeframe, oldest first).
///
/// Only whole bars come out: one that lacks a part at its start, in its middle or at its end is left out. Sums that no longer
/// fit leave the bar out too.
#[must_use]
pub fn aggregate(bars: &[Bar], timeframe: Timeframe) -> Vec<Bar> {
    let Some(first) = bars.first() else { return Vec::new() };
    if first.timeframe == timeframe {
        return bars.to_vec();
    }
    let (part, whole) = (first.timeframe.span().0, timeframe.span().0);
    if part > whole || whole % part != 0 {
        return Vec::new();
    }
    let needed = usize::try_from(whole / part).unwrap_or(usize::MAX);
    bars.chunk_by(|a, b| a.open_time.floor_to(timeframe.span()) == b.open_time.floor_to(timeframe.span()))
        .filter(|group| group.len() == needed)
        .filter_map(|group| fold(group, timeframe))
        .collect()
}

fn fold(group: &[Bar], timeframe: Timeframe) -> Option<Bar> {
    let (first, rest) = group.split_first()?;
    let mut bar = Bar { timeframe, ..*first };
    for part in rest {
        bar.high = bar.high.max(part.high);
        bar.low = bar.low.min(part.low);
        bar.close = part.close;
        bar.volume = bar.volume.checked_add(part.volume).ok()?;
        bar.quote_volume = bar.quote_volume.checked_add(part.quote_volume).ok()?;
        bar.trades = bar.trades.checked_add(part.trades)?;
    }
    Some(bar)
}

#[cfg(test)]
mod tests {
    use super::*;
    use fulmar_domain::num::{Price, Qty, Usdt};
    use fulmar_domain::symbol::Symbol;
    use fulmar_domain::time::Timestamp;

    fn minute(n: i64) -> Bar {
        let price = |p: i64| Price::from_int(p).unwrap();
        Bar {
            symbol: Symbol::new("BTCUSDT").unwrap(),
            timeframe: Timeframe::M1,
            open_time: Timestamp(n * 60_000),
            open: price(100 + n),
            high: price(110 + n),
            low: price(90 - n),
            close: price(101 + n),
            volume: Qty::from_int(n).unwrap(),
            quote_volume: Usdt::from_int(10 * n).unwrap(),
            trades: 2,
        }
    }

    #[test]
    fn five_minutes_make_one_bar_and_parts_make_none() {
        let bars: Vec<Bar> = (3..13).map(minute).collect();
        let out = aggregate(&bars, Timeframe::M5);
        assert_eq!(out.len(), 1, "minutes 3-4 and 10-12 are parts only");
        let bar = out[0];
        assert_eq!((bar.open_time, bar.timeframe), (Timestamp(5 * 60_000), Timeframe::M5));
        assert_eq!((bar.open, bar.close), (minute(5).open, minute(9).close));
        assert_eq!((bar.high, bar.low), (minute(9).high, minute(9).low));
        assert_eq!(bar.volume, Qty::from_int(35).unwrap());
        assert_eq!((bar.quote_volume, bar.trades), (Usdt::from_int(350).unwrap(), 10));
    }

    #[test]
    fn a_bar_with_a_hole_is_left_out() {
        let bars: Vec<Bar> = (0..10).filter(|n| *n != 7).map(minute).collect();
        assert_eq!(aggregate(&bars, Timeframe::M5).len(), 1);
        assert!(aggregate(&aggregate(&bars, Timeframe::M5), Timeframe::M3).is_empty(), "longer bars are never cut");
    }
}
