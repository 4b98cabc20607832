//! Lifecycle policies of a repository: whether one would delete an image that a definition names by its digest.
//!
//! Knows: ECR's documented policy text. Must not know: when a rule is due. A pinned image is in use for as long as a
//! revision names it, so any rule that may select it one day is in the way. (Source: the ECR user guide, "Lifecycle
//! policy properties".)

use serde::Deserialize;
use wildmatch::WildMatch;

#[derive(Deserialize)]
struct Policy {
    #[serde(default)]
    rules: Vec<Rule>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Rule {
    #[serde(default)]
    rule_priority: i64,
    selection: Selection,
    action: Option<Action>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Selection {
    tag_status: String,
    #[serde(default)]
    tag_prefix_list: Vec<String>,
    #[serde(default)]
    tag_pattern_list: Vec<String>,
}

#[derive(Deserialize)]
struct Action {
    #[serde(rename = "type")]
    kind: String,
}

/// The rule that would delete or archive an image which has that tag now and will lose it, for people. `None`: no rule.
///
/// A text that cannot be read is told like a rule: nobody can say that it spares the image.
pub fn expires(policy: &str, tag: &str) -> Option<String> {
    let policy: Policy = match serde_json::from_str(policy) {
        Ok(policy) => policy,
        Err(error) => return Some(format!("the repository's lifecycle policy cannot be read: {error}")),
    };
    let rule = policy.rules.iter().find(|rule| selects(&rule.selection, tag))?;
    let does = rule.action.as_ref().map_or("expire", |action| action.kind.as_str());
    let what = &rule.selection.tag_status;
    Some(format!("rule {} of the repository's lifecycle policy would {does} it ({what} images)", rule.rule_priority))
}

/// Whether a rule selects the image, now by its tag or later without it.
fn selects(selection: &Selection, tag: &str) -> bool {
    match selection.tag_status.as_str() {
        "tagged" => {
            selection.tag_prefix_list.iter().any(|prefix| tag.starts_with(prefix))
                || selection.tag_pattern_list.iter().any(|pattern| WildMatch::new(pattern).matches(tag))
        }
        // The tag moves on to a newer image one day, and "any" is any. A status of next year is taken for the worst.
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(selection: &str) -> String {
        let action = r#""action": { "type": "expire" }"#;
        format!(r#"{{ "rules": [{{ "rulePriority": 7, "selection": {selection}, {action} }}] }}"#)
    }

    #[test]
    fn a_rule_that_may_select_the_image_is_told() {
        for selection in [
            r#"{ "tagStatus": "untagged", "countType": "sinceImagePushed", "countUnit": "days", "countNumber": 14 }"#,
            r#"{ "tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": 5 }"#,
            r#"{ "tagStatus": "tagged", "tagPrefixList": ["3"], "countType": "imageCountMoreThan", "countNumber": 1 }"#,
            r#"{ "tagStatus": "tagged", "tagPatternList": ["*.x"], "countType": "imageCountMoreThan", "countNumber": 1 }"#,
            r#"{ "tagStatus": "brandNew" }"#,
        ] {
            let told = expires(&policy(selection), "3.x").unwrap_or_else(|| panic!("{selection}"));
            assert!(told.contains("rule 7"), "{told}");
        }
    }

    #[test]
    fn other_tags_rules_and_no_rules_spare_it() {
        let other = r#"{ "tagStatus": "tagged", "tagPrefixList": ["dev-"], "countType": "imageCountMoreThan", "countNumber": 1 }"#;
        assert_eq!(expires(&policy(other), "3.x"), None);
        assert_eq!(expires(r#"{ "rules": [] }"#, "3.x"), None);
    }

    #[test]
    fn what_cannot_be_read_spares_nothing() {
        assert!(expires("none", "3.x").is_some_and(|told| told.contains("cannot be read")));
    }
}
