//! Two servers on one file, which are killed at random instants.

use resilient_tests::records::kills::{Plan, assert_no_write_is_lost_or_repeated};

use crate::StoreFile;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_200_servers_that_are_killed_none_loses_an_accepted_write_and_none_repeats_an_effect() {
    let store_file = StoreFile::new();
    let plan = Plan { kills: 200, most_kills: 600, accepted: 200, interrupted: 10, repeated: 10 };
    assert_no_write_is_lost_or_repeated(&store_file.shared(), plan).await;
}
