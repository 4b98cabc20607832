//! Whether a service is moved to the revision that was patched for it, and why not.
//!
//! Knows: a service as ECS describes it, what was done with it before, and the time it is told. Must not know: why it
//! was asked, and how many other services are being moved. It is pure, total and deterministic, as `plan` is.
//!
//! A move has a source and a target: the revision that the service pins, and the one that replaces it. What ends badly
//! is not tried again for the same two; a new source or a new policy gives another pair.

mod blame;
mod reason;
mod report;
mod window;

use crate::ids::Arn;
pub use blame::{FAILED_TO_START, StoppedContainer, StoppedTask, blame};
pub use reason::RolloutReason;
pub use report::ServiceReport;
pub use window::{MaintenanceWindow, WindowError};

/// How often a service may be set back within [`SET_BACK_WINDOW`] before the operator gives in.
pub const SET_BACKS: usize = 3;

/// The time within which set-backs count, in seconds: a week, so that a pipeline that runs once a day is noticed.
pub const SET_BACK_WINDOW: u64 = 7 * 24 * 3600;

/// What is told where ECS gives no words.
pub const UNEXPLAINED: &str = "ECS does not say why.";

/// After how many seconds a deployment is looked at again, should its event not come.
pub const DEPLOYING_AGAIN: u32 = 900;

/// The same where the operator is at work on the family.
const PENDING_AGAIN: u32 = 15;

/// The same where something takes minutes.
const WAITING_AGAIN: u32 = 60;

/// Who decides what a service's tasks are made from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Controller {
    /// ECS itself: rolling, blue/green, linear or canary.
    Ecs,
    /// CodeDeploy.
    CodeDeploy,
    /// Somebody who makes task sets, or a controller that this program does not know.
    External,
}

/// How far a deployment came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeploymentState {
    /// It is under way.
    InProgress,
    /// It came to its end.
    Completed,
    /// It did not, and ECS gave it up.
    Failed,
    /// ECS does not tell: it is being replaced by another one, or none that ECS watches.
    Untold,
}

/// A deployment of a service, as DescribeServices lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deployment {
    /// Whether it is what the service is to become (`PRIMARY`).
    pub primary: bool,
    /// The revision that it deploys.
    pub task_definition: Option<Arn>,
    /// How far it came.
    pub state: DeploymentState,
    /// ECS's words for that.
    pub because: Option<String>,
}

/// A service, as far as a rollout is concerned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Service {
    /// Its ARN.
    pub arn: Arn,
    /// When it was created, in seconds since 1970: another one may have the same ARN later.
    pub created_at: Option<u64>,
    /// Who deploys it.
    pub controller: Controller,
    /// Whether ECS Express Mode manages it.
    pub express: bool,
    /// Whether its owner opted out by a tag.
    pub opted_out: bool,
    /// The revision that it pins.
    pub task_definition: Option<Arn>,
    /// Its deployments that are not over.
    pub deployments: Vec<Deployment>,
}

/// A move that was begun.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Move {
    /// From this revision.
    pub from: Arn,
    /// To that one.
    pub to: Arn,
    /// When, in seconds since 1970.
    pub at: u64,
    /// Whether ECS said that the service was updated.
    pub confirmed: bool,
}

/// How a move ended that is not tried again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// Why it is not.
    pub reason: RolloutReason,
    /// What was said then; for people.
    pub words: String,
}

/// What is known of a service from earlier looks.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct History {
    /// The last move.
    pub last: Option<Move>,
    /// When it was set back from that move, in seconds since 1970.
    pub set_backs: Vec<u64>,
    /// How that move ended, if it ended badly.
    pub ended: Option<Ended>,
    /// Who last changed the service, as CloudTrail names him; for people.
    pub changed_by: Option<String>,
}

/// What the operator has to say about the revision that a service pins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Successor {
    /// It is not done with the family yet.
    Pending,
    /// None.
    None,
    /// This one.
    Revision(Arn),
}

/// How a service stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ServiceState {
    /// It runs what it is to run.
    Current,
    /// It is being moved.
    Moving,
    /// It will be moved.
    Waiting,
    /// It is not moved, as somebody wants it.
    Left,
    /// It is left alone, since its last move ended badly.
    Quarantined,
}

/// What is to be done with a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Deed {
    /// Nothing.
    Nothing,
    /// It is looked at again after so many seconds.
    Again(u32),
    /// It is moved.
    Move(Move),
}

/// What was decided of a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decided {
    /// How it stands.
    pub state: ServiceState,
    /// Why.
    pub reason: RolloutReason,
    /// The particulars, for people.
    pub message: String,
    /// What is to be done.
    pub deed: Deed,
    /// What is known of it from now on; a move that is to be made is not in it.
    pub history: History,
}

/// What a decision goes by beside the service.
#[derive(Debug, Clone, Copy)]
pub struct Circumstances<'a> {
    /// What replaces the revision that it pins.
    pub successor: &'a Successor,
    /// Whether the family's policy lets services be moved.
    pub policy_allows: bool,
    /// ECS's words on the rollback of the last move, if ECS knows of one.
    pub rolled_back: Option<&'a str>,
    /// When services may be moved.
    pub window: &'a MaintenanceWindow,
    /// The time, in seconds since 1970.
    pub now: u64,
}

impl ServiceState {
    /// All states, in the order in which people are told.
    pub const ALL: [Self; 5] = [Self::Quarantined, Self::Waiting, Self::Moving, Self::Left, Self::Current];

    /// The stable word for it.
    pub fn label(self) -> &'static str {
        match self {
            Self::Current => "current",
            Self::Moving => "moving",
            Self::Waiting => "waiting",
            Self::Left => "left",
            Self::Quarantined => "quarantined",
        }
    }

    /// The state of that word.
    pub fn from_label(label: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.label() == label)
    }
}

impl serde::Serialize for ServiceState {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.label())
    }
}

impl Deployment {
    /// ECS's words on how far it came.
    fn words(&self) -> &str {
        self.because.as_deref().unwrap_or(UNEXPLAINED)
    }
}

impl Service {
    /// The deployment that it is to become.
    fn primary(&self) -> Option<&Deployment> {
        self.deployments.iter().find(|deployment| deployment.primary)
    }

    /// ECS's words on a deployment of that revision which it gave up, if there is one.
    pub fn failed(&self, revision: &Arn) -> Option<String> {
        let of = |deployment: &&Deployment| deployment.task_definition.as_ref() == Some(revision);
        let failed =
            self.deployments.iter().filter(of).find(|deployment| deployment.state == DeploymentState::Failed)?;
        Some(failed.words().to_owned())
    }

    /// Whether a deployment is under way: ECS then has more than one, or says so of the only one. One that ECS gave up
    /// stays beside the one before it for good.
    fn is_deploying(&self) -> bool {
        let given_up = self.primary().is_some_and(|primary| primary.state == DeploymentState::Failed);
        let under_way = |deployment: &Deployment| deployment.state == DeploymentState::InProgress;
        !given_up && (self.deployments.len() > 1 || self.deployments.iter().any(under_way))
    }
}

impl Decided {
    /// That, for a reason which needs no particulars.
    fn new(state: ServiceState, reason: RolloutReason, deed: Deed, history: &History) -> Self {
        Self::with_words(state, reason, "", deed, history)
    }

    /// That, for a reason and with what was said of it.
    pub fn with_words(state: ServiceState, reason: RolloutReason, words: &str, deed: Deed, history: &History) -> Self {
        let message = format!("{} {words}", reason.meaning()).trim_end().to_owned();
        Self { state, reason, message, deed, history: history.clone() }
    }
}

impl Ended {
    /// For that reason, with these words.
    pub fn new(reason: RolloutReason, words: &str) -> Self {
        Self { reason, words: words.to_owned() }
    }
}

impl History {
    /// Whether the service points again at what it was moved from, so that somebody has to be asked whether the move
    /// was rolled back.
    pub fn is_set_back(&self, service: &Service) -> bool {
        let pins = service.task_definition.as_ref();
        self.ended.is_none() && self.last.as_ref().is_some_and(|last| last.confirmed && pins == Some(&last.from))
    }

    /// The same with a move that is made.
    #[must_use]
    pub fn moved(&self, last: Move) -> Self {
        Self { last: Some(last), ..self.clone() }
    }

    /// The same, so that its last move may be tried again. That one is over: how it ended is not asked again.
    #[must_use]
    pub fn forgiven(&self) -> Self {
        Self { ended: None, set_backs: Vec::new(), ..self.over() }
    }

    /// The same once the last move is over: what follows is another one.
    fn over(&self) -> Self {
        Self { last: self.last.clone().map(|last| Move { confirmed: false, ..last }), ..self.clone() }
    }
}

/// Decides. Total: whatever was seen, there is a decision.
pub fn decide(service: &Service, before: &History, circumstances: Circumstances<'_>) -> Decided {
    let pins = service.task_definition.as_ref();
    let ours = before.last.as_ref().filter(|last| pins == Some(&last.to));
    if let Some(decided) = ours.and_then(|last| after_move(service, before, last, circumstances.successor)) {
        return decided;
    }
    if let (true, Some(words)) = (before.is_set_back(service), circumstances.rolled_back) {
        return quarantined(before, &Ended::new(RolloutReason::RolledBack, words));
    }
    match (circumstances.successor, pins) {
        (Successor::Pending, _) => {
            Decided::new(ServiceState::Waiting, RolloutReason::FamilyPending, Deed::Again(PENDING_AGAIN), before)
        }
        (Successor::None, _) => Decided::new(ServiceState::Current, RolloutReason::NotPatched, Deed::Nothing, before),
        (Successor::Revision(_), None) => {
            Decided::new(ServiceState::Left, RolloutReason::External, Deed::Nothing, before)
        }
        (Successor::Revision(to), Some(from)) => replace(service, before, circumstances, (from, to)),
    }
}

/// What the service pins is to be replaced, unless something is in the way.
fn replace(service: &Service, before: &History, circumstances: Circumstances<'_>, (from, to): (&Arn, &Arn)) -> Decided {
    if let Some(reason) = left_alone(service, circumstances.policy_allows) {
        let left = Decided::new(ServiceState::Left, reason, Deed::Nothing, before);
        // Whoever moves it by hand has to know where to.
        return Decided { message: format!("{} The patched revision is {to}.", left.message), ..left };
    }
    let same = before.last.as_ref().is_some_and(|last| last.from == *from && last.to == *to);
    let history = match (same, &before.ended) {
        (true, Some(ended)) => return quarantined(before, ended),
        (true, None) if before.is_set_back(service) => set_back(before, circumstances.now),
        (true, None) => before.clone(),
        (false, _) => History { changed_by: before.changed_by.clone(), ..History::default() },
    };
    if history.set_backs.len() >= SET_BACKS {
        return quarantined(&history, &Ended::new(RolloutReason::SetBack, &who(&history)));
    }
    let failed = service.primary().is_some_and(|primary| primary.state == DeploymentState::Failed);
    let is_ours = before.last.as_ref().is_some_and(|last| last.to == *from);
    if failed && !is_ours {
        return Decided::new(ServiceState::Left, RolloutReason::OwnDeploymentFailed, Deed::Nothing, &history);
    }
    let wait = |reason, seconds| Decided::new(ServiceState::Waiting, reason, Deed::Again(seconds), &history);
    let opens_in = circumstances.window.opens_in(circumstances.now);
    if service.is_deploying() {
        wait(RolloutReason::DeploymentInProgress, WAITING_AGAIN)
    } else if opens_in > 0 {
        wait(RolloutReason::OutsideWindow, u32::try_from(opens_in).unwrap_or(u32::MAX))
    } else {
        let next = Move { from: from.clone(), to: to.clone(), at: circumstances.now, confirmed: false };
        Decided::new(ServiceState::Moving, RolloutReason::Deploying, Deed::Move(next), &history)
    }
}

/// The service points at what it was moved to. `None`: that has come to its end, and is to be replaced itself.
fn after_move(service: &Service, before: &History, last: &Move, successor: &Successor) -> Option<Decided> {
    // That it does is as good as ECS's word.
    let history = History { last: Some(Move { confirmed: true, ..last.clone() }), ..before.clone() };
    let failed = service.primary().filter(|primary| primary.state == DeploymentState::Failed);
    let (state, reason, deed) = match (failed, successor) {
        (None, _) if service.is_deploying() => {
            (ServiceState::Moving, RolloutReason::Deploying, Deed::Again(DEPLOYING_AGAIN))
        }
        (_, Successor::Revision(_)) => return None,
        (Some(failed), Successor::Pending | Successor::None) => {
            return Some(quarantined(&history, &Ended::new(RolloutReason::DeploymentFailed, failed.words())));
        }
        (None, Successor::Pending | Successor::None) => (ServiceState::Current, RolloutReason::Moved, Deed::Nothing),
    };
    Some(Decided::new(state, reason, deed, &History { ended: None, ..history }))
}

/// Why a service is left as it is, whatever is to be done.
fn left_alone(service: &Service, policy_allows: bool) -> Option<RolloutReason> {
    match service.controller {
        _ if service.opted_out => Some(RolloutReason::OptedOut),
        _ if !policy_allows => Some(RolloutReason::PolicyForbids),
        _ if service.express => Some(RolloutReason::Express),
        Controller::CodeDeploy => Some(RolloutReason::CodeDeploy),
        Controller::External => Some(RolloutReason::External),
        Controller::Ecs => None,
    }
}

/// Counts one more set-back of the last move.
fn set_back(before: &History, now: u64) -> History {
    let mut set_backs = before.set_backs.clone();
    // What is said to have been long after now never was.
    set_backs.retain(|at| at.abs_diff(now) < SET_BACK_WINDOW);
    // Each is another one, however soon after the one before.
    set_backs.push(set_backs.last().map_or(now, |last| now.max(last + 1)));
    History { set_backs, ..before.over() }
}

/// The last move ended badly.
fn quarantined(history: &History, ended: &Ended) -> Decided {
    let history = History { ended: Some(ended.clone()), ..history.clone() };
    Decided::with_words(ServiceState::Quarantined, ended.reason, &ended.words, Deed::Nothing, &history)
}

/// Who sets the service back, and what he can do about it.
fn who(history: &History) -> String {
    let Some(who) = &history.changed_by else {
        return "No event told who it was; look for UpdateService in CloudTrail.".to_owned();
    };
    let lower = who.to_ascii_lowercase();
    let advice = if lower.contains("terraform") {
        "Let Terraform ignore changes of the service's task_definition, or inject the sidecar before Terraform registers."
    } else if lower.contains("cloudformation") {
        "Let the stack's template use the macro, so that its own revision has the sidecar."
    } else {
        "Let it inject the sidecar before it registers, or wait for the patched revision and deploy that."
    };
    format!("It was {who}. {advice}")
}

#[cfg(test)]
mod tests;
