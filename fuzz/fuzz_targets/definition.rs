//! Any text as a task definition: read, checked, and planned with every policy that comes with the program.

#![no_main]

use ecs_sidecar_core::definition::TaskDefinition;
use ecs_sidecar_fuzz::{POLICIES, holds, is_readable};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let Ok(source) = TaskDefinition::parse(text) else { return };
    is_readable(&source);
    for policy in POLICIES.iter() {
        holds(&source, policy);
    }
});
