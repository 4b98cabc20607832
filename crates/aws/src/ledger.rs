//! What functions tell each other of images: who fetches one, how far it came, when the tag was last looked up.
//!
//! Knows: the items of the operator's table. Must not know: registries.
//!
//! | attribute | type | of an item of kind `image`, whose id is `<registry>/<repository>:<tag>` |
//! | --- | --- | --- |
//! | `leaseOwner`, `leaseUntil` | S, N | who fetches it, and until when (seconds since 1970); absent if nobody does |
//! | `digest` | S | what the tag stood for when it was last fetched to the end |
//! | `architectures` | SS | the architectures that were fetched of that: `X86_64`, `ARM64` |
//! | `checkedAt` | N | when that was, in seconds since 1970 |
//! | `fetched`, `fetchedAt` | SS, N | blobs of an unfinished fetch, and when the last of them came |
//! | `failedAt` | N | when a fetch last came to no end |
//!
//! Without a table the same is kept in the process: then one function's warm instance knows nothing of another's.

use crate::clock::Clock;
use crate::error::Error;
use crate::table::{ID, IMAGE, Item, KIND, LAYOUT, Table, is_lost, number, text};
use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValue};
use aws_types::SdkConfig;
use ecs_sidecar_core::ids::ImageDigest;
use ecs_sidecar_core::policy::Architecture;
use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// For how long the blobs of an unfinished fetch count, in seconds. ECR may throw away what nobody finishes.
const PROGRESS: u64 = 3600;

/// The records of images.
#[derive(Debug)]
pub struct Ledger {
    store: Store,
    clock: Clock,
    /// Makes the owners of leases differ within a process.
    leases: AtomicU64,
}

#[derive(Debug)]
enum Store {
    Table(Table),
    Process(Mutex<HashMap<String, ImageRecord>>),
}

/// What is known of an image.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct ImageRecord {
    /// What the tag stood for when it was last fetched to the end.
    pub(crate) digest: Option<ImageDigest>,
    /// The architectures that were fetched of that.
    pub(crate) architectures: BTreeSet<Architecture>,
    /// When, in seconds since 1970.
    pub(crate) checked_at: Option<u64>,
    /// When a fetch last came to no end, in seconds since 1970.
    pub(crate) failed_at: Option<u64>,
    fetched: BTreeSet<ImageDigest>,
    fetched_at: u64,
    lease: Option<(String, u64)>,
}

/// The right to fetch an image. It ends by itself.
#[derive(Debug)]
pub(crate) struct Lease {
    id: String,
    owner: String,
    term: u64,
    /// Blobs that came already, when an earlier fetch was cut off.
    pub(crate) fetched: BTreeSet<ImageDigest>,
    /// What came to its end before: the digest, and its architectures.
    before: (Option<ImageDigest>, BTreeSet<Architecture>),
}

impl Ledger {
    /// Records in a table, or in this process.
    pub fn new(config: &SdkConfig, table: Option<Table>) -> Self {
        let store = table.map_or_else(|| Store::Process(Mutex::default()), Store::Table);
        Self { store, clock: Clock::of(config), leases: AtomicU64::new(0) }
    }

    /// What is known of an image.
    ///
    /// Guarantees: nothing is written. Assumptions: `GetItem` for the table. Errors: [`Error::Call`].
    pub(crate) async fn image(&self, id: &str) -> Result<ImageRecord, Error> {
        match &self.store {
            Store::Process(records) => Ok(lock(records).get(id).cloned().unwrap_or_default()),
            Store::Table(table) => Ok(table.get(IMAGE, id).await?.as_ref().map(ImageRecord::read).unwrap_or_default()),
        }
    }

    /// Takes the right to fetch an image; `None` if somebody has it.
    ///
    /// Guarantees: no two have it at once, as long as the clocks agree within the term.
    /// Assumptions: `UpdateItem` for the table. Errors: [`Error::Call`].
    pub(crate) async fn take(&self, id: &str, term: Duration) -> Result<Option<Lease>, Error> {
        let (now, term) = (self.clock.now(), term.as_secs());
        let count = self.leases.fetch_add(1, Ordering::Relaxed);
        let owner = format!("{}-{}-{count}", std::process::id(), self.clock.nanoseconds());
        let record = match &self.store {
            Store::Process(records) => {
                let mut records = lock(records);
                let record = records.entry(id.to_owned()).or_default();
                if record.lease.as_ref().is_some_and(|(_, until)| *until >= now) {
                    return Ok(None);
                }
                record.lease = Some((owner.clone(), now + term));
                record.clone()
            }
            Store::Table(table) => {
                let request = table
                    .change(id)
                    .update_expression("SET v = :version, leaseOwner = :owner, leaseUntil = :until")
                    .condition_expression("attribute_not_exists(leaseUntil) OR leaseUntil < :now")
                    .expression_attribute_values(":version", number(LAYOUT))
                    .expression_attribute_values(":owner", text(&owner))
                    .expression_attribute_values(":until", number(now + term))
                    .expression_attribute_values(":now", number(now))
                    .return_values(ReturnValue::AllNew);
                match request.send().await.map_err(|error| Error::call("UpdateItem", id, &error)) {
                    Ok(answer) => answer.attributes.map(|item| ImageRecord::read(&Item(item))).unwrap_or_default(),
                    Err(error) if is_lost(&error) => return Ok(None),
                    Err(error) => return Err(error),
                }
            }
        };
        let fresh = record.fetched_at + PROGRESS > now;
        let fetched = if fresh { record.fetched } else { BTreeSet::new() };
        let before = (record.digest, record.architectures);
        Ok(Some(Lease { id: id.to_owned(), owner, term, fetched, before }))
    }

    /// Notes that a blob came, and keeps the lease for another term. `false`: somebody else has it by now.
    ///
    /// Assumptions and errors as with [`Ledger::take`].
    pub(crate) async fn note(&self, lease: &Lease, blob: &ImageDigest) -> Result<bool, Error> {
        let now = self.clock.now();
        match &self.store {
            Store::Process(records) => Ok(with_lease(records, lease, |record| {
                record.fetched.insert(blob.clone());
                record.fetched_at = now;
                record.lease = Some((lease.owner.clone(), now + lease.term));
            })),
            Store::Table(_) => {
                let update = "SET leaseUntil = :until, fetchedAt = :now ADD fetched :blob";
                let values = [
                    (":until", number(now + lease.term)),
                    (":now", number(now)),
                    (":blob", AttributeValue::Ss(vec![blob.to_string()])),
                ];
                self.update(lease, update, values).await
            }
        }
    }

    /// Notes that all of an image came for these architectures, beside those that came before of the same digest, and gives
    /// the lease back.
    ///
    /// Assumptions and errors as with [`Ledger::take`].
    pub(crate) async fn finish(
        &self,
        lease: &Lease,
        digest: &ImageDigest,
        architectures: &BTreeSet<Architecture>,
    ) -> Result<bool, Error> {
        let now = self.clock.now();
        let mut architectures = architectures.clone();
        if lease.before.0.as_ref() == Some(digest) {
            architectures.extend(&lease.before.1);
        }
        match &self.store {
            Store::Process(records) => Ok(with_lease(records, lease, |record| {
                *record = ImageRecord {
                    digest: Some(digest.clone()),
                    architectures,
                    checked_at: Some(now),
                    ..ImageRecord::default()
                };
            })),
            Store::Table(_) => {
                let update = "SET digest = :digest, architectures = :architectures, checkedAt = :now \
                              REMOVE leaseOwner, leaseUntil, fetched, fetchedAt, failedAt";
                let architectures = architectures.iter().map(ToString::to_string).collect();
                let values = [
                    (":digest", text(digest.as_str())),
                    (":architectures", AttributeValue::Ss(architectures)),
                    (":now", number(now)),
                ];
                self.update(lease, update, values).await
            }
        }
    }

    /// Notes that the fetch came to no end, and gives the lease back. What came stays noted.
    ///
    /// Assumptions and errors as with [`Ledger::take`].
    pub(crate) async fn give_up(&self, lease: &Lease) -> Result<bool, Error> {
        let now = self.clock.now();
        match &self.store {
            Store::Process(records) => Ok(with_lease(records, lease, |record| {
                record.lease = None;
                record.failed_at = Some(now);
            })),
            Store::Table(_) => {
                let update = "SET failedAt = :now REMOVE leaseOwner, leaseUntil";
                self.update(lease, update, [(":now", number(now))]).await
            }
        }
    }

    /// Changes an item as long as the lease is ours.
    async fn update<const N: usize>(
        &self,
        lease: &Lease,
        update: &str,
        values: [(&str, AttributeValue); N],
    ) -> Result<bool, Error> {
        let Store::Table(table) = &self.store else { return Ok(false) };
        let mut request = table.change(&lease.id).update_expression(update);
        request = request.condition_expression("leaseOwner = :owner");
        request = request.expression_attribute_values(":owner", text(&lease.owner));
        for (name, value) in values {
            request = request.expression_attribute_values(name, value);
        }
        match request.send().await.map_err(|error| Error::call("UpdateItem", &lease.id, &error)) {
            Ok(_) => Ok(true),
            Err(error) if is_lost(&error) => Ok(false),
            Err(error) => Err(error),
        }
    }
}

impl ImageRecord {
    /// Reads an item. What is missing or of another type is not known; nothing depends on a record but work done twice.
    fn read(item: &Item) -> Self {
        let architectures = item.texts("architectures");
        let has = |architecture: &Architecture| architectures.contains(&architecture.to_string());
        Self {
            digest: item.text("digest").and_then(|text| text.parse().ok()),
            architectures: Architecture::ALL.into_iter().filter(has).collect(),
            checked_at: item.number("checkedAt"),
            failed_at: item.number("failedAt"),
            fetched: item.texts("fetched").iter().filter_map(|text| text.parse().ok()).collect(),
            fetched_at: item.number("fetchedAt").unwrap_or(0),
            lease: item.text("leaseOwner").zip(item.number("leaseUntil")),
        }
    }
}

impl Table {
    fn change(&self, id: &str) -> UpdateItemFluentBuilder {
        self.client.update_item().table_name(&self.name).key(KIND, text(IMAGE)).key(ID, text(id))
    }
}

fn with_lease(
    records: &Mutex<HashMap<String, ImageRecord>>,
    lease: &Lease,
    deed: impl FnOnce(&mut ImageRecord),
) -> bool {
    let mut records = lock(records);
    let held = |record: &&mut ImageRecord| record.lease.as_ref().is_some_and(|(owner, _)| *owner == lease.owner);
    let Some(record) = records.get_mut(&lease.id).filter(held) else { return false };
    deed(record);
    true
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
