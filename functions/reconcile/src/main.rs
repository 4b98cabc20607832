//! The Lambda function `reconcile`.

use aws_config::BehaviorVersion;
use aws_smithy_http_client::tls::Provider;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use ecs_sidecar_aws::settings::LogLevel;
use ecs_sidecar_aws::{Chain, Error, Reconciler, Settings, clients};
use ecs_sidecar_reconcile::handler::{Handler, Invocation};
use lambda_runtime::{Diagnostic, LambdaEvent, service_fn};
use serde_json::Value;
use std::panic::PanicHookInfo;
use std::time::{Duration, SystemTime};
use tokio::time::Instant;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::Layer as _;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    let settings = Settings::read(|name| std::env::var(name).ok());
    start_log(settings.as_ref().map_or(LogLevel::Info, |settings| settings.log));
    let settings = settings.map_err(refuse)?;
    std::panic::set_hook(Box::new(log_panic));
    // One connector for all services; ring, since the other provider makes every process start slowly
    // (docs/decisions.md).
    let http = aws_smithy_http_client::Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).build_https();
    let config = aws_config::defaults(BehaviorVersion::v2026_01_12())
        .http_client(http)
        .timeout_config(clients::timeouts())
        .load()
        .await;
    let handler = Handler::new(Reconciler::new(&config, settings));
    lambda_runtime::run(service_fn(|event: LambdaEvent<Value>| answer(&handler, event))).await
}

async fn answer(handler: &Handler, event: LambdaEvent<Value>) -> Result<Value, Diagnostic> {
    let LambdaEvent { payload, context } = event;
    let invocation = Invocation { request_id: &context.request_id, until: instant(context.deadline) };
    handler.handle(&payload, invocation).await.map_err(|failure| Diagnostic {
        error_type: failure.label().to_owned(),
        error_message: Chain(&failure).to_string(),
    })
}

/// The moment that is so many milliseconds after 1970.
fn instant(since_1970: u64) -> Option<Instant> {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).ok()?;
    Some(Instant::now() + Duration::from_millis(since_1970).saturating_sub(now))
}

/// Ends the init phase: with a setting that cannot be right, nothing is done at all.
fn refuse(error: Error) -> lambda_runtime::Error {
    let message = Chain(&error).to_string();
    tracing::error!(error = message, "the function cannot start");
    message.into()
}

/// Says where, and not what: a panic's message may quote what was being read.
fn log_panic(panic: &PanicHookInfo<'_>) {
    tracing::error!(kind = "panicked", at = panic.location().map(tracing::field::display), "the program is at fault");
}

/// JSON lines on stdout. Other crates are heard from `warn` on only: what they log below could hold a definition.
fn start_log(level: LogLevel) {
    let level = match level {
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Trace => LevelFilter::TRACE,
    };
    let ours = ["ecs_sidecar_aws", "ecs_sidecar_reconcile", "reconcile"];
    let targets =
        Targets::new().with_default(level.min(LevelFilter::WARN)).with_targets(ours.map(|name| (name, level)));
    let lines = tracing_subscriber::fmt::layer().json().flatten_event(true).with_writer(std::io::stdout);
    tracing_subscriber::registry().with(lines.with_filter(targets)).init();
}
