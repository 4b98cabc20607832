//! Verifies that a request is signed over the bytes that arrived.
//!
//! Knows: Signature Version 4, recomputed by AWS's own crate. Must not know: services. The date is taken from the
//! request: how far clocks may differ is not modelled.

use crate::Principal;
use crate::world::answer::ServiceError;
use crate::world::call::Service;
use aws_credential_types::Credentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4::SigningParams;
use aws_smithy_types::date_time::{DateTime, Format};
use bytes::Bytes;
use http::{Method, Request};
use sha2::{Digest, Sha256};
use std::time::SystemTime;

/// What the Authorization header says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Scope {
    pub(crate) access_key: String,
    pub(crate) date: String,
    pub(crate) region: String,
    pub(crate) service: String,
    signed_headers: Vec<String>,
    signature: String,
}

impl Scope {
    /// Reads the header of a request. `None` if there is none or it is not of this version.
    pub(crate) fn of(request: &Request<Bytes>) -> Option<Self> {
        let header = request.headers().get("authorization")?.to_str().ok()?;
        let parts = header.strip_prefix("AWS4-HMAC-SHA256")?;
        let part = |name: &str| parts.split(',').find_map(|part| part.trim().strip_prefix(name)?.strip_prefix('='));
        let mut credential = part("Credential")?.split('/').map(str::to_owned);
        Some(Self {
            access_key: credential.next()?,
            date: credential.next()?,
            region: credential.next()?,
            service: credential.next()?,
            signed_headers: part("SignedHeaders")?.split(';').map(str::to_owned).collect(),
            signature: part("Signature")?.to_owned(),
        })
    }
}

fn invalid(service: Service, why: &str) -> ServiceError {
    let code = if service.speaks_query() { "SignatureDoesNotMatch" } else { "InvalidSignatureException" };
    ServiceError::new(
        code,
        format!("The request signature we calculated does not match the signature you provided: {why}"),
    )
}

/// Refuses a request whose signature is not that of this principal over just these bytes.
pub(crate) fn verify(
    request: &Request<Bytes>,
    scope: &Scope,
    service: Service,
    principal: &Principal,
) -> Result<(), ServiceError> {
    let header = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok());
    let length = header("content-length").and_then(|text| text.parse().ok());
    // What has no body has no length of it either.
    let has_none = header("content-length").is_none() && request.method() == Method::GET && request.body().is_empty();
    if !has_none && length != Some(request.body().len()) {
        let arrived = request.body().len();
        return Err(invalid(service, &format!("content-length is {length:?}, but {arrived} bytes arrived")));
    }
    let hash: String = Sha256::digest(request.body()).iter().map(|byte| format!("{byte:02x}")).collect();
    if header("x-amz-content-sha256").is_some_and(|claimed| claimed != hash) {
        return Err(invalid(service, "x-amz-content-sha256 is not the hash of the body"));
    }
    if header("x-amz-security-token") != principal.session_token.as_deref() {
        return Err(ServiceError::new(
            "UnrecognizedClientException",
            "The security token included in the request is invalid.",
        ));
    }
    let missing = ["host", "x-amz-date"].iter().find(|name| !scope.signed_headers.iter().any(|has| has == *name));
    if let Some(name) = missing {
        return Err(invalid(service, &format!("{name} is not signed")));
    }
    let time = header("x-amz-date").and_then(signing_time).ok_or_else(|| invalid(service, "x-amz-date is missing"))?;
    let expected = signature_of(request, scope, principal, time).map_err(|why| invalid(service, &why))?;
    if expected == scope.signature {
        Ok(())
    } else {
        Err(invalid(service, "a header or the body was changed after signing, or the secret key is wrong"))
    }
}

/// `20260102T030405Z`
fn signing_time(text: &str) -> Option<SystemTime> {
    let (date, time) = text.split_once('T')?;
    let digits = |text: &str, from, to| text.get(from..to).map(str::to_owned);
    let (year, month, day) = (digits(date, 0, 4)?, digits(date, 4, 6)?, digits(date, 6, 8)?);
    let (hour, minute, second) = (digits(time, 0, 2)?, digits(time, 2, 4)?, digits(time, 4, 6)?);
    let text = format!("{year}-{month}-{day}T{hour}:{minute}:{second}Z");
    DateTime::from_str(&text, Format::DateTime).ok()?.try_into().ok()
}

fn signature_of(
    request: &Request<Bytes>,
    scope: &Scope,
    principal: &Principal,
    time: SystemTime,
) -> Result<String, String> {
    let token = principal.session_token.clone();
    let credentials = Credentials::new(&*principal.access_key, &*principal.secret_key, token, None, "ecs-fake");
    let identity = credentials.into();
    let mut settings = SigningSettings::default();
    // Signed is what the sender says is signed, also what AWS's own signer would leave out.
    settings.excluded_headers = None;
    let params = SigningParams::builder()
        .identity(&identity)
        .region(&scope.region)
        .name(&scope.service)
        .time(time)
        .settings(settings)
        .build()
        .map_err(|error| error.to_string())?
        .into();
    let host = request.uri().authority().map(ToString::to_string);
    let mut headers: Vec<(&str, &str)> = Vec::new();
    for name in &scope.signed_headers {
        // The signer adds these two itself, from the time and the credential that were checked above.
        if name == "x-amz-date" || name == "x-amz-security-token" {
            continue;
        }
        let value = request.headers().get(name).map(|value| value.to_str().map_err(|error| error.to_string()));
        match (value.transpose()?, &host) {
            (Some(value), _) => headers.push((name, value)),
            (None, Some(host)) if name == "host" => headers.push((name, host)),
            (None, _) => return Err(format!("{name} is signed but did not arrive")),
        }
    }
    let body = SignableBody::Bytes(request.body());
    let uri = request.uri().to_string();
    let signable = SignableRequest::new(request.method().as_str(), uri, headers.into_iter(), body);
    let output = sign(signable.map_err(|error| error.to_string())?, &params).map_err(|error| error.to_string())?;
    Ok(output.signature().to_owned())
}
