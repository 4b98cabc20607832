//! The clients, made once and eagerly: making them belongs to the init phase of a function, which is fast.

use crate::clock::Clock;
use crate::ecr::Ecr;
use crate::ecs::Ecs;
use crate::iam::Iam;
use crate::image::{Images, PrivateRegistry};
use crate::ledger::Ledger;
use crate::logs::Logs;
use crate::meter::Meter;
use crate::news::News;
use crate::queue::Queue;
use crate::services::Services;
use crate::settings::Settings;
use crate::table::Table;
use aws_smithy_types::timeout::TimeoutConfig;
use aws_types::SdkConfig;
use ecs_sidecar_core::ids::RoleRef;
use std::sync::Arc;
use std::time::Duration;

/// How long a connection may take to come about.
const CONNECT: Duration = Duration::from_secs(2);

/// How long one attempt may take. A registration that takes longer counts as uncertain.
const ATTEMPT: Duration = Duration::from_secs(5);

/// How long a call may take with all its attempts.
pub(crate) const CALL: Duration = Duration::from_secs(12);

/// A client for each service.
#[derive(Debug)]
pub struct Clients {
    /// Task definitions.
    pub ecs: Ecs,
    /// Services.
    pub services: Services,
    /// How often ECS was called.
    pub meter: Meter,
    /// Where changes of families are told, if anywhere.
    pub news: Option<News>,
    /// Roles.
    pub iam: Iam,
    /// The private registry.
    pub ecr: Ecr,
    /// Images in it.
    pub images: Images,
    /// Log groups.
    pub logs: Logs,
    /// What functions tell each other.
    pub ledger: Arc<Ledger>,
    /// The operator's table, if there is one.
    pub table: Option<Table>,
    /// The time of day.
    pub clock: Clock,
    /// The queue that the function is fed from, if it is.
    pub queue: Option<Queue>,
    /// Where messages go that nobody understands, if there is such a queue.
    pub dead_letters: Option<Queue>,
    /// Whom ECS names as the registrar of what these register.
    pub role: RoleRef,
}

impl Clients {
    /// Makes them all from one configuration, so that they share its HTTP client and its credentials.
    pub fn new(config: &SdkConfig, settings: &Settings) -> Self {
        let table = settings.table.clone().map(|name| Table::new(config, name));
        let ledger = Arc::new(Ledger::new(config, table.clone()));
        let meter = Meter::default();
        let place = PrivateRegistry {
            account: settings.account.clone(),
            registry: settings.registry.clone(),
            region: settings.region.clone(),
            cache_prefix: settings.cache_prefix.clone(),
        };
        Self {
            ecs: Ecs::new(config, settings.read_only_members.clone(), meter.clone()),
            services: Services::new(config),
            meter,
            news: settings.event_bus.clone().map(|bus| News::new(config, bus)),
            iam: Iam::new(config),
            ecr: Ecr::new(config, settings.registry.clone()),
            logs: Logs::new(config),
            images: Images::new(config, place, ledger.clone()),
            ledger,
            table,
            clock: Clock::of(config),
            queue: settings.queue.clone().map(|url| Queue::new(config, url)),
            dead_letters: settings.dead_letter_queue.clone().map(|url| Queue::new(config, url)),
            role: settings.role.clone(),
        }
    }
}

/// Timeouts for the configuration: without them a call can hang until the function is killed.
pub fn timeouts() -> TimeoutConfig {
    TimeoutConfig::builder().connect_timeout(CONNECT).operation_attempt_timeout(ATTEMPT).operation_timeout(CALL).build()
}
