//! Records as they were found in the wild. Skips, and says so, where there is no corpus; but in CI there must be one.

use ecs_sidecar_core::ids::RoleRef;
use ecs_sidecar_reconcile::trigger::{self, Home, Ignored, Meaning, Problem, Trigger};
use serde_json::Value;
use std::path::PathBuf;

/// File, and what each record in it has to mean. The records are of many accounts; ours is whatever theirs is.
const EXPECTED: [(&str, Expected); 6] = [
    ("001-register-name-with-container-instance-body", Expected::Unclear(Problem::NoFamily)),
    ("002-register-partial-ecs-cryptomining", Expected::Unclear(Problem::BadFamily)),
    ("003-register-assumed-role-no-response", Expected::Look("web-app")),
    ("004-register-minimal", Expected::Look("web-app")),
    ("005-lookup-events-envelope", Expected::Unclear(Problem::UnknownShape)),
    ("006-register-lookup-python-fixture", Expected::Unclear(Problem::UnknownShape)),
];

#[derive(Clone, Copy)]
enum Expected {
    Look(&'static str),
    Unclear(Problem),
}

#[test]
#[expect(clippy::print_stderr, reason = "a skipped test has to say so")]
fn every_record_of_the_corpus_is_understood_or_refused_cleanly() {
    let Some(corpus) = std::env::var_os("TASKDEF_CORPUS") else {
        assert!(std::env::var_os("CI").is_none(), "CI sets TASKDEF_CORPUS");
        eprintln!("skipped: TASKDEF_CORPUS is not set");
        return;
    };
    let folder = PathBuf::from(corpus).join("events");
    let mut seen = 0;
    for entry in std::fs::read_dir(&folder).expect("the corpus has events") {
        let path = entry.expect("an entry").path();
        let text = std::fs::read_to_string(&path).expect("a file");
        let content: Value = serde_json::from_str(&text).expect("JSON");
        let name = path.file_stem().and_then(|name| name.to_str()).expect("a name").to_owned();
        let records = content.as_array().cloned().unwrap_or_else(|| vec![content]);
        for record in &records {
            seen += 1;
            check(&name, record);
        }
    }
    assert!(seen >= EXPECTED.len(), "{seen} records");
}

fn check(name: &str, record: &Value) {
    let text = |member: &str| record.get(member).and_then(Value::as_str);
    let account = record.pointer("/userIdentity/accountId").and_then(Value::as_str);
    let home = Home {
        account: account.unwrap_or("111122223333").parse().expect("an account"),
        region: text("awsRegion").unwrap_or("eu-west-1").parse().expect("a Region"),
        role: RoleRef::new("arn:aws:iam::111122223333:role/operator"),
    };
    let Ok(Trigger::Event(event)) = trigger::read(record, &home) else { panic!("{name} is no event") };
    match EXPECTED.iter().find(|(file, _)| *file == name) {
        Some((_, Expected::Look(family))) => {
            assert_eq!(event.meaning, Meaning::Look(family.parse().expect("a family")), "{name}");
        }
        Some((_, Expected::Unclear(problem))) => assert_eq!(event.meaning, Meaning::Unclear(*problem), "{name}"),
        // All others are negatives: other calls of ECS and other services.
        None => assert!(
            matches!(event.meaning, Meaning::Ignore(Ignored::OtherCall) | Meaning::Unclear(Problem::UnknownShape)),
            "{name}: {:?}",
            event.meaning
        ),
    }
    // The event is read in full only here; nothing of it but ids and names may stay.
    let kept = serde_json::to_string(&event.known).expect("scalars");
    assert!(kept.len() < 2000 && !kept.contains("containerDefinitions"), "{name}: {kept}");
}
