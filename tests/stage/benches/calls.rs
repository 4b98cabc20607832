//! How many API calls an event takes, and how many of them wait for each other, beside the fewest that are possible.
//!
//! `cargo bench -p ecs-sidecar-stage --bench calls`; nothing depends on the machine, so that any profile will do.
#![allow(clippy::unwrap_used, reason = "a measurement that cannot go on has failed")]

mod figures;

use ecs_sidecar_stage::depth::Case;
use figures::Figure;

/// The fewest calls and levels that are possible, and why not fewer.
fn fewest(case: Case) -> (usize, usize, &'static str) {
    match case {
        Case::Own => (0, 0, "who made the call is in the event"),
        Case::UpToDate => (1, 1, "what is there now has to be seen, since an event may be late or doubled"),
        Case::Injected => (2, 2, "what is there now has to be seen, and then the table has to know of it"),
        Case::UpToDateCold => (4, 2, "the definition tells which roles and image have to be looked at: two and one"),
        Case::Inject | Case::Update | Case::Remove => {
            (2, 2, "what is registered is made of what was seen; the others are row and lease, switch, pace, INACTIVE")
        }
        Case::InjectCold => (5, 3, "between the look and the registration two roles and an image have to be looked at"),
        Case::InjectFirst => (7, 4, "the same, and what the two roles lack has to be attached before"),
    }
}

/// How many levels there may be: the goals.
fn goal(case: Case) -> Option<u32> {
    match case {
        Case::Own => Some(0),
        Case::UpToDate => Some(1),
        Case::Inject | Case::Update | Case::Remove => Some(2),
        Case::UpToDateCold | Case::Injected | Case::InjectCold | Case::InjectFirst => None,
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts of calls")]
async fn figures_of(case: Case) -> Vec<Figure> {
    let counted = case.count().await;
    let (calls, depth, why) = fewest(case);
    let label = case.label();
    let levels = Figure::new(format!("{label}: depth"), counted.depth() as f64, "calls in a row");
    let levels = levels.note(format!("at least {depth}: {why}"));
    let mut figures = vec![match goal(case) {
        Some(goal) => levels.at_most(f64::from(goal)),
        None => levels,
    }];
    let until = if counted.registered_at.is_some() { "calls up to the registration" } else { "calls" };
    let note = format!("at least {calls}: {why}");
    figures.push(Figure::new(format!("{label}: {until}"), counted.calls_to_there() as f64, "calls").note(note));
    if counted.registered_at.is_some() {
        figures.push(Figure::new(format!("{label}: calls in all"), counted.calls.len() as f64, "calls"));
    }
    figures
}

fn main() -> std::io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build()?;
    let mut figures = Vec::new();
    for case in Case::ALL {
        figures.extend(runtime.block_on(figures_of(case)));
    }
    figures::print("calls", figures)
}
