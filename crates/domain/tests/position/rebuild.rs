//! The journal alone gives the books back.

use crate::build::*;
use fulmar_domain::num::{Price, Qty, Usdt};
use fulmar_domain::order::{ExitReason, MarginMode, Side};
use fulmar_domain::position::node::{PositionIn, PositionNode, PositionSettings};
use proptest::prelude::*;

#[derive(Clone, Debug)]
enum Step {
    Trade { on_btc: bool, buy: bool, thousandths: i64, cents: i64, realized: i64, duplicate: bool },
    Funding { id: i64, amount: i64, stream_first: bool },
    Snapshot { wallet: i64, amount: i64 },
    Mark { cents: i64 },
    NextDay,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (any::<bool>(), any::<bool>(), 1_i64..3_000, 1_000_000_i64..2_000_000, -500_i64..500, any::<bool>())
            .prop_map(|(on_btc, buy, thousandths, cents, realized, duplicate)| Step::Trade { on_btc, buy, thousandths, cents, realized, duplicate }),
        2 => (1_i64..20, -300_i64..300, any::<bool>()).prop_map(|(id, amount, stream_first)| Step::Funding { id, amount, stream_first }),
        1 => (900_000_i64..1_100_000, -2_000_i64..2_000).prop_map(|(wallet, amount)| Step::Snapshot { wallet, amount }),
        2 => (1_000_000_i64..2_000_000).prop_map(|cents| Step::Mark { cents }),
        1 => Just(Step::NextDay),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    #[test]
    fn replaying_the_journal_gives_the_same_books(steps in prop::collection::vec(step(), 1..60)) {
        let mut bench = Bench::new();
        let mut time = 2_000_i64;
        for (index, step) in steps.into_iter().enumerate() {
            let number = i64::try_from(index).expect("few") + 1;
            time += 1_000;
            match step {
                Step::Trade { on_btc, buy, thousandths, cents, realized, duplicate } => {
                    let symbol = if on_btc { btc() } else { eth() };
                    let mut one = fill(symbol, number, if buy { Side::Buy } else { Side::Sell }, "1", "1", "0", time);
                    one.qty = Qty::from_raw(thousandths * 100_000);
                    one.price = Price::from_raw(cents * 1_000_000);
                    one.realized = Usdt::from_raw(realized * 1_000_000);
                    one.fee = Usdt::from_raw(12_345);
                    let role = if buy { entry_role() } else { exit_role(ExitReason::Signal) };
                    let update = filled(one, role);
                    bench.give(PositionIn::Update(update.clone()), time);
                    if duplicate {
                        bench.give(PositionIn::Update(update), time + 1);
                    }
                }
                Step::Funding { id, amount, stream_first } => {
                    let amount = Usdt::from_raw(amount * 1_000_000).to_string();
                    let record = PositionIn::Income(income(id, "FUNDING_FEE", Some(btc()), &amount, time));
                    let stream = PositionIn::Account(wallet_event("FUNDING_FEE", "10000", &amount, Vec::new(), time));
                    let (a, b) = if stream_first { (stream, record) } else { (record, stream) };
                    bench.give(a, time).give(b, time + 5);
                }
                Step::Snapshot { wallet, amount } => {
                    let held = venue_position(btc(), &Qty::from_raw(amount * 100_000).to_string(), "15000", MarginMode::Isolated, "30");
                    let wallet = Usdt::from_raw(wallet * 1_000_000).to_string();
                    bench.give(PositionIn::Snapshot(snapshot(&wallet, vec![held], time)), time);
                }
                Step::Mark { cents } => {
                    let at = Price::from_raw(cents * 1_000_000).to_string();
                    bench.give(PositionIn::Mark(mark(btc(), &at, time)), time);
                }
                Step::NextDay => time += 86_400_000,
            }
        }
        let mut rebuilt = PositionNode::rebuild(PositionSettings::default(), bench.journal.iter()).expect("books");
        prop_assert!(rebuilt.same_books(&bench.node));
        let (ours, theirs) = (rebuilt.frame().expect("fits"), bench.node.frame().expect("fits"));
        prop_assert_eq!(&ours.facts, &theirs.facts);
        prop_assert_eq!(&ours.records, &theirs.records);
        prop_assert_eq!(&ours.heard, &theirs.heard);
        prop_assert_eq!(&ours.orders, &theirs.orders);
        prop_assert_eq!(ours.wallet, theirs.wallet);
        prop_assert_eq!(ours.day_start_equity, theirs.day_start_equity);
        let apart = (ours.peak_equity.raw() - theirs.peak_equity.raw()).abs();
        prop_assert!(apart <= theirs.peak_equity.raw() / 1_000, "{} {}", ours.peak_equity, theirs.peak_equity);
        // The journal may be read twice over the same facts without counting anything twice.
        let mut out = Vec::new();
        fulmar_domain::node::Node::on(&mut rebuilt, &PositionIn::Mark(mark(btc(), "15000", time)), fulmar_domain::time::Now::both(fulmar_domain::time::Timestamp(time)), &mut out);
        prop_assert_eq!(rebuilt.frame().expect("fits").wallet, theirs.wallet);
    }
}
