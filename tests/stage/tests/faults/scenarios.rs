//! What is disturbed: everything that the operator's functions do, each set up to the moment at which it begins.
//!
//! Knows: what was before, and what wakes the operator. Must not know: what goes wrong.

use ecs_sidecar_aws::rows::LEASE;
use ecs_sidecar_aws::settings;
use ecs_sidecar_core::policy::PRESETS;
use ecs_sidecar_stage::invariants::People;
use ecs_sidecar_stage::machine::{Machine, family};
use ecs_sidecar_stage::registry::{DAEMON, PUBLIC, pinned};
use ecs_sidecar_stage::scenes::{newer_policy, opted_out};
use ecs_sidecar_stage::shop::{DEPLOYER, Shop};
use ecs_sidecar_stage::stage::{REGION, Stage, at_first, die, revision_arn, web};
use ecs_sidecar_tests::{Caller, Fault, Image, World};
use futures_util::FutureExt as _;
use futures_util::future::LocalBoxFuture;
use serde_json::{Value, json};
use std::panic::AssertUnwindSafe;
use std::time::Duration;

/// A scenario up to the moment at which it begins: each run forks it.
pub(crate) struct Base {
    /// The functions and the world.
    pub(crate) stage: Stage,
    /// The world before what the operator is woken for.
    pub(crate) past: World,
    /// What people did until then.
    pub(crate) people: People,
    /// ARNs of the services.
    pub(crate) services: Vec<String>,
    /// Whether the image has to be pulled.
    pub(crate) pulls: bool,
}

/// One of them.
pub(crate) struct Scenario {
    /// Its name.
    pub(crate) name: &'static str,
    /// Everything before it.
    pub(crate) set: fn() -> LocalBoxFuture<'static, Base>,
    /// What wakes the operator.
    pub(crate) begin: fn(&mut Shop),
    /// Whether a second fault is tried at each call after a first one: there are as many as the square of its calls.
    pub(crate) pairs: bool,
}

/// All of them.
pub(crate) const ALL: [Scenario; 16] = [
    Scenario { name: "injection", set: || injection().boxed_local(), begin: event, pairs: false },
    Scenario { name: "update", set: || update().boxed_local(), begin: event, pairs: false },
    Scenario { name: "removal", set: || removal().boxed_local(), begin: event, pairs: true },
    Scenario { name: "warm-up", set: || warm_up().boxed_local(), begin: event, pairs: false },
    Scenario { name: "sweep", set: || sweep().boxed_local(), begin: |shop| shop.machine.wake(), pairs: false },
    Scenario { name: "policy", set: || policy().boxed_local(), begin: |shop| shop.machine.wake(), pairs: false },
    Scenario { name: "deletion", set: || deletion().boxed_local(), begin: |shop| shop.machine.wake(), pairs: false },
    Scenario { name: "rolling", set: || rollout("ROLLING").boxed_local(), begin: updated, pairs: false },
    Scenario { name: "blue-green", set: || rollout("BLUE_GREEN").boxed_local(), begin: updated, pairs: false },
    Scenario { name: "code-deploy", set: || code_deploy().boxed_local(), begin: updated, pairs: false },
    Scenario { name: "launch", set: || launch().boxed_local(), begin: launched, pairs: false },
    Scenario { name: "takeover", set: || takeover().boxed_local(), begin: event, pairs: false },
    Scenario { name: "waiting", set: || takeover().boxed_local(), begin: at_once, pairs: false },
    Scenario { name: "source-gone", set: || source_gone().boxed_local(), begin: event, pairs: false },
    Scenario { name: "withdrawal", set: || withdrawal().boxed_local(), begin: event, pairs: false },
    Scenario { name: "resume", set: || resumed().boxed_local(), begin: |shop| shop.machine.wake(), pairs: false },
];

/// An event tells of the family, later than any lease that somebody died with.
fn event(shop: &mut Shop) {
    shop.stage().world.clock().advance(Duration::from_secs(300));
    shop.machine.event("web");
}

/// An event tells of the family while somebody's lease still holds. It is nearly over: whoever waits does the same each time.
fn at_once(shop: &mut Shop) {
    shop.stage().world.clock().advance(LEASE.saturating_sub(Duration::from_secs(15)));
    shop.machine.event("web");
}

/// CloudTrail tells that somebody updated the service.
fn updated(shop: &mut Shop) {
    shop.updated_by(Caller::Role(DEPLOYER));
}

/// A pipeline registered a revision and has the service run it.
fn launched(shop: &mut Shop) {
    shop.machine.event("web");
    shop.updated_by(Caller::Role(DEPLOYER));
}

fn based(machine: Machine, past: World) -> Base {
    Base { stage: machine.stage, past, people: People::default(), services: Vec::new(), pulls: false }
}

fn of_shop(shop: Shop, past: World) -> Base {
    let mut people = People::default();
    people.pinned.insert(shop.web.clone(), revision_arn(1));
    Base { services: shop.services, people, ..based(shop.machine, past) }
}

/// The app as it logs, to a group that is not there.
fn logging() -> String {
    let mut definition: Value = serde_json::from_str(&web("1")).unwrap();
    let options = json!({ "awslogs-group": "/shop/web", "awslogs-region": REGION, "awslogs-stream-prefix": "app" });
    definition["containerDefinitions"][0]["logConfiguration"] = json!({ "logDriver": "awslogs", "options": options });
    definition.to_string()
}

/// A family's first revision: roles lack policies, and the log group is missing.
async fn injection() -> Base {
    let machine = Machine::new(&[(settings::LOG_GROUPS, "create"), (settings::EVENT_BUS, "default")]);
    let past = machine.stage.world.fork();
    machine.stage.world.register(&logging()).unwrap();
    based(machine, past)
}

/// The family `web`, patched.
async fn patched(variables: &[(&str, &str)]) -> Machine {
    let mut machine = Machine::new(variables);
    machine.stage.world.register(&web("1")).unwrap();
    machine.event("web");
    machine.run(Duration::from_secs(3600)).await;
    machine
}

/// The stack has a newer policy, which is given at once.
async fn update() -> Base {
    let machine = patched(&[]).await;
    let past = machine.stage.world.fork();
    let variables = [(settings::POLICY, &*newer_policy()), (settings::TABLE, "operator")];
    based(machine.deployed_with(&variables), past)
}

/// The owner copies the patched revision, and opts out.
async fn removal() -> Base {
    let machine = patched(&[]).await;
    let past = machine.stage.world.fork();
    let newest = machine.stage.world.newest_active("web").unwrap();
    machine.stage.world.register(&opted_out(&newest)).unwrap();
    based(machine, past)
}

/// The image is only upstream, and is referred to by its digest.
async fn warm_up() -> Base {
    let machine = Machine::with_empty_cache(&[(settings::POLICY, &pinned())]);
    machine.stage.world.publish(PUBLIC, DAEMON, "3.x", Image::index("daemon 3.6", &["amd64", "arm64"]));
    let past = machine.stage.world.fork();
    machine.stage.world.register(&web("1")).unwrap();
    Base { pulls: true, ..based(machine, past) }
}

/// Families in all states: new, patched, registered anew, opted out, and gone.
async fn sweep() -> Base {
    let mut machine = patched(&[]).await;
    let world = machine.stage.world.clone();
    for name in ["anew", "out", "gone"] {
        world.register(&family(name, "1")).unwrap();
        machine.event(name);
    }
    machine.run(Duration::from_secs(3600)).await;
    let past = world.fork();
    world.register(&family("anew", "2")).unwrap();
    world.register(&opted_out(&world.newest_active("out").unwrap())).unwrap();
    world.register(&family("new", "1")).unwrap();
    let mut base = based(machine, past);
    let gone: Vec<String> = world.revisions("gone").into_iter().map(|view| view.arn).collect();
    gone.iter().for_each(|arn| world.deregister(arn).unwrap());
    base.people.deregistered.extend(gone);
    base
}

/// Somebody puts a newer policy into the table, which is given at once.
async fn policy() -> Base {
    let machine = patched(&[]).await;
    let past = machine.stage.world.fork();
    assert!(machine.stage.table().apply("xray-daemon", &newer_policy(), None, "me").await.unwrap());
    based(machine, past)
}

/// Somebody deletes the only policy.
async fn deletion() -> Base {
    let machine = Machine::new(&[(settings::POLICY, "none")]);
    let table = machine.stage.table();
    assert!(table.apply("xray-daemon", PRESETS[0].1, None, "me").await.unwrap());
    machine.stage.world.register(&web("1")).unwrap();
    machine.stage.reconcile().await;
    assert_eq!(machine.stage.active(), [1, 2]);
    let past = machine.stage.world.fork();
    let stored = table.policy("xray-daemon").await.unwrap().unwrap();
    assert!(table.mark_deleted(&stored, "me").await.unwrap());
    let mut base = based(machine, past);
    base.people.no_policies = true;
    base
}

/// A service runs what was patched since.
async fn rollout(strategy: &str) -> Base {
    let shop = Shop::patched_with(&[], &json!({ "deploymentConfiguration": { "strategy": strategy } })).await;
    let past = shop.stage().world.fork();
    of_shop(shop, past)
}

/// A service that CodeDeploy deploys is only told of.
async fn code_deploy() -> Base {
    let shop = Shop::patched_with(&[], &json!({ "deploymentController": { "type": "CODE_DEPLOY" } })).await;
    let past = shop.stage().world.fork();
    of_shop(shop, past)
}

/// Family and service are new, and both events come.
async fn launch() -> Base {
    let shop = Shop::new();
    let past = shop.stage().world.fork();
    of_shop(shop, past)
}

/// A worker died before it registered.
async fn takeover() -> Base {
    let machine = Machine::new(&[]);
    let past = machine.stage.world.fork();
    machine.stage.world.register(&web("1")).unwrap();
    at_first(&machine.stage.world, "RegisterTaskDefinition", |_| Fault::before(die));
    let died = AssertUnwindSafe(machine.stage.try_reconcile()).catch_unwind().await;
    assert!(died.is_err());
    machine.stage.world.leave_calls_alone();
    based(machine, past)
}

/// The owner takes back what the newest patch was made from.
async fn source_gone() -> Base {
    let mut machine = patched(&[]).await;
    machine.stage.world.register(&web("2")).unwrap();
    machine.event("web");
    machine.run(Duration::from_secs(3600)).await;
    let past = machine.stage.world.fork();
    machine.stage.world.deregister(&revision_arn(3)).unwrap();
    let mut base = based(machine, past);
    base.people.deregistered.insert(revision_arn(3));
    base
}

/// Somebody takes back the patch.
async fn withdrawal() -> Base {
    let machine = patched(&[]).await;
    let past = machine.stage.world.fork();
    machine.stage.world.deregister(&revision_arn(2)).unwrap();
    let mut base = based(machine, past);
    base.people.deregistered.insert(revision_arn(2));
    base
}

/// Somebody paused the operator, which has seen the family since, and has it go on.
async fn resumed() -> Base {
    let mut machine = Machine::new(&[]);
    let table = machine.stage.table();
    table.set_switch("me", |switch| switch.paused = true).await.unwrap();
    machine.stage.world.register(&web("1")).unwrap();
    machine.event("web");
    machine.run(Duration::from_secs(3600)).await;
    let past = machine.stage.world.fork();
    table.set_switch("me", |switch| switch.paused = false).await.unwrap();
    based(machine, past)
}
