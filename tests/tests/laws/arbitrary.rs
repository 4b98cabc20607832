//! Definitions that nobody wrote: valid or not, with members that no SDK knows, in three layouts.

use super::{GROWING, hold_in_the_world, hold_on_paper, inject, parse};
use ecs_sidecar_core::check;
use ecs_sidecar_core::definition::TaskDefinition;
use ecs_sidecar_core::plan::Decision;
use ecs_sidecar_core::policy::Capacity;
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;

/// JSON whose scalars are written as they are given.
#[derive(Clone)]
enum Json {
    Raw(String),
    List(Vec<Json>),
    Object(Vec<(String, Json)>),
}

/// As JSON: a failing definition is to be read by people.
impl std::fmt::Debug for Json {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut text = String::new();
        self.write(Layout::Spaced, 0, &mut text);
        f.write_str(&text)
    }
}

impl Json {
    fn text(value: &str) -> Self {
        Self::Raw(format!("\"{value}\""))
    }

    fn object(members: &[(&str, Json)]) -> Self {
        Self::Object(members.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect())
    }

    /// Writes the value: on one line, on one line with blanks, or over several.
    fn write(&self, layout: Layout, depth: usize, out: &mut String) {
        let (open, close) = match self {
            Self::Raw(text) => return out.push_str(text),
            Self::List(_) => ('[', ']'),
            Self::Object(_) => ('{', '}'),
        };
        let entries: Vec<(Option<&str>, &Json)> = match self {
            Self::Raw(_) => Vec::new(),
            Self::List(items) => items.iter().map(|item| (None, item)).collect(),
            Self::Object(members) => members.iter().map(|(key, value)| (Some(key.as_str()), value)).collect(),
        };
        out.push(open);
        for (index, (key, value)) in entries.iter().enumerate() {
            if index > 0 {
                out.push_str(if layout == Layout::Spaced { ", " } else { "," });
            }
            layout.indent(depth + 1, out);
            if let Some(key) = key {
                out.push_str(&format!("\"{key}\"{}", if layout == Layout::Compact { ":" } else { ": " }));
            }
            value.write(layout, depth + 1, out);
        }
        if !entries.is_empty() {
            layout.indent(depth, out);
        }
        out.push(close);
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Layout {
    Compact,
    Spaced,
    Lines,
    Tabs,
}

impl Layout {
    fn indent(self, depth: usize, out: &mut String) {
        match self {
            Self::Compact | Self::Spaced => {}
            Self::Lines => out.push_str(&format!("\n{}", "  ".repeat(depth))),
            Self::Tabs => out.push_str(&format!("\r\n{}", "\t".repeat(depth))),
        }
    }
}

/// Members that ECS may have one day, with values that a careless program spoils.
fn unknown_members() -> impl Strategy<Value = Vec<(String, Json)>> {
    let scalars = prop_oneof![
        Just("1.50"),
        Just("123456789012345678901234567890"),
        Just("1E2"),
        Just("-0"),
        Just("\"\\u00e9\\/\""),
        Just("\"a ] } , \\\" b\""),
        Just("false"),
        Just("null"),
    ]
    .prop_map(|raw| Json::Raw(raw.to_owned()));
    let nested = scalars.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Json::List),
            prop::collection::vec(inner, 0..3).prop_map(|values| Json::Object(
                values.into_iter().enumerate().map(|(n, v)| (format!("k{n}"), v)).collect()
            )),
        ]
    });
    prop::collection::vec(nested, 0..3).prop_map(|values| {
        values.into_iter().enumerate().map(|(n, value)| (format!("futureMember{n}"), value)).collect()
    })
}

fn optional(name: &'static str, value: impl Strategy<Value = Json> + 'static) -> BoxedStrategy<Option<(String, Json)>> {
    prop::option::of(value.prop_map(move |value| (name.to_owned(), value))).boxed()
}

fn number(values: &'static [u32]) -> impl Strategy<Value = Json> {
    prop::sample::select(values).prop_map(|number| Json::Raw(number.to_string()))
}

fn pairs(key: &'static str, value: &'static str, names: &'static [&'static str]) -> impl Strategy<Value = Json> {
    prop::sample::subsequence(names, 0..=names.len()).prop_shuffle().prop_map(move |names| {
        let pair = |name: &&str| Json::object(&[(key, Json::text(name)), (value, Json::text("some-value"))]);
        Json::List(names.iter().map(pair).collect())
    })
}

fn container(index: usize) -> impl Strategy<Value = Json> {
    let logs = prop_oneof![
        Just(Json::object(&[
            ("logDriver", Json::text("awslogs")),
            (
                "options",
                Json::object(&[
                    ("awslogs-group", Json::text("/app")),
                    ("awslogs-region", Json::text("eu-west-1")),
                    ("awslogs-stream-prefix", Json::text("app")),
                    ("awslogs-multiline-pattern", Json::text("^x")),
                ]),
            ),
        ])),
        unknown_members().prop_map(|unknown| {
            let options = Json::object(&[("splunk-token", Json::text("t")), ("splunk-url", Json::text("a\\u0026b"))]);
            let known = [("logDriver".to_owned(), Json::text("splunk")), ("options".to_owned(), options)];
            Json::Object(known.into_iter().chain(unknown).collect())
        }),
    ];
    let port = (8000..8004_u32).prop_map(move |port| {
        let port = port + 10 * u32::try_from(index).unwrap_or(0);
        Json::List(vec![Json::object(&[("containerPort", Json::Raw(port.to_string()))])])
    });
    let members = vec![
        optional("cpu", number(&[0, 16, 32, 128])),
        optional("memoryReservation", number(&[16, 100])),
        optional("essential", Just(Json::Raw((index == 0).to_string()))),
        optional("portMappings", port),
        optional("environment", pairs("name", "value", &["ZETA", "ALPHA", "beta"])),
        optional("secrets", pairs("name", "valueFrom", &["TOKEN", "PASSWORD"])),
        optional(
            "links",
            prop::sample::select(&["[]", "[ ]", "[\n]"][..]).prop_map(|blank| Json::Raw(blank.to_owned())),
        ),
        optional("logConfiguration", logs),
        optional("dockerLabels", Just(Json::object(&[("team", Json::text("a"))]))),
        optional("restartPolicy", Just(Json::object(&[("enabled", Json::Raw("true".to_owned()))]))),
        optional("healthCheck", health_check()),
        optional("privileged", Just(Json::Raw("false".to_owned()))),
    ];
    (members, unknown_members()).prop_map(move |(members, unknown)| {
        let mut all = vec![
            ("name".to_owned(), Json::text(&format!("c{index}"))),
            ("image".to_owned(), Json::text("111122223333.dkr.ecr.eu-west-1.amazonaws.com/app:1")),
            ("memory".to_owned(), Json::Raw("128".to_owned())),
        ];
        all.extend(members.into_iter().flatten());
        all.extend(unknown);
        Json::Object(all)
    })
}

/// With a member that nobody knows, inside one that everybody does.
fn health_check() -> impl Strategy<Value = Json> {
    unknown_members().prop_map(|unknown| {
        let command = Json::List(vec![Json::text("CMD"), Json::text("true")]);
        Json::Object([("command".to_owned(), command)].into_iter().chain(unknown).collect())
    })
}

/// A definition on one of the platforms, more or less valid.
fn definition() -> impl Strategy<Value = (Vec<(String, Json)>, Layout)> {
    let platform = prop_oneof![
        3 => prop::sample::select(&[("256", "512"), ("256", "2 GB"), (".5 vCPU", "1024"), ("1024", "2048")][..])
            .prop_map(|size| (vec!["FARGATE"], Some("awsvpc"), Some(size))),
        2 => prop::sample::select(&[None, Some("bridge"), Some("awsvpc"), Some("host")][..])
            .prop_map(|mode| (vec!["EC2"], mode, None)),
        1 => Just((vec![], None, Some(("512", "1024")))),
        1 => Just((vec!["EC2", "FARGATE"], Some("awsvpc"), Some(("512", "4096")))),
    ];
    let count = prop_oneof![4 => 1..=3_usize, 1 => 4..=10_usize];
    let containers = count.prop_flat_map(|count| (0..count).map(container).collect::<Vec<_>>());
    // Absent, an empty string as some tools write it, or there.
    let role = || prop_oneof![1 => Just(None), 1 => Just(Some(false)), 8 => Just(Some(true))];
    let roles = (role(), role());
    let layout = prop::sample::select(&[Layout::Compact, Layout::Spaced, Layout::Lines, Layout::Tabs][..]);
    let tags = optional("tags", pairs("key", "value", &["team", "stage"]));
    (platform, containers, roles, unknown_members(), tags, layout).prop_map(
        |((requires, mode, size), containers, (task_role, execution_role), unknown, tags, layout)| {
            let role = |name: &str, there: bool| {
                Json::text(&if there { format!("arn:aws:iam::111122223333:role/{name}") } else { String::new() })
            };
            let list = |words: &[&str]| Json::List(words.iter().map(|word| Json::text(word)).collect());
            let mut members = vec![("family".to_owned(), Json::text("web"))];
            members.extend(unknown);
            members.extend((!requires.is_empty()).then(|| ("requiresCompatibilities".to_owned(), list(&requires))));
            members.extend(mode.map(|mode| ("networkMode".to_owned(), Json::text(mode))));
            members.push(("containerDefinitions".to_owned(), Json::List(containers)));
            members.extend(size.map(|(cpu, _)| ("cpu".to_owned(), Json::text(cpu))));
            members.extend(size.map(|(_, memory)| ("memory".to_owned(), Json::text(memory))));
            members.extend(task_role.map(|there| ("taskRoleArn".to_owned(), role("app", there))));
            members.extend(execution_role.map(|there| ("executionRoleArn".to_owned(), role("exec", there))));
            members.extend(tags);
            (members, layout)
        },
    )
}

fn read(members: &[(String, Json)], layout: Layout) -> TaskDefinition {
    let mut text = String::new();
    Json::Object(members.to_vec()).write(layout, 0, &mut text);
    parse(&text)
}

/// Arbitrary definitions as text.
pub(super) fn texts() -> impl Strategy<Value = String> {
    definition().prop_map(|(members, layout)| read(&members, layout).text().to_owned())
}

/// The same definition with containers and tags in another order.
fn reversed(members: &[(String, Json)]) -> Vec<(String, Json)> {
    let reverse = |(key, value): &(String, Json)| match (key.as_str(), value) {
        ("containerDefinitions" | "tags", Json::List(items)) => {
            (key.clone(), Json::List(items.iter().rev().cloned().collect()))
        }
        (_, value) => (key.clone(), value.clone()),
    };
    members.iter().map(reverse).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_laws_hold_on_paper((members, layout) in definition(), grows in any::<bool>()) {
        let capacity = if grows { GROWING } else { Capacity::Fit };
        hold_on_paper(&read(&members, layout), capacity);
    }

    #[test]
    fn the_laws_hold_in_a_world_that_normalises((members, layout) in definition(), grows in any::<bool>()) {
        let source = read(&members, layout);
        prop_assume!(check::check(&source).is_empty());
        hold_in_the_world(&source, if grows { GROWING } else { Capacity::Fit });
    }

    #[test]
    fn the_order_of_containers_and_tags_does_not_matter((members, layout) in definition()) {
        let one = inject(&read(&members, layout), Capacity::Fit);
        let other = inject(&read(&reversed(&members), layout), Capacity::Fit);
        prop_assert_eq!((one.decision, one.digest), (other.decision, other.digest));
    }
}

/// Were all of them skipped, the laws above would say nothing.
#[test]
fn enough_arbitrary_definitions_are_injected_into() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let mut valid_and_injected = 0;
    for _ in 0..200 {
        let (members, layout) = definition().new_tree(&mut runner).expect("a definition").current();
        let source = read(&members, layout);
        let injected = inject(&source, GROWING).decision == Decision::Inject;
        valid_and_injected += usize::from(injected && check::check(&source).is_empty());
    }
    assert!(valid_and_injected > 40, "only {valid_and_injected} of 200");
}
