//! News of a service: somebody created or updated it, or a deployment of it came to its end.
//!
//! Knows: where they name the service, and who changed it. Must not know: what is done about it.

use super::known::Known;
use super::scalars::Scalars;
use super::{Home, Ignored, Meaning, Problem, is_role};
use crate::ids::{Arn, ServiceRef};
use crate::names::LOOK_AT_SERVICE;
use serde_json::Value;

/// The calls that change which revision a service pins, or who may change it.
const CALLS: [&str; 2] = ["CreateService", "UpdateService"];

/// ECS's own event, which has the service among its resources.
const DEPLOYMENT: &str = "ECS Deployment State Change";

/// How many characters are kept of who changed a service.
const LONGEST: usize = 300;

/// What the news mean; `None` if they are of something else.
pub(super) fn meaning(known: &Known, input: &Value, home: &Home) -> Option<Meaning> {
    let name = known.name.as_deref()?;
    if !CALLS.contains(&name) && name != DEPLOYMENT && name != LOOK_AT_SERVICE {
        return None;
    }
    Some(if known.error_code.is_some() {
        Meaning::Ignore(Ignored::FailedCall)
    } else if known.issuer.as_deref().is_some_and(|issuer| is_role(issuer, &home.role)) {
        Meaning::Ignore(Ignored::OwnCall)
    } else {
        match known.is_at(home).and_then(|()| service(input, home)) {
            Ok(Some(service)) => Meaning::LookAtService(service, who(input)),
            Ok(None) => Meaning::Ignore(Ignored::OldServiceArn),
            Err(problem) => Meaning::Unclear(problem),
        }
    })
}

/// A service that a person or a message names.
pub(super) fn named(text: &str, home: &Home) -> Result<ServiceRef, Problem> {
    let service: ServiceRef = text.parse().map_err(|_| Problem::NoService)?;
    if service.arn().account().is_none_or(|account| account != home.account) {
        return Err(Problem::OtherAccount);
    }
    if service.arn().region().is_none_or(|region| region != home.region) {
        return Err(Problem::OtherRegion);
    }
    Ok(service)
}

/// The service; `None` if its ARN does not name its cluster.
fn service(input: &Value, home: &Home) -> Result<Option<ServiceRef>, Problem> {
    let record = input.get("detail").unwrap_or(input);
    let (input, record) = (Scalars::of(input), Scalars::of(record));
    let arn = input.get("/service").or_else(|| record.get("/responseElements/service/serviceArn"));
    let Some(arn) = arn.or_else(|| input.get("/resources/0")) else {
        return Err(if input.too_long() || record.too_long() { Problem::TooLong } else { Problem::NoService });
    };
    let is_old = arn.parse::<Arn>().is_ok_and(|arn| {
        arn.service() == "ecs" && arn.resource().strip_prefix("service/").is_some_and(|name| !name.contains('/'))
    });
    if is_old { Ok(None) } else { named(&arn, home).map(Some) }
}

/// Who changed it, for people: the principal, its program, and the service that called on its behalf.
fn who(input: &Value) -> Option<String> {
    let record = input.get("detail").unwrap_or(input);
    let (input, record) = (Scalars::of(input), Scalars::of(record));
    let either = |flat: &str, nested: &str| input.get(flat).or_else(|| record.get(nested));
    let parts = [
        either("/principal", "/userIdentity/arn"),
        either("/userAgent", "/userAgent").map(|agent| format!("user agent {agent}")),
        either("/invokedBy", "/userIdentity/invokedBy").map(|service| format!("invoked by {service}")),
    ];
    let who = parts.into_iter().flatten().collect::<Vec<_>>().join(", ");
    // Anybody chooses his user agent.
    let who: String = who.chars().filter(|letter| !letter.is_control()).take(LONGEST).collect();
    (!who.is_empty()).then_some(who)
}

#[cfg(test)]
mod tests {
    use super::super::tests::meaning as meant;
    use super::*;
    use serde_json::json;

    const SERVICE: &str = "arn:aws:ecs:eu-west-1:111122223333:service/prod/web";

    fn look(by: Option<&str>) -> Meaning {
        Meaning::LookAtService(SERVICE.parse().expect("a service"), by.map(str::to_owned))
    }

    fn transformed(more: &Value) -> Value {
        let mut event = json!({
            "account": "111122223333", "region": "eu-west-1", "id": "e-1", "name": "UpdateService", "service": SERVICE,
            "issuer": "arn:aws:iam::111122223333:role/ci", "errorCode": "", "userAgent": "", "invokedBy": "<invokedBy>",
            "principal": "arn:aws:sts::111122223333:assumed-role/ci/run",
        });
        for (key, value) in more.as_object().expect("an object") {
            event[key] = value.clone();
        }
        event
    }

    #[test]
    fn who_changed_a_service_is_told() {
        let principal = "arn:aws:sts::111122223333:assumed-role/ci/run";
        assert_eq!(meant(&transformed(&json!({}))), look(Some(principal)));
        let terraform = format!("{principal}, user agent Terraform/1.5");
        assert_eq!(meant(&transformed(&json!({ "userAgent": "Terraform/1.5\u{7}" }))), look(Some(&terraform)));
        let long = json!({ "userAgent": "x".repeat(1000) });
        let Meaning::LookAtService(_, Some(who)) = meant(&transformed(&long)) else { panic!("a look") };
        assert_eq!(who.len(), LONGEST);
    }

    #[test]
    fn a_whole_event_and_a_record_are_understood_as_well() {
        let record = json!({
            "eventSource": "ecs.amazonaws.com", "eventName": "CreateService", "awsRegion": "eu-west-1",
            "recipientAccountId": "111122223333", "userAgent": "cloudformation.amazonaws.com",
            "userIdentity": { "invokedBy": "cloudformation.amazonaws.com" },
            "responseElements": { "service": { "serviceArn": SERVICE } },
        });
        let by = Some("user agent cloudformation.amazonaws.com, invoked by cloudformation.amazonaws.com");
        assert_eq!(meant(&record), look(by));
        let event = json!({ "account": "111122223333", "region": "eu-west-1", "detail": record });
        assert_eq!(meant(&event), look(by));
        let native = json!({
            "account": "111122223333", "region": "eu-west-1", "detail-type": DEPLOYMENT, "resources": [SERVICE],
            "detail": { "eventName": "SERVICE_DEPLOYMENT_COMPLETED", "deploymentId": "ecs-svc/1" },
        });
        assert_eq!(meant(&native), look(None));
        let transformed = json!({
            "account": "111122223333", "region": "eu-west-1", "id": "e-1", "name": DEPLOYMENT, "resources": [SERVICE],
        });
        assert_eq!(meant(&transformed), look(None));
        assert_eq!(meant(&json!({ "name": LOOK_AT_SERVICE, "service": SERVICE, "waits": "3" })), look(None));
    }

    #[test]
    fn what_is_not_ours_is_not_looked_at() {
        let own = json!({ "issuer": "arn:aws:iam::111122223333:role/stack/operator" });
        assert_eq!(meant(&transformed(&own)), Meaning::Ignore(Ignored::OwnCall));
        let failed = json!({ "errorCode": "AccessDenied" });
        assert_eq!(meant(&transformed(&failed)), Meaning::Ignore(Ignored::FailedCall));
        for (service, expected) in [
            ("arn:aws:ecs:eu-west-1:111122223333:service/web", Meaning::Ignore(Ignored::OldServiceArn)),
            ("arn:aws:ecs:eu-west-1:444455556666:service/prod/web", Meaning::Unclear(Problem::OtherAccount)),
            ("arn:aws:ecs:us-east-1:111122223333:service/prod/web", Meaning::Unclear(Problem::OtherRegion)),
            ("web", Meaning::Unclear(Problem::NoService)),
            ("", Meaning::Unclear(Problem::NoService)),
        ] {
            assert_eq!(meant(&transformed(&json!({ "service": service }))), expected, "{service}");
        }
    }
}
