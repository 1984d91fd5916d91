//! Reports: which callers wait for the checks, which get an older report, and that no check runs twice at a time.

use std::sync::atomic::AtomicBool;

use tokio::time::{Instant, sleep, timeout};

use super::*;

#[tokio::test(start_paused = true)]
async fn a_report_is_shared_by_who_asks_meanwhile_and_kept_for_half_a_minute() {
    let (asked, fails) = (Arc::new(AtomicU32::new(0)), Arc::default());
    let health = Arc::new(health(&Arc::default()).check(counted(&asked, &fails)));
    let all = (0..10).map(|_| {
        let health = Arc::clone(&health);
        tokio::spawn(async move { health.report().await })
    });
    for report in all.collect::<Vec<_>>() {
        assert_eq!(report.await.expect("no panic").status, HealthStatus::Healthy);
    }
    assert_eq!(asked.load(Ordering::Relaxed), 1);
    sleep(20 * SECOND).await;
    // The report began a second before it was ready.
    assert_eq!(health.report().await.age, 21 * SECOND);
    assert_eq!(asked.load(Ordering::Relaxed), 1);
    assert_eq!(health.report_now().await.age, SECOND);
    assert_eq!(asked.load(Ordering::Relaxed), 2);
    sleep(60 * SECOND).await;
    assert_eq!(health.report().await.age, SECOND);
    assert_eq!(asked.load(Ordering::Relaxed), 3);
}

#[tokio::test(start_paused = true)]
async fn watching_makes_a_report_every_half_minute_until_it_is_dropped() {
    let (asked, fails) = (Arc::new(AtomicU32::new(0)), Arc::default());
    let health = Arc::new(health(&Arc::default()).check(counted(&asked, &fails)));
    let watching = tokio::spawn({
        let health = Arc::clone(&health);
        async move { health.watch().await }
    });
    sleep(100 * SECOND).await;
    watching.abort();
    assert_eq!(asked.load(Ordering::Relaxed), 4);
}

#[tokio::test(start_paused = true)]
async fn who_gives_up_does_not_end_the_checks() {
    let (asked, fails) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicU32::new(1)));
    let health = health(&Arc::default()).check(counted(&asked, &fails).critical());
    for _ in 0..3 {
        timeout(SECOND / 4, health.report()).await.expect_err("it takes a second");
    }
    sleep(SECOND).await;
    let report = timeout(Duration::ZERO, health.report()).await.expect("it is there");
    assert_eq!((report.status, report.checks[0].consecutive_failures), (HealthStatus::Unhealthy, 1));
    assert_eq!(asked.load(Ordering::Relaxed), 1);
}

#[tokio::test(start_paused = true)]
async fn while_the_checks_run_the_last_report_is_handed_out_up_to_a_minute_old() {
    let (asked, fails) = (Arc::new(AtomicU32::new(0)), Arc::default());
    let health = health(&Arc::default()).check(counted(&asked, &fails));
    let age = async || {
        let started = Instant::now();
        let age = health.report().await.age;
        (age.as_secs(), started.elapsed().as_secs())
    };
    assert_eq!(age().await, (1, 1));
    sleep(39 * SECOND).await;
    for _ in 0..3 {
        assert_eq!(age().await, (40, 0));
    }
    // The request for an old report started a new one.
    sleep(2 * SECOND).await;
    assert_eq!((age().await, asked.load(Ordering::Relaxed)), ((2, 0), 2));
    sleep(57 * SECOND).await;
    assert_eq!((age().await, asked.load(Ordering::Relaxed)), ((59, 0), 2));
    sleep(59 * SECOND).await;
    assert_eq!(age().await, (59, 0));
    sleep(60 * SECOND).await;
    assert_eq!(age().await, (1, 1), "a minute is too old");
}

#[tokio::test(start_paused = true)]
async fn while_somebody_watches_nobody_waits() {
    let (asked, fails) = (Arc::new(AtomicU32::new(0)), Arc::default());
    let health = Arc::new(health(&Arc::default()).check(counted(&asked, &fails)));
    let watching = tokio::spawn({
        let health = Arc::clone(&health);
        async move { health.watch().await }
    });
    health.report().await;
    for _ in 0..400 {
        let report = timeout(Duration::ZERO, health.report()).await.expect("there is always one");
        assert!(report.age <= 31 * SECOND, "{:?}", report.age);
        sleep(SECOND / 2).await;
    }
    watching.abort();
    // Each report is made up to a tenth earlier than after 30 s.
    assert!((7..=8).contains(&asked.load(Ordering::Relaxed)), "{asked:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_check_that_never_gives_its_thread_back_takes_no_second_one() {
    let (begun, may_end) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicBool::new(false)));
    let check = HealthCheck::new("blocks", {
        let (begun, may_end) = (Arc::clone(&begun), Arc::clone(&may_end));
        move || {
            begun.fetch_add(1, Ordering::Relaxed);
            let started = std::time::Instant::now();
            while !may_end.load(Ordering::Relaxed) && started.elapsed() < 20 * SECOND {
                std::thread::sleep(Duration::from_millis(1));
            }
            std::future::ready(CheckResult::pass("at last"))
        }
    });
    let health = Arc::new(health(&Arc::default()).check(check.timeout(Duration::from_millis(50))));
    let ask = || {
        let health = Arc::clone(&health);
        // The task of the test itself has a separate thread.
        tokio::spawn(async move { of(&health.report_now().await, "blocks") })
    };
    let first = ask().await.expect("no panic");
    let others = [ask().await.expect("no panic"), ask().await.expect("no panic")];
    let times = begun.load(Ordering::Relaxed);
    may_end.store(true, Ordering::Relaxed);
    assert_eq!(first, (CheckStatus::Fail, "no answer within 50ms".into()));
    for (status, message) in others {
        assert!(status == CheckStatus::Fail && message.starts_with("still running after "), "{message}");
    }
    assert_eq!(times, 1);
    let passes = async {
        while ask().await.expect("no panic").0 != CheckStatus::Pass {
            sleep(Duration::from_millis(1)).await;
        }
    };
    timeout(20 * SECOND, passes).await.expect("it has ended, and is run again");
}

#[test]
fn a_run_that_ended_with_its_runtime_is_begun_anew_in_another() {
    let runtime =
        || tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().expect("one");
    let (asked, fails) = (Arc::new(AtomicU32::new(0)), Arc::default());
    let health = health(&Arc::default()).check(counted(&asked, &fails));
    runtime().block_on(async { timeout(SECOND / 2, health.report()).await }).expect_err("it takes a second");
    let report = runtime().block_on(async { timeout(2 * SECOND, health.report()).await }).expect("an answer");
    assert_eq!((report.status, asked.load(Ordering::Relaxed)), (HealthStatus::Healthy, 2));
}
