//! Roles and log groups: what a definition's roles may do, and what may take it away.

use super::code::Code;
use super::finding::Finding;
use super::mend;
use super::needs::{self, Actions};
use super::sight::{Attachments, LogGroup, RoleSight, Seen, Sight, Simulated};
use crate::intent::{Place, policy_arns};

/// AWS's managed policies that hold what pulling and logging need.
const EXECUTION: [&str; 1] = ["AmazonECSTaskExecutionRolePolicy"];

/// Judges the roles of the definition, and the log groups that its execution role writes to.
pub(super) fn judge(sight: &Sight) -> Finding {
    let (task_actions, execution_actions) = needs::required_actions(sight);
    let mut parts = vec![
        match &sight.task_role {
            Some(role) => {
                let wanted = needs::sidecar_policies(sight);
                one(sight, "task role", role, &Demand { actions: &task_actions, wanted: &wanted, sufficient: &[] })
            }
            None if sight.on_fargate => Finding::of(Code::NoTaskRole, "task role", "the definition has none")
                .mended("name one in the definition, or set DefaultTaskRoleArn of infra/cloudformation/operator.yaml"),
            None => Finding::of(Code::InstanceRole, "task role", "none; the instance's role counts, which is not seen"),
        },
        match &sight.execution_role {
            Some(role) => {
                let place = Place { account: &sight.account, region: &sight.region };
                let wanted = policy_arns(&sight.policy.spec.permissions.execution_role, &sight.policy, place);
                let demand = Demand { actions: &execution_actions, wanted: &wanted, sufficient: &EXECUTION };
                one(sight, "execution role", role, &demand)
            }
            None if sight.on_fargate => Finding::of(Code::NoExecutionRole, "execution role", "the definition has none")
                .mended(
                    "name one in the definition, or set DefaultExecutionRoleArn of infra/cloudformation/operator.yaml",
                ),
            None => {
                Finding::of(Code::InstancePulls, "execution role", "none; the instance's role pulls, which is not seen")
            }
        },
    ];
    parts.extend(sight.log_groups.iter().map(|group| log_group(sight, group)));
    Finding::group("roles and logs", parts)
}

/// What is wanted of a role.
struct Demand<'a> {
    /// What it must be allowed.
    actions: &'a [Actions],
    /// ARNs of managed policies that the sidecar policy names.
    wanted: &'a [String],
    /// Names of AWS's managed policies of which one is enough for the actions.
    sufficient: &'a [&'a str],
}

fn one(sight: &Sight, kind: &str, seen: &RoleSight, demand: &Demand<'_>) -> Finding {
    let role = &seen.role;
    let subject = format!("{kind} {}", role.name());
    if let Some(account) = role.account().filter(|account| *account != sight.account) {
        return Finding::of(
            Code::RoleOtherAccount,
            subject,
            format!("it is of account {account}, not {}", sight.account),
        );
    }
    let attached = match &seen.attachments {
        Seen::Yes(Some(attached)) => attached,
        Seen::Yes(None) => {
            let create = mend::iam(&format!(
                "create-role --role-name {} --assume-role-policy-document file://ecs-tasks.json",
                role.name()
            ));
            return Finding::of(Code::RoleMissing, subject, "there is no such role").mended(create);
        }
        Seen::No(why) => {
            return Finding::not_seen(
                subject,
                why,
                "iam:GetRole, iam:ListAttachedRolePolicies and iam:ListRolePolicies",
            );
        }
    };
    match &seen.simulated {
        Seen::Yes(simulated) => {
            let worst = demand.actions.iter().flat_map(|part| part.names.iter()).filter_map(|name| {
                simulated.get(*name).map(|said| (*name, *said)).filter(|(_, said)| *said != Simulated::Allowed)
            });
            by_simulation(subject, seen, attached, demand, worst.max_by_key(|(_, said)| severity(*said)))
        }
        Seen::No(_) => by_attachments(subject, seen, attached, demand),
    }
}

fn severity(said: Simulated) -> u8 {
    match said {
        Simulated::Allowed => 0,
        Simulated::Depends => 1,
        Simulated::Denied => 2,
        Simulated::DeniedByBoundary => 3,
    }
}

/// IAM has said what comes of policies, boundary and organization together.
fn by_simulation(
    subject: String,
    seen: &RoleSight,
    attached: &Attachments,
    demand: &Demand<'_>,
    worst: Option<(&str, Simulated)>,
) -> Finding {
    let boundary = attached.boundary.as_deref().unwrap_or("the boundary");
    match worst {
        None | Some((_, Simulated::Allowed)) => Finding::ok(subject, "IAM's simulation allows what the task needs"),
        Some((action, Simulated::DeniedByBoundary)) => {
            let message = format!("{boundary} does not allow {action}");
            Finding::of(Code::BoundaryDenies, subject, message)
                .mended(format!("let the permissions boundary {boundary} allow {action}"))
        }
        Some((action, Simulated::Depends)) => {
            Finding::of(Code::RoleUnclear, subject, format!("whether it may {action} depends on the request"))
        }
        Some((action, Simulated::Denied)) => match lacking(attached, demand) {
            Some(arn) => lacks_policy(subject, seen, &arn),
            None => Finding::of(Code::RoleLacksAction, subject, format!("IAM's simulation denies {action}"))
                .mended(attach(seen, &managed(seen, demand))),
        },
    }
}

/// Without a simulation, only what hangs on the role speaks for it.
fn by_attachments(subject: String, seen: &RoleSight, attached: &Attachments, demand: &Demand<'_>) -> Finding {
    if let Some(arn) = lacking(attached, demand) {
        return lacks_policy(subject, seen, &arn);
    }
    let has = |name: &&str| attached.policies.iter().any(|arn| arn.rsplit('/').next() == Some(*name));
    let is_enough = demand.sufficient.is_empty() || demand.sufficient.iter().any(has);
    match (&attached.boundary, is_enough) {
        (Some(boundary), _) => Finding::of(
            Code::BoundaryUnclear,
            subject,
            format!("its permissions boundary {boundary} may take away what its policies grant"),
        )
        .mended("grant iam:SimulatePrincipalPolicy to whoever runs the doctor"),
        (None, true) => Finding::ok(subject, "it has the managed policies"),
        (None, false) if attached.policies.is_empty() && !attached.has_inline => {
            Finding::of(Code::RoleLacksAction, subject, "it has no policy at all")
                .mended(attach(seen, &managed(seen, demand)))
        }
        (None, false) => Finding::of(
            Code::RoleUnclear,
            subject,
            "whether its policies are enough could only be told by a simulation",
        )
        .mended("grant iam:SimulatePrincipalPolicy to whoever runs the doctor"),
    }
}

/// The first managed policy of the sidecar policy that the role has not.
fn lacking(attached: &Attachments, demand: &Demand<'_>) -> Option<String> {
    demand.wanted.iter().find(|arn| !attached.policies.contains(*arn)).cloned()
}

fn lacks_policy(subject: String, seen: &RoleSight, arn: &str) -> Finding {
    Finding::of(Code::RoleLacksPolicy, subject, format!("it lacks {arn}")).mended(attach(seen, arn))
}

fn attach(seen: &RoleSight, arn: &str) -> String {
    mend::iam(&format!("attach-role-policy --role-name {} --policy-arn {arn}", seen.role.name()))
}

/// A managed policy that would be enough.
fn managed(seen: &RoleSight, demand: &Demand<'_>) -> String {
    let partition =
        seen.role.as_str().split(':').nth(1).filter(|partition| partition.starts_with("aws")).unwrap_or("aws");
    match (demand.wanted.first(), demand.sufficient.first()) {
        (Some(arn), _) => arn.clone(),
        (None, Some(name)) => format!("arn:{partition}:iam::aws:policy/service-role/{name}"),
        (None, None) => "...".to_owned(),
    }
}

fn log_group(sight: &Sight, group: &LogGroup) -> Finding {
    let subject = format!("log group {}", group.name);
    match &group.exists {
        None => Finding::ok(subject, "a container says that it be created (awslogs-create-group)"),
        Some(Seen::Yes(true)) => Finding::ok(subject, "there"),
        Some(Seen::Yes(false)) => {
            let command = format!("logs create-log-group --log-group-name {}", group.name);
            Finding::of(Code::LogGroupMissing, subject, "it does not exist: the task will not start")
                .mended(mend::aws(sight, &command))
        }
        Some(Seen::No(why)) => Finding::not_seen(subject, why, "logs:DescribeLogGroups"),
    }
}
