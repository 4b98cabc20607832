//! DynamoDB's expressions: what they mean, and what is refused.

use aws_sdk_dynamodb::error::ProvideErrorMetadata;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValue, ReturnValuesOnConditionCheckFailure};
use ecs_sidecar_tests::World;
use std::collections::HashMap;

fn text(text: &str) -> AttributeValue {
    AttributeValue::S(text.to_owned())
}

fn number(number: &str) -> AttributeValue {
    AttributeValue::N(number.to_owned())
}

fn texts(texts: &[&str]) -> AttributeValue {
    AttributeValue::Ss(texts.iter().map(|text| (*text).to_owned()).collect())
}

/// A world with one item, which has an attribute of many a type.
fn world() -> World {
    let world = World::new();
    world.add_table("operator");
    let item = r#"{"kind":{"S":"family"},"id":{"S":"web"},"count_":{"N":"10"},"status":{"S":"active"},
        "tags":{"SS":["a","b"]},"list_":{"L":[{"S":"x"}]},"on_":{"BOOL":true}}"#;
    world.put_item("operator", item).unwrap();
    world
}

fn update(world: &World) -> UpdateItemFluentBuilder {
    let client = aws_sdk_dynamodb::Client::new(&world.sdk_config());
    client.update_item().table_name("operator").key("kind", text("family")).key("id", text("web"))
}

/// All that the conditions below name; only what is used may be given.
fn with_values(mut request: UpdateItemFluentBuilder, expression: &str) -> UpdateItemFluentBuilder {
    let values = [
        (":active", text("active")),
        (":act", text("act")),
        (":a", text("a")),
        (":z", text("z")),
        (":nine", number("9")),
        (":ten", number("10.0")),
        (":hundred", number("100")),
        (":n", text("N")),
        (":yes", AttributeValue::Bool(true)),
        (":ab", texts(&["b", "a"])),
        (":c", texts(&["c"])),
        (":none", AttributeValue::Null(true)),
    ];
    for (name, value) in values {
        let is_used = |rest: &str| !rest.starts_with(|next: char| next.is_ascii_alphanumeric());
        if expression.match_indices(name).any(|(at, _)| is_used(&expression[at + name.len()..])) {
            request = request.expression_attribute_values(name, value);
        }
    }
    if expression.contains("#status") { request.expression_attribute_names("#status", "status") } else { request }
}

#[tokio::test]
async fn a_condition_holds_or_it_does_not() {
    let world = world();
    for (condition, holds) in [
        ("#status = :active", true),
        ("#status <> :active", false),
        ("absent <> :active", true),
        ("absent = :active", false),
        ("NOT absent = :active", true),
        ("count_ = :ten", true),
        ("count_ > :nine AND count_ < :hundred", true),
        ("count_ <= :ten and count_ >= :ten", true),
        ("count_ < :act", false),
        (":nine < count_", true),
        ("count_ BETWEEN :nine AND :hundred", true),
        ("count_ BETWEEN :nine AND :hundred AND attribute_exists(absent)", false),
        ("count_ IN (:nine, :ten)", true),
        ("attribute_exists(id)", true),
        ("attribute_not_exists(id)", false),
        ("attribute_type(count_, :n)", true),
        ("begins_with(#status, :act)", true),
        ("begins_with(absent, :act)", false),
        ("contains(tags, :a)", true),
        ("contains(tags, :z)", false),
        ("contains(#status, :act)", true),
        ("contains(list_, :a)", false),
        ("tags = :ab", true),
        ("on_ = :yes", true),
        ("size(tags) < :nine", true),
        ("attribute_exists(absent) OR attribute_exists(id) AND attribute_exists(absent)", false),
        ("attribute_exists(id) OR attribute_exists(absent) AND attribute_exists(absent)", true),
        ("(attribute_exists(id) OR attribute_exists(absent)) AND attribute_exists(absent)", false),
        ("NOT attribute_exists(absent) AND attribute_exists(id)", true),
        ("NOT (attribute_exists(absent) OR attribute_exists(id))", false),
        ("((attribute_exists(id)) AND (attribute_exists(id)))", true),
    ] {
        let result = with_values(update(&world).condition_expression(condition), condition).send().await;
        let code = result.as_ref().err().map(|error| (error.code(), error.message()));
        match holds {
            true => assert!(result.is_ok(), "{condition}: {code:?}"),
            false => assert_eq!(code.unwrap().0, Some("ConditionalCheckFailedException"), "{condition}: {code:?}"),
        }
    }
}

#[tokio::test]
async fn what_dynamodb_does_not_read_is_refused() {
    let world = world();
    for (condition, why) in [
        ("status = :active", "Attribute name is a reserved keyword; reserved keyword: status"),
        ("#other = :active", "not defined; attribute name: #other"),
        ("id = :unknown", "not defined; attribute value: :unknown"),
        ("count_ == :ten", "Syntax error; token: \"=\""),
        ("count_ = :ten AND", "Syntax error; token: \"<EOF>\""),
        ("count_ = :ten tags", "Syntax error; token: \"tags\""),
        ("count_ = 10", "Syntax error; token: \"1\""),
        ("list_[0] = :a", "Syntax error; token: \"[\""),
        ("(count_ = :ten", "Syntax error"),
        ("((count_ = :ten))", "redundant parentheses"),
        ("exists(count_)", "Invalid function name; function: exists"),
        ("ATTRIBUTE_EXISTS(count_)", "Invalid function name"),
        ("count_ < :yes", "operator: <, operand type: BOOL"),
        ("begins_with(id, :nine)", "begins_with, operand type: N"),
        ("count_ BETWEEN :hundred AND :nine", "upper bound to be greater than or equal to lower bound"),
        ("count_ = count_", "The first operand must be distinct"),
        (" ", "The expression can not be empty"),
    ] {
        let error = with_values(update(&world).condition_expression(condition), condition).send().await.unwrap_err();
        assert_eq!(error.code(), Some("ValidationException"), "{condition}");
        let message = error.message().unwrap();
        assert!(
            message.starts_with("Invalid ConditionExpression: ") && message.contains(why),
            "{condition}: {message}"
        );
    }
    let unused = update(&world).condition_expression("attribute_exists(id)");
    let error = unused.clone().expression_attribute_values(":v", text("v")).send().await.unwrap_err();
    assert!(error.message().unwrap().contains("ExpressionAttributeValues unused in expressions: keys: {:v}"));
    let error = unused.expression_attribute_names("#n", "n").send().await.unwrap_err();
    assert!(error.message().unwrap().contains("ExpressionAttributeNames unused in expressions: keys: {#n}"));
    let error = update(&world).expression_attribute_values(":v", text("v")).send().await.unwrap_err();
    assert!(error.message().unwrap().contains("can only be specified when using expressions"));
}

type Attributes = Option<HashMap<String, AttributeValue>>;

async fn changed(world: &World, expression: &str, wanted: ReturnValue) -> Result<Attributes, String> {
    let request = with_values(update(world).update_expression(expression).return_values(wanted), expression);
    let answer = request.send().await.map_err(|error| error.message().unwrap_or_default().to_owned())?;
    Ok(answer.attributes)
}

#[tokio::test]
async fn an_update_changes_what_it_says() {
    for (expression, name, expected) in [
        ("SET count_ = :nine", "count_", Some(number("9"))),
        ("SET count_ = count_ + :nine", "count_", Some(number("19"))),
        ("SET count_ = count_ - :hundred", "count_", Some(number("-90"))),
        ("SET count_ = if_not_exists(count_, :nine) + :nine", "count_", Some(number("19"))),
        ("SET fresh = if_not_exists(fresh, :nine) + :nine", "fresh", Some(number("18"))),
        ("SET copied = count_, count_ = :nine", "copied", Some(number("10"))),
        ("set #status = :z", "status", Some(text("z"))),
        ("ADD count_ :nine", "count_", Some(number("19"))),
        ("ADD fresh :nine", "fresh", Some(number("9"))),
        ("ADD tags :c", "tags", Some(texts(&["a", "b", "c"]))),
        ("ADD fresh :c", "fresh", Some(texts(&["c"]))),
        ("DELETE tags :c", "tags", Some(texts(&["a", "b"]))),
        ("DELETE tags :ab", "tags", None),
        ("DELETE fresh :ab", "fresh", None),
        ("REMOVE tags, count_", "tags", None),
        ("REMOVE fresh SET another = :none ADD tags :c", "tags", Some(texts(&["a", "b", "c"]))),
    ] {
        let after = changed(&world(), expression, ReturnValue::AllNew).await.unwrap().unwrap();
        assert_eq!(after.get(name), expected.as_ref(), "{expression}");
        assert_eq!((&after["kind"], &after["id"]), (&text("family"), &text("web")));
    }
}

#[tokio::test]
async fn an_update_that_dynamodb_does_not_read_is_refused() {
    let world = world();
    let before = world.items("operator");
    for (expression, why) in [
        ("SET status = :z", "Attribute name is a reserved keyword; reserved keyword: status"),
        ("SET id = :z", "Cannot update attribute id. This attribute is part of the key"),
        ("REMOVE kind", "Cannot update attribute kind"),
        ("SET fresh = absent", "refers to an attribute that does not exist in the item"),
        ("SET count_ = #status + :nine", "An operand in the update expression has an incorrect data type"),
        ("ADD #status :nine", "incorrect data type"),
        ("ADD count_ :a", "operator: ADD, operand type: S"),
        ("DELETE count_ :nine", "operator: DELETE, operand type: N"),
        ("SET count_ = :nine SET tags = :ab", "The \"SET\" section can only be used once"),
        ("SET count_ = :nine REMOVE count_", "Two document paths overlap with each other"),
        ("SET count_ :nine", "Syntax error"),
        ("SET count_ = :nine,", "Syntax error"),
        ("count_ = :nine", "Syntax error"),
        ("SET list_ = append(list_, :nine)", "Invalid function name; function: append"),
    ] {
        let message = changed(&world, expression, ReturnValue::None).await.unwrap_err();
        assert!(message.contains(why), "{expression}: {message}");
    }
    assert_eq!(world.items("operator"), before);
}

#[tokio::test]
async fn a_write_answers_what_was_asked_for() {
    for (wanted, expected) in [
        (ReturnValue::None, None),
        (ReturnValue::UpdatedNew, Some((number("9"), 1))),
        (ReturnValue::UpdatedOld, Some((number("10"), 1))),
        (ReturnValue::AllNew, Some((number("9"), 7))),
        (ReturnValue::AllOld, Some((number("10"), 7))),
    ] {
        let answer = changed(&world(), "SET count_ = :nine", wanted.clone()).await.unwrap();
        let answer = answer.map(|attributes| (attributes["count_"].clone(), attributes.len()));
        assert_eq!(answer, expected, "{wanted}");
    }
    let failing = update(&world()).condition_expression("attribute_not_exists(id)");
    let bare = failing.clone().send().await.unwrap_err().into_service_error();
    let with = failing.return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
    let with = with.send().await.unwrap_err().into_service_error();
    let item = |error: &UpdateItemError| {
        let UpdateItemError::ConditionalCheckFailedException(error) = error else { panic!("{error:?}") };
        error.item().map(HashMap::len)
    };
    assert_eq!((item(&bare), item(&with)), (None, Some(7)));
}
