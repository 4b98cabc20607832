//! Any text as a policy: what is accepted can be obeyed, means the same as JSON, and asks for nothing that a plan fails at.

#![no_main]

use ecs_sidecar_core::definition::TaskDefinition;
use ecs_sidecar_core::plan::managed_policies;
use ecs_sidecar_core::policy::{Policy, advice};
use ecs_sidecar_fuzz::holds;
use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;

/// What a policy is tried on: on Fargate, on an instance, and with containers that wait.
static SOURCES: LazyLock<Vec<TaskDefinition>> = LazyLock::new(|| {
    let texts = [
        r#"{"family":"web","requiresCompatibilities":["FARGATE"],"networkMode":"awsvpc","cpu":"1024","memory":"2048",
            "taskRoleArn":"arn:aws:iam::111122223333:role/app","executionRoleArn":"arn:aws:iam::111122223333:role/pulls",
            "containerDefinitions":[{"name":"web","image":"web:1","portMappings":[{"containerPort":80}]}]}"#,
        r#"{"family":"old","taskRoleArn":"arn:aws:iam::111122223333:role/app","executionRoleArn":"arn:aws:iam::111122223333:role/pulls",
            "containerDefinitions":[{"name":"web","image":"web:1","memory":128,"links":["db"]},
            {"name":"db","image":"db:1","memoryReservation":64,"dependsOn":[{"containerName":"web","condition":"START"}],
             "logConfiguration":{"logDriver":"awslogs","options":{"awslogs-group":"g","awslogs-region":"eu-west-1"}}}]}"#,
    ];
    texts.map(|text| TaskDefinition::parse(text).expect("a definition")).into()
});

fuzz_target!(|text: &str| {
    let policy = match Policy::parse(text) {
        Ok(policy) => policy,
        Err(error) => {
            assert!(!error.to_string().is_empty());
            return;
        }
    };
    // A tag, as in `!EC2`, names an enum's word for the reader of policies, and is nothing to a reader of any value.
    if !text.contains('!') {
        let options = serde_saphyr::options! { no_schema: true };
        let value: serde_json::Value =
            serde_saphyr::from_str_with_options(text, options).expect("an accepted policy is YAML");
        let again = Policy::parse(&value.to_string()).expect("an accepted policy is accepted as JSON");
        assert_eq!(policy, again, "and means the same");
    }

    assert!(!policy.container_name().is_empty() && !policy.upstream().to_string().is_empty());
    advice(&policy);
    let (account, region) = ("111122223333".parse().expect("an account"), "eu-west-1".parse().expect("a Region"));
    managed_policies(&policy, &account, &region);
    for source in SOURCES.iter() {
        holds(source, &policy);
    }
});
