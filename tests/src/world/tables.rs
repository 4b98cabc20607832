//! Arranging tables, queues and buses and looking at them, without calls.

use crate::World;
use crate::world::answer::ServiceError;
use crate::world::call::Service;
use crate::world::clock::lock;
use crate::world::dynamodb::attribute::{item, render};
use crate::world::dynamodb::table::Table;
use crate::world::dynamodb::{self, insertable};
use crate::world::view::{Event, Message};
use ecs_sidecar_core::json::Document;
use rpds::VectorSync;
use std::sync::Arc;

impl World {
    /// Makes a table with the partition key `kind` and the sort key `id`, both strings.
    pub fn add_table(&self, name: &str) {
        self.add_table_with_key(name, &["kind", "id"]);
    }

    /// Makes a table with a partition key and, if two are named, a sort key. A table that is there stays as it is.
    pub fn add_table_with_key(&self, name: &str, key: &[&str]) {
        let tables = &mut lock(&self.shared.history).now.tables;
        tables.entry((self.place.clone(), name.to_owned())).or_insert_with(|| Table::new(key));
    }

    /// Puts an item, written as DynamoDB writes it: `{"kind":{"S":"family"},"id":{"S":"web"}}`.
    pub fn put_item(&self, table: &str, text: &str) -> Result<(), ServiceError> {
        let document = Document::parse(text).map_err(|error| ServiceError::serialization(error.to_string()))?;
        let new = item(document.root())?;
        self.write(|state| {
            let table = state.tables.get_mut(&(self.place.clone(), table.to_owned()));
            let table = table.ok_or_else(dynamodb::no_table)?;
            let (key, _) = insertable(table, &new)?;
            table.items.insert_mut(key, Arc::new(new));
            Ok(())
        })
    }

    /// The item with these two keys, in JSON; the second is empty for a table that has but one.
    pub fn item(&self, table: &str, kind: &str, id: &str) -> Option<String> {
        let key = (kind.to_owned(), id.to_owned());
        self.look(|state| Some(render(state.tables.get(&(self.place.clone(), table.to_owned()))?.items.get(&key)?)))
    }

    /// The items of a table in the order of their keys, in JSON.
    pub fn items(&self, table: &str) -> Vec<String> {
        self.look(|state| {
            let found = state.tables.get(&(self.place.clone(), table.to_owned()));
            found.map(|table| table.items.values().map(|item| render(item)).collect()).unwrap_or_default()
        })
    }

    /// From now on a page of a query looks at no more items than this.
    pub fn set_page(&self, items: usize) {
        lock(&self.shared.rules).page = Some(items.max(1));
    }

    /// Makes a queue and answers its URL.
    pub fn add_queue(&self, name: &str) -> String {
        lock(&self.shared.history).now.queues.entry((self.place.clone(), name.to_owned())).or_default();
        format!("https://sqs.{}.amazonaws.com/{}/{name}", self.place.region, self.place.account)
    }

    /// The messages that were sent to a queue.
    pub fn messages(&self, queue: &str) -> Vec<Message> {
        let key = (self.place.clone(), queue.to_owned());
        self.look(|state| state.queues.get(&key).map(|queue| queue.iter().cloned().collect()).unwrap_or_default())
    }

    /// Takes all messages out of a queue, also those that nobody may see yet, in the order in which they were sent.
    pub fn take_messages(&self, queue: &str) -> Vec<Message> {
        let key = (self.place.clone(), queue.to_owned());
        let found = lock(&self.shared.history).now.queues.get_mut(&key).map(std::mem::take);
        found.iter().flat_map(VectorSync::iter).cloned().collect()
    }

    /// Makes a bus. `default` is always there.
    pub fn add_bus(&self, name: &str) {
        lock(&self.shared.history).now.buses.insert((self.place.clone(), name.to_owned()));
    }

    /// The events that were put here, in their order.
    pub fn events(&self) -> Vec<Event> {
        self.look(|state| state.events.iter().filter(|event| event.place == self.place).cloned().collect())
    }

    /// From now on those entries of a batch (SQS) or of PutEvents whose body or detail contains this fail with that code,
    /// while the call itself is answered.
    pub fn fail_entries(&self, service: Service, code: &str, containing: &str) {
        lock(&self.shared.rules).failing.push((service, code.to_owned(), containing.to_owned()));
    }

    /// No entry fails any more but by its own fault.
    pub fn accept_entries(&self) {
        lock(&self.shared.rules).failing.clear();
    }
}
