//! The proxy as a library: what `main` runs, and what tests start in their own process.

use std::ffi::OsString;
use std::process::ExitCode;

mod admin;
mod arguments;
mod bridge;
mod front;
mod merge;
mod per_session;
mod service;

/// Runs the proxy with these arguments, without the name of the program, until its client or a signal ends it. Exits
/// with 2 if the arguments or the settings are wrong.
pub fn run(arguments: impl Iterator<Item = OsString>) -> ExitCode {
    let mut command = arguments.map(|it| it.to_string_lossy().into_owned()).skip_while(|it| it != "--").skip(1);
    let target = resilient_client::Command::new(command.next().unwrap_or_default()).args(command);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async move {
        let mut calls = resilient_client::CallSettings::default();
        calls.trust_annotations = true;
        let settings = bridge::BridgeSettings {
            name: "server".into(),
            calls,
            is_shared: false,
            patience: std::time::Duration::from_secs(10),
        };
        let bridge = bridge::Bridge::start(target, settings);
        let _ =
            front::stdio::serve(std::sync::Arc::new(bridge.clone()), tokio_util::sync::CancellationToken::new()).await;
        bridge.stop().await;
    });
    ExitCode::SUCCESS
}
