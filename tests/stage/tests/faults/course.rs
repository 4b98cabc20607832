//! One run of a scenario: undisturbed, or with something that goes wrong at one of its calls, until all is quiet and judged.
//!
//! Knows: how trouble comes to a call, and how the world becomes quiet again. Must not know: which scenarios there are.

use crate::kinds::{Kind, LASTS, Moment, Shows, Times};
use crate::people::Somebody;
use crate::people::{Means, pause};
use crate::scenarios::{Base, Scenario};
use ecs_sidecar_stage::invariants::{stays, surplus, violations};
use ecs_sidecar_stage::machine::Machine;
use ecs_sidecar_stage::shop::{DEPLOYER, Shop};
use ecs_sidecar_tests::{Call, Caller, Fault, Registry, World};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

/// How long nothing happens before a sweep comes: longer than a failing family is left alone.
const PAUSE: Duration = Duration::from_secs(2 * 3600);

/// Within which each family is looked at whole.
const DAY: Duration = Duration::from_secs(24 * 3600);

/// Something that goes wrong, and where: the number of the call, or of the pull, counted from 0.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Trouble {
    /// What goes wrong.
    pub(crate) kind: Kind,
    /// At which call.
    pub(crate) index: usize,
}

/// What came of a run.
pub(crate) struct Came {
    /// What was called until nothing was left to happen, in order: operation and target.
    pub(crate) calls: Vec<Call>,
    /// How many pulls there were until then.
    pub(crate) pulls: usize,
    /// What does not hold; with what was called, if that is of use.
    pub(crate) violations: Vec<String>,
    /// Whether somebody found nothing that he could change.
    pub(crate) found_nothing: bool,
}

/// A scenario under way.
struct Course {
    shop: Shop,
    means: Means,
    past: World,
    registry: Option<Registry>,
}

/// Whether each trouble came, and to which call.
type Struck = Arc<Mutex<Vec<Option<(Call, SystemTime)>>>>;

/// Runs a scenario with these troubles, each at a later call than the one before, and judges what is left.
pub(crate) async fn run(scenario: &Scenario, base: &Base, troubles: &[Trouble]) -> Came {
    let mut course = Course::new(base).await;
    let struck: Struck = Arc::new(Mutex::new(vec![None; troubles.len()]));
    course.disturb(troubles, &struck);
    let pulled = course.disturb_pulls(troubles);
    (scenario.begin)(&mut course.shop);
    course.shop.quiet().await;
    let calls = course.shop.stage().world.calls();
    course.calm(troubles).await;
    let mut violations = course.judge(troubles).await;
    let struck = struck.lock().unwrap_or_else(PoisonError::into_inner);
    for (trouble, _) in troubles
        .iter()
        .zip(struck.iter())
        .filter(|(trouble, struck)| struck.is_none() && !matches!(trouble.kind, Kind::Pull(_)))
    {
        violations.push(format!("call {} was never reached", trouble.index));
    }
    let pulls = pulled.load(Ordering::Relaxed);
    if troubles.iter().any(|trouble| matches!(trouble.kind, Kind::Pull(_)) && trouble.index >= pulls) {
        violations.push("the pull was never reached".to_owned());
    }
    let found = course.means.found.load(Ordering::Relaxed);
    let sought = troubles.iter().any(|trouble| matches!(trouble.kind, Kind::Beside(..)));
    Came { calls, pulls, violations, found_nothing: sought && !found }
}

impl Course {
    async fn new(base: &Base) -> Self {
        let machine = Machine::around(base.stage.fork());
        machine.stage.world.trust_signatures();
        let registry = if base.pulls { Some(Registry::start(&machine.stage.world).await.unwrap()) } else { None };
        let means = Means {
            people: Arc::new(Mutex::new(base.people.clone())),
            deployment: machine.stage.deployment(),
            service: base.services.first().cloned(),
            found: Arc::default(),
        };
        let web = base.services.first().cloned().unwrap_or_default();
        let shop = Shop { machine, web, services: base.services.clone() };
        Self { shop, means, past: base.past.clone(), registry }
    }

    /// Has the troubles come to their calls.
    fn disturb(&self, troubles: &[Trouble], struck: &Struck) {
        let (troubles, struck, means) = (troubles.to_vec(), struck.clone(), self.means.clone());
        let (past, beginning) = (self.past.clone(), self.shop.stage().world.fork());
        let (clock, counter) = (self.shop.stage().world.clone(), AtomicUsize::new(0));
        self.shop.stage().world.on_call(move |call| {
            let (number, now) = (counter.fetch_add(1, Ordering::Relaxed), clock.clock().now());
            let mut struck = struck.lock().unwrap_or_else(PoisonError::into_inner);
            // What comes to this very call goes before what goes on since an earlier one.
            let comes = |trouble: &Trouble| trouble.index == number && !matches!(trouble.kind, Kind::Pull(_));
            let hit = troubles.iter().position(comes).or_else(|| {
                troubles.iter().zip(struck.iter()).position(|(trouble, struck)| {
                    struck.as_ref().is_some_and(|(first, at)| trouble.kind.goes_on(first, call) && now <= *at + LASTS)
                })
            });
            let Some((trouble, first)) = hit.map(|hit| (&troubles[hit], &mut struck[hit])) else { return Fault::None };
            first.get_or_insert_with(|| (call.clone(), now));
            match trouble.kind {
                Kind::Fails(failure, _) => failure.fault(call.service),
                Kind::Loses(loss, _) => loss.fault(),
                Kind::Dies(moment) => moment.death(),
                Kind::Stale(Shows::Past, _) => Fault::AsOf(past.clone()),
                Kind::Stale(Shows::Beginning, _) => Fault::AsOf(beginning.clone()),
                Kind::Beside(somebody, moment) => {
                    let means = means.clone();
                    let deed = move |world: &World| means.have_done(somebody, world);
                    match moment {
                        Moment::Before => Fault::before(deed),
                        Moment::After => Fault::then(deed),
                    }
                }
                Kind::Pull(_) => Fault::None,
            }
        });
    }

    /// The same for pulls; what is answered counts them.
    fn disturb_pulls(&self, troubles: &[Trouble]) -> Arc<AtomicUsize> {
        let counter = Arc::new(AtomicUsize::new(0));
        let Some(registry) = &self.registry else { return counter };
        let (troubles, counted) = (troubles.to_vec(), counter.clone());
        registry.on_pull(move |_| {
            let number = counted.fetch_add(1, Ordering::Relaxed);
            troubles.iter().find(|trouble| trouble.index == number).and_then(|trouble| match trouble.kind {
                Kind::Pull(mishap) => Some(mishap),
                Kind::Fails(..) | Kind::Loses(..) | Kind::Dies(_) | Kind::Stale(..) | Kind::Beside(..) => None,
            })
        });
        counter
    }

    /// Nothing goes wrong any more. Events tell of what people did, messages come again, and sweeps go over all, until
    /// each family was looked at whole.
    async fn calm(&mut self, troubles: &[Trouble]) {
        self.shop.stage().world.leave_calls_alone();
        if let Some(registry) = &self.registry {
            registry.leave_pulls_alone();
        }
        for trouble in troubles {
            let Kind::Beside(somebody, _) = trouble.kind else { continue };
            if somebody == Somebody::Pauses {
                pause(&self.shop.stage().world, false);
                self.shop.machine.wake();
            }
            self.shop.machine.event("web");
            if somebody.needs_service() && self.means.service.is_some() {
                self.shop.updated_by(Caller::Role(DEPLOYER));
            }
            self.shop.quiet().await;
        }
        for pause in [PAUSE, DAY] {
            self.shop.stage().world.clock().advance(pause);
            // No function lives that long.
            self.shop.machine.restart();
            self.shop.sweep().await;
        }
    }

    /// What does not hold.
    async fn judge(&self, troubles: &[Trouble]) -> Vec<String> {
        let people = self.means.people();
        let mut found = violations(self.shop.stage(), &people).await;
        found.extend(stays(&self.shop.machine).await);
        let (surplus, allowed) =
            (surplus(self.shop.stage(), &people), allowed(troubles, self.shop.stage().world.families().len()));
        if surplus > allowed {
            found.push(format!("{surplus} revisions were registered in vain, and {allowed} may be"));
        }
        found.extend(self.shop.machine.dead.iter().map(|letter| format!("a dead letter: {letter}")));
        found
    }
}

/// How many revisions may be registered in vain: one for each time that the operator was cut off, or overtaken, or shown
/// what is not so any more. P4 bounds what a crash leaves; where ECS shows for two minutes what was, each look at a
/// family in that time is such a time, and there are three at most.
fn allowed(troubles: &[Trouble], families: usize) -> usize {
    let lasting = |kind: Kind| matches!(kind, Kind::Stale(_, Times::Lasting));
    let most = |trouble: &Trouble| if lasting(trouble.kind) { 3 * families } else { 1 };
    troubles.iter().map(most).sum()
}
