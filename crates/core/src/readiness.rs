//! Whether what a sidecar needs beside its roles is there: its image for the task's architecture, and its log group.
//!
//! Knows: what was seen, and what policy and stack let the operator bring about. Must not know: how it is brought
//! about. A revision whose image or log group is missing is an outage, so that none is registered before they are there.

use crate::bounds::{CacheBound, LogGroupBound};
use crate::cache::{CacheRule, CacheState};
use crate::decision::{Fetch, FetchCause, NewLogGroup, Settings};
use crate::image::{PrivateImage, Upstream, Version};
use crate::observed::{ImageState, LogGroup, LogGroupState, Observed, Permission, StoredImage};
use crate::policy::{Architecture, CacheRuleWish, MissingLogGroup, Pin, Policy};
use crate::reason::Reason;
use crate::refusal::Refusal;
use std::collections::BTreeSet;

/// What is to be done about an image before a revision may refer to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Readiness {
    /// It is there. Perhaps upstream has a newer one: then this is to be looked up.
    Ready(Option<Fetch>),
    /// It has to be fetched first.
    Fetch(Fetch),
    /// It is not there, and the operator will not have it.
    Refused(Refusal),
}

/// Judges the image of a policy for a task of that architecture.
pub(crate) fn image(
    observed: &Observed,
    settings: &Settings,
    policy: &Policy,
    architecture: Architecture,
) -> Readiness {
    let upstream = policy.upstream();
    let place = place(observed, &upstream);
    if let Some(other) = another_fills(&observed.cache, &observed.image) {
        let message = format!("{place}: prefix {} belongs to {other}", observed.cache_prefix);
        return Readiness::Refused(Refusal::new(Reason::CachePrefixTaken, message));
    }
    let fetch = |cause| fetch(observed, settings, policy, architecture, cause);
    match &observed.image {
        ImageState::NotChecked(_) => Readiness::Ready(None),
        ImageState::Refused(why) => {
            Readiness::Refused(Refusal::new(Reason::ImageUnreadable, format!("{place}: {why}")))
        }
        ImageState::Missing => fetch(FetchCause::Missing).map_or_else(Readiness::Refused, Readiness::Fetch),
        ImageState::Present(image)
            if image.offered.as_ref().is_some_and(|offered| !offered.contains(&architecture)) =>
        {
            let message = format!("{place} is not made for {architecture}");
            Readiness::Refused(Refusal::new(Reason::ArchitectureMissing, message))
        }
        ImageState::Present(image) if !image.complete.contains(&architecture) => match fetch(FetchCause::Missing) {
            Ok(fetch) => Readiness::Fetch(fetch),
            Err(refusal) => Readiness::Refused(match &image.unseen {
                Some(why) => Refusal::new(Reason::ImageUnreadable, format!("{place}: {why}")),
                None => refusal,
            }),
        },
        ImageState::Present(image) => match image.expires.as_ref().filter(|_| policy.spec.image.pin == Pin::Digest) {
            Some(rule) => Readiness::Refused(Refusal::new(Reason::ImageWouldExpire, format!("{place}: {rule}"))),
            None => Readiness::Ready(refresh(image, observed, policy, fetch)),
        },
    }
}

/// Another registry than the image's that fills its repository, or has filled it.
pub(crate) fn another_fills<'a>(cache: &'a CacheState, image: &ImageState) -> Option<&'a str> {
    match cache {
        CacheState::PrefixTaken(other) => Some(other),
        CacheState::Covered(other) if !matches!(image, ImageState::Missing) => Some(other),
        CacheState::Covered(_)
        | CacheState::NotChecked
        | CacheState::Rule(_)
        | CacheState::NoRule
        | CacheState::Unavailable
        | CacheState::Refused(_) => None,
    }
}

/// The tag as tasks would refer to it, for people.
fn place(observed: &Observed, upstream: &Upstream) -> PrivateImage {
    PrivateImage {
        registry: observed.registry.clone(),
        region: observed.region.clone(),
        repository: observed.cache.repository(upstream, &observed.cache_prefix),
        version: Version::Tag(upstream.tag.clone()),
    }
}

/// A look upstream, if the last one is too long ago and a rule makes a look there at all.
fn refresh(
    image: &StoredImage,
    observed: &Observed,
    policy: &Policy,
    fetch: impl Fn(FetchCause) -> Result<Fetch, Refusal>,
) -> Option<Fetch> {
    let due = image.age_hours.is_some_and(|hours| hours >= u64::from(policy.spec.image.refresh_hours));
    if !due || !matches!(observed.cache, CacheState::Rule(_)) {
        return None;
    }
    let fetch = fetch(FetchCause::Refresh).ok()?;
    let architectures = fetch.architectures.union(&image.complete).copied().collect();
    Some(Fetch { architectures, ..fetch })
}

/// How the image is to be fetched, if it may be.
fn fetch(
    observed: &Observed,
    settings: &Settings,
    policy: &Policy,
    architecture: Architecture,
    cause: FetchCause,
) -> Result<Fetch, Refusal> {
    let upstream = policy.upstream();
    let place = place(observed, &upstream);
    let bound = settings.bounds.cache;
    let refuse = |reason: Reason, message: String| Err(Refusal::new(reason, message));
    if observed.cache == CacheState::Unavailable {
        return refuse(Reason::CacheUnavailable, format!("push {upstream} to {place}"));
    }
    if bound < CacheBound::Warm {
        return refuse(Reason::ImageNotCached, format!("{place} is not there for {architecture}"));
    }
    let rule = match &observed.cache {
        CacheState::Refused(why) => return refuse(Reason::CacheUnreadable, why.clone()),
        CacheState::Rule(_) | CacheState::NotChecked | CacheState::PrefixTaken(_) | CacheState::Unavailable => None,
        CacheState::NoRule | CacheState::Covered(_) => {
            if policy.spec.image.cache_rule != CacheRuleWish::Create || bound < CacheBound::Create {
                let message = format!("no cache rule stands for {}, and {place} is not there", upstream.registry);
                return refuse(Reason::CacheRuleMissing, message);
            }
            let prefix = observed.cache_prefix.clone();
            Some(CacheRule { prefix, upstream: upstream.registry.clone(), upstream_prefix: None })
        }
    };
    let repository = observed.cache.repository(&upstream, &observed.cache_prefix);
    Ok(Fetch { image: upstream, repository, architectures: BTreeSet::from([architecture]), rule, cause })
}

/// Judges the log group of a sidecar. What is answered is a group that has to be made first.
pub(crate) fn log_group(
    observed: &Observed,
    settings: &Settings,
    policy: &Policy,
    group: Option<&LogGroup>,
) -> Result<Option<NewLogGroup>, Refusal> {
    let Some(group) = group else { return Ok(None) };
    match &observed.log_group {
        LogGroupState::NotChecked | LogGroupState::Present => Ok(None),
        LogGroupState::Refused(why) => {
            Err(Refusal::new(Reason::LogGroupUnreadable, format!("log group {}: {why}", group.name)))
        }
        LogGroupState::Missing if group.created_by_driver && observed.may_create_log_group == Permission::Allowed => {
            Ok(None)
        }
        LogGroupState::Missing => {
            let rule = &policy.spec.log_group;
            if rule.missing == MissingLogGroup::Create && settings.bounds.log_groups == LogGroupBound::Create {
                return Ok(Some(NewLogGroup { name: group.name.clone(), retention_days: rule.retention_days }));
            }
            Err(Refusal::new(Reason::LogGroupMissing, format!("there is no log group {}", group.name)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bounds::Bounds;
    use crate::decision::Asked;
    use crate::definition::TaskDefinition;
    use crate::receipt::Injector;

    fn observed(cache: CacheState, image: ImageState) -> Observed {
        let definition = TaskDefinition::parse(r#"{"family":"web","containerDefinitions":[{"name":"web"}]}"#);
        let account = "111122223333".parse().expect("an account");
        let region = "eu-west-1".parse().expect("a Region");
        let definition = definition.expect("a definition");
        Observed { cache, image, ..Observed::unchecked(account, region, definition, "ecr-public".to_owned()) }
    }

    fn settings(cache: CacheBound) -> Settings {
        Settings {
            policies: Vec::new(),
            deleted: BTreeSet::new(),
            bounds: Bounds { cache, ..Bounds::unbounded() },
            asked: Asked::Standing,
            injector: Injector::Operator,
            version: String::new(),
            execution_policy_arn: None,
        }
    }

    fn policy(change: &[(&str, &str)]) -> Policy {
        let preset = crate::policy::PRESETS[0].1.to_owned();
        let text = change.iter().fold(preset, |text, (from, to)| {
            assert!(text.contains(from), "{from}");
            text.replace(from, to)
        });
        Policy::parse(&text).expect("a policy")
    }

    fn stored() -> StoredImage {
        StoredImage {
            digest: format!("sha256:{}", "0a".repeat(32)).parse().expect("a digest"),
            offered: Some(BTreeSet::from([Architecture::X86, Architecture::Arm])),
            complete: BTreeSet::from([Architecture::X86]),
            unseen: None,
            age_hours: Some(23),
            expires: Some("rule 1 would expire it".to_owned()),
        }
    }

    fn rule(prefix: &str) -> CacheState {
        let upstream = "public.ecr.aws".to_owned();
        CacheState::Rule(CacheRule { prefix: prefix.to_owned(), upstream, upstream_prefix: None })
    }

    fn judge(observed: &Observed, bound: CacheBound) -> Readiness {
        image(observed, &settings(bound), &policy(&[]), Architecture::X86)
    }

    fn reason(readiness: &Readiness) -> Option<Reason> {
        match readiness {
            Readiness::Refused(refusal) => Some(refusal.reason),
            Readiness::Ready(_) | Readiness::Fetch(_) => None,
        }
    }

    #[test]
    fn a_missing_image_is_fetched_as_far_as_the_stack_allows() {
        let missing = |cache| observed(cache, ImageState::Missing);
        let Readiness::Fetch(fetch) = judge(&missing(rule("mirror")), CacheBound::Warm) else { panic!("no fetch") };
        assert_eq!((fetch.repository.as_str(), &fetch.rule), ("mirror/xray/aws-xray-daemon", &None));
        assert_eq!(reason(&judge(&missing(rule("mirror")), CacheBound::Observe)), Some(Reason::ImageNotCached));
        let Readiness::Fetch(fetch) = judge(&missing(CacheState::NoRule), CacheBound::Create) else {
            panic!("no fetch")
        };
        assert_eq!(fetch.rule.map(|rule| rule.prefix).as_deref(), Some("ecr-public"));
        for (cache, expected) in [
            (CacheState::NoRule, Reason::CacheRuleMissing),
            (CacheState::PrefixTaken("quay.io".into()), Reason::CachePrefixTaken),
            (CacheState::Unavailable, Reason::CacheUnavailable),
            (CacheState::Refused("no".into()), Reason::CacheUnreadable),
        ] {
            assert_eq!(reason(&judge(&missing(cache), CacheBound::Warm)), Some(expected));
        }
        let find = policy(&[("cacheRule: create", "cacheRule: find")]);
        let judged = image(&missing(CacheState::NoRule), &settings(CacheBound::Create), &find, Architecture::X86);
        assert_eq!(reason(&judged), Some(Reason::CacheRuleMissing));
    }

    #[test]
    fn an_image_under_anothers_prefix_is_not_ours_though_it_is_there() {
        let there = observed(CacheState::PrefixTaken("quay.io".into()), ImageState::Present(stored()));
        assert_eq!(reason(&judge(&there, CacheBound::Create)), Some(Reason::CachePrefixTaken));
        let covered = |image| observed(CacheState::Covered("quay.io".into()), image);
        let there = covered(ImageState::Present(stored()));
        assert_eq!(reason(&judge(&there, CacheBound::Create)), Some(Reason::CachePrefixTaken));
        let Readiness::Fetch(fetch) = judge(&covered(ImageState::Missing), CacheBound::Create) else {
            panic!("a rule of our own goes before the other")
        };
        assert_eq!(fetch.rule.map(|rule| rule.prefix).as_deref(), Some("ecr-public"));
    }

    #[test]
    fn an_image_that_was_pushed_by_hand_needs_no_rule() {
        for cache in [CacheState::NoRule, CacheState::Unavailable, CacheState::NotChecked] {
            let there = observed(cache, ImageState::Present(StoredImage { age_hours: Some(9999), ..stored() }));
            assert_eq!(judge(&there, CacheBound::Create), Readiness::Ready(None));
        }
    }

    #[test]
    fn the_task_decides_which_architecture_has_to_be_there() {
        let there = observed(rule("ecr-public"), ImageState::Present(stored()));
        let on_arm =
            |observed: &Observed| image(observed, &settings(CacheBound::Warm), &policy(&[]), Architecture::Arm);
        let Readiness::Fetch(fetch) = on_arm(&there) else { panic!("not complete for ARM64") };
        assert_eq!(fetch.architectures, BTreeSet::from([Architecture::Arm]));
        let offered = Some(BTreeSet::from([Architecture::X86]));
        let there = observed(rule("ecr-public"), ImageState::Present(StoredImage { offered, ..stored() }));
        assert_eq!(reason(&on_arm(&there)), Some(Reason::ArchitectureMissing));
    }

    #[test]
    fn what_cannot_be_seen_is_fetched_or_else_told() {
        let unseen = StoredImage { offered: None, complete: BTreeSet::new(), unseen: Some("no".into()), ..stored() };
        let there = observed(rule("ecr-public"), ImageState::Present(unseen));
        assert!(matches!(judge(&there, CacheBound::Warm), Readiness::Fetch(_)));
        assert_eq!(reason(&judge(&there, CacheBound::Observe)), Some(Reason::ImageUnreadable));
    }

    #[test]
    fn a_moving_tag_is_looked_up_again_when_the_policy_says() {
        let aged =
            |hours| observed(rule("ecr-public"), ImageState::Present(StoredImage { age_hours: hours, ..stored() }));
        assert_eq!(judge(&aged(Some(23)), CacheBound::Warm), Readiness::Ready(None));
        assert_eq!(judge(&aged(None), CacheBound::Warm), Readiness::Ready(None));
        assert_eq!(judge(&aged(Some(24)), CacheBound::Observe), Readiness::Ready(None));
        let Readiness::Ready(Some(fetch)) = judge(&aged(Some(24)), CacheBound::Warm) else { panic!("not due") };
        assert_eq!((fetch.cause, fetch.rule), (FetchCause::Refresh, None));
    }

    #[test]
    fn only_a_pinned_image_minds_a_lifecycle_rule() {
        let there = observed(rule("ecr-public"), ImageState::Present(stored()));
        assert_eq!(judge(&there, CacheBound::Warm), Readiness::Ready(None));
        let pinned = policy(&[("pin: tag", "pin: digest")]);
        let judged = image(&there, &settings(CacheBound::Warm), &pinned, Architecture::X86);
        assert_eq!(reason(&judged), Some(Reason::ImageWouldExpire));
    }

    #[test]
    fn a_missing_log_group_is_made_left_to_the_driver_or_refused() {
        let missing = |may_create_log_group| Observed {
            log_group: LogGroupState::Missing,
            may_create_log_group,
            ..observed(CacheState::NotChecked, ImageState::NotChecked(None))
        };
        let group = |created_by_driver| LogGroup { name: "/app".to_owned(), created_by_driver };
        let judge = |observed: &Observed, group: &LogGroup, policy: &Policy| {
            log_group(observed, &settings(CacheBound::Warm), policy, Some(group))
        };
        let preset = policy(&[]);
        let made = judge(&missing(Permission::Denied), &group(true), &preset).expect("made");
        assert_eq!(made, Some(NewLogGroup { name: "/app".to_owned(), retention_days: Some(30) }));
        assert_eq!(judge(&missing(Permission::Allowed), &group(true), &preset), Ok(None));
        let refusing = policy(&[("missing: create", "missing: refuse")]);
        let refused = judge(&missing(Permission::NotChecked), &group(false), &refusing).expect_err("refused");
        assert_eq!(refused.reason, Reason::LogGroupMissing);
        let unseen = Observed { log_group: LogGroupState::Refused("no".into()), ..missing(Permission::Allowed) };
        assert_eq!(judge(&unseen, &group(true), &preset).expect_err("unseen").reason, Reason::LogGroupUnreadable);
    }
}
