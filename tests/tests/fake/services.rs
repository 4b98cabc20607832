//! Services: what is kept of them, what is refused, how they are listed.

use crate::definitions::small;
use aws_sdk_ecs::Client;
use aws_sdk_ecs::error::ProvideErrorMetadata;
use aws_sdk_ecs::types::{DeploymentController, DeploymentControllerType, SchedulingStrategy, ServiceField, Tag};
use ecs_sidecar_tests::{Fault, ServiceError, World};
use serde_json::{Value, json};

/// A service with every member that an update of its task definition must leave alone, and one of next year.
pub(crate) fn full() -> Value {
    json!({
        "cluster": "shop", "serviceName": "web", "taskDefinition": "web", "desiredCount": 2,
        "availabilityZoneRebalancing": "DISABLED",
        "loadBalancers": [{ "targetGroupArn": "arn:target", "containerName": "app", "containerPort": 80 }],
        "serviceRegistries": [{ "registryArn": "arn:registry" }],
        "capacityProviderStrategy": [{ "capacityProvider": "FARGATE_SPOT", "weight": 1, "base": 0 }],
        "platformVersion": "1.4.0",
        "deploymentConfiguration": {
            "maximumPercent": 150, "minimumHealthyPercent": 50, "futureStep": 1.50,
            "deploymentCircuitBreaker": { "enable": true, "rollback": true },
            "alarms": { "alarmNames": ["a"], "enable": true, "rollback": false },
        },
        "placementConstraints": [{ "type": "distinctInstance" }],
        "placementStrategy": [{ "type": "spread", "field": "host" }],
        "networkConfiguration": { "awsvpcConfiguration": { "subnets": ["subnet-1"], "assignPublicIp": "DISABLED" } },
        "healthCheckGracePeriodSeconds": 30,
        "enableECSManagedTags": true, "propagateTags": "SERVICE", "enableExecuteCommand": true,
        "serviceConnectConfiguration": { "enabled": true, "namespace": "n" },
        "volumeConfigurations": [{ "name": "v", "managedEBSVolume": { "roleArn": "arn:role", "sizeInGiB": 5 } }],
        "futureMember": { "ratio": 1.50 },
        "tags": [{ "key": "team", "value": "a" }],
    })
}

/// A small service, with other members beside or in place of its own.
pub(crate) fn service(more: Value) -> String {
    let mut service = json!({ "cluster": "shop", "serviceName": "web", "taskDefinition": "web", "desiredCount": 1 });
    for (name, value) in more.as_object().unwrap() {
        service[name] = value.clone();
    }
    service.to_string()
}

/// Two revisions of a family, and a cluster.
pub(crate) fn world() -> (World, Client) {
    let world = World::new();
    world.add_cluster("shop");
    world.register(&small("web")).unwrap();
    world.register(&small("web")).unwrap();
    let config = aws_sdk_ecs::config::Builder::from(&world.sdk_config());
    let client = Client::from_conf(config.retry_config(aws_sdk_ecs::config::retry::RetryConfig::disabled()).build());
    (world, client)
}

fn described(world: &World, arn: &str) -> Value {
    serde_json::from_str(&world.service(arn).unwrap().text).unwrap()
}

#[tokio::test]
async fn an_update_of_the_task_definition_leaves_every_other_member_as_it_was() {
    let (world, client) = world();
    let mut asked = full();
    asked["taskDefinition"] = json!("web:1");
    let arn = world.add_service(&asked.to_string()).unwrap();
    let (before, configured) = (described(&world, &arn), world.service(&arn).unwrap().configuration);
    for name in ["loadBalancers", "placementStrategy", "networkConfiguration", "futureMember", "tags", "propagateTags"]
    {
        assert_eq!(before[name], asked[name], "{name}");
    }
    assert!(configured.contains(r#""futureMember":{"ratio":1.5}"#) && configured.contains("managedEBSVolume"));
    let kept = &before["deploymentConfiguration"];
    assert_eq!((&kept["maximumPercent"], &kept["futureStep"]), (&json!(150), &json!(1.5)));
    assert_eq!(kept["strategy"], "ROLLING", "ECS fills in what was not said");
    let told = &before["deployments"][0]["serviceConnectConfiguration"];
    assert_eq!((told, before.get("serviceConnectConfiguration")), (&asked["serviceConnectConfiguration"], None));

    client.update_service().cluster("shop").service("web").task_definition("web").send().await.unwrap();
    let after = described(&world, &arn);
    assert_eq!(after["taskDefinition"], world.revisions("web")[1].arn);
    let moved =
        ["taskDefinition", "deployments", "pendingCount", "currentServiceDeployment", "currentServiceRevisions"];
    for (name, value) in before.as_object().unwrap().iter().filter(|(name, _)| !moved.contains(&&***name)) {
        assert_eq!(&after[name], value, "{name}");
    }
    assert_eq!(world.service(&arn).unwrap().configuration, configured);
    world.update_service(r#"{"cluster":"shop","service":"web","healthCheckGracePeriodSeconds":31}"#).unwrap();
    assert_eq!(described(&world, &arn)["healthCheckGracePeriodSeconds"], 31);
    assert_ne!(world.service(&arn).unwrap().configuration, configured);
}

/// What is asked, the error's code, and a word of its message.
const REFUSED: [(&str, &str, &str); 9] = [
    (r#"{"cluster":"none","service":"web"}"#, "ClusterNotFoundException", "Cluster not found"),
    (r#"{"service":"web"}"#, "ClusterNotFoundException", "Cluster not found"),
    (r#"{"cluster":"shop","service":"none"}"#, "ServiceNotFoundException", "Service not found"),
    (r#"{"cluster":"shop"}"#, "InvalidParameterException", "service"),
    (r#"{"cluster":"shop","service":"web","taskDefinition":"web:1"}"#, "ClientException", "TaskDefinition is inactive"),
    (r#"{"cluster":"shop","service":"web","taskDefinition":"old"}"#, "ClientException", "TaskDefinition is inactive"),
    (r#"{"cluster":"shop","service":"web","taskDefinition":"web:9"}"#, "ClientException", "not found"),
    (r#"{"cluster":"shop","service":"green","taskDefinition":"web:2"}"#, "InvalidParameterException", "AWS CodeDeploy"),
    (r#"{"cluster":"shop","service":"sets","taskDefinition":"web:2"}"#, "InvalidParameterException", "EXTERNAL"),
];

#[test]
fn an_update_is_refused_for_its_own_reason_and_changes_nothing() {
    let (world, _) = world();
    let arn = world.add_service(&service(json!({}))).unwrap();
    let code_deploy = json!({ "serviceName": "green", "deploymentController": { "type": "CODE_DEPLOY" } });
    let green = world.add_service(&service(code_deploy)).unwrap();
    let external =
        r#"{"cluster":"shop","serviceName":"sets","desiredCount":1,"deploymentController":{"type":"EXTERNAL"}}"#;
    world.add_service(external).unwrap();
    world.register(&small("old")).unwrap();
    world.deregister("old:1").unwrap();
    world.deregister("web:1").unwrap();
    let before = (world.service(&arn), world.service(&green));
    for (asked, code, word) in REFUSED {
        let error = world.update_service(asked).expect_err(asked);
        assert_eq!(error.code, code, "{asked}: {error}");
        assert!(error.message.contains(word), "{asked}: {error}");
    }
    assert_eq!((world.service(&arn), world.service(&green)), before);
    let green = described(&world, &before.1.unwrap().arn);
    assert_eq!((&green["deployments"], &green["taskSets"][0]["status"]), (&json!([]), &json!("PRIMARY")));
    world.update_service(r#"{"cluster":"shop","service":"green","desiredCount":3,"forceNewDeployment":true}"#).unwrap();
    assert_eq!(described(&world, green["serviceArn"].as_str().unwrap())["deployments"], json!([]));
}

#[tokio::test]
async fn a_deleted_service_drains_is_no_longer_listed_and_takes_no_update() {
    let (world, client) = world();
    let arn = world.add_service(&service(json!({}))).unwrap();
    let scaled = client.delete_service().cluster("shop").service("web").send().await.unwrap_err();
    assert_eq!(scaled.code(), Some("InvalidParameterException"));
    let deleted = client.delete_service().cluster("shop").service(&arn).force(true).send().await.unwrap();
    assert_eq!(deleted.service().unwrap().status(), Some("DRAINING"));
    for status in ["DRAINING", "INACTIVE"] {
        let update = client.update_service().cluster("shop").service("web").task_definition("web:1");
        assert_eq!(update.send().await.unwrap_err().code(), Some("ServiceNotActiveException"), "{status}");
        assert!(client.list_services().cluster("shop").send().await.unwrap().service_arns().is_empty());
        let described = client.describe_services().cluster("shop").services("web").send().await.unwrap();
        assert_eq!(described.services()[0].status(), Some(status));
        world.service_drains(&arn).unwrap();
    }
    world.create_service(&service(json!({}))).unwrap();
    let twice = world.create_service(&service(json!({}))).unwrap_err();
    assert_eq!(twice.message, "Creation of service was not idempotent.");
}

#[tokio::test]
async fn ten_services_are_described_at_once_and_each_missing_one_is_told() {
    let (world, client) = world();
    world.add_cluster("other");
    let arn = world.add_service(&full().to_string()).unwrap();
    let elsewhere = world.add_service(&service(json!({ "cluster": "other" }))).unwrap();
    let ask = || client.describe_services().cluster("shop");
    let answer = ask().services(&arn).services("none").services(&elsewhere).send().await.unwrap();
    assert_eq!(answer.services().len(), 1);
    assert!(answer.services()[0].tags().is_empty(), "nobody asked for tags");
    let failures: Vec<_> = answer.failures().iter().map(|one| (one.arn().unwrap(), one.reason().unwrap())).collect();
    let missing = arn.replace("/web", "/none");
    assert_eq!(failures, [(&*missing, "MISSING"), (&*elsewhere, "MISSING")]);
    client.tag_resource().resource_arn(&arn).tags(tag("team", "b")).tags(tag("more", "")).send().await.unwrap();
    let tagged = ask().services("web").include(ServiceField::Tags).send().await.unwrap();
    assert_eq!(tagged.services()[0].tags(), [tag("more", ""), tag("team", "b")]);
    let many = (0..11).map(|index| format!("s{index}")).collect();
    for names in [many, Vec::new()] {
        let error = ask().set_services(Some(names)).send().await.unwrap_err();
        assert_eq!(error.code(), Some("InvalidParameterException"));
    }
}

fn tag(key: &str, value: &str) -> Tag {
    Tag::builder().key(key).value(value).build()
}

#[tokio::test]
async fn services_are_listed_ten_on_a_page_and_of_one_cluster() {
    let (world, client) = world();
    world.add_cluster("shop-2");
    for index in 0..12 {
        world.add_service(&service(json!({ "serviceName": format!("s{index:02}") }))).unwrap();
    }
    let daemon = service(json!({ "serviceName": "agent", "schedulingStrategy": "DAEMON", "desiredCount": null }));
    world.add_service(&daemon).unwrap();
    world.add_service(&service(json!({ "cluster": "shop-2" }))).unwrap();
    let list = || client.list_services().cluster("shop");
    let first = list().send().await.unwrap();
    assert_eq!((first.service_arns().len(), first.next_token().is_some()), (10, true));
    let second = list().set_next_token(first.next_token().map(str::to_owned)).send().await.unwrap();
    assert_eq!((second.service_arns().len(), second.next_token()), (3, None));
    let all = list().max_results(100).send().await.unwrap();
    let arns = [first.service_arns(), second.service_arns()].concat();
    assert_eq!(all.service_arns(), arns);
    let error = list().max_results(101).send().await.unwrap_err();
    assert_eq!(error.code(), Some("InvalidParameterException"));
    let daemons = list().scheduling_strategy(SchedulingStrategy::Daemon).send().await.unwrap();
    assert_eq!(daemons.service_arns(), ["arn:aws:ecs:eu-west-1:111122223333:service/shop/agent"]);
    for index in 0..12 {
        world.add_service(&service(json!({ "cluster": "shop-2", "serviceName": format!("s{index:02}") }))).unwrap();
    }
    let other = client.list_services().cluster("shop-2").set_next_token(first.next_token().map(str::to_owned));
    assert!(other.send().await.is_err(), "a token of another cluster");
}

#[tokio::test]
async fn clusters_are_listed_and_described_with_what_runs_in_them() {
    let (world, client) = world();
    for index in 0..3 {
        world.add_cluster(&format!("c{index}"));
    }
    world.add_service(&full().to_string()).unwrap();
    let first = client.list_clusters().max_results(3).send().await.unwrap();
    let rest = client.list_clusters().set_next_token(first.next_token().map(str::to_owned)).send().await.unwrap();
    assert_eq!((first.cluster_arns().len(), rest.cluster_arns().len()), (3, 1));
    let answer = client.describe_clusters().clusters("shop").clusters("none").send().await.unwrap();
    let [shop] = answer.clusters() else { panic!("{answer:?}") };
    assert_eq!((shop.active_services_count(), shop.running_tasks_count()), (1, 2));
    assert_eq!(answer.failures()[0].reason(), Some("MISSING"));
    let default = client.describe_clusters().send().await.unwrap();
    assert_eq!((default.clusters().len(), default.failures().len()), (0, 1), "nobody made the default cluster");
    client.create_cluster().send().await.unwrap();
    assert_eq!(client.describe_clusters().send().await.unwrap().clusters().len(), 1);
}

#[tokio::test]
async fn calls_about_services_are_logged_metered_denied_and_disturbed_like_others() {
    let (world, client) = world();
    let arn = world.add_service(&service(json!({ "taskDefinition": "web:1" }))).unwrap();
    let update = || client.update_service().cluster("shop").service(&arn).task_definition("web:2").send();
    world.deny("UpdateService", Some("web"));
    assert_eq!(update().await.unwrap_err().code(), Some("AccessDeniedException"));
    world.allow_all();
    world.on_call(|call| match call.operation.as_str() {
        "UpdateService" => Fault::FailBefore(ServiceError::new("ServerException", "internal")),
        _ => Fault::Stale,
    });
    assert_eq!(update().await.unwrap_err().code(), Some("ServerException"));
    world.leave_calls_alone();
    update().await.unwrap();
    world.on_call(|_| Fault::Stale);
    let stale = client.describe_services().cluster("shop").services("web").services("api").send().await.unwrap();
    assert!(stale.services()[0].task_definition().unwrap().ends_with("web:1"), "one write behind");
    client.list_services().cluster("shop").send().await.unwrap();
    let lines = [
        "UpdateService web (AccessDeniedException)",
        "UpdateService web (ServerException)",
        "UpdateService web",
        "DescribeServices web,api",
        "ListServices shop",
    ];
    assert_eq!(world.call_lines(), lines);
    world.leave_calls_alone();
    world.meter_calls();
    for (operation, burst) in [
        ("UpdateService", 50),
        ("DescribeServices", 100),
        ("ListServiceDeployments", 50),
        ("ListClusters", 50),
        ("TagResource", 20),
    ] {
        assert_eq!((0..200).take_while(|_| world.pays_for(operation)).count(), burst, "{operation}");
    }
    assert_eq!(update().await.unwrap_err().code(), Some("ThrottlingException"));
    world.clock().advance(std::time::Duration::from_secs(1));
    assert_eq!((0..200).take_while(|_| world.pays_for("CreateService")).count(), 5, "one bucket for what changes them");
    assert_eq!((0..200).take_while(|_| world.pays_for("ListServices")).count(), 20);
    assert_eq!((0..200).take_while(|_| world.pays_for("DescribeServiceDeployments")).count(), 20);
}

#[tokio::test]
async fn a_service_is_created_by_the_official_client_too() {
    let (world, client) = world();
    let controller = DeploymentController::builder().r#type(DeploymentControllerType::Ecs).build().unwrap();
    let create = client.create_service().cluster("shop").service_name("web").task_definition("web");
    let missing = create.clone().send().await.unwrap_err();
    assert!(missing.message().unwrap().contains("desiredCount"), "{missing:?}");
    let create = create.desired_count(1).deployment_controller(controller).tags(tag("team", "a"));
    let created = create.send().await.unwrap().service.unwrap();
    assert_eq!(created.task_definition(), Some(&*world.newest_active("web").unwrap().arn), "the family's newest");
    assert_eq!((created.tags(), created.status()), (&[tag("team", "a")][..], Some("ACTIVE")));
}
