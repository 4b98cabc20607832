//! Every call of every scenario goes wrong in every way, one at a time; then the world goes quiet, and the invariants hold.
//!
//! After Sieve (OSDI'22), which tests controllers by perturbing what they see. A trial is a scenario with a kind of
//! trouble, which is tried at each of the scenario's calls. All but the undisturbed runs are for `make faults`, which
//! passes `--include-ignored`; `FAULTS_ONLY=injection/dies-After/7` runs one combination.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
#![allow(clippy::print_stdout, reason = "how many combinations there are is what it is to tell")]

mod course;
mod kinds;
mod people;
mod scenarios;

use course::{Came, Trouble, run};
use futures_util::FutureExt as _;
use kinds::{Kind, PAIRS};
use libtest_mimic::{Arguments, Failed, Trial};
use scenarios::{ALL, Base, Scenario};
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Instant;
use tokio::runtime::{Builder, Runtime};

/// How many failures of a trial are told in full.
const TOLD: usize = 2;

/// A scenario that was set up, and what it does if nobody disturbs it.
struct Set {
    scenario: &'static Scenario,
    known: OnceLock<(Base, Came)>,
}

/// What all trials count together.
#[derive(Default)]
struct Counts {
    due: AtomicUsize,
    ran: AtomicUsize,
    found_nothing: AtomicUsize,
}

/// One combination, `scenario/kind/index`.
struct Only {
    scenario: String,
    kind: Option<String>,
    index: Option<usize>,
}

impl Only {
    fn read(text: &str) -> Self {
        let mut parts = text.split('/');
        let scenario = parts.next().unwrap_or_default().to_owned();
        Self {
            scenario,
            kind: parts.next().map(str::to_owned),
            index: parts.next().and_then(|index| index.parse().ok()),
        }
    }

    fn means(&self, scenario: &str, kind: &str) -> bool {
        self.scenario == scenario && self.kind.as_ref().is_none_or(|wanted| wanted == kind)
    }
}

fn main() {
    let only = std::env::var("FAULTS_ONLY").ok().filter(|text| !text.is_empty()).map(|text| Only::read(&text));
    let (began, counts, arguments) = (Instant::now(), Arc::<Counts>::default(), Arguments::from_args());
    // They take minutes, and belong into an optimized build.
    let all = arguments.include_ignored;
    let mut trials = Vec::new();
    for scenario in &ALL {
        let set = Arc::new(Set { scenario, known: OnceLock::new() });
        let mut add = |label: String, troubles: Vec<Kind>| {
            if only.as_ref().is_some_and(|only| !only.means(scenario.name, &label)) {
                return;
            }
            let (set, counts, name) = (set.clone(), counts.clone(), format!("{}/{label}", scenario.name));
            let index = only.as_ref().and_then(|only| only.index);
            let about = name.clone();
            trials.push(Trial::test(name, move || trial(&set, &troubles, &counts, &about, index)));
        };
        add("undisturbed".to_owned(), Vec::new());
        for kind in Kind::all().into_iter().filter(|_| all) {
            add(kind.label(), vec![kind]);
        }
        for first in PAIRS.0.iter().filter(|_| all && scenario.pairs) {
            for second in &PAIRS.1 {
                add(format!("{}-then-{}", first.label(), second.label()), vec![*first, *second]);
            }
        }
    }
    let conclusion = libtest_mimic::run(&arguments, trials);
    let count = |counter: &AtomicUsize| counter.load(Ordering::Relaxed);
    println!(
        "faults: {} scenarios, {} kinds of trouble and {} pairs; of {} combinations {} ran and reached their call \
         ({} found nothing to change); {} s",
        ALL.len(),
        Kind::all().len(),
        PAIRS.0.len() * PAIRS.1.len(),
        count(&counts.due),
        count(&counts.ran),
        count(&counts.found_nothing),
        began.elapsed().as_secs(),
    );
    conclusion.exit();
}

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

impl Set {
    /// The scenario, set up by whoever comes first.
    fn known(&self) -> &(Base, Came) {
        self.known.get_or_init(|| {
            runtime().block_on(async {
                let base = (self.scenario.set)().await;
                let came = run(self.scenario, &base, &[]).await;
                (base, came)
            })
        })
    }
}

/// Tries a kind of trouble, or a pair, at each call of a scenario.
fn trial(set: &Set, kinds: &[Kind], counts: &Counts, name: &str, only: Option<usize>) -> Result<(), Failed> {
    let (base, undisturbed) = set.known();
    let mut failures = Vec::new();
    let runtime = runtime();
    let mut attempt = |troubles: &[Trouble]| {
        counts.due.fetch_add(1, Ordering::Relaxed);
        let ran = runtime.block_on(AssertUnwindSafe(run(set.scenario, base, troubles)).catch_unwind());
        let came = ran.unwrap_or_else(|panic| broken(&*panic));
        if came.violations.is_empty() {
            counts.ran.fetch_add(1, Ordering::Relaxed);
            counts.found_nothing.fetch_add(usize::from(came.found_nothing), Ordering::Relaxed);
        } else {
            failures.push(told(name, troubles, &came));
        }
        came
    };
    match kinds {
        [] => drop(attempt(&[])),
        [kind] => {
            for index in indices(*kind, undisturbed).filter(|index| only.is_none_or(|only| only == *index)) {
                attempt(&[Trouble { kind: *kind, index }]);
            }
        }
        [first, second, ..] => {
            for index in indices(*first, undisturbed).filter(|index| only.is_none_or(|only| only == *index)) {
                let first = Trouble { kind: *first, index };
                // What it does then is not what it does if nobody disturbs it.
                let disturbed = runtime.block_on(run(set.scenario, base, &[first]));
                for index in indices(*second, &disturbed).filter(|index| *index > first.index) {
                    attempt(&[first, Trouble { kind: *second, index }]);
                }
            }
        }
    }
    if failures.is_empty() {
        return Ok(());
    }
    let count = failures.len();
    failures.truncate(TOLD);
    Err(format!("{count} combinations failed, among them\n{}", failures.join("\n")).into())
}

/// The calls or pulls at which a kind can happen, and is not the same as another one that is tried.
fn indices(kind: Kind, undisturbed: &Came) -> Box<dyn Iterator<Item = usize> + '_> {
    match kind {
        Kind::Pull(_) => Box::new(0..undisturbed.pulls),
        Kind::Fails(..) | Kind::Loses(..) | Kind::Dies(_) | Kind::Stale(..) | Kind::Beside(..) => {
            let calls = &undisturbed.calls;
            let differs = move |index: &usize| kind.differs_at(&calls[*index], calls.get(*index + 1));
            Box::new((0..calls.len()).filter(differs))
        }
    }
}

/// What came of a run that did not come to its end.
fn broken(panic: &(dyn std::any::Any + Send)) -> Came {
    let words = panic.downcast_ref::<String>().cloned();
    let words = words.or_else(|| panic.downcast_ref::<&str>().map(|words| (*words).to_owned())).unwrap_or_default();
    Came { calls: Vec::new(), pulls: 0, violations: vec![format!("panicked: {words}")], found_nothing: false }
}

/// A failure for people: what, where, what does not hold, what was called, and how to see it again.
fn told(name: &str, troubles: &[Trouble], came: &Came) -> String {
    let mut lines = Vec::new();
    for trouble in troubles {
        let call = came.calls.get(trouble.index).map_or_else(String::new, ToString::to_string);
        lines.push(format!("{} at {}: {call}", trouble.kind.label(), trouble.index));
    }
    lines.extend(came.violations.iter().map(|violation| format!("  {violation}")));
    lines.extend(came.calls.iter().enumerate().map(|(index, call)| format!("    {index} {call}")));
    let index = troubles.first().map(|trouble| format!("/{}", trouble.index)).unwrap_or_default();
    lines.push(format!("  make faults ONLY={name}{index}"));
    lines.join("\n")
}
