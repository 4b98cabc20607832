//! What the Lambda functions have in common: their start, their log, their metrics.
//!
//! Knows: Lambda's environment. Must not know: what a function does.

pub mod metrics;

use aws_config::BehaviorVersion;
use aws_smithy_http_client::tls::Provider;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_types::SdkConfig;
use ecs_sidecar_aws::settings::LogLevel;
use ecs_sidecar_aws::{Chain, Error, Settings, clients};
use std::panic::PanicHookInfo;
use std::time::{Duration, SystemTime};
use tokio::time::Instant;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::Layer as _;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

/// One invocation: what the log says of it, and when it ends.
#[derive(Debug, Clone, Copy)]
pub struct Invocation<'a> {
    /// Lambda's id of it.
    pub request_id: &'a str,
    /// When Lambda will end it; `None` if never.
    pub until: Option<Instant>,
}

impl<'a> Invocation<'a> {
    /// The invocation of that id that ends so many milliseconds after 1970.
    pub fn new(request_id: &'a str, ends: u64) -> Self {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).ok();
        let until = now.map(|now| Instant::now() + Duration::from_millis(ends).saturating_sub(now));
        Self { request_id, until }
    }
}

/// Reads the environment, starts the log, and makes the configuration of the AWS clients.
///
/// Errors: a setting that cannot be right ends the init phase; then nothing is done at all.
pub async fn start(program: &'static str) -> Result<(SdkConfig, Settings), lambda_runtime::Error> {
    let settings = Settings::read(|name| std::env::var(name).ok());
    start_log(program, settings.as_ref().map_or(LogLevel::Info, |settings| settings.log));
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
    Ok((config, settings))
}

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
fn start_log(program: &'static str, level: LogLevel) {
    let level = match level {
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Trace => LevelFilter::TRACE,
    };
    let ours = [
        "ecs_sidecar_aws",
        "ecs_sidecar_host",
        "ecs_sidecar_macro",
        "ecs_sidecar_reconcile",
        "ecs_sidecar_sweep",
        program,
    ];
    let targets =
        Targets::new().with_default(level.min(LevelFilter::WARN)).with_targets(ours.map(|name| (name, level)));
    let lines = tracing_subscriber::fmt::layer().json().flatten_event(true).with_writer(std::io::stdout);
    tracing_subscriber::registry().with(lines.with_filter(targets)).init();
}
