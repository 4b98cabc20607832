//! What ECS refuses is refused here, with the right error and the rule that was broken, and leaves nothing behind.

use ecs_sidecar_tests::World;

/// A definition for Fargate that ECS takes; each case breaks it in one place.
const BASE: &str = r#"{"family":"web","networkMode":"awsvpc","cpu":"256","memory":"512","requiresCompatibilities":["FARGATE"],"containerDefinitions":[{"name":"app","image":"app:1","cpu":128,"memory":256,"essential":true,"portMappings":[{"containerPort":80}]},{"name":"side","image":"side:1","essential":false}]}"#;

/// What stands in the base, what is put there, the error, and a word of its message.
const CASES: [(&str, &str, &str, &str); 36] = [
    // Types: the parser refuses before any rule is asked.
    (r#""cpu":"256""#, r#""cpu":256"#, "SerializationException", "NUMBER_VALUE"),
    (r#""memory":256"#, r#""memory":"256""#, "SerializationException", "STRING_VALUE"),
    (r#""memory":256"#, r#""memory":256.5"#, "SerializationException", "DECIMAL_VALUE"),
    (r#""essential":true"#, r#""essential":"true""#, "SerializationException", "essential"),
    (r#"["FARGATE"]"#, r#""FARGATE""#, "SerializationException", "requiresCompatibilities"),
    (r#"{"containerPort":80}"#, r#"80"#, "SerializationException", "containerDefinitions[0].portMappings[0]"),
    (r#""family":"web""#, r#""family":"web","family":"web""#, "SerializationException", "duplicate key"),
    (r#""family":"web","#, r#""family":"web",,"#, "SerializationException", "not JSON"),
    // The whole.
    (r#""family":"web","#, "", "ClientException", "Family"),
    (r#""family":"web""#, r#""family":"web app""#, "ClientException", "familyName"),
    (r#""name":"app""#, r#""name":"a b""#, "ClientException", "containerName"),
    (r#""image":"app:1","#, "", "ClientException", "missingMember"),
    (r#""essential":true"#, r#""essential":false"#, "ClientException", "noEssentialContainer"),
    (r#""name":"side""#, r#""name":"app""#, "ClientException", "duplicateContainer"),
    // Sizes.
    (r#""cpu":"256""#, r#""cpu":"300""#, "ClientException", "fargateSize"),
    (r#""memory":"512""#, r#""memory":"8192""#, "ClientException", "fargateSize"),
    (r#""memory":"512","#, "", "ClientException", "fargateSizeMissing"),
    (r#""cpu":128"#, r#""cpu":257"#, "ClientException", "cpuSum"),
    (r#""memory":256"#, r#""memory":513"#, "ClientException", "memory"),
    // Network.
    (r#""awsvpc""#, r#""bridge""#, "ClientException", "fargateNetworkMode"),
    (r#""containerPort":80"#, r#""containerPort":80,"hostPort":81"#, "ClientException", "hostPortMismatch"),
    (r#""containerPort":80"#, r#""containerPort":65536"#, "ClientException", "outOfRange"),
    (r#"{"containerPort":80}"#, r#"{"containerPort":80},{"containerPort":80}"#, "ClientException", "duplicatePort"),
    (r#""image":"side:1""#, r#""image":"side:1","links":["app"]"#, "ClientException", "links"),
    // Dependencies.
    (
        r#""image":"side:1""#,
        r#""image":"side:1","dependsOn":[{"containerName":"x","condition":"START"}]"#,
        "ClientException",
        "dependsOnUnknown",
    ),
    (
        r#""image":"side:1""#,
        r#""image":"side:1","dependsOn":[{"containerName":"app","condition":"HEALTHY"}]"#,
        "ClientException",
        "dependsOnUnhealthy",
    ),
    (
        r#""image":"side:1""#,
        r#""image":"side:1","dependsOn":[{"containerName":"app","condition":"SUCCESS"}]"#,
        "ClientException",
        "dependsOnEssential",
    ),
    (
        r#""image":"side:1""#,
        r#""image":"side:1","dependsOn":[{"containerName":"app","condition":"SOON"}]"#,
        "ClientException",
        "invalidValue",
    ),
    // Fargate.
    (r#""image":"side:1""#, r#""image":"side:1","privileged":true"#, "ClientException", "fargateUnsupported"),
    (
        r#""image":"side:1""#,
        r#""image":"side:1","logConfiguration":{"logDriver":"json-file"}"#,
        "ClientException",
        "fargateLogDriver",
    ),
    (
        r#""image":"side:1""#,
        r#""image":"side:1","secrets":[{"name":"S","valueFrom":"arn:aws:ssm:eu-west-1:111122223333:parameter/s"}]"#,
        "ClientException",
        "executionRoleMissing",
    ),
    (
        r#""image":"side:1""#,
        r#""image":"side:1","mountPoints":[{"sourceVolume":"v","containerPath":"/v"}]"#,
        "ClientException",
        "volumeUnknown",
    ),
    (r#""family":"web""#, r#""family":"web","ephemeralStorage":{"sizeInGiB":10}"#, "ClientException", "outOfRange"),
    // Tags.
    (
        r#""family":"web""#,
        r#""family":"web","tags":[{"key":"AWS:x","value":""}]"#,
        "InvalidParameterException",
        "tagReserved",
    ),
    (
        r#""family":"web""#,
        r#""family":"web","tags":[{"key":"a","value":"1"},{"key":"a","value":"2"}]"#,
        "InvalidParameterException",
        "duplicateTag",
    ),
    (r#""family":"web""#, r#""family":"web","tags":[{"key":"a*","value":"1"}]"#, "InvalidParameterException", "tagKey"),
];

#[test]
fn the_definition_that_the_cases_break_is_taken() {
    World::new().register(BASE).unwrap();
}

#[test]
fn every_case_is_refused_for_its_own_reason() {
    for (good, bad, code, word) in CASES {
        assert!(BASE.contains(good), "{good} is not in the base");
        let world = World::new();
        let error = world.register(&BASE.replacen(good, bad, 1)).expect_err(bad);
        assert_eq!(error.code, code, "{bad}: {error}");
        assert!(error.message.contains(word), "{bad}: {error}");
        assert!(world.revisions("web").is_empty(), "{bad}");
    }
}

#[test]
fn too_much_of_anything_is_refused() {
    let container = |name: usize| format!(r#"{{"name":"c{name}","image":"i","memory":8}}"#);
    let many = |count: usize| (0..count).map(container).collect::<Vec<_>>().join(",");
    let definition =
        |containers: &str, more: &str| format!(r#"{{"family":"f","containerDefinitions":[{containers}]{more}}}"#);
    let tags = |count: usize| {
        let tags: Vec<String> = (0..count).map(|key| format!(r#"{{"key":"k{key}","value":""}}"#)).collect();
        format!(r#","tags":[{}]"#, tags.join(","))
    };
    let world = World::new();
    world.register(&definition(&many(10), &tags(50))).unwrap();
    let label =
        |length: usize| format!(r#"{{"name":"a","image":"i","memory":8,"command":["{}"]}}"#, "x".repeat(length));
    world.register(&definition(&label(60_000), "")).unwrap();
    for (text, code, word) in [
        (definition(&many(11), ""), "ClientException", "tooManyContainers"),
        (definition(&many(1), &tags(51)), "InvalidParameterException", "tooManyTags"),
        (definition(&label(70_000), ""), "ClientException", "tooLarge"),
        (definition("", ""), "ClientException", "Container list cannot be empty."),
        (r#"{"family":"f"}"#.to_owned(), "ClientException", "Container list cannot be empty."),
        (r#"[]"#.to_owned(), "SerializationException", "not an object"),
    ] {
        let error = world.register(&text).expect_err(word);
        assert_eq!(error.code, code, "{word}: {error}");
        assert!(error.message.contains(word), "{word}: {error}");
    }
}

#[test]
fn what_ecs_does_not_check_is_not_checked() {
    // A role that is not there, an image that is not there: ECS looks when a task starts, not before.
    let text =
        BASE.replace(r#""family":"web""#, r#""family":"web","taskRoleArn":"arn:aws:iam::111122223333:role/none""#);
    World::new().register(&text).unwrap();
}

#[test]
fn a_call_that_is_not_modelled_says_so() {
    let world = World::new();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let client = aws_sdk_ecs::Client::new(&world.sdk_config());
    let error = runtime.block_on(client.list_account_settings().send()).unwrap_err();
    let code = aws_sdk_ecs::error::ProvideErrorMetadata::code(&error);
    assert_eq!(code, Some("UnknownOperationException"));
}
