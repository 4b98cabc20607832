//! Definitions that the tests register.

/// A small definition that ECS takes.
pub(crate) fn small(family: &str) -> String {
    format!(r#"{{"family":"{family}","containerDefinitions":[{{"name":"app","image":"app:1","memory":64}}]}}"#)
}

/// A definition for Fargate that ECS takes, with members at every level that nobody has heard of yet.
pub(crate) const FROM_THE_FUTURE: &str = r#"{"family":"web","networkMode":"awsvpc","cpu":"256","memory":"512",
  "requiresCompatibilities":["FARGATE"],"executionRoleArn":"arn:aws:iam::111122223333:role/exec",
  "futureTask":{"ratio": 1.50, "huge":123456789012345678901234567890, "exp":1e2, "text":"\u00e9", "nothing":null},
  "runtimePlatform":{"cpuArchitecture":"ARM64","futurePlatform":[ 1, 2 ]},
  "volumes":[{"name":"v","futureVolume":{"a":  "b"}}],
  "containerDefinitions":[{"name":"app","image":"app:1","futureContainer":[{"x":0.10}],
    "portMappings":[{"containerPort":80,"futurePort":1.0}],
    "environment":[{"name":"B","value":"2","futureVariable":true},{"name":"A","value":"1"}],
    "logConfiguration":{"logDriver":"awslogs","futureLog":{ },"options":{"awslogs-group":"g","awslogs-region":"eu-west-1","awslogs-stream-prefix":"p"}}}],
  "tags":[{"key":"team","value":"a"}]}"#;
