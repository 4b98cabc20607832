//! One service, from what is seen to what is told.
//!
//! Knows: in which order a service is looked at, moved and noted. Must not know: what woke it, and when a service may be
//! moved; core decides that.
//!
//! The move is noted before it is made: an invocation that dies leaves a move that nobody confirmed, and the next look
//! makes it again, which does nothing where it was made.

mod replacement;
mod slots;

use crate::clients::CALL;
use crate::deadline::Deadline;
use crate::error::Error;
use crate::reconcile::Reconciler;
use crate::service_rows::ServiceRow;
use crate::services::{ServiceRef, Updated};
use crate::settings::{ServiceMoves, Writes};
use crate::standing::Standing;
use crate::table::Table;
use ecs_sidecar_core::ids::{Arn, Family};
use ecs_sidecar_core::rollout::{
    Circumstances, DEPLOYING_AGAIN, Decided, Deed, Ended, History, Move, RolloutReason, Service, ServiceReport,
    ServiceState, decide,
};
pub use ecs_sidecar_core::trigger::RolloutAction;
use futures_util::future::{try_join, try_join3};
use replacement::policy_allows;

/// How often a service is looked at before it is left for later.
const ROUNDS: u32 = 3;

/// After how many seconds a service is looked at again that others write as well.
const SOON: u32 = 5;

/// The same where AWS wants to be left alone.
const SLOW: u32 = 15;

/// The same where all slots are taken: deployments last for minutes.
const AT_ONCE: u32 = 300;

/// The same where the operator may not update it: six hours, which no message waits for.
const DENIED_AGAIN: u32 = 6 * 3600;

/// What is waited for longer than this is left to a sweep, in seconds; no message waits for hours.
pub(crate) const LONG: u32 = 2 * 3600;

/// How many calls an act on a service makes.
const CALLS: u32 = 6;

/// A service as it was seen, and what is known beside it.
#[derive(Clone)]
struct View {
    service: Service,
    row: ServiceRow,
    standing: Standing,
    family: Option<Family>,
    decided: Decided,
    /// Whether it is looked at as somebody updated it.
    is_updated: bool,
    /// Somebody else's revision that the last move overtook, whoever made that having died before it looked.
    overtaken: Option<Arn>,
}

impl View {
    /// That, in the place of what was decided.
    fn holds(&self, state: ServiceState, reason: RolloutReason, words: &str, deed: Deed) -> Decided {
        Decided::with_words(state, reason, words, deed, &self.decided.history)
    }
}

impl Reconciler {
    /// Brings a service to the revision that was patched for it, or tells why not.
    ///
    /// Guarantees: of a service, nothing but `taskDefinition` is ever changed. It is moved to a revision alone that the
    /// operator registered, that is ACTIVE, and that differs from the service's by what was injected and nothing else.
    /// A deployment that somebody else begins just before ours is given back. Called twice, the second call moves
    /// nothing. `by` is who changed the service, as an event named him: it is told, and decides of no move.
    /// Assumptions: `DescribeServices`, `ListServiceDeployments`, `DescribeServiceRevisions`, `DescribeTaskDefinition`,
    /// `UpdateService`; the operator's table, without which no service is moved.
    /// Errors: those of the calls. The same call later continues where this one stopped.
    pub async fn roll_out(
        &self,
        service: &ServiceRef,
        by: Option<&str>,
        action: RolloutAction,
        deadline: Deadline,
    ) -> Result<ServiceReport, Error> {
        let (Some(table), Some(moves)) = (&self.clients().table, &self.settings().rollout) else {
            return Ok(ServiceReport::without_decision(service.arn().as_str(), "off"));
        };
        for _ in 0..ROUNDS {
            if !deadline.leaves(CALL) {
                break;
            }
            let view = match Box::pin(self.view(table, moves, service, by, action)).await {
                Ok(Some(view)) => view,
                Ok(None) => return self.forget_gone(table, service).await,
                Err(error) if error.is_throttled() => return Ok(throttled(service, table).await),
                Err(error) => return Err(error),
            };
            if !self.writes(action) {
                return Ok(untouched(service, &view.decided, action));
            }
            let done = match (&view.overtaken, view.decided.deed.clone()) {
                (Some(theirs), _) => {
                    let kept = view.decided.clone();
                    Box::pin(self.give_back(table, service, &view, theirs, (kept, "nothing"))).await
                }
                (None, Deed::Move(wanted)) if deadline.leaves(CALL * CALLS) => {
                    Box::pin(self.move_service(table, moves, service, &view, wanted)).await
                }
                (None, Deed::Move(_)) => break,
                (None, Deed::Nothing | Deed::Again(_)) => {
                    self.note_service(table, service, &view, view.decided.clone(), "nothing").await
                }
            };
            match done {
                Ok(Some(report)) => return Ok(report),
                // Somebody wrote the row or the service: once more.
                Ok(None) => {}
                Err(error) if error.is_throttled() => return Ok(throttled(service, table).await),
                Err(error) => return Err(error),
            }
        }
        Ok(waits(service, RolloutReason::Contended, SOON))
    }

    /// Whether anything may be written.
    fn writes(&self, action: RolloutAction) -> bool {
        action != RolloutAction::Plan && self.settings().writes == Writes::Allowed
    }

    /// Looks and decides. `None`: there is no such service.
    async fn view(
        &self,
        table: &Table,
        moves: &ServiceMoves,
        service: &ServiceRef,
        by: Option<&str>,
        action: RolloutAction,
    ) -> Result<Option<View>, Error> {
        let services = &self.clients().services;
        let (seen, row, standing) =
            try_join3(services.describe(service), table.service_row(service), self.stands()).await?;
        let Some(seen) = seen else { return Ok(None) };
        let row = row.of_created(seen.created_at);
        let mut history = row.history.clone();
        if let Some(by) = by {
            history.changed_by = Some(by.to_owned());
        }
        if action == RolloutAction::Retry {
            history = history.forgiven();
        }
        let family = seen.task_definition.as_ref().and_then(Arn::revision).map(|(family, _)| family);
        let family_row = match &family {
            Some(family) => Some(table.row(family).await?),
            None => None,
        };
        let rolled_back = self.rolled_back(service, &seen, &history).await?;
        let overtaken = self.overtaken(service, &seen, &row).await?;
        let circumstances = Circumstances {
            successor: &self.succeeds(&seen, family_row.as_ref()).await?,
            policy_allows: policy_allows(&standing, family_row.as_ref()),
            rolled_back: rolled_back.as_deref(),
            window: &moves.window,
            now: self.clients().clock.now(),
        };
        let mut decided = decide(&seen, &history, circumstances);
        // Who only asks is told this as well; who moves it asks when he has a slot.
        if let Deed::Move(wanted) = &decided.deed
            && !self.writes(action)
            && let Some(reason) = self.is_no_replacement(wanted, &standing).await?
        {
            decided = Decided::with_words(ServiceState::Left, reason, "", Deed::Nothing, &decided.history);
        }
        let (label, reason) = (decided.state.label(), decided.reason.label());
        tracing::debug!(service = service.arn().as_str(), state = label, reason, "decided");
        Ok(Some(View { service: seen, row, standing, family, decided, is_updated: by.is_some(), overtaken }))
    }

    /// ECS's words on the rollback of the last move, where the service points at what it was moved from.
    async fn rolled_back(&self, of: &ServiceRef, seen: &Service, history: &History) -> Result<Option<String>, Error> {
        let Some(last) = history.last.as_ref().filter(|_| history.is_set_back(seen)) else { return Ok(None) };
        if let Some(words) = seen.failed(&last.to) {
            return Ok(Some(words));
        }
        self.clients().services.rolled_back(of, &last.to, last.at).await
    }

    /// What the last move overtook, where it was made and nobody noted what came of it.
    async fn overtaken(&self, of: &ServiceRef, seen: &Service, row: &ServiceRow) -> Result<Option<Arn>, Error> {
        let pins = seen.task_definition.as_ref();
        let unfinished = |last: &&Move| row.state == Some(ServiceState::Moving) && !last.confirmed;
        match row.history.last.as_ref().filter(unfinished).filter(|last| pins == Some(&last.to)) {
            Some(last) => self.clients().services.overtaken(of, last).await,
            None => Ok(None),
        }
    }

    /// Gives a service back what somebody else had it deploy just before it was moved. What was decided, and its outcome,
    /// stand if ECS will not have it.
    async fn give_back(
        &self,
        table: &Table,
        service: &ServiceRef,
        view: &View,
        theirs: &Arn,
        (kept, outcome): (Decided, &'static str),
    ) -> Result<Option<ServiceReport>, Error> {
        let (waiting, contended) = (ServiceState::Waiting, RolloutReason::Contended);
        let given = Decided::with_words(waiting, contended, "", Deed::Again(SOON), &kept.history);
        if view.standing.switch.paused {
            // It is not noted, so that whoever looks next finds it again.
            let held = Decided { reason: RolloutReason::Paused, deed: Deed::Nothing, ..given };
            return Ok(Some(ServiceReport::new(service.arn().as_str(), &held, "nothing")));
        }
        match self.clients().services.update(service, theirs).await? {
            Updated::Done => self.note_service(table, service, view, given, "nothing").await,
            Updated::Refused(_) | Updated::Denied(_) => self.note_service(table, service, view, kept, outcome).await,
            Updated::Gone => self.forget_gone(table, service).await.map(Some),
        }
    }

    /// Moves a service, if it still may be. `None`: it is not any more what it was seen to be.
    async fn move_service(
        &self,
        table: &Table,
        moves: &ServiceMoves,
        service: &ServiceRef,
        view: &View,
        wanted: Move,
    ) -> Result<Option<ServiceReport>, Error> {
        if let Some(decided) = self.in_the_way(table, moves, service, view, &wanted).await? {
            return self.note_service(table, service, view, decided, "nothing").await;
        }
        match self.begin(table, service, view, &wanted).await? {
            Some(begun) => self.carry_out(table, service, &begun, wanted).await,
            None => Ok(None),
        }
    }

    /// What keeps a service from being moved now; if nothing does, it has a slot.
    async fn in_the_way(
        &self,
        table: &Table,
        moves: &ServiceMoves,
        service: &ServiceRef,
        view: &View,
        wanted: &Move,
    ) -> Result<Option<Decided>, Error> {
        if view.standing.switch.paused {
            let words = view.standing.switch.because.as_deref().unwrap_or_default();
            return Ok(Some(view.holds(ServiceState::Waiting, RolloutReason::Paused, words, Deed::Nothing)));
        }
        // Before the rest: whoever waits for a slot asks again and again, and is to ask ECS for nothing more.
        if !table.take_slot(service, moves.at_once).await? {
            return Ok(Some(view.holds(ServiceState::Waiting, RolloutReason::AtOnce, "", Deed::Again(AT_ONCE))));
        }
        let Some(reason) = self.is_no_replacement(wanted, &view.standing).await? else { return Ok(None) };
        table.free_slot(service).await?;
        Ok(Some(view.holds(ServiceState::Left, reason, "", Deed::Nothing)))
    }

    /// Notes a move before it is made, and looks once more. `None`: somebody was faster.
    async fn begin(
        &self,
        table: &Table,
        service: &ServiceRef,
        view: &View,
        wanted: &Move,
    ) -> Result<Option<View>, Error> {
        let decided = Decided { history: view.decided.history.moved(wanted.clone()), ..view.decided.clone() };
        let now = self.clients().clock.now();
        let told = view.row.told(&decided, view.family.as_ref().map(Family::as_str), now);
        let Some(row) = table.put_service_row(&told).await? else {
            // Whoever wrote it may be moving the service, by the same slot.
            if table.service_row(service).await?.state != Some(ServiceState::Moving) {
                table.free_slot(service).await?;
            }
            return Ok(None);
        };
        if let Some(news) = &self.clients().news {
            news.tell_service(&view.row, &row).await;
        }
        // The last look before the call that nobody can take back: a newer deployment wins, and so does the switch.
        let (seen, switch) = try_join(self.clients().services.describe(service), table.switch()).await?;
        let same = seen.as_ref() == Some(&view.service) && !switch.paused;
        Ok(same.then(|| View { row, decided, ..view.clone() }))
    }

    /// Makes a move that was begun.
    async fn carry_out(
        &self,
        table: &Table,
        service: &ServiceRef,
        view: &View,
        wanted: Move,
    ) -> Result<Option<ServiceReport>, Error> {
        let services = &self.clients().services;
        let (decided, outcome) = match services.update(service, &wanted.to).await? {
            Updated::Gone => return self.forget_gone(table, service).await.map(Some),
            Updated::Refused(said) => {
                let (reason, words) = (RolloutReason::UpdateRefused, said.to_string());
                let refused = view.holds(ServiceState::Quarantined, reason, &words, Deed::Nothing);
                let history = History { ended: Some(Ended::new(reason, &words)), ..refused.history.clone() };
                (Decided { history, ..refused }, "refused")
            }
            Updated::Denied(said) => {
                // That is nothing about this service: once somebody has mended it, all go on by themselves.
                let (state, reason) = (ServiceState::Waiting, RolloutReason::UpdateDenied);
                (view.holds(state, reason, &said.to_string(), Deed::Again(DENIED_AGAIN)), "refused")
            }
            Updated::Done => {
                let theirs = services.overtaken(service, &wanted).await?;
                let history = view.decided.history.moved(Move { confirmed: true, ..wanted });
                let moved = (Decided { deed: Deed::Again(DEPLOYING_AGAIN), history, ..view.decided.clone() }, "moved");
                if let Some(theirs) = theirs {
                    return self.give_back(table, service, view, &theirs, moved).await;
                }
                moved
            }
        };
        let report = self.note_service(table, service, view, decided.clone(), outcome).await?;
        // The deed is done, whoever wrote the row meanwhile.
        Ok(report.or_else(|| Some(ServiceReport::new(service.arn().as_str(), &decided, outcome))))
    }

    /// Notes what came of a look, and gives the slot back where no move is under way. `None`: somebody wrote the row
    /// meanwhile.
    async fn note_service(
        &self,
        table: &Table,
        service: &ServiceRef,
        view: &View,
        decided: Decided,
        outcome: &'static str,
    ) -> Result<Option<ServiceReport>, Error> {
        let now = self.clients().clock.now();
        let mut report = ServiceReport::new(service.arn().as_str(), &decided, outcome);
        // What waits for hours waits in the table.
        report.again_in_seconds =
            report.again_in_seconds.filter(|seconds| *seconds <= LONG).map(|seconds| seconds.min(900));
        let passing = matches!(decided.reason, RolloutReason::NotPatched | RolloutReason::FamilyPending);
        if passing && !view.row.is_stored() {
            // Most services are none of ours, and make no rows.
            return Ok(Some(report));
        }
        if view.row.state == Some(ServiceState::Moving) && decided.state != ServiceState::Moving {
            table.free_slot(service).await?;
        }
        let mut told = view.row.told(&decided, view.family.as_ref().map(Family::as_str), now);
        if view.is_updated && view.row.is_looked_after(&told, now) {
            // Each update would have it looked at for as long as its deployment lasts, beside all others.
            (told.next_try, report.again_in_seconds) = (view.row.next_try, None);
        }
        if !told.is_news(&view.row, now) {
            return Ok(Some(report));
        }
        let Some(after) = table.put_service_row(&told).await? else { return Ok(None) };
        if let Some(news) = &self.clients().news {
            news.tell_service(&view.row, &after).await;
        }
        Ok(Some(report))
    }

    /// There is no such service any more, so nothing is to be known of it.
    async fn forget_gone(&self, table: &Table, service: &ServiceRef) -> Result<ServiceReport, Error> {
        let row = table.service_row(service).await?;
        if row.is_stored() {
            table.free_slot(service).await?;
            table.forget_service(&row).await?;
        }
        Ok(ServiceReport::without_decision(service.arn().as_str(), "gone"))
    }
}

/// What is told where nothing is written. Nobody comes back to it by himself: it would be the same again.
fn untouched(service: &ServiceRef, decided: &Decided, action: RolloutAction) -> ServiceReport {
    let mut report = ServiceReport::new(service.arn().as_str(), decided, "nothing");
    if let Deed::Move(wanted) = &decided.deed {
        report.message = format!("It would be moved to {}.", wanted.to);
        report.outcome = if action == RolloutAction::Plan { "nothing" } else { "audit" };
    }
    if action != RolloutAction::Plan {
        report.again_in_seconds = None;
    }
    report
}

/// What is told where AWS wants to be left alone.
async fn throttled(service: &ServiceRef, table: &Table) -> ServiceReport {
    table.slow_down().await;
    waits(service, RolloutReason::Throttled, SLOW)
}

/// What is told where nothing was decided, and it is looked at again after so many seconds.
fn waits(service: &ServiceRef, reason: RolloutReason, seconds: u32) -> ServiceReport {
    let report = ServiceReport::without_decision(service.arn().as_str(), "nothing");
    ServiceReport { reason: Some(reason), again_in_seconds: Some(seconds), ..report }
}
