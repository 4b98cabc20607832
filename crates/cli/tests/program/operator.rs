//! An operator in a world behind a socket: its functions are the real ones, and the program asks them over HTTP.

use super::{Run, run_in};
use ecs_sidecar_aws::sweep::Sweeper;
use ecs_sidecar_aws::{Reconciler, Settings, settings};
use ecs_sidecar_host::Invocation;
use ecs_sidecar_tests::http::Server;
use ecs_sidecar_tests::{Clock, World};
use serde_json::{Value, json};
use std::io::Read;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, mpsc};
use std::time::{SystemTime, UNIX_EPOCH};

const ACCOUNT: &str = "111122223333";
const TRACES: &str = "arn:aws:iam::aws:policy/AWSXRayDaemonWriteAccess";
pub(crate) const RECONCILE: &str = "ecs-sidecar-reconcile";
pub(crate) const SWEEP: &str = "ecs-sidecar-sweep";

pub(crate) struct Operator {
    /// As a developer sees it.
    pub(crate) world: World,
    url: String,
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
            (settings::ALLOWED_UPSTREAMS, "public.ecr.aws/*"),
            (settings::ALLOWED_POLICY_ARNS, TRACES),
            (settings::EXECUTION_POLICY_ARN, &execution_policy),
            (settings::TABLE, "operator"),
            (settings::QUEUE_URL, &queues[0]),
            (settings::SWEEP_QUEUE_URL, &queues[1]),
            (settings::DEAD_LETTER_QUEUE_URL, &queues[2]),
            // Nobody waits for a share.
            (settings::SWEEP_SHARE, "100000"),
        ];
        let all: Vec<(&str, &str)> = usual.into_iter().chain(variables.iter().copied()).collect();
        world.add_function(RECONCILE, &all);
        world.add_function(SWEEP, &all);
        let lookup = |name: &str| match name {
            settings::REGION => Some("eu-west-1".to_owned()),
            _ => all.iter().rev().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned()),
        };
        deploy(&world, &Settings::read(lookup).expect("settings"));
        Self { url: serve(&world), world }
    }

    /// Runs the program as the developer of this world.
    pub(crate) fn run(&self, arguments: &[&str]) -> Run {
        run_in(arguments, b"", &self.environment())
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
        self.world.register(&definition(family).to_string()).expect("registered")
    }

    /// Registers one that does not ask.
    pub(crate) fn register_plain(&self, family: &str) -> String {
        let mut definition = definition(family);
        definition["tags"] = json!([]);
        self.world.register(&definition.to_string()).expect("registered")
    }

    /// Has the operator work on a family, as an event would.
    pub(crate) fn reconcile(&self, family: &str) {
        self.run(&["reconcile", family]);
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

fn definition(family: &str) -> Value {
    json!({
        "family": family,
        "networkMode": "awsvpc",
        "requiresCompatibilities": ["FARGATE"],
        "cpu": "512",
        "memory": "1024",
        "taskRoleArn": format!("arn:aws:iam::{ACCOUNT}:role/app/web"),
        "executionRoleArn": format!("arn:aws:iam::{ACCOUNT}:role/execution"),
        "containerDefinitions": [{ "name": "web", "image": "shop/web:1", "essential": true, "memoryReservation": 512 }],
        "tags": [{ "key": "ecs-sidecar/inject", "value": "true" }],
    })
}

/// Lets the functions' own handlers answer invocations, each on a thread of its own.
fn deploy(world: &World, settings: &Settings) {
    let config = world.as_principal("arn:aws:sts::111122223333:assumed-role/operator/session").sdk_config();
    let reconciler = || Reconciler::new(&config, settings.clone());
    let handler = Arc::new(ecs_sidecar_reconcile::Handler::new(reconciler()));
    world.answer_invocations(RECONCILE, move |payload| {
        let (handler, input) = (Arc::clone(&handler), parsed(payload));
        on_a_thread(async move |id| handler.handle(&input, id).await.map_err(|error| chain(&error)))
    });
    let sweeper = Sweeper::new(&config, settings.clone()).expect("a table and queues");
    let handler = Arc::new(ecs_sidecar_sweep::Handler::new(sweeper, reconciler()));
    world.answer_invocations(SWEEP, move |payload| {
        let (handler, input) = (Arc::clone(&handler), parsed(payload));
        on_a_thread(async move |id| handler.handle(&input, id).await.map_err(|error| chain(&error)))
    });
}

fn parsed(payload: &str) -> Value {
    serde_json::from_str(payload).expect("JSON")
}

fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    json!({ "errorType": "Failed", "errorMessage": ecs_sidecar_aws::Chain(error).to_string() }).to_string()
}

fn on_a_thread<F>(work: F) -> Result<String, String>
where
    F: AsyncFnOnce(Invocation<'_>) -> Result<Value, String> + Send + 'static,
{
    static INVOCATIONS: AtomicU64 = AtomicU64::new(0);
    let run = move || {
        let id = format!("run-{}", INVOCATIONS.fetch_add(1, Ordering::Relaxed));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(work(Invocation { request_id: &id, until: None }))
    };
    let answer = std::thread::spawn(run).join().expect("the function does not panic");
    answer.map(|answer| answer.to_string())
}

/// Serves a world until the tests end, and answers where.
fn serve(world: &World) -> String {
    let (sender, receiver) = mpsc::channel();
    let world = world.clone();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let server = Server::start(world, 0).await.expect("a port");
            sender.send(server.url()).expect("somebody waits");
            std::future::pending::<()>().await;
        });
    });
    receiver.recv().expect("the server's address")
}
