//! Brings a task definition to register form by cutting members out, touching nothing else.
//!
//! Knows: what only a Describe answer has, and that `null` is absence in AWS's JSON (the console writes one for every
//! member that is not set, and the AWS CLI refuses them). A `null` inside a member that ECS's model does not know is
//! left: nobody can say what it means there.

use crate::check::model::TASK;
use crate::check::shape::Shape;
use crate::edit::Path;
use crate::json::{Document, JsonError, JsonType, Span, Value};
use crate::keys::{described, nested, task};
use crate::splice::{self, EditError};
use std::borrow::Cow;

/// The definition inside a Describe answer, with the tags that stand beside it.
pub(crate) fn unwrap(outer: &Document, inner: Value<'_>) -> Result<Document, EditError> {
    let path = Path::member(task::TAGS);
    let document = outdented(outer, inner)
        .map_err(|source| EditError::Value { path: described::TASK_DEFINITION.to_owned(), source })?;
    match outer.root().get(task::TAGS) {
        Some(tags) if tags.items().len() > 0 => Ok(splice::change(&document, &path, Some(tags.raw()))?.0),
        _ => Ok(document),
    }
}

/// The inner value as a document of its own, its lines moved left by as much as its last line is indented.
fn outdented(outer: &Document, inner: Value<'_>) -> Result<Document, JsonError> {
    let end = inner.span().end - 1;
    let line = outer.text()[..end].rfind('\n').map_or(0, |newline| newline + 1);
    let indent = &outer.text()[line..end];
    if indent.is_empty() || !indent.trim().is_empty() {
        return Ok(inner.to_document());
    }
    Document::parse_pieces(inner.raw().replace(&format!("\n{indent}"), "\n"))
}

/// Cuts out what RegisterTaskDefinition does not take.
pub(crate) fn to_register_form(document: &Document, more_read_only: &[String]) -> Result<Document, JsonError> {
    let root = document.root();
    let is_described = described::READ_ONLY.iter().any(|key| root.members().any(|(name, _)| name == *key));
    let mut cuts = Vec::new();
    let keep: Vec<bool> = root
        .members()
        .map(|(name, value)| {
            let read_only = described::READ_ONLY.contains(&&*name) || more_read_only.iter().any(|more| *more == name);
            let absent = value.is_null() && task::REGISTRABLE.contains(&&*name);
            let only_aws_tags =
                is_described && name == task::TAGS && value.items().len() > 0 && value.items().all(is_aws_tag);
            !(read_only || absent || only_aws_tags)
        })
        .collect();
    cut_children(root, &keep, &mut cuts);
    for ((name, value), keep) in root.members().zip(keep) {
        let Some(field) = TASK.iter().find(|field| keep && field.name == name) else { continue };
        if name == task::TAGS && value.json_type() == JsonType::Array {
            let is_kept = |tag: Value<'_>| !(is_described && is_aws_tag(tag));
            let keep: Vec<bool> = value.items().map(is_kept).collect();
            cut_children(value, &keep, &mut cuts);
            let Shape::List(tag) = &field.shape else { continue };
            value.items().filter(|tag| is_kept(*tag)).for_each(|item| cut_nulls(item, tag, &mut cuts));
        } else {
            cut_nulls(value, &field.shape, &mut cuts);
        }
    }
    if cuts.is_empty() {
        return Ok(document.clone());
    }
    let cuts = cuts.into_iter().map(|cut| (cut, String::new())).collect();
    document.replacing(cuts)
}

/// Tags that only AWS may set, in any case.
fn is_aws_tag(tag: Value<'_>) -> bool {
    tag.get(nested::KEY)
        .and_then(Value::as_str)
        .is_some_and(|key| key.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("aws:")))
}

/// Cuts out `null` members that ECS's model knows, at every depth. In a map the names are the user's own, and in a
/// member that the model does not know everything is. A value of another type than the model has is left as it is.
fn cut_nulls(value: Value<'_>, shape: &Shape, cuts: &mut Vec<Span>) {
    match shape {
        Shape::Object(_) if value.json_type() != JsonType::Object => {}
        Shape::Object(fields) => {
            let known = |name: &str| fields.iter().find(|field| field.name == name);
            if value.entries().any(|(_, member)| member.is_null()) {
                let is_kept = |(name, member): (Cow<'_, str>, Value<'_>)| !(member.is_null() && known(&name).is_some());
                cut_children(value, &value.members().map(is_kept).collect::<Vec<bool>>(), cuts);
            }
            for (name, member) in value.members().filter(|(_, member)| member.len() > 0) {
                if let Some(field) = known(&name) {
                    cut_nulls(member, &field.shape, cuts);
                }
            }
        }
        Shape::List(item) | Shape::Named(item) => value.items().for_each(|value| cut_nulls(value, item, cuts)),
        Shape::Text | Shape::Choice(_) | Shape::Prefix(..) | Shape::Whole(..) | Shape::Flag | Shape::Map => {}
    }
}

/// The stretches to cut so that just the children to keep are left, commas included.
fn cut_children(parent: Value<'_>, keep: &[bool], cuts: &mut Vec<Span>) {
    let spans = splice::children(parent);
    let mut index = 0;
    while index < spans.len() {
        if keep[index] {
            index += 1;
            continue;
        }
        let first = index;
        while index < spans.len() && !keep[index] {
            index += 1;
        }
        cuts.push(match (first, spans.get(index)) {
            (0, Some(next)) => spans[0].start..next.start,
            (0, None) => parent.span().start + 1..parent.span().end - 1,
            (_, _) => spans[first - 1].end..spans[index - 1].end,
        });
    }
}

#[cfg(test)]
mod tests {
    use crate::definition::TaskDefinition;

    fn register_form(text: &str) -> String {
        TaskDefinition::parse(text).expect("a task definition").text().to_owned()
    }

    #[test]
    fn a_describe_answer_becomes_a_registration_with_its_tags() {
        let answer = r#"{
  "taskDefinition": {
    "taskDefinitionArn": "arn:aws:ecs:eu-west-1:111122223333:task-definition/web:1",
    "containerDefinitions": [
      {"name": "web", "future": {"a": null, "n": 1.50}}
    ],
    "family": "web",
    "revision": 1
  },
  "tags": [{"key": "AWS:x", "value": "1"}, {"key": "team", "value": "a"}]
}"#;
        let expected = r#"{
  "containerDefinitions": [
    {"name": "web", "future": {"a": null, "n": 1.50}}
  ],
  "family": "web",
  "tags": [
    {
      "key": "team",
      "value": "a"
    }
  ]
}"#;
        assert_eq!(register_form(answer), expected);
    }

    #[test]
    fn nulls_that_the_console_writes_are_absence() {
        let saved = r#"{"taskRoleArn":null,"containerDefinitions":[{"name":"a","links":null,"logConfiguration":{"secretOptions":null,"logDriver":"awslogs"},"memory":null}],"ipcMode":null,"unknown":null,"status":"ACTIVE"}"#;
        let expected =
            r#"{"containerDefinitions":[{"name":"a","logConfiguration":{"logDriver":"awslogs"}}],"unknown":null}"#;
        assert_eq!(register_form(saved), expected);
    }

    #[test]
    fn a_null_that_nobody_knows_the_meaning_of_stays() {
        let text = r#"{"containerDefinitions":[{"healthCheck":{"command":[],"new":{"a":null}},"portMappings":[{"containerPort":80,"future":null}],"dockerLabels":{"k":null}}],"volumes":[{"name":"v","newCfg":{"a":null}}],"runtimePlatform":{"new":null}}"#;
        assert_eq!(register_form(text), text);
        let described =
            r#"{"taskDefinition":{"containerDefinitions":[{}]},"tags":[{"key":"a","value":null,"new":null}]}"#;
        let expected = r#"{"containerDefinitions":[{}],"tags":[{"key":"a","new":null}]}"#;
        assert_eq!(register_form(described), expected);
        assert_eq!(register_form(expected), expected);
    }

    #[test]
    fn a_registration_stays_as_it_was_written() {
        let text = "{\"tags\":[{\"key\":\"aws:x\",\"value\":\"\"}],\n  \"containerDefinitions\":[ {} ] }\n";
        assert_eq!(register_form(text), text);
    }

    #[test]
    fn says_what_is_wrong_with_another_shape() {
        for (text, expected) in [
            ("[]", "an array"),
            ("{}", "no containerDefinitions"),
            (r#"{"containerDefinitions":[]}"#, "empty"),
            (r#"{"containerDefinitions":{}}"#, "not a list"),
            (r#"{"containerDefinitions":[1]}"#, "containerDefinitions[0]"),
            (r#"{"taskDefinition":"web:1"}"#, "taskDefinition is not an object"),
        ] {
            let error = TaskDefinition::parse(text).expect_err(text).to_string();
            assert!(error.contains(expected), "{error}");
        }
    }
}
