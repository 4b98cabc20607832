//! How many calls of an event wait for each other, and which.

use ecs_sidecar_stage::depth::{Case, Counted};

/// What is asked for at once: the newest revision, the inactive ones, what stands for all with the breaker, the pace.
const LOOK: [&str; 5] =
    ["DescribeTaskDefinition web", "GetItem operator", "GetItem operator", "ListTaskDefinitions web", "Query operator"];

/// The row with its lease.
const CLAIM: &str = "UpdateItem operator";

/// The row alone: the table knows of a revision as new.
const KNOWN: &str = "UpdateItem operator (ConditionalCheckFailedException)";

#[track_caller]
fn assert_levels(counted: &Counted, levels: &[&[&str]]) {
    let found: Vec<Vec<&str>> = counted.by_depth().into_values().collect();
    assert_eq!(found, levels.iter().map(|level| level.to_vec()).collect::<Vec<_>>());
}

fn look_and(row: &'static str) -> Vec<&'static str> {
    [&LOOK[..], &[row]].concat()
}

#[tokio::test(start_paused = true)]
async fn our_own_event_takes_no_call() {
    let counted = Case::Own.count().await;
    assert_eq!((counted.calls.len(), counted.depth()), (0, 0), "{counted:?}");
}

#[tokio::test(start_paused = true)]
async fn what_is_up_to_date_takes_one_level_of_calls_and_no_write() {
    assert_levels(&Case::UpToDate.count().await, &[&look_and(KNOWN)]);
}

#[tokio::test(start_paused = true)]
async fn a_revision_that_has_its_sidecar_already_takes_one_level_and_the_note() {
    assert_levels(&Case::Injected.count().await, &[&look_and(CLAIM), &["PutItem operator"]]);
}

/// What is registered is what was seen one call before, under a lease.
#[tokio::test(start_paused = true)]
async fn a_warm_function_registers_after_one_level_of_calls() {
    for case in [Case::Inject, Case::Update, Case::Remove] {
        let counted = case.count().await;
        assert_eq!(counted.registered_at, Some(2), "{case:?}");
        let writes = ["RegisterTaskDefinition web", "UpdateItem operator"];
        assert_levels(&counted, &[&look_and(CLAIM), &writes, &["PutItem operator"]]);
    }
}

/// Where more was asked for, the switch and the newest revision are looked at once more: by then they are old.
#[tokio::test(start_paused = true)]
async fn a_cold_function_looks_again_before_it_registers() {
    let counted = Case::InjectCold.count().await;
    let levels = counted.by_depth();
    let depth = counted.registered_at.unwrap();
    assert_eq!(levels[&(depth - 1)], ["DescribeTaskDefinition web", "GetItem operator", "GetItem operator"]);
    assert_eq!((depth, counted.calls.len()), (9, 20), "{counted:?}");
    let first = Case::InjectFirst.count().await;
    assert_eq!((first.registered_at, first.calls.len()), (Some(10), 23), "{first:?}");
    assert_eq!(Case::UpToDateCold.count().await.depth(), 7);
}
