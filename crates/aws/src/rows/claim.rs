//! A family's lease, asked for beside the first look at the family.
//!
//! Knows: when the lease may be taken before the row was seen, and what the row proves of a look that ran beside. Must not
//! know: what is decided from the look.
//!
//! An event that tells of a revision which the row does not know of yet is followed by a write to the row whatever comes of
//! it, so that taking the lease unseen is no write in vain. Else nothing is written, and the answer is the row all the same.

use super::{LEASE, Row, SKEW};
use crate::error::Error;
use crate::table::{FAMILY, ID, Item, KIND, LAYOUT, Table, VERSION, number, text};
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::{ReturnValue, ReturnValuesOnConditionCheckFailure};
use ecs_sidecar_core::ids::Family;

/// When the lease may be taken unseen: nobody has it, and the revision is news to the row. A version that is no number
/// (nobody wrote that) is left to whoever reads before he writes.
const CONDITION: &str = "(attribute_not_exists(leaseUntil) OR leaseUntil < :now OR leaseUntil > :longest) \
    AND (attribute_not_exists(newest) OR newest < :revision) \
    AND (attribute_not_exists(#version) OR attribute_type(#version, :number))";

/// What becomes of the row then.
const UPDATE: &str = "SET leaseOwner = :owner, leaseUntil = :until, v = if_not_exists(v, :v) ADD #version :one";

/// What came of asking.
#[derive(Debug)]
pub(crate) struct Claim {
    /// The row as it was before.
    pub(crate) row: Row,
    /// The row with the lease, if that is ours now.
    pub(crate) held: Option<Row>,
    before: Before,
}

/// What is known of those who had the lease before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Before {
    /// Nobody ever had it.
    Nobody,
    /// The last one gave it back when this was the newest revision that he had seen or made.
    GivenBack(u64),
    /// He died, or left no word of what is the newest.
    Unknown,
}

impl Claim {
    /// Whether nobody else can have acted on a revision between a look that found it the newest and the lease. Whoever acts
    /// looks first, under the lease, and notes the number of what he saw or made when he gives it back, or that he does not
    /// know: so a smaller number says that nobody has seen this revision as the newest, let alone acted on it.
    pub(crate) fn proves_untouched(&self, number: u64) -> bool {
        match self.before {
            Before::Nobody => true,
            Before::GivenBack(newest) => newest < number,
            Before::Unknown => false,
        }
    }
}

impl Table {
    /// Takes the right to act on a family of which somebody registered this revision, if the row does not know of one as
    /// new, and reads the row.
    ///
    /// Guarantees: as with [`Table::take_lease`], of several one gets it. Nothing is written if it is not taken. An answer
    /// that was lost on the way is made good by the client's next attempt, which finds the lease to be its own.
    /// Assumptions: `UpdateItem`, `GetItem`. Errors: [`Error::Call`].
    pub(crate) async fn claim(&self, family: &Family, revision: u64) -> Result<Claim, Error> {
        let (now, owner) = (self.clock.now(), self.new_owner());
        let until = now + LEASE.as_secs();
        let request = self.client.update_item().table_name(&self.name);
        let request = request.key(KIND, text(FAMILY)).key(ID, text(family.as_str()));
        let request = request
            .update_expression(UPDATE)
            .condition_expression(CONDITION)
            .expression_attribute_names("#version", VERSION)
            .expression_attribute_values(":owner", text(&owner))
            .expression_attribute_values(":until", number(until))
            .expression_attribute_values(":v", number(LAYOUT))
            .expression_attribute_values(":one", number(1))
            .expression_attribute_values(":now", number(now))
            .expression_attribute_values(":longest", number(until + SKEW))
            .expression_attribute_values(":revision", number(revision))
            .expression_attribute_values(":number", text("N"))
            .return_values(ReturnValue::AllOld)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        match request.send().await {
            Ok(answer) => Ok(taken(family, answer.attributes.map(Item), &owner, until)),
            Err(error) => match error.as_service_error() {
                Some(UpdateItemError::ConditionalCheckFailedException(lost)) => match lost.item().cloned() {
                    Some(item) => Ok(not_taken(Row::read(Item(item)), &owner)),
                    // Some stand-ins for AWS do not tell.
                    None => Ok(not_taken(self.row(family).await?, &owner)),
                },
                Some(_) | None => Err(Error::call("UpdateItem", family.as_str(), &error)),
            },
        }
    }
}

/// The lease is ours; this is what was there before.
fn taken(family: &Family, old: Option<Item>, owner: &str, until: u64) -> Claim {
    let old = old.filter(|item| !item.0.is_empty());
    let before = match &old {
        None => Before::Nobody,
        Some(item) if item.number("leaseUntil").is_some() => Before::Unknown,
        Some(item) => item.number("newest").map_or(Before::Unknown, Before::GivenBack),
    };
    let item = old.unwrap_or_else(|| Item::new(FAMILY, family.as_str()));
    let row = Row::read(item.clone());
    let mut item = item.written();
    item.set_text("leaseOwner", Some(owner));
    item.set_number("leaseUntil", Some(until));
    Claim { row, held: Some(Row::read(item)), before }
}

/// Somebody has it, perhaps we ourselves by an attempt whose answer was lost; what was before that, nobody knows.
fn not_taken(row: Row, owner: &str) -> Claim {
    let ours = row.lease.as_ref().is_some_and(|(holder, _)| holder == owner);
    Claim { held: ours.then(|| row.clone()), row, before: Before::Unknown }
}
