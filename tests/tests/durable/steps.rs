//! Servers that are killed at one step, while a second one works on the same file.

use resilient_tests::records::steps::{
    Afterwards, assert_killed_after_the_commit, assert_killed_before_the_commit, killed_while_delivering,
};
use resilient_tests::records::{Mode, Step};

use crate::{StoreFile, block};

async fn killed(hold: Option<Step>, mode: Mode) -> Afterwards {
    let store_file = StoreFile::new();
    killed_while_delivering(&store_file.shared(), hold, mode).await
}

#[tokio::test]
async fn killed_before_the_commit_nothing_is_accepted_and_the_key_is_free() {
    let store_file = StoreFile::new();
    assert_killed_before_the_commit(&store_file.shared(), || block(&store_file.file)).await;
}

#[tokio::test]
async fn killed_after_the_commit_and_before_the_answer_the_entry_is_delivered_and_a_second_call_gets_its_receipt() {
    assert_killed_after_the_commit(&StoreFile::new().shared()).await;
}

#[tokio::test]
async fn killed_after_the_claim_the_next_try_is_of_the_survivor() {
    let after = killed(Some(Step::Claimed), Mode::Up).await;
    assert_eq!(after, Afterwards { tries: 1, interrupted: 1, repeated: 0 });
}

#[tokio::test]
async fn killed_in_the_middle_of_a_try_the_next_one_takes_effect() {
    let after = killed(None, Mode::Hangs).await;
    assert_eq!(after, Afterwards { tries: 1, interrupted: 1, repeated: 0 });
}

#[tokio::test]
async fn killed_after_the_effect_and_before_the_answer_of_the_upstream_the_key_prevents_a_second_effect() {
    let after = killed(None, Mode::HangsAfterEffect).await;
    // The upstream received it again.
    assert_eq!(after, Afterwards { tries: 1, interrupted: 1, repeated: 1 });
}

#[tokio::test]
async fn killed_after_the_effect_and_before_the_completion_the_key_prevents_a_second_effect() {
    let after = killed(Some(Step::Completing), Mode::Up).await;
    assert_eq!(after, Afterwards { tries: 1, interrupted: 1, repeated: 1 });
}

#[tokio::test]
async fn killed_after_the_completion_there_is_no_further_try() {
    let after = killed(Some(Step::Completed), Mode::Up).await;
    assert_eq!(after, Afterwards { tries: 0, interrupted: 0, repeated: 0 });
}
