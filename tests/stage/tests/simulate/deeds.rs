//! What people, pipelines and ECS do, at times that were drawn.
//!
//! Knows: how users work, as far as it hurts. Must not know: what the operator makes of it.

use crate::chance::Draw;
use crate::definitions::{self, FAMILIES, Flavour, ROLES, family_name};
use crate::post::Queue;
use crate::scene::{Element, Scene, purpose};
use ecs_sidecar_aws::table::Table;
use ecs_sidecar_core::policy::PRESETS;
use ecs_sidecar_stage::scenes::newer_policy;
use ecs_sidecar_stage::shop::DEPLOYER;
use ecs_sidecar_stage::stage::{SESSION, TRACES};
use ecs_sidecar_tests::{Caller, RevisionView, Status};
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::sleep;

/// A kind of deed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Deed {
    /// A user registers a new version of an app.
    Register,
    /// Somebody takes the newest revision as it is described, changes the image, and registers that.
    Copy,
    /// Somebody goes back: registers an older revision once more.
    GoBack,
    /// A user opts in or out, on top of the newest revision.
    Opt,
    /// A pipeline registers a version and has a service run it.
    Deploy,
    /// A pipeline has a service run any revision.
    Pin,
    /// Somebody deregisters a revision of his own.
    Deregister,
    /// Somebody deregisters the operator's newest revision.
    TakeBack,
    /// A family is destroyed.
    Destroy,
    /// A role is deleted, and made again a while later.
    DeleteRole,
    /// Somebody attaches the policy himself.
    Attach,
    /// Somebody detaches it.
    Detach,
    /// A policy is applied in the table.
    Apply,
    /// It is deleted.
    Delete,
    /// Somebody pauses the operator, and has it go on later.
    Pause,
    /// Somebody detaches what no sidecar rests on.
    Prune,
    /// The sweep's schedule, or a person, wakes it.
    Sweep,
    /// IAM shows changes later than before, or at once.
    IamLag,
    /// Pipelines of other families use up what ECS takes of registrations at once.
    Burst,
}

impl Deed {
    const ALL: [(u64, Self); 19] = [
        (22, Self::Register),
        (10, Self::Copy),
        (6, Self::GoBack),
        (7, Self::Opt),
        (10, Self::Deploy),
        (4, Self::Pin),
        (7, Self::Deregister),
        (6, Self::TakeBack),
        (1, Self::Destroy),
        (3, Self::DeleteRole),
        (2, Self::Attach),
        (3, Self::Detach),
        (3, Self::Apply),
        (2, Self::Delete),
        (2, Self::Pause),
        (2, Self::Prune),
        (8, Self::Sweep),
        (2, Self::IamLag),
        (3, Self::Burst),
    ];

    /// The word for it in figures.
    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::Register => "register",
            Self::Copy => "copy with another image",
            Self::GoBack => "copy of an older revision",
            Self::Opt => "opt in or out",
            Self::Deploy => "register and deploy",
            Self::Pin => "pin a service",
            Self::Deregister => "deregister",
            Self::TakeBack => "deregister the operator's",
            Self::Destroy => "destroy a family",
            Self::DeleteRole => "delete a role",
            Self::Attach => "attach",
            Self::Detach => "detach",
            Self::Apply => "apply a policy",
            Self::Delete => "delete a policy",
            Self::Pause => "pause",
            Self::Prune => "prune",
            Self::Sweep => "wake the sweep",
            Self::IamLag => "IAM's lag",
            Self::Burst => "use up ECS's bucket",
        }
    }

    /// All labels.
    pub(crate) fn labels() -> impl Iterator<Item = &'static str> {
        Self::ALL.into_iter().map(|(_, deed)| deed.label())
    }
}

/// One person's next deeds, one after the other.
pub(crate) struct Somebody {
    scene: Arc<Scene>,
    /// The operator's table, as people use it.
    table: Table,
    draw: Draw,
    number: u64,
}

/// All deeds of the storm, at their times.
pub(crate) async fn storm(scene: Arc<Scene>, count: u64, length: Duration) {
    let table = Table::new(&scene.world.sdk_config(), "operator".to_owned());
    let mut times: Vec<(u64, u64)> = (0..count)
        .map(|number| {
            let mut draw = scene.script.chance.draw(&[purpose::DEED, number, 0]);
            // Things happen together: half of them within seconds of others.
            let at = draw.below(length.as_millis().try_into().unwrap_or(u64::MAX));
            (if draw.hits(500) { at - at % 300_000 + draw.below(4_000) } else { at }, number)
        })
        .collect();
    times.sort_unstable();
    for (at, number) in times {
        sleep(Duration::from_millis(at).saturating_sub(scene.elapsed())).await;
        if !scene.has(Element::Deed(number)) {
            continue;
        }
        let mut draw = scene.script.chance.draw(&[purpose::DEED, number, 1]);
        let deed = draw.weighted(&Deed::ALL);
        scene.set_clock();
        let mut somebody = Somebody { scene: scene.clone(), table: table.clone(), draw, number };
        if let Some(what) = somebody.does(deed).await {
            scene.tell("user", &what);
            scene.state().tally.deed(deed);
        }
        scene.world.forget_calls();
    }
    sleep(length.saturating_sub(scene.elapsed())).await;
}

impl Somebody {
    /// Does it. `None`: there was nothing to do it to.
    async fn does(&mut self, deed: Deed) -> Option<String> {
        let family = family_name(self.draw.below(FAMILIES));
        match deed {
            Deed::Register => self.register(&family),
            Deed::Copy => self.copy(&family),
            Deed::GoBack => self.go_back(&family),
            Deed::Opt => self.opt(&family),
            Deed::Deploy => self.deploy(&family),
            Deed::Pin => self.pin(&family),
            Deed::Deregister => self.deregister(&family, |view| view.registered_by != SESSION),
            Deed::TakeBack => self.take_back(&family),
            Deed::Destroy => self.destroy(&family),
            Deed::DeleteRole => self.delete_role(),
            Deed::Attach | Deed::Detach => self.attach(deed == Deed::Attach),
            Deed::Apply => self.apply().await,
            Deed::Delete => self.delete().await,
            Deed::Pause => self.pause().await,
            Deed::Prune => self.prune().await,
            Deed::Sweep => {
                self.scene.send(Queue::Sweeps, json!({ "name": "Schedule" }).to_string(), Duration::ZERO);
                Some("wakes the sweep".to_owned())
            }
            Deed::IamLag => {
                let seconds = *self.draw.pick(&[0, 5, 20, 60])?;
                self.scene.world.show_policies_after(seconds);
                Some(format!("IAM shows policies after {seconds} s"))
            }
            Deed::Burst => {
                while self.scene.world.pays_for("RegisterTaskDefinition") {}
                Some("registers elsewhere until ECS throttles".to_owned())
            }
        }
    }

    /// Registers a text; CloudTrail tells. Answers the ARN.
    fn registers(&self, family: &str, text: &str) -> Option<String> {
        let arn = self.scene.world.register(text).ok()?;
        self.scene.event(json!({ "name": "RegisterTaskDefinition", "family": family, "arn": arn }).to_string());
        Some(arn)
    }

    fn register(&mut self, family: &str) -> Option<String> {
        let flavour = Flavour::drawn(&mut self.draw);
        let arn = self.registers(family, &definitions::registration(family, self.number, flavour))?;
        Some(format!("registers {} ({})", name(&arn), flavour.label()))
    }

    fn copy(&mut self, family: &str) -> Option<String> {
        let newest = self.scene.world.newest_active(family)?;
        let text = definitions::with_image(&newest, self.number);
        let arn = self.registers(family, &text)?;
        Some(format!("registers {}, a copy of {} with another image", name(&arn), name(&newest.arn)))
    }

    fn go_back(&mut self, family: &str) -> Option<String> {
        let revisions = self.scene.world.revisions(family);
        let older = self.draw.pick(&revisions)?;
        let arn = self.registers(family, &definitions::registrable(older))?;
        Some(format!("registers {}, a copy of {}", name(&arn), name(&older.arn)))
    }

    fn opt(&mut self, family: &str) -> Option<String> {
        let newest = self.scene.world.newest_active(family)?;
        let wants = self.draw.hits(500);
        let arn = self.registers(family, &definitions::opted(&newest, wants))?;
        Some(format!("registers {}, which opts {}", name(&arn), if wants { "in" } else { "out" }))
    }

    fn deploy(&mut self, family: &str) -> Option<String> {
        let flavour = Flavour::drawn(&mut self.draw);
        let arn = self.registers(family, &definitions::registration(family, self.number, flavour))?;
        let service = self.update_service(family, &arn)?;
        Some(format!("a pipeline registers {} ({}) and deploys it to {service}", name(&arn), flavour.label()))
    }

    fn pin(&mut self, family: &str) -> Option<String> {
        let revisions = self.scene.world.revisions(family);
        let active: Vec<_> = revisions.iter().filter(|view| view.status == Status::Active).collect();
        let arn = self.draw.pick(&active)?.arn.clone();
        let service = self.update_service(family, &arn)?;
        Some(format!("a pipeline has {service} run {}", name(&arn)))
    }

    fn update_service(&self, family: &str, arn: &str) -> Option<String> {
        let service = family.replace("app", "service");
        let request = json!({ "cluster": "shop", "service": service, "taskDefinition": arn });
        self.scene.world.update_service(&request.to_string()).ok()?;
        let told = json!({ "cluster": "shop", "service": service });
        self.scene.event(self.scene.world.service_call("UpdateService", &told, Caller::Role(DEPLOYER)).to_string());
        let service_arn = definitions::service_arn(&service);
        self.scene.state().people.pinned.insert(service_arn.clone(), arn.to_owned());
        self.scene.deploys(&service_arn);
        Some(service)
    }

    fn deregisters(&self, family: &str, view: &RevisionView) {
        if self.scene.world.deregister(&view.arn).is_ok() {
            self.scene.state().people.deregistered.insert(view.arn.clone());
            self.scene
                .event(json!({ "name": "DeregisterTaskDefinition", "family": family, "arn": view.arn }).to_string());
        }
    }

    fn deregister(&mut self, family: &str, of: impl Fn(&RevisionView) -> bool) -> Option<String> {
        let revisions = self.scene.world.revisions(family);
        let active: Vec<_> = revisions.iter().filter(|view| view.status == Status::Active && of(view)).collect();
        let view = if self.draw.hits(500) { active.last() } else { self.draw.pick(&active) }?;
        self.deregisters(family, view);
        Some(format!("deregisters {}", name(&view.arn)))
    }

    fn take_back(&mut self, family: &str) -> Option<String> {
        let newest = self.scene.world.newest_active(family).filter(|view| view.registered_by == SESSION)?;
        self.deregisters(family, &newest);
        Some(format!("deregisters {}, the operator's", name(&newest.arn)))
    }

    fn destroy(&mut self, family: &str) -> Option<String> {
        let revisions = self.scene.world.revisions(family);
        for view in revisions.iter().filter(|view| view.status == Status::Active && view.registered_by != SESSION) {
            self.deregisters(family, view);
        }
        Some(format!("destroys {family}: deregisters all revisions of its own"))
    }

    fn delete_role(&mut self) -> Option<String> {
        let role = *self.draw.pick(&ROLES)?;
        let short = role.rsplit('/').next()?.to_owned();
        self.scene.world.remove_role(&short);
        let mut state = self.scene.state();
        state.people.attached.remove(&short);
        state.disturbed.insert(short);
        drop(state);
        let (scene, seconds) = (self.scene.clone(), self.draw.between(5, 900));
        tokio::task::spawn_local(async move {
            sleep(Duration::from_secs(seconds)).await;
            scene.world.add_role(role);
            scene.tell("user", &format!("makes the role {role} again"));
        });
        Some(format!("deletes the role {role}"))
    }

    fn attach(&mut self, attaches: bool) -> Option<String> {
        let role = self.draw.pick(&ROLES)?.rsplit('/').next()?.to_owned();
        let has = self.scene.world.attached(&role).iter().any(|policy| policy == TRACES);
        if has == attaches || role == "execution" || !self.scene.world.roles().contains(&role) {
            return None;
        }
        let mut state = self.scene.state();
        state.disturbed.insert(role.clone());
        let own = state.people.attached.entry(role.clone()).or_default();
        if attaches {
            own.insert(TRACES.to_owned());
            self.scene.world.attach(&role, TRACES);
        } else {
            own.remove(TRACES);
            self.scene.world.detach(&role, TRACES);
        }
        Some(format!(
            "{} the policy {} the role {role}",
            if attaches { "attaches" } else { "detaches" },
            if attaches { "to" } else { "from" }
        ))
    }

    /// The table's stream wakes the sweep.
    fn streamed(&self) {
        self.scene.send(Queue::Sweeps, json!({ "name": "Policy" }).to_string(), Duration::from_secs(2));
    }

    async fn apply(&mut self) -> Option<String> {
        let (text, which) =
            if self.draw.hits(500) { (newer_policy(), "newer") } else { (PRESETS[0].1.to_owned(), "usual") };
        let before = self.table.policy("xray-daemon").await.ok()?;
        self.table.apply("xray-daemon", &text, before.as_ref(), "me").await.ok()?.then_some(())?;
        self.streamed();
        Some(format!("applies the {which} policy"))
    }

    async fn delete(&mut self) -> Option<String> {
        let before = self.table.policy("xray-daemon").await.ok()??;
        self.table.mark_deleted(&before, "me").await.ok()?.then_some(())?;
        self.streamed();
        Some("deletes the policy of the table".to_owned())
    }

    async fn pause(&mut self) -> Option<String> {
        if self.table.switch().await.ok()?.paused {
            return None;
        }
        self.table.set_switch("me", |switch| switch.paused = true).await.ok()?.then_some(())?;
        self.scene.state().watch.switched(true);
        let (scene, table, seconds) = (self.scene.clone(), self.table.clone(), self.draw.between(10, 600));
        tokio::task::spawn_local(async move {
            sleep(Duration::from_secs(seconds)).await;
            resume(&scene, &table).await;
        });
        Some("pauses the operator".to_owned())
    }

    async fn prune(&mut self) -> Option<String> {
        let rows = self.table.rows().await.ok()?;
        let now = self.scene.now().duration_since(std::time::UNIX_EPOCH).ok()?.as_secs();
        let pruned = definitions::unused(&rows, now);
        for pair in &pruned {
            let (role, policy) = pair.split_once(' ')?;
            let role = role.rsplit('/').next()?;
            self.scene.world.detach(role, policy);
            self.scene.state().disturbed.insert(role.to_owned());
        }
        for row in rows.iter().filter(|row| !row.grants.is_disjoint(&pruned)) {
            self.table.forget_grants(&row.family.parse().ok()?, &pruned).await.ok()?;
        }
        (!pruned.is_empty()).then(|| format!("prunes {}", pruned.len()))
    }
}

/// Somebody has the operator go on, if it is paused.
pub(crate) async fn resume(scene: &Scene, table: &Table) {
    scene.set_clock();
    if table.switch().await.is_ok_and(|switch| switch.paused)
        && table.set_switch("me", |switch| switch.paused = false).await.is_ok_and(|done| done)
    {
        scene.state().watch.switched(false);
        scene.tell("user", "has the operator go on");
    }
    scene.world.forget_calls();
}

/// `web:7` of an ARN.
pub(crate) fn name(arn: &str) -> &str {
    arn.rsplit('/').next().unwrap_or(arn)
}
