//! Task definitions as raw JSON through the typed client, and no blind resend of a registration.
//!
//! Knows: at which point of the SDK's pipeline a body may be taken or replaced. Must not know: what is in it.
//!
//! The typed client drops members that it has never heard of, on the way in and on the way out. These interceptors
//! let it do the rest (endpoints, retries, signing) while the bytes are ours. None of them shows the bytes in its
//! `Debug`: at TRACE the SDK prints every interceptor, and a definition's environment holds secrets.

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::Intercept;
use aws_smithy_runtime_api::client::interceptors::context::{
    AfterDeserializationInterceptorContextRef, BeforeTransmitInterceptorContextMut,
    BeforeTransmitInterceptorContextRef, InterceptorContext,
};
use aws_smithy_runtime_api::client::retries::classifiers::{ClassifyRetry, RetryAction, RetryClassifierPriority};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::config_bag::ConfigBag;
use bytes::Bytes;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

/// Sends these bytes instead of what the typed input would become.
pub(crate) struct SendRaw(pub(crate) Bytes);

impl fmt::Debug for SendRaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SendRaw({} bytes)", self.0.len())
    }
}

impl Intercept for SendRaw {
    fn name(&self) -> &'static str {
        "SendRaw"
    }

    /// Before the retry loop remembers the request and before it is signed, so that every attempt sends and signs
    /// this body. Later hooks would leave the signature of the other body.
    fn modify_before_retry_loop(
        &self,
        context: &mut BeforeTransmitInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let request = context.request_mut();
        // Left as it was, it would cut the body off at the old length, and nobody would complain.
        request.headers_mut().insert("content-length", self.0.len().to_string());
        *request.body_mut() = SdkBody::from(self.0.clone());
        Ok(())
    }
}

/// An answer as it came.
#[derive(Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Bytes,
}

impl Answer {
    /// Whether AWS says that it did what it was asked for.
    pub(crate) fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }
}

/// Keeps the answer to the last attempt.
#[derive(Clone, Default)]
pub(crate) struct KeepRaw(Arc<Mutex<Option<Answer>>>);

impl KeepRaw {
    /// The answer to the last attempt, if it had one that was read to its end.
    pub(crate) fn take(&self) -> Option<Answer> {
        self.slot().take()
    }

    fn slot(&self) -> std::sync::MutexGuard<'_, Option<Answer>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for KeepRaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeepRaw({} bytes)", self.slot().as_ref().map_or(0, |answer| answer.body.len()))
    }
}

impl Intercept for KeepRaw {
    fn name(&self) -> &'static str {
        "KeepRaw"
    }

    /// An earlier attempt's answer says nothing about this one.
    fn read_before_attempt(
        &self,
        _: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        *self.slot() = None;
        Ok(())
    }

    /// Not earlier: until here the body is a stream, and there are no bytes to keep.
    fn read_after_deserialization(
        &self,
        context: &AfterDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let response = context.response();
        *self.slot() = response
            .body()
            .bytes()
            .map(|bytes| Answer { status: response.status().as_u16(), body: Bytes::copy_from_slice(bytes) });
        Ok(())
    }
}

/// Lets a call be sent again only after an answer that proves that nothing was done.
///
/// RegisterTaskDefinition has no client token, so a resend after a lost answer is a second revision. The SDK's own
/// judges resend after a dropped connection, a timeout, a 5xx and an answer that they cannot read.
#[derive(Debug)]
pub(crate) struct NoBlindResend;

impl ClassifyRetry for NoBlindResend {
    fn name(&self) -> &'static str {
        "NoBlindResend"
    }

    fn priority(&self) -> RetryClassifierPriority {
        RetryClassifierPriority::run_after(RetryClassifierPriority::transient_error_classifier())
    }

    fn classify_retry(&self, context: &InterceptorContext) -> RetryAction {
        let Some(Err(error)) = context.output_or_error() else { return RetryAction::NoActionIndicated };
        let status = context.response().map(|response| response.status().as_u16());
        if error.as_operation_error().is_some() && matches!(status, Some(400..=499)) {
            RetryAction::NoActionIndicated
        } else {
            RetryAction::RetryForbidden
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_lengths_only() {
        let secret = Bytes::from_static(b"{\"environment\":\"hunter2\"}");
        let keep = KeepRaw::default();
        *keep.slot() = Some(Answer { status: 200, body: secret.clone() });
        assert_eq!(format!("{:?} {keep:?}", SendRaw(secret)), "SendRaw(25 bytes) KeepRaw(25 bytes)");
    }
}
