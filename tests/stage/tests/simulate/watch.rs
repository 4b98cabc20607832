//! What must not happen at any step, whatever goes wrong.
//!
//! Knows: each call of the operator as it arrives, and what it did to the world. Must not know: how the operator decides.

use crate::mishaps::Mishap;
use crate::worker::Instance;
use ecs_sidecar_core::normalize;
use ecs_sidecar_core::receipt;
use ecs_sidecar_stage::stage::{ACCOUNT, SESSION, TRACES, parsed};
use ecs_sidecar_tests::{Call, Outcome, RevisionView, Service, Status, World};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::Ordering;

/// How many ACTIVE patches there may be of one source and digest: one, and the surplus that a crash may leave.
const MOST: usize = 2;

/// Somebody at work: slot, incarnation and invocation.
type Worker = (u64, u64, u64);

/// What is known of what happened so far.
#[derive(Default)]
pub(crate) struct Watch {
    /// Counts what was seen.
    step: u64,
    /// Who took the lease of a family last, and has not given it back.
    holders: BTreeMap<String, Worker>,
    /// Who has sent a registration of a family that may have been done, and has not looked at the family since.
    blind: BTreeSet<(Worker, String)>,
    /// The family whose lease was taken by the last call.
    pub(crate) just_leased: Option<String>,
    /// Families whose lease nobody gave back.
    orphans: BTreeSet<String>,
    /// Since which step the operator is paused.
    paused: Option<u64>,
    /// At which step each worker last read the switch.
    knows_switch: BTreeMap<Worker, u64>,
    /// Number of the operator's newest revision, by family.
    newest_of_ours: BTreeMap<String, u64>,
    /// What was seen of places worth reaching.
    pub(crate) reached: BTreeMap<&'static str, u64>,
}

impl Watch {
    fn reach(&mut self, what: &'static str) {
        *self.reached.entry(what).or_default() += 1;
    }

    /// Somebody threw the switch.
    pub(crate) fn switched(&mut self, paused: bool) {
        self.step += 1;
        self.paused = paused.then_some(self.step);
    }

    /// An invocation came to its end, one way or the other.
    pub(crate) fn ended(&mut self, instance: &Instance) {
        let worker = worker(instance);
        let left = self.holders.extract_if(.., |_, holder| *holder == worker);
        self.orphans.extend(left.map(|(family, _)| family));
        self.knows_switch.remove(&worker);
        self.blind.retain(|(blind, _)| *blind != worker);
    }

    /// A call was made. What is answered must not be.
    pub(crate) fn see(
        &mut self,
        world: &World,
        instance: &Instance,
        call: &Call,
        happened: Option<Mishap>,
    ) -> Option<String> {
        self.step += 1;
        let worker = worker(instance);
        let objection = match (call.service, call.operation.as_str()) {
            (Service::DynamoDb, "PutItem") => {
                self.put(worker, call, happened);
                None
            }
            (Service::DynamoDb, "UpdateItem") => {
                self.claimed(world, worker, call, happened);
                None
            }
            (Service::DynamoDb, "GetItem" | "Query") => {
                self.read(worker, call);
                None
            }
            (Service::Ecs, "DescribeTaskDefinition") => {
                self.blind.remove(&(worker, family_of(&call.target).unwrap_or_default()));
                return None;
            }
            (Service::Ecs, "RegisterTaskDefinition") => {
                let again = self.sends_blindly(worker, call);
                again.or_else(|| self.registered(world, call))
            }
            (Service::Ecs, "DeregisterTaskDefinition") => self.deregistered(world, call),
            (Service::Ecs, "UpdateService") => updated(call),
            (Service::Iam, "AttachRolePolicy") => {
                self.reach("policies attached");
                attached(call)
            }
            (Service::Iam, "DetachRolePolicy") => Some("the operator detaches a policy".to_owned()),
            _ => return None,
        };
        let writes = call.service != Service::DynamoDb && happened != Some(Mishap::RequestLate);
        objection.or_else(|| self.may_write(worker, call).filter(|_| writes))
    }

    /// Whether a worker may write to ECS or IAM at all now.
    fn may_write(&self, worker: Worker, call: &Call) -> Option<String> {
        if let Some(since) = self.paused
            && self.knows_switch.get(&worker).is_some_and(|read| *read > since)
        {
            return Some(format!("{call} by somebody who has read that the operator is paused"));
        }
        let family = match call.operation.as_str() {
            "RegisterTaskDefinition" => Some(call.target.clone()),
            "DeregisterTaskDefinition" => family_of(&call.target),
            _ => None,
        }?;
        let holder = self.holders.get(&family).copied();
        (holder != Some(worker))
            .then(|| format!("{call} by somebody who has not the lease of {family}: {holder:?} has"))
    }

    /// A registration is never sent again before the family was looked at, unless ECS said that nothing was done.
    fn sends_blindly(&mut self, worker: Worker, call: &Call) -> Option<String> {
        let key = (worker, call.target.clone());
        if self.blind.contains(&key) {
            return Some(format!("{call} once more, and nobody looked at {} before", call.target));
        }
        if call.outcome != Outcome::Failed("ThrottlingException".to_owned()) {
            self.blind.insert(key);
        }
        None
    }

    fn read(&mut self, worker: Worker, call: &Call) {
        let body = String::from_utf8_lossy(&call.body);
        if call.outcome == Outcome::Answered && (body.contains("\"switch\"") || body.contains("\"standing\"")) {
            self.knows_switch.insert(worker, self.step);
        }
    }

    /// An item was put: perhaps a row with a lease, or one without.
    fn put(&mut self, worker: Worker, call: &Call, happened: Option<Mishap>) {
        let done = match happened {
            None | Some(Mishap::Stale) => call.outcome == Outcome::Answered,
            // Whether the condition held, nobody was told.
            Some(Mishap::AnswerLost | Mishap::AnswerLate | Mishap::DoneAndFails | Mishap::Garbled) => return,
            Some(Mishap::RequestLate | Mishap::DiesAfter) => return,
            Some(Mishap::Fails | Mishap::Throttled | Mishap::RequestLost | Mishap::DiesBefore) => false,
        };
        let body: Value = serde_json::from_slice(&call.body).unwrap_or_default();
        let item = &body["Item"];
        if item["kind"]["S"] != "family" {
            return;
        }
        let Some(family) = item["id"]["S"].as_str() else { return };
        match (done, item["leaseOwner"]["S"].as_str()) {
            (true, Some(_)) => self.holds(family, worker),
            (true, None) if self.holders.get(family) == Some(&worker) => drop(self.holders.remove(family)),
            (true, None) => {}
            (false, Some(_)) => self.reach("races for a lease lost"),
            (false, None) => {}
        }
    }

    /// A lease was asked for beside a look. Whose it is stands in the row, also where the answer to a first attempt was lost.
    fn claimed(&mut self, world: &World, worker: Worker, call: &Call, happened: Option<Mishap>) {
        let body: Value = serde_json::from_slice(&call.body).unwrap_or_default();
        let (key, owner) = (&body["Key"], &body["ExpressionAttributeValues"][":owner"]["S"]);
        let (Some(family), Some(owner)) = (key["id"]["S"].as_str(), owner.as_str()) else { return };
        if key["kind"]["S"] != "family" || matches!(happened, Some(Mishap::RequestLate | Mishap::DiesAfter)) {
            return;
        }
        let row = world.item("operator", "family", family).unwrap_or_default();
        let row: Value = serde_json::from_str(&row).unwrap_or_default();
        if row["leaseOwner"]["S"] == owner {
            self.reach("leases taken beside the look");
            self.holds(family, worker);
        } else if call.outcome != Outcome::Lost {
            self.reach("races for a lease lost");
        }
    }

    fn holds(&mut self, family: &str, worker: Worker) {
        self.reach("leases taken");
        self.just_leased = Some(family.to_owned());
        if self.orphans.remove(family) {
            self.reach("leases of the dead taken over");
        }
        if let Some(before) = self.holders.insert(family.to_owned(), worker)
            && before != worker
        {
            self.reach("leases taken over from somebody at work");
        }
    }

    /// A registration arrived; whether it was taken, the family's revisions tell.
    fn registered(&mut self, world: &World, call: &Call) -> Option<String> {
        let family = &call.target;
        let newest = world.newest_active(family).filter(|view| view.registered_by == SESSION)?;
        let known = self.newest_of_ours.insert(family.clone(), newest.number);
        if known.is_some_and(|known| known >= newest.number) {
            return None;
        }
        let revisions = world.revisions(family);
        self.reach(if receipt::ours(&parsed(&newest)).is_some() {
            "patches registered"
        } else {
            "removals registered"
        });
        let same = doubles(&revisions, &newest);
        if same.len() > 1 {
            self.reach("surplus revisions");
        }
        let too_many = same.len() > MOST;
        loses_something(&revisions, &newest)
            .or_else(|| too_many.then(|| format!("{same:?} are ACTIVE patches of the same")))
    }

    fn deregistered(&mut self, world: &World, call: &Call) -> Option<String> {
        let family = family_of(&call.target)?;
        let revisions = world.revisions(&family);
        let gone =
            revisions.iter().find(|view| view.arn.ends_with(call.target.rsplit('/').next().unwrap_or_default()))?;
        if gone.registered_by != SESSION {
            return Some(format!("the operator deregisters {}, which {} registered", gone.arn, gone.registered_by));
        }
        self.reach("own revisions deregistered");
        if revisions
            .iter()
            .any(|view| view.number < gone.number && view.registered_by != SESSION && is_newer_than_source(gone, view))
        {
            self.reach("gap conflicts");
        }
        None
    }
}

fn worker(instance: &Instance) -> Worker {
    (instance.slot, instance.incarnation, instance.invocation.load(Ordering::Relaxed))
}

/// `web:7`, or its ARN.
fn family_of(revision: &str) -> Option<String> {
    let name = revision.rsplit('/').next()?;
    Some(name.split(':').next()?.to_owned())
}

/// Whether somebody's ACTIVE revision is newer than what ours was made from.
fn is_newer_than_source(ours: &RevisionView, other: &RevisionView) -> bool {
    let source = receipt::ours(&parsed(ours)).and_then(|receipt| receipt.source_arn()).and_then(|arn| arn.revision());
    source.is_some_and(|(_, number)| other.number > number && other.status == Status::Active)
}

/// The definition of which a revision was made, as its owner wrote it.
fn undone(view: &RevisionView) -> Option<String> {
    let definition = parsed(view);
    let undone = receipt::undo(&definition).ok()?;
    Some(normalize::canonical(undone.as_ref().map_or(&definition, |undone| &undone.source)))
}

/// What is registered is what somebody had registered before, but for the injection.
fn loses_something(revisions: &[RevisionView], ours: &RevisionView) -> Option<String> {
    let source = receipt::ours(&parsed(ours)).and_then(|receipt| receipt.source.arn);
    let text = undone(ours);
    let before = revisions.iter().filter(|view| view.number < ours.number);
    let mut candidates = before.filter(|view| source.as_ref().is_none_or(|arn| *arn == view.arn));
    let same = candidates.any(|view| undone(view) == text && keeps_members(view, ours));
    (!same).then(|| format!("{} is not what its owner wrote: of {source:?}", ours.arn))
}

/// A second opinion, without receipts: the members that no injection touches are in it as they were.
fn keeps_members(before: &RevisionView, after: &RevisionView) -> bool {
    const TOUCHED: [&str; 11] = [
        "containerDefinitions",
        "cpu",
        "memory",
        "taskRoleArn",
        "executionRoleArn",
        "taskDefinitionArn",
        "revision",
        "status",
        "registeredAt",
        "registeredBy",
        "deregisteredAt",
    ];
    const DERIVED: [&str; 2] = ["requiresAttributes", "compatibilities"];
    const TOUCHED_INSIDE: [&str; 3] = ["environment", "dependsOn", "links"];
    let value = |view: &RevisionView| serde_json::from_str::<Value>(&view.text).unwrap_or_default();
    let (before, after) = (value(before), value(after));
    let Some(members) = before.as_object() else { return false };
    let outside =
        members.iter().filter(|(name, _)| !TOUCHED.contains(&name.as_str()) && !DERIVED.contains(&name.as_str()));
    if outside.into_iter().any(|(name, value)| after.get(name) != Some(value)) {
        return false;
    }
    let containers = |definition: &Value| definition["containerDefinitions"].as_array().cloned().unwrap_or_default();
    let others = containers(&after);
    containers(&before).iter().filter(|container| container["name"] != "xray-daemon").all(|container| {
        let same = others.iter().find(|other| other["name"] == container["name"]);
        let members = container.as_object().into_iter().flatten();
        same.is_some_and(|same| {
            members
                .filter(|(name, _)| !TOUCHED_INSIDE.contains(&name.as_str()))
                .all(|(name, value)| same.get(name) == Some(value))
        })
    })
}

/// Numbers of the ACTIVE patches of the same source with the same digest.
fn doubles(revisions: &[RevisionView], ours: &RevisionView) -> Vec<u64> {
    let key = |view: &RevisionView| {
        receipt::ours(&parsed(view)).map(|receipt| (receipt.source.arn.clone(), receipt.digest.to_string()))
    };
    let Some(wanted) = key(ours) else { return Vec::new() };
    let active = revisions.iter().filter(|view| view.status == Status::Active && view.registered_by == SESSION);
    active.filter(|view| key(view).as_ref() == Some(&wanted)).map(|view| view.number).collect()
}

/// Of a service, nothing but the task definition is changed.
fn updated(call: &Call) -> Option<String> {
    let body: Value = serde_json::from_slice(&call.body).unwrap_or_default();
    let allowed = ["cluster", "service", "taskDefinition"];
    let more = body.as_object()?.keys().find(|key| !allowed.contains(&key.as_str()));
    more.map(|key| format!("UpdateService changes {key}"))
}

/// Only what the stack lists is attached.
fn attached(call: &Call) -> Option<String> {
    let body = String::from_utf8_lossy(&call.body).replace("%3A", ":").replace("%2F", "/");
    let policy = body.split('&').find_map(|part| part.strip_prefix("PolicyArn="))?;
    let listed = [TRACES.to_owned(), format!("arn:aws:iam::{ACCOUNT}:policy/stack-execution")];
    (!listed.contains(&policy.to_owned())).then(|| format!("{policy} is attached"))
}
