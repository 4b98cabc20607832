//! Trails, and what they log.
//!
//! Knows: CloudTrail's answers and its two kinds of selectors. Must not know: which trail is enough.

use crate::{Answer, seen};
use aws_sdk_cloudtrail::types::{AdvancedEventSelector, AdvancedFieldSelector, EventSelector, ReadWriteType};
use aws_types::SdkConfig;
use ecs_sidecar_aws::Error as CallError;
use ecs_sidecar_core::doctor::{Seen, Selectors, Trail};
use ecs_sidecar_core::ids::Region;
use futures_util::future::join_all;

/// The source of the events that the operator waits for.
const ECS: &str = "ecs.amazonaws.com";

/// The CloudTrail client.
#[derive(Debug, Clone)]
pub(crate) struct Trails {
    client: aws_sdk_cloudtrail::Client,
}

impl Trails {
    /// A client.
    pub(crate) fn new(config: &SdkConfig) -> Self {
        Self { client: aws_sdk_cloudtrail::Client::new(config) }
    }

    /// The trails that log in this Region, those of other Regions that log it too, and names of the rest.
    pub(crate) async fn look(&self, region: &Region) -> Seen<Vec<Trail>> {
        let sent = self.client.describe_trails().include_shadow_trails(true).send().await;
        let here = match seen(sent.map_err(|error| CallError::call("DescribeTrails", region.as_str(), &error))) {
            Seen::Yes(answer) => answer.trail_list.unwrap_or_default(),
            Seen::No(why) => return Seen::No(why),
        };
        let mut trails = join_all(here.into_iter().map(|trail| self.trail(trail))).await;
        // Only to say more than "none": a trail of one other Region is not described here.
        for other in self.elsewhere(region).await.unwrap_or_default() {
            if trails.iter().all(|trail| trail.arn != other.arn) {
                trails.push(other);
            }
        }
        Seen::Yes(trails)
    }

    async fn trail(&self, trail: aws_sdk_cloudtrail::types::Trail) -> Trail {
        let arn = trail.trail_arn.unwrap_or_default();
        let (is_logging, selectors) = tokio::join!(self.is_logging(&arn), self.selectors(&arn));
        Trail {
            name: trail.name.unwrap_or_else(|| arn.clone()),
            home_region: trail.home_region.unwrap_or_default(),
            is_multi_region: trail.is_multi_region_trail.unwrap_or(false),
            is_organization: trail.is_organization_trail.unwrap_or(false),
            is_logging: seen(is_logging),
            selectors: seen(selectors),
            arn,
        }
    }

    async fn is_logging(&self, arn: &str) -> Answer<bool> {
        let sent = self.client.get_trail_status().name(arn).send().await;
        let answer = sent.map_err(|error| CallError::call("GetTrailStatus", arn, &error))?;
        Ok(answer.is_logging().unwrap_or(false))
    }

    async fn selectors(&self, arn: &str) -> Answer<Selectors> {
        let sent = self.client.get_event_selectors().trail_name(arn).send().await;
        let answer = sent.map_err(|error| CallError::call("GetEventSelectors", arn, &error))?;
        Ok(match (answer.advanced_event_selectors(), answer.event_selectors()) {
            // A trail to which nobody gave selectors logs management events of both kinds.
            ([], []) => Selectors::Writes,
            ([], basic) => basic_selectors(basic),
            (advanced, _) => advanced_selectors(advanced),
        })
    }

    async fn elsewhere(&self, region: &Region) -> Answer<Vec<Trail>> {
        let all = self.client.list_trails().into_paginator().items().send().collect::<Result<Vec<_>, _>>().await;
        let all = all.map_err(|error| CallError::call("ListTrails", region.as_str(), &error))?;
        let other = |trail: aws_sdk_cloudtrail::types::TrailInfo| {
            let untold = || Seen::No("it is not described here".to_owned());
            let home_region = trail.home_region.filter(|home| home != region.as_str())?;
            Some(Trail {
                arn: trail.trail_arn?,
                name: trail.name?,
                home_region,
                is_multi_region: false,
                is_organization: false,
                is_logging: untold(),
                selectors: Seen::No("it is not described here".to_owned()),
            })
        };
        Ok(all.into_iter().filter_map(other).collect())
    }
}

fn basic_selectors(selectors: &[EventSelector]) -> Selectors {
    let takes = |selector: &EventSelector| {
        selector.include_management_events().unwrap_or(true)
            && selector.read_write_type().is_none_or(|kind| *kind != ReadWriteType::ReadOnly)
    };
    if selectors.iter().any(takes) { Selectors::Writes } else { Selectors::NoWrites }
}

/// One selector is enough; within it every field has to match.
fn advanced_selectors(selectors: &[AdvancedEventSelector]) -> Selectors {
    let each = selectors.iter().map(|selector| {
        let fields = selector.field_selectors();
        if !fields.iter().any(|field| field.field() == "eventCategory" && field.equals() == ["Management"]) {
            return Selectors::NoWrites;
        }
        let others = fields.iter().filter(|field| field.field() != "eventCategory");
        others.map(field_selector).fold(Selectors::Writes, |all, one| match (all, one) {
            (Selectors::NoWrites, _) | (_, Selectors::NoWrites) => Selectors::NoWrites,
            (Selectors::Narrowed, _) | (_, Selectors::Narrowed) => Selectors::Narrowed,
            (Selectors::Writes, Selectors::Writes) => Selectors::Writes,
        })
    });
    each.fold(Selectors::NoWrites, |best, one| match (best, one) {
        (Selectors::Writes, _) | (_, Selectors::Writes) => Selectors::Writes,
        (Selectors::Narrowed, _) | (_, Selectors::Narrowed) => Selectors::Narrowed,
        (Selectors::NoWrites, Selectors::NoWrites) => Selectors::NoWrites,
    })
}

fn field_selector(field: &AdvancedFieldSelector) -> Selectors {
    let only_not_equals = field.equals().is_empty()
        && field.starts_with().is_empty()
        && field.ends_with().is_empty()
        && field.not_starts_with().is_empty()
        && field.not_ends_with().is_empty();
    match field.field() {
        "readOnly" if field.equals() == ["false"] => Selectors::Writes,
        "readOnly" if field.equals() == ["true"] => Selectors::NoWrites,
        // What leaves out noisy services does not leave out ECS.
        "eventSource" if only_not_equals && !field.not_equals().iter().any(|source| source == ECS) => Selectors::Writes,
        "eventSource" if only_not_equals => Selectors::NoWrites,
        _ => Selectors::Narrowed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(name: &str, equals: &[&str], not_equals: &[&str]) -> AdvancedFieldSelector {
        let list = |texts: &[&str]| {
            Some(texts.iter().map(|text| (*text).to_owned()).collect()).filter(|l: &Vec<_>| !l.is_empty())
        };
        AdvancedFieldSelector::builder()
            .field(name)
            .set_equals(list(equals))
            .set_not_equals(list(not_equals))
            .build()
            .expect("a field")
    }

    fn advanced(more: Vec<AdvancedFieldSelector>) -> Selectors {
        let mut fields = vec![field("eventCategory", &["Management"], &[])];
        fields.extend(more);
        advanced_selectors(&[AdvancedEventSelector::builder()
            .set_field_selectors(Some(fields))
            .build()
            .expect("fields")])
    }

    #[test]
    fn advanced_selectors_take_writes_unless_a_field_leaves_them_out() {
        assert_eq!(advanced(vec![]), Selectors::Writes);
        assert_eq!(advanced(vec![field("readOnly", &["false"], &[])]), Selectors::Writes);
        assert_eq!(advanced(vec![field("eventSource", &[], &["kms.amazonaws.com"])]), Selectors::Writes);
        assert_eq!(advanced(vec![field("readOnly", &["true"], &[])]), Selectors::NoWrites);
        assert_eq!(advanced(vec![field("eventSource", &[], &[ECS])]), Selectors::NoWrites);
        assert_eq!(advanced(vec![field("eventName", &["RegisterTaskDefinition"], &[])]), Selectors::Narrowed);
        let data = AdvancedEventSelector::builder().field_selectors(field("eventCategory", &["Data"], &[])).build();
        assert_eq!(advanced_selectors(&[data.expect("fields")]), Selectors::NoWrites);
    }

    #[test]
    fn basic_selectors_take_writes_unless_they_are_for_reads_or_data_only() {
        let selector = EventSelector::builder;
        assert_eq!(basic_selectors(&[selector().include_management_events(true).build()]), Selectors::Writes);
        let reads = selector().include_management_events(true).read_write_type(ReadWriteType::ReadOnly).build();
        let data = selector().include_management_events(false).build();
        assert_eq!(basic_selectors(&[reads.clone(), data.clone()]), Selectors::NoWrites);
        let writes = selector().read_write_type(ReadWriteType::WriteOnly).build();
        assert_eq!(basic_selectors(&[reads, data, writes]), Selectors::Writes);
    }
}
