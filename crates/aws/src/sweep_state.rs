//! The sweep that runs, or the last one that ran, in the operator's table.
//!
//! Knows: how far a sweep came, and who runs it. Must not know: what a sweep does.
//!
//! | attribute | type | of the item `sweep`, `state` |
//! | --- | --- | --- |
//! | `run` | S | the sweep's name, which its messages carry |
//! | `phase` | S | `listing`, `rows`, `services`, or `done` |
//! | `startedAt`, `finishedAt` | N | when this one began; when one last came to its end |
//! | `after` | S | the last family, by name, or service, by ARN, that was dealt with |
//! | `byFamily` | BOOL | whether it lists families, and the newest of each, instead of all ACTIVE revisions |
//! | `pages`, `families`, `services`, `queued` | N | pages listed, families and services seen, messages sent |
//! | `queuedFamilies` | N | how many of those were about families |
//! | `listingPages` | N | what listing all ACTIVE revisions last took |
//! | `nextSlot` | N | when the next message may be delivered, in milliseconds since 1970 |
//! | `goesOnAt` | N | when it goes on, if it waits |
//! | `againAt` | N | which other round follows it; a message that names another one is of an earlier sweep |
//! | `again` | BOOL | somebody asked for a sweep since this one began |
//! | `leaseOwner`, `leaseUntil` | S, N | which invocation runs it; absent if none does |

use crate::error::Error;
use crate::table::{Item, SWEEP, Table};
use std::time::Duration;

/// The one item.
const STATE: &str = "state";

/// How long an invocation may keep a sweep: longer than the function may run.
pub const SWEEP_LEASE: Duration = Duration::from_secs(960);

/// For how long after the time at which a sweep was to go on nobody else goes on with it.
const PATIENCE: u64 = 900;

/// As many pages of revisions as no listing of families needs calls.
const TOO_MANY: u64 = 1 << 40;

/// What a sweep is at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Comparing what ECS lists with the table.
    Listing,
    /// Looking for rows that are due by themselves.
    Rows,
    /// Looking for services that pin what was replaced.
    Services,
    /// It came to its end.
    Done,
}

/// How far a sweep came.
#[derive(Debug, Clone, PartialEq)]
pub struct SweepState {
    /// The sweep's name.
    pub run: String,
    /// What it is at.
    pub phase: Phase,
    /// When it began, in seconds since 1970.
    pub started_at: u64,
    /// When one last came to its end, in seconds since 1970.
    pub finished_at: Option<u64>,
    pub(crate) after: Option<String>,
    pub(crate) by_family: bool,
    /// Pages listed.
    pub pages: u64,
    /// Families seen.
    pub families: u64,
    /// Services seen.
    pub services: u64,
    /// Messages sent.
    pub queued: u64,
    /// Those about families, once all of them are sent.
    pub(crate) queued_families: u64,
    pub(crate) listing_pages: Option<u64>,
    pub(crate) next_slot: u64,
    pub(crate) goes_on_at: Option<u64>,
    pub(crate) again_at: Option<u64>,
    /// Somebody asked for a sweep since this one began.
    pub again: bool,
    lease: Option<(String, u64)>,
    item: Item,
}

impl SweepState {
    fn read(item: Item) -> Self {
        Self {
            run: item.text("run").unwrap_or_default(),
            phase: match item.text("phase").as_deref() {
                Some("listing") => Phase::Listing,
                Some("rows") => Phase::Rows,
                Some("services") => Phase::Services,
                Some(_) | None => Phase::Done,
            },
            started_at: item.number("startedAt").unwrap_or(0),
            finished_at: item.number("finishedAt"),
            after: item.text("after"),
            by_family: item.flag("byFamily"),
            pages: item.number("pages").unwrap_or(0),
            families: item.number("families").unwrap_or(0),
            services: item.number("services").unwrap_or(0),
            queued: item.number("queued").unwrap_or(0),
            queued_families: item.number("queuedFamilies").unwrap_or(0),
            listing_pages: item.number("listingPages"),
            next_slot: item.number("nextSlot").unwrap_or(0),
            goes_on_at: item.number("goesOnAt"),
            again_at: item.number("againAt"),
            again: item.flag("again"),
            lease: item.text("leaseOwner").zip(item.number("leaseUntil")),
            item,
        }
    }

    fn write(&self) -> Item {
        let mut item = self.item.clone();
        item.set_text("run", Some(&self.run));
        item.set_text("phase", Some(self.phase.label()));
        item.set_text("after", self.after.as_deref());
        item.set_flag("byFamily", self.by_family);
        item.set_flag("again", self.again);
        for (name, value) in [
            ("startedAt", Some(self.started_at)),
            ("finishedAt", self.finished_at),
            ("pages", Some(self.pages)),
            ("families", Some(self.families)),
            ("services", Some(self.services)),
            ("queued", Some(self.queued)),
            ("queuedFamilies", Some(self.queued_families)),
            ("listingPages", self.listing_pages),
            ("nextSlot", Some(self.next_slot)),
            ("goesOnAt", self.goes_on_at),
            ("againAt", self.again_at),
            ("leaseUntil", self.lease.as_ref().map(|(_, until)| *until)),
        ] {
            item.set_number(name, value);
        }
        item.set_text("leaseOwner", self.lease.as_ref().map(|(owner, _)| owner.as_str()));
        item
    }

    /// Whether an invocation runs it now, or it waits and will go on.
    pub fn is_under_way(&self, now: u64) -> bool {
        let runs = self.lease.as_ref().is_some_and(|(_, until)| *until >= now);
        let waits = self.goes_on_at.is_some_and(|at| at + PATIENCE >= now);
        self.phase != Phase::Done && (runs || waits)
    }

    /// Whether it is done, and what it queued is still on its way to be looked at; then another round follows by itself.
    /// `now` in milliseconds since 1970.
    pub(crate) fn settles(&self, now: u64) -> bool {
        self.phase == Phase::Done && self.next_slot > now && self.again_at.is_some_and(|at| at >= now / 1000)
    }

    /// Whether an invocation runs it now.
    pub(crate) fn is_leased(&self, now: u64) -> bool {
        self.lease.as_ref().is_some_and(|(_, until)| *until >= now)
    }

    /// The next sweep, from its beginning.
    pub(crate) fn begin(self, run: String, now: u64) -> Self {
        let by_family = match self.listing_pages {
            // A call for each family, and the pages of their names.
            Some(pages) => pages > self.families + self.families.div_ceil(100),
            None => false,
        };
        Self {
            run,
            phase: Phase::Listing,
            started_at: now,
            after: None,
            by_family,
            pages: 0,
            families: 0,
            services: 0,
            queued: 0,
            queued_families: 0,
            goes_on_at: None,
            again_at: None,
            again: false,
            ..self
        }
    }

    /// From now on the families are listed, since there are too many revisions.
    pub(crate) fn list_by_family(&mut self) {
        (self.by_family, self.listing_pages) = (true, Some(TOO_MANY));
    }

    /// What ECS lists is compared; now the rows themselves.
    pub(crate) fn enter_rows(&mut self) {
        (self.phase, self.after) = (Phase::Rows, None);
    }

    /// The rows are done; now what runs.
    pub(crate) fn enter_services(&mut self) {
        (self.phase, self.after, self.queued_families) = (Phase::Services, None, self.queued);
    }

    pub(crate) fn leased(self, owner: String, now: u64) -> Self {
        Self { lease: Some((owner, now + SWEEP_LEASE.as_secs())), goes_on_at: None, ..self }
    }

    /// The same with a wish for another round.
    pub(crate) fn asked_again(&self) -> Self {
        Self { again: true, ..self.clone() }
    }

    /// This one on top of what others wrote meanwhile, if it is still its owner's.
    pub(crate) fn merged(self, now: Self) -> Option<Self> {
        let owner = |state: &Self| state.lease.as_ref().map(|(owner, _)| owner.clone());
        let again = self.again || now.again;
        (owner(&self) == owner(&now)).then_some(Self { again, item: now.item, ..self })
    }

    pub(crate) fn free(self) -> Self {
        Self { lease: None, ..self }
    }
}

impl Phase {
    /// The stable word for it.
    pub fn label(self) -> &'static str {
        match self {
            Self::Listing => "listing",
            Self::Rows => "rows",
            Self::Services => "services",
            Self::Done => "done",
        }
    }
}

impl Table {
    /// How far the sweep came that runs or ran last.
    ///
    /// Errors: those of [`Table::get`].
    pub async fn sweep_state(&self) -> Result<SweepState, Error> {
        let item = self.get(SWEEP, STATE).await?;
        Ok(SweepState::read(item.unwrap_or_else(|| Item::new(SWEEP, STATE))))
    }

    /// Writes it, if nobody has written it since it was read. `None`: somebody has.
    ///
    /// Errors: those of [`Table::put`].
    pub(crate) async fn put_sweep_state(&self, state: &SweepState) -> Result<Option<SweepState>, Error> {
        Ok(self.put(state.write()).await?.map(SweepState::read))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state() -> SweepState {
        SweepState::read(Item::new(SWEEP, STATE))
    }

    #[test]
    fn it_is_read_as_it_was_written() {
        let state = SweepState { after: Some("web".to_owned()), again: true, queued: 3, ..state() }
            .begin("run".to_owned(), 10)
            .leased("me".to_owned(), 10);
        let read = SweepState::read(state.write());
        assert_eq!(SweepState { item: state.item.clone(), ..read }, state);
        assert!(!state.again && state.after.is_none() && state.is_under_way(970) && !state.is_under_way(971));
    }

    #[test]
    fn one_that_waits_is_under_way_until_it_is_overdue() {
        let waits = SweepState { goes_on_at: Some(100), ..state().begin("run".to_owned(), 10) };
        assert!(waits.is_under_way(1000) && !waits.is_under_way(1001));
        assert!(!SweepState { phase: Phase::Done, ..waits }.is_under_way(100));
    }

    #[test]
    fn what_was_cheaper_last_time_is_listed() {
        let by_family = |pages, families| {
            SweepState { listing_pages: Some(pages), families, ..state() }.begin("run".to_owned(), 0).by_family
        };
        assert!(!by_family(20, 2000) && !by_family(2020, 2000) && by_family(2021, 2000));
    }
}
