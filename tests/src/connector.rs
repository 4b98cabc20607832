//! The face without a socket: the official clients hand their requests straight to the world.
//!
//! Knows: the seam between the clients and their transport. Must not know: what is in the requests.

use crate::World;
use crate::world::call::NoAnswer;
use crate::world::clock::Clock;
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_async::rt::sleep::{AsyncSleep, Sleep, TokioSleep};
use aws_smithy_async::time::TimeSource;
use aws_smithy_runtime_api::client::behavior_version::BehaviorVersion;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_runtime_api::client::stalled_stream_protection::StalledStreamProtectionConfig;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::retry::RetryConfig;
use aws_types::SdkConfig;
use aws_types::region::Region;
use bytes::Bytes;
use std::time::{Duration, SystemTime};

impl World {
    /// What a client of any service needs to run against this world as this handle's principal: transport,
    /// credentials, Region, and the world's time, so that a back-off takes no time but moves the clock.
    ///
    /// Clients share a budget for retries by service and Region over the whole process. A test that provokes many
    /// should set `retry_partition` in the client's own configuration.
    pub fn sdk_config(&self) -> SdkConfig {
        SdkConfig::builder()
            .behavior_version(BehaviorVersion::v2026_01_12())
            .region(Region::new(self.region().to_owned()))
            .http_client(self.http_client())
            .credentials_provider(SharedCredentialsProvider::new(self.credentials()))
            .time_source(WorldTime(self.clock().clone()))
            .sleep_impl(WorldTime(self.clock().clone()))
            .retry_config(RetryConfig::standard())
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
            .build()
    }

    /// The transport alone.
    pub fn http_client(&self) -> SharedHttpClient {
        self.carried(SharedHttpClient::new(InProcess(self.clone())))
    }

    /// The credentials of this handle's principal.
    pub fn credentials(&self) -> Credentials {
        let principal = self.principal();
        let token = principal.session_token.clone();
        Credentials::new(&*principal.access_key, &*principal.secret_key, token, None, "ecs-fake")
    }
}

#[derive(Debug, Clone)]
struct InProcess(World);

impl HttpClient for InProcess {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

impl HttpConnector for InProcess {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let answer = self.answer(request);
        match self.0.latency() {
            None => HttpConnectorFuture::ready(answer),
            Some(latency) => HttpConnectorFuture::new(async move {
                tokio::time::sleep(latency).await;
                answer
            }),
        }
    }
}

impl InProcess {
    fn answer(&self, request: HttpRequest) -> Result<HttpResponse, ConnectorError> {
        let request = request.try_into_http1x().map_err(|error| ConnectorError::user(error.into()))?;
        let (parts, body) = request.into_parts();
        let body = body.bytes().map(Bytes::copy_from_slice);
        let body = body.ok_or_else(|| ConnectorError::user("a streaming body is not for this fake".into()))?;
        let response = self.0.handle(&http::Request::from_parts(parts, body)).map_err(|why| match why {
            NoAnswer::Dropped => ConnectorError::io(why.into()),
            NoAnswer::TimedOut => ConnectorError::timeout(why.into()),
        })?;
        response
            .map(SdkBody::from)
            .try_into()
            .map_err(|error: aws_smithy_runtime_api::http::HttpError| ConnectorError::other(error.into(), None))
    }
}

/// The world's clock, as the clients want to have one.
#[derive(Debug, Clone)]
struct WorldTime(Clock);

impl TimeSource for WorldTime {
    fn now(&self) -> SystemTime {
        self.0.now()
    }
}

impl AsyncSleep for WorldTime {
    fn sleep(&self, duration: Duration) -> Sleep {
        if !self.0.is_by_hand() {
            return TokioSleep::new().sleep(duration);
        }
        let clock = self.0.clone();
        // Only a sleep that is waited for moves the clock: a timeout that is never reached must not.
        Sleep::new(async move {
            clock.advance(duration);
            tokio::task::yield_now().await;
        })
    }
}
