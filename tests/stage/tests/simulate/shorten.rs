//! From a story that went wrong to a short one that goes wrong in the same way.
//!
//! Knows: what can be left out. Must not know: what went wrong.
//!
//! Delta debugging (Zeller, Hildebrandt 2002) over deeds, mishaps and events' fates: what is left out does not move the rest,
//! since each draws its own numbers.

use crate::episode::{Told, run};
use crate::scene::{Element, Script};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Leaves out what is not needed, for as long as there is time.
pub(crate) fn shorten(script: &Script, told: Told, time: Duration) -> Told {
    let end = Instant::now() + time;
    let (mut shortest, mut kept) = (told, Vec::new());
    kept.clone_from(&shortest.elements);
    let wanted = kind(shortest.wrong.as_deref().unwrap_or_default());
    let mut parts = 2;
    while !kept.is_empty() && Instant::now() < end {
        let size = kept.len().div_ceil(parts);
        let mut shorter = None;
        for part in 0..kept.len().div_ceil(size) {
            let rest: Vec<Element> =
                kept.iter().enumerate().filter(|(index, _)| index / size != part).map(|(_, one)| *one).collect();
            let kept: BTreeSet<Element> = rest.iter().copied().collect();
            let told = run(Script { kept: Some(Arc::new(kept)), ..script.clone() });
            if told.wrong.as_deref().is_some_and(|wrong| kind(wrong) == wanted) {
                shorter = Some((told, rest));
                break;
            }
            if Instant::now() >= end {
                break;
            }
        }
        match shorter {
            Some((told, rest)) => {
                // Of what stayed, only what came up counts.
                let came_up: BTreeSet<Element> = told.elements.iter().copied().collect();
                kept = rest.into_iter().filter(|element| came_up.contains(element)).collect();
                shortest = told;
                parts = (parts - 1).max(2);
            }
            None if size == 1 => break,
            None => parts = (parts * 2).min(kept.len()),
        }
    }
    shortest
}

/// What is wrong, whatever it is wrong with: the first thing, without numbers.
fn kind(wrong: &str) -> String {
    wrong.split(';').next().unwrap_or_default().chars().filter(|letter| !letter.is_ascii_digit()).collect()
}
