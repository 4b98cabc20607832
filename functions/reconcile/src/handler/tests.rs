//! What is told of a reconcile, and what is kept from others.

use super::*;
use ecs_sidecar_core::plan::Decision;
use ecs_sidecar_core::reason::Reason;
use ecs_sidecar_core::report::ReportedGrant;
use ecs_sidecar_core::state::State;
use std::io::Write;
use std::sync::{Arc, Mutex};

const INVOCATION: Invocation<'_> = Invocation { request_id: "r-1", until: None };

fn family() -> Family {
    "web".parse().expect("a family")
}

fn report() -> Report {
    Report {
        family: Some("web".to_owned()),
        state: State::Covered,
        decision: Decision::UpToDate,
        reason: Some(Reason::UpToDate),
        message: String::new(),
        policy: None,
        digest: None,
        source: None,
        registered: None,
        deregistered: Vec::new(),
        edits: Vec::new(),
        fetch: None,
        log_group: None,
        grants: vec![ReportedGrant { role: "role/web".to_owned(), policy_arn: "policy/Traces".to_owned() }],
        notes: Vec::new(),
        outcome: "granted",
        missed_by_events: false,
        again_in_seconds: None,
    }
}

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("one thread").write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// The only line that is logged meanwhile.
fn logged(deed: impl FnOnce()) -> Value {
    let lines = Lines::default();
    let writer = lines.clone();
    let subscriber = tracing_subscriber::fmt().json().flatten_event(true).with_writer(move || writer.clone()).finish();
    tracing::subscriber::with_default(subscriber, deed);
    let bytes = lines.0.lock().expect("one thread");
    serde_json::from_slice(&bytes).expect("one line")
}

#[test]
fn the_line_names_role_and_policy_of_each_grant() {
    let line = logged(|| log_report(&family(), &report(), "by hand", INVOCATION));
    assert_eq!((&line["grants"], &line["outcome"]), (&json!("role/web policy/Traces"), &json!("granted")));
    let quiet = logged(|| log_report(&family(), &Report { grants: Vec::new(), ..report() }, "by hand", INVOCATION));
    assert!(quiet.get("grants").is_none(), "{quiet}");
}

#[tokio::test]
async fn a_panic_is_a_failure_of_its_family_and_quotes_nothing() {
    for until in [None, Some(Instant::now() + Duration::from_secs(60))] {
        let work = async { std::panic::resume_unwind(Box::new("hunter2")) };
        let failure = contained::<Report>(family().as_str(), until, work).await.expect_err("it panicked");
        assert_eq!(failure.label(), "panicked");
        let line = logged(|| log_failure(family().as_str(), &failure, "by hand", INVOCATION));
        assert_eq!((&line["kind"], &line["family"]), (&json!("panicked"), &json!("web")));
        assert!(!line.to_string().contains("hunter2"), "{line}");
    }
}
