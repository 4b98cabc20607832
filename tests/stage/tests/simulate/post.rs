//! The queues: messages that become visible after a while, to whoever asks first.
//!
//! Knows: what SQS does with messages. Must not know: what is in them.

use crate::scene::{Element, Scene, purpose};
use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, UNIX_EPOCH};
use tokio::sync::Notify;
use tokio::task::spawn_local;
use tokio::time::sleep;

/// A queue of the stack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Queue {
    /// For the function that looks at families and services.
    Families,
    /// For the one that sweeps.
    Sweeps,
}

impl Queue {
    /// Its name.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Families => "families",
            Self::Sweeps => "sweeps",
        }
    }

    /// For how long a message that was delivered is hidden, as the template has it.
    pub(crate) fn visibility(self) -> Duration {
        match self {
            Self::Families => Duration::from_secs(1080),
            Self::Sweeps => Duration::from_secs(5400),
        }
    }

    /// For how long the function may run, as the template has it.
    pub(crate) fn timeout(self) -> Duration {
        match self {
            Self::Families => Duration::from_secs(180),
            Self::Sweeps => Duration::from_secs(900),
        }
    }

    /// How many messages are delivered at once, at most.
    pub(crate) fn batch(self) -> u64 {
        match self {
            Self::Families => 5,
            Self::Sweeps => 1,
        }
    }
}

/// A message.
#[derive(Debug, Clone)]
pub(crate) struct Parcel {
    pub(crate) body: String,
    /// How often it was delivered.
    pub(crate) receives: u32,
    /// When it was sent, in milliseconds since 1970.
    pub(crate) sent: u128,
}

#[derive(Default)]
struct Box_ {
    ready: Mutex<VecDeque<Parcel>>,
    wake: Notify,
}

/// Both queues.
#[derive(Default)]
pub(crate) struct Post {
    families: Box_,
    sweeps: Box_,
    /// Messages that are not done with.
    open: AtomicUsize,
    /// Messages ever sent.
    sent: AtomicUsize,
}

impl Post {
    fn of(&self, queue: Queue) -> &Box_ {
        match queue {
            Queue::Families => &self.families,
            Queue::Sweeps => &self.sweeps,
        }
    }

    /// How many messages are on their way or being worked on.
    pub(crate) fn open(&self) -> usize {
        self.open.load(Ordering::Relaxed)
    }

    /// A message is done with, or given up.
    pub(crate) fn close(&self) {
        self.open.fetch_sub(1, Ordering::Relaxed);
    }

    /// Waits for messages; as many as are there, up to that many.
    pub(crate) async fn receive(&self, queue: Queue, most: u64) -> Vec<Parcel> {
        let from = self.of(queue);
        loop {
            {
                let mut ready = from.ready.lock().unwrap_or_else(PoisonError::into_inner);
                let take = ready.len().min(usize::try_from(most).unwrap_or(1));
                if take > 0 {
                    let batch = ready.drain(..take).collect();
                    if !ready.is_empty() {
                        from.wake.notify_one();
                    }
                    return batch;
                }
            }
            from.wake.notified().await;
        }
    }
}

impl Scene {
    /// Puts a message into a queue after a while.
    pub(crate) fn put(self: &Arc<Self>, queue: Queue, parcel: Parcel, delay: Duration) {
        self.post.open.fetch_add(1, Ordering::Relaxed);
        let scene = self.clone();
        spawn_local(async move {
            sleep(delay).await;
            let to = scene.post.of(queue);
            to.ready.lock().unwrap_or_else(PoisonError::into_inner).push_back(parcel);
            to.wake.notify_one();
        });
    }

    /// Sends a message: SQS delivers it at least once, and not in order.
    pub(crate) fn send(self: &Arc<Self>, queue: Queue, body: String, delay: Duration) {
        let number = self.post.sent.fetch_add(1, Ordering::Relaxed) as u64;
        let mut draw = self.script.chance.draw(&[purpose::MESSAGE, number]);
        let sent = self.now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
        let parcel = Parcel { body, receives: 0, sent };
        let lag = Duration::from_millis(draw.between(5, 400));
        if !self.is_calm() && draw.hits(20) {
            self.state().tally.count("messages doubled");
            self.put(queue, parcel.clone(), delay + Duration::from_millis(draw.between(10, 20_000)));
        }
        self.put(queue, parcel, delay + lag);
    }

    /// An event goes to the queue of families: it may be lost, come twice, or take minutes.
    pub(crate) fn event(self: &Arc<Self>, body: String) {
        let number = {
            let mut state = self.state();
            state.events += 1;
            state.events
        };
        let mut draw = self.script.chance.draw(&[purpose::EVENT, number]);
        let soon = Duration::from_millis(draw.between(500, 15_000));
        if !draw.hits(300) || !self.has(Element::Event(number)) {
            return self.send(Queue::Families, body, soon);
        }
        let fate = draw.below(3);
        let late = Duration::from_millis(draw.between(20_000, 600_000));
        let (count, words) =
            [("events lost", "is lost"), ("events doubled", "comes twice"), ("events late", "comes minutes late")]
                [usize::try_from(fate).unwrap_or(0)];
        self.state().tally.count(count);
        self.tell("network", &format!("event {number} {words}"));
        match fate {
            0 => {}
            1 => {
                self.send(Queue::Families, body.clone(), soon);
                self.send(Queue::Families, body, late);
            }
            _ => self.send(Queue::Families, body, late),
        }
    }
}
