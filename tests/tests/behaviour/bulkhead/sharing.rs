//! Which functions share a bulkhead, and which have a separate one.

use std::time::Duration;

use resilient_runtime::{Registry, resilient};
use tokio::time::sleep;

use super::{begin, is_full, s};
use crate::error::Error;

#[resilient(bulkhead(max = 1, name = "shared"))]
async fn shares(time: Duration) -> Result<(), Error> {
    sleep(time).await;
    Ok(())
}

#[resilient(bulkhead(max = 1, name = "shared"))]
async fn shares_it_too() -> Result<(), Error> {
    Ok(())
}

#[resilient(bulkhead = 1)]
async fn has_its_own() -> Result<(), Error> {
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn functions_share_a_bulkhead_by_name_and_have_their_own_without_one() {
    let running = begin(shares(s(1))).await;
    assert!(is_full(&shares_it_too().await));
    assert_eq!(has_its_own().await, Ok(()));
    assert_eq!(running.await.expect("no panic"), Ok(()));
    assert_eq!(shares_it_too().await, Ok(()));
}

struct Tenant {
    name: &'static str,
}

#[resilient(bulkhead(max = 1, key = (tenant.name, *number / 10)))]
async fn by_tenant(tenant: Tenant, number: u32) -> Result<(), Error> {
    let _ = (tenant, number);
    sleep(s(1)).await;
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn each_value_of_a_key_has_a_bulkhead_of_its_own() {
    let first = begin(by_tenant(Tenant { name: "a" }, 1)).await;
    let second = begin(by_tenant(Tenant { name: "b" }, 1)).await;
    let third = begin(by_tenant(Tenant { name: "a" }, 11)).await;
    assert!(is_full(&by_tenant(Tenant { name: "a" }, 2).await));
    for task in [first, second, third] {
        assert_eq!(task.await.expect("no panic"), Ok(()));
    }
}

#[resilient(bulkhead = 1)]
async fn is_alone_in_its_registry(time: Duration) -> Result<(), Error> {
    sleep(time).await;
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_registry_of_its_own_has_bulkheads_of_its_own() {
    let registry = || std::sync::Arc::new(Registry::new());
    let one = begin(registry().scope(is_alone_in_its_registry(s(1)))).await;
    let other = begin(registry().scope(is_alone_in_its_registry(s(1)))).await;
    assert_eq!((one.await.expect("no panic"), other.await.expect("no panic")), (Ok(()), Ok(())));
}
