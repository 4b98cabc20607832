//! A family's row in the operator's table: how it stands, what was done about it, and who is at work on it.
//!
//! Knows: the attributes of a row, and the lease. Must not know: what is decided from them.
//!
//! | attribute | type | of an item of kind `family`, whose id is the family |
//! | --- | --- | --- |
//! | `state` | S | `covered`, `outdated`, `pending`, `skipped`, `failing`, `gone` |
//! | `decision`, `reason`, `message` | S | the last decision, as reports have it; for a failure the error's kind as the reason, for a covered family none |
//! | `policy`, `digest` | S | the policy that decided, and the digest of what it wants |
//! | `injected` | S | the policy whose sidecar the newest revision has |
//! | `source`, `patched` | S | ARNs: the owner's newest revision, and ours that was made from it |
//! | `newest` | N | number of the newest ACTIVE revision, as the last look left it |
//! | `standing` | S | fingerprint of the policies and settings that the last look went by |
//! | `since` | N | since when state and reason are what they are |
//! | `seenAt`, `changedAt` | N | the last whole look; the last change to ECS or IAM |
//! | `nextTry` | N | when a failing family is tried again |
//! | `grants`, `uses` | SS | `ROLE POLICY`: what the operator attached for it, and all that its sidecar rests on |
//! | `deregistered` | SS | ARNs of its revisions that the operator itself deregistered |
//! | `successors` | SS | `FROM TO`: which of its revisions replaces which, for the services that pin one, see [`succession`](crate::succession) |
//! | `withdrawn` | SS | `SOURCE DIGEST`: patches that somebody took back, so that they are not made again |
//! | `leaseOwner`, `leaseUntil` | S, N | who acts on it, and until when; absent if nobody does |

mod claim;

use crate::error::Error;
use crate::table::{FAMILY, ID, Item, Table};
pub(crate) use claim::Claim;
use ecs_sidecar_core::ids::{Arn, Family};
use ecs_sidecar_core::state::State;
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// How long a lease lasts that nobody gives back: longer than the function may run, so that whoever takes it over is
/// alone.
pub const LEASE: Duration = Duration::from_secs(240);

/// How far clocks may be apart, in seconds.
const SKEW: u64 = 300;

/// For how long a row is left as it is if nothing changed but the time of the look. No longer than after a look a sweep
/// leaves the family alone (see `due`): else each sweep would find it due again.
const FRESH: u64 = 600;

/// How many deregistered, withdrawn or replaced revisions a row keeps; the newest revisions are the ones that matter, and
/// of those that are replaced the owner's newest.
const DEREGISTERED: usize = 20;

/// How many characters of a message a row keeps.
const MESSAGE: usize = 1000;

/// Makes the owners of leases differ within a process.
static LEASES: AtomicU64 = AtomicU64::new(0);

/// A family's row.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// The family.
    pub family: String,
    /// How it stands; `None` if it has been worked on, and nothing has come of it yet.
    pub state: Option<State>,
    /// What is known of it.
    pub told: Told,
    /// Since when state and reason are what they are, in seconds since 1970.
    pub since: Option<u64>,
    /// When a failing family is tried again, in seconds since 1970.
    pub next_try: Option<u64>,
    /// The last whole look, in seconds since 1970.
    pub seen_at: Option<u64>,
    /// The last change to ECS or IAM, in seconds since 1970.
    pub changed_at: Option<u64>,
    /// `ROLE POLICY`: what the operator attached for it.
    pub grants: BTreeSet<String>,
    /// Who acts on it, and until when in seconds since 1970.
    pub lease: Option<(String, u64)>,
    /// All that is in the table, so that nothing is lost that a later program wrote.
    item: Item,
}

/// What a look at a family found, and what came of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Told {
    /// The last decision.
    pub decision: Option<String>,
    /// Why; for a failure the error's kind.
    pub reason: Option<String>,
    /// The particulars, for people.
    pub message: Option<String>,
    /// The policy that decided.
    pub policy: Option<String>,
    /// The policy whose sidecar the newest revision has.
    pub injected: Option<String>,
    /// Digest of what the policy wants.
    pub digest: Option<String>,
    /// ARN of the owner's newest revision.
    pub source: Option<String>,
    /// ARN of ours that was made from it.
    pub patched: Option<String>,
    /// Number of the newest ACTIVE revision.
    pub newest: Option<u64>,
    /// Fingerprint of the policies and settings that the look went by.
    pub standing: Option<String>,
    /// `ROLE POLICY`: all that its sidecar rests on.
    pub uses: BTreeSet<String>,
    /// ARNs of its revisions that the operator itself deregistered.
    pub deregistered: BTreeSet<String>,
    /// `SOURCE DIGEST`: patches that somebody took back.
    pub withdrawn: BTreeSet<String>,
    /// `FROM TO`: which of its revisions replaces which.
    pub successors: BTreeSet<String>,
}

/// What came of asking for a lease.
#[derive(Debug)]
pub(crate) enum Taken {
    /// It is ours; this is the row that it is in.
    Ours(Box<Row>),
    /// Somebody has it, for so many seconds at most.
    Theirs(u64),
    /// Somebody wrote the row since it was read: it has to be read again.
    Moved,
}

impl Row {
    /// The row of a family that has none yet.
    fn new(family: &str) -> Self {
        Self::read(Item::new(FAMILY, family))
    }

    fn read(item: Item) -> Self {
        let told = Told {
            decision: item.text("decision"),
            reason: item.text("reason"),
            message: item.text("message"),
            policy: item.text("policy"),
            injected: item.text("injected"),
            digest: item.text("digest"),
            source: item.text("source"),
            patched: item.text("patched"),
            newest: item.number("newest"),
            standing: item.text("standing"),
            uses: item.texts("uses"),
            deregistered: item.texts("deregistered"),
            withdrawn: item.texts("withdrawn"),
            successors: item.texts("successors"),
        };
        Self {
            family: item.text(ID).unwrap_or_default(),
            state: item.text("state").and_then(|label| State::from_label(&label)),
            told,
            since: item.number("since"),
            next_try: item.number("nextTry"),
            seen_at: item.number("seenAt"),
            changed_at: item.number("changedAt"),
            grants: item.texts("grants"),
            lease: item.text("leaseOwner").zip(item.number("leaseUntil")),
            item,
        }
    }

    /// The item that it becomes.
    fn write(&self) -> Item {
        let (mut item, told) = (self.item.clone(), &self.told);
        let message = told.message.as_deref().map(|message| message.chars().take(MESSAGE).collect::<String>());
        item.set_text("state", self.state.map(State::label));
        for (name, value) in [
            ("decision", &told.decision),
            ("reason", &told.reason),
            ("message", &message),
            ("policy", &told.policy),
            ("injected", &told.injected),
            ("digest", &told.digest),
            ("source", &told.source),
            ("patched", &told.patched),
            ("standing", &told.standing),
        ] {
            item.set_text(name, value.as_deref());
        }
        for (name, value) in [
            ("newest", told.newest),
            ("nextTry", self.next_try),
            ("since", self.since),
            ("seenAt", self.seen_at),
            ("changedAt", self.changed_at),
            ("leaseUntil", self.lease.as_ref().map(|(_, until)| *until)),
        ] {
            item.set_number(name, value);
        }
        item.set_text("leaseOwner", self.lease.as_ref().map(|(owner, _)| owner.as_str()));
        item.set_texts("uses", &told.uses);
        item.set_texts("grants", &self.grants);
        item.set_texts("deregistered", &newest_of(&told.deregistered));
        item.set_texts("withdrawn", &newest_of(&told.withdrawn));
        let mut successors = newest_of(&told.successors);
        // The owner's newest revision is the oldest of a chain of patches.
        let of_source = |pair: &&String| pair.split(' ').next() == told.source.as_deref();
        successors.extend(told.successors.iter().find(of_source).cloned());
        item.set_texts("successors", &successors);
        item
    }

    /// Whether its sidecar rests on this pair of role and policy, as far as anybody knows.
    fn rests_on(&self, pair: &String) -> bool {
        self.told.injected.is_some() && self.told.uses.contains(pair)
    }

    /// Whether a revision has what the operator injected, as far as the row remembers.
    pub(crate) fn is_ours(&self, revision: &Arn) -> bool {
        let replaces = |pair: &String| pair.split_once(' ').is_some_and(|(_, to)| to == revision.as_str());
        self.told.patched.as_deref() == Some(revision.as_str()) || self.told.successors.iter().any(replaces)
    }

    /// Whether somebody else than the holder of this row may not write it now. Nobody can have taken a lease that ends
    /// much later than one does that is taken now.
    pub fn is_leased(&self, now: u64) -> bool {
        self.lease.as_ref().is_some_and(|(_, until)| still_holds(*until, now))
    }
}

/// Whether a lease that ends then is somebody's.
pub(crate) fn still_holds(until: u64, now: u64) -> bool {
    let longest = now + LEASE.as_secs() + SKEW;
    (now..=longest).contains(&until)
}

/// Those of the newest of these revisions.
fn newest_of(arns: &BTreeSet<String>) -> BTreeSet<String> {
    let arn = |text: &String| text.split(' ').next().unwrap_or_default().to_owned();
    let number =
        |text: &String| arn(text).rsplit(':').next().and_then(|digits| digits.parse::<u64>().ok()).unwrap_or(0);
    let mut arns: Vec<&String> = arns.iter().collect();
    arns.sort_by_key(|arn| std::cmp::Reverse(number(arn)));
    arns.into_iter().take(DEREGISTERED).cloned().collect()
}

impl Table {
    /// A family's row; a new one if it has none.
    ///
    /// Errors: those of [`Table::get`].
    pub async fn row(&self, family: &Family) -> Result<Row, Error> {
        let item = self.get(FAMILY, family.as_str()).await?;
        Ok(item.map_or_else(|| Row::new(family.as_str()), Row::read))
    }

    /// All rows, by family.
    ///
    /// Errors: those of [`Table::query`].
    pub async fn rows(&self) -> Result<Vec<Row>, Error> {
        let mut rows = Vec::new();
        self.each_row(|row| rows.push(row)).await?;
        Ok(rows)
    }

    /// Hands over each row, by family, a page at a time: there may be more than fit into a function's memory.
    ///
    /// Errors: those of [`Table::query`].
    pub(crate) async fn each_row(&self, mut each: impl FnMut(Row)) -> Result<(), Error> {
        self.query_each(FAMILY, |item| each(Row::read(item))).await
    }

    /// Takes the right to act on a family. What is to be attached for it is noted before it is: an act that is cut off
    /// leaves no grant that nobody knows of.
    ///
    /// Guarantees: of several who have read the row, one gets it; and nobody gets it while another has it, as long as
    /// their clocks agree within the term. Errors: those of [`Table::put`].
    pub(crate) async fn take_lease(&self, row: &Row, grants: BTreeSet<String>) -> Result<Taken, Error> {
        let now = self.clock.now();
        if let Some((_, until)) = row.lease.as_ref().filter(|_| row.is_leased(now)) {
            return Ok(Taken::Theirs(until - now));
        }
        let mut leased = Row { lease: Some((self.new_owner(), now + LEASE.as_secs())), ..row.clone() };
        leased.grants.extend(grants);
        let put = self.put(leased.write()).await?;
        Ok(put.map_or(Taken::Moved, |item| Taken::Ours(Box::new(Row::read(item)))))
    }

    /// An owner of leases that there was not yet.
    fn new_owner(&self) -> String {
        let count = LEASES.fetch_add(1, Ordering::Relaxed);
        format!("{}-{}-{count}", std::process::id(), self.clock.nanoseconds())
    }

    /// Gives the right back before anything came of it. `None`: somebody has written the row meanwhile.
    ///
    /// Errors: those of [`Table::put`].
    pub(crate) async fn give_back(&self, held: &Row) -> Result<Option<Row>, Error> {
        let row = Row { lease: None, ..held.clone() };
        Ok(self.put(row.write()).await?.map(Row::read))
    }

    /// Notes what is to be attached beside what was noted with the lease. `None`: somebody has written the row, so that the
    /// lease is not ours any more.
    ///
    /// Errors: those of [`Table::put`].
    pub(crate) async fn note_grants(&self, held: &Row, grants: BTreeSet<String>) -> Result<Option<Row>, Error> {
        if grants.is_subset(&held.grants) {
            return Ok(Some(held.clone()));
        }
        let mut next = held.clone();
        next.grants.extend(grants);
        Ok(self.put(next.write()).await?.map(Row::read))
    }

    /// Gives the right back, with what came of it, or writes what was seen without it. Nothing is written if nothing
    /// changed, or if somebody else has the right. `None`: nothing was written; else the row as it is now.
    ///
    /// Errors: those of [`Table::put`].
    pub(crate) async fn note(
        &self,
        row: &Row,
        mut told: Told,
        state: State,
        deeds: Deeds,
    ) -> Result<Option<Row>, Error> {
        let now = self.clock.now();
        if state == State::Covered {
            // Just injected or found to be up to date: that is the same state.
            told.reason = None;
        }
        if !deeds.held && row.is_leased(now) {
            return Ok(None);
        }
        let same = row.state == Some(state) && row.told.reason == told.reason;
        let since = row.since.filter(|_| same).unwrap_or(now);
        let next = Row {
            state: Some(state),
            since: Some(since),
            // Twice as late each time, between an hour and a day.
            next_try: (state == State::Failing).then(|| now + (now - since.min(now)).clamp(3600, 24 * 3600)),
            seen_at: Some(now),
            changed_at: if deeds.changed { Some(now) } else { row.changed_at },
            lease: None,
            told,
            grants: deeds.grants.unwrap_or_else(|| row.grants.clone()),
            ..row.clone()
        };
        let stale = row.seen_at.is_none_or(|seen| seen + FRESH <= now);
        let before = Row { seen_at: next.seen_at, ..row.clone() };
        if next == before && !stale {
            return Ok(None);
        }
        Ok(self.put(next.write()).await?.map(Row::read))
    }

    /// Takes grants out of a row that were taken from their roles. What its sidecar rests on by now stays. `false`:
    /// somebody is at work on the family, or was faster twice; then nothing is written.
    ///
    /// Errors: those of [`Table::put`].
    pub async fn forget_grants(&self, family: &Family, pruned: &BTreeSet<String>) -> Result<bool, Error> {
        for _ in 0..2 {
            let row = self.row(family).await?;
            if row.is_leased(self.clock.now()) {
                return Ok(false);
            }
            let stays = |pair: &String| !pruned.contains(pair) || row.rests_on(pair);
            let grants: BTreeSet<String> = row.grants.iter().filter(|pair| stays(pair)).cloned().collect();
            if grants == row.grants || self.put(Row { grants, ..row }.write()).await?.is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Takes a row away that is still as it was read.
    ///
    /// Errors: those of [`Table::delete`].
    pub(crate) async fn forget(&self, row: &Row) -> Result<bool, Error> {
        self.delete(&row.item).await
    }
}

/// What was written while a family was worked on.
#[derive(Debug, Clone, Default)]
pub(crate) struct Deeds {
    /// Whether the row's lease is the writer's own.
    pub(crate) held: bool,
    /// Whether ECS or IAM was written to.
    pub(crate) changed: bool,
    /// `ROLE POLICY`: all that the operator has attached for the family, if that is known.
    pub(crate) grants: Option<BTreeSet<String>>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_dynamodb::types::AttributeValue;

    #[test]
    fn a_row_is_read_as_it_was_written_and_keeps_what_it_does_not_know() {
        let mut row = Row::new("web");
        row.state = Some(State::Covered);
        row.told.newest = Some(7);
        row.told.uses = BTreeSet::from(["role policy".to_owned()]);
        row.lease = Some(("me".to_owned(), 10));
        let mut item = row.write();
        item.0.insert("ofNextYear".to_owned(), AttributeValue::Bool(true));
        let read = Row::read(item.clone());
        assert_eq!((read.state, &read.told, &read.lease), (row.state, &row.told, &row.lease));
        assert_eq!(read.write(), item);
        assert!(read.is_leased(10) && !read.is_leased(11));
    }

    #[test]
    fn only_the_newest_deregistered_revisions_are_kept() {
        let arn = |number: usize| format!("arn:aws:ecs:eu-west-1:111122223333:task-definition/web:{number}");
        let kept = newest_of(&(1..=30).map(arn).collect());
        assert_eq!(kept.len(), DEREGISTERED);
        assert!(kept.contains(&arn(30)) && kept.contains(&arn(11)) && !kept.contains(&arn(10)));
    }
}
