//! What a process does that logs with `init()`: the first argument says what. It ends with a word on stdout.

use std::fmt;
use std::panic::catch_unwind;

/// A text that cannot be shown.
struct Bomb;

impl fmt::Display for Bomb {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        panic!("in a field, password=hunter2")
    }
}

fn main() {
    let asked = std::env::args().nth(1).unwrap_or_default();
    let logging = resilient_runtime::init();
    let again = resilient_runtime::init();
    drop(again);
    match asked.as_str() {
        "line" => tracing::info!(event = "test", password = "hunter2", note = "Bearer abcdefghijklmnop"),
        "panics" => {
            let panicking =
                |n: u32| move || (0..50).for_each(|m| drop(catch_unwind(|| panic!("number {}", n * 50 + m))));
            let threads: Vec<_> = (0..8).map(|n| std::thread::spawn(panicking(n))).collect();
            for thread in threads {
                thread.join().expect("caught");
            }
        }
        "flood" => (0..50_000).for_each(|n| tracing::info!(n, text = "a text of some length, as they are")),
        "bomb" => {
            drop(catch_unwind(|| tracing::info!(bomb = %Bomb, "never seen")));
            tracing::info!(event = "after");
        }
        "dropped" => {
            drop(logging);
            tracing::info!(event = "after");
            return survived();
        }
        "main" => panic!("in main, password=hunter2"),
        other => panic!("{other} is none of them"),
    }
    drop(logging);
    survived();
}

#[expect(clippy::print_stdout, reason = "this is no server")]
fn survived() {
    println!("survived");
}
