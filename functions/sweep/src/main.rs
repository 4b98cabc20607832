//! The Lambda function `sweep`.

use ecs_sidecar_aws::{Chain, Reconciler, sweep::Sweeper};
use ecs_sidecar_host::Invocation;
use ecs_sidecar_sweep::Handler;
use lambda_runtime::{Diagnostic, LambdaEvent, service_fn};
use serde_json::Value;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    let (config, settings) = ecs_sidecar_host::start("sweep").await?;
    let sweeper = Sweeper::new(&config, settings.clone());
    let sweeper = sweeper.ok_or("the function cannot start: it needs a table, the queue, and a queue of its own")?;
    let handler = Handler::new(sweeper, Reconciler::new(&config, settings)).measuring();
    lambda_runtime::run(service_fn(|event: LambdaEvent<Value>| answer(&handler, event))).await
}

async fn answer(handler: &Handler, event: LambdaEvent<Value>) -> Result<Value, Diagnostic> {
    let LambdaEvent { payload, context } = event;
    let invocation = Invocation::new(&context.request_id, context.deadline);
    handler.handle(&payload, invocation).await.map_err(|failure| Diagnostic {
        error_type: failure.label().to_owned(),
        error_message: Chain(&failure).to_string(),
    })
}
