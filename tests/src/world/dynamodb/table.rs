//! Tables: a key schema, and items in the order of their keys.
//!
//! Knows: what a key may be. Must not know: requests. Cheap to clone however many items there are.

use crate::world::answer::ServiceError;
use crate::world::dynamodb::attribute::{Attribute, Item};
use crate::world::dynamodb::validation;
use rpds::RedBlackTreeMapSync;
use std::sync::Arc;

/// The values of the partition key and of the sort key; the latter is empty where there is none.
pub(crate) type Key = (String, String);

/// Keys are strings, as all of the project's are.
#[derive(Debug, Clone)]
pub(crate) struct Table {
    /// Names of the partition key and, if there is one, of the sort key.
    pub(crate) schema: Vec<String>,
    /// By the bytes of their keys.
    pub(crate) items: RedBlackTreeMapSync<Key, Arc<Item>>,
}

/// How many bytes a partition key and a sort key may have.
const KEY_SIZES: [(usize, &str); 2] = [
    (2048, "Size of hashkey has exceeded the maximum size limit of2048 bytes"),
    (1024, "Aggregated size of all range keys has exceeded the size limit of 1024 bytes"),
];

impl Table {
    pub(crate) fn new(schema: &[&str]) -> Self {
        let schema = schema.iter().map(|name| (*name).to_owned()).collect();
        Self { schema, items: RedBlackTreeMapSync::new_sync() }
    }

    pub(crate) fn is_key(&self, name: &str) -> bool {
        self.schema.iter().any(|key| key == name)
    }

    /// The key that a request names: all of it and nothing else.
    pub(crate) fn key(&self, given: &Item) -> Result<Key, ServiceError> {
        let fits = given.len() == self.schema.len()
            && self.schema.iter().all(|name| matches!(given.get(name), Some(Attribute::Text(_))));
        if !fits {
            return Err(validation("The provided key element does not match the schema"));
        }
        self.key_of(given)
    }

    /// The key that an item has.
    pub(crate) fn key_of(&self, item: &Item) -> Result<Key, ServiceError> {
        let invalid = |why: String| validation(format!("One or more parameter values were invalid: {why}"));
        let mut key = Vec::new();
        for (name, (most, too_long)) in self.schema.iter().zip(KEY_SIZES) {
            let text = match item.get(name) {
                Some(Attribute::Text(text)) => text,
                Some(other) => {
                    let found = other.kind();
                    return Err(invalid(format!("Type mismatch for key {name} expected: S actual: {found}")));
                }
                None => return Err(invalid(format!("Missing the key {name} in the item"))),
            };
            if text.is_empty() {
                return Err(validation(format!(
                    "One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain \
                     an empty string value. Key: {name}"
                )));
            }
            if text.len() > most {
                return Err(invalid(too_long.to_owned()));
            }
            key.push(text.clone());
        }
        let mut key = key.into_iter();
        Ok((key.next().unwrap_or_default(), key.next().unwrap_or_default()))
    }

    /// The part of an item that is its key.
    pub(crate) fn only_key(&self, item: &Item) -> Item {
        item.iter().filter(|(name, _)| self.is_key(name)).map(|(name, value)| (name.clone(), value.clone())).collect()
    }
}
