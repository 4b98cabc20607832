//! Events as EventBridge delivers them of what happened in ECS, made from what is there.
//!
//! Knows: the envelope, CloudTrail's record of a call, and ECS's own events. Must not know: rules, targets and transformers.
//! Nothing here changes the world or is told to anybody: a test hands an event to whom it wants.

use crate::World;
use serde_json::{Value, json};
use std::sync::atomic::Ordering;
use std::time::SystemTime;

/// Who made a call, as CloudTrail tells it.
#[derive(Debug, Clone, Copy)]
pub enum Caller<'a> {
    /// The session of a role, named by the role's ARN.
    Role(&'a str),
    /// A user of IAM, who has no role.
    User(&'a str),
    /// A service such as `cloudformation.amazonaws.com` with the credentials of somebody's role.
    Service(&'a str, &'a str),
}

/// What ECS tells of a deployment. A rollback begins with another [`InProgress`](Self::InProgress).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeploymentNotice {
    /// It has begun.
    InProgress,
    /// The service is steady.
    Completed,
    /// The circuit breaker or an alarm has ended it.
    Failed,
}

impl DeploymentNotice {
    fn name(self) -> &'static str {
        match self {
            Self::InProgress => "SERVICE_DEPLOYMENT_IN_PROGRESS",
            Self::Completed => "SERVICE_DEPLOYMENT_COMPLETED",
            Self::Failed => "SERVICE_DEPLOYMENT_FAILED",
        }
    }
}

/// A task that has stopped.
#[derive(Debug, Clone, Copy)]
pub struct StoppedTask<'a> {
    /// ARN of the revision that it ran.
    pub task_definition: &'a str,
    /// `EssentialContainerExited` for example.
    pub stop_code: &'a str,
    /// The text beside it.
    pub reason: &'a str,
    /// Its containers.
    pub containers: &'a [StoppedContainer<'a>],
}

/// A container of a task that has stopped. One that never ran has no exit code.
#[derive(Debug, Clone, Copy)]
pub struct StoppedContainer<'a> {
    /// Its name in the definition.
    pub name: &'a str,
    /// What it ended with.
    pub exit_code: Option<i64>,
    /// Why it ended, if ECS says so.
    pub reason: Option<&'a str>,
}

impl World {
    /// What CloudTrail tells of a CreateService or an UpdateService that was answered just now: the request as it was
    /// made, and the service as it is in the answer, which is `null` if it is not there.
    pub fn service_call(&self, operation: &str, request: &Value, caller: Caller<'_>) -> Value {
        let text = |name: &str| request.get(name).and_then(Value::as_str).unwrap_or("default");
        let named = if operation == "CreateService" { text("serviceName") } else { text("service") };
        let short = |name: &str| name.rsplit('/').next().unwrap_or_default().to_owned();
        let arn = format!("service/{}/{}", short(text("cluster")), short(named));
        let service = self.service(&self.place.arn("ecs", &arn));
        let service: Option<Value> = service.and_then(|service| serde_json::from_str(&service.text).ok());
        let answer = service.map(|service| json!({ "service": service }));
        let (from, agent) = match caller {
            Caller::Service(name, _) => (name, name),
            Caller::Role(_) | Caller::User(_) => ("203.0.113.10", "aws-cli/2.x"),
        };
        let detail = json!({
            "eventVersion": "1.11",
            "userIdentity": self.identity(caller),
            "eventTime": self.time_of_day(),
            "eventSource": "ecs.amazonaws.com",
            "eventName": operation,
            "awsRegion": self.region(),
            "sourceIPAddress": from,
            "userAgent": agent,
            "requestParameters": request,
            "responseElements": answer,
            "requestID": self.event_id(),
            "eventID": self.event_id(),
            "readOnly": false,
            "eventType": "AwsApiCall",
            "managementEvent": true,
            "recipientAccountId": self.account(),
            "eventCategory": "Management",
        });
        self.envelope("AWS API Call via CloudTrail", &[], &detail)
    }

    /// What ECS tells of the newest deployment of a service, named by its ARN.
    pub fn deployment_state_change(&self, arn: &str, notice: DeploymentNotice) -> Value {
        let deployment = self.service(arn).and_then(|service| service.deployment).unwrap_or_default();
        let (kind, reason) = match notice {
            DeploymentNotice::InProgress => ("INFO", format!("ECS deployment {deployment} in progress.")),
            DeploymentNotice::Completed => ("INFO", format!("ECS deployment {deployment} completed.")),
            DeploymentNotice::Failed => ("ERROR", "ECS deployment circuit breaker: task failed to start.".to_owned()),
        };
        let detail = json!({
            "eventType": kind,
            "eventName": notice.name(),
            "deploymentId": deployment,
            "updatedAt": self.time_of_day(),
            "reason": reason,
        });
        self.envelope("ECS Deployment State Change", &[arn], &detail)
    }

    /// What ECS tells of a task of a service, named by the service's ARN, that has stopped.
    pub fn task_stopped(&self, service: &str, task: StoppedTask<'_>) -> Value {
        let mut parts = service.rsplit('/');
        let (name, cluster) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        let arn = self.place.arn("ecs", &format!("task/{cluster}/{}", self.event_id().replace('-', "")));
        let container = |container: &StoppedContainer<'_>| {
            let mut told = json!({ "name": container.name, "lastStatus": "STOPPED", "taskArn": arn });
            if let Some(code) = container.exit_code {
                told["exitCode"] = json!(code);
            }
            if let Some(reason) = container.reason {
                told["reason"] = json!(reason);
            }
            told
        };
        let detail = json!({
            "taskArn": arn,
            "clusterArn": self.place.arn("ecs", &format!("cluster/{cluster}")),
            "group": format!("service:{name}"),
            "startedBy": self.service(service).and_then(|service| service.deployment),
            "taskDefinitionArn": task.task_definition,
            "desiredStatus": "STOPPED",
            "lastStatus": "STOPPED",
            "stopCode": task.stop_code,
            "stoppedReason": task.reason,
            "stoppedAt": self.time_of_day(),
            "containers": task.containers.iter().map(container).collect::<Vec<_>>(),
            "version": 5,
        });
        self.envelope("ECS Task State Change", &[&arn], &detail)
    }

    fn envelope(&self, kind: &str, resources: &[&str], detail: &Value) -> Value {
        json!({
            "version": "0",
            "id": self.event_id(),
            "detail-type": kind,
            "source": "aws.ecs",
            "account": self.account(),
            "time": self.time_of_day(),
            "region": self.region(),
            "resources": resources,
            "detail": detail,
        })
    }

    fn identity(&self, caller: Caller<'_>) -> Value {
        let account = self.account();
        let role = |arn: &str| {
            let name = arn.rsplit('/').next().unwrap_or_default();
            json!({
                "type": "AssumedRole",
                "principalId": "AROAEXAMPLE:session",
                "arn": format!("arn:{}:sts::{account}:assumed-role/{name}/session", self.place.partition()),
                "accountId": account,
                "sessionContext": { "sessionIssuer": {
                    "type": "Role", "principalId": "AROAEXAMPLE", "arn": arn, "accountId": account, "userName": name,
                } },
            })
        };
        match caller {
            Caller::Role(arn) => role(arn),
            Caller::Service(name, arn) => {
                let mut identity = role(arn);
                identity["invokedBy"] = json!(name);
                identity
            }
            Caller::User(arn) => json!({
                "type": "IAMUser",
                "principalId": "AIDAEXAMPLE",
                "arn": arn,
                "accountId": account,
                "userName": arn.rsplit('/').next(),
            }),
        }
    }

    /// An id that no other event has.
    fn event_id(&self) -> String {
        format!("00000000-0000-0000-0000-{:012}", self.shared.notices.fetch_add(1, Ordering::Relaxed))
    }

    /// Now, as events write it.
    fn time_of_day(&self) -> String {
        let now = self.clock().now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let now = aws_smithy_types::DateTime::from_secs(i64::try_from(now.as_secs()).unwrap_or_default());
        now.fmt(aws_smithy_types::date_time::Format::DateTime).unwrap_or_default()
    }
}
