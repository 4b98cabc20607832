//! What users register.
//!
//! Knows: the kinds of apps there are. Must not know: when they come.

use crate::chance::Draw;
use ecs_sidecar_aws::rows::Row;
use ecs_sidecar_core::ids::RoleRef;
use ecs_sidecar_stage::scenes::injected_by_cli;
use ecs_sidecar_stage::stage::{ACCOUNT, REGION, parsed, web};
use ecs_sidecar_tests::RevisionView;
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// How many families there are.
pub(crate) const FAMILIES: u64 = 5;

/// All roles, with their paths.
pub(crate) const ROLES: [&str; 3] = ["app/web", "app/other", "execution"];

/// The image of a daemon that an app has itself.
pub(crate) const OWN_DAEMON: &str = "amazon/aws-xray-daemon:3.x";

/// The n-th family.
pub(crate) fn family_name(number: u64) -> String {
    format!("app-{number}")
}

/// ARN of a service.
pub(crate) fn service_arn(name: &str) -> String {
    format!("arn:aws:ecs:{REGION}:{ACCOUNT}:service/shop/{name}")
}

/// A kind of app.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flavour {
    /// On Fargate, and asks for a sidecar.
    Fargate,
    /// On instances, and asks for one.
    Instances,
    /// Asks for nothing.
    Silent,
    /// Wants none.
    OptedOut,
    /// Has a daemon of its own.
    OwnDaemon,
    /// A pipeline has injected already.
    Injected,
}

impl Flavour {
    /// One of them.
    pub(crate) fn drawn(draw: &mut Draw) -> Self {
        draw.weighted(&[
            (60, Self::Fargate),
            (12, Self::Instances),
            (6, Self::Silent),
            (8, Self::OptedOut),
            (4, Self::OwnDaemon),
            (10, Self::Injected),
        ])
    }

    /// The word for it.
    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::Fargate => "Fargate",
            Self::Instances => "instances",
            Self::Silent => "asks for nothing",
            Self::OptedOut => "opted out",
            Self::OwnDaemon => "own daemon",
            Self::Injected => "injected by a pipeline",
        }
    }
}

/// A registration of a version.
pub(crate) fn registration(family: &str, version: u64, flavour: Flavour) -> String {
    let mut text: Value = serde_json::from_str(&web(&version.to_string())).unwrap_or_default();
    text["family"] = json!(family);
    if version.is_multiple_of(3) {
        text["taskRoleArn"] = json!(format!("arn:aws:iam::{ACCOUNT}:role/app/other"));
    }
    match flavour {
        Flavour::Fargate => {}
        Flavour::Instances => text["requiresCompatibilities"] = json!(["EC2"]),
        Flavour::Silent => text["tags"] = json!([{ "key": "team", "value": "a" }]),
        Flavour::OptedOut => text["tags"][0]["value"] = json!("false"),
        Flavour::OwnDaemon => {
            text["tags"] = json!([{ "key": "team", "value": "a" }]);
            let daemon = json!({ "name": "daemon", "image": OWN_DAEMON, "memoryReservation": 64 });
            text["containerDefinitions"].as_array_mut().into_iter().for_each(|list| list.push(daemon.clone()));
        }
        Flavour::Injected => return injected_by_cli(&text.to_string()),
    }
    text.to_string()
}

/// A revision as somebody registers it again.
pub(crate) fn registrable(view: &RevisionView) -> String {
    parsed(view).text().to_owned()
}

/// The same with another image of the app.
pub(crate) fn with_image(view: &RevisionView, version: u64) -> String {
    let text = registrable(view);
    let Some(at) = text.find("shop/web:") else { return text };
    let end = text[at..].find('"').map_or(text.len(), |length| at + length);
    format!("{}shop/web:{version}{}", &text[..at], &text[end..])
}

/// The same, opted in or out.
pub(crate) fn opted(view: &RevisionView, wants: bool) -> String {
    let mut text: Value = serde_json::from_str(&registrable(view)).unwrap_or_default();
    text["tags"] = json!([{ "key": "ecs-sidecar/inject", "value": wants.to_string() }]);
    text.to_string()
}

/// What was attached and nothing rests on, as `permissions prune` finds it.
pub(crate) fn unused(rows: &[Row], now: u64) -> BTreeSet<String> {
    let key = |pair: &String| {
        pair.split_once(' ').map(|(role, policy)| (RoleRef::new(role).name().to_owned(), policy.to_owned()))
    };
    let mut used = BTreeSet::new();
    for row in rows {
        let has_one = row.told.injected.is_some();
        used.extend(row.told.uses.iter().filter(|_| has_one).filter_map(key));
        if row.is_leased(now) || has_one && row.told.uses.is_empty() {
            used.extend(row.grants.iter().filter_map(key));
        }
    }
    let granted = rows.iter().flat_map(|row| &row.grants);
    granted.filter(|pair| key(pair).is_some_and(|key| !used.contains(&key))).cloned().collect()
}
