//! Items and their keys, and queries over them.

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::ProvideErrorMetadata;
use aws_sdk_dynamodb::operation::query::QueryOutput;
use aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValue, Select};
use ecs_sidecar_tests::World;
use std::collections::HashMap;
use std::time::{Duration, Instant};

type Key = HashMap<String, AttributeValue>;

fn text(text: &str) -> AttributeValue {
    AttributeValue::S(text.to_owned())
}

fn key(members: &[(&str, AttributeValue)]) -> Option<Key> {
    Some(members.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect())
}

fn world() -> (World, Client) {
    let world = World::new();
    world.add_table("operator");
    let client = Client::new(&world.sdk_config());
    (world, client)
}

#[tokio::test]
async fn an_item_is_put_read_and_deleted_by_all_of_its_key() {
    let (world, client) = world();
    let web = key(&[("kind", text("family")), ("id", text("web"))]);
    let put = client.put_item().table_name("operator").set_item(web.clone()).item("n", AttributeValue::N("1.0".into()));
    put.clone().condition_expression("attribute_not_exists(id)").send().await.unwrap();
    let again = put.clone().condition_expression("attribute_not_exists(id)").send().await.unwrap_err();
    assert!(again.into_service_error().is_conditional_check_failed_exception());
    assert_eq!(
        world.item("operator", "family", "web").unwrap(),
        r#"{"id":{"S":"web"},"kind":{"S":"family"},"n":{"N":"1"}}"#
    );
    assert!(world.item("operator", "image", "web").is_none() && world.item("operator", "web", "family").is_none());
    let old = put.clone().item("m", text("m")).return_values(ReturnValue::AllOld).send().await.unwrap();
    assert_eq!(old.attributes.unwrap().len(), 3);
    let get = client.get_item().table_name("operator").set_key(web.clone());
    assert_eq!(get.clone().send().await.unwrap().item.unwrap().len(), 4);
    let part = get.clone().projection_expression("id, #m").expression_attribute_names("#m", "m").send().await.unwrap();
    assert_eq!(part.item.unwrap(), key(&[("id", text("web")), ("m", text("m"))]).unwrap(), "put replaces all");
    let error = put.clone().return_values(ReturnValue::AllNew).send().await.unwrap_err();
    assert_eq!(error.message(), Some("Return values set to invalid value"));

    let delete = client.delete_item().table_name("operator").set_key(web.clone());
    let refused =
        delete.clone().condition_expression("n > :n").expression_attribute_values(":n", AttributeValue::N("1".into()));
    assert!(refused.send().await.unwrap_err().into_service_error().is_conditional_check_failed_exception());
    let gone = delete.clone().return_values(ReturnValue::AllOld).send().await.unwrap();
    assert_eq!(gone.attributes.unwrap().len(), 4);
    assert!(get.send().await.unwrap().item.is_none() && world.items("operator").is_empty());
    assert!(delete.return_values(ReturnValue::AllOld).send().await.unwrap().attributes.is_none(), "nothing was there");
}

#[tokio::test]
async fn a_key_that_is_not_the_tables_is_refused() {
    let (world, client) = world();
    world.add_table_with_key("single", &["id"]);
    let number = AttributeValue::N("1".into());
    let (kind, id) = (("kind", text("family")), ("id", text("web")));
    for (table, members) in [
        ("operator", key(std::slice::from_ref(&kind))),
        ("operator", key(std::slice::from_ref(&id))),
        ("operator", key(&[kind.clone(), id.clone(), ("n", text("n"))])),
        ("operator", key(&[kind.clone(), ("id", number.clone())])),
        ("single", key(&[kind.clone(), id.clone()])),
    ] {
        let expected = Some("The provided key element does not match the schema");
        let error = client.get_item().table_name(table).set_key(members.clone()).send().await.unwrap_err();
        assert_eq!((error.code(), error.message()), (Some("ValidationException"), expected), "{table} {members:?}");
        let error = client.update_item().table_name(table).set_key(members.clone()).send().await.unwrap_err();
        assert_eq!(error.message(), expected);
        let error = client.delete_item().table_name(table).set_key(members).send().await.unwrap_err();
        assert_eq!(error.message(), expected);
    }
    for (members, why) in [
        (key(std::slice::from_ref(&kind)), "One or more parameter values were invalid: Missing the key id in the item"),
        (key(&[kind.clone(), ("id", number)]), "Type mismatch for key id expected: S actual: N"),
        (key(&[kind.clone(), ("id", text(""))]), "cannot contain an empty string value. Key: id"),
        (key(&[kind.clone(), ("id", text(&"i".repeat(1025)))]), "size limit of 1024 bytes"),
        (key(&[kind, id.clone(), ("s", AttributeValue::Ss(Vec::new()))]), "An string set  may not be empty"),
    ] {
        let error = client.put_item().table_name("operator").set_item(members).send().await.unwrap_err();
        assert_eq!(error.code(), Some("ValidationException"));
        assert!(error.message().unwrap().contains(why), "{:?} is not {why}", error.message());
    }
    client.update_item().table_name("single").set_key(key(&[id])).send().await.unwrap();
    assert_eq!(world.item("single", "web", "").as_deref(), Some(r#"{"id":{"S":"web"}}"#));
}

#[tokio::test]
async fn an_item_has_at_most_400_kilobytes() {
    let (world, client) = world();
    let web = key(&[("kind", text("k")), ("id", text("i"))]);
    // Names and values together: 4 + 1, 2 + 1 and 1 + the rest.
    let most = 400 * 1024 - 9;
    let put =
        |size: usize| client.put_item().table_name("operator").set_item(web.clone()).item("v", text(&"v".repeat(size)));
    put(most).send().await.unwrap();
    let error = put(most + 1).send().await.unwrap_err();
    let expected = (Some("ValidationException"), Some("Item size has exceeded the maximum allowed size"));
    assert_eq!((error.code(), error.message()), expected);
    let grow = client.update_item().table_name("operator").set_key(web).update_expression("SET w = :w");
    let error = grow.expression_attribute_values(":w", text("w")).send().await.unwrap_err();
    assert_eq!(error.message(), Some("Item size to update has exceeded the maximum allowed size"));
    assert!(!world.item("operator", "k", "i").unwrap().contains("\"w\""));
}

/// Five families, whose order by bytes is not that of a dictionary, and neighbours on both sides.
fn families() -> (World, Client) {
    let (world, client) = world();
    for (kind, id) in [
        ("family", "web"),
        ("family", "Web"),
        ("family", "web-10"),
        ("family", "web-2"),
        ("family", "ärger"),
        ("families", "web"),
        ("family2", "web"),
    ] {
        let item = format!(r#"{{"kind":{{"S":"{kind}"}},"id":{{"S":"{id}"}},"size_":{{"N":"{}"}}}}"#, id.len());
        world.put_item("operator", &item).unwrap();
    }
    (world, client)
}

fn query(client: &Client, condition: &str) -> QueryFluentBuilder {
    let query = client.query().table_name("operator").key_condition_expression(condition);
    query.expression_attribute_values(":k", text("family"))
}

fn ids(answer: &QueryOutput) -> Vec<&str> {
    answer.items().iter().map(|item| item["id"].as_s().unwrap().as_str()).collect()
}

#[tokio::test]
async fn a_query_finds_a_partition_in_the_order_of_bytes() {
    let (_world, client) = families();
    let all = ["Web", "web", "web-10", "web-2", "ärger"];
    let found = query(&client, "kind = :k").send().await.unwrap();
    assert_eq!((ids(&found), found.count(), found.scanned_count()), (all.to_vec(), 5, 5));
    let mut backwards = all;
    backwards.reverse();
    assert_eq!(ids(&query(&client, "kind = :k").scan_index_forward(false).send().await.unwrap()), backwards);
    for (condition, expected) in [
        ("kind = :k AND id = :s", &all[1..2]),
        ("id = :s AND kind = :k", &all[1..2]),
        ("kind = :k AND id < :s", &all[..1]),
        ("kind = :k AND id <= :s", &all[..2]),
        ("kind = :k AND id > :s", &all[2..]),
        ("(kind = :k) AND (id >= :s)", &all[1..]),
        ("kind = :k AND begins_with(id, :s)", &all[1..4]),
        ("kind = :k AND id BETWEEN :s AND :s2", &all[1..3]),
    ] {
        let mut request = query(&client, condition).expression_attribute_values(":s", text("web"));
        if condition.contains(":s2") {
            request = request.expression_attribute_values(":s2", text("web-10"));
        }
        assert_eq!(ids(&request.send().await.unwrap()), expected, "{condition}");
    }
}

#[tokio::test]
async fn a_query_that_is_none_is_refused() {
    let (_world, client) = families();
    for (condition, why) in [
        ("id = :k", "Query condition missed key schema element: kind"),
        ("kind > :k", "Query key condition not supported"),
        ("kind = :k OR kind = :k", "missed key schema element"),
        ("kind = :k AND size_ = :k", "Query condition missed key schema element: id"),
        ("kind = :k AND id <> :k", "Query key condition not supported"),
        ("kind = :k AND contains(id, :k)", "Query key condition not supported"),
        ("kind = :k AND id = :k AND id = :k", "Query"),
    ] {
        let error = query(&client, condition).send().await.unwrap_err();
        assert_eq!(error.code(), Some("ValidationException"), "{condition}");
        assert!(error.message().unwrap().contains(why), "{condition}: {:?}", error.message());
    }
    let on_key = query(&client, "kind = :k").filter_expression("id = :k").send().await.unwrap_err();
    assert!(on_key.message().unwrap().starts_with("Filter Expression can only contain non-primary key attributes"));
    let number = client.query().table_name("operator").key_condition_expression("kind = :k");
    let number = number.expression_attribute_values(":k", AttributeValue::N("1".into())).send().await.unwrap_err();
    assert!(number.message().unwrap().contains("Condition parameter type does not match schema type"));
    for (kind, why) in [("image", "outside query boundaries"), ("", "starting key is invalid")] {
        let start = key(&[("kind", text(kind)), ("id", text("web"))]);
        let error = query(&client, "kind = :k").set_exclusive_start_key(start).send().await.unwrap_err();
        assert!(error.message().unwrap().contains(why), "{:?}", error.message());
    }
    let index = query(&client, "kind = :k").index_name("by-owner").send().await.unwrap_err();
    assert_eq!(index.code(), Some("ValidationException"), "what the fake does not act upon it does not take");
}

/// All pages, as ids.
async fn pages(request: &QueryFluentBuilder) -> Vec<Vec<String>> {
    let (mut pages, mut start) = (Vec::new(), None);
    loop {
        let page = request.clone().set_exclusive_start_key(start).send().await.unwrap();
        pages.push(ids(&page).into_iter().map(str::to_owned).collect());
        start = page.last_evaluated_key;
        if start.is_none() {
            return pages;
        }
    }
}

#[tokio::test]
async fn a_query_goes_page_by_page_and_a_full_page_is_never_known_to_be_the_last() {
    let (world, client) = families();
    let request = query(&client, "kind = :k");
    assert_eq!(pages(&request.clone().limit(2)).await, [vec!["Web", "web"], vec!["web-10", "web-2"], vec!["ärger"]]);
    assert_eq!(pages(&request.clone().limit(5)).await, [vec!["Web", "web", "web-10", "web-2", "ärger"], vec![]]);
    let backwards = request.clone().limit(3).scan_index_forward(false);
    assert_eq!(pages(&backwards).await, [vec!["ärger", "web-2", "web-10"], vec!["web", "Web"]]);
    world.set_page(2);
    assert_eq!(pages(&request).await.len(), 3);
    let filtered =
        request.filter_expression("size_ > :five").expression_attribute_values(":five", AttributeValue::N("5".into()));
    assert_eq!(pages(&filtered).await, [vec![], vec!["web-10"], vec!["ärger"]], "a limit counts what is looked at");
    // The item that a page starts behind need not be there any more.
    let start = key(&[("kind", text("family")), ("id", text("web-1"))]);
    let page = query(&client, "kind = :k").set_exclusive_start_key(start).send().await.unwrap();
    assert_eq!(ids(&page), ["web-10", "web-2"]);
}

#[tokio::test]
async fn a_page_has_a_megabyte_at_most() {
    let (world, client) = world();
    let filler = "v".repeat(300 * 1024);
    for n in 0..5 {
        let item = format!(r#"{{"kind":{{"S":"family"}},"id":{{"S":"{n}"}},"v":{{"S":"{filler}"}}}}"#);
        world.put_item("operator", &item).unwrap();
    }
    assert_eq!(pages(&query(&client, "kind = :k")).await, [vec!["0", "1", "2", "3"], vec!["4"]]);
}

#[tokio::test]
async fn a_query_answers_what_was_asked_for() {
    let (_world, client) = families();
    let counted = query(&client, "kind = :k").select(Select::Count).send().await.unwrap();
    assert_eq!((counted.count(), counted.items.is_none()), (5, true));
    let part = query(&client, "kind = :k").projection_expression("size_").limit(1).send().await.unwrap();
    assert_eq!(part.items(), [key(&[("size_", AttributeValue::N("3".into()))]).unwrap()]);
    assert_eq!(part.last_evaluated_key.unwrap(), key(&[("kind", text("family")), ("id", text("Web"))]).unwrap());
}

#[tokio::test]
async fn two_thousand_items_and_ten_thousand_writes_take_no_time() {
    let (world, client) = world();
    let start = Instant::now();
    for n in 0..10_000 {
        let item = format!(r#"{{"kind":{{"S":"family"}},"id":{{"S":"web-{}"}},"n":{{"N":"{n}"}}}}"#, n % 2_000);
        world.put_item("operator", &item).unwrap();
    }
    assert_eq!(pages(&query(&client, "kind = :k").limit(100)).await.concat().len(), 2_000);
    let took = start.elapsed();
    assert!(took < Duration::from_secs(10), "{took:?}");
}
