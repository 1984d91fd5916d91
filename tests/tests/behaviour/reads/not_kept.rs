//! Answers of a body that are neither kept nor shared.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use resilient_runtime::{ErrorKind, Registry, ResilienceError, resilient};
use rmcp::ErrorData;
use rmcp::model::{
    CallToolResponse, CallToolResult, ContentBlock, GetPromptResponse, GetPromptResult, InputRequiredResult,
    ReadResourceResponse, ReadResourceResult,
};
use tokio::time::sleep;

use super::upstream::TAKES;

/// Has a question to the client in its first two runs, and an answer then.
#[resilient(cache(fresh = "10s", key = 1), name = "not_kept.asks_back")]
async fn asks_back(runs: &AtomicU32) -> Result<CallToolResponse, ErrorData> {
    let run = runs.fetch_add(1, Ordering::Relaxed) + 1;
    sleep(TAKES).await;
    if run <= 2 {
        return Ok(InputRequiredResult::from_request_state(format!("state {run}")).into());
    }
    Ok(CallToolResult::success(vec![ContentBlock::text(format!("run {run}"))]).into())
}

/// Has an error in a result, as rmcp teaches it.
#[resilient(cache(fresh = "10s", key = 1), name = "not_kept.error_result")]
async fn error_result(runs: &AtomicU32) -> Result<CallToolResult, ErrorData> {
    runs.fetch_add(1, Ordering::Relaxed);
    sleep(TAKES).await;
    Ok(CallToolResult::error(vec![ContentBlock::text("down")]))
}

fn text(answered: &Result<CallToolResponse, ErrorData>) -> Option<&str> {
    match answered {
        Ok(CallToolResponse::Complete(result)) => Some(&result.content.first()?.as_text()?.text),
        _ => None,
    }
}

#[tokio::test(start_paused = true)]
async fn a_question_to_the_client_is_neither_kept_nor_shared() {
    let (registry, runs) = (Arc::new(Registry::new()), AtomicU32::new(0));
    let asked = registry.clone().scope(async { tokio::join!(asks_back(&runs), asks_back(&runs)) }).await;
    for asked in [&asked.0, &asked.1] {
        assert!(matches!(asked, Ok(CallToolResponse::InputRequired(_))), "{asked:?}");
    }
    assert_ne!(format!("{:?}", asked.0), format!("{:?}", asked.1), "the state of a question belongs to one call");
    assert_eq!(runs.load(Ordering::Relaxed), 2);
    for _ in 0..2 {
        let answered = registry.clone().scope(asks_back(&runs)).await;
        assert_eq!(text(&answered), Some("run 3"), "an answer is kept");
    }
}

#[tokio::test(start_paused = true)]
async fn a_result_that_is_an_error_is_shared_and_not_kept() {
    let (registry, runs) = (Arc::new(Registry::new()), AtomicU32::new(0));
    for run in 1..3 {
        let (one, other) =
            registry.clone().scope(async { tokio::join!(error_result(&runs), error_result(&runs)) }).await;
        assert_eq!(one, other);
        assert_eq!(one.map(|result| result.is_error), Ok(Some(true)));
        assert_eq!(runs.load(Ordering::Relaxed), run);
    }
}

/// Answers with nothing.
#[resilient(cache(fresh = "10s", key = 1), name = "not_kept.nothing")]
async fn nothing(runs: &AtomicU32) -> Result<(), ResilienceError> {
    runs.fetch_add(1, Ordering::Relaxed);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn nothing_is_an_answer_and_is_kept() {
    let (registry, runs) = (Arc::new(Registry::new()), AtomicU32::new(0));
    for _ in 0..3 {
        assert_eq!(registry.clone().scope(nothing(&runs)).await, Ok(()));
    }
    assert_eq!(runs.load(Ordering::Relaxed), 1);
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "`classify` takes the answer by reference")]
const fn gone(run: &u32) -> Option<ErrorKind> {
    if *run == 2 { Some(ErrorKind::NotFound) } else { None }
}

#[resilient(
    cache(fresh = "1s", stale_while_revalidate = "1h", key = 1), classify = gone, name = "not_kept.classified"
)]
async fn classified(runs: Arc<AtomicU32>) -> Result<u32, ResilienceError> {
    Ok(runs.fetch_add(1, Ordering::Relaxed) + 1)
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_classify_calls_missing_removes_the_kept_one() {
    let runs = Arc::new(AtomicU32::new(0));
    let read = || classified(Arc::clone(&runs));
    let reads = async {
        assert_eq!(read().await, Ok(1));
        sleep(2 * TAKES).await;
        assert_eq!(read().await, Ok(1), "stale: its refresh finds out");
        sleep(TAKES / 100).await;
        assert_eq!(read().await, Ok(3));
    };
    Arc::new(Registry::new()).scope(reads).await;
}

/// Has a question to the client in its first run, as a method that reads a resource.
#[resilient(cache(fresh = "10s", key = 1), name = "not_kept.resource")]
async fn resource(runs: &AtomicU32) -> Result<ReadResourceResponse, ErrorData> {
    match runs.fetch_add(1, Ordering::Relaxed) {
        0 => Ok(InputRequiredResult::from_request_state("state").into()),
        _ => Ok(ReadResourceResult::new(Vec::new()).into()),
    }
}

/// Has a question to the client in its first run, as a prompt.
#[resilient(cache(fresh = "10s", key = 1), name = "not_kept.prompt")]
async fn prompt(runs: &AtomicU32) -> Result<GetPromptResponse, ErrorData> {
    match runs.fetch_add(1, Ordering::Relaxed) {
        0 => Ok(InputRequiredResult::from_request_state("state").into()),
        _ => Ok(GetPromptResult::new(Vec::new()).into()),
    }
}

#[tokio::test(start_paused = true)]
async fn a_question_of_a_resource_or_a_prompt_is_not_kept() {
    let (registry, resources, prompts) = (Arc::new(Registry::new()), AtomicU32::new(0), AtomicU32::new(0));
    for run in 0..3 {
        let read = registry.clone().scope(resource(&resources)).await;
        assert_eq!(matches!(read, Ok(ReadResourceResponse::InputRequired(_))), run == 0, "{read:?}");
        let got = registry.clone().scope(prompt(&prompts)).await;
        assert_eq!(matches!(got, Ok(GetPromptResponse::InputRequired(_))), run == 0, "{got:?}");
    }
    assert_eq!((resources.load(Ordering::Relaxed), prompts.load(Ordering::Relaxed)), (2, 2), "an answer is kept");
}
