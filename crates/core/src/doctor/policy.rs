//! What the policy of an endpoint lets pass.
//!
//! Knows: the language of IAM's documents, as far as it can be judged without a request. Must not know: which endpoint
//! it is. Every part of a statement holds, does not, or may hold; what may hold is never taken for granted.

use super::needs::Actions;
use crate::ids::AccountId;
use serde_json::Value;
use wildmatch::WildMatchPattern;

/// Whose calls pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Caller {
    /// Identities of the account, on its own resources.
    Account,
    /// AWS's own, on a resource of AWS's: URLs that ECR signs for its layers.
    Service,
}

/// What became of a judgement. The texts name the action.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    /// All actions pass.
    Passes,
    /// It cannot be told; why.
    Unclear(String),
    /// An action that no statement allows.
    Excluded(String),
    /// An action that a statement denies.
    Denied(String),
}

impl Verdict {
    fn severity(&self) -> u8 {
        match self {
            Self::Passes => 0,
            Self::Unclear(_) => 1,
            Self::Excluded(_) => 2,
            Self::Denied(_) => 3,
        }
    }
}

/// Whether something holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Holds {
    No,
    Perhaps,
    Yes,
}

/// Judges a policy document; the worst of all actions counts.
pub(super) fn judge(document: &str, actions: &[Actions], caller: Caller, account: &AccountId) -> Verdict {
    let Ok(document) = serde_json::from_str::<Value>(document) else {
        return Verdict::Unclear("the policy is not JSON".to_owned());
    };
    let statements = match document.get("Statement") {
        Some(Value::Array(statements)) => statements.iter().collect(),
        Some(statement @ Value::Object(_)) => vec![statement],
        Some(_) | None => return Verdict::Unclear("the policy has no statements".to_owned()),
    };
    let judge = Judge { statements, caller, account };
    let each = actions.iter().flat_map(|part| part.names.iter().map(|name| judge.action(name, part)));
    each.max_by_key(Verdict::severity).unwrap_or(Verdict::Passes)
}

struct Judge<'a> {
    statements: Vec<&'a Value>,
    caller: Caller,
    account: &'a AccountId,
}

impl Judge<'_> {
    fn action(&self, name: &str, part: &Actions) -> Verdict {
        let strongest = |effect: &str| {
            let of_effect = self.statements.iter().filter(|statement| statement.get("Effect") == Some(&effect.into()));
            of_effect.map(|statement| self.applies(statement, name, part)).max().unwrap_or(Holds::No)
        };
        match (strongest("Deny"), strongest("Allow")) {
            (Holds::Yes, _) => Verdict::Denied(name.to_owned()),
            (Holds::No, Holds::Yes) => Verdict::Passes,
            (_, Holds::No) => Verdict::Excluded(name.to_owned()),
            (Holds::Perhaps, _) => Verdict::Unclear(format!("a statement may deny {name}")),
            (Holds::No, Holds::Perhaps) => Verdict::Unclear(format!("a statement may allow {name}")),
        }
    }

    /// Whether a statement is about this action: every part of it has to hold.
    fn applies(&self, statement: &Value, action: &str, part: &Actions) -> Holds {
        let actions = listed(statement, "Action", |pattern| glob::<false>(pattern, action));
        let resources = listed(statement, "Resource", |pattern| resource(pattern, part));
        let parts = [actions, resources, self.principal(statement), self.conditions(statement)];
        parts.into_iter().min().unwrap_or(Holds::No)
    }

    fn principal(&self, statement: &Value) -> Holds {
        let named = match statement.get("Principal") {
            Some(Value::String(word)) if word == "*" => return Holds::Yes,
            Some(Value::Object(kinds)) => kinds.get("AWS").map(texts).unwrap_or_default(),
            Some(_) | None => Vec::new(),
        };
        let root = format!(":iam::{}:root", self.account);
        match self.caller {
            Caller::Account | Caller::Service if named.contains(&"*") => Holds::Yes,
            Caller::Account if named.iter().any(|who| *who == self.account.as_str() || who.ends_with(&root)) => {
                Holds::Yes
            }
            Caller::Account | Caller::Service => Holds::Perhaps,
        }
    }

    /// Only what compares accounts can be judged beforehand.
    fn conditions(&self, statement: &Value) -> Holds {
        let Some(conditions) = statement.get("Condition") else { return Holds::Yes };
        let Some(operators) = conditions.as_object() else { return Holds::Perhaps };
        let keys = operators.iter().flat_map(|(operator, keys)| {
            keys.as_object().into_iter().flatten().map(move |(key, values)| (operator.as_str(), key, values))
        });
        let each = keys.map(|(operator, key, values)| {
            let key = key.to_ascii_lowercase();
            let is_account = ["aws:principalaccount", "aws:resourceaccount"].contains(&key.as_str());
            if !is_account || !["StringEquals", "StringLike", "StringEqualsIgnoreCase"].contains(&operator) {
                return Holds::Perhaps;
            }
            let is_ours = texts(values).iter().any(|value| *value == self.account.as_str());
            let is_other = texts(values).iter().all(|value| value.parse::<AccountId>().is_ok());
            match self.caller {
                Caller::Account if is_ours => Holds::Yes,
                Caller::Account if is_other => Holds::No,
                // Neither who signed the URLs of the layers nor the bucket they are in is of a user's account: such a
                // policy is known to break pulls with 403.
                Caller::Service if is_ours && texts(values).len() == 1 => Holds::No,
                Caller::Account | Caller::Service => Holds::Perhaps,
            }
        });
        each.min().unwrap_or(Holds::Perhaps)
    }
}

/// One text or a list of them.
fn texts(value: &Value) -> Vec<&str> {
    match value.as_array() {
        Some(items) => items.iter().filter_map(Value::as_str).collect(),
        None => value.as_str().into_iter().collect(),
    }
}

/// Whether one of a statement's patterns matches. What is listed by exclusion (`NotAction`) is not judged.
fn listed(statement: &Value, key: &str, matches: impl Fn(&str) -> Holds) -> Holds {
    match statement.get(key) {
        Some(patterns) => texts(patterns).into_iter().map(matches).max().unwrap_or(Holds::Perhaps),
        None => Holds::Perhaps,
    }
}

fn glob<const CASE: bool>(pattern: &str, text: &str) -> Holds {
    let matches = if CASE {
        WildMatchPattern::<'*', '?'>::new(pattern).matches(text)
    } else {
        WildMatchPattern::<'*', '?'>::new(&pattern.to_ascii_lowercase()).matches(&text.to_ascii_lowercase())
    };
    if matches { Holds::Yes } else { Holds::No }
}

fn resource(pattern: &str, part: &Actions) -> Holds {
    match glob::<true>(pattern, &part.resource) {
        Holds::No if pattern.contains("${") => Holds::Perhaps,
        Holds::No if !part.is_exact => Holds::Perhaps,
        // A log group's ARN stands for its streams too, in whatever way it ends.
        Holds::No if part.resource.starts_with(pattern.trim_end_matches('*')) && pattern.contains(":log-group:") => {
            Holds::Perhaps
        }
        judged @ (Holds::No | Holds::Perhaps | Holds::Yes) => judged,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PULL: &[&str] = &["ecr:BatchGetImage"];

    fn verdict(statements: &str) -> Verdict {
        with(statements, Caller::Account)
    }

    fn with(statements: &str, caller: Caller) -> Verdict {
        let resource = "arn:aws:ecr:eu-west-1:111122223333:repository/web".to_owned();
        let actions = [Actions { names: PULL, resource, is_exact: true }];
        let account = "111122223333".parse().expect("an account");
        judge(&format!(r#"{{"Statement":{statements}}}"#), &actions, caller, &account)
    }

    #[test]
    fn what_is_allowed_in_so_many_words_passes() {
        for statement in [
            r#"{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"}"#,
            r#"[{"Effect":"Allow","Principal":{"AWS":"*"},"Action":["ECR:Batch*"],"Resource":["*"]}]"#,
            r#"{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111122223333:root"},"Action":"ecr:*","Resource":"arn:aws:ecr:*:111122223333:repository/w?b"}"#,
            r#"{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*","Condition":{"StringEquals":{"aws:PrincipalAccount":["999988887777","111122223333"]}}}"#,
        ] {
            assert_eq!(verdict(statement), Verdict::Passes, "{statement}");
        }
    }

    #[test]
    fn what_nothing_allows_is_excluded() {
        for statement in [
            r#"[]"#,
            r#"{"Effect":"Allow","Principal":"*","Action":"ecr:GetAuthorizationToken","Resource":"*"}"#,
            r#"{"Effect":"Allow","Principal":"*","Action":"*","Resource":"arn:aws:ecr:eu-west-1:111122223333:repository/api"}"#,
            r#"{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*","Condition":{"StringEquals":{"aws:PrincipalAccount":"999988887777"}}}"#,
        ] {
            assert_eq!(verdict(statement), Verdict::Excluded("ecr:BatchGetImage".to_owned()), "{statement}");
        }
    }

    #[test]
    fn a_denial_wins_over_whatever_is_allowed() {
        let all = r#"{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"}"#;
        let deny = r#"{"Effect":"Deny","Principal":"*","Action":"ecr:Batch*","Resource":"*"}"#;
        assert_eq!(verdict(&format!("[{all},{deny}]")), Verdict::Denied("ecr:BatchGetImage".to_owned()));
        let conditional =
            deny.replace(r#""Action""#, r#""Condition":{"Bool":{"aws:SecureTransport":"false"}},"Action""#);
        assert!(matches!(verdict(&format!("[{all},{conditional}]")), Verdict::Unclear(_)));
    }

    #[test]
    fn what_depends_on_the_request_is_unclear() {
        for statement in [
            r#"{"Effect":"Allow","Principal":"*","NotAction":"s3:*","Resource":"*"}"#,
            r#"{"Effect":"Allow","Principal":"*","Action":"*","NotResource":"arn:aws:s3:::x"}"#,
            r#"{"Effect":"Allow","NotPrincipal":{"AWS":"x"},"Action":"*","Resource":"*"}"#,
            r#"{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111122223333:role/web"},"Action":"*","Resource":"*"}"#,
            r#"{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*","Condition":{"StringEquals":{"aws:PrincipalOrgID":"o-1"}}}"#,
            r#"{"Effect":"Allow","Principal":"*","Action":"*","Resource":"arn:aws:ecr:*:*:repository/${aws:PrincipalTag/team}"}"#,
        ] {
            assert!(matches!(verdict(statement), Verdict::Unclear(_)), "{statement}");
        }
        let account = "111122223333".parse().expect("an account");
        assert!(matches!(judge("no JSON", &[], Caller::Account, &account), Verdict::Unclear(_)));
    }

    #[test]
    fn ecr_s_own_calls_are_of_no_account_of_ours() {
        let own = |key: &str| {
            format!(
                r#"{{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*","Condition":{{"StringEquals":{{"{key}":"111122223333"}}}}}}"#
            )
        };
        for key in ["aws:PrincipalAccount", "aws:ResourceAccount"] {
            assert!(matches!(with(&own(key), Caller::Service), Verdict::Excluded(_)), "{key}");
        }
        assert!(matches!(with(&own("aws:PrincipalOrgID"), Caller::Service), Verdict::Unclear(_)));
        assert_eq!(verdict(&own("aws:ResourceAccount")), Verdict::Passes);
    }
}
