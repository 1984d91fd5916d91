//! Stores, runs and waits without a runtime or a pipeline.

use std::sync::atomic::AtomicUsize;
use std::task::{Context, Poll, Wake, Waker};

use super::*;
use crate::answer::Meaning;
use crate::context::Records;

fn answers(settings: CacheSettings) -> (Answers, Arc<ToolStatistics>, Arc<Generation>) {
    let (statistics, generation) = (Arc::new(ToolStatistics::new()), Arc::new(Generation::default()));
    (Answers::new(settings, true, Arc::clone(&statistics), Arc::clone(&generation)), statistics, generation)
}

fn insert(answers: &Answers, key: u128, bytes: u64) {
    let generation = answers.generation();
    answers.insert(key, NewAnswer { answer: Arc::new(key), bytes, generation, warnings: Box::default() });
}

fn size(statistics: &ToolStatistics) -> u64 {
    statistics.read().cache.map_or(0, |cache| cache.bytes)
}

#[test]
fn memory_is_bounded_at_once_by_bytes_and_by_entries() {
    let (kept, statistics, _) = answers(CacheSettings::new().max(10).max_bytes(1_000));
    for key in 0..100 {
        insert(&kept, key, 300);
        assert!(size(&statistics) <= 1_000, "{}", size(&statistics));
    }
    assert!(size(&statistics) >= 300);
    insert(&kept, 1_000, 1_001);
    assert!(kept.find(1_000, Moment::now()).is_none(), "larger than all");

    let (kept, statistics, _) = answers(CacheSettings::new().max(10).max_bytes(1_000_000));
    (0..100).for_each(|key| insert(&kept, key, 1));
    assert!((1..=10).contains(&size(&statistics)), "{}", size(&statistics));
    (0..100).for_each(|key| kept.remove(key));
    assert_eq!(size(&statistics), 0);
}

#[test]
fn a_new_answer_is_kept_even_if_all_others_are_read_often() {
    let (kept, ..) = answers(CacheSettings::new().max(4));
    (0..4).for_each(|key| insert(&kept, key, 1));
    for key in 4..40 {
        for _ in 0..50 {
            (0..key).for_each(|old| drop(kept.find(old, Moment::now())));
        }
        insert(&kept, key, 1);
        assert!(kept.find(key, Moment::now()).is_some(), "{key}");
    }
}

#[test]
fn an_outdated_answer_that_is_found_uses_no_memory() {
    let (kept, statistics, generation) = answers(CacheSettings::new());
    insert(&kept, 1, 8);
    insert(&kept, 2, 8);
    generation.raise();
    insert(&kept, 2, 8);
    assert!(kept.find(1, Moment::now()).is_none() && kept.find(2, Moment::now()).is_some());
    assert_eq!(size(&statistics), 8);
}

#[test]
fn the_end_of_a_write_raises_all_generations_again_after_the_last_one() {
    let of: [Arc<Generation>; 2] = Default::default();
    let write = Generations::new(Arc::from(of.clone()));
    write.begin();
    assert_eq!(of.each_ref().map(|generation| generation.current()), [1, 1]);
    drop(write);
    assert_eq!(of.each_ref().map(|generation| generation.current()), [3, 3]);
}

#[test]
fn weights_fill_the_capacity_with_all_entries_or_all_bytes() {
    for (max, max_bytes) in [(1, 1_024), (1_024, 64 << 20), (u32::MAX, u64::MAX), (3, 1 << 50), (1 << 20, 1_024)] {
        let weights = Weights::new(CacheSettings::new().max(max).max_bytes(max_bytes));
        let most = weights.capacity / weights.of(0);
        assert!(most <= u64::from(max) && most >= u64::from(max).min(weights.capacity) / 2, "{max}: {most}");
        assert!(weights.of(max_bytes) >= weights.capacity, "{max_bytes}");
    }
}

#[test]
fn an_answer_is_served_in_its_generation_alone() {
    let (kept, _, generation) = answers(CacheSettings::new());
    insert(&kept, 1, 8);
    assert!(kept.find(1, Moment::now()).is_some());
    generation.raise();
    assert!(kept.find(1, Moment::now()).is_none() && kept.find_for_error(1).is_none());
    let write = Generations::new(Arc::from([Arc::clone(&generation)]));
    drop(write);
    assert_eq!(generation.current(), 1, "a write whose body has not started changes nothing");
    let write = Generations::new(Arc::from([Arc::clone(&generation)]));
    write.begin();
    insert(&kept, 1, 8);
    drop(write);
    assert!(kept.find(1, Moment::now()).is_none(), "read during the write");
}

/// Counts how often it wakes.
#[derive(Default)]
struct Woken(AtomicUsize);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

fn follow(flights: &Arc<Flights>) -> Follower {
    match flights.join((1, 0), |flight| Wait::begin(&[], flight)) {
        Joined::Follows(follower) => follower,
        Joined::Leads(_) | Joined::Alone => panic!("there is a leader"),
    }
}

fn lead(flights: &Arc<Flights>) -> Lead {
    flights.try_lead((1, 0)).expect("there is no leader")
}

#[test]
fn the_place_of_a_leader_is_never_lost() {
    let flights = Arc::<Flights>::default();
    let woken: [Arc<Woken>; 3] = Default::default();
    let counts = || woken.each_ref().map(|woken| woken.0.load(Ordering::SeqCst));
    let wakers = woken.each_ref().map(|woken| Waker::from(Arc::clone(woken)));
    let contexts = || wakers.each_ref().map(Context::from_waker);

    let leader = lead(&flights);
    let [mut first, mut second, mut third] = [follow(&flights), follow(&flights), follow(&flights)];
    let [mut a, mut b, mut c] = contexts();
    assert!(first.poll(&mut a).is_pending() && second.poll(&mut b).is_pending() && third.poll(&mut c).is_pending());
    drop(leader);
    assert_eq!(counts(), [0, 0, 1], "the newest has the most time left");
    drop(third);
    assert_eq!(counts(), [0, 1, 1], "the next one is woken");
    // A newcomer is polled before the one that was woken.
    let newcomer = lead(&flights);
    assert!(second.poll(&mut b).is_pending());
    drop(newcomer);
    let Poll::Ready(Followed::Leads(mut second)) = second.poll(&mut b) else { panic!("it leads") };
    assert!(!second.ends_alone());
    let landed = Landed::Refused(crate::ResilienceError::Panicked);
    second.land(Landing { landed, reported: Reported::default(), records: Records::default() });
    assert_eq!(counts()[0], 1);
    assert!(matches!(first.poll(&mut a), Poll::Ready(Followed::Landed(_))));
    drop(lead(&flights));
    assert!(lead(&flights).ends_alone(), "nothing is left behind");
}

#[test]
fn followers_begin_again_if_a_run_is_dissolved() {
    let flights = Arc::<Flights>::default();
    let leader = lead(&flights);
    let mut follower = follow(&flights);
    leader.dissolve();
    assert!(matches!(follower.poll(&mut Context::from_waker(Waker::noop())), Poll::Ready(Followed::Again)));
    let value: Shared = Arc::new(1);
    lead(&flights).land(Landing {
        landed: Landed::Value(value, Meaning::Good),
        reported: Reported::default(),
        records: Records::default(),
    });
    drop(follower);
    drop(lead(&flights));
}

#[test]
fn a_call_does_not_wait_for_what_waits_for_it() {
    const FIRST: u64 = u64::MAX;
    let [a, b, c, d] = [FIRST, FIRST - 1, FIRST - 2, FIRST - 3];
    assert!(Wait::begin(&[a], a).is_none(), "a recursion");
    let ab = Wait::begin(&[a], b).expect("free");
    let bc = Wait::begin(&[b, d], c).expect("free");
    assert!(Wait::begin(&[c], a).is_none() && Wait::begin(&[c], d).is_none());
    assert!(Wait::begin(&[], a).is_some(), "nothing waits for it");
    drop(ab);
    assert!(Wait::begin(&[c], a).is_some() && Wait::begin(&[c], d).is_none());
    drop(bc);
    assert!(Wait::begin(&[c], d).is_some());
}
