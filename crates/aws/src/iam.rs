//! Managed policies of roles.
//!
//! Knows: the calls, and what their refusals mean. Must not know: which policy a sidecar needs.

use crate::error::Error;
use aws_sdk_iam::types::PolicyEvaluationDecisionType;
use aws_types::SdkConfig;
use ecs_sidecar_core::ids::RoleRef;
use ecs_sidecar_core::observed::{Permission, RoleState};
use ecs_sidecar_core::reason::Reason;
use std::collections::BTreeSet;

/// IAM's code for a role or policy that does not exist.
const NO_SUCH_ENTITY: [&str; 1] = ["NoSuchEntity"];

/// The IAM client.
#[derive(Debug, Clone)]
pub struct Iam {
    client: aws_sdk_iam::Client,
}

/// What became of an attachment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Attachment {
    /// The role has the policy now.
    Attached,
    /// It has not, and will not have it until somebody does something about it.
    Refused {
        /// What is in the way.
        reason: Reason,
        /// Role, policy and IAM's words.
        message: String,
    },
}

/// What became of taking a policy from a role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Detachment {
    /// The role had the policy, and has it no more.
    Detached,
    /// The role had it no more, or there is no such role.
    NotAttached,
    /// The role still has it; IAM's words.
    Refused(String),
}

impl Iam {
    /// A client.
    pub fn new(config: &SdkConfig) -> Self {
        Self { client: aws_sdk_iam::Client::new(config) }
    }

    /// Which managed policies a role has.
    ///
    /// Guarantees: all pages are read. Nothing is written.
    /// Assumptions: `ListAttachedRolePolicies` for the role; if it is not allowed, the state says so.
    /// Errors: [`Error::Call`] if IAM is not reached or throttles.
    pub async fn attached(&self, role: &RoleRef) -> Result<RoleState, Error> {
        let mut arns = BTreeSet::new();
        let mut marker = None;
        loop {
            let sent = self.client.list_attached_role_policies().role_name(role.name()).set_marker(marker).send().await;
            let page = match sent.map_err(|error| Error::call("ListAttachedRolePolicies", role.as_str(), &error)) {
                Ok(page) => page,
                Err(error) if error.is_code(&NO_SUCH_ENTITY) => return Ok(RoleState::Missing),
                Err(error) if error.is_retryable() => return Err(error),
                Err(error) => return Ok(RoleState::Refused(crate::error::Chain(&error).to_string())),
            };
            arns.extend(page.attached_policies().iter().filter_map(|policy| policy.policy_arn().map(str::to_owned)));
            marker = page.marker;
            if !page.is_truncated || marker.is_none() {
                return Ok(RoleState::Attached(arns));
            }
        }
    }

    /// Whether a role may do something, by IAM's own simulation, boundaries included.
    ///
    /// Guarantees: nothing is written. What cannot be found out is said so: the answer is of use, and no more.
    /// Assumptions: `SimulatePrincipalPolicy` for the role.
    /// Errors: [`Error::Call`] if IAM is not reached or throttles.
    pub async fn may(&self, role: &RoleRef, action: &str, resource: &str) -> Result<Permission, Error> {
        let request = self.client.simulate_principal_policy().policy_source_arn(role.as_str());
        let sent = request.action_names(action).resource_arns(resource).send().await;
        let answer = match sent.map_err(|error| Error::call("SimulatePrincipalPolicy", role.as_str(), &error)) {
            Ok(answer) => answer,
            Err(error) if error.is_retryable() => return Err(error),
            Err(_) => return Ok(Permission::NotChecked),
        };
        Ok(match answer.evaluation_results().first().map(|result| result.eval_decision()) {
            Some(PolicyEvaluationDecisionType::Allowed) => Permission::Allowed,
            Some(PolicyEvaluationDecisionType::ExplicitDeny | PolicyEvaluationDecisionType::ImplicitDeny) => {
                Permission::Denied
            }
            Some(_) | None => Permission::NotChecked,
        })
    }

    /// Attaches a managed policy to a role.
    ///
    /// Guarantees: a policy that is attached already stays so, without an error; so the client may send it again.
    /// Assumptions: `AttachRolePolicy` for this role and this policy. The role was there a moment ago.
    /// Errors: [`Error::Call`] if IAM is not reached or throttles.
    pub async fn attach(&self, role: &RoleRef, policy_arn: &str) -> Result<Attachment, Error> {
        let sent = self.client.attach_role_policy().role_name(role.name()).policy_arn(policy_arn).send().await;
        let Err(error) = sent else { return Ok(Attachment::Attached) };
        let error = Error::call("AttachRolePolicy", format!("{policy_arn} and {role}"), &error);
        match refusal(&error) {
            Some(reason) => Ok(Attachment::Refused { reason, message: crate::error::Chain(&error).to_string() }),
            None => Err(error),
        }
    }

    /// Takes a managed policy from a role.
    ///
    /// Guarantees: what is not attached is no error, so the client may send it again. Assumptions: `DetachRolePolicy`
    /// for this role. Errors: [`Error::Call`] if IAM is not reached or throttles.
    pub async fn detach(&self, role: &RoleRef, policy_arn: &str) -> Result<Detachment, Error> {
        let sent = self.client.detach_role_policy().role_name(role.name()).policy_arn(policy_arn).send().await;
        let Err(error) = sent else { return Ok(Detachment::Detached) };
        let error = Error::call("DetachRolePolicy", format!("{policy_arn} and {role}"), &error);
        if error.is_code(&NO_SUCH_ENTITY) {
            Ok(Detachment::NotAttached)
        } else if error.is_retryable() {
            Err(error)
        } else {
            Ok(Detachment::Refused(crate::error::Chain(&error).to_string()))
        }
    }
}

/// The reason code of a refusal; `None` for what may work later.
fn refusal(error: &Error) -> Option<Reason> {
    if error.is_code(&["LimitExceeded"]) {
        Some(Reason::RolePolicyLimit)
    } else if error.is_code(&["UnmodifiableEntity"]) {
        Some(Reason::RoleNotModifiable)
    } else if error.is_code(&["PolicyNotAttachable", "InvalidInput"]) || error.is_code(&NO_SUCH_ENTITY) {
        // The role was seen just before, so it is the policy that does not exist.
        Some(Reason::PolicyNotAttachable)
    } else if error.is_denied() {
        Some(Reason::PermissionDenied)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::{Failure, Said};

    #[test]
    fn each_refusal_has_its_reason_and_the_rest_is_tried_again() {
        let answer = |code: &str, failure| {
            let said = Said { code: Some(code.to_owned()), message: String::new() };
            refusal(&Error::Call { operation: "AttachRolePolicy", object: "role".into(), failure, said })
        };
        assert_eq!(answer("LimitExceeded", Failure::Refused), Some(Reason::RolePolicyLimit));
        assert_eq!(answer("UnmodifiableEntity", Failure::Refused), Some(Reason::RoleNotModifiable));
        assert_eq!(answer("PolicyNotAttachable", Failure::Refused), Some(Reason::PolicyNotAttachable));
        assert_eq!(answer("NoSuchEntity", Failure::Refused), Some(Reason::PolicyNotAttachable));
        assert_eq!(answer("AccessDenied", Failure::Denied), Some(Reason::PermissionDenied));
        assert_eq!(answer("EntityTemporarilyUnmodifiable", Failure::Refused), None);
        assert_eq!(answer("Throttling", Failure::Throttled), None);
    }
}
