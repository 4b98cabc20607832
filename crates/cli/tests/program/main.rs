//! The program as its users meet it: answers, wrong inputs, exit codes.

mod answers;
mod folder;
mod looked_up;
mod operator;
mod pinned;
mod policies;
mod reconciling;
mod rollouts;
mod served;
mod status;
mod stored_policies;
mod sweeping;
mod switching;
mod uninstalling;
mod waiting;
mod which_policy;
mod wrong_inputs;

use std::io::Write as _;
use std::process::{Command, Stdio};

/// What came of a run.
struct Run {
    code: Option<i32>,
    out: String,
    err: String,
}

const FARGATE: &str = r#"{"family":"web","requiresCompatibilities":["FARGATE"],"networkMode":"awsvpc","cpu":"256","memory":"512","taskRoleArn":"arn:aws:iam::111122223333:role/web","executionRoleArn":"arn:aws:iam::111122223333:role/pull","containerDefinitions":[{"name":"web","image":"web:7","environment":[{"name":"PASSWORD","value":"hunter2"}]}]}"#;

/// Runs the program with an input on standard input and an environment of its own.
fn run_in(arguments: &[&str], input: &[u8], environment: &[(&str, &str)]) -> Run {
    let mut child = Command::new(env!("CARGO_BIN_EXE_ecs-sidecar"))
        .args(arguments)
        .env_clear()
        .envs(environment.iter().copied())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program runs");
    // A program that refuses its arguments does not read.
    let _ = child.stdin.take().expect("piped").write_all(input);
    let output = child.wait_with_output().expect("the program ends");
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    Run { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
}

/// The same with account and Region given.
fn run(arguments: &[&str], input: &str) -> Run {
    let mut all = arguments.to_vec();
    all.extend(["--account", "111122223333", "--region", "eu-west-1", "-"]);
    run_in(&all, input.as_bytes(), &[])
}
