//! Moves that end badly: rolled back, failed, refused, or set back by somebody, and what makes them be tried again.

use ecs_sidecar_aws::settings;
use ecs_sidecar_core::policy::PRESETS;
use ecs_sidecar_core::rollout::{RolloutReason, SET_BACK_WINDOW, SET_BACKS, ServiceState};
use ecs_sidecar_stage::shop::{DEPLOYER, HOUR, Shop, number_of};
use ecs_sidecar_stage::stage::web;
use ecs_sidecar_tests::{Caller, DeploymentNotice, Fault, ServiceError};
use serde_json::{Value, json};
use std::time::Duration;

/// Has the service moved, and stops where its deployment has begun.
async fn moving(strategy: &str) -> Shop {
    let more = json!({ "deploymentConfiguration": { "strategy": strategy } });
    let mut shop = Shop::with(&[(settings::POLICY, "none")], &more);
    let table = shop.stage().table();
    assert!(table.apply("xray-daemon", PRESETS[0].1, None, "me").await.unwrap());
    shop.stage().reconcile().await;
    shop.updated_by(Caller::Role(DEPLOYER));
    shop.machine.run_for(Duration::from_secs(60)).await;
    assert_eq!((shop.pins(), shop.is_deploying(), shop.slots()), (2, true, 1));
    shop
}

/// Hours of looks and sweeps change nothing any more, and nobody is told twice.
async fn assert_left_alone(shop: &mut Shop, reason: RolloutReason, about: &str) {
    let (pins, updates) = (shop.pins(), shop.updates().len());
    for _ in 0..4 {
        shop.updated_by(Caller::Role(DEPLOYER));
        shop.sweep().await;
        shop.stage().world.clock().advance(12 * HOUR);
    }
    assert_eq!((shop.pins(), shop.updates().len(), shop.slots()), (pins, updates, 0), "{about}");
    Shop::assert_row(shop.row().await.as_ref(), ServiceState::Quarantined, reason, about);
    let told = shop.told().into_iter().filter(|(state, _)| state == "quarantined").collect::<Vec<_>>();
    assert_eq!(told, [("quarantined".to_owned(), reason.label().to_owned())], "{about}");
    assert!(shop.machine.dead.is_empty(), "{about}");
}

/// The app comes in a new version, and its owner deploys it.
async fn assert_new_source_is_moved(shop: &mut Shop, about: &str) {
    let arn = shop.stage().world.register(&web("2")).unwrap();
    shop.machine.event("web");
    shop.pin(number_of(&arn), Caller::Role(DEPLOYER));
    shop.quiet().await;
    assert_eq!(shop.runs(), ("shop/web:2".to_owned(), true), "{about}");
    Shop::assert_row(shop.row().await.as_ref(), ServiceState::Current, RolloutReason::Moved, about);
}

/// The policy has another sidecar, and wants it everywhere at once.
async fn change_policy(shop: &mut Shop) {
    let newer = PRESETS[0].1.replace("updates: onNextRegistration", "updates: now").replace("\"64\"", "\"32\"");
    let table = shop.stage().table();
    let stored = table.policy("xray-daemon").await.unwrap();
    assert!(table.apply("xray-daemon", &newer, stored.as_ref(), "me").await.unwrap());
    shop.sweep().await;
}

async fn retry(shop: &mut Shop) -> Value {
    let answer = shop.machine.invoke(&json!({ "action": "retry", "service": shop.web })).await;
    shop.quiet().await;
    answer
}

#[tokio::test]
async fn a_move_that_was_rolled_back_is_not_made_again() {
    for strategy in ["ROLLING", "BLUE_GREEN"] {
        let mut shop = moving(strategy).await;
        shop.stage().world.deployment_is_rolling_back(&shop.web).unwrap();
        shop.failed();
        shop.machine.run_for(Duration::from_secs(60)).await;
        assert_eq!((shop.pins(), shop.updates().len()), (1, 1));
        shop.stage().world.rollback_completes(&shop.web).unwrap();
        let event = shop.stage().world.deployment_state_change(&shop.web, DeploymentNotice::Completed);
        shop.machine.tell(&event);
        shop.quiet().await;
        let message = shop.row().await.unwrap().message.unwrap();
        assert!(message.contains("tasks failed to start"), "{message}");
        assert_left_alone(&mut shop, RolloutReason::RolledBack, strategy).await;
        assert_new_source_is_moved(&mut shop, strategy).await;
    }
}

/// All events of it were lost.
#[tokio::test]
async fn a_rollback_that_nobody_told_of_is_found_out() {
    let mut shop = moving("ROLLING").await;
    shop.stage().world.deployment_rolls_back(&shop.web).unwrap();
    shop.quiet().await;
    assert_left_alone(&mut shop, RolloutReason::RolledBack, "its own message").await;
    let updates = shop.updates().len();
    change_policy(&mut shop).await;
    assert_eq!((shop.pins(), shop.updates().len()), (3, updates + 1), "another policy is another move");
    Shop::assert_row(shop.row().await.as_ref(), ServiceState::Current, RolloutReason::Moved, "another policy");
}

#[tokio::test]
async fn a_person_may_have_it_tried_again() {
    let mut shop = moving("ROLLING").await;
    shop.stage().world.deployment_rolls_back(&shop.web).unwrap();
    shop.failed();
    shop.quiet().await;
    assert_left_alone(&mut shop, RolloutReason::RolledBack, "before").await;
    let answer = retry(&mut shop).await;
    assert_eq!((&answer["outcome"], &answer["state"]), (&json!("moved"), &json!("moving")), "{answer}");
    assert_eq!((shop.pins(), shop.updates().len(), shop.slots()), (2, 2, 0));
    Shop::assert_row(shop.row().await.as_ref(), ServiceState::Current, RolloutReason::Moved, "tried again");
}

/// The second try ends as the first did: that is found out too, though the first one's deployment is still told.
#[tokio::test]
async fn a_second_try_may_be_rolled_back_as_well() {
    let mut shop = moving("ROLLING").await;
    for tries in 1..=2 {
        shop.stage().world.deployment_rolls_back(&shop.web).unwrap();
        shop.failed();
        shop.quiet().await;
        assert_eq!((shop.pins(), shop.updates().len()), (1, tries));
        Shop::assert_row(shop.row().await.as_ref(), ServiceState::Quarantined, RolloutReason::RolledBack, "both");
        shop.machine.invoke(&json!({ "action": "retry", "service": shop.web })).await;
        assert_eq!((shop.pins(), shop.updates().len()), (2, tries + 1));
    }
}

/// Without a rollback the service stays where it is, half of it on each revision.
#[tokio::test]
async fn a_failed_deployment_is_left_alone_until_there_is_another_revision() {
    for strategy in ["ROLLING", "BLUE_GREEN"] {
        let set = async || {
            let mut shop = moving(strategy).await;
            shop.stage().world.deployment_fails(&shop.web).unwrap();
            shop.failed();
            shop.quiet().await;
            let message = shop.row().await.unwrap().message.unwrap();
            assert!(message.contains("tasks failed to start"), "{message}");
            assert_left_alone(&mut shop, RolloutReason::DeploymentFailed, strategy).await;
            assert_eq!(shop.pins(), 2);
            shop
        };
        let mut shop = set().await;
        change_policy(&mut shop).await;
        assert_eq!((shop.pins(), shop.updates().len()), (3, 2), "{strategy}: another policy is another move");
        Shop::assert_row(shop.row().await.as_ref(), ServiceState::Current, RolloutReason::Moved, strategy);
        let mut shop = set().await;
        assert_new_source_is_moved(&mut shop, strategy).await;
    }
}

#[tokio::test]
async fn what_ecs_refuses_is_tried_again_for_another_revision_only() {
    let mut shop = Shop::patched().await;
    shop.stage().world.on_call(|call| match call.operation.as_str() {
        "UpdateService" => Fault::FailBefore(ServiceError::new("PlatformUnknownException", "no such platform")),
        _ => Fault::None,
    });
    shop.updated_by(Caller::Role(DEPLOYER));
    shop.quiet().await;
    let message = shop.row().await.unwrap().message.unwrap();
    assert!(message.contains("no such platform"), "{message}");
    assert_left_alone(&mut shop, RolloutReason::UpdateRefused, "refused").await;
    assert_eq!(shop.count("UpdateService"), 1);
    shop.stage().world.leave_calls_alone();
    let answer = retry(&mut shop).await;
    assert_eq!((&answer["outcome"], shop.pins()), (&json!("moved"), 2), "{answer}");
}

#[tokio::test]
async fn a_right_that_is_missing_keeps_a_service_waiting_until_it_is_there() {
    let mut shop = Shop::patched().await;
    shop.stage().world.deny("UpdateService", None);
    shop.updated_by(Caller::Role(DEPLOYER));
    shop.quiet().await;
    let row = shop.row().await;
    Shop::assert_row(row.as_ref(), ServiceState::Waiting, RolloutReason::UpdateDenied, "denied");
    assert!(row.unwrap().message.unwrap().contains("not authorized"));
    for _ in 0..3 {
        shop.sweep().await;
        shop.stage().world.clock().advance(HOUR);
    }
    assert_eq!((shop.count("UpdateService"), shop.slots()), (1, 0), "not before its time");
    shop.stage().world.allow_all();
    shop.stage().world.clock().advance(3 * HOUR);
    shop.sweep().await;
    assert_eq!(shop.pins(), 2);
}

#[tokio::test]
async fn a_tug_of_war_is_given_up_and_its_other_end_is_named() {
    let cloudformation = Caller::Service("cloudformation.amazonaws.com", DEPLOYER);
    let user = Caller::User("arn:aws:iam::111122223333:user/jo");
    let cases: [(&str, Caller<'_>, &str, &[&str]); 3] = [
        (
            "Terraform",
            Caller::Role(DEPLOYER),
            "APN/1.0 HashiCorp/1.0 Terraform/1.5.7",
            &["Terraform/1.5.7", "assumed-role/deployer", "ignore changes"],
        ),
        (
            "CloudFormation",
            cloudformation,
            "cloudformation.amazonaws.com",
            &["invoked by cloudformation.amazonaws.com", "macro"],
        ),
        ("a user", user, "aws-cli/2.x", &["user/jo"]),
    ];
    for (about, caller, agent, words) in cases {
        let mut shop = Shop::moved().await;
        // That it was moved once counts as the first round.
        shop.stage().world.forget_calls();
        let before = shop.told().len();
        for round in 1..=SET_BACKS + 2 {
            let request = json!({ "cluster": "shop", "service": "web", "taskDefinition": "web:1" });
            shop.stage().world.update_service(&request.to_string()).unwrap();
            let mut event = shop.stage().world.service_call("UpdateService", &request, caller);
            event["detail"]["userAgent"] = json!(agent);
            shop.machine.tell(&event);
            shop.quiet().await;
            assert_eq!(shop.updates().len(), round.min(SET_BACKS - 1), "{about}, round {round}");
            shop.stage().world.clock().advance(20 * HOUR);
        }
        let row = shop.row().await.unwrap();
        Shop::assert_row(Some(&row), ServiceState::Quarantined, RolloutReason::SetBack, about);
        let message = row.message.unwrap();
        assert!(words.iter().all(|word| message.contains(word)), "{about}: {message}");
        assert!(shop.told()[before..].iter().filter(|(state, _)| state == "quarantined").count() == 1, "{about}");
        assert_left_alone(&mut shop, RolloutReason::SetBack, about).await;
        assert_new_source_is_moved(&mut shop, about).await;
    }
}

#[tokio::test]
async fn who_sets_it_back_once_a_week_is_not_given_in_to() {
    let mut shop = Shop::moved().await;
    for round in 1..=SET_BACKS + 2 {
        shop.pin(1, Caller::Role(DEPLOYER));
        shop.quiet().await;
        assert_eq!((shop.pins(), shop.updates().len()), (2, round));
        shop.stage().world.clock().advance(Duration::from_secs(SET_BACK_WINDOW / 2 + 1));
    }
}
