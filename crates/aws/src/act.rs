//! Everything that is written. Makes no choice that is not in the plan.
//!
//! Knows: the order of the calls, and what each answer proves. Must not know: why the plan is what it is.
//!
//! Fail closed: nothing is registered before its roles have what it needs, and a revision of ours that turns out to
//! shadow somebody's newer work, or to ask more of an instance than the original, is deregistered before anything else.

use crate::clients::{CALL, Clients};
use crate::deadline::Deadline;
use crate::demands::requires_more;
use crate::ecs::Registration;
use crate::error::{Error, Said};
use crate::gap::{Gap, Verdict, number_of};
use crate::iam::Attachment;
use crate::observe::Sight;
use crate::telling::pair;

use ecs_sidecar_core::definition::TaskDefinition;
use ecs_sidecar_core::ids::Arn;
use ecs_sidecar_core::keys::task;
use ecs_sidecar_core::mask::secrets_of;
use ecs_sidecar_core::normalize;
use ecs_sidecar_core::plan::{Decision, Grant, Plan};
use ecs_sidecar_core::reason::Reason;
use ecs_sidecar_core::refusal::Refusal;
use ecs_sidecar_core::report::Outcome;
use futures_util::future::try_join_all;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// What came of acting on a plan.
#[derive(Debug)]
pub enum Acted {
    /// The plan is done, or AWS refused it.
    Done {
        /// Which.
        outcome: Outcome,
        /// What else a person would want to know.
        notes: Vec<String>,
    },
    /// Somebody registered something newer meanwhile; ours is gone again, and the family is to be looked at anew.
    Conflict {
        /// Ours.
        deregistered: Arn,
    },
}

impl From<Outcome> for Acted {
    fn from(outcome: Outcome) -> Self {
        Self::Done { outcome, notes: Vec::new() }
    }
}

/// How long a registration may take with what has to follow it: the look at the gap, and a deregistration.
pub(crate) const TO_REGISTER: Duration = Duration::from_secs(3 * CALL.as_secs());

/// Shorter values are flags and numbers, which would tear the message apart.
const SHORTEST_SECRET: usize = 4;

/// Does what the plan says. What is attached to roles is added to `attached`, as `ROLE POLICY`.
///
/// Guarantees: the log group and grants before the registration, and no registration if one is refused. At most one revision more
/// than before. If it is cut off between any two calls, the next reconcile finds what is left and finishes it.
/// Assumptions: the plan was made from this very sight, a moment ago. The role may attach, register, deregister.
/// Errors: those of the calls; [`Error::Uncertain`] after a registration whose answer nobody saw, [`Error::OutOfTime`]
/// before a registration that might not end in time.
pub(crate) async fn act(
    clients: &Clients,
    sight: &Sight,
    plan: &Plan,
    deadline: Deadline,
    attached: &Mutex<BTreeSet<String>>,
) -> Result<Acted, Error> {
    let refused = |refusal| Ok(Outcome::Refused { refusal, deregistered: Vec::new() }.into());
    if let Some(group) = &plan.log_group
        && let Err(refusal) = clients.logs.create(group).await?
    {
        return refused(refusal);
    }
    if let Some(refusal) = grant(clients, &plan.grants, attached).await? {
        return refused(refusal);
    }
    match plan.decision {
        Decision::UpToDate | Decision::Skip if plan.grants.is_empty() && plan.log_group.is_none() => {
            Ok(Outcome::Nothing.into())
        }
        Decision::UpToDate | Decision::Skip => Ok(Outcome::Granted.into()),
        // Whoever acts has fetched what was to be fetched before.
        Decision::Fetch => Ok(Outcome::Nothing.into()),
        Decision::Withdraw => {
            clients.ecs.deregister(&sight.newest).await?;
            Ok(Outcome::Deregistered { arns: vec![sight.newest.clone()] }.into())
        }
        Decision::Inject | Decision::Update | Decision::Remove => register(clients, sight, plan, deadline).await,
    }
}

/// Attaches what is missing: roles side by side, the policies of one role in turn, since IAM refuses two changes of
/// a role at once. The first refusal is told.
async fn grant(
    clients: &Clients,
    grants: &[Grant],
    attached: &Mutex<BTreeSet<String>>,
) -> Result<Option<Refusal>, Error> {
    let mut roles: BTreeMap<_, Vec<&Grant>> = BTreeMap::new();
    for grant in grants {
        roles.entry(&grant.role).or_default().push(grant);
    }
    let roles = roles.into_iter().map(|(role, grants)| async move {
        for grant in grants {
            if let Attachment::Refused { reason, message } = clients.iam.attach(role, &grant.policy_arn).await? {
                return Ok(Some(Refusal::new(reason, message)));
            }
            attached.lock().unwrap_or_else(PoisonError::into_inner).insert(pair(grant));
        }
        Ok::<_, Error>(None)
    });
    Ok(try_join_all(roles).await?.into_iter().flatten().next())
}

async fn register(clients: &Clients, sight: &Sight, plan: &Plan, deadline: Deadline) -> Result<Acted, Error> {
    deadline.allow(TO_REGISTER, "register", &sight.family)?;
    let (arn, answer) = match clients.ecs.register(&sight.family, &plan.result).await? {
        Registration::Registered { arn, definition } => (arn, definition),
        Registration::Refused(said) => {
            let reason = refused_because(&plan.result, &said);
            return Ok(refused(reason, &said, &plan.result));
        }
        Registration::Denied(said) => return Ok(refused(Reason::PermissionDenied, &said, &plan.result)),
    };
    if let Some(message) = requires_more(&sight.observed.definition, &answer) {
        clients.ecs.deregister(&arn).await?;
        let refusal = Refusal::new(Reason::RequiresMore, message);
        return Ok(Outcome::Refused { refusal, deregistered: vec![arn] }.into());
    }
    let numbers = sight.number.saturating_add(1)..number_of(&arn).unwrap_or(u64::MAX);
    let gap = Gap { ecs: &clients.ecs, family: &sight.family, role: &clients.role, numbers, inactive: &[] };
    match gap.judge(&answer).await? {
        Verdict::Clear => {
            let notes = differences(&plan.result, &answer);
            Ok(Acted::Done { outcome: Outcome::Registered { arn, deregistered: Vec::new() }, notes })
        }
        Verdict::Shadows => {
            clients.ecs.deregister(&arn).await?;
            Ok(Acted::Conflict { deregistered: arn })
        }
        Verdict::Surplus => {
            clients.ecs.deregister(&arn).await?;
            Ok(Outcome::Deregistered { arns: vec![arn] }.into())
        }
    }
}

fn refused(reason: Reason, said: &Said, sent: &TaskDefinition) -> Acted {
    let refusal = Refusal::new(reason, masked(&format!("RegisterTaskDefinition: {said}"), sent));
    Outcome::Refused { refusal, deregistered: Vec::new() }.into()
}

/// Tells a refused member, which a setting cures, from any other refusal. ECS has no code for it, so this reads the
/// message; what hangs on it is only which advice a person gets.
fn refused_because(sent: &TaskDefinition, said: &Said) -> Reason {
    let words: Vec<&str> = said.message.split(|character: char| !character.is_ascii_alphanumeric()).collect();
    let unknown = |(key, _): &(std::borrow::Cow<'_, str>, _)| !task::REGISTRABLE.contains(&&**key);
    let names_one = sent.root().members().filter(unknown).any(|(key, _)| words.contains(&&*key));
    if names_one { Reason::FieldRefused } else { Reason::RegistrationRefused }
}

/// ECS's words without what may be secret, should it quote any of it.
fn masked(message: &str, sent: &TaskDefinition) -> String {
    let spans = sent.containers().flat_map(|container| secrets_of(container, |_| false));
    let written: Vec<&str> = spans.map(|span| &sent.text()[span]).collect();
    // As it stands in the JSON, where a quote has a backslash before it, and as it reads.
    let read = written.iter().filter_map(|json| serde_json::from_str::<String>(json).ok());
    let bare = written.iter().map(|json| json.trim_matches('"').to_owned());
    let mut values: Vec<String> = read.chain(bare).filter(|value| value.len() >= SHORTEST_SECRET).collect();
    // A value may be part of another.
    values.sort_by_key(|value| std::cmp::Reverse(value.len()));
    values.iter().fold(message.to_owned(), |message, value| message.replace(value, "***"))
}

/// Names of the outermost members that ECS keeps otherwise than they were sent; never their values.
fn differences(sent: &TaskDefinition, kept: &TaskDefinition) -> Vec<String> {
    let (sent, kept) = (normalize::canonical(sent), normalize::canonical(kept));
    if sent == kept {
        return Vec::new();
    }
    let members = |text: &str| -> BTreeMap<String, String> {
        let members = serde_json::from_str::<BTreeMap<String, serde_json::Value>>(text).unwrap_or_default();
        members.into_iter().map(|(key, value)| (key, value.to_string())).collect()
    };
    let (sent, kept) = (members(&sent), members(&kept));
    let keys = sent.keys().chain(kept.keys().filter(|key| !sent.contains_key(*key)));
    let differing: Vec<&str> = keys.filter(|key| sent.get(*key) != kept.get(*key)).map(String::as_str).collect();
    vec![format!("ECS keeps {} otherwise than it was sent", differing.join(", "))]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_that_names_an_unknown_member_of_ours_is_the_members() {
        let text = r#"{"family":"web","containerDefinitions":[{"name":"web"}],"brandNew":1}"#;
        let sent = TaskDefinition::parse(text).expect("a definition");
        let said = |message: &str| Said { code: None, message: message.to_owned() };
        assert_eq!(refused_because(&sent, &said("Unknown parameter in input: \"brandNew\"")), Reason::FieldRefused);
        assert_eq!(refused_because(&sent, &said("Invalid family brandNews")), Reason::RegistrationRefused);
        assert_eq!(refused_because(&sent, &said("containerDefinitions")), Reason::RegistrationRefused);
    }

    #[test]
    fn what_ecs_quotes_of_secrets_is_masked() {
        let text = serde_json::json!({ "family": "web", "containerDefinitions": [{
            "name": "web",
            "environment": [{ "name": "A", "value": "hunter2" }, { "name": "B", "value": "1" }, { "name": "C", "value": "a\"b\"c" }],
            "secrets": [{ "name": "D", "valueFrom": "parameter/hidden" }],
            "logConfiguration": {
                "logDriver": "splunk",
                "options": { "splunk-token": "token-9" },
                "secretOptions": [{ "name": "splunk-url", "valueFrom": "parameter/url" }],
            },
        }]});
        let sent = TaskDefinition::parse(&text.to_string()).expect("a definition");
        assert_eq!(masked("value hunter2 of 1 is bad", &sent), "value *** of 1 is bad");
        for secret in ["token-9", "parameter/hidden", "parameter/url", r#"a"b"c"#, r#"a\"b\"c"#] {
            assert_eq!(masked(&format!("<{secret}>"), &sent), "<***>");
        }
    }

    #[test]
    fn a_difference_names_members_and_not_values() {
        let parse = |text: &str| TaskDefinition::parse(text).expect("a definition");
        let sent = parse(
            r#"{"family":"web","containerDefinitions":[{"name":"web","environment":[{"name":"A","value":"secret"}]}]}"#,
        );
        let kept = parse(r#"{"family":"web","containerDefinitions":[{"name":"web"}]}"#);
        assert!(differences(&sent, &sent).is_empty());
        let notes = differences(&sent, &kept);
        assert!(notes[0].contains("containerDefinitions") && !notes[0].contains("secret"), "{notes:?}");
    }
}
