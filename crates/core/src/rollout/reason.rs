//! Why a service is where it is: one stable code for each reason.
//!
//! The codes are the metric's label, the event's reason and the machine-readable answer; they never change their
//! meaning. The table in docs/reasons.md is made from here.

use crate::reason::reasons;

reasons! {
    /// Why a service is where it is. See the module.
    RolloutReason;
    NotPatched "notPatched" "The revision that the service runs is none that the operator has patched or replaced, so there is nothing to move it to.";
    Moved "moved" "The service was moved to the patched revision, and its deployment has completed.";
    Deploying "deploying" "The service was moved to the patched revision, and its deployment is under way.";
    FamilyPending "familyPending" "The operator is not done with the task definition family yet; the service is looked at again shortly.";
    DeploymentInProgress "deploymentInProgress" "A deployment of the owner's is under way; the service is moved when it has completed.";
    OwnDeploymentFailed "ownDeploymentFailed" "The owner's own deployment has failed, so that nobody could tell whose fault a further one is. It is looked at again after the next deployment.";
    OutsideWindow "outsideWindow" "Services are moved within the maintenance window only (parameter RolloutWindow).";
    AtOnce "atOnce" "As many services are being moved as may be at once (parameter RolloutAtOnce); this one comes when one of them is done.";
    Paused "paused" "The operator is paused, so that it writes nothing; `ecs-sidecar resume` ends that.";
    Throttled "throttled" "AWS said that it was called too often, so everything waits a little.";
    Contended "contended" "The service changed while it was being moved; it is looked at again shortly.";
    OptedOut "optedOut" "The service has the tag `ecs-sidecar/rollout` = `false`.";
    PolicyForbids "policyForbids" "The family's policy says `rollout: {services: false}`.";
    CodeDeploy "codeDeploy" "CodeDeploy deploys this service, and ECS takes no new task definition for it by itself. Start a deployment by CodeDeploy with the patched revision in its AppSpec.";
    External "external" "An external controller deploys this service by task sets. Have it create a task set with the patched revision.";
    Express "express" "ECS Express Mode manages this service, and has a call of its own to update it (UpdateExpressGatewayService).";
    ContentDiffers "contentDiffers" "The patched revision differs from what the service runs by more than the operator injected or removed, so it is no replacement.";
    TargetGone "targetGone" "The patched revision is not ACTIVE any more, or the operator did not register it.";
    PolicyGone "policyGone" "The policy whose sidecar the patched revision has is there no more, so nothing is moved to it.";
    UpdateRefused "updateRefused" "ECS refused to move the service; the message has its words. It is tried again when source or policy changes.";
    UpdateDenied "updateDenied" "The operator may not update the service, by a permissions boundary or a policy of the organization; the message has the words of ECS. It is tried again within six hours.";
    DeploymentFailed "deploymentFailed" "The deployment of the patched revision failed. The service is left alone until source or policy changes.";
    RolledBack "rolledBack" "The deployment of the patched revision was rolled back. The service is left alone until source or policy changes.";
    SetBack "setBack" "Somebody set the service back to the unpatched revision again and again; the message names who. The service is left alone until source or policy changes.";
}
