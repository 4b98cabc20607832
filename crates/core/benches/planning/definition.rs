//! Task definitions of any size and one shape, as DescribeTaskDefinition answers them.
//!
//! Knows: what definitions in use are made of. Must not know: what is measured. Nothing in them is random.

/// What differs between definitions of one size.
#[derive(Clone, Copy)]
pub(crate) struct Shape {
    network_mode: &'static str,
    compatibility: &'static str,
    /// What the definition's tag asks for.
    inject: &'static str,
}

/// A definition for Fargate that asks for a sidecar.
pub(crate) const FARGATE: Shape = Shape { network_mode: "awsvpc", compatibility: "FARGATE", inject: "true" };

/// A definition for instances, whose containers reach a sidecar by links: two edits more for each of them.
pub(crate) const BRIDGE: Shape = Shape { network_mode: "bridge", compatibility: "EC2", inject: "true" };

/// A definition that wants no sidecar.
pub(crate) const OPTED_OUT: Shape = Shape { inject: "false", ..FARGATE };

/// One container for so many bytes, up to the number that a definition can have beside a sidecar.
const BYTES_A_CONTAINER: usize = 1_600;
const MOST_CONTAINERS: usize = 9;

impl Shape {
    /// The answer for a definition of just that many bytes as it was registered, at least 1000; beside it stand its
    /// tags and what ECS adds.
    pub(crate) fn answer(self, bytes: usize) -> String {
        let count = (bytes / BYTES_A_CONTAINER).clamp(1, MOST_CONTAINERS);
        let without = self.definition(&vec![String::new(); count]).len();
        let missing = bytes.checked_sub(without).expect("what all definitions of this shape have is smaller");
        answered(&self.definition(&environments(count, missing)), self.inject)
    }

    /// The definition as it was registered, with these variables in its containers.
    fn definition(self, environments: &[String]) -> String {
        let Self { network_mode, compatibility, .. } = self;
        let containers: Vec<String> = environments.iter().enumerate().map(container).collect();
        let containers = containers.join(",");
        format!(
            r#"{{"containerDefinitions":[{containers}],"family":"checkout","taskRoleArn":"arn:aws:iam::111122223333:role/checkout","executionRoleArn":"arn:aws:iam::111122223333:role/pulls","networkMode":"{network_mode}","volumes":[{{"name":"scratch","host":{{}}}}],"placementConstraints":[],"requiresCompatibilities":["{compatibility}"],"cpu":"4096","memory":"16384","futureMember":{{"ratio":1.50}}}}"#
        )
    }
}

/// A definition as Describe answers it.
pub(crate) fn answered(definition: &str, inject: &str) -> String {
    let members = definition.strip_prefix('{').expect("an object");
    format!(
        r#"{{"taskDefinition":{{"taskDefinitionArn":"arn:aws:ecs:eu-west-1:111122223333:task-definition/checkout:41","revision":41,"status":"ACTIVE","requiresAttributes":[{{"name":"com.amazonaws.ecs.capability.logging-driver.awslogs"}},{{"name":"com.amazonaws.ecs.capability.task-iam-role"}}],"compatibilities":["EC2","FARGATE"],"registeredAt":1764000000.123,"registeredBy":"arn:aws:sts::111122223333:assumed-role/pipeline/deploy",{members},"tags":[{{"key":"ecs-sidecar/inject","value":"{inject}"}},{{"key":"team","value":"checkout"}}]}}"#
    )
}

/// The variables of so many containers, of just that many bytes together: usual ones, and a last one that makes up for
/// what is missing.
fn environments(count: usize, bytes: usize) -> Vec<String> {
    let mut environments = vec![String::new(); count];
    let usual = variable(0, "https://checkout.example.internal/").len();
    for index in 0..(bytes / usual).saturating_sub(1) {
        environments[index % count] += &variable(index, "https://checkout.example.internal/");
    }
    let left = bytes - environments.iter().map(String::len).sum::<usize>();
    if let Some(value) = left.checked_sub(variable(9_999, "").len()) {
        environments[0] += &variable(9_999, &"x".repeat(value));
    }
    environments
}

/// A variable, with the comma before it.
fn variable(index: usize, value: &str) -> String {
    format!(r#",{{"name":"SETTING_{index:04}","value":"{value}"}}"#)
}

fn container((index, environment): (usize, &String)) -> String {
    let port = 8080 + index;
    format!(
        r#"{{"name":"app-{index}","image":"111122223333.dkr.ecr.eu-west-1.amazonaws.com/checkout:{index}","cpu":128,"memoryReservation":512,"portMappings":[{{"containerPort":{port},"hostPort":{port},"protocol":"tcp"}}],"essential":true,"environment":[{{"name":"LOG_LEVEL","value":"info"}}{environment}],"mountPoints":[],"secrets":[{{"name":"TOKEN","valueFrom":"/checkout/{index}"}}],"dockerLabels":{{"owner":"checkout"}},"logConfiguration":{{"logDriver":"awslogs","options":{{"awslogs-group":"/ecs/checkout","awslogs-region":"eu-west-1","awslogs-stream-prefix":"app"}}}},"futureMember":{{"a":null}}}}"#
    )
}
