//! The world: one state, looked at and changed from any number of handles.
//!
//! Knows: how tests arrange and assert. Must not know: the wire.

pub(crate) mod answer;
mod arrange;
mod attributes;
pub(crate) mod call;
pub(crate) mod clock;
mod cluster;
mod dynamodb;
mod ecr;
mod ecs;
mod events;
mod fill;
mod handle;
mod iam;
mod input;
mod lambda;
mod logs;
mod members;
pub(crate) mod notices;
mod register;
mod rollouts;
mod rules;
mod scheduler;
mod service;
mod service_lists;
mod services;
mod shape;
mod signature;
mod sqs;
pub(crate) mod state;
mod states;
mod sts;
mod tables;
pub(crate) mod view;

use crate::world::answer::ServiceError;
use crate::world::call::{Call, Fault, Service};
use crate::world::clock::{Bucket, Buckets, Clock, lock};
use crate::world::lambda::Answering;
use crate::world::state::{Place, State};
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

/// How many managed policies a role may have, unless a test says otherwise.
const POLICIES_PER_ROLE: usize = 20;

/// Policies of AWS that every account has.
const AWS_POLICIES: [&str; 4] = [
    "AWSXRayDaemonWriteAccess",
    "CloudWatchAgentServerPolicy",
    "service-role/AmazonECSTaskExecutionRolePolicy",
    "AmazonSSMReadOnlyAccess",
];

/// Policies that only a service's own role may have.
const SERVICE_POLICIES: [&str; 1] = ["aws-service-role/AmazonECSServiceRolePolicy"];

type Hook = Arc<dyn Fn(&Call) -> Fault + Send + Sync>;

type Carrier = Arc<dyn Fn(SharedHttpClient) -> SharedHttpClient + Send + Sync>;

/// A handle on the world, seen from an account and a Region and with somebody's credentials.
///
/// Cloning a handle, or asking for one [elsewhere](World::at) or of [somebody else](World::as_principal), gives another
/// handle on the same world.
#[derive(Clone)]
pub struct World {
    shared: Arc<Shared>,
    place: Place,
    principal: Principal,
}

/// Who signs a request.
#[derive(Clone, PartialEq, Eq)]
pub struct Principal {
    /// ARN of a user or of a role's session.
    pub arn: String,
    /// The account that it belongs to.
    pub account: String,
    /// Access key.
    pub access_key: String,
    /// Secret key.
    pub secret_key: String,
    /// Only a role's session has one.
    pub session_token: Option<String>,
}

/// Without the keys, out of habit: these open nothing.
impl fmt::Debug for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Principal({})", self.arn)
    }
}

struct Shared {
    history: Mutex<History>,
    rules: Mutex<Rules>,
    principals: Mutex<BTreeMap<String, Principal>>,
    log: Mutex<Vec<Call>>,
    hook: Mutex<Option<Hook>>,
    /// What clients reach the world through.
    carrier: Mutex<Option<Carrier>>,
    /// What functions answer.
    answers: Mutex<BTreeMap<(Place, String), Answering>>,
    buckets: Mutex<Buckets>,
    clock: Clock,
    /// Who does what a test has somebody do around a call.
    somebody: Principal,
    sequence: AtomicU64,
    /// How many events were made for tests.
    notices: AtomicU64,
}

impl Shared {
    fn next_sequence(&self) -> u64 {
        self.sequence.fetch_add(1, Ordering::Relaxed) + 1
    }
}

/// The state now, and before the last write.
#[derive(Debug, Clone, Default)]
struct History {
    now: State,
    before: State,
}

/// What a test says about how the world behaves.
#[derive(Debug, Clone)]
pub(crate) struct Rules {
    pub(crate) policy_quota: usize,
    /// Members that only answers have, which the project has never heard of.
    pub(crate) read_only: Vec<(String, String)>,
    /// Operations that are denied, on one target or on all.
    pub(crate) denied: Vec<(String, Option<String>)>,
    /// Whether the buckets count.
    pub(crate) metered: bool,
    /// How many items a page of a query looks at, at most.
    pub(crate) page: Option<usize>,
    /// How long an answer is on its way to a client in this process, by the runtime's time.
    pub(crate) latency: Option<Duration>,
    /// Which entries of a request fail: service, code, what they contain.
    pub(crate) failing: Vec<(Service, String, String)>,
    /// Whether signatures are believed instead of computed.
    pub(crate) trusting: bool,
    /// How many seconds IAM takes to show a policy that was attached.
    pub(crate) policy_lag: u64,
}

impl Rules {
    /// The code with which an entry fails, if it does.
    pub(crate) fn failure(&self, service: Service, text: &str) -> Option<&str> {
        let failing = self.failing.iter().find(|(of, _, part)| *of == service && text.contains(part));
        failing.map(|(_, code, _)| code.as_str())
    }
}

/// Who does something, where and when.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    pub(crate) place: Place,
    pub(crate) principal: String,
    /// Seconds since 1970, as ECS writes them.
    pub(crate) now: String,
    pub(crate) at: SystemTime,
}

impl Default for World {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "World({} in {})", self.principal.arn, self.place.region)
    }
}

impl World {
    /// An empty world whose clock goes by hand, seen by a user of account 111122223333 in eu-west-1.
    pub fn new() -> Self {
        Self::with_clock(Clock::by_hand())
    }

    /// The same with another clock.
    pub fn with_clock(clock: Clock) -> Self {
        let place = Place { account: "111122223333".to_owned(), region: "eu-west-1".to_owned() };
        let principal = principal("arn:aws:iam::111122223333:user/developer");
        let shared = Shared {
            history: Mutex::default(),
            rules: Mutex::new(Rules {
                policy_quota: POLICIES_PER_ROLE,
                read_only: Vec::new(),
                denied: Vec::new(),
                metered: false,
                page: None,
                latency: None,
                failing: Vec::new(),
                trusting: false,
                policy_lag: 0,
            }),
            principals: Mutex::default(),
            log: Mutex::default(),
            hook: Mutex::default(),
            carrier: Mutex::default(),
            answers: Mutex::default(),
            buckets: Mutex::default(),
            clock,
            somebody: principal.clone(),
            sequence: AtomicU64::new(0),
            notices: AtomicU64::new(0),
        };
        let world = Self { shared: Arc::new(shared), place, principal };
        lock(&world.shared.history).now.policies.extend(aws_policies(&AWS_POLICIES));
        lock(&world.shared.history).now.service_policies.extend(aws_policies(&SERVICE_POLICIES));
        world.know(world.principal.clone());
        world
    }

    /// The same world seen from another Region of the same account.
    #[must_use]
    pub fn at(&self, region: &str) -> Self {
        let place = Place { account: self.place.account.clone(), region: region.to_owned() };
        Self { place, ..self.clone() }
    }

    /// The same world seen by somebody else: a user, or the session of a role, which then has a session token. The
    /// account is the one in the ARN.
    #[must_use]
    pub fn as_principal(&self, arn: &str) -> Self {
        self.with_principal(principal(arn))
    }

    /// The same world seen by somebody with keys of one's own choice.
    #[must_use]
    pub fn with_principal(&self, principal: Principal) -> Self {
        self.know(principal.clone());
        let place = Place { account: principal.account.clone(), region: self.place.region.clone() };
        Self { place, principal, ..self.clone() }
    }

    /// A world of its own that is now as this one is: what a search through all interleavings goes back to. It has no
    /// calls yet and no faults; its clock goes by hand if this one's does.
    #[must_use]
    pub fn fork(&self) -> Self {
        let shared = Shared {
            history: Mutex::new(lock(&self.shared.history).clone()),
            rules: Mutex::new(lock(&self.shared.rules).clone()),
            principals: Mutex::new(lock(&self.shared.principals).clone()),
            log: Mutex::default(),
            hook: Mutex::default(),
            carrier: Mutex::default(),
            answers: Mutex::new(lock(&self.shared.answers).clone()),
            buckets: Mutex::new(lock(&self.shared.buckets).clone()),
            clock: self.shared.clock.fork(),
            somebody: self.shared.somebody.clone(),
            sequence: AtomicU64::new(0),
            notices: AtomicU64::new(0),
        };
        Self { shared: Arc::new(shared), ..self.clone() }
    }

    fn know(&self, principal: Principal) {
        lock(&self.shared.principals).insert(principal.access_key.clone(), principal);
    }

    /// Who acts through this handle.
    pub fn principal(&self) -> &Principal {
        &self.principal
    }

    /// The account that is seen from here.
    pub fn account(&self) -> &str {
        &self.place.account
    }

    /// The Region that is seen from here.
    pub fn region(&self) -> &str {
        &self.place.region
    }

    /// The world's clock.
    pub fn clock(&self) -> &Clock {
        &self.shared.clock
    }

    /// Asks this for every call from now on, before anything is done.
    ///
    /// What [`Fault::Before`] and [`Fault::Then`] do is done by the developer of [`World::new`], not by the caller.
    pub fn on_call(&self, hook: impl Fn(&Call) -> Fault + Send + Sync + 'static) {
        *lock(&self.shared.hook) = Some(Arc::new(hook));
    }

    /// No more faults.
    pub fn leave_calls_alone(&self) {
        *lock(&self.shared.hook) = None;
    }

    /// From now on each answer to a client in this process is so long on its way, by the time of tokio's runtime. With a
    /// clock that follows that time, the calls' times tell which of them waited for which.
    pub fn answer_after(&self, latency: Duration) {
        lock(&self.shared.rules).latency = Some(latency);
    }

    pub(crate) fn latency(&self) -> Option<Duration> {
        lock(&self.shared.rules).latency
    }

    /// From now on clients that are made in this process reach the world through what this makes of the way to it: to
    /// measure what goes over it.
    pub fn carry_by(&self, carrier: impl Fn(SharedHttpClient) -> SharedHttpClient + Send + Sync + 'static) {
        *lock(&self.shared.carrier) = Some(Arc::new(carrier));
    }

    pub(crate) fn carried(&self, client: SharedHttpClient) -> SharedHttpClient {
        let carrier = lock(&self.shared.carrier).clone();
        carrier.map_or(client.clone(), |carrier| carrier(client))
    }

    /// Lets the buckets of ECS's calls count, filled to the brim.
    pub fn meter_calls(&self) {
        *lock(&self.shared.buckets) = Buckets::default();
        lock(&self.shared.rules).metered = true;
    }

    /// Pays for a call as ECS would have it paid for; `false`: the caller would be throttled.
    pub fn pays_for(&self, operation: &str) -> bool {
        let bucket = Bucket::of(operation).filter(|_| lock(&self.shared.rules).metered);
        let now = self.shared.clock.since_epoch();
        bucket.is_none_or(|bucket| lock(&self.shared.buckets).take(&self.place, bucket, now))
    }

    /// Denies an operation to everybody, on one target (as [`Call::target`] has it) or on all.
    pub fn deny(&self, operation: &str, target: Option<&str>) {
        lock(&self.shared.rules).denied.push((operation.to_owned(), target.map(str::to_owned)));
    }

    /// Allows again all that was denied.
    pub fn allow_all(&self) {
        lock(&self.shared.rules).denied.clear();
    }

    /// From now on a role may have no more managed policies than this.
    pub fn set_policy_quota(&self, quota: usize) {
        lock(&self.shared.rules).policy_quota = quota;
    }

    /// From now on IAM takes so many seconds to show a policy that somebody attached, though it is in force at once.
    pub fn show_policies_after(&self, seconds: u64) {
        lock(&self.shared.rules).policy_lag = seconds;
    }

    /// From now on signatures are believed: computing them anew is a good part of what a call costs.
    pub fn trust_signatures(&self) {
        lock(&self.shared.rules).trusting = true;
    }

    /// From now on every definition is answered with this read-only member (a value in JSON), and a registration
    /// that has it is refused: ECS of next year.
    pub fn add_read_only_member(&self, name: &str, value: &str) {
        lock(&self.shared.rules).read_only.push((name.to_owned(), value.to_owned()));
    }

    /// The calls so far, in their order.
    pub fn calls(&self) -> Vec<Call> {
        lock(&self.shared.log).clone()
    }

    /// The calls so far as `RegisterTaskDefinition web`, what went wrong in brackets behind.
    pub fn call_lines(&self) -> Vec<String> {
        lock(&self.shared.log).iter().map(ToString::to_string).collect()
    }

    /// The same, and forgets them.
    pub fn take_calls(&self) -> Vec<Call> {
        std::mem::take(&mut *lock(&self.shared.log))
    }

    /// Forgets the calls so far; their numbers go on.
    pub fn forget_calls(&self) {
        lock(&self.shared.log).clear();
    }

    /// The handle of somebody else than the caller, for what happens around a call.
    pub(crate) fn somebody(&self) -> Self {
        Self { principal: self.shared.somebody.clone(), ..self.clone() }
    }

    pub(crate) fn look<T>(&self, at: impl FnOnce(&State) -> T) -> T {
        at(&lock(&self.shared.history).now)
    }

    pub(crate) fn write<T>(&self, deed: impl FnOnce(&mut State) -> Result<T, ServiceError>) -> Result<T, ServiceError> {
        let mut history = lock(&self.shared.history);
        let before = history.now.clone();
        let result = deed(&mut history.now);
        match &result {
            Ok(_) => history.before = before,
            Err(_) => history.now = before,
        }
        result
    }

    fn timestamp(&self) -> String {
        let now = self.shared.clock.since_epoch();
        format!("{}.{:03}", now.as_secs(), now.subsec_millis())
    }

    fn caller(&self) -> Caller {
        Caller {
            place: self.place.clone(),
            principal: self.principal.arn.clone(),
            now: self.timestamp(),
            at: self.clock().now(),
        }
    }
}

/// Somebody with that ARN. The keys follow from it, so that the same ARN is always the same somebody.
fn principal(arn: &str) -> Principal {
    let hash: String = Sha256::digest(arn.as_bytes()).iter().map(|byte| format!("{byte:02X}")).collect();
    let is_session = arn.contains(":assumed-role/");
    Principal {
        arn: arn.to_owned(),
        account: arn.split(':').nth(4).unwrap_or_default().to_owned(),
        access_key: format!("{}{}", if is_session { "ASIA" } else { "AKIA" }, &hash[..16]),
        secret_key: hash[16..56].to_owned(),
        session_token: is_session.then(|| format!("token-{hash}")),
    }
}

fn aws_policies(names: &[&str]) -> Vec<String> {
    let partitions = ["aws", "aws-cn", "aws-us-gov"];
    let arn = |partition: &str, name: &str| format!("arn:{partition}:iam::aws:policy/{name}");
    partitions.iter().flat_map(|partition| names.iter().map(move |name| arn(partition, name))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_write_that_is_refused_leaves_no_trace() {
        let world = World::new();
        let policies = lock(&world.shared.history).now.policies.len();
        let result: Result<(), _> = world.write(|state| {
            state.policies.clear();
            Err(ServiceError::client("no"))
        });
        assert!(result.is_err());
        assert_eq!(lock(&world.shared.history).now.policies.len(), policies);
    }
}
