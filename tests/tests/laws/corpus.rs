//! The same laws over definitions that other people wrote (`TASKDEF_CORPUS`).

use super::{GROWING, hold_in_the_world, hold_on_paper};
use ecs_sidecar_core::check;
use ecs_sidecar_core::definition::TaskDefinition;
use ecs_sidecar_core::plan::Decision;
use ecs_sidecar_core::policy::Capacity;
use std::path::PathBuf;

/// The corpus' task definitions; none where nobody said where it is, but in CI somebody must.
pub(super) fn definitions() -> Vec<(String, String)> {
    let Some(corpus) = std::env::var_os("TASKDEF_CORPUS") else {
        assert!(std::env::var_os("CI").is_none(), "CI sets TASKDEF_CORPUS");
        return Vec::new();
    };
    let folder = PathBuf::from(corpus).join("taskdefs");
    let files = std::fs::read_dir(&folder).expect("TASKDEF_CORPUS has taskdefs");
    let mut definitions: Vec<(String, String)> = files
        .map(|file| file.expect("a file").path())
        .map(|path| (path.display().to_string(), std::fs::read_to_string(&path).expect("text")))
        .collect();
    definitions.sort();
    assert!(!definitions.is_empty(), "{} is empty", folder.display());
    definitions
}

#[test]
fn the_laws_hold_for_definitions_that_others_wrote() {
    for capacity in [Capacity::Fit, Capacity::Never, GROWING] {
        let (mut injected, mut in_the_world) = (0, 0);
        let definitions = definitions();
        for (_name, text) in &definitions {
            let source = TaskDefinition::parse(text).expect("the corpus holds task definitions only");
            injected += usize::from(hold_on_paper(&source, capacity) == Decision::Inject);
            if check::check(&source).is_empty() {
                hold_in_the_world(&source, capacity);
                in_the_world += 1;
            }
        }
        assert!(definitions.is_empty() || injected > 30 && in_the_world > 20, "{injected}, {in_the_world}");
    }
}
