//! What a function sends over the wire, and what it keeps in memory meanwhile.
//!
//! Knows: the way from the clients to the world. Must not know: what is sent.
//!
//! All runs in one thread, so that each piece of memory is taken either while the world answers or while it does not; what is
//! taken while it answers is the world's. Bodies are copied on the way, since a body that both sides share would be freed by
//! the wrong one.

use crate::units::{Units, units};
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use futures_util::FutureExt as _;
use peak_alloc::PeakAlloc;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

#[global_allocator]
static HEAP: PeakAlloc = PeakAlloc;

/// What went over the wire, and who holds which memory.
#[derive(Debug, Clone, Default)]
pub(crate) struct Wire(Arc<Mutex<Counts>>);

/// What was counted.
#[derive(Debug, Clone, Default)]
pub(crate) struct Counts {
    /// Calls by operation.
    pub(crate) calls: BTreeMap<String, u64>,
    /// What DynamoDB charges.
    pub(crate) units: Units,
    memory: Memory,
}

/// Bytes of the heap.
#[derive(Debug, Clone, Copy, Default)]
struct Memory {
    /// What the world took less what it gave back, since counting began.
    world: i64,
    /// What was in use when the world began to work.
    mark: i64,
    /// The most that was in use but for the world's.
    peak: i64,
}

impl Memory {
    fn enter(&mut self) {
        self.peak = self.peak.max(signed(HEAP.peak_usage()) - self.world);
        self.mark = signed(HEAP.current_usage());
    }

    fn leave(&mut self) {
        self.world += signed(HEAP.current_usage()) - self.mark;
        HEAP.reset_peak_usage();
    }
}

impl Wire {
    /// Counts anew. Answers what is in use now.
    pub(crate) fn begin(&self) -> i64 {
        *self.counts() = Counts::default();
        HEAP.reset_peak_usage();
        in_use()
    }

    /// What was counted since, and the most memory that was in use but for the world's.
    pub(crate) fn end(&self) -> (Counts, i64) {
        let mut counts = self.counts();
        counts.memory.enter();
        (counts.clone(), counts.memory.peak)
    }

    /// Puts itself between clients and their transport.
    pub(crate) fn around(&self, inner: SharedHttpClient) -> SharedHttpClient {
        SharedHttpClient::new(Between { inner, wire: self.clone() })
    }

    fn counts(&self) -> std::sync::MutexGuard<'_, Counts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has the world do something.
    fn world<T>(&self, work: impl FnOnce() -> T) -> T {
        self.counts().memory.enter();
        let result = work();
        self.counts().memory.leave();
        result
    }
}

/// The heap that is in use now, in bytes.
pub(crate) fn in_use() -> i64 {
    signed(HEAP.current_usage())
}

fn signed(bytes: usize) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

#[derive(Debug)]
struct Between<T> {
    inner: T,
    wire: Wire,
}

impl HttpClient for Between<SharedHttpClient> {
    fn http_connector(&self, settings: &HttpConnectorSettings, components: &RuntimeComponents) -> SharedHttpConnector {
        let inner = self.inner.http_connector(settings, components);
        SharedHttpConnector::new(Between { inner, wire: self.wire.clone() })
    }
}

impl HttpConnector for Between<SharedHttpConnector> {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let answer = self.wire.world(|| self.answer(&request));
        // The function gives back what it sent, and takes what it got.
        drop(request);
        let mine = answer.as_ref().ok().map(copy);
        let answer = self.wire.world(|| answer.map(drop));
        HttpConnectorFuture::ready(answer.and_then(|()| mine.ok_or_else(|| ConnectorError::user("no answer".into()))))
    }
}

impl Between<SharedHttpConnector> {
    /// What the world answers.
    fn answer(&self, request: &HttpRequest) -> Result<HttpResponse, ConnectorError> {
        let body = request.body().bytes().unwrap_or_default().to_vec();
        let mut copied = request.try_clone().ok_or_else(|| ConnectorError::user("a body that streams".into()))?;
        *copied.body_mut() = SdkBody::from(body.clone());
        let target = request.headers().get("x-amz-target").unwrap_or("IAM.Call").to_owned();
        let answer = self.inner.call(copied).now_or_never();
        let answer = answer.unwrap_or_else(|| Err(ConnectorError::user("the world takes its time".into())))?;
        let operation = target.rsplit('.').next().unwrap_or_default().to_owned();
        let mut counts = self.wire.counts();
        if target.starts_with("DynamoDB") {
            counts.units += units(&operation, &body, answer.body().bytes().unwrap_or_default());
        }
        *counts.calls.entry(operation).or_default() += 1;
        Ok(answer)
    }
}

/// A copy that shares nothing with the original.
fn copy(answer: &HttpResponse) -> HttpResponse {
    let mut copied =
        HttpResponse::new(answer.status(), SdkBody::from(answer.body().bytes().unwrap_or_default().to_vec()));
    for (name, value) in answer.headers() {
        copied.headers_mut().insert(name.to_owned(), value.to_owned());
    }
    copied
}
