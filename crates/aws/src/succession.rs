//! Which revision replaces which: what services are moved from and to.
//!
//! Knows: pairs `FROM TO` of revisions, each with the same content but for what the operator injected. Must not know:
//! services.
//!
//! Each revision has one successor at most, and that is never replaced itself: whoever pins any revision of a chain is
//! led to its end at once.

use ecs_sidecar_core::ids::Arn;
use std::collections::BTreeSet;

/// The successor of a revision.
pub(crate) fn successor<'a>(pairs: impl IntoIterator<Item = &'a String>, of: &Arn) -> Option<Arn> {
    let found = pairs.into_iter().find_map(|pair| pair.strip_prefix(of.as_str())?.strip_prefix(' '));
    found.and_then(|to| to.parse().ok())
}

/// The pairs once `to` was made of `newest`, which is the owner's `source` or was made of that itself.
pub(crate) fn patched(pairs: &BTreeSet<String>, source: &str, newest: &str, to: &str) -> BTreeSet<String> {
    let mut pairs = led_on(pairs, newest, to);
    pairs.retain(|pair| from(pair) != source && from(pair) != newest);
    pairs.extend([source, newest].map(|from| format!("{from} {to}")));
    pairs
}

/// The pairs once the sidecar of `newest` was taken back by `to`, which is as the owner's `source` was. Who pins that
/// needs no other.
pub(crate) fn removed(pairs: &BTreeSet<String>, source: &str, newest: &str, to: &str) -> BTreeSet<String> {
    let mut pairs = led_on(pairs, newest, to);
    pairs.retain(|pair| from(pair) != source && from(pair) != newest);
    pairs.insert(format!("{newest} {to}"));
    pairs
}

/// Whoever was led to `newest` is led on to `to`.
fn led_on(pairs: &BTreeSet<String>, newest: &str, to: &str) -> BTreeSet<String> {
    let led = |pair: &String| match pair.split_once(' ') {
        Some((from, before)) if before == newest => format!("{from} {to}"),
        Some(_) | None => pair.clone(),
    };
    pairs.iter().map(led).collect()
}

fn from(pair: &str) -> &str {
    pair.split(' ').next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arn(number: u64) -> String {
        format!("arn:aws:ecs:eu-west-1:111122223333:task-definition/web:{number}")
    }

    fn leads(pairs: &BTreeSet<String>, of: u64) -> Option<u64> {
        successor(pairs, &arn(of).parse().expect("an ARN"))?.revision().map(|(_, number)| number)
    }

    #[test]
    fn each_revision_of_a_chain_leads_to_its_end() {
        let pairs = patched(&BTreeSet::new(), &arn(1), &arn(1), &arn(2));
        assert_eq!((leads(&pairs, 1), leads(&pairs, 2)), (Some(2), None));
        // The policy changed twice.
        let pairs = patched(&pairs, &arn(1), &arn(2), &arn(3));
        let pairs = patched(&pairs, &arn(1), &arn(3), &arn(4));
        assert_eq!([1, 2, 3, 4].map(|of| leads(&pairs, of)), [Some(4), Some(4), Some(4), None]);
        // A new release is another chain.
        let pairs = patched(&pairs, &arn(15), &arn(15), &arn(16));
        assert_eq!([1, 2, 15].map(|of| leads(&pairs, of)), [Some(4), Some(4), Some(16)]);
    }

    #[test]
    fn a_removal_leads_from_what_was_patched_and_not_from_what_its_owner_registered() {
        let pairs = patched(&patched(&BTreeSet::new(), &arn(1), &arn(1), &arn(2)), &arn(1), &arn(2), &arn(3));
        let pairs = removed(&pairs, &arn(1), &arn(3), &arn(4));
        assert_eq!([1, 2, 3].map(|of| leads(&pairs, of)), [None, Some(4), Some(4)]);
        // And the policy comes back.
        let pairs = patched(&pairs, &arn(1), &arn(4), &arn(5));
        assert_eq!([1, 2, 3, 4].map(|of| leads(&pairs, of)), [Some(5); 4]);
    }
}
