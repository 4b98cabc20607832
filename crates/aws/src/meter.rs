//! How often ECS was called: its buckets are the scarcest thing that the operator uses.
//!
//! Knows: which calls are paid from which bucket. Must not know: why they are made.

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::Intercept;
use aws_smithy_runtime_api::client::interceptors::context::{
    AfterDeserializationInterceptorContextRef, BeforeTransmitInterceptorContextRef,
};
use aws_smithy_runtime_api::client::orchestrator::Metadata;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::ConfigBag;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Calls paid from the bucket of registrations.
const WRITES: [&str; 2] = ["RegisterTaskDefinition", "DeregisterTaskDefinition"];

/// Counts each attempt of each call.
#[derive(Debug, Clone, Default)]
pub struct Meter(Arc<Counters>);

#[derive(Debug, Default)]
struct Counters {
    reads: AtomicU64,
    writes: AtomicU64,
    throttles: AtomicU64,
}

/// What was counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Attempts paid from the bucket of reads.
    pub reads: u64,
    /// Attempts paid from the bucket of registrations.
    pub writes: u64,
    /// Attempts that were refused since there were too many.
    pub throttles: u64,
}

impl Meter {
    /// What was counted since this was last asked.
    pub fn take(&self) -> Counts {
        let take = |counter: &AtomicU64| counter.swap(0, Ordering::Relaxed);
        Counts { reads: take(&self.0.reads), writes: take(&self.0.writes), throttles: take(&self.0.throttles) }
    }
}

impl Intercept for Meter {
    fn name(&self) -> &'static str {
        "Meter"
    }

    fn read_before_attempt(
        &self,
        _: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let writes = config.load::<Metadata>().is_some_and(|call| WRITES.contains(&call.name()));
        let counter = if writes { &self.0.writes } else { &self.0.reads };
        counter.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    fn read_after_deserialization(
        &self,
        context: &AfterDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let response = context.response();
        let says = |body: &[u8]| String::from_utf8_lossy(body).contains("Throttling");
        if response.status().as_u16() == 400 && response.body().bytes().is_some_and(says) {
            self.0.throttles.fetch_add(1, Ordering::Relaxed);
        }
        Ok(())
    }
}
