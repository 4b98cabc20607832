//! What everybody in a story shares: the world, the time, the queues, what is written down, and what is left out of it.
//!
//! Knows: how things come to happen one after the other. Must not know: what the operator should do; that is `watch`'s.

use crate::chance::Chance;
use crate::mishaps::Mishap;
use crate::post::Post;
use crate::story::Story;
use crate::tally::Tally;
use crate::watch::Watch;
use ecs_sidecar_stage::invariants::People;
use ecs_sidecar_tests::{Call, Fault, World};
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};
use tokio::sync::Notify;
use tokio::time::Instant;

/// What a number is drawn for, so that no two purposes get the same.
pub(crate) mod purpose {
    /// A call of a function: how long it takes, and what goes wrong.
    pub(crate) const CALL: u64 = 1;
    /// A deed of somebody.
    pub(crate) const DEED: u64 = 2;
    /// An event on its way.
    pub(crate) const EVENT: u64 = 3;
    /// A message on its way.
    pub(crate) const MESSAGE: u64 = 4;
    /// How a deployment ends.
    pub(crate) const DEPLOYMENT: u64 = 5;
    /// An instance of a function.
    pub(crate) const INSTANCE: u64 = 6;
    /// How an episode is set up.
    pub(crate) const EPISODE: u64 = 7;
    /// The retries of the clients.
    pub(crate) const RETRIES: u64 = 8;
}

/// Something that can be left out of a story.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Element {
    /// The n-th deed of somebody.
    Deed(u64),
    /// What goes wrong with a call: slot and number of the instance, number of the call.
    Mishap(u64, u64, u64),
    /// Somebody registers a revision just while a worker is at work on the family: after that call of his.
    Rush(u64, u64, u64),
    /// What becomes of the n-th event on its way, beside being delivered soon.
    Event(u64),
}

/// What a story is told from.
#[derive(Debug, Clone)]
pub(crate) struct Script {
    /// What is left to chance.
    pub(crate) chance: Chance,
    /// The elements that stay; `None`: all.
    pub(crate) kept: Option<Arc<BTreeSet<Element>>>,
}

impl Script {
    /// How many calls of a thousand something goes wrong with: a few episodes are calm, a few wild.
    pub(crate) fn mishaps(&self) -> u64 {
        *self.chance.draw(&[purpose::EPISODE]).pick(&[0, 10, 20, 30, 50, 80]).unwrap_or(&30)
    }
}

/// The call that is being answered.
pub(crate) struct Turn {
    /// What is to go wrong with it.
    pub(crate) mishap: Option<Mishap>,
    /// What went wrong.
    pub(crate) happened: Option<Mishap>,
}

/// What changes as the story goes on.
pub(crate) struct State {
    pub(crate) story: Story,
    pub(crate) tally: Tally,
    pub(crate) watch: Watch,
    pub(crate) turn: Option<Turn>,
    /// Elements that came up.
    pub(crate) elements: Vec<Element>,
    /// How many events were sent, and how many deployments were begun.
    pub(crate) events: u64,
    pub(crate) deployments: u64,
    /// What people did.
    pub(crate) people: People,
    /// Roles that people took something from, or deleted.
    pub(crate) disturbed: BTreeSet<String>,
    /// The first thing that must not be.
    pub(crate) wrong: Option<String>,
}

/// What everybody shares.
pub(crate) struct Scene {
    /// As a developer sees it.
    pub(crate) world: World,
    pub(crate) script: Script,
    pub(crate) post: Post,
    /// No faults any more.
    pub(crate) calm: AtomicBool,
    /// Something must not be, and the story is over.
    pub(crate) over: Notify,
    began: (Instant, SystemTime),
    state: Mutex<State>,
}

impl Scene {
    /// The beginning.
    pub(crate) fn new(world: World, script: Script) -> Arc<Self> {
        let began = (Instant::now(), world.clock().now());
        let state = State {
            story: Story::default(),
            tally: Tally::default(),
            watch: Watch::default(),
            turn: None,
            elements: Vec::new(),
            events: 0,
            deployments: 0,
            people: People::default(),
            disturbed: BTreeSet::new(),
            wrong: None,
        };
        let scene = Arc::new(Self {
            world,
            script,
            post: Post::default(),
            calm: AtomicBool::new(false),
            over: Notify::new(),
            began,
            state: Mutex::new(state),
        });
        let there = Arc::downgrade(&scene);
        scene.world.on_call(move |call| there.upgrade().map_or(Fault::None, |scene| scene.mishap(call)));
        scene
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Since the story began.
    pub(crate) fn elapsed(&self) -> Duration {
        self.began.0.elapsed()
    }

    /// What a clock shows that is right.
    pub(crate) fn now(&self) -> SystemTime {
        self.began.1 + self.elapsed()
    }

    /// The world's clock goes by hand: it is set whenever somebody may look at it.
    pub(crate) fn set_clock(&self) {
        if let Ok(behind) = self.now().duration_since(self.world.clock().now()) {
            self.world.clock().advance(behind);
        }
    }

    pub(crate) fn is_calm(&self) -> bool {
        self.calm.load(Ordering::Relaxed)
    }

    /// Whether an element that comes up is part of the story; it is written down if it is.
    pub(crate) fn has(&self, element: Element) -> bool {
        let has = !self.is_calm() && self.script.kept.as_ref().is_none_or(|kept| kept.contains(&element));
        if has {
            self.state().elements.push(element);
        }
        has
    }

    /// Writes down what happened.
    pub(crate) fn tell(&self, who: &str, what: &str) {
        let at = self.elapsed();
        self.state().story.tell(at, who, what);
    }

    /// Something must not be.
    pub(crate) fn object(&self, what: String) {
        let mut state = self.state();
        if state.wrong.is_none() {
            state.wrong = Some(what);
            self.over.notify_one();
        }
    }

    /// What goes wrong with the call that is being answered.
    fn mishap(&self, call: &Call) -> Fault {
        let mut state = self.state();
        let Some(turn) = &mut state.turn else { return Fault::None };
        let fault = turn.mishap.and_then(|mishap| Some((mishap, mishap.fault(call)?)));
        turn.happened = fault.as_ref().map(|(mishap, _)| *mishap);
        fault.map(|(_, fault)| fault).unwrap_or_default()
    }
}
