//! How many calls an event takes, and how many of them wait for each other.
//!
//! Knows: which events there are, and how to count. Must not know: how few calls would be good.
//!
//! Each answer takes a second of the runtime's time, which has to be paused; whatever else is done takes none. So the second
//! in which a call is sent tells how many calls, one after the other, were answered before it.

use crate::machine::family;
use crate::scenes::opted_out;
use crate::stage::{OPERATOR, Stage, parsed, revision_arn, web};
use ecs_sidecar_aws::settings;
use ecs_sidecar_core::policy::PRESETS;
use ecs_sidecar_host::Invocation;
use ecs_sidecar_reconcile::Handler;
use ecs_sidecar_tests::{Call, Clock, World};
use serde_json::json;
use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

/// How long an answer takes.
const ANSWER: Duration = Duration::from_secs(1);

/// Who registers what the operator is told of.
const PIPELINE: &str = "arn:aws:iam::111122223333:role/ci/deployer";

/// An event, and what the function that gets it remembers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Case {
    /// The operator's own registration.
    Own,
    /// A family that is as it should be, and of which the table knows that.
    UpToDate,
    /// The same, told to a function that was just started.
    UpToDateCold,
    /// A new revision that a pipeline has injected already.
    Injected,
    /// A new revision of a family with a sidecar.
    Inject,
    /// The same, told to a function that was just started.
    InjectCold,
    /// The first revision of all: roles get what they lack.
    InjectFirst,
    /// A copy of a patched revision with a new image of the app, after the policy has changed.
    Update,
    /// A copy of a patched revision that opts out.
    Remove,
}

/// What an event took.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counted {
    /// The calls in their order, each with the number of calls, itself included, of the longest chain that led to it.
    pub calls: Vec<(usize, String)>,
    /// How deep the registration is, if there was one.
    pub registered_at: Option<usize>,
}

impl Case {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Own,
        Self::UpToDate,
        Self::UpToDateCold,
        Self::Injected,
        Self::Inject,
        Self::InjectCold,
        Self::InjectFirst,
        Self::Update,
        Self::Remove,
    ];

    /// For people.
    pub fn label(self) -> &'static str {
        match self {
            Self::Own => "own event",
            Self::UpToDate => "up to date, warm",
            Self::UpToDateCold => "up to date, cold",
            Self::Injected => "injected by a pipeline, warm",
            Self::Inject => "injection, warm",
            Self::InjectCold => "injection, cold",
            Self::InjectFirst => "first injection, cold, with grants",
            Self::Update => "update, warm",
            Self::Remove => "removal, warm",
        }
    }

    /// Counts the calls of one. The runtime's time has to be paused.
    pub async fn count(self) -> Counted {
        let world = World::with_clock(Clock::of_the_runtime());
        let (variables, remembers) = match self {
            // What the policy wants now differs from what the patched revision has.
            Self::Update => (vec![(settings::POLICY, PRESETS[0].1.replace("\"64\"", "\"32\""))], true),
            Self::UpToDateCold | Self::InjectCold | Self::InjectFirst => (Vec::new(), false),
            Self::Own | Self::UpToDate | Self::Injected | Self::Inject | Self::Remove => (Vec::new(), true),
        };
        let stage = Stage::with_table_in(world, &[]);
        stage.world.register(&web("1")).unwrap();
        if self != Self::InjectFirst {
            stage.reconcile().await;
            stage.reconcile_afresh().await;
        }
        let variables: Vec<(&str, &str)> = variables.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let stage = stage.deployed_also_with(&variables);
        let function = Handler::new(stage.another());
        if remembers {
            // It has just given another family with the same roles its sidecar.
            stage.world.register(&family("other", "1")).unwrap();
            function.handle(&json!({ "action": "reconcile", "family": "other" }), INVOCATION).await.unwrap();
        }
        let number = self.happen(&stage);
        let issuer = if self == Self::Own { OPERATOR } else { PIPELINE };
        let event = json!({ "name": "RegisterTaskDefinition", "arn": revision_arn(number), "issuer": issuer });
        stage.world.forget_calls();
        stage.world.answer_after(ANSWER);
        let began = stage.world.clock().now();
        function.handle(&event, INVOCATION).await.unwrap();
        Counted::of(&stage.world.calls(), began)
    }

    /// What somebody registered; answers the number of the revision.
    fn happen(self, stage: &Stage) -> u64 {
        let newest = || parsed(&stage.world.newest_active("web").unwrap()).text().to_owned();
        let text = match self {
            // Told of late, or twice.
            Self::UpToDate | Self::UpToDateCold | Self::InjectFirst => return 1,
            Self::Own => return 2,
            Self::Injected | Self::Update => newest().replace("shop/web:1", "shop/web:2"),
            Self::Inject | Self::InjectCold => web("2"),
            Self::Remove => opted_out(&stage.world.newest_active("web").unwrap()),
        };
        stage.world.register(&text).unwrap();
        stage.world.newest_active("web").unwrap().number
    }
}

impl Counted {
    fn of(calls: &[Call], began: SystemTime) -> Self {
        let depth = |call: &Call| {
            let waited = call.at.duration_since(began).unwrap_or_default();
            1 + usize::try_from(waited.as_secs()).unwrap_or(usize::MAX)
        };
        let register = calls.iter().find(|call| call.operation == "RegisterTaskDefinition");
        Self {
            calls: calls.iter().map(|call| (depth(call), call.to_string())).collect(),
            registered_at: register.map(depth),
        }
    }

    /// How deep the longest chain is: up to the registration, where there is one.
    pub fn depth(&self) -> usize {
        self.registered_at.unwrap_or_else(|| self.calls.iter().map(|(depth, _)| *depth).max().unwrap_or(0))
    }

    /// How many calls were sent until the registration was, with those that were sent beside it.
    pub fn calls_to_there(&self) -> usize {
        self.calls.iter().filter(|(depth, _)| *depth <= self.depth()).count()
    }

    /// The calls by their depth, sorted: those that run side by side have no order.
    pub fn by_depth(&self) -> BTreeMap<usize, Vec<&str>> {
        let mut levels = BTreeMap::<usize, Vec<&str>>::new();
        for (depth, call) in &self.calls {
            levels.entry(*depth).or_default().push(call);
        }
        levels.values_mut().for_each(|calls| calls.sort_unstable());
        levels
    }
}

const INVOCATION: Invocation<'_> = Invocation { request_id: "run-1", until: None };
