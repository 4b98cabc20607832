use super::*;

const NOW: u64 = 1_763_546_400;

fn arn(number: u64) -> Arn {
    format!("arn:aws:ecs:eu-west-1:111122223333:task-definition/web:{number}").parse().expect("an ARN")
}

fn deployment(number: u64, state: DeploymentState) -> Deployment {
    Deployment { primary: true, task_definition: Some(arn(number)), state, because: None }
}

/// A service that runs that revision.
fn service(number: u64) -> Service {
    Service {
        created_at: None,
        arn: "arn:aws:ecs:eu-west-1:111122223333:service/prod/web".parse().expect("an ARN"),
        controller: Controller::Ecs,
        express: false,
        opted_out: false,
        task_definition: Some(arn(number)),
        deployments: vec![deployment(number, DeploymentState::Completed)],
    }
}

fn deploying(number: u64) -> Service {
    Service { deployments: vec![deployment(number, DeploymentState::InProgress)], ..service(number) }
}

/// A move of revision 1 to revision 2, of which ECS said that it was begun.
fn moved() -> History {
    let last = Move { from: arn(1), to: arn(2), at: NOW - 600, confirmed: true };
    History { last: Some(last), ..History::default() }
}

struct Ask {
    successor: Successor,
    policy_allows: bool,
    rolled_back: Option<&'static str>,
    window: MaintenanceWindow,
    now: u64,
}

fn ask() -> Ask {
    Ask {
        successor: Successor::Revision(arn(2)),
        policy_allows: true,
        rolled_back: None,
        window: MaintenanceWindow::default(),
        now: NOW,
    }
}

impl Ask {
    fn decide(&self, service: &Service, history: &History) -> Decided {
        let Self { successor, policy_allows, rolled_back, window, now } = self;
        let circumstances =
            Circumstances { successor, policy_allows: *policy_allows, rolled_back: *rolled_back, window, now: *now };
        decide(service, history, circumstances)
    }
}

fn told(decided: &Decided) -> (ServiceState, RolloutReason, bool) {
    (decided.state, decided.reason, matches!(decided.deed, Deed::Move(_)))
}

#[test]
fn a_service_on_a_patched_revision_is_moved() {
    let decided = ask().decide(&service(1), &History::default());
    let expected = Move { from: arn(1), to: arn(2), at: NOW, confirmed: false };
    assert_eq!((decided.state, &decided.deed), (ServiceState::Moving, &Deed::Move(expected)));
    assert_eq!(decided.history.last, None, "nobody has made it yet");
}

#[test]
fn what_has_no_successor_stays_and_what_may_get_one_waits() {
    let none = Ask { successor: Successor::None, ..ask() };
    assert_eq!(
        told(&none.decide(&service(1), &History::default())),
        (ServiceState::Current, RolloutReason::NotPatched, false)
    );
    let pending = Ask { successor: Successor::Pending, ..ask() };
    let decided = pending.decide(&service(1), &History::default());
    assert_eq!((decided.reason, decided.deed), (RolloutReason::FamilyPending, Deed::Again(15)));
}

#[test]
fn who_may_not_be_moved_is_left_with_his_reason() {
    for (service, expected) in [
        (Service { opted_out: true, ..service(1) }, RolloutReason::OptedOut),
        (Service { express: true, ..service(1) }, RolloutReason::Express),
        (Service { controller: Controller::CodeDeploy, ..service(1) }, RolloutReason::CodeDeploy),
        (Service { controller: Controller::External, ..service(1) }, RolloutReason::External),
        (Service { task_definition: None, ..service(1) }, RolloutReason::External),
        // A tag says what its owner wants, whoever deploys it.
        (Service { opted_out: true, controller: Controller::CodeDeploy, ..service(1) }, RolloutReason::OptedOut),
    ] {
        assert_eq!(told(&ask().decide(&service, &History::default())), (ServiceState::Left, expected, false));
    }
    let forbidden = Ask { policy_allows: false, ..ask() };
    let decided = forbidden.decide(&service(1), &History::default());
    assert_eq!(told(&decided), (ServiceState::Left, RolloutReason::PolicyForbids, false));
}

#[test]
fn somebody_elses_deployment_is_waited_for_and_its_failure_is_theirs() {
    let two = vec![deployment(1, DeploymentState::Completed), deployment(1, DeploymentState::Completed)];
    for service in [deploying(1), Service { deployments: two, ..service(1) }] {
        let decided = ask().decide(&service, &History::default());
        assert_eq!((decided.reason, decided.deed), (RolloutReason::DeploymentInProgress, Deed::Again(60)));
    }
    let failed = Service { deployments: vec![deployment(1, DeploymentState::Failed)], ..service(1) };
    let decided = ask().decide(&failed, &History::default());
    assert_eq!(told(&decided), (ServiceState::Left, RolloutReason::OwnDeploymentFailed, false));
}

#[test]
fn the_window_is_kept_and_the_wait_begins_no_move() {
    let closed = Ask { window: "11:00-12:00".parse().expect("a window"), ..ask() };
    let decided = closed.decide(&service(1), &History::default());
    assert_eq!((decided.reason, decided.deed), (RolloutReason::OutsideWindow, Deed::Again(3600)));
    assert_eq!(decided.history.last, None);
}

#[test]
fn a_move_is_followed_to_its_end() {
    let none = Ask { successor: Successor::None, ..ask() };
    let on_its_way = none.decide(&deploying(2), &moved());
    assert_eq!((on_its_way.state, on_its_way.deed), (ServiceState::Moving, Deed::Again(900)));
    let there = none.decide(&service(2), &moved());
    assert_eq!(told(&there), (ServiceState::Current, RolloutReason::Moved, false));
    // That the family has news is no reason to call it waiting.
    let pending = Ask { successor: Successor::Pending, ..ask() };
    assert_eq!(pending.decide(&service(2), &moved()).state, ServiceState::Current);
}

#[test]
fn what_it_was_moved_to_may_be_replaced_itself() {
    let newer = Ask { successor: Successor::Revision(arn(3)), ..ask() };
    assert_eq!(newer.decide(&deploying(2), &moved()).state, ServiceState::Moving, "first the one, then the other");
    let decided = newer.decide(&service(2), &moved());
    assert_eq!(decided.deed, Deed::Move(Move { from: arn(2), to: arn(3), at: NOW, confirmed: false }));
    // Also where the deployment of the older patch failed: another policy is another try.
    let failed = Service { deployments: vec![deployment(2, DeploymentState::Failed)], ..service(2) };
    assert!(matches!(newer.decide(&failed, &moved()).deed, Deed::Move(_)));
}

#[test]
fn a_move_that_ended_badly_is_not_tried_again_until_the_pair_is_another() {
    let none = Ask { successor: Successor::None, ..ask() };
    let because = Some("tasks failed to start".to_owned());
    let failed = Deployment { because, ..deployment(2, DeploymentState::Failed) };
    let failed = none.decide(&Service { deployments: vec![failed], ..service(2) }, &moved());
    assert_eq!(told(&failed), (ServiceState::Quarantined, RolloutReason::DeploymentFailed, false));
    assert!(failed.message.contains("tasks failed to start"), "{}", failed.message);

    let back = Ask { rolled_back: Some("circuit breaker"), ..ask() }.decide(&service(1), &moved());
    assert_eq!(told(&back), (ServiceState::Quarantined, RolloutReason::RolledBack, false));
    for history in [&failed.history, &back.history] {
        let again = ask().decide(&service(1), history);
        assert_eq!(again.state, ServiceState::Quarantined);
        let other = Ask { successor: Successor::Revision(arn(5)), ..ask() }.decide(&service(1), history);
        assert!(matches!(other.deed, Deed::Move(_)) && other.history.ended.is_none());
        assert!(matches!(ask().decide(&service(1), &history.forgiven()).deed, Deed::Move(_)));
    }
    assert!(ask().decide(&service(1), &back.history).message.contains("circuit breaker"), "the words stay");
    // Somebody moved it himself, and it runs.
    let current = none.decide(&service(2), &back.history);
    assert_eq!((current.state, current.history.ended), (ServiceState::Current, None));
}

#[test]
fn who_sets_it_back_again_and_again_is_named_and_given_way_to() {
    let mut history = History { changed_by: Some("role/ci, user agent Terraform/1.5".to_owned()), ..moved() };
    for round in 1..SET_BACKS {
        let decided = ask().decide(&service(1), &history);
        assert!(matches!(decided.deed, Deed::Move(_)), "round {round}");
        assert_eq!(decided.history.set_backs.len(), round);
        history = decided.history.moved(moved().last.expect("a move"));
    }
    let decided = ask().decide(&service(1), &history);
    assert_eq!(told(&decided), (ServiceState::Quarantined, RolloutReason::SetBack, false));
    assert!(decided.message.contains("role/ci") && decided.message.contains("ignore changes"), "{}", decided.message);
    assert_eq!(ask().decide(&service(1), &decided.history), decided, "it stays");
}

#[test]
fn a_set_back_counts_once_and_for_a_week() {
    let waits = Ask { window: "11:00-12:00".parse().expect("a window"), ..ask() };
    let first = waits.decide(&service(1), &moved());
    let second = waits.decide(&service(1), &first.history);
    assert_eq!((first.history.set_backs.len(), second.history.set_backs.len()), (1, 1));
    let old = History { set_backs: vec![NOW - SET_BACK_WINDOW; SET_BACKS], ..moved() };
    assert!(matches!(ask().decide(&service(1), &old).deed, Deed::Move(_)));
}

#[test]
fn a_move_that_nobody_confirmed_is_made_again_and_is_no_set_back() {
    let mut history = moved();
    history.last.as_mut().expect("a move").confirmed = false;
    let decided = Ask { rolled_back: Some("another one"), ..ask() }.decide(&service(1), &history);
    assert!(matches!(decided.deed, Deed::Move(_)) && decided.history.set_backs.is_empty());
}
