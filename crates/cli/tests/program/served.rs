//! How a world is reached by the program: over HTTP, with the functions' own handlers behind invocations.

use super::operator::{RECONCILE, SESSION, SWEEP};
use ecs_sidecar_aws::sweep::Sweeper;
use ecs_sidecar_aws::{Reconciler, Settings};
use ecs_sidecar_host::Invocation;
use ecs_sidecar_tests::World;
use ecs_sidecar_tests::http::Server;
use serde_json::{Value, json};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, mpsc};

/// Lets the functions' own handlers answer invocations, each on a thread of its own.
pub(super) fn deploy(world: &World, settings: &Settings) {
    let config = world.as_principal(SESSION).sdk_config();
    let reconciler = || Reconciler::new(&config, settings.clone());
    let handler = Arc::new(ecs_sidecar_reconcile::Handler::new(reconciler()));
    world.answer_invocations(RECONCILE, move |payload| {
        let (handler, input) = (Arc::clone(&handler), parsed(payload));
        on_a_thread(async move |id| handler.handle(&input, id).await.map_err(|error| chain(&error)))
    });
    let sweeper = Sweeper::new(&config, settings.clone()).expect("a table and queues");
    let handler = Arc::new(ecs_sidecar_sweep::Handler::new(sweeper, reconciler()));
    world.answer_invocations(SWEEP, move |payload| {
        let (handler, input) = (Arc::clone(&handler), parsed(payload));
        on_a_thread(async move |id| handler.handle(&input, id).await.map_err(|error| chain(&error)))
    });
}

fn parsed(payload: &str) -> Value {
    serde_json::from_str(payload).expect("JSON")
}

fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    json!({ "errorType": "Failed", "errorMessage": ecs_sidecar_aws::Chain(error).to_string() }).to_string()
}

fn on_a_thread<F>(work: F) -> Result<String, String>
where
    F: AsyncFnOnce(Invocation<'_>) -> Result<Value, String> + Send + 'static,
{
    static INVOCATIONS: AtomicU64 = AtomicU64::new(0);
    let run = move || {
        let id = format!("run-{}", INVOCATIONS.fetch_add(1, Ordering::Relaxed));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(work(Invocation { request_id: &id, until: None }))
    };
    let answer = std::thread::spawn(run).join().expect("the function does not panic");
    answer.map(|answer| answer.to_string())
}

/// Serves a world until the tests end, and answers where.
pub(super) fn serve(world: &World) -> String {
    let (sender, receiver) = mpsc::channel();
    let world = world.clone();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let server = Server::start(world, 0).await.expect("a port");
            sender.send(server.url()).expect("somebody waits");
            std::future::pending::<()>().await;
        });
    });
    receiver.recv().expect("the server's address")
}
