//! Pull-through cache rules: through which of an account's rules an upstream image comes, and into which repository.
//!
//! Knows: how ECR matches a repository to a rule. Must not know: whether the image is there.

use crate::image::Upstream;
use crate::names;

/// A pull-through cache rule, as ECR describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CacheRule {
    /// What the names of its repositories begin with; `ROOT` for a rule that takes every name.
    pub prefix: String,
    /// The registry that it stands for: `public.ecr.aws`.
    pub upstream: String,
    /// The part of the upstream that it stands for; `None` for all of it.
    pub upstream_prefix: Option<String>,
}

/// How an upstream gets into the private registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CacheState {
    /// Nobody looked, as on a laptop or where the registry is another account's: the prefix that was told counts.
    NotChecked,
    /// By this rule.
    Rule(CacheRule),
    /// By none, and the prefix that was told is free.
    NoRule,
    /// By none, and what has the prefix that was told comes from elsewhere: from this registry.
    PrefixTaken(String),
    /// By none, and a rule for fewer names, or for all of them, covers the prefix that was told: for this registry. A
    /// rule of our own would go before it; what is there already is the other's.
    Covered(String),
    /// ECR has no such rules in this Region.
    Unavailable,
    /// AWS did not say; for people.
    Refused(String),
}

impl CacheRule {
    /// The repository that holds an upstream image, if the rule stands for it.
    pub fn repository(&self, image: &Upstream) -> Option<String> {
        if self.upstream != image.registry {
            return None;
        }
        let path = match &self.upstream_prefix {
            None => image.repository.as_str(),
            Some(prefix) => image.repository.strip_prefix(prefix)?.strip_prefix('/')?,
        };
        Some(with_prefix(&self.prefix, path))
    }

    /// Whether a repository of that name is filled by this rule, unless one with a longer prefix covers it too.
    fn covers(&self, repository: &str) -> bool {
        self.prefix == names::ROOT_PREFIX
            || repository.strip_prefix(&self.prefix).is_some_and(|rest| rest.starts_with('/'))
    }
}

impl CacheState {
    /// The repository of an upstream image; `told` is the prefix that counts where no rule was found.
    pub fn repository(&self, image: &Upstream, told: &str) -> String {
        let found = match self {
            Self::Rule(rule) => rule.repository(image),
            Self::NotChecked
            | Self::NoRule
            | Self::PrefixTaken(_)
            | Self::Covered(_)
            | Self::Unavailable
            | Self::Refused(_) => None,
        };
        found.unwrap_or_else(|| with_prefix(told, &image.repository))
    }

    /// The prefix that counts.
    pub fn prefix<'a>(&'a self, told: &'a str) -> &'a str {
        match self {
            Self::Rule(rule) => &rule.prefix,
            Self::NotChecked
            | Self::NoRule
            | Self::PrefixTaken(_)
            | Self::Covered(_)
            | Self::Unavailable
            | Self::Refused(_) => told,
        }
    }
}

/// Finds the rule for an upstream image: the one with the prefix that was told if it will do, else the first by its
/// prefix, so that the order of ECR's answer does not matter.
///
/// A rule will do only if no other takes its repository away. A repository that another registry fills must never
/// count as ours, whatever is in it: its image is somebody else's.
pub fn find(rules: &[CacheRule], image: &Upstream, told: &str) -> CacheState {
    let filler = |repository: &str| {
        let covering = rules.iter().filter(|rule| rule.covers(repository));
        covering.max_by_key(|rule| length(&rule.prefix))
    };
    let fit = |rule: &&CacheRule| {
        let repository = rule.repository(image);
        repository.is_some_and(|repository| filler(&repository).is_some_and(|filler| filler.prefix == rule.prefix))
    };
    let mut fitting: Vec<&CacheRule> = rules.iter().filter(fit).collect();
    fitting.sort_by_key(|rule| (rule.prefix != told, rule.prefix.as_str()));
    if let Some(rule) = fitting.first() {
        return CacheState::Rule((*rule).clone());
    }
    match filler(&with_prefix(told, &image.repository)) {
        Some(other) if length(&other.prefix) < length(told) => CacheState::Covered(other.upstream.clone()),
        Some(other) => CacheState::PrefixTaken(other.upstream.clone()),
        None => CacheState::NoRule,
    }
}

/// How much of a name a prefix asks for: of two rules, the one that asks for more fills a repository.
fn length(prefix: &str) -> usize {
    if prefix == names::ROOT_PREFIX { 0 } else { prefix.len() }
}

/// A repository's name behind a rule's prefix.
pub(crate) fn with_prefix(prefix: &str, path: &str) -> String {
    if prefix == names::ROOT_PREFIX { path.to_owned() } else { format!("{prefix}/{path}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn daemon() -> Upstream {
        "public.ecr.aws/xray/aws-xray-daemon:3.x".parse().expect("an upstream")
    }

    fn rule(prefix: &str, upstream: &str) -> CacheRule {
        CacheRule { prefix: prefix.to_owned(), upstream: upstream.to_owned(), upstream_prefix: None }
    }

    fn repository(rules: &[CacheRule]) -> Option<String> {
        let CacheState::Rule(rule) = find(rules, &daemon(), "ecr-public") else { return None };
        rule.repository(&daemon())
    }

    #[test]
    fn any_rule_for_the_registry_will_do_and_the_told_one_is_preferred() {
        let public = names::ECR_PUBLIC;
        assert_eq!(repository(&[rule("mirror", public)]).as_deref(), Some("mirror/xray/aws-xray-daemon"));
        assert_eq!(repository(&[rule("ROOT", public)]).as_deref(), Some("xray/aws-xray-daemon"));
        let several = [rule("a1", public), rule("ecr-public", public), rule("ROOT", public)];
        assert_eq!(repository(&several).as_deref(), Some("ecr-public/xray/aws-xray-daemon"));
        let others = [rule("zz", public), rule("bb", public)];
        assert_eq!(repository(&others).as_deref(), Some("bb/xray/aws-xray-daemon"));
    }

    #[test]
    fn a_rule_may_stand_for_a_part_of_the_registry() {
        let part =
            |prefix: &str| CacheRule { upstream_prefix: Some(prefix.to_owned()), ..rule("x1", names::ECR_PUBLIC) };
        assert_eq!(repository(&[part("xray")]).as_deref(), Some("x1/aws-xray-daemon"));
        assert_eq!(repository(&[part("xr")]), None);
        assert_eq!(repository(&[part("datadog")]), None);
    }

    #[test]
    fn what_another_registry_fills_is_never_ours() {
        let taken = |rules: &[CacheRule]| find(rules, &daemon(), "ecr-public");
        let hub = "registry-1.docker.io";
        for rules in [
            vec![rule("ecr-public", hub)],
            // A longer prefix of another registry takes the repository away.
            vec![rule("ecr-public", names::ECR_PUBLIC), rule("ecr-public/xray", hub)],
            vec![rule("ecr-public/xray", hub), rule("ROOT", names::ECR_PUBLIC), rule("xray", hub)],
        ] {
            assert_eq!(taken(&rules), CacheState::PrefixTaken(hub.to_owned()), "{rules:?}");
        }
        // The prefix is only the beginning of another word there.
        assert_eq!(taken(&[rule("ecr-public-2", hub)]), CacheState::NoRule);
        let part = CacheRule { upstream_prefix: Some("datadog".into()), ..rule("ecr-public", names::ECR_PUBLIC) };
        assert_eq!(taken(&[part]), CacheState::PrefixTaken(names::ECR_PUBLIC.to_owned()));
        assert_eq!(taken(&[]), CacheState::NoRule);
    }

    #[test]
    fn a_rule_for_fewer_letters_leaves_room_for_ours() {
        let hub = "registry-1.docker.io";
        assert_eq!(find(&[rule("ROOT", hub)], &daemon(), "ecr-public"), CacheState::Covered(hub.to_owned()));
        assert_eq!(find(&[rule("team", hub)], &daemon(), "team/traces"), CacheState::Covered(hub.to_owned()));
        assert_eq!(find(&[rule("ROOT", hub)], &daemon(), "ROOT"), CacheState::PrefixTaken(hub.to_owned()));
    }
}
