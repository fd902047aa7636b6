//! The supervision matrix on the product's own actors, in their own groups, on one arbiter in virtual time, while it trades:
//! nine places to panic × every actor × 20, each farther from the one before than its group's window.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on must fail")]

mod house;

use std::collections::BTreeMap;

use fulmar_actors::engine::Placement;
use fulmar_actors::supervision::fault::FaultSite;
use fulmar_actors::supervision::policy::SupervisionPolicy;
use fulmar_domain::record::Record;
use house::*;

const ROUNDS: usize = 20;
const SITES: usize = FaultSite::NINE.len();

/// The actors of one lane of injections: one after the other, every so many minutes, at the given steps of the minute in turn.
struct Lane {
    actors: &'static [&'static str],
    every: i64,
    offset: i64,
    steps: [i64; 3],
    done: usize,
    /// Seconds since the start of the last one, and the least that lie between two.
    last: Option<i64>,
    apart: i64,
}

impl Lane {
    /// `window`: of the group, in seconds.
    const fn new(actors: &'static [&'static str], window: i64, every: i64, offset: i64, steps: [i64; 3]) -> Self {
        Self { actors, every, offset, steps, done: 0, last: None, apart: window + 1 }
    }
    const fn all(&self) -> usize {
        self.actors.len() * SITES * ROUNDS
    }
    /// What is due at this step, if anything.
    fn due(&mut self, minute: i64, step: i64) -> Option<(&'static str, FaultSite)> {
        if minute % self.every != self.offset || self.done == self.all() || step != self.steps[self.done % 3] {
            return None;
        }
        let second = minute * 60 + step * 10;
        if self.last.is_some_and(|last| second - last < self.apart) {
            return None;
        }
        self.last = Some(second);
        let (actor, site) = (self.actors[self.done % self.actors.len()], FaultSite::NINE[self.done / self.actors.len() % SITES]);
        self.done += 1;
        Some((actor, site))
    }
}

#[test]
fn every_actor_survives_a_panic_at_every_site_while_it_trades() {
    virtual_time(async {
        let mut house = House::start(7, SupervisionPolicy::default(), &Placement::default());
        house.minutes(2).await;
        house.settle().await;
        house.agrees("before the first fault");

        let mut lanes = [
            Lane::new(&["risk", "execution", "position"], 60, 2, 0, [6, 1, 2]),
            Lane::new(&["market_feed", "indicator"], 60, 2, 1, [6, 1, 2]),
            Lane::new(&["circuit_breaker", "failover"], 60, 2, 0, [1, 2, 6]),
            Lane::new(&["audit"], 60, 2, 1, [1, 3, 6]),
            Lane::new(&["notifier"], 300, 6, 3, [2, 6, 1]),
            Lane::new(&["strategy:ema"], 600, 11, 4, [6, 1, 2]),
            Lane::new(&["operator"], 600, 11, 7, [6, 3, 1]),
        ];
        let all: usize = lanes.iter().map(Lane::all).sum();
        assert_eq!(all, 11 * SITES * ROUNDS);
        let mut injected: BTreeMap<(&str, &str), usize> = BTreeMap::new();
        let mut minute = 0;
        while lanes.iter().any(|lane| lane.done < lane.all()) {
            house
                .minute(|house, step| {
                    if step == 3 && minute % 15 == 0 {
                        house.signal(None, by_hand(), false, 3);
                    }
                    for (actor, site) in lanes.iter_mut().filter_map(|lane| lane.due(minute, step)) {
                        house.engine.supervisor.inject(actor, site).unwrap_or_else(|error| panic!("{actor} {site}: {error}"));
                        *injected.entry((actor, site.as_str())).or_default() += 1;
                    }
                    if step == QUIET {
                        house.agrees(&format!("minute {minute}"));
                    }
                })
                .await;
            minute += 1;
        }
        house.minutes(2).await;
        house.settle().await;
        house.agrees("after the last fault");
        house.rebuilds();

        // Each poison was reported once: in the book, in the journal, by actor and site.
        assert!(injected.values().all(|n| *n == ROUNDS), "{injected:?}");
        assert_eq!(house.engine.dead_letters.failures_total(), all as u64);
        let mut reported: BTreeMap<(String, String), usize> = BTreeMap::new();
        for record in house.recorder.records() {
            if let Record::ActorFailed { actor, text, .. } = record {
                let actor = actor.split_once('/').unwrap().1.to_owned();
                *reported.entry((actor, text.trim_start_matches("injected fault: ").to_owned())).or_default() += 1;
            }
        }
        let injected: BTreeMap<_, _> = injected.into_iter().map(|((a, s), n)| ((a.to_owned(), s.to_owned()), n)).collect();
        assert_eq!(reported, injected);

        // Nothing queued was lost: every message pushed was handled or superseded by a newer one of its kind.
        let depths = house.engine.switchboard.depths();
        for link in &depths {
            assert_eq!((link.depth, link.undelivered, link.shed), (0, 0, 0), "{link:?}");
        }
        assert_eq!(house.engine.dead_letters.undelivered_total(), 0);
        assert_eq!(house.recorder.count(|r| matches!(r, Record::BarSeen(_))) as u64, house.bars, "every bar was handed on once");
        let commands = house.recorder.count(|r| matches!(r, Record::Command(_))) as u64;
        let signalled = house.recorder.count(|r| matches!(r, Record::IntentRaised(i) if i.strategy.as_str() == "operator")) as u64;
        assert_eq!((commands, signalled), (house.signals, house.signals), "every command was written and carried out");

        // All run, nobody gave up, all addresses are those of the start.
        let tree = house.engine.supervisor.tree();
        for group in &tree.groups {
            assert!(!group.escalated, "{group:?}");
            assert!(group.children.iter().all(|c| c.state.as_str() == "running"), "{group:?}");
        }
        let links = &house.engine.links;
        let connected = [links.risk.connected(), links.execution.connected(), links.position.connected(), links.feed.connected()];
        assert_eq!(connected, [true; 4]);
        assert!(house.exits.codes().is_empty());
        let (calls, trips) = (house.port.with(|x| x.calls()), house.trips());
        assert!(trips > 100, "it traded: {trips} round trips");
        let pushed: u64 = depths.iter().map(|d| d.pushed).sum();
        let conflated: u64 = depths.iter().map(|d| d.conflated).sum();
        println!(
            "matrix: {all} poisons in {minute} minutes of market, all reported once; {} restarts; {pushed} messages pushed, {conflated} \
             superseded, 0 lost; {} round trips, {} orders placed, {} refused, {} cancelled, {} stops hit, {} surveys",
            tree.restarts_total(),
            trips,
            calls.placed,
            calls.refused,
            calls.cancelled,
            calls.triggered,
            calls.surveys
        );
    });
}
