//! Runs every case that a command line can say through the program.

use ecs_sidecar_tests::cases::{self, Case};
use libtest_mimic::{Arguments, Failed, Trial};
use std::io::Write as _;
use std::process::{Command, Output, Stdio};

fn main() {
    let cases: Vec<Case> = cases::all().into_iter().filter(|case| case.command_line().is_some()).collect();
    assert!(cases.len() > 30, "only {} cases can be said on the command line", cases.len());
    let trials = cases.into_iter().map(|case| Trial::test(case.name.clone(), move || run(&case))).collect();
    libtest_mimic::run(&Arguments::from_args(), trials).exit();
}

fn run(case: &Case) -> Result<(), Failed> {
    let line = case.command_line().expect("filtered above");
    let printed = program(&line, &case.input)?;
    assert_eq!(printed.status.code(), Some(0), "{}", String::from_utf8_lossy(&printed.stderr));
    let wanted = case.result().unwrap_or_else(|| case.definition().text().to_owned());
    assert_eq!(String::from_utf8(printed.stdout)?.trim_end(), wanted.trim_end());
    if let Some(reason) = &case.told.expect.reason
        && case.told.expect.decision == "skip"
    {
        let told = String::from_utf8(printed.stderr)?;
        assert!(told.contains(&format!("({reason})")), "{told}");
    }
    Ok(())
}

fn program(line: &[String], input: &str) -> Result<Output, Failed> {
    let mut child = Command::new(env!("CARGO_BIN_EXE_ecs-sidecar"))
        .args(line)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    child.stdin.take().expect("piped").write_all(input.as_bytes())?;
    Ok(child.wait_with_output()?)
}
