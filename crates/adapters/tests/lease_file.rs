//! The lease in a folder: one holder at a time, rising epochs, and a paused process that wakes up too late.
#![allow(clippy::unwrap_used, reason = "a test may fail by panic")]

use std::sync::Arc;

use fulmar_adapters::lease::file::FileLease;
use fulmar_ports::lease::{Lease, LeaseError, LeaseGrant};
use proptest::prelude::*;

fn wait<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

fn lease() -> (tempfile::TempDir, FileLease) {
    let dir = tempfile::tempdir().unwrap();
    let lease = FileLease::open(dir.path().join("lease")).unwrap();
    (dir, lease)
}

#[test]
fn a_second_holder_waits_until_the_first_has_expired_and_then_takes_a_higher_epoch() {
    let (_dir, lease) = lease();
    assert_eq!(wait(lease.read()), Ok(None));
    let a = wait(lease.acquire("a", 3_000, 10_000)).unwrap();
    assert_eq!(a, LeaseGrant { holder: "a".into(), epoch: 1, expiry_ms: 13_000 });
    assert_eq!(wait(lease.acquire("b", 3_000, 12_999)), Err(LeaseError::Held { holder: "a".into(), epoch: 1, expiry_ms: 13_000 }));
    let a = wait(lease.renew(&a, 3_000, 12_000)).unwrap();
    assert_eq!((a.epoch, a.expiry_ms), (1, 15_000));
    assert!(matches!(wait(lease.acquire("b", 3_000, 14_999)), Err(LeaseError::Held { .. })));
    let b = wait(lease.acquire("b", 3_000, 15_000)).unwrap();
    assert_eq!((b.epoch, b.expiry_ms), (2, 18_000));
    assert_eq!(wait(lease.renew(&a, 3_000, 14_000)), Err(LeaseError::Lost { epoch: 1, newest: 2 }));
    assert_eq!(wait(lease.release(&a)), Err(LeaseError::Lost { epoch: 1, newest: 2 }));
    assert_eq!(wait(lease.read()), Ok(Some(b)), "the stale holder changed nothing");
}

#[test]
fn an_expired_grant_cannot_be_renewed_even_if_nobody_took_it() {
    let (_dir, lease) = lease();
    let a = wait(lease.acquire("a", 1_000, 0)).unwrap();
    assert!(matches!(wait(lease.renew(&a, 1_000, 1_000)), Err(LeaseError::Lost { .. })));
    assert_eq!(wait(lease.acquire("a", 1_000, 1_000)).unwrap().epoch, 2);
}

#[test]
fn a_restarted_holder_is_granted_at_once_with_a_new_epoch_and_its_former_self_is_fenced() {
    let (_dir, lease) = lease();
    let before = wait(lease.acquire("a", 60_000, 0)).unwrap();
    let after = wait(lease.acquire("a", 60_000, 5)).unwrap();
    assert_eq!(after.epoch, before.epoch + 1);
    assert!(matches!(wait(lease.renew(&before, 60_000, 6)), Err(LeaseError::Lost { epoch: 1, newest: 2 })));
    wait(lease.renew(&after, 60_000, 6)).unwrap();
}

#[test]
fn a_released_lease_is_free_at_once_and_epochs_go_on_rising() {
    let (_dir, lease) = lease();
    let a = wait(lease.acquire("a", 60_000, 0)).unwrap();
    wait(lease.release(&a)).unwrap();
    let b = wait(lease.acquire("b", 60_000, 1)).unwrap();
    assert_eq!(b.epoch, 2);
    wait(lease.release(&b)).unwrap();
    assert_eq!(wait(lease.acquire("a", 60_000, 2)).unwrap().epoch, 3);
}

#[test]
fn the_late_write_of_a_paused_holder_harms_nobody_and_ends_with_its_expiry() {
    let (dir, lease) = lease();
    let a = wait(lease.acquire("a", 1_000, 0)).unwrap();
    let b = wait(lease.acquire("b", 1_000, 1_000)).unwrap();
    // `a` was stopped inside a renewal given at 900; its write lands now.
    let late = serde_json::to_vec(&LeaseGrant { expiry_ms: 1_900, ..a.clone() }).unwrap();
    std::fs::write(dir.path().join("lease/epoch-1"), late).unwrap();
    assert!(matches!(wait(lease.renew(&a, 1_000, 1_100)), Err(LeaseError::Lost { epoch: 1, newest: 2 })));
    let b = wait(lease.renew(&b, 1_000, 1_200)).unwrap();
    assert_eq!(wait(lease.read()), Ok(Some(b.clone())));
    wait(lease.release(&b)).unwrap();
    assert!(matches!(wait(lease.acquire("c", 1_000, 1_899)), Err(LeaseError::Held { epoch: 1, .. })));
    assert_eq!(wait(lease.acquire("c", 1_000, 1_900)).unwrap().epoch, 3);
}

#[test]
fn an_abandoned_claim_blocks_nobody() {
    let (dir, lease) = lease();
    wait(lease.acquire("a", 1_000, 0)).unwrap();
    std::fs::write(dir.path().join("lease/epoch-2"), b"").unwrap();
    assert!(matches!(wait(lease.acquire("b", 1_000, 999)), Err(LeaseError::Held { .. })));
    let b = wait(lease.acquire("b", 1_000, 1_000)).unwrap();
    assert_eq!(b.epoch, 3, "killed between claim and grant: the number is skipped");
}

#[test]
fn a_damaged_record_is_refused_by_name() {
    let (dir, lease) = lease();
    let a = wait(lease.acquire("a", 1_000, 0)).unwrap();
    let path = dir.path().join("lease/epoch-1");
    let good = std::fs::read_to_string(&path).unwrap();
    for bad in ["{", "{}", &good.replace("\"epoch\":1", "\"epoch\":9")] {
        std::fs::write(&path, bad).unwrap();
        let error = wait(lease.acquire("b", 1_000, 5_000)).unwrap_err();
        assert!(matches!(&error, LeaseError::Corrupt { place, .. } if place.ends_with("epoch-1")), "{error}");
        assert!(wait(lease.renew(&a, 1_000, 1)).is_err());
    }
}

#[test]
fn senseless_requests_are_refused() {
    let (_dir, lease) = lease();
    assert!(matches!(wait(lease.acquire("", 1, 0)), Err(LeaseError::Invalid { .. })));
    assert!(matches!(wait(lease.acquire("a", 0, 0)), Err(LeaseError::Invalid { .. })));
    assert!(matches!(wait(lease.acquire(&"a".repeat(129), 1, 0)), Err(LeaseError::Invalid { .. })));
}

#[test]
fn of_many_who_try_at_the_same_time_at_most_one_is_granted() {
    for round in 0..30 {
        let (_dir, lease) = lease();
        let lease = Arc::new(lease);
        let barrier = Arc::new(std::sync::Barrier::new(6));
        let threads: Vec<_> = (0..6)
            .map(|n| {
                let (lease, barrier) = (Arc::clone(&lease), Arc::clone(&barrier));
                std::thread::spawn(move || {
                    barrier.wait();
                    let holder = format!("h{n}");
                    (0..20).find_map(|_| wait(lease.acquire(&holder, 1_000, 0)).ok())
                })
            })
            .collect();
        let granted: Vec<LeaseGrant> = threads.into_iter().filter_map(|t| t.join().unwrap()).collect();
        assert_eq!(granted.len(), 1, "round {round}: {granted:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]
    /// Three holders act in any order, each with its own idea of when; time never goes back.
    #[test]
    fn at_no_moment_do_two_grants_overlap(steps in prop::collection::vec((0..3usize, 0..3u8, 0..800i64), 1..40)) {
        let (_dir, lease) = lease();
        let names = ["a", "b", "c"];
        let mut grants: [Option<LeaseGrant>; 3] = [None, None, None];
        let (mut now, mut newest) = (0, 0);
        for (who, what, later) in steps {
            now += later;
            match (what, grants[who].clone()) {
                (0, _) => {
                    if let Ok(grant) = wait(lease.acquire(names[who], 1_000, now)) {
                        prop_assert!(grant.epoch > newest);
                        newest = grant.epoch;
                        grants[who] = Some(grant);
                    }
                }
                (1, Some(grant)) => match wait(lease.renew(&grant, 1_000, now)) {
                    Ok(renewed) => {
                        prop_assert_eq!(renewed.epoch, newest);
                        grants[who] = Some(renewed);
                    }
                    Err(_) => grants[who] = None,
                },
                (2, Some(grant)) if wait(lease.release(&grant)).is_ok() => grants[who] = None,
                _ => {}
            }
            let in_force = grants.iter().flatten().filter(|g| g.expiry_ms > now).count();
            prop_assert!(in_force <= 1, "{:?} at {}", grants, now);
        }
    }
}
