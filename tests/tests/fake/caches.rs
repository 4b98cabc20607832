//! ECR's cache, log groups and a table, as the real clients see them.

use aws_sdk_dynamodb::types::{AttributeValue, ReturnValue};
use aws_sdk_ecr::error::ProvideErrorMetadata;
use aws_sdk_ecr::types::{ImageIdentifier, LayerAvailability};
use ecs_sidecar_tests::{Image, World};

const REPOSITORY: &str = "cache/daemon";

#[tokio::test]
async fn a_rule_is_made_once_and_only_for_known_registries() {
    let world = World::new();
    let ecr = aws_sdk_ecr::Client::new(&world.sdk_config());
    let create = |prefix: &str, upstream: &str| {
        ecr.create_pull_through_cache_rule().ecr_repository_prefix(prefix).upstream_registry_url(upstream).send()
    };
    create("ecr-public", "public.ecr.aws").await.unwrap();
    let again = create("ecr-public", "public.ecr.aws").await.unwrap_err().into_service_error();
    assert!(again.is_pull_through_cache_rule_already_exists_exception(), "{again:?}");
    let unknown = create("other", "registry.example").await.unwrap_err().into_service_error();
    assert!(unknown.is_unsupported_upstream_registry_exception(), "{unknown:?}");
    (0..49).for_each(|n| world.add_cache_rule(&format!("rule{n}"), "quay.io", None));
    let one_more = create("more", "quay.io").await.unwrap_err().into_service_error();
    assert!(one_more.is_limit_exceeded_exception(), "{one_more:?}");
    let page = ecr.describe_pull_through_cache_rules().max_results(49).send().await.unwrap();
    let rest = ecr.describe_pull_through_cache_rules().set_next_token(page.next_token.clone()).send().await.unwrap();
    assert_eq!((page.pull_through_cache_rules().len(), rest.pull_through_cache_rules().len()), (49, 1));
}

#[tokio::test]
async fn manifests_and_layers_are_there_or_they_are_not() {
    let world = World::new();
    let image = Image::index("daemon", &["amd64"]);
    world.put_image(REPOSITORY, "3.x", &image);
    let ecr = aws_sdk_ecr::Client::new(&world.sdk_config());
    let missing = format!("sha256:{}", "0".repeat(64));
    let id = |digest: &str| ImageIdentifier::builder().image_digest(digest).build();
    let request = ecr.batch_get_image().repository_name(REPOSITORY).image_ids(id(&image.digest));
    let found = request.image_ids(id(&missing)).send().await.unwrap();
    assert_eq!(found.images()[0].image_manifest().map(str::as_bytes), Some(&*image.manifests[&image.digest]));
    assert_eq!(found.failures()[0].image_id().and_then(ImageIdentifier::image_digest), Some(&*missing));
    let layer = image.blobs.keys().next().unwrap();
    let request = ecr.batch_check_layer_availability().repository_name(REPOSITORY).layer_digests(layer);
    let layers = request.layer_digests(missing).send().await.unwrap();
    let said: Vec<_> = layers.layers().iter().filter_map(|layer| layer.layer_availability()).collect();
    assert_eq!(said, [&LayerAvailability::Available, &LayerAvailability::Unavailable]);
}

#[tokio::test]
async fn an_item_changes_only_under_its_condition() {
    let world = World::new();
    world.add_table_with_key("operator", &["id"]);
    let client = aws_sdk_dynamodb::Client::new(&world.sdk_config());
    let key = || AttributeValue::S("image".to_owned());
    let number = |n: u32| AttributeValue::N(n.to_string());
    let take = |now: u32| {
        let request = client.update_item().table_name("operator").key("id", key());
        let request = request.update_expression("SET leaseUntil = :until").return_values(ReturnValue::AllNew);
        let request = request.condition_expression("attribute_not_exists(leaseUntil) OR leaseUntil < :now");
        let request = request.expression_attribute_values(":until", number(now + 10));
        request.expression_attribute_values(":now", number(now)).send()
    };
    let item = take(100).await.unwrap().attributes.unwrap();
    assert_eq!((&item["id"], &item["leaseUntil"]), (&key(), &number(110)));
    let refused = take(110).await.unwrap_err().into_service_error();
    assert!(refused.is_conditional_check_failed_exception(), "{refused:?}");
    take(111).await.unwrap();
    let read = client.get_item().table_name("operator").key("id", key()).send().await.unwrap();
    assert_eq!(read.item.unwrap()["leaseUntil"], number(121));
    let unknown = client.update_item().table_name("operator").key("id", key()).update_expression("DELETE a :b");
    assert_eq!(unknown.send().await.unwrap_err().code(), Some("ValidationException"));
    let elsewhere = client.get_item().table_name("other").key("id", key()).send().await.unwrap_err();
    assert!(elsewhere.into_service_error().is_resource_not_found_exception());
}

#[tokio::test]
async fn a_log_group_is_made_once_and_kept_as_long_as_somebody_says() {
    let world = World::new();
    let logs = aws_sdk_cloudwatchlogs::Client::new(&world.sdk_config());
    logs.create_log_group().log_group_name("/web").send().await.unwrap();
    let again = logs.create_log_group().log_group_name("/web").send().await.unwrap_err().into_service_error();
    assert!(again.is_resource_already_exists_exception(), "{again:?}");
    logs.put_retention_policy().log_group_name("/web").retention_in_days(30).send().await.unwrap();
    world.add_log_group("/web-2");
    let found = logs.describe_log_groups().log_group_name_prefix("/web").send().await.unwrap();
    let found: Vec<_> =
        found.log_groups().iter().map(|group| (group.log_group_name(), group.retention_in_days())).collect();
    assert_eq!(found, [(Some("/web"), Some(30)), (Some("/web-2"), None)]);
}

#[tokio::test]
async fn a_role_may_do_what_somebody_said_that_it_may() {
    let world = World::new();
    let arn = world.add_role("app/web");
    world.allow(&arn, "logs:CreateLogGroup");
    let iam = aws_sdk_iam::Client::new(&world.sdk_config());
    for (action, expected) in [("logs:CreateLogGroup", "allowed"), ("logs:PutLogEvents", "implicitDeny")] {
        let request = iam.simulate_principal_policy().policy_source_arn(&arn).action_names(action);
        let answer = request.send().await.unwrap();
        assert_eq!(answer.evaluation_results()[0].eval_decision().as_str(), expected);
    }
    let nobody = iam.simulate_principal_policy().policy_source_arn("arn:aws:iam::111122223333:role/nobody");
    let error = nobody.action_names("a:B").send().await.unwrap_err().into_service_error();
    assert!(error.is_no_such_entity_exception(), "{error:?}");
}
