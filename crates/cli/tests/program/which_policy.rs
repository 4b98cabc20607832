//! The README's table of which policy wins, row by row, against the choice itself.
//!
//! Every situation that the table's columns can tell apart is built and explained. The first row that applies has to
//! say what comes of it, and every row has to be the first for some situation.

use ecs_sidecar_core::bounds::Bounds;
use ecs_sidecar_core::definition::TaskDefinition;
use ecs_sidecar_core::explain::{ChoiceRule, Explanation, Verdict, explain};
use ecs_sidecar_core::observed::Observed;
use ecs_sidecar_core::plan::{Asked, Settings, plan};
use ecs_sidecar_core::policy::{Mode, Policy};
use ecs_sidecar_core::receipt::Injector;
use serde_json::{Value, json};
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

/// What a definition asks for, and who asks.
const ASKS: [&str; 8] = ["nothing", "true", "false", "metrics", "traces", "unknown", "gone", "several"];

thread_local! {
    /// Definitions by what they ask for, what they carry, and who injected it: each serves many situations.
    static MADE: RefCell<BTreeMap<(&'static str, &'static str, &'static str), TaskDefinition>> = RefCell::default();
}

/// What it carries.
const RECEIPTS: [&str; 7] = ["none", "unreadable", "edited", "unknown", "gone", "metrics", "traces"];

const MODES: [Mode; 2] = [Mode::OptIn, Mode::OptOut];

/// One definition among two policies, `metrics` and then `traces`; `gone` is being deleted.
#[derive(Debug, Clone, Copy)]
struct Situation {
    asked: Asked,
    asks: &'static str,
    receipt: &'static str,
    by: Injector,
    modes: [Mode; 2],
    selects: [bool; 2],
}

const NAMES: [&str; 2] = ["metrics", "traces"];

impl Situation {
    fn all(asked: Asked, by: Injector) -> Vec<Self> {
        let mut all = Vec::new();
        for asks in ASKS {
            for receipt in RECEIPTS {
                for modes in MODES.map(|one| MODES.map(|other| [one, other])).concat() {
                    for selects in [[false, false], [false, true], [true, false], [true, true]] {
                        all.push(Self { asked, asks, receipt, by, modes, selects });
                    }
                }
            }
        }
        all
    }

    fn explain(&self) -> Explanation {
        MADE.with_borrow_mut(|made| {
            let key = (self.asks, self.receipt, self.by.label());
            let definition = made.entry(key).or_insert_with(|| definition(self.asks, self.receipt, self.by));
            explain(definition, &self.settings())
        })
    }

    fn settings(&self) -> Settings {
        let policies = NAMES.iter().zip(self.modes).zip(self.selects).map(|((name, mode), selects)| {
            let mut policy = policy(name);
            policy.spec.mode = mode;
            policy.spec.selector.families = vec![if selects { "web" } else { "other" }.to_owned()];
            policy
        });
        settings(policies.collect(), self.asked)
    }

    /// Whether a policy of that name selects the definition.
    fn selected_by(&self, name: &str) -> bool {
        NAMES.iter().zip(self.selects).any(|(known, selects)| *known == name && selects)
    }

    fn opt_out(&self) -> impl Iterator<Item = &'static str> {
        NAMES.into_iter().zip(self.modes).filter(|(_, mode)| *mode == Mode::OptOut).map(|(name, _)| name)
    }

    /// The policy that the table's `that one` is: the one that is asked for by name, or else that of the receipt.
    fn that_one(&self) -> &'static str {
        if NAMES.contains(&self.asks) { self.asks } else { self.receipt }
    }
}

fn policy(name: &str) -> Policy {
    thread_local!(static PRESET: Policy = Policy::preset("xray-daemon").expect("a preset"));
    let mut policy = PRESET.with(Policy::clone);
    policy.metadata.name = name.to_owned();
    policy
}

fn settings(policies: Vec<Policy>, asked: Asked) -> Settings {
    Settings {
        policies,
        deleted: BTreeSet::from(["gone".to_owned()]),
        bounds: Bounds::unbounded(),
        asked,
        injector: Injector::Operator,
        version: "0".to_owned(),
        execution_policy_arn: None,
    }
}

/// A definition that asks for something and carries the receipt of a policy.
fn definition(asks: &str, receipt: &str, by: Injector) -> TaskDefinition {
    let parse = |text: &str| TaskDefinition::parse(text).expect("a definition");
    let plain = parse(super::FARGATE);
    let injected = |name: &str| {
        let site = ("111122223333".parse().expect("an account"), "eu-west-1".parse().expect("a Region"));
        let observed = Observed::unchecked(site.0, site.1, plain.clone(), "ecr-public".to_owned());
        let settings = Settings { injector: by, ..settings(vec![policy(name)], Asked::Inject) };
        plan(&observed, &settings).result
    };
    let text = match receipt {
        "none" => plain.text().to_owned(),
        "unreadable" => injected("traces").text().replace(r#"{\"schema\""#, r#"{{\"schema\""#),
        "edited" => injected("traces").text().replace(r#""memoryReservation":256"#, r#""memoryReservation":512"#),
        name => injected(name).text().to_owned(),
    };
    let mut document: Value = serde_json::from_str(&text).expect("JSON");
    let words = match asks {
        "nothing" => vec![],
        "several" => vec!["metrics", "traces"],
        "false" => vec!["false", "metrics"],
        word => vec![word],
    };
    let tags: Vec<Value> = words.iter().map(|word| json!({ "key": "ecs-sidecar/inject", "value": word })).collect();
    document["tags"] = Value::Array(tags);
    parse(&document.to_string())
}

/// A row of the README's table.
#[derive(Debug)]
struct Row(Vec<String>);

impl Row {
    fn all() -> Vec<Self> {
        let readme = include_str!("../../../../README.md");
        let section = readme.split("### Which policy wins\n").nth(1).expect("the section");
        let section = section.split("\n### ").next().expect("its text");
        let rows = section.lines().filter(|line| line.starts_with('|')).skip(2);
        let cells = |line: &str| line.trim_matches('|').split('|').map(|cell| cell.trim().replace('`', "")).collect();
        rows.map(|line| Self(cells(line))).collect()
    }

    fn applies(&self, to: &Situation) -> bool {
        let asks = match self.0[0].as_str() {
            "anything" => true,
            "removal by hand" => to.asked == Asked::Remove,
            "false anywhere" => to.asks == "false",
            "several policies" => to.asks == "several",
            "a deleted policy" => to.asks == "gone",
            "an unknown policy" => ["unknown", "gone"].contains(&to.asks),
            "a policy by name" => NAMES.contains(&to.asks),
            "true or nothing" => ["true", "nothing"].contains(&to.asks),
            "true" | "nothing" => to.asks == self.0[0],
            other => panic!("what is asked by {other:?}?"),
        };
        let receipt = match self.0[1].as_str() {
            "any" => true,
            "none" | "unreadable" => to.receipt == self.0[1],
            "edited sidecar" => to.receipt == "edited",
            "unknown policy" => to.receipt == "unknown",
            "deleted policy" => to.receipt == "gone",
            "known policy" => NAMES.contains(&to.receipt),
            other => panic!("what receipt is {other:?}?"),
        };
        let selected = match self.0[2].as_str() {
            "any" => true,
            "that one" => to.selected_by(to.that_one()),
            "not that one" => !to.selected_by(to.that_one()),
            "one or more" => to.selects.contains(&true),
            "none" => !to.selects.contains(&true),
            "an optOut one" => to.opt_out().any(|name| to.selected_by(name)),
            "there is no optOut one" => to.opt_out().next().is_none(),
            "none of the optOut ones" => {
                to.opt_out().next().is_some() && !to.opt_out().any(|name| to.selected_by(name))
            }
            other => panic!("what is selected by {other:?}?"),
        };
        asks && receipt && selected
    }

    /// What the row says: the verdict, whose sidecar it is, and the rule.
    fn says(&self, of: &Situation) -> (Verdict, Option<&'static str>, &str) {
        let (verdict, policy) = match self.0[3].as_str() {
            "left alone" => (Verdict::LeftAlone, None),
            "removed" => (Verdict::Removed, None),
            "its sidecar" => (Verdict::Sidecar, Some(of.that_one())),
            "the first one's sidecar" => (Verdict::Sidecar, NAMES.into_iter().find(|name| of.selected_by(name))),
            "the first optOut one's sidecar" => (Verdict::Sidecar, of.opt_out().find(|name| of.selected_by(name))),
            other => panic!("what comes of {other:?}?"),
        };
        (verdict, policy, &self.0[4])
    }
}

#[test]
fn the_table_of_the_readme_is_what_is_chosen() {
    let rows = Row::all();
    let mut first = BTreeSet::new();
    let standing = Situation::all(Asked::Standing, Injector::Operator);
    let removal = Situation::all(Asked::Remove, Injector::Operator);
    for situation in standing.into_iter().chain(removal) {
        let index = rows.iter().position(|row| row.applies(&situation));
        let index = index.unwrap_or_else(|| panic!("no row for {situation:?}"));
        let (verdict, policy, rule) = rows[index].says(&situation);
        let explained = situation.explain();
        assert_eq!((explained.verdict, explained.rule.label()), (verdict, rule), "{:?}: {situation:?}", rows[index]);
        if verdict == Verdict::Sidecar {
            assert_eq!(explained.winner.as_deref(), policy, "{situation:?}");
        }
        first.insert(index);
    }
    let never: Vec<&Row> =
        rows.iter().enumerate().filter(|(index, _)| !first.contains(index)).map(|(_, row)| row).collect();
    assert!(never.is_empty(), "never the first to apply: {never:?}");
    let told: BTreeSet<&str> = rows.iter().map(|row| row.0[4].as_str()).collect();
    let rules: BTreeSet<&str> = ChoiceRule::ALL.iter().map(|rule| rule.label()).collect();
    assert_eq!(told, rules);
}

#[test]
fn by_hand_nothing_counts_as_true_and_no_selector_removes() {
    for situation in Situation::all(Asked::Inject, Injector::Operator) {
        let asks = if situation.asks == "nothing" { "true" } else { situation.asks };
        let standing = Situation { asked: Asked::Standing, asks, ..situation }.explain();
        let by_hand = situation.explain();
        assert_eq!((by_hand.rule, &by_hand.winner), (standing.rule, &standing.winner), "{situation:?}");
        let is_by_selector = standing.reason.is_some_and(|reason| reason.label() == "notSelected");
        let wanted = if is_by_selector { Verdict::LeftAlone } else { standing.verdict };
        assert_eq!(by_hand.verdict, wanted, "{situation:?}");
    }
}

#[test]
fn what_a_pipeline_injected_the_operator_never_removes() {
    for situation in Situation::all(Asked::Standing, Injector::Cli) {
        let own = Situation { by: Injector::Operator, ..situation }.explain();
        let wanted = if own.verdict == Verdict::Removed { Verdict::LeftAlone } else { own.verdict };
        assert_eq!(situation.explain().verdict, wanted, "{situation:?}");
    }
}

#[test]
fn a_sidecar_stays_where_something_else_than_the_selector_is_in_the_way() {
    for asks in ["nothing", "true", "traces"] {
        let text = definition(asks, "traces", Injector::Operator)
            .text()
            .replace(r#""image":"web:7""#, r#""image":"web:7","portMappings":[{"containerPort":2000}]"#);
        let definition = TaskDefinition::parse(&text).expect("a definition");
        let explained = explain(&definition, &settings(vec![policy("traces")], Asked::Standing));
        assert_eq!(explained.verdict, Verdict::LeftAlone);
        assert_eq!(explained.reason.map(|reason| reason.label()), Some("portTaken"));
    }
}

#[test]
fn the_table_comes_first_by_name_and_then_the_stacks_own() {
    let order = |table: &[&str], own: &str| {
        let policies = ecs_sidecar_core::policy::in_order(table.iter().map(|name| policy(name)), Some(policy(own)));
        policies.iter().map(|policy| policy.name().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(order(&[], "a"), ["a"]);
    assert_eq!(order(&["b", "Z", "a-b", "ab"], "aa"), ["Z", "a-b", "ab", "b", "aa"]);
    assert_eq!(order(&["c", "a"], "a"), ["a", "c"], "one of the table stands in for the stack's own");
}
