//! An account with an operator in it, behind a socket, for the program to look at.

use super::{Run, run_in};
use ecs_sidecar_aws::table::Table;
use ecs_sidecar_aws::{Deadline, ReconcileAction, Reconciler, Settings, Urgency, settings};
use ecs_sidecar_core::report::Report;
use ecs_sidecar_tests::http::Server;
use ecs_sidecar_tests::{Clock, World};
use std::path::PathBuf;
use std::sync::mpsc;

pub(crate) const TRACES: &str = "arn:aws:iam::aws:policy/AWSXRayDaemonWriteAccess";
pub(crate) const ROLE: &str = "arn:aws:iam::111122223333:role/app/web";

const OPERATOR: &str = "arn:aws:iam::111122223333:role/stack/operator";
const SESSION: &str = "arn:aws:sts::111122223333:assumed-role/operator/reconcile";

/// A folder with files, which goes with the test.
pub(crate) struct Folder(PathBuf);

/// The account, with the stack `ecs-sidecar`.
pub(crate) struct Account {
    /// As a developer sees it.
    pub(crate) world: World,
    url: String,
    variables: Vec<(String, String)>,
}

impl Folder {
    pub(crate) fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("ecs-sidecar-account-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).expect("a folder");
        Self(path)
    }

    /// Writes a file, and answers its path.
    pub(crate) fn file(&self, name: &str, text: &str) -> String {
        let path = self.0.join(name);
        std::fs::write(&path, text).expect("written");
        path.display().to_string()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

impl Account {
    /// Roles, image and table are there, and the family `web`, which asks for a sidecar.
    pub(crate) fn new(variables: &[(&str, &str)]) -> Self {
        let world = World::with_clock(Clock::of_the_machine());
        world.add_role("app/web");
        world.add_role("execution");
        world.add_image("ecr-public/xray/aws-xray-daemon", "3.x");
        world.add_table("operator");
        let execution_policy = world.add_policy("stack-execution");
        let usual = [
            (settings::ACCOUNT_ID, "111122223333"),
            (settings::ROLE_ARN, OPERATOR),
            (settings::ALLOWED_ROLES, "*"),
            (settings::ALLOWED_UPSTREAMS, "public.ecr.aws/xray/*"),
            (settings::ALLOWED_POLICY_ARNS, TRACES),
            (settings::EXECUTION_POLICY_ARN, &execution_policy),
            (settings::TABLE, "operator"),
        ];
        let is_said = |name: &str| variables.iter().any(|(said, _)| *said == name);
        let all: Vec<(&str, &str)> =
            variables.iter().copied().chain(usual.into_iter().filter(|(name, _)| !is_said(name))).collect();
        world.add_function("ecs-sidecar-reconcile", &all);
        world.register(&family("web")).expect("registered");
        let variables = all.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        Self { url: serve(world.clone()), world, variables }
    }

    /// Deploys the function anew, with another role.
    pub(crate) fn add_function_with_role(&self, role: &str) {
        let others = self.variables.iter().filter(|(name, _)| name != settings::ROLE_ARN);
        let mut all: Vec<(&str, &str)> = others.map(|(name, value)| (name.as_str(), value.as_str())).collect();
        all.push((settings::ROLE_ARN, role));
        self.world.add_function("ecs-sidecar-reconcile", &all);
    }

    /// Runs the program as the developer.
    pub(crate) fn run(&self, arguments: &[&str]) -> Run {
        self.run_with(arguments, "")
    }

    /// The same with something on standard input.
    pub(crate) fn run_with(&self, arguments: &[&str], input: &str) -> Run {
        let somebody = self.world.principal();
        let environment = [
            ("HOME", "/nonexistent"),
            ("AWS_ACCESS_KEY_ID", somebody.access_key.as_str()),
            ("AWS_SECRET_ACCESS_KEY", somebody.secret_key.as_str()),
            ("AWS_REGION", "eu-west-1"),
            ("AWS_ENDPOINT_URL", self.url.as_str()),
        ];
        run_in(arguments, input.as_bytes(), &environment)
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

    /// What the operator's function does with a family.
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
}

fn reconcile(world: &World, variables: &[(String, String)], family: &str) -> Report {
    let lookup = |name: &str| match name {
        settings::REGION => Some("eu-west-1".to_owned()),
        _ => variables.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone()),
    };
    let config = world.as_principal(SESSION).sdk_config();
    let reconciler = Reconciler::new(&config, Settings::read(lookup).expect("settings"));
    let family = family.parse().expect("a family");
    let work = reconciler.reconcile(&family, ReconcileAction::Reconcile, Urgency::Event, Deadline::none());
    wait(work).expect("a report")
}

/// Waits for what is asked of the world without a socket.
pub(crate) fn wait<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime").block_on(work)
}

/// Serves a world until the process ends, and answers where.
fn serve(world: World) -> String {
    let (told, url) = mpsc::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let server = Server::start(world, 0).await.expect("a server");
            told.send(server.url()).expect("the test waits");
            std::future::pending::<()>().await;
        });
    });
    url.recv().expect("a server")
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
