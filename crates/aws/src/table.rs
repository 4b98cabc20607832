//! The operator's table: what Kubernetes keeps in etcd.
//!
//! Knows: how items are read and written, and that nobody overwrites what he has not read. Must not know: what follows
//! from them.
//!
//! Partition key `kind` (S), sort key `id` (S). Every item has `v` (N), the version of its layout, 1 so far; a later
//! program reads all earlier ones, and keeps attributes that it does not know. An item that is written whole has
//! `version` (N), which goes up by one with each write and is the condition of the next.
//!
//! | `kind` | `id` | what it is | who writes it |
//! | --- | --- | --- | --- |
//! | `standing` | `policy/NAME` | a policy: `text`, `deleting` (BOOL), `changedAt`, `changedBy` | people; the sweep takes a deleted one away |
//! | `standing` | `switch` | `paused` (BOOL), `pausedBecause`, `uninstalling` (BOOL), `changedAt`, `changedBy` | people |
//! | `family` | FAMILY | how a family stands, see [`rows`](crate::rows) | reconcile |
//! | `service` | ARN | how a service stands, see [`service_rows`](crate::service_rows) | reconcile |
//! | `rollout` | `moving` | the services that are being moved, see [`rollout`](crate::rollout) | reconcile |
//! | `rollout` | `breaker` | tasks that stopped because of a sidecar, see [`breaker`](crate::breaker) | reconcile |
//! | `image` | REGISTRY/REPOSITORY:TAG | who fetches an image and how far it came, see [`ledger`](crate::ledger) | reconcile |
//! | `pace` | `ecs` | how much of ECS's buckets is used, see [`pace`](crate::pace) | reconcile |
//! | `sweep` | `state` | the sweep that runs or ran last, see [`sweep`](crate::sweep) | sweep |
//!
//! Times are in seconds since 1970 (N), but for those of `pace`, which are in milliseconds.

use crate::clock::Clock;
use crate::error::Error;
use aws_sdk_dynamodb::types::AttributeValue;
use aws_types::SdkConfig;
use std::collections::{BTreeSet, HashMap};

/// Version of the items' layout.
pub(crate) const LAYOUT: u64 = 1;

/// Partition of what stands for all families.
pub(crate) const STANDING: &str = "standing";
/// Partition of the families' rows.
pub(crate) const FAMILY: &str = "family";
/// Partition of the services' rows.
pub(crate) const SERVICE: &str = "service";
/// Partition of what all moves of services share.
pub(crate) const ROLLOUT: &str = "rollout";
/// Partition of the image records.
pub(crate) const IMAGE: &str = "image";
/// Partition of the shared pacing.
pub(crate) const PACE: &str = "pace";
/// Partition of the sweep's state.
pub(crate) const SWEEP: &str = "sweep";

/// The partition key.
pub(crate) const KIND: &str = "kind";
/// The sort key.
pub(crate) const ID: &str = "id";
/// Version of an item's layout.
pub(crate) const V: &str = "v";
/// How often an item was written.
pub(crate) const VERSION: &str = "version";

/// The table.
#[derive(Debug, Clone)]
pub struct Table {
    pub(crate) client: aws_sdk_dynamodb::Client,
    pub(crate) name: String,
    pub(crate) clock: Clock,
}

/// An item, with typed looks at its attributes. What is missing or of another type is absent.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Item(pub(crate) HashMap<String, AttributeValue>);

impl Table {
    /// The table of that name.
    pub fn new(config: &SdkConfig, name: String) -> Self {
        Self { client: aws_sdk_dynamodb::Client::new(config), name, clock: Clock::of(config) }
    }

    /// An item, as it is after all writes that were answered.
    ///
    /// Assumptions: `GetItem`. Errors: [`Error::Call`].
    pub(crate) async fn get(&self, kind: &str, id: &str) -> Result<Option<Item>, Error> {
        let request = self.client.get_item().table_name(&self.name).consistent_read(true);
        let request = request.key(KIND, text(kind)).key(ID, text(id));
        let answer = request.send().await.map_err(|error| Error::call("GetItem", id, &error))?;
        Ok(answer.item.map(Item))
    }

    /// All items of a kind, in the order of their ids' bytes, as they are after all writes that were answered.
    ///
    /// Assumptions: `Query`. Errors: [`Error::Call`].
    pub(crate) async fn query(&self, kind: &str) -> Result<Vec<Item>, Error> {
        let mut items = Vec::new();
        self.query_each(kind, |item| items.push(item)).await?;
        Ok(items)
    }

    /// Hands over the items of a kind as [`Table::query`] has them, with no more than a page of them in memory.
    ///
    /// Assumptions and errors as with [`Table::query`]; some may have been handed over then.
    pub(crate) async fn query_each(&self, kind: &str, mut each: impl FnMut(Item)) -> Result<(), Error> {
        let mut start = None;
        loop {
            let request = self.client.query().table_name(&self.name).consistent_read(true);
            let request = request.key_condition_expression("kind = :kind").set_exclusive_start_key(start);
            let request = request.expression_attribute_values(":kind", text(kind));
            let page = request.send().await.map_err(|error| Error::call("Query", kind, &error))?;
            page.items.unwrap_or_default().into_iter().map(Item).for_each(&mut each);
            start = page.last_evaluated_key.filter(|key| !key.is_empty());
            if start.is_none() {
                return Ok(());
            }
        }
    }

    /// Writes an item whole, if it is still as it was read (or still absent). `None`: somebody wrote it meanwhile.
    ///
    /// Guarantees: of several who write what they have read, one has success. A write whose answer was lost counts
    /// as somebody else's. Assumptions: `PutItem`. Errors: [`Error::Call`].
    pub(crate) async fn put(&self, item: Item) -> Result<Option<Item>, Error> {
        // Also where it is none that anybody can read: what was read is the condition, and what is written is sound.
        let before = item.0.get(VERSION).cloned();
        let item = item.written();
        let id = item.text(ID).unwrap_or_default();
        let request = self.client.put_item().table_name(&self.name).set_item(Some(item.0.clone()));
        let request = request.expression_attribute_names("#version", VERSION);
        let request = match before {
            Some(before) => {
                request.condition_expression("#version = :before").expression_attribute_values(":before", before)
            }
            None => request.condition_expression("attribute_not_exists(#version)"),
        };
        match request.send().await.map_err(|error| Error::call("PutItem", &id, &error)) {
            Ok(_) => Ok(Some(item)),
            Err(error) if is_lost(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Takes an item away, if it is still as it was read. `false`: somebody wrote it meanwhile.
    ///
    /// Assumptions: `DeleteItem`. Errors: [`Error::Call`].
    pub(crate) async fn delete(&self, item: &Item) -> Result<bool, Error> {
        let (kind, id) = (item.text(KIND).unwrap_or_default(), item.text(ID).unwrap_or_default());
        let request = self.client.delete_item().table_name(&self.name).key(KIND, text(&kind)).key(ID, text(&id));
        let request = request
            .condition_expression("#version = :before")
            .expression_attribute_names("#version", VERSION)
            // Also where it is none that anybody can read, see `put`.
            .expression_attribute_values(":before", item.0.get(VERSION).cloned().unwrap_or_else(|| number(0)));
        match request.send().await.map_err(|error| Error::call("DeleteItem", &id, &error)) {
            Ok(_) => Ok(true),
            Err(error) if is_lost(&error) => Ok(false),
            Err(error) => Err(error),
        }
    }
}

impl Item {
    /// An item that is not in the table yet.
    pub(crate) fn new(kind: &str, id: &str) -> Self {
        Self(HashMap::from([(KIND.to_owned(), text(kind)), (ID.to_owned(), text(id))]))
    }

    pub(crate) fn text(&self, name: &str) -> Option<String> {
        self.0.get(name)?.as_s().ok().cloned()
    }

    pub(crate) fn number(&self, name: &str) -> Option<u64> {
        self.0.get(name)?.as_n().ok()?.parse().ok()
    }

    /// The same as it is after one more write.
    pub(crate) fn written(mut self) -> Self {
        self.set_number(VERSION, Some(self.writes().saturating_add(1)));
        self.set_number(V, Some(self.number(V).unwrap_or(LAYOUT).max(LAYOUT)));
        self
    }

    /// How often it was written.
    pub(crate) fn writes(&self) -> u64 {
        self.number(VERSION).unwrap_or(0)
    }

    pub(crate) fn flag(&self, name: &str) -> bool {
        self.0.get(name).and_then(|value| value.as_bool().ok()).copied().unwrap_or(false)
    }

    pub(crate) fn texts(&self, name: &str) -> BTreeSet<String> {
        self.0.get(name).and_then(|value| value.as_ss().ok()).into_iter().flatten().cloned().collect()
    }

    pub(crate) fn set_text(&mut self, name: &str, value: Option<&str>) {
        self.set(name, value.map(text));
    }

    pub(crate) fn set_number(&mut self, name: &str, value: Option<u64>) {
        self.set(name, value.map(number));
    }

    pub(crate) fn set_flag(&mut self, name: &str, value: bool) {
        self.set(name, value.then_some(AttributeValue::Bool(true)));
    }

    /// An empty set is no attribute at all: DynamoDB has none.
    pub(crate) fn set_texts(&mut self, name: &str, values: &BTreeSet<String>) {
        self.set(name, (!values.is_empty()).then(|| AttributeValue::Ss(values.iter().cloned().collect())));
    }

    fn set(&mut self, name: &str, value: Option<AttributeValue>) {
        match value {
            Some(value) => drop(self.0.insert(name.to_owned(), value)),
            None => drop(self.0.remove(name)),
        }
    }
}

/// Whether a condition did not hold.
pub(crate) fn is_lost(error: &Error) -> bool {
    error.is_code(&["ConditionalCheckFailedException"])
}

pub(crate) fn text(text: &str) -> AttributeValue {
    AttributeValue::S(text.to_owned())
}

pub(crate) fn number(number: u64) -> AttributeValue {
    AttributeValue::N(number.to_string())
}
