//! What a warm function remembers between reconciles.
//!
//! Knows: facts that were good, and for how long they may be believed. Must not know: what follows from them.
//!
//! Only good news is kept: an image that was there, policies that were attached. Bad news would outlive its cure.

use ecs_sidecar_core::cache::CacheState;
use ecs_sidecar_core::ids::RoleRef;
use ecs_sidecar_core::observed::{ImageState, Permission};
use std::collections::{BTreeSet, HashMap};
use std::hash::Hash;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// How long a fact is believed. Lifecycle rules of ECR run once a day; a policy that somebody detaches is missed by
/// tasks sooner, and a busy function stays warm for hours.
const LIFE: Duration = Duration::from_secs(15 * 60);

/// Facts of one account and Region.
#[derive(Debug, Default)]
pub struct Memory {
    facts: Mutex<Facts>,
}

#[derive(Debug, Default)]
struct Facts {
    attached: Dated<RoleRef, BTreeSet<String>>,
    images: Dated<ImageKey, (CacheState, ImageState)>,
    log_groups: Dated<LogGroupKey, Permission>,
}

/// Facts of one kind, each with the time since when it is known.
#[derive(Debug)]
struct Dated<K, V>(HashMap<K, (V, Instant)>);

impl<K, V> Default for Dated<K, V> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<K: Eq + Hash, V: Clone> Dated<K, V> {
    /// What is still believed.
    fn get(&self, key: &K) -> Option<V> {
        self.0.get(key).filter(|(_, seen)| seen.elapsed() < LIFE).map(|(value, _)| value.clone())
    }

    fn insert(&mut self, key: K, value: V) {
        self.0.insert(key, (value, Instant::now()));
    }
}

/// An upstream image, and whether it is referred to by its digest.
type ImageKey = (String, bool);

/// A log group, and the role that may have to make it.
type LogGroupKey = (String, Option<RoleRef>);

impl Memory {
    fn facts(&self) -> MutexGuard<'_, Facts> {
        self.facts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The policies that the role had a short while ago, when a plan was content with them.
    pub(crate) fn attached(&self, role: &RoleRef) -> Option<BTreeSet<String>> {
        self.facts().attached.get(role)
    }

    /// Remembers what IAM has just said that a role has, from now on. What was itself remembered must not come back
    /// here: it would live for ever.
    pub(crate) fn remember_attached(&self, role: &RoleRef, policies: BTreeSet<String>) {
        self.facts().attached.insert(role.clone(), policies);
    }

    /// Where the image was a short while ago, and all that is known of it.
    pub(crate) fn image(&self, upstream: &str, pinned: bool) -> Option<(CacheState, ImageState)> {
        self.facts().images.get(&(upstream.to_owned(), pinned))
    }

    /// Remembers where an image is, from now on.
    pub(crate) fn remember_image(&self, upstream: &str, pinned: bool, known: (CacheState, ImageState)) {
        self.facts().images.insert((upstream.to_owned(), pinned), known);
    }

    /// Forgets all images: one was fetched.
    pub(crate) fn forget_images(&self) {
        self.facts().images = Dated::default();
    }

    /// What the role might do about a log group that was there a short while ago.
    pub(crate) fn log_group(&self, name: &str, role: Option<&RoleRef>) -> Option<Permission> {
        self.facts().log_groups.get(&(name.to_owned(), role.cloned()))
    }

    /// Remembers that a log group is there, from now on.
    pub(crate) fn remember_log_group(&self, name: &str, role: Option<&RoleRef>, permission: Permission) {
        self.facts().log_groups.insert((name.to_owned(), role.cloned()), permission);
    }

    /// Forgets everything: something was refused that the facts did not let expect.
    pub(crate) fn forget(&self) {
        *self.facts() = Facts::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn an_image_is_believed_for_a_quarter_of_an_hour() {
        let memory = Memory::default();
        let known = || (CacheState::NoRule, ImageState::Missing);
        assert_eq!(memory.image("daemon:3.x", true), None);
        memory.remember_image("daemon:3.x", true, known());
        tokio::time::advance(LIFE - Duration::from_secs(1)).await;
        assert_eq!(memory.image("daemon:3.x", true), Some(known()));
        assert!(memory.image("daemon:3.x", false).is_none() && memory.image("daemon:4.x", true).is_none());
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(memory.image("daemon:3.x", true), None);
        memory.remember_image("daemon:3.x", true, known());
        memory.forget_images();
        assert_eq!(memory.image("daemon:3.x", true), None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_role_is_believed_as_long_or_until_somebody_forgets() {
        let memory = Memory::default();
        let role = RoleRef::new("arn:aws:iam::111122223333:role/web");
        let policies = BTreeSet::from(["arn:aws:iam::aws:policy/P".to_owned()]);
        memory.remember_attached(&role, policies.clone());
        tokio::time::advance(LIFE - Duration::from_secs(1)).await;
        assert_eq!(memory.attached(&role), Some(policies.clone()));
        tokio::time::advance(Duration::from_secs(1)).await;
        assert!(memory.attached(&role).is_none());
        memory.remember_attached(&role, policies);
        memory.forget();
        assert!(memory.attached(&role).is_none());
    }
}
