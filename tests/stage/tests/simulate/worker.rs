//! Instances of the functions: each with clients, a memory and a clock of its own; they come and go.
//!
//! Knows: what Lambda and SQS do around a function. Must not know: what the function does.

use crate::post::{Parcel, Queue};
use crate::scene::{Scene, purpose};
use crate::wire::Wire;
use aws_smithy_async::rt::sleep::TokioSleep;
use aws_smithy_async::time::TimeSource;
use aws_types::SdkConfig;
use ecs_sidecar_aws::sweep::Sweeper;
use ecs_sidecar_aws::{Reconciler, Settings, clients};
use ecs_sidecar_host::Invocation;
use ecs_sidecar_reconcile::Handler;
use ecs_sidecar_stage::stage::SESSION;
use futures_util::FutureExt as _;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep};

/// How often a message is delivered before it is a dead letter.
const MOST_RECEIVES: u32 = 5;

/// How far the clocks of instances are off, in milliseconds.
const SKEW: u64 = 8_000;

/// One instance of a function.
pub(crate) struct Instance {
    /// The story's name for it.
    pub(crate) name: String,
    pub(crate) slot: u64,
    pub(crate) incarnation: u64,
    calls: AtomicU64,
    /// Counts its invocations.
    pub(crate) invocation: AtomicU64,
    death: Notify,
}

impl Instance {
    /// The number of its next call.
    pub(crate) fn next_call(&self) -> u64 {
        self.calls.fetch_add(1, Ordering::Relaxed)
    }

    /// It is gone, and whatever it was at.
    pub(crate) fn die(&self, scene: &Scene, how: &str) {
        scene.tell(&self.name, &format!("{how} (killed)"));
        self.death.notify_one();
    }
}

/// A clock that is off.
#[derive(Debug)]
struct Skewed {
    scene: std::sync::Weak<Scene>,
    ahead: Duration,
}

impl TimeSource for Skewed {
    fn now(&self) -> SystemTime {
        let right = self.scene.upgrade().map_or(SystemTime::UNIX_EPOCH, |scene| scene.now());
        right + self.ahead - Duration::from_millis(SKEW / 2)
    }
}

/// What an instance runs.
enum Function {
    Reconcile(Box<Handler>),
    Sweep(Box<ecs_sidecar_sweep::Handler>),
}

impl Function {
    fn start(queue: Queue, config: &SdkConfig, settings: &Settings) -> Self {
        let reconciler = Reconciler::new(config, settings.clone());
        match queue {
            Queue::Families => Self::Reconcile(Box::new(Handler::new(reconciler))),
            Queue::Sweeps => {
                let Some(sweeper) = Sweeper::new(config, settings.clone()) else {
                    unreachable!("it has table and queues")
                };
                Self::Sweep(Box::new(ecs_sidecar_sweep::Handler::new(sweeper, reconciler)))
            }
        }
    }

    /// Ids of the messages that were not done; all of them if it failed.
    async fn handle(&self, batch: &Value, all: &[String], invocation: Invocation<'_>) -> BTreeSet<String> {
        let done = match self {
            Self::Reconcile(function) => function.handle(batch, invocation).await.ok(),
            Self::Sweep(function) => function.handle(batch, invocation).await.ok(),
        };
        let Some(answer) = done else { return all.iter().cloned().collect() };
        let failures = answer["batchItemFailures"].as_array().cloned().unwrap_or_default();
        failures.iter().filter_map(|failure| failure["itemIdentifier"].as_str().map(str::to_owned)).collect()
    }
}

/// What became of an invocation.
enum Ended {
    /// These were not done.
    Answered(BTreeSet<String>),
    /// The instance is gone.
    Killed,
}

/// Instances that work on a queue one after the other, for as long as the story lasts.
pub(crate) async fn work(scene: Arc<Scene>, queue: Queue, slot: u64, settings: Settings) {
    for incarnation in 0.. {
        let mut draw = scene.script.chance.draw(&[purpose::INSTANCE, slot, incarnation]);
        let name = format!("{} {slot}.{incarnation}", if queue == Queue::Families { "worker" } else { "sweeper" });
        let instance = Arc::new(Instance {
            name,
            slot,
            incarnation,
            calls: AtomicU64::new(0),
            invocation: AtomicU64::new(0),
            death: Notify::new(),
        });
        let ahead = Duration::from_millis(draw.below(SKEW + 1));
        let world = scene.world.as_principal(SESSION);
        let config = world.sdk_config().into_builder();
        let config = config
            .http_client(Wire { scene: scene.clone(), instance: instance.clone(), world })
            .time_source(Skewed { scene: Arc::downgrade(&scene), ahead })
            .sleep_impl(TokioSleep::new())
            .timeout_config(clients::timeouts())
            .build();
        let function = Function::start(queue, &config, &settings);
        scene.state().tally.count("instances started");
        // Lambda lets most instances live on.
        for _ in 0..draw.between(1, 60) {
            let batch = scene.post.receive(queue, draw.between(1, queue.batch())).await;
            if invoke(&scene, queue, &instance, &function, batch).await {
                break;
            }
        }
    }
}

/// Has an instance work on a batch. Answers whether it is gone.
async fn invoke(
    scene: &Arc<Scene>,
    queue: Queue,
    instance: &Instance,
    function: &Function,
    batch: Vec<Parcel>,
) -> bool {
    let run = instance.invocation.fetch_add(1, Ordering::Relaxed) + 1;
    let ids: Vec<String> = (0..batch.len()).map(|index| index.to_string()).collect();
    let records = batch.iter().zip(&ids).map(|(parcel, id)| {
        let sent = parcel.sent.to_string();
        json!({ "messageId": id, "body": parcel.body, "attributes": { "SentTimestamp": sent } })
    });
    let input = json!({ "Records": records.collect::<Vec<_>>() });
    for parcel in &batch {
        scene.delivered(instance, parcel);
    }
    let request_id = format!("{}-{}-{run}", instance.slot, instance.incarnation);
    let invocation = Invocation { request_id: &request_id, until: Some(Instant::now() + queue.timeout()) };
    let work = AssertUnwindSafe(function.handle(&input, &ids, invocation)).catch_unwind();
    let ended = tokio::select! {
        biased;
        () = instance.death.notified() => Ended::Killed,
        () = sleep(queue.timeout()) => Ended::Killed,
        done = work => done.map_or(Ended::Killed, Ended::Answered),
    };
    scene.state().watch.ended(instance);
    let (failed, gone) = match ended {
        Ended::Answered(failed) => (failed, false),
        Ended::Killed => {
            scene.state().tally.count("workers killed");
            (ids.iter().cloned().collect(), true)
        }
    };
    for (mut parcel, id) in batch.into_iter().zip(ids) {
        if !failed.contains(&id) {
            scene.post.close();
            continue;
        }
        parcel.receives += 1;
        scene.post.close();
        if parcel.receives == MOST_RECEIVES {
            scene.state().tally.count("dead letters");
            scene.tell("queue", &format!("gives up {}", parcel.body));
        } else {
            scene.state().tally.count("messages delivered again");
            scene.put(queue, parcel, queue.visibility());
        }
    }
    gone
}
