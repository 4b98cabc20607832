//! `rollout`, and the services in `status`: by the real function.

use super::operator::{Operator, arn, wait};
use ecs_sidecar_aws::settings;
use ecs_sidecar_aws::standing::Switch;
use serde_json::{Value, json};

/// An operator that moves services, and the service `shop/web` on the revision that it has patched.
fn shop() -> (Operator, String) {
    let operator = Operator::with(&[(settings::ROLLOUT_SERVICES, "true")]);
    operator.register("web");
    operator.reconcile("web");
    operator.world.add_cluster("shop");
    let service = json!({ "cluster": "shop", "serviceName": "web", "taskDefinition": "web:1", "desiredCount": 1 });
    let service = operator.world.add_service(&service.to_string()).expect("a service");
    (operator, service)
}

fn pins(operator: &Operator, service: &str) -> Value {
    let view = operator.world.service(service).expect("it is there");
    json!(view.task_definition)
}

#[test]
fn a_service_is_planned_moved_and_followed_to_its_end() {
    let (operator, service) = shop();
    let plan = operator.out(&["rollout", "--plan", "shop/web"]);
    assert_eq!(plan, "shop/web: would be moved web:1 to web:2\n");
    assert_eq!(pins(&operator, &service), json!(arn("web:1")), "only told");
    let moved = operator.out(&["rollout", "shop/web"]);
    assert!(moved.starts_with("shop/web: moved web:1 to web:2, its deployment is under way\n"), "{moved}");
    assert_eq!(pins(&operator, &service), json!(arn("web:2")));
    let status = operator.out(&["status"]);
    assert!(status.contains("shop/web  moving") && status.contains("1 service: 1 moving"), "{status}");
    operator.world.deployment_completes(&service).expect("it is in progress");
    let told = operator.json(&["rollout", &service, "--format", "json"]);
    assert_eq!((&told["state"], &told["reason"]), (&json!("current"), &json!("moved")));
    let answer = operator.json(&["status", "--format", "json"]);
    assert_eq!(
        (&answer["services"][0]["service"], &answer["services"][0]["to"]),
        (&json!(service), &json!(arn("web:2")))
    );
}

#[test]
fn a_move_that_was_rolled_back_is_an_error_and_tried_again_on_demand() {
    let (operator, service) = shop();
    operator.out(&["rollout", "shop/web"]);
    operator.world.deployment_rolls_back(&service).expect("it is in progress");
    let run = operator.run(&["rollout", "shop/web"]);
    assert_eq!(run.code, Some(1), "{}", run.out);
    assert!(run.out.starts_with("shop/web: quarantined (rolledBack): "), "{}", run.out);
    let status = operator.out(&["status"]);
    assert!(status.contains("shop/web  quarantined"), "{status}");
    assert!(status.contains("\n  shop/web: The deployment of the patched revision was rolled back."), "{status}");
    assert!(!operator.out(&["status", "--state", "covered"]).contains("shop/web"), "only families were asked for");
    let again = operator.out(&["rollout", "--retry", "shop/web"]);
    assert!(again.starts_with("shop/web: moved web:1 to web:2"), "{again}");
}

#[test]
fn a_tripped_breaker_is_told_and_resume_ends_it() {
    let (operator, _) = shop();
    let breaker = json!({
        "kind": { "S": "rollout" }, "id": { "S": "breaker" }, "trippedAt": super::operator::ago(5),
        "because": { "S": "web:2: no such image" },
    });
    operator.world.put_item("operator", &breaker.to_string()).expect("an item");
    let status = operator.out(&["status"]);
    assert!(status.contains("paused") && status.contains("3 tasks failed to start"), "{status}");
    let held = operator.out(&["rollout", "shop/web"]);
    assert!(held.starts_with("shop/web: waiting (paused): ") && held.contains("no such image"), "{held}");
    operator.out(&["resume"]);
    assert_eq!(wait(operator.table().switch()).map(|Switch { paused, .. }| paused).ok(), Some(false));
    assert!(operator.out(&["rollout", "shop/web"]).starts_with("shop/web: moved"));
}

#[test]
fn what_cannot_be_is_said_plainly() {
    let (operator, _) = shop();
    operator.refused(&["rollout", "web"], 2, "give CLUSTER/SERVICE, or the service's ARN");
    let run = operator.run(&["rollout", "shop/none"]);
    assert_eq!((run.code, run.out.as_str()), (Some(1), "shop/none: there is no such service\n"));
    let still = Operator::with_web();
    let off = still.out(&["rollout", "shop/web"]);
    assert_eq!(off, "shop/web: this stack moves no services; its parameter RolloutServices says so\n");
}
