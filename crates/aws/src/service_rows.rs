//! A service's row in the operator's table: how it stands, and how its moves went.
//!
//! Knows: the attributes of a row. Must not know: what is decided from them.
//!
//! | attribute | type | of an item of kind `service`, whose id is the service's ARN |
//! | --- | --- | --- |
//! | `state`, `reason`, `message` | S | how it stands and why, as reports have it |
//! | `family` | S | the family that it runs |
//! | `createdAt` | N | when the service was created: the rest is told of that one |
//! | `from`, `to` | S | ARNs: the last move |
//! | `movedAt` | N | when that was begun |
//! | `confirmed` | BOOL | whether ECS said that it was |
//! | `setBacks` | SS | when the service was set back from that move |
//! | `ended`, `endedWords` | S | the reason why that move is not tried again, and what was said then |
//! | `changedBy` | S | who last changed the service, as CloudTrail names him |
//! | `since`, `seenAt`, `nextTry` | N | since when state and reason are what they are; the last look; when it is looked at next |

use crate::error::Error;
use crate::services::ServiceRef;
use crate::table::{ID, Item, SERVICE, Table};
use ecs_sidecar_core::rollout::{DEPLOYING_AGAIN, Decided, Deed, Ended, History, Move, RolloutReason, ServiceState};

/// How long before its time a message counts as on its way, in seconds: what comes at that time is that message itself.
const EARLY: u64 = 60;

/// For how long a row is left as it is if nothing changed but the time of the look, in seconds.
const FRESH: u64 = 600;

/// A service's row.
#[derive(Debug, Clone, PartialEq)]
pub struct ServiceRow {
    /// ARN of the service.
    pub service: String,
    /// How it stands.
    pub state: Option<ServiceState>,
    /// Why: the label of a [`RolloutReason`], perhaps of a later program.
    pub reason: Option<String>,
    /// The particulars, for people.
    pub message: Option<String>,
    /// The family that it runs.
    pub family: Option<String>,
    /// When it was created, in seconds since 1970.
    created_at: Option<u64>,
    /// How its moves went.
    pub history: History,
    /// Since when state and reason are what they are, in seconds since 1970.
    pub since: Option<u64>,
    /// The last look, in seconds since 1970.
    pub seen_at: Option<u64>,
    /// When it is looked at next, in seconds since 1970.
    pub next_try: Option<u64>,
    /// All that is in the table, so that nothing is lost that a later program wrote.
    item: Item,
}

impl ServiceRow {
    pub(crate) fn read(item: Item) -> Self {
        let arn = |name: &str| item.text(name).and_then(|text| text.parse().ok());
        let last = arn("from").zip(arn("to")).map(|(from, to)| Move {
            from,
            to,
            at: item.number("movedAt").unwrap_or(0),
            confirmed: item.flag("confirmed"),
        });
        let ended = item.text("ended").map(|label| Ended {
            // A reason of a later program is a reason all the same.
            reason: reason(&label).unwrap_or(RolloutReason::UpdateRefused),
            words: item.text("endedWords").unwrap_or_default(),
        });
        let set_backs = item.texts("setBacks").iter().filter_map(|at| at.parse().ok()).collect();
        Self {
            service: item.text(ID).unwrap_or_default(),
            state: item.text("state").and_then(|label| ServiceState::from_label(&label)),
            reason: item.text("reason"),
            message: item.text("message"),
            family: item.text("family"),
            created_at: item.number("createdAt"),
            history: History { last, set_backs, ended, changed_by: item.text("changedBy") },
            since: item.number("since"),
            seen_at: item.number("seenAt"),
            next_try: item.number("nextTry"),
            item,
        }
    }

    fn write(&self) -> Item {
        let (mut item, history) = (self.item.clone(), &self.history);
        let (last, ended) = (history.last.as_ref(), history.ended.as_ref());
        for (name, value) in [
            ("state", self.state.map(ServiceState::label)),
            ("reason", self.reason.as_deref()),
            ("message", self.message.as_deref()),
            ("family", self.family.as_deref()),
            ("from", last.map(|last| last.from.as_str())),
            ("to", last.map(|last| last.to.as_str())),
            ("ended", ended.map(|ended| ended.reason.label())),
            ("endedWords", ended.map(|ended| ended.words.as_str())),
            ("changedBy", history.changed_by.as_deref()),
        ] {
            item.set_text(name, value);
        }
        for (name, value) in [
            ("createdAt", self.created_at),
            ("movedAt", last.map(|last| last.at)),
            ("since", self.since),
            ("seenAt", self.seen_at),
            ("nextTry", self.next_try),
        ] {
            item.set_number(name, value);
        }
        item.set_flag("confirmed", last.is_some_and(|last| last.confirmed));
        item.set_texts("setBacks", &history.set_backs.iter().map(u64::to_string).collect());
        item
    }

    /// The same for the service that was created at that time. What is known of one that had the ARN before says nothing
    /// of it.
    pub(crate) fn of_created(mut self, at: Option<u64>) -> Self {
        if self.created_at.is_some() && at.is_some() && self.created_at != at {
            self.history = History::default();
        }
        self.created_at = at.or(self.created_at);
        self
    }

    /// The same after a look.
    pub(crate) fn told(&self, decided: &Decided, family: Option<&str>, now: u64) -> Self {
        let same = self.state == Some(decided.state) && self.reason.as_deref() == Some(decided.reason.label());
        Self {
            state: Some(decided.state),
            reason: Some(decided.reason.label().to_owned()),
            message: Some(decided.message.clone()),
            family: family.map(str::to_owned),
            history: decided.history.clone(),
            since: self.since.filter(|_| same).or(Some(now)),
            seen_at: Some(now),
            next_try: match decided.deed {
                Deed::Again(seconds) => Some(now + u64::from(seconds)),
                Deed::Nothing | Deed::Move(_) => None,
            },
            ..self.clone()
        }
    }

    /// Whether anything but the time of the look is new, or that is old.
    pub(crate) fn is_news(&self, before: &Self, now: u64) -> bool {
        let stale = before.seen_at.is_none_or(|seen| seen.saturating_add(FRESH) <= now);
        // Whoever looks after a deployment goes by the time of the next look.
        let next_try = if self.state == Some(ServiceState::Moving) { self.next_try } else { before.next_try };
        let same = Self { seen_at: before.seen_at, next_try, ..self.clone() } == *before;
        !same || (stale && before.seen_at.is_some())
    }

    /// Whether a message is on its way that looks at the same deployment once more.
    pub(crate) fn is_looked_after(&self, told: &Self, now: u64) -> bool {
        let same = self.state == told.state && self.state == Some(ServiceState::Moving);
        let soon = now + EARLY..=now + u64::from(DEPLOYING_AGAIN);
        same && told.next_try.is_some() && self.next_try.is_some_and(|at| soon.contains(&at))
    }

    /// Whether it is in the table.
    pub(crate) fn is_stored(&self) -> bool {
        self.seen_at.is_some()
    }
}

fn reason(label: &str) -> Option<RolloutReason> {
    RolloutReason::ALL.iter().copied().find(|reason| reason.label() == label)
}

impl Table {
    /// A service's row; a new one if it has none.
    ///
    /// Errors: those of [`Table::get`].
    pub(crate) async fn service_row(&self, service: &ServiceRef) -> Result<ServiceRow, Error> {
        let item = self.get(SERVICE, service.arn().as_str()).await?;
        Ok(ServiceRow::read(item.unwrap_or_else(|| Item::new(SERVICE, service.arn().as_str()))))
    }

    /// All services' rows, by ARN.
    ///
    /// Errors: those of [`Table::query`].
    pub async fn service_rows(&self) -> Result<Vec<ServiceRow>, Error> {
        Ok(self.query(SERVICE).await?.into_iter().map(ServiceRow::read).collect())
    }

    /// Writes a row that is still as it was read. `None`: somebody wrote it meanwhile.
    ///
    /// Errors: those of [`Table::put`].
    pub(crate) async fn put_service_row(&self, row: &ServiceRow) -> Result<Option<ServiceRow>, Error> {
        Ok(self.put(row.write()).await?.map(ServiceRow::read))
    }

    /// Takes a row away that is still as it was read.
    ///
    /// Errors: those of [`Table::delete`].
    pub(crate) async fn forget_service(&self, row: &ServiceRow) -> Result<bool, Error> {
        self.delete(&row.item).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_read_as_it_was_written() {
        let arn = |number: u64| {
            format!("arn:aws:ecs:eu-west-1:111122223333:task-definition/web:{number}").parse().expect("an ARN")
        };
        let last = Move { from: arn(1), to: arn(2), at: 10, confirmed: true };
        let history = History {
            last: Some(last),
            set_backs: vec![5, 9],
            ended: Some(Ended::new(RolloutReason::RolledBack, "circuit breaker")),
            changed_by: Some("somebody".to_owned()),
        };
        let decided = Decided {
            state: ServiceState::Quarantined,
            reason: RolloutReason::RolledBack,
            message: "a message".to_owned(),
            deed: Deed::Nothing,
            history,
        };
        let row = ServiceRow::read(Item::new(SERVICE, "arn:aws:ecs:eu-west-1:111122223333:service/prod/web"));
        let row = row.told(&decided, Some("web"), 100);
        let mut read = ServiceRow::read(row.write());
        read.history.set_backs.sort_unstable();
        assert_eq!(ServiceRow { item: row.item.clone(), ..read }, row);
        assert!(!row.told(&decided, Some("web"), 200).is_news(&row, 200), "nothing is new");
        assert!(row.told(&decided, Some("web"), 700).is_news(&row, 700), "but that it was seen");
    }
}
