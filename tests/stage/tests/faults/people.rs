//! Somebody else, who does something just when the operator does.
//!
//! Knows: what people, pipelines and other workers do. Must not know: when.

use ecs_sidecar_aws::table::Table;
use ecs_sidecar_stage::invariants::People;
use ecs_sidecar_stage::scenes::{newer_policy, opted_out};
use ecs_sidecar_stage::stage::{Deployment, SESSION, TRACES, parsed, web};
use ecs_sidecar_tests::{RevisionView, Status, World};
use serde_json::json;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// A policy that somebody attaches for his own ends.
const OTHER: &str = "arn:aws:iam::aws:policy/AmazonSSMReadOnlyAccess";

/// What somebody does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Somebody {
    /// The owner registers the app's next version.
    RegistersNewer,
    /// The owner registers the same with an opt-out.
    OptsOut,
    /// A pipeline registers a copy of the newest revision with another image of the app.
    RegistersCopy,
    /// The newest revision is deregistered, whosever it is.
    DeregistersNewest,
    /// The newest of the owner's is.
    DeregistersOwners,
    /// The newest of the operator's is.
    DeregistersOurs,
    /// A role gets a policy for somebody's own ends.
    AttachesOther,
    /// A role gets from its owner what the sidecar needs.
    AttachesSame,
    /// A role loses what the sidecar needs.
    Detaches,
    /// Another worker reconciles the family from the look to the end.
    Works,
    /// Another worker looks at the service.
    RollsOut,
    /// The owner has the service run the first revision again.
    SetsBack,
    /// The owner registers the app's next version and has the service run it.
    Deploys,
    /// Another policy is put into the table.
    AppliesPolicy,
    /// The operator is paused; it goes on when all is quiet.
    Pauses,
}

/// Each of them.
pub(crate) const WRITES: [Somebody; 15] = [
    Somebody::RegistersNewer,
    Somebody::OptsOut,
    Somebody::RegistersCopy,
    Somebody::DeregistersNewest,
    Somebody::DeregistersOwners,
    Somebody::DeregistersOurs,
    Somebody::AttachesOther,
    Somebody::AttachesSame,
    Somebody::Detaches,
    Somebody::Works,
    Somebody::RollsOut,
    Somebody::SetsBack,
    Somebody::Deploys,
    Somebody::AppliesPolicy,
    Somebody::Pauses,
];

impl Somebody {
    /// The word for it.
    pub(crate) fn label(self) -> String {
        format!("somebody-{self:?}")
    }

    /// Whether it is about services.
    pub(crate) fn needs_service(self) -> bool {
        matches!(self, Self::RollsOut | Self::SetsBack | Self::Deploys)
    }
}

/// What somebody needs to do it, and what is known of what he did.
#[derive(Clone)]
pub(crate) struct Means {
    /// What people did.
    pub(crate) people: Arc<Mutex<People>>,
    /// What further workers are started from.
    pub(crate) deployment: Deployment,
    /// ARN of the service, if there is one.
    pub(crate) service: Option<String>,
    /// Whether he found what he was to change.
    pub(crate) found: Arc<AtomicBool>,
}

impl Means {
    /// What people did so far.
    pub(crate) fn people(&self) -> People {
        self.people.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn note(&self, deed: impl FnOnce(&mut People)) {
        deed(&mut self.people.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// Has somebody do it.
    pub(crate) fn have_done(&self, somebody: Somebody, world: &World) {
        if self.done(somebody, world).is_some() {
            self.found.store(true, Ordering::Relaxed);
        }
    }

    /// `None`: there is nothing that he could change.
    fn done(&self, somebody: Somebody, world: &World) -> Option<()> {
        match somebody {
            Somebody::RegistersNewer => drop(world.register(&web("2")).ok()?),
            Somebody::OptsOut => {
                let owners = newest(world, |view| view.registered_by != SESSION)?;
                drop(world.register(&opted_out(&owners)).ok()?);
            }
            Somebody::RegistersCopy => {
                let text = parsed(&world.newest_active("web")?).text().replace("shop/web:1", "shop/web:3");
                drop(world.register(&text).ok()?);
            }
            Somebody::DeregistersNewest => self.deregister(world, newest(world, |_| true)?),
            Somebody::DeregistersOwners => {
                self.deregister(world, newest(world, |view| view.registered_by != SESSION)?);
            }
            Somebody::DeregistersOurs => self.deregister(world, newest(world, |view| view.registered_by == SESSION)?),
            Somebody::AttachesOther => self.attach(world, OTHER)?,
            Somebody::AttachesSame => self.attach(world, TRACES)?,
            Somebody::Detaches => {
                world.detach("web", TRACES).then_some(())?;
                self.note(|people| people.detached.entry("web".to_owned()).or_default().extend([TRACES.to_owned()]));
            }
            Somebody::Works => self.deployment.reconcile_elsewhere(world),
            Somebody::RollsOut => self.deployment.roll_out_elsewhere(world, self.service.as_ref()?),
            Somebody::SetsBack => self.pin(world, "web:1")?,
            Somebody::Deploys => {
                let arn = world.register(&web("2")).ok()?;
                self.pin(world, &arn)?;
            }
            Somebody::AppliesPolicy => with_table(world, |table| async move {
                let stored = table.policy("xray-daemon").await.unwrap();
                let text = newer_policy().replace("\"32\"", "\"48\"");
                table.apply("xray-daemon", &text, stored.as_ref(), "me").await.unwrap();
            }),
            Somebody::Pauses => pause(world, true),
        }
        Some(())
    }

    fn deregister(&self, world: &World, view: RevisionView) {
        world.deregister(&view.arn).unwrap();
        self.note(|people| people.deregistered.extend([view.arn]));
    }

    fn attach(&self, world: &World, policy: &str) -> Option<()> {
        if world.attached("web").iter().any(|attached| attached == policy) {
            return None;
        }
        world.attach("web", policy);
        self.note(|people| people.attached.entry("web".to_owned()).or_default().extend([policy.to_owned()]));
        Some(())
    }

    fn pin(&self, world: &World, revision: &str) -> Option<()> {
        let service = self.service.as_ref()?;
        let request = json!({ "cluster": "shop", "service": "web", "taskDefinition": revision });
        world.update_service(&request.to_string()).ok()?;
        let pins = world.service(service)?.task_definition?;
        self.note(|people| drop(people.pinned.insert(service.clone(), pins)));
        Some(())
    }
}

/// The newest ACTIVE revision of `web` of that kind.
fn newest(world: &World, wanted: impl Fn(&RevisionView) -> bool) -> Option<RevisionView> {
    let mut revisions = world.revisions("web");
    revisions.retain(|view| view.status == Status::Active && wanted(view));
    revisions.pop()
}

/// Pauses the operator, or has it go on.
pub(crate) fn pause(world: &World, paused: bool) {
    with_table(world, move |table| async move {
        table.set_switch("me", |switch| switch.paused = paused).await.unwrap();
    });
}

/// Does something with the operator's table as a person does, beside whoever waits for it.
fn with_table<F: Future<Output = ()>>(world: &World, deed: impl FnOnce(Table) -> F + Send + 'static) {
    let table = Table::new(&world.sdk_config(), "operator".to_owned());
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    std::thread::spawn(move || runtime().block_on(deed(table))).join().unwrap();
}
