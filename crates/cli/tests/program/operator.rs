//! An operator in a world behind a socket: its functions are the real ones, and the program asks them over HTTP.

use super::served::{deploy, serve};
use super::{Run, run_in};
use ecs_sidecar_aws::table::Table;
use ecs_sidecar_aws::{Deadline, ReconcileAction, Reconciler, Settings, Urgency, settings};
use ecs_sidecar_core::report::Report;
use ecs_sidecar_tests::{Clock, World};
use serde_json::{Value, json};
use std::io::Read;
use std::process::{Child, Command, Stdio};
use std::time::{SystemTime, UNIX_EPOCH};

const ACCOUNT: &str = "111122223333";
pub(crate) const TRACES: &str = "arn:aws:iam::aws:policy/AWSXRayDaemonWriteAccess";
pub(crate) const ROLE: &str = "arn:aws:iam::111122223333:role/app/web";

/// As whom its functions ask.
pub(super) const SESSION: &str = "arn:aws:sts::111122223333:assumed-role/operator/session";

pub(crate) const RECONCILE: &str = "ecs-sidecar-reconcile";
pub(crate) const SWEEP: &str = "ecs-sidecar-sweep";

pub(crate) struct Operator {
    /// As a developer sees it.
    pub(crate) world: World,
    url: String,
    variables: Vec<(String, String)>,
}

/// The program, as long as the test runs.
pub(crate) struct Program(pub(crate) Child);

impl Program {
    /// What came of it, once it has ended.
    pub(crate) fn end(mut self) -> Run {
        let read = |stream: Option<&mut dyn Read>| {
            let mut text = String::new();
            stream.expect("piped").read_to_string(&mut text).expect("UTF-8");
            text
        };
        // Neither says more than a pipe holds.
        let out = read(self.0.stdout.as_mut().map(|stream| stream as &mut dyn Read));
        let err = read(self.0.stderr.as_mut().map(|stream| stream as &mut dyn Read));
        Run { code: self.0.wait().expect("the program ends").code(), out, err }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _gone_already = self.0.kill();
        let _reaped = self.0.wait();
    }
}

impl Operator {
    /// A stack of the usual name, with roles and image, and no family.
    pub(crate) fn new() -> Self {
        Self::with(&[])
    }

    /// The same with the family `web`, which asks for a sidecar.
    pub(crate) fn with_web() -> Self {
        let operator = Self::new();
        operator.register("web");
        operator
    }

    /// The same with other variables for its functions.
    pub(crate) fn with(variables: &[(&str, &str)]) -> Self {
        // The program has the machine's clock, and signs with it.
        let world = World::with_clock(Clock::of_the_machine());
        world.add_role("app/web");
        world.add_role("execution");
        world.add_image("ecr-public/xray/aws-xray-daemon", "3.x");
        world.add_table("operator");
        let execution_policy = world.add_policy("stack-execution");
        let queues = ["work", "sweep", "dead-letters"].map(|name| world.add_queue(name));
        let usual = [
            (settings::ACCOUNT_ID, ACCOUNT),
            (settings::ROLE_ARN, "arn:aws:iam::111122223333:role/stack/operator"),
            (settings::ALLOWED_ROLES, "*"),
            (settings::ALLOWED_UPSTREAMS, "public.ecr.aws/xray/*"),
            (settings::ALLOWED_POLICY_ARNS, TRACES),
            (settings::EXECUTION_POLICY_ARN, &execution_policy),
            (settings::TABLE, "operator"),
            (settings::QUEUE_URL, &queues[0]),
            (settings::SWEEP_QUEUE_URL, &queues[1]),
            (settings::DEAD_LETTER_QUEUE_URL, &queues[2]),
            // Nobody waits for a share.
            (settings::SWEEP_SHARE, "100000"),
        ];
        let is_said = |name: &str| variables.iter().any(|(said, _)| *said == name);
        let all: Vec<(&str, &str)> =
            variables.iter().copied().chain(usual.into_iter().filter(|(name, _)| !is_said(name))).collect();
        world.add_function(RECONCILE, &all);
        world.add_function(SWEEP, &all);
        let variables: Vec<_> = all.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        deploy(&world, &settings_of(&variables));
        Self { url: serve(&world), world, variables }
    }

    /// Deploys the function anew, with another role.
    pub(crate) fn add_function_with_role(&self, role: &str) {
        let others = self.variables.iter().filter(|(name, _)| name != settings::ROLE_ARN);
        let mut all: Vec<(&str, &str)> = others.map(|(name, value)| (name.as_str(), value.as_str())).collect();
        all.push((settings::ROLE_ARN, role));
        self.world.add_function(RECONCILE, &all);
    }

    /// Runs the program as the developer of this world.
    pub(crate) fn run(&self, arguments: &[&str]) -> Run {
        self.run_with(arguments, "")
    }

    /// The same with something on standard input.
    pub(crate) fn run_with(&self, arguments: &[&str], input: &str) -> Run {
        run_in(arguments, input.as_bytes(), &self.environment())
    }

    /// What has come of a run that has to go well.
    #[track_caller]
    pub(crate) fn out(&self, arguments: &[&str]) -> String {
        let run = self.run(arguments);
        assert_eq!(run.code, Some(0), "{}{}", run.out, run.err);
        run.out
    }

    /// A run that has to end with this code and to say this on standard error.
    #[track_caller]
    pub(crate) fn refused(&self, arguments: &[&str], code: i32, wanted: &str) {
        let run = self.run(arguments);
        assert_eq!(run.code, Some(code), "{arguments:?}: {}{}", run.out, run.err);
        assert!(run.err.contains(wanted) && !run.err.contains("panicked"), "{arguments:?}: {}", run.err);
    }

    /// Starts it.
    pub(crate) fn spawn(&self, arguments: &[&str]) -> Program {
        let mut program = Command::new(env!("CARGO_BIN_EXE_ecs-sidecar"));
        program.args(arguments).env_clear().envs(self.environment()).stdin(Stdio::null());
        Program(program.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the program runs"))
    }

    fn environment(&self) -> [(&str, &str); 5] {
        let principal = self.world.principal();
        [
            ("AWS_ENDPOINT_URL", &self.url),
            ("AWS_REGION", self.world.region()),
            ("AWS_ACCESS_KEY_ID", &principal.access_key),
            ("AWS_SECRET_ACCESS_KEY", &principal.secret_key),
            ("HOME", "/nonexistent"),
        ]
    }

    /// The same, for a JSON answer.
    #[track_caller]
    pub(crate) fn json(&self, arguments: &[&str]) -> Value {
        let run = self.run(arguments);
        serde_json::from_str(&run.out).unwrap_or_else(|error| panic!("{error}: {}{}", run.out, run.err))
    }

    /// Registers a revision that asks for a sidecar, and answers its ARN.
    pub(crate) fn register(&self, family: &str) -> String {
        self.world.register(&self::family(family)).expect("registered")
    }

    /// Registers one that does not ask.
    pub(crate) fn register_plain(&self, family: &str) -> String {
        let asks = r#"{"key":"ecs-sidecar/inject","value":"true"}"#;
        self.world.register(&self::family(family).replace(asks, "")).expect("registered")
    }

    /// Has the operator work on a family, as an event would.
    pub(crate) fn reconcile(&self, family: &str) -> Report {
        reconcile(&self.world, &self.variables, family)
    }

    /// The same, to be done in the midst of a call.
    pub(crate) fn reconciler(&self) -> impl Fn(&World, &str) + Send + Sync + 'static {
        let variables = self.variables.clone();
        move |world, family| {
            let (world, variables, family) = (world.clone(), variables.clone(), family.to_owned());
            std::thread::spawn(move || reconcile(&world, &variables, &family)).join().expect("reconciled");
        }
    }

    /// The operator's table.
    pub(crate) fn table(&self) -> Table {
        Table::new(&self.world.sdk_config(), "operator".to_owned())
    }

    /// Calls that write, but for those to the table, since the last look.
    pub(crate) fn writes(&self) -> Vec<String> {
        let reads = ["Describe", "List", "Get", "Query", "Batch", "Simulate"];
        let mut lines = self.world.call_lines();
        self.world.forget_calls();
        lines.retain(|line| reads.iter().all(|read| !line.starts_with(read)) && !line.contains("Item operator"));
        lines
    }

    /// Items of the table that people write.
    pub(crate) fn standing(&self) -> Vec<String> {
        let mut items = self.world.items("operator");
        items.retain(|item| item.contains(r#""kind":{"S":"standing"}"#));
        items
    }

    /// Puts a row of a family into the table, with attributes as DynamoDB writes them.
    pub(crate) fn put_row(&self, family: &str, attributes: Value) {
        let mut item =
            json!({ "kind": { "S": "family" }, "id": { "S": family }, "v": { "N": "1" }, "version": { "N": "1" } });
        let (item_members, more) = (item.as_object_mut(), attributes.as_object());
        item_members.expect("an object").extend(more.expect("an object").clone());
        self.world.put_item("operator", &item.to_string()).expect("put");
    }

    /// Puts what is known of a sweep into the table.
    pub(crate) fn put_sweep(&self, attributes: Value) {
        let mut item =
            json!({ "kind": { "S": "sweep" }, "id": { "S": "state" }, "v": { "N": "1" }, "version": { "N": "1" } });
        let (item_members, more) = (item.as_object_mut(), attributes.as_object());
        item_members.expect("an object").extend(more.expect("an object").clone());
        self.world.put_item("operator", &item.to_string()).expect("put");
    }
}

/// A number as DynamoDB writes it: so many seconds before now.
pub(crate) fn ago(seconds: u64) -> Value {
    json!({ "N": (now() - seconds).to_string() })
}

/// Seconds since 1970.
pub(crate) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs()
}

pub(crate) fn arn(revision: &str) -> String {
    format!("arn:aws:ecs:eu-west-1:{ACCOUNT}:task-definition/{revision}")
}

fn settings_of(variables: &[(String, String)]) -> Settings {
    let lookup = |name: &str| match name {
        settings::REGION => Some("eu-west-1".to_owned()),
        _ => variables.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone()),
    };
    Settings::read(lookup).expect("settings")
}

fn reconcile(world: &World, variables: &[(String, String)], family: &str) -> Report {
    let config = world.as_principal(SESSION).sdk_config();
    let reconciler = Reconciler::new(&config, settings_of(variables));
    let family = family.parse().expect("a family");
    let work = reconciler.reconcile(&family, ReconcileAction::Reconcile, Urgency::Event, Deadline::none());
    wait(work).expect("a report")
}

/// Waits for what is asked of the world without a socket.
pub(crate) fn wait<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime").block_on(work)
}

/// A registration that asks for a sidecar.
pub(crate) fn family(name: &str) -> String {
    format!(
        r#"{{"family":"{name}","requiresCompatibilities":["FARGATE"],"networkMode":"awsvpc","cpu":"512","memory":"1024","taskRoleArn":"{ROLE}","executionRoleArn":"arn:aws:iam::111122223333:role/execution","containerDefinitions":[{{"name":"web","image":"shop/web:7","memoryReservation":512,"environment":[{{"name":"PASSWORD","value":"hunter2"}}]}}],"tags":[{{"key":"ecs-sidecar/inject","value":"true"}}]}}"#
    )
}

/// The preset under another name.
pub(crate) fn named(name: &str) -> String {
    let preset = include_str!("../../../core/presets/xray-daemon.yaml");
    preset.replace("name: xray-daemon\nspec", &format!("name: {name}\nspec"))
}
