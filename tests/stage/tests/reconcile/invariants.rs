//! The invariants of a quiet world hold of one, and each of them finds the world that breaks it.

use ecs_sidecar_stage::invariants::{People, stays, surplus, violations};
use ecs_sidecar_stage::machine::Machine;
use ecs_sidecar_stage::shop::{DEPLOYER, Shop};
use ecs_sidecar_stage::stage::{SESSION, TRACES, parsed, revision_arn, web};
use ecs_sidecar_tests::{Caller, World};
use serde_json::{Value, json};
use std::time::Duration;

const HOUR: Duration = Duration::from_secs(3600);

/// The family `web`, patched, looked at by a sweep, and quiet.
async fn quiet() -> Machine {
    let mut machine = Machine::new(&[]);
    machine.stage.world.register(&web("1")).unwrap();
    machine.wake();
    machine.run(HOUR).await;
    machine
}

/// What another text of the newest revision is registered as.
fn register_changed(world: &World, by: &str, from: &str, to: &str) {
    let text = parsed(&world.newest_active("web").unwrap()).text().to_owned();
    assert!(text.contains(from), "{from}");
    world.as_principal(by).register(&text.replace(from, to)).unwrap();
}

/// Changes an attribute in the family's row.
fn falsify(world: &World, attribute: &str, value: &Value) {
    let row = world.item("operator", "family", "web").unwrap();
    let mut row: Value = serde_json::from_str(&row).unwrap();
    row[attribute] = value.clone();
    world.put_item("operator", &row.to_string()).unwrap();
}

#[tokio::test]
async fn a_quiet_world_breaks_none_of_them() {
    let machine = quiet().await;
    let people = People::default();
    assert_eq!(violations(&machine.stage, &people).await, [""; 0]);
    assert_eq!(stays(&machine).await, [""; 0]);
    assert_eq!(surplus(&machine.stage, &people), 0);
}

#[tokio::test]
async fn each_world_that_breaks_one_is_found() {
    type Break = fn(&World);
    let broken: [(&str, Break); 13] = [
        ("the plan is not empty", |world| drop(world.register(&web("2")).unwrap())),
        ("a sidecar: false, and one is wanted", |world| drop(world.register(&web("2")).unwrap())),
        ("shadows", |world| {
            world.register(&web("2")).unwrap();
            register_changed(world, SESSION, "shop/web:2", "shop/web:1");
        }),
        ("is not what it was", |world| register_changed(world, SESSION, "hunter2", "hunter3")),
        ("both ACTIVE patches", |world| register_changed(world, SESSION, "shop/web:1", "shop/web:1")),
        ("owner's revision was deregistered", |world| world.deregister(&revision_arn(1)).unwrap()),
        ("which is not there", |world| register_changed(world, SESSION, "aws-xray-daemon:3.x", "other:3.x")),
        ("was given arn:aws:iam::aws:policy/AmazonSSM", |world| {
            world.attach("web", "arn:aws:iam::aws:policy/AmazonSSMReadOnlyAccess");
        }),
        ("no row tells that role", |world| falsify(world, "grants", &json!({ "SS": ["a b"] }))),
        ("and it has it not", |world| drop(world.add_role("app/web"))),
        ("the lease of family web is held", |world| falsify(world, "leaseOwner", &json!({ "S": "somebody" }))),
        ("the row tells newest", |world| falsify(world, "newest", &json!({ "N": "7" }))),
        ("the row tells state", |world| falsify(world, "state", &json!({ "S": "pending" }))),
    ];
    for (what, breaks) in broken {
        let machine = quiet().await;
        breaks(&machine.stage.world);
        let found = violations(&machine.stage, &People::default()).await;
        assert!(found.iter().any(|violation| violation.contains(what)), "{what}: {found:#?}");
    }
}

/// What people have is theirs, and what they took back stays so.
#[tokio::test]
async fn what_people_did_is_taken_into_account() {
    let mut machine = quiet().await;
    let mut people = People::default();
    people.attached.entry("web".to_owned()).or_default().insert("arn:aws:iam::aws:policy/Theirs".to_owned());
    let found = violations(&machine.stage, &people).await;
    assert!(found.iter().any(|violation| violation.contains("was deprived of")), "{found:#?}");

    people.attached.clear();
    machine.stage.world.deregister(&revision_arn(2)).unwrap();
    machine.event("web");
    machine.run(HOUR).await;
    assert_eq!(surplus(&machine.stage, &people), 1, "nobody says that he did it");
    people.deregistered.insert(revision_arn(2));
    assert_eq!(surplus(&machine.stage, &people), 0);
    assert_eq!(violations(&machine.stage, &people).await, [""; 0]);
    people.no_policies = true;
    assert_eq!(violations(&machine.stage, &people).await, [""; 0]);
    machine.stage.world.register(&web("2")).unwrap();
    machine.event("web");
    machine.run(HOUR).await;
    let found = violations(&machine.stage, &people).await;
    assert!(found.iter().any(|violation| violation.contains("one is wanted: Some(false)")), "{found:#?}");
}

#[tokio::test]
async fn what_another_look_would_write_is_found() {
    let machine = quiet().await;
    machine.stage.world.add_role("app/web");
    let found = stays(&machine).await;
    assert_eq!(found, ["another look wrote: AttachRolePolicy web"], "{TRACES} is gone");
}

#[tokio::test]
async fn a_service_runs_what_its_owner_wants_and_its_row_tells_so() {
    let mut shop = Shop::patched().await;
    let mut people = People::default();
    people.pinned.insert(shop.web.clone(), revision_arn(1));
    shop.updated_by(Caller::Role(DEPLOYER));
    shop.machine.run_for(Duration::from_secs(60)).await;
    let found = violations(shop.stage(), &people).await;
    for what in ["is still being deployed", "the row tells Some(Moving)", "has a slot"] {
        assert!(found.iter().any(|violation| violation.contains(what)), "{what}: {found:#?}");
    }
    shop.sweep().await;
    assert_eq!(violations(shop.stage(), &people).await, [""; 0]);
    assert_eq!(stays(&shop.machine).await, [""; 0]);

    shop.stage().world.register(&web("2")).unwrap();
    people.pinned.insert(shop.web.clone(), revision_arn(3));
    let found = violations(shop.stage(), &people).await;
    assert!(found.iter().any(|violation| violation.contains("and its owner wants")), "{found:#?}");
    people.pinned.insert(shop.web.clone(), revision_arn(1));
    shop.stage()
        .world
        .update_service(&json!({ "cluster": "shop", "service": "web", "taskDefinition": "web:1" }).to_string())
        .unwrap();
    let found = violations(shop.stage(), &people).await;
    assert!(found.iter().any(|violation| violation.contains("the row tells that it runs")), "{found:#?}");
}
