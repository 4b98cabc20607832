//! Any text as the receipt of a patched definition; its first byte says which policy's sidecar is there.

#![no_main]

use ecs_sidecar_core::receipt;
use ecs_sidecar_fuzz::{PATCHED, POLICIES, holds, sets_no_role, with_label};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (u8, &str)| {
    let (which, label) = (usize::from(input.0) % POLICIES.len(), input.1);
    let (patched, policy) = (&PATCHED[which], &POLICIES[which]);
    sets_no_role(patched, label, policy);
    let carrier = with_label(patched, label);
    holds(&carrier, policy);
    if let Ok(Some(undone)) = receipt::undo(&carrier) {
        let made = carrier.with(&undone.edits).expect("what undoes it can be made");
        assert_eq!(made.text(), undone.source.text(), "the edits lead to the source");
    }
});
