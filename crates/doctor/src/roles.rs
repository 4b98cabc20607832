//! Roles: what hangs on them, and what IAM's simulation says.
//!
//! Knows: IAM's answers. Must not know: which policy is enough.

use crate::{Answer, seen};
use aws_sdk_iam::types::{EvaluationResult, PolicyEvaluationDecisionType};
use aws_types::SdkConfig;
use ecs_sidecar_aws::{Chain, Error as CallError};
use ecs_sidecar_core::doctor::{Actions, Attachments, RoleSight, Seen, Simulated};
use ecs_sidecar_core::ids::RoleRef;
use std::collections::BTreeMap;

/// IAM's code for a role that does not exist.
const NO_SUCH_ENTITY: [&str; 1] = ["NoSuchEntity"];

/// The IAM client.
#[derive(Debug, Clone)]
pub(crate) struct Roles {
    client: aws_sdk_iam::Client,
}

/// What GetRole says.
struct Own {
    arn: String,
    boundary: Option<String>,
}

impl Roles {
    /// A client.
    pub(crate) fn new(config: &SdkConfig) -> Self {
        Self { client: aws_sdk_iam::Client::new(config) }
    }

    /// Looks at a role, and has IAM simulate these actions for it.
    pub(crate) async fn look(&self, role: RoleRef, actions: &[Actions]) -> RoleSight {
        let own = match self.own(&role).await {
            Ok(Some(own)) => own,
            Ok(None) => {
                let simulated = Seen::No("there is no such role".to_owned());
                return RoleSight { role, attachments: Seen::Yes(None), simulated };
            }
            Err(error) => {
                let why = Chain(&error).to_string();
                return RoleSight { role, attachments: Seen::No(why.clone()), simulated: Seen::No(why) };
            }
        };
        let (attachments, simulated) =
            tokio::join!(self.attachments(&role, own.boundary), self.simulate(&own.arn, actions));
        RoleSight { role, attachments: seen(attachments.map(Some)), simulated: seen(simulated) }
    }

    async fn own(&self, role: &RoleRef) -> Answer<Option<Own>> {
        let sent = self.client.get_role().role_name(role.name()).send().await;
        match sent.map_err(|error| CallError::call("GetRole", role.as_str(), &error)) {
            Ok(answer) => Ok(answer.role.map(|role| Own {
                boundary: role.permissions_boundary.and_then(|boundary| boundary.permissions_boundary_arn),
                arn: role.arn,
            })),
            Err(error) if error.is_code(&NO_SUCH_ENTITY) => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn attachments(&self, role: &RoleRef, boundary: Option<String>) -> Answer<Attachments> {
        let attached = self.client.list_attached_role_policies().role_name(role.name()).into_paginator().items().send();
        let inline = self.client.list_role_policies().role_name(role.name()).into_paginator().items().send();
        let (attached, inline) =
            tokio::join!(attached.collect::<Result<Vec<_>, _>>(), inline.collect::<Result<Vec<_>, _>>());
        let attached = attached.map_err(|error| CallError::call("ListAttachedRolePolicies", role.as_str(), &error))?;
        let inline = inline.map_err(|error| CallError::call("ListRolePolicies", role.as_str(), &error))?;
        let policies = attached.into_iter().filter_map(|policy| policy.policy_arn).collect();
        Ok(Attachments { policies, boundary, has_inline: !inline.is_empty() })
    }

    async fn simulate(&self, arn: &str, actions: &[Actions]) -> Answer<BTreeMap<String, Simulated>> {
        let mut all = BTreeMap::new();
        for part in actions {
            let names = part.names.iter().map(|name| (*name).to_owned()).collect();
            let asked = self.client.simulate_principal_policy().policy_source_arn(arn).set_action_names(Some(names));
            let pages = asked.resource_arns(&part.resource).into_paginator().items().send();
            let results = pages.collect::<Result<Vec<_>, _>>().await;
            let results = results.map_err(|error| CallError::call("SimulatePrincipalPolicy", arn, &error))?;
            for result in results {
                let said = simulated(&result, part);
                let worst = all.entry(result.eval_action_name).or_insert(said);
                if *worst == Simulated::Allowed {
                    *worst = said;
                }
            }
        }
        Ok(all)
    }
}

fn simulated(result: &EvaluationResult, part: &Actions) -> Simulated {
    let by_boundary = result.permissions_boundary_decision_detail();
    if result.eval_decision == PolicyEvaluationDecisionType::Allowed {
        Simulated::Allowed
    } else if by_boundary.is_some_and(|detail| !detail.allowed_by_permissions_boundary()) {
        Simulated::DeniedByBoundary
    } else if !result.missing_context_values().is_empty() || !part.is_exact {
        // A condition that only a real request can meet, or a resource that is only one of its kind.
        Simulated::Depends
    } else {
        Simulated::Denied
    }
}
