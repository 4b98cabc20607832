//! One episode: a fresh world, a storm, quiet, and then all that has to hold.
//!
//! Knows: in which order that goes. Must not know: what holds; that is said by `watch` and by the invariants.

use crate::chance::Chance;
use crate::deeds::{resume, storm};
use crate::definitions::{FAMILIES, Flavour, OWN_DAEMON, ROLES, family_name, registration, service_arn};
use crate::post::Queue;
use crate::scene::{Element, Scene, Script, purpose};
use crate::tally::Tally;
use crate::worker::work;
use ecs_sidecar_aws::settings;
use ecs_sidecar_core::receipt::{self, Injector};
use ecs_sidecar_stage::invariants;
use ecs_sidecar_stage::machine::Machine;
use ecs_sidecar_stage::stage::{SESSION, parsed};
use ecs_sidecar_tests::{RevisionView, Status};
use serde_json::json;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::task::{LocalSet, spawn_local};
use tokio::time::sleep;

/// What came of an episode.
pub(crate) struct Told {
    /// What must not be; `None`: all is well.
    pub(crate) wrong: Option<String>,
    pub(crate) lines: Vec<String>,
    pub(crate) hash: String,
    pub(crate) tally: Tally,
    /// Elements that came up.
    pub(crate) elements: Vec<Element>,
}

/// Instances that work side by side on families.
const WORKERS: u64 = 4;

/// The same for sweeps.
const SWEEPERS: u64 = 2;

/// The story's words for the end of the storm.
pub(crate) const OVER: &str = "is over";

/// Bytes of stack for an episode.
const STACK: usize = 64 << 20;

/// Runs an episode. The same script is the same story, byte for byte.
///
/// What the SDK leaves to chance (the jitter of retries) comes from `fastrand`'s generator of the thread, which is seeded here. Its
/// quota for retries is the process's: mishaps are too rare to come near its end. The maps whose order differs from run to
/// run are only looked up in.
pub(crate) fn run(script: Script) -> Told {
    // Unoptimized, the futures of a sweep do not fit on a thread's usual stack.
    let thread = std::thread::Builder::new().stack_size(STACK).spawn(move || run_here(script));
    match thread.map(std::thread::JoinHandle::join) {
        Ok(Ok(told)) => told,
        Ok(Err(panic)) => std::panic::resume_unwind(panic),
        Err(error) => unreachable!("there is room for a thread: {error}"),
    }
}

fn run_here(script: Script) -> Told {
    fastrand::seed(script.chance.draw(&[purpose::RETRIES]).next());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    let Ok(runtime) = runtime else { unreachable!("a runtime without sockets needs nothing") };
    LocalSet::new().block_on(&runtime, episode(script))
}

async fn episode(script: Script) -> Told {
    let machine = Machine::new(&[
        (settings::ROLLOUT_SERVICES, "true"),
        (settings::ROLLOUT_AT_ONCE, "2"),
        (settings::EVENT_BUS, "default"),
    ]);
    let scene = set(&machine, script);
    let settings = machine.stage.another_settings();
    for slot in 0..WORKERS + SWEEPERS {
        let queue = if slot < WORKERS { Queue::Families } else { Queue::Sweeps };
        spawn_local(work(scene.clone(), queue, slot, settings.clone()));
    }
    let mut draw = scene.script.chance.draw(&[purpose::EPISODE, 1]);
    let (deeds, length) = (draw.between(20, 110), Duration::from_secs(draw.between(15, 75) * 60));
    let all = async {
        storm(scene.clone(), deeds, length).await;
        quiet(&scene, &machine).await
    };
    let found = tokio::select! {
        biased;
        () = scene.over.notified() => Vec::new(),
        found = all => found,
    };
    let mut state = scene.state();
    let wrong = state.wrong.take().or_else(|| (!found.is_empty()).then(|| found.join("; ")));
    let mut tally = std::mem::take(&mut state.tally);
    for (name, count) in std::mem::take(&mut state.watch.reached) {
        *tally.counts.entry(name).or_default() += count;
    }
    tally.episodes = 1;
    Told {
        wrong,
        lines: state.story.lines().to_vec(),
        hash: state.story.hash(),
        tally,
        elements: std::mem::take(&mut state.elements),
    }
}

/// Families, and a service for each, as they have been for a while.
fn set(machine: &Machine, script: Script) -> Arc<Scene> {
    let world = &machine.stage.world;
    world.trust_signatures();
    world.meter_calls();
    world.add_role("app/other");
    world.add_cluster("shop");
    let chance: Chance = script.chance;
    let scene = Scene::new(world.clone(), script);
    for number in 0..FAMILIES {
        let flavour = Flavour::drawn(&mut chance.draw(&[purpose::EPISODE, 2, number]));
        let family = family_name(number);
        let Ok(arn) = world.register(&registration(&family, 1000 + number, flavour)) else {
            unreachable!("ECS takes what is registered here")
        };
        let service = json!({
            "cluster": "shop", "serviceName": family.replace("app", "service"), "taskDefinition": arn, "desiredCount": 2,
            "deploymentConfiguration": { "deploymentCircuitBreaker": { "enable": true, "rollback": true } },
        });
        if let Ok(service) = world.add_service(&service.to_string()) {
            scene.state().people.pinned.insert(service, arn);
        }
    }
    scene
}

fn family_of(arn: &str) -> &str {
    arn.rsplit('/').next().and_then(|name| name.split(':').next()).unwrap_or_default()
}

/// Whether a row takes a removal for its owner's revision: nothing in a removal says what it was made from, and the row forgot
/// when a newer revision came and was taken back. Known, and without consequence for what is decided.
fn names_a_removal(machine: &Machine, what: &str) -> bool {
    let told = what.split('"').nth(1).filter(|_| what.contains("the row tells source"));
    let Some(told) = told else { return false };
    let revisions = machine.stage.world.revisions(family_of(told));
    revisions.iter().any(|view| {
        view.arn == told && view.registered_by == SESSION && !parsed(view).containers().any(receipt::is_injected)
    })
}

/// Whether the operator registered a revision.
fn is_operators(machine: &Machine, arn: &str) -> bool {
    let mut revisions = machine.stage.world.revisions(family_of(arn)).into_iter();
    revisions.any(|view| view.arn == arn && view.registered_by == SESSION)
}

/// Whether two patches of one source lie below a newer revision of its owner. A request that arrives when its sender has given it
/// up makes a second one; it is found and taken back as long as it is the newest, and what lies below is nobody's latest.
fn are_history(machine: &Machine, what: &str) -> bool {
    let (Some(double), true) = (what.split(' ').next(), what.contains("are both ACTIVE patches")) else { return false };
    let number = |arn: &str| arn.rsplit(':').next().and_then(|digits| digits.parse::<u64>().ok());
    let revisions = machine.stage.world.revisions(family_of(double));
    let is_newer = |view: &RevisionView| view.registered_by != SESSION && Some(view.number) > number(double);
    revisions.iter().any(is_newer)
}

/// Whether the owner's newest revision has a daemon that is not the operator's business.
fn is_odd(machine: &Machine, family: &str) -> bool {
    let mut revisions = machine.stage.world.revisions(family);
    revisions.retain(|view| view.status == Status::Active && view.registered_by != SESSION);
    let newest = revisions.pop().map(|view| parsed(&view));
    newest.is_some_and(|newest| {
        let by_a_pipeline =
            receipt::undo(&newest).ok().flatten().is_some_and(|undone| undone.receipt.by != Injector::Operator);
        by_a_pipeline || newest.text().contains(OWN_DAEMON)
    })
}

/// Nothing goes wrong any more, everything comes to its end, and a day and a bit goes by with a sweep now and then.
async fn quiet(scene: &Arc<Scene>, machine: &Machine) -> Vec<String> {
    scene.calm.store(true, Ordering::Relaxed);
    scene.tell("storm", OVER);
    scene.world.show_policies_after(0);
    for role in ROLES {
        if !scene.world.roles().iter().any(|known| role.ends_with(known)) {
            scene.world.add_role(role);
        }
    }
    resume(scene, &machine.stage.table()).await;
    // By then each lease has run out, each message has come again, and each family has been looked at whole.
    for minutes in [20, 60, 60, 60, 300, 600, 600, 60, 60] {
        for number in 0..FAMILIES {
            scene.completes(&service_arn(&family_name(number).replace("app", "service")));
        }
        scene.send(Queue::Sweeps, json!({ "name": "Schedule" }).to_string(), Duration::ZERO);
        sleep(Duration::from_secs(minutes * 60)).await;
    }
    scene.set_clock();
    let people = scene.state().people.clone();
    let open = scene.post.open();
    let mut found = invariants::violations(&machine.stage, &people).await;
    let disturbed: BTreeSet<String> = scene.state().disturbed.clone();
    // What people did to a role by hand, no row can know.
    found.retain(|what| !disturbed.iter().any(|role| what.contains(&format!("that role {role} was given"))));
    // What has a daemon of its own, or one that a pipeline injected, the operator leaves alone whatever is asked.
    let odd: Vec<String> =
        machine.stage.world.families().into_iter().filter(|family| is_odd(machine, family)).collect();
    let of_odd = |what: &str| odd.iter().any(|family| what.starts_with(&format!("{family}: ")));
    found.retain(|what| !of_odd(what) || !what.contains("sidecar:") && !what.contains("tells state"));
    // Somebody took an update back: what is left is an older patch, and the row tells why there is no newer one.
    let took_back =
        |what: &str| people.deregistered.iter().any(|arn| what.starts_with(&format!("{}: ", family_of(arn))));
    found.retain(|what| !what.contains("tells state Some(Skipped), and it is Some(Covered)") || !took_back(what));
    // The same for a removal: what asked for it has its sidecar still.
    let removal_taken_back = |what: &str| {
        what.contains("has a sidecar: true, and one is wanted: Some(false)")
            && people
                .deregistered
                .iter()
                .any(|arn| what.starts_with(&format!("{}: ", family_of(arn))) && is_operators(machine, arn))
    };
    found.retain(|what| !removal_taken_back(what));
    found.retain(|what| !names_a_removal(machine, what) && !are_history(machine, what));
    found.extend((open > 0).then(|| format!("{open} messages are still on their way")));
    scene.world.leave_calls_alone();
    found.extend(invariants::stays(machine).await);
    found
}
