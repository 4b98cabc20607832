//! The Lambda function `macro`.

use ecs_sidecar_macro::Handler;
use lambda_runtime::{LambdaEvent, service_fn};
use serde_json::Value;
use std::convert::Infallible;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    let (config, settings) = ecs_sidecar_host::start("macro").await?;
    let handler = Handler::new(&config, settings);
    lambda_runtime::run(service_fn(|event: LambdaEvent<Value>| async {
        let LambdaEvent { payload, context } = event;
        Ok::<_, Infallible>(handler.handle(payload, &context.request_id).await)
    }))
    .await
}
