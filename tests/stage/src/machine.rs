//! The whole machine on the world's clock: two queues, two functions, and people who come at their times.
//!
//! Nothing runs by itself. The clock goes from one thing that happens to the next, so that an hour takes no time.

use crate::stage::{REGION, SESSION, Stage, Started, revision_of, web};
use ecs_sidecar_aws::rows::Row;
use ecs_sidecar_aws::settings;
use ecs_sidecar_aws::sweep::Sweeper;
use ecs_sidecar_core::receipt;
use ecs_sidecar_host::Invocation;
use ecs_sidecar_reconcile::Handler;
use ecs_sidecar_tests::{Status, World};
use futures_util::FutureExt as _;
use serde_json::{Value, json};
use std::cell::Cell;
use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::sync::LazyLock;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// As the template has them.
const VISIBILITY: Duration = Duration::from_secs(1080);
const SWEEP_VISIBILITY: Duration = Duration::from_secs(5400);

/// How often a message is delivered before it is a dead letter.
const MOST_RECEIVES: u32 = 5;

const INVOCATION: Invocation<'_> = Invocation { request_id: "run-1", until: None };

/// What happens at a time.
enum Happening {
    /// A message is delivered, for the n-th time.
    Message { queue: &'static str, body: String, receives: u32 },
    /// Somebody does something.
    Deed(Box<dyn Fn(&World)>),
}

/// Both functions behind their queues, before a world.
pub struct Machine {
    /// The reconcile function and the world.
    pub stage: Stage,
    handler: Started<Handler>,
    sweep: Started<ecs_sidecar_sweep::Handler>,
    /// By time, and in the order in which they came about.
    agenda: BTreeMap<(SystemTime, u64), Happening>,
    counter: Cell<u64>,
    /// How often each queue's function was invoked, and for how long by the clock.
    pub invoked: BTreeMap<&'static str, (u64, Duration)>,
    /// Messages that were given up.
    pub dead: Vec<String>,
}

impl Machine {
    /// A machine with that policy (empty: the preset), an image and roles.
    pub fn new(variables: &[(&str, &str)]) -> Self {
        let (families, sweeps) = (queue("families"), queue("sweeps"));
        let variables = with_queues(variables, (&families, &sweeps));
        let stage = Stage::with_table(&variables);
        assert_eq!((stage.world.add_queue("families"), stage.world.add_queue("sweeps")), (families, sweeps));
        Self::around(stage)
    }

    /// The same with nothing in the private registry: what upstream has, a [registry](ecs_sidecar_tests::Registry)
    /// fetches.
    pub fn with_empty_cache(variables: &[(&str, &str)]) -> Self {
        let (families, sweeps) = (queue("families"), queue("sweeps"));
        let stage = Stage::with_empty_cache(&with_queues(variables, (&families, &sweeps)));
        assert_eq!((stage.world.add_queue("families"), stage.world.add_queue("sweeps")), (families, sweeps));
        Self::around(stage)
    }

    /// A machine around a stage whose function has a machine's variables. Nothing is on its way.
    pub fn around(stage: Stage) -> Self {
        let (handler, sweep) = functions(&stage);
        Self {
            stage,
            handler,
            sweep,
            agenda: BTreeMap::new(),
            counter: Cell::new(0),
            invoked: BTreeMap::new(),
            dead: Vec::new(),
        }
    }

    /// A machine of its own in a world that is as this one's is now, with functions that are freshly started. What is on
    /// its way here is not there.
    pub fn fork(&self) -> Self {
        Self::around(self.stage.fork())
    }

    /// The same with functions that have other variables.
    pub fn deployed_with(self, variables: &[(&str, &str)]) -> Self {
        let (families, sweeps) = (queue("families"), queue("sweeps"));
        let variables = with_queues(variables, (&families, &sweeps));
        Self::around(self.stage.deployed_with(&variables))
    }

    /// Families `web-0000` and so on, each with one revision that asks for a sidecar.
    pub fn register_families(&self, count: usize) {
        for n in 0..count {
            self.stage.world.register(&family(&name(n), "1")).unwrap();
        }
    }

    /// What the clock shows.
    pub fn now(&self) -> SystemTime {
        self.stage.world.clock().now()
    }

    /// Has something happen after a while.
    pub fn after(&mut self, seconds: u64, deed: impl Fn(&World) + 'static) {
        let at = self.now() + Duration::from_secs(seconds);
        self.put(at, Happening::Deed(Box::new(deed)));
    }

    /// Wakes the sweep, as the schedule does.
    pub fn wake(&mut self) {
        let (queue, body) = ("sweeps", r#"{"name":"Schedule"}"#.to_owned());
        self.put(self.now(), Happening::Message { queue, body, receives: 0 });
    }

    fn put(&mut self, at: SystemTime, happening: Happening) {
        self.counter.set(self.counter.get() + 1);
        self.agenda.insert((at, self.counter.get()), happening);
    }

    /// Both functions are started anew: what they remembered is gone.
    pub fn restart(&mut self) {
        (self.handler, self.sweep) = functions(&self.stage);
    }

    /// Lets everything happen that is to happen, until nothing is left or the time is over.
    pub async fn run(&mut self, longest: Duration) {
        let end = self.now() + longest;
        while let Some(((at, _), happening)) = self.agenda.pop_first() {
            assert!(at <= end, "it does not come to an end");
            self.happen(at, happening).await;
        }
    }

    /// Lets happen what is to happen in that time, and no more.
    pub async fn run_for(&mut self, time: Duration) {
        let end = self.now() + time;
        while self.agenda.first_key_value().is_some_and(|((at, _), _)| *at <= end) {
            let Some(((at, _), happening)) = self.agenda.pop_first() else { break };
            self.happen(at, happening).await;
        }
        if let Ok(rest) = end.duration_since(self.now()) {
            self.stage.world.clock().advance(rest);
        }
    }

    /// It is time: one thing happens, and what it sent is on its way.
    async fn happen(&mut self, at: SystemTime, happening: Happening) {
        if let Ok(wait) = at.duration_since(self.now()) {
            self.stage.world.clock().advance(wait);
        }
        match happening {
            Happening::Deed(deed) => deed(&self.stage.world),
            Happening::Message { queue, body, receives } => self.deliver(queue, body, receives + 1).await,
        }
        for queue in ["families", "sweeps"] {
            for message in self.stage.world.take_messages(queue) {
                let at = message.visible_at();
                self.put(at, Happening::Message { queue, body: message.body, receives: 0 });
            }
        }
    }

    /// An event brings a family.
    pub fn event(&mut self, family: &str) {
        let (queue, body) = ("families", json!({ "name": "RegisterTaskDefinition", "family": family }).to_string());
        self.put(self.now(), Happening::Message { queue, body, receives: 0 });
    }

    /// An event comes, as a rule hands it to the queue.
    pub fn tell(&mut self, event: &Value) {
        let (queue, body) = ("families", event.to_string());
        self.put(self.now(), Happening::Message { queue, body, receives: 0 });
    }

    /// Invokes the function by hand, or with one event beside the queue.
    pub async fn invoke(&self, input: &Value) -> Value {
        self.handler.handle(input, INVOCATION).await.unwrap()
    }

    /// How many messages of a queue are on their way.
    pub fn on_their_way(&self, wanted: &str) -> usize {
        let of = |happening: &&Happening| matches!(happening, Happening::Message { queue, .. } if *queue == wanted);
        self.agenda.values().filter(of).count()
    }

    async fn deliver(&mut self, queue: &'static str, body: String, receives: u32) {
        let sent = self.now().duration_since(UNIX_EPOCH).unwrap().as_millis().to_string();
        let record = json!({ "messageId": "m", "body": body, "attributes": { "SentTimestamp": sent } });
        let batch = json!({ "Records": [record] });
        let began = self.now();
        let done = if queue == "families" {
            let answer = AssertUnwindSafe(self.handler.handle(&batch, INVOCATION)).catch_unwind().await;
            matches!(answer, Ok(Ok(answer)) if answer == json!({ "batchItemFailures": [] }))
        } else {
            let answer = AssertUnwindSafe(self.sweep.handle(&batch, INVOCATION)).catch_unwind().await;
            matches!(answer, Ok(Ok(_)))
        };
        let took = self.now().duration_since(began).unwrap();
        let invoked = self.invoked.entry(queue).or_default();
        *invoked = (invoked.0 + 1, invoked.1 + took);
        if done {
            return;
        }
        self.restart();
        if receives == MOST_RECEIVES {
            return self.dead.push(body);
        }
        let at = self.now() + if queue == "families" { VISIBILITY } else { SWEEP_VISIBILITY };
        self.put(at, Happening::Message { queue, body, receives });
    }

    /// Asks the sweep for something, as a person does.
    pub async fn ask(&self, payload: Value) -> Value {
        self.sweep.handle(&payload, INVOCATION).await.unwrap()
    }

    /// All families' rows.
    pub async fn rows(&self) -> Vec<Row> {
        self.stage.table().rows().await.unwrap()
    }

    /// The newest ACTIVE revision of each family, as ECS describes it but for what differs between accounts' times.
    pub fn newest(&self, count: usize) -> Vec<(String, Value)> {
        let newest = |n: usize| {
            let view = self.stage.world.newest_active(&name(n)).unwrap();
            let text: Value = serde_json::from_str(&view.text).unwrap();
            let mut text = text.as_object().unwrap().clone();
            text.retain(|key, _| {
                !["taskDefinitionArn", "revision", "registeredAt", "registeredBy"].contains(&key.as_str())
            });
            (name(n), Value::Object(text))
        };
        (0..count).map(newest).collect()
    }

    /// That each family has one patch, made of its first revision, and nothing else.
    #[track_caller]
    pub fn assert_each_patched_once(&self, count: usize, about: &str) {
        for n in 0..count {
            let name = name(n);
            let revisions = self.stage.world.revisions(&name);
            let active: Vec<_> = revisions.iter().filter(|view| view.status == Status::Active).collect();
            let ours: Vec<_> = active.iter().filter_map(|view| receipt::ours(&crate::stage::parsed(view))).collect();
            assert_eq!((active.len(), ours.len()), (2, 1), "{about}: {name}");
            assert_eq!(ours[0].source.arn.as_deref(), Some(revision_of(&name, 1).as_str()), "{about}: {name}");
        }
    }
}

fn queue(name: &str) -> String {
    format!("https://sqs.{REGION}.amazonaws.com/111122223333/{name}")
}

/// A function's variables, with its queues.
fn with_queues<'a>(
    variables: &[(&'a str, &'a str)],
    (families, sweeps): (&'a str, &'a str),
) -> Vec<(&'a str, &'a str)> {
    let own = [(settings::QUEUE_URL, families), (settings::SWEEP_QUEUE_URL, sweeps)];
    variables.iter().copied().chain(own).collect()
}

/// Both functions, each started when it is first woken.
fn functions(stage: &Stage) -> (Started<Handler>, Started<ecs_sidecar_sweep::Handler>) {
    let (of_families, of_sweeps) = (stage.another_later(), stage.another_later());
    let (world, settings) = (stage.world.clone(), stage.another_settings());
    let handler = move || Handler::new(of_families());
    let sweep = move || {
        let sweeper = Sweeper::new(&world.as_principal(SESSION).sdk_config(), settings).unwrap();
        ecs_sidecar_sweep::Handler::new(sweeper, of_sweeps())
    };
    (LazyLock::new(Box::new(handler)), LazyLock::new(Box::new(sweep)))
}

/// The n-th family.
pub fn name(n: usize) -> String {
    format!("web-{n:04}")
}

/// A registration of that family.
pub fn family(name: &str, version: &str) -> String {
    web(version).replace("\"family\":\"web\"", &format!("\"family\":\"{name}\""))
}
