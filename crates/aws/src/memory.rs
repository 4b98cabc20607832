//! What a warm function remembers between reconciles.
//!
//! Knows: facts that were good, and for how long they may be believed. Must not know: what follows from them.
//!
//! Only good news is kept: an image that was there, policies that were attached. Bad news would outlive its cure.

use ecs_sidecar_core::ids::RoleRef;
use std::collections::{BTreeSet, HashMap};
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
    attached: HashMap<RoleRef, (BTreeSet<String>, Instant)>,
    images: HashMap<(String, String), Instant>,
}

impl Memory {
    fn facts(&self) -> MutexGuard<'_, Facts> {
        self.facts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The policies that the role had a short while ago, when a plan was content with them.
    pub(crate) fn attached(&self, role: &RoleRef) -> Option<BTreeSet<String>> {
        let facts = self.facts();
        let (policies, _) = facts.attached.get(role).filter(|(_, seen)| seen.elapsed() < LIFE)?;
        Some(policies.clone())
    }

    /// Remembers what IAM has just said that a role has, from now on. What was itself remembered must not come back
    /// here: it would live for ever.
    pub(crate) fn remember_attached(&self, role: &RoleRef, policies: BTreeSet<String>) {
        self.facts().attached.insert(role.clone(), (policies, Instant::now()));
    }

    /// Whether the image was there a short while ago.
    pub(crate) fn has_image(&self, repository: &str, tag: &str) -> bool {
        let key = (repository.to_owned(), tag.to_owned());
        self.facts().images.get(&key).is_some_and(|seen| seen.elapsed() < LIFE)
    }

    /// Remembers that an image is there, from now on.
    pub(crate) fn remember_image(&self, repository: &str, tag: &str) {
        self.facts().images.insert((repository.to_owned(), tag.to_owned()), Instant::now());
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
        assert!(!memory.has_image("cache/daemon", "3.x"));
        memory.remember_image("cache/daemon", "3.x");
        tokio::time::advance(LIFE - Duration::from_secs(1)).await;
        assert!(memory.has_image("cache/daemon", "3.x") && !memory.has_image("cache/daemon", "4.x"));
        tokio::time::advance(Duration::from_secs(1)).await;
        assert!(!memory.has_image("cache/daemon", "3.x"));
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
