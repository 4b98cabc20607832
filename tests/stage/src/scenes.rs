//! The three ways in which a revision comes about, each set up to be cut off anywhere.
//!
//! All have the same past: revision 1 is an older state of the app, 2 our patch of it, 3 the app as it is.

use crate::stage::{ACCOUNT, REGION, Stage, parsed, revision_arn, web};
use ecs_sidecar_aws::settings;
use ecs_sidecar_core::bounds::Bounds;
use ecs_sidecar_core::definition::TaskDefinition;
use ecs_sidecar_core::normalize;
use ecs_sidecar_core::observed::Observed;
use ecs_sidecar_core::plan::{self, Asked};
use ecs_sidecar_core::policy::{PRESETS, Policy};
use ecs_sidecar_core::receipt::{self, Injector};
use ecs_sidecar_core::request::{self, Request};
use ecs_sidecar_tests::{RevisionView, Status};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
/// What is to come about.
pub enum Scene {
    /// 3 gets its sidecar.
    Inject,
    /// 4, our patch of 3, gets the sidecar of a newer policy.
    Update,
    /// 5, a copy of 4 that opts out, loses it.
    Remove,
}

impl Scene {
    /// Each of them.
    pub const ALL: [Self; 3] = [Self::Inject, Self::Update, Self::Remove];

    /// Everything up to the reconcile that counts.
    pub async fn set(self) -> Stage {
        self.set_on(Stage::new()).await
    }

    /// The same on a stage without a family.
    pub async fn set_on(self, stage: Stage) -> Stage {
        stage.world.register(&web("0")).unwrap();
        stage.reconcile().await;
        stage.world.register(&web("1")).unwrap();
        if self != Self::Inject {
            stage.reconcile().await;
        }
        let stage = match self {
            Self::Inject => {
                // The roles of the app as it is lack what the sidecar needs.
                stage.world.add_role("app/web");
                stage.world.add_role("execution");
                stage
            }
            Self::Update => stage.deployed_also_with(&[(settings::POLICY, &newer_policy())]),
            Self::Remove => {
                stage.world.register(&opted_out(&stage.world.newest_active("web").unwrap())).unwrap();
                stage
            }
        };
        stage.world.forget_calls();
        stage
    }

    /// How many calls a fresh function makes that nothing disturbs.
    pub async fn calls(set: &Stage) -> usize {
        let stage = set.fork();
        stage.reconcile_afresh().await;
        stage.world.calls().len()
    }

    /// That what was to come has come, and nothing else.
    #[track_caller]
    pub fn assert_done(self, stage: &Stage, about: &str) {
        let active = match self {
            Self::Inject => 4,
            Self::Update => 5,
            Self::Remove => 6,
        };
        assert_eq!(stage.active(), (1..=active).collect::<Vec<_>>(), "{self:?}, {about}");
        self.assert_one_result(stage, about);
    }

    /// That what was to come is the newest, and there only once, however many workers made it.
    #[track_caller]
    pub fn assert_one_result(self, stage: &Stage, about: &str) {
        let revisions = stage.world.revisions("web");
        let is_result = |view: &&RevisionView| {
            let definition = parsed(view);
            let source = receipt::ours(&definition).map(|receipt| receipt.source.arn);
            let of_the_app = source == Some(Some(revision_arn(3)));
            view.status == Status::Active
                && view.registered_by.contains("/operator/")
                && match self {
                    Self::Inject => of_the_app,
                    Self::Update => of_the_app && definition.text().contains("\"32\""),
                    Self::Remove => source.is_none(),
                }
        };
        let results: Vec<u64> = revisions.iter().filter(is_result).map(|view| view.number).collect();
        let newest = stage.world.newest_active("web").unwrap();
        assert_eq!(results, [newest.number], "{self:?}, {about}: {revisions:#?}");
        assert_eq!(work(&parsed(&newest)).0, work(&registered("1")).0, "{self:?}, {about}");
    }
}

/// The preset with another sidecar, given at once.
pub fn newer_policy() -> String {
    PRESETS[0].1.replace("updates: onNextRegistration", "updates: now").replace("\"64\"", "\"32\"")
}

/// A copy that opts out.
pub fn opted_out(view: &RevisionView) -> String {
    parsed(view).text().replace("\"value\":\"true\"", "\"value\":\"false\"")
}

/// What somebody wants to have run, whatever was injected.
pub fn work(definition: &TaskDefinition) -> (String, Request) {
    let undone = receipt::undo(definition).unwrap();
    let source = undone.map_or_else(|| definition.clone(), |undone| undone.source);
    (normalize::canonical(&source), request::read(definition))
}

/// That version of the app as ECS describes it.
fn registered(version: &str) -> TaskDefinition {
    let stage = Stage::new();
    stage.world.register(&web(version)).unwrap();
    parsed(&stage.world.newest_active("web").unwrap())
}

/// A registration's text, for a family with a past.
type Text = fn(&Stage) -> String;

/// What users register while we work.
pub const TEXTS: [(&str, Text); 5] = [
    ("plain", |_| web("2")),
    ("injected by a pipeline", |_| injected_by_cli(&web("2"))),
    ("the same as before, injected by a pipeline", |_| injected_by_cli(&web("1"))),
    ("a copy of an older patched revision", |stage| parsed(&stage.world.revisions("web")[1]).text().to_owned()),
    ("the same as before, opted out", |_| web("1").replace("\"value\":\"true\"", "\"value\":\"false\"")),
];

/// What `ecs-sidecar inject` makes of a file.
pub fn injected_by_cli(text: &str) -> String {
    let (account, region) = (ACCOUNT.parse().unwrap(), REGION.parse().unwrap());
    let definition = TaskDefinition::parse(text).unwrap();
    let observed = Observed::unchecked(account, region, definition, "ecr-public".to_owned());
    let settings = plan::Settings {
        policies: vec![Policy::preset("xray-daemon").unwrap()],
        deleted: std::collections::BTreeSet::new(),
        bounds: Bounds::unbounded(),
        asked: Asked::Inject,
        injector: Injector::Cli,
        version: "0".to_owned(),
        execution_policy_arn: None,
    };
    let plan = plan::plan(&observed, &settings);
    assert!(plan.decision.registers(), "{}", plan.message);
    plan.result.text().to_owned()
}
