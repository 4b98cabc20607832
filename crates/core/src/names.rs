//! Every name that the operator gives or reads: label and tag keys, the images it recognizes, its own messages.

/// What the operator calls itself: the source of its events, and its stack where nothing else is said.
pub const OPERATOR: &str = "ecs-sidecar";

/// Tag or docker label by which a definition asks for a sidecar: `true`, `false` or the name of a policy.
pub const INJECT: &str = "ecs-sidecar/inject";

/// Tag of a service by which its owner declines to have it moved to patched revisions: `false`.
pub const ROLLOUT: &str = "ecs-sidecar/rollout";

/// Docker label of the injected container that holds the [receipt](crate::receipt).
pub const RECEIPT: &str = "ecs-sidecar/receipt";

/// Prefix of the pull-through cache rule for ECR Public where nothing else is said.
pub const DEFAULT_CACHE_PREFIX: &str = "ecr-public";

/// The prefix of a rule that caches without one: ECR's own word for it.
pub const ROOT_PREFIX: &str = "ROOT";

/// Registry that the cache rule stands for.
pub const ECR_PUBLIC: &str = "public.ecr.aws";

/// Environment variable by which the X-Ray SDKs find the daemon.
pub const DAEMON_ADDRESS: &str = "AWS_XRAY_DAEMON_ADDRESS";

/// Last path parts of images that receive traces themselves. A definition with one of them has what it needs.
pub const TRACE_RECEIVERS: [&str; 3] = ["aws-xray-daemon", "aws-otel-collector", "cloudwatch-agent"];

/// Environment variable by which agents are told that they run on ECS Managed Instances; the definitions of such
/// daemons name no compatibility.
pub const MANAGED_INSTANCES: &str = "ECS_MANAGED_INSTANCES";

/// Name of a message that has a family looked at once more.
pub const LOOK_AGAIN: &str = "LookAgain";

/// Name of a message by which a sweep has a family looked at.
pub const SWEEP: &str = "Sweep";

/// Name of the same for a family whose turn to be written has come when it is delivered.
pub const TURN: &str = "Turn";

/// Name of a message that has a service looked at.
pub const LOOK_AT_SERVICE: &str = "LookAtService";

/// Name of the message by which a sweep goes on.
pub const GO_ON: &str = "GoOn";
