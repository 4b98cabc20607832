//! A world with a family, its roles and the image, and a reconciler that plays the deployed function in it.

use aws_types::SdkConfig;
use ecs_sidecar_aws::rollout::RolloutAction;
use ecs_sidecar_aws::rows::Row;
use ecs_sidecar_aws::settings;
use ecs_sidecar_aws::table::Table;
use ecs_sidecar_aws::{Deadline, Error, ReconcileAction, Reconciler, Settings, Urgency};
use ecs_sidecar_core::definition::TaskDefinition;
use ecs_sidecar_core::receipt::{self, Receipt};
use ecs_sidecar_core::report::Report;
use ecs_sidecar_tests::{Call, Fault, RevisionView, Status, World};
use serde_json::{Value, json};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock};

/// The account of the stage.
pub const ACCOUNT: &str = "111122223333";
/// Its Region.
pub const REGION: &str = "eu-west-1";
/// The role of the function.
pub const OPERATOR: &str = "arn:aws:iam::111122223333:role/stack/operator";
/// The session of that role in which the function runs.
pub const SESSION: &str = "arn:aws:sts::111122223333:assumed-role/operator/reconcile";
/// The repository in which the daemon's image is cached.
pub const IMAGE: &str = "ecr-public/xray/aws-xray-daemon";
/// What the task role gets.
pub const TRACES: &str = "arn:aws:iam::aws:policy/AWSXRayDaemonWriteAccess";

/// What the reads of a reconcile are, with nothing remembered.
pub const LOOK: [&str; 9] = [
    "DescribeTaskDefinition web",
    "ListTaskDefinitions web",
    "DescribePullThroughCacheRules ",
    "DescribeImages aws-xray-daemon",
    // The index, and the manifests of its architectures.
    "BatchGetImage aws-xray-daemon",
    "BatchGetImage aws-xray-daemon",
    "BatchCheckLayerAvailability aws-xray-daemon",
    "ListAttachedRolePolicies web",
    "ListAttachedRolePolicies execution",
];

/// A function before a world.
pub struct Stage {
    /// As a developer sees it.
    pub world: World,
    /// The function's inside, started when it is first used: a function costs more than most of what it does here.
    pub reconciler: Started<Reconciler>,
    /// ARN of the policy that execution roles get.
    pub execution_policy: String,
    deployment: Deployment,
}

/// What is started when it is first used.
pub type Started<T> = LazyLock<T, Box<dyn FnOnce() -> T + Send>>;

/// A function's variables, and what they say, of which any number of functions can be started.
#[derive(Clone)]
pub struct Deployment(Vec<(String, String)>, Settings);

impl Deployment {
    fn new(variables: &[(&str, &str)], world: &World) -> Self {
        let settings = settings_of(world, variables);
        Self(variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(), settings)
    }

    fn start(&self, world: &World) -> Reconciler {
        Reconciler::new(&world.as_principal(SESSION).sdk_config(), self.1.clone())
    }

    fn later(&self, world: &World) -> impl FnOnce() -> Reconciler + Send + use<> {
        let (deployment, world) = (self.clone(), world.clone());
        move || deployment.start(&world)
    }

    /// Runs a whole reconcile of another function, as it may happen between any two calls of this one.
    pub fn reconcile_elsewhere(&self, world: &World) {
        let other = self.start(world);
        elsewhere(async move {
            let family = "web".parse().unwrap();
            other.reconcile(&family, ReconcileAction::Reconcile, Urgency::Event, Deadline::none()).await.unwrap();
        });
    }

    /// The same for a look at a service, named by its ARN.
    pub fn roll_out_elsewhere(&self, world: &World, service: &str) {
        let (other, service) = (self.start(world), service.parse().unwrap());
        elsewhere(async move {
            other.roll_out(&service, None, RolloutAction::Move, Deadline::none()).await.unwrap();
        });
    }
}

/// Runs something to its end beside whoever waits for it.
fn elsewhere(work: impl Future<Output = ()> + Send + 'static) {
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    std::thread::spawn(move || runtime().block_on(work)).join().unwrap();
}

impl Default for Stage {
    fn default() -> Self {
        Self::new()
    }
}

impl Stage {
    /// Roles, image, policies; no family yet.
    pub fn new() -> Self {
        Self::with(&[])
    }

    /// The same with other variables for the function.
    pub fn with(variables: &[(&str, &str)]) -> Self {
        Self::furnished(World::new(), variables)
    }

    fn furnished(world: World, variables: &[(&str, &str)]) -> Self {
        world.add_role("app/web");
        world.add_role("execution");
        world.add_image(IMAGE, "3.x");
        let execution_policy = world.add_policy("stack-execution");
        Self::around(world, execution_policy, variables)
    }

    /// Roles and policies, but no image; what upstream has, the registry fetches. The function has a table and may do
    /// all that the stack can let it do.
    pub fn with_empty_cache(variables: &[(&str, &str)]) -> Self {
        let world = World::new();
        world.add_role("app/web");
        world.add_role("execution");
        world.add_table("operator");
        let execution_policy = world.add_policy("stack-execution");
        let usual = [(settings::CACHE, "create"), (settings::LOG_GROUPS, "create"), (settings::TABLE, "operator")];
        let variables: Vec<(&str, &str)> = variables.iter().copied().chain(usual).collect();
        Self::around(world, execution_policy, &variables)
    }

    /// Nothing but a reconciler.
    pub fn bare(variables: &[(&str, &str)]) -> Self {
        Self::around(World::new(), String::new(), variables)
    }

    fn around(world: World, execution_policy: String, variables: &[(&str, &str)]) -> Self {
        let deployment = Deployment::new(variables, &world);
        Self { reconciler: LazyLock::new(Box::new(deployment.later(&world))), world, execution_policy, deployment }
    }

    /// The same world with a function that has other variables.
    pub fn deployed_with(self, variables: &[(&str, &str)]) -> Self {
        Self::around(self.world, self.execution_policy, variables)
    }

    /// The same world with a function that has these variables as well.
    pub fn deployed_also_with(self, variables: &[(&str, &str)]) -> Self {
        let before = self.deployment.0.clone();
        let before = before.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let all: Vec<(&str, &str)> = variables.iter().copied().chain(before).collect();
        self.deployed_with(&all)
    }

    /// Roles, image and policies as [`Stage::new`] has them, and the operator's table.
    pub fn with_table(variables: &[(&str, &str)]) -> Self {
        Self::with_table_in(World::new(), variables)
    }

    /// The same in a world that is empty.
    pub fn with_table_in(world: World, variables: &[(&str, &str)]) -> Self {
        let variables: Vec<(&str, &str)> = variables.iter().copied().chain([(settings::TABLE, "operator")]).collect();
        let stage = Self::furnished(world, &variables);
        stage.world.add_table("operator");
        stage
    }

    /// The items of a kind in the operator's table.
    pub fn items_of(&self, kind: &str) -> Vec<String> {
        let mut items = self.world.items("operator");
        items.retain(|item| item.contains(&format!("\"kind\":{{\"S\":\"{kind}\"}}")));
        items
    }

    /// The operator's own view of the world.
    pub fn session_config(&self) -> SdkConfig {
        self.world.as_principal(SESSION).sdk_config()
    }

    /// The operator's table, as a person uses it.
    pub fn table(&self) -> Table {
        Table::new(&self.world.sdk_config(), "operator".to_owned())
    }

    /// The row of `web`.
    pub async fn row(&self) -> Row {
        self.table().row(&"web".parse().unwrap()).await.unwrap()
    }

    /// And the family `web`, which asks for a sidecar.
    pub fn with_web() -> Self {
        let stage = Self::new();
        stage.world.register(&web("1")).unwrap();
        stage
    }

    /// And the family patched already.
    pub async fn with_patched_web() -> Self {
        let stage = Self::with_web();
        stage.reconcile().await;
        stage.world.forget_calls();
        stage
    }

    /// A world of its own that is as this one is now, with a function of the same variables.
    pub fn fork(&self) -> Self {
        let (world, deployment) = (self.world.fork(), self.deployment.clone());
        let reconciler: Started<_> = LazyLock::new(Box::new(deployment.later(&world)));
        Self { world, reconciler, execution_policy: self.execution_policy.clone(), deployment }
    }

    /// A further function, freshly started, which remembers nothing.
    pub fn another(&self) -> Reconciler {
        self.deployment.start(&self.world)
    }

    /// What starts a further function when it is called.
    pub fn another_later(&self) -> impl FnOnce() -> Reconciler + Send + use<> {
        self.deployment.later(&self.world)
    }

    /// What further functions are started from.
    pub fn deployment(&self) -> Deployment {
        self.deployment.clone()
    }

    /// Reconciles with a function that is started just for it, and then once more: there is nothing left to write.
    pub async fn finish_afresh(&self, about: &str) {
        let (fresh, family) = (self.another(), "web".parse().unwrap());
        fresh.reconcile(&family, ReconcileAction::Reconcile, Urgency::Event, Deadline::none()).await.unwrap();
        let written = self.world.revisions("web");
        fresh.reconcile(&family, ReconcileAction::Reconcile, Urgency::Event, Deadline::none()).await.unwrap();
        assert_eq!(self.world.revisions("web"), written, "{about}");
    }

    /// Reconciles with a function that is started just for it.
    pub async fn reconcile_afresh(&self) -> Report {
        let family = "web".parse().unwrap();
        self.another().reconcile(&family, ReconcileAction::Reconcile, Urgency::Event, Deadline::none()).await.unwrap()
    }

    /// What further functions are started with.
    pub fn another_settings(&self) -> Settings {
        self.deployment.1.clone()
    }

    /// The same with other variables.
    pub fn another_with(&self, variables: &[(&str, &str)]) -> Reconciler {
        Deployment::new(variables, &self.world).start(&self.world)
    }

    /// Reconciles the family `web`, as an event has it done.
    pub async fn reconcile(&self) -> Report {
        self.try_reconcile().await.unwrap()
    }

    /// The same where it may fail.
    pub async fn try_reconcile(&self) -> Result<Report, Error> {
        self.reconciler
            .reconcile(&"web".parse().unwrap(), ReconcileAction::Reconcile, Urgency::Event, Deadline::none())
            .await
    }

    /// The calls since the last look, sorted: those that run side by side have no order.
    pub fn take_calls(&self) -> Vec<String> {
        let mut lines = self.world.call_lines();
        self.world.forget_calls();
        lines.sort();
        lines
    }

    /// Whether any revision was registered or deregistered since the last look.
    pub fn wrote(&self) -> bool {
        self.world.call_lines().iter().any(|line| line.starts_with("RegisterTask") || line.starts_with("Deregister"))
    }

    /// Numbers of the ACTIVE revisions of `web`.
    pub fn active(&self) -> Vec<u64> {
        let active = |view: &RevisionView| view.status == Status::Active;
        self.world.revisions("web").iter().filter(|view| active(view)).map(|view| view.number).collect()
    }

    /// ACTIVE revisions of `web` that are ours.
    pub fn patched(&self) -> Vec<(u64, Receipt)> {
        let revisions = self.world.revisions("web");
        let active = revisions.iter().filter(|view| view.status == Status::Active);
        active.filter_map(|view| Some((view.number, receipt::ours(&parsed(view))?))).collect()
    }

    /// That the newest revision is a patch of revision `source`, and the only one.
    #[track_caller]
    pub fn assert_newest_patches(&self, source: u64) {
        let patched = self.patched();
        let newest = self.world.newest_active("web").unwrap();
        let [(number, receipt)] = patched.as_slice() else { panic!("patched: {patched:?}") };
        assert_eq!(*number, newest.number, "the patch is not the newest");
        assert_eq!(receipt.source.arn.as_deref(), Some(revision_arn(source).as_str()));
    }
}

fn settings_of(world: &World, variables: &[(&str, &str)]) -> Settings {
    let queue = world.add_queue("dead-letters");
    let execution_policy = format!("arn:aws:iam::{ACCOUNT}:policy/stack-execution");
    let usual = [
        (settings::ACCOUNT_ID, ACCOUNT),
        (settings::REGION, REGION),
        (settings::ROLE_ARN, OPERATOR),
        (settings::ALLOWED_ROLES, "*"),
        (settings::ALLOWED_UPSTREAMS, "public.ecr.aws/*"),
        (settings::ALLOWED_POLICY_ARNS, TRACES),
        (settings::EXECUTION_POLICY_ARN, &execution_policy),
        (settings::DEAD_LETTER_QUEUE_URL, &queue),
    ];
    let lookup = |name: &str| {
        let found = variables.iter().chain(&usual).find(|(key, _)| *key == name);
        found.map(|(_, value)| (*value).to_owned())
    };
    Settings::read(lookup).unwrap()
}

/// A registration of `web` that asks for a sidecar, with a member that nobody has heard of.
pub fn web(version: &str) -> String {
    json!({
        "family": "web",
        "networkMode": "awsvpc",
        "requiresCompatibilities": ["FARGATE"],
        "cpu": "512",
        "memory": "1024",
        "taskRoleArn": format!("arn:aws:iam::{ACCOUNT}:role/app/web"),
        "executionRoleArn": format!("arn:aws:iam::{ACCOUNT}:role/execution"),
        "containerDefinitions": [{
            "name": "web",
            "image": format!("shop/web:{version}"),
            "essential": true,
            "memoryReservation": 512,
            "futureMember": { "keeps": 1 },
            "environment": [{ "name": "TOKEN", "value": "hunter2" }],
        }],
        "tags": [{ "key": "ecs-sidecar/inject", "value": "true" }],
    })
    .to_string()
}

/// The same for container instances.
pub fn web_on_instances() -> String {
    let mut web: Value = serde_json::from_str(&web("1")).unwrap();
    web["requiresCompatibilities"] = json!(["EC2"]);
    web.to_string()
}

/// ARN of a revision of the family `web`.
pub fn revision_arn(number: u64) -> String {
    revision_of("web", number)
}

/// ARN of a revision.
pub fn revision_of(family: &str, number: u64) -> String {
    format!("arn:aws:ecs:{REGION}:{ACCOUNT}:task-definition/{family}:{number}")
}

/// A revision with what Describe says of it.
pub fn parsed(view: &RevisionView) -> TaskDefinition {
    TaskDefinition::parse(&format!("{{\"taskDefinition\":{},\"tags\":{}}}", view.text, view.tags)).unwrap()
}

/// Does something to the n-th call from now on, counting from 0. What is answered tells whether there was one.
pub fn at_call(world: &World, index: usize, deed: impl Fn(&Call) -> Fault + Send + Sync + 'static) -> Reached {
    let counter = AtomicUsize::new(0);
    let reached = Reached(Arc::new(AtomicBool::new(false)));
    let there = reached.clone();
    world.on_call(move |call| {
        if counter.fetch_add(1, Ordering::Relaxed) != index {
            return Fault::None;
        }
        there.0.store(true, Ordering::Relaxed);
        deed(call)
    });
    reached
}

/// Whether a call was made.
#[derive(Clone)]
pub struct Reached(Arc<AtomicBool>);

impl Reached {
    /// Whether it was.
    pub fn get(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Unwinds without a word; what was done until then is all that was done.
pub fn die(_: &World) {
    std::panic::resume_unwind(Box::new("the worker is dead"));
}

/// Does something to the first call of that operation.
pub fn at_first(world: &World, operation: &'static str, deed: impl Fn(&Call) -> Fault + Send + Sync + 'static) {
    let done = AtomicBool::new(false);
    world.on_call(move |call| {
        let first = call.operation == operation && !done.swap(true, Ordering::Relaxed);
        if first { deed(call) } else { Fault::None }
    });
}

/// The lines, with more of them, in the order in which [`Stage::take_calls`] answers them.
pub fn lines(some: &[&str], more: &[&str]) -> Vec<String> {
    let mut lines: Vec<String> = some.iter().chain(more).map(|line| (*line).to_owned()).collect();
    lines.sort();
    lines
}
