use super::*;
use crate::json::Document;

fn parse(text: &str) -> TaskDefinition {
    TaskDefinition::parse(text).expect("a task definition")
}

/// A definition with one container that has these members, and these members of its own.
fn definition(container: &str, task: &str) -> TaskDefinition {
    parse(&format!(r#"{{"family":"f",{task}"containerDefinitions":[{{"name":"c",{container}"image":"i"}}]}}"#))
}

const BARE: &str = r#"{"containerDefinitions":[{"image":"i","name":"c"}],"family":"f"}"#;

#[test]
fn what_ecs_fills_in_is_absence() {
    for container in [
        r#""cpu":0,"essential":true,"environment":[],"mountPoints":[],"volumesFrom":[],"systemControls":[],"user":null,"#,
        r#""dockerLabels":{},"privileged":false,"readonlyRootFilesystem":false,"interactive":false,"#,
        r#""versionConsistency":"enabled","links":null,"portMappings":[],"dependsOn":[],"#,
        r#""linuxParameters":{"initProcessEnabled":false,"devices":[],"capabilities":{"add":[],"drop":null}},"#,
    ] {
        assert_eq!(canonical(&definition(container, "")), BARE, "{container}");
    }
    for task in [
        r#""networkMode":"bridge","volumes":[],"placementConstraints":[],"requiresCompatibilities":[],"#,
        r#""pidMode":"","ipcMode":"","taskRoleArn":"","executionRoleArn":"","networkMode":"","#,
        r#""cpu":"","memory":null,"enableFaultInjection":false,"runtimePlatform":{},"proxyConfiguration":null,"#,
        r#""tags":[{"key":"a","value":"b"}],"#,
    ] {
        assert_eq!(canonical(&definition("", task)), BARE, "{task}");
    }
}

/// Pairs of members of a container and of the task, which ECS stores as the same.
#[test]
fn two_spellings_have_one_text() {
    let health = |more: &str| format!(r#""healthCheck":{{"command":["CMD","b","a"]{more}}},"#);
    for (a, b) in [
        (health(""), health(r#","retries":3,"timeout":5.0,"interval":30"#)),
        (
            r#""restartPolicy":{"enabled":false},"#.into(),
            r#""restartPolicy":{"restartAttemptPeriod":300,"enabled":false,"ignoredExitCodes":[]},"#.into(),
        ),
        (
            r#""environment":[{"name":"B","value":""},{"value":"1","name":"A"}],"#.into(),
            r#""environment":[{"name":"\u0041","value":"1"},{"name":"B","value":""}],"#.into(),
        ),
        (
            r#""ulimits":[{"name":"nofile","softLimit":1},{"name":"core","softLimit":2}],"#.into(),
            r#""ulimits":[{"softLimit":2,"name":"core"},{"softLimit":1,"name":"nofile"}],"#.into(),
        ),
        (
            r#""portMappings":[{"containerPort":80}],"#.into(),
            r#""portMappings":[{"containerPort":80,"hostPort":0,"protocol":"\u0074cp"}],"#.into(),
        ),
        (r#""links":["b","a"],"#.into(), r#""links":["a","b"],"#.into()),
    ] {
        assert_eq!(canonical(&definition(&a, "")), canonical(&definition(&b, "")), "{a} {b}");
        assert_ne!(canonical(&definition(&a, "")), BARE, "{a}");
    }
    let ports = |hosts: &str, mode: &str| {
        canonical(&definition(
            &format!(r#""portMappings":[{{"containerPort":80{hosts}}}],"#),
            &format!(r#""networkMode":"{mode}","#),
        ))
    };
    for mode in ["awsvpc", "host"] {
        assert_eq!(ports("", mode), ports(r#","hostPort":80"#, mode));
        assert_ne!(ports("", mode), ports(r#","hostPort":0"#, mode));
    }
    assert_ne!(ports("", "bridge"), ports(r#","hostPort":80"#, "bridge"));
    for (a, b) in [
        (r#""cpu":"1 vCPU","memory":".5 GB","#, r#""memory":512,"cpu":1024,"#),
        (
            r#""volumes":[{"name":"b"},{"name":"a"}],"#,
            r#""volumes":[{"name":"a","host":{"sourcePath":null}},{"host":{},"name":"b","configuredAtLaunch":false}],"#,
        ),
        (
            r#""volumes":[{"name":"a","efsVolumeConfiguration":{"fileSystemId":"fs-1"}}],"#,
            r#""volumes":[{"name":"a","efsVolumeConfiguration":{"fileSystemId":"fs-1","rootDirectory":"/","transitEncryption":"DISABLED","authorizationConfig":{"iam":"DISABLED"}}}],"#,
        ),
        (r#""requiresCompatibilities":["EC2","FARGATE"],"#, r#""requiresCompatibilities":["FARGATE","EC2"],"#),
    ] {
        assert_eq!(canonical(&definition("", a)), canonical(&definition("", b)), "{a} {b}");
    }
}

#[test]
fn two_definitions_have_two_texts() {
    let list = [
        r#""cpu":1,"#,
        r#""essential":false,"#,
        r#""command":["a","b"],"#,
        r#""command":["b","a"],"#,
        r#""entryPoint":[""],"#,
        r#""dnsServers":["1.1.1.1","8.8.8.8"],"#,
        r#""dnsServers":["8.8.8.8","1.1.1.1"],"#,
        r#""environment":[{"name":"A","value":"1"},{"name":"A","value":"2"}],"#,
        r#""environment":[{"name":"A","value":"2"},{"name":"A","value":"1"}],"#,
        r#""dockerLabels":{"a":""},"#,
        r#""future":1.50,"#,
        r#""future":1.5,"#,
        r#""future":123456789012345678901234567890,"#,
        r#""future":123456789012345678901234567891,"#,
        r#""future":[],"#,
        r#""future":[2,1],"#,
        r#""future":[1,2],"#,
        r#""future":{"essential":true},"#,
        r#""future":{"cpu":null},"#,
        r#""memory":512,"#,
        r#""restartPolicy":{"enabled":false},"#,
        r#""environmentFiles":[{"type":"s3","value":"b"},{"type":"s3","value":"a"}],"#,
        r#""environmentFiles":[{"type":"s3","value":"a"},{"type":"s3","value":"b"}],"#,
    ];
    let mut texts: Vec<_> = list.iter().map(|container| canonical(&definition(container, ""))).collect();
    texts.push(BARE.to_owned());
    texts.sort_unstable();
    texts.dedup();
    assert_eq!(texts.len(), list.len() + 1);
}

const FULL: &str = r#"{"zeta": {"b": null, "a": 1.50}, "networkMode": "awsvpc", "family": "f\u0041", "cpu": "a lot", "memory": "2 GB",
  "containerDefinitions": [
    {"name": "z", "image": "i", "portMappings": [{"hostPort": 443, "containerPort": 443}, {"containerPort": 80, "protocol": "udp"}],
     "logConfiguration": {"logDriver": "awslogs", "options": {"b": "", "a": "\"\\\n"}, "secretOptions": []},
     "linuxParameters": {"tmpfs": [{"size": 1, "containerPath": "/t", "mountOptions": ["b", "a"]}]}, "é\"": [{"b": [], "a": {}}]},
    {"image": "i", "name": "a", "cpu": 0.0, "environment": "wrong", "secrets": [null, {"name": "N", "valueFrom": "v"}]}]}"#;

/// The text is itself a definition, and its own canonical text: nothing is left to normalise.
#[test]
fn canonical_text_is_its_own() {
    let text = canonical(&parse(FULL));
    assert_eq!(canonical(&parse(&text)), text);
    assert!(!text.contains(": ") && text.contains(r#""zeta":{"a":1.50,"b":null}"#), "{text}");
    assert!(
        text.contains(r#""cpu":"a lot""#) && text.contains(r#""memory":"2048""#) && text.contains("\"fA\""),
        "{text}"
    );
    let json = Document::parse(FULL).expect("JSON");
    let sorted = canonical_json(json.root());
    assert_eq!(canonical_json(Document::parse(sorted.clone()).expect("JSON").root()), sorted);
    let values = [FULL, &sorted].map(|text| serde_json::from_str::<serde_json::Value>(text).expect("JSON"));
    assert_eq!(values[0], values[1], "nothing is lost by sorting");
}

#[test]
fn the_order_of_containers_means_nothing() {
    let root = Document::parse(FULL).expect("JSON");
    let containers = root.root().get(task::CONTAINER_DEFINITIONS).expect("containers");
    let texts: Vec<_> = containers.items().map(Value::raw).collect();
    let turned = FULL.replace(texts[0], "FIRST").replace(texts[1], texts[0]).replace("FIRST", texts[1]);
    assert_ne!(turned, FULL);
    assert_eq!(canonical(&parse(&turned)), canonical(&parse(FULL)));
}

#[test]
fn a_container_alone_has_the_text_that_it_has_in_its_definition() {
    let definition = parse(FULL);
    let whole = canonical(&definition);
    for container in definition.containers() {
        let text = canonical_container(container.0, NetworkMode::AwsVpc);
        assert!(whole.contains(&text), "{text}");
    }
}
