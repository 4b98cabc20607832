//! Trails: whether CloudTrail tells EventBridge of registrations in this Region.

use super::code::Code;
use super::finding::Finding;
use super::mend;
use super::sight::{Seen, Selectors, Sight, Trail};

/// What creates a trail.
const CREATE: &str = "parameter CreateTrail=true of infra/cloudformation/operator.yaml";

/// Judges whether events will come: one trail that logs management writes here is enough.
pub(super) fn judge(sight: &Sight) -> Finding {
    let subject = "events";
    let trails = match &sight.trails {
        Seen::Yes(trails) => trails,
        Seen::No(why) => return Finding::not_seen(subject, why, "cloudtrail:DescribeTrails"),
    };
    if trails.is_empty() {
        let message = "no trail logs in this Region; events of registrations never come";
        return Finding::of(Code::NoTrail, subject, message).mended(CREATE);
    }
    let each: Vec<Finding> = trails.iter().map(|trail| one(sight, trail)).collect();
    // The others are somebody else's business then.
    match each.iter().find(|finding| finding.code.is_none()) {
        Some(fine) => Finding::group(subject, vec![fine.clone()]),
        // Where one may be enough, it is not known that something is missing.
        None if each.iter().any(|finding| !finding.code.is_some_and(is_settled)) => {
            Finding::group(subject, each.into_iter().filter(|finding| !finding.code.is_some_and(is_settled)).collect())
        }
        None => Finding::group(subject, each),
    }
}

fn is_settled(code: Code) -> bool {
    code.state() == super::State::Missing
}

fn one(sight: &Sight, trail: &Trail) -> Finding {
    let subject = format!("trail {}", trail.name);
    if !trail.is_multi_region && trail.home_region != sight.region.as_str() {
        let message = format!("it logs {} only", trail.home_region);
        let command = format!("aws cloudtrail update-trail --name {} --is-multi-region-trail", trail.arn);
        let mend = format!("{CREATE}, or {command} --region {}", trail.home_region);
        return Finding::of(Code::TrailElsewhere, subject, message).mended(mend);
    }
    let unclear = |why: &str, action: &str| {
        let whose = if trail.is_organization { "the organization's trail; " } else { "" };
        Finding::of(Code::TrailUnclear, subject.clone(), format!("{whose}{why}"))
            .mended(format!("grant {action} to whoever runs the doctor"))
    };
    match &trail.is_logging {
        Seen::Yes(true) => {}
        Seen::Yes(false) => {
            let command = format!("aws cloudtrail start-logging --name {} --region {}", trail.arn, trail.home_region);
            return Finding::of(Code::TrailNotLogging, subject, "its logging is switched off").mended(command);
        }
        Seen::No(why) => return unclear(why, "cloudtrail:GetTrailStatus"),
    }
    match &trail.selectors {
        Seen::Yes(Selectors::Writes) => Finding::ok(subject, "logs management writes in this Region"),
        Seen::Yes(Selectors::NoWrites) => {
            let selectors = "'[{\"ReadWriteType\":\"WriteOnly\",\"IncludeManagementEvents\":true}]'";
            let command =
                format!("cloudtrail put-event-selectors --trail-name {} --event-selectors {selectors}", trail.arn);
            let message = "it does not log management events that write";
            Finding::of(Code::TrailWithoutWrites, subject, message)
                .mended(format!("{CREATE}, or {}, which replaces its selectors", mend::aws(sight, &command)))
        }
        Seen::Yes(Selectors::Narrowed) => {
            Finding::of(Code::TrailUnclear, subject, "its selectors are narrowed by fields that are not judged")
        }
        Seen::No(why) => unclear(why, "cloudtrail:GetEventSelectors"),
    }
}
