//! What goes back over the wire: answers and errors in the protocols.
//!
//! Knows: AWS JSON 1.0 and 1.1, REST in JSON, the query protocol's XML. Must not know: what any call means.

use crate::world::call::Service;
use crate::world::sqs;
use bytes::Bytes;
use ecs_sidecar_core::json::quote;
use http::{Response, StatusCode};

/// An error as a service reports it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {message}")]
pub struct ServiceError {
    /// HTTP status.
    pub status: u16,
    /// The error's name, `ClientException` for example.
    pub code: String,
    /// The text for people.
    pub message: String,
    /// What else the body says: members in JSON.
    members: Option<String>,
}

impl ServiceError {
    /// An error with the status that AWS answers it with.
    pub fn new(code: &str, message: impl Into<String>) -> Self {
        let status = match code {
            "AccessDenied" | "SignatureDoesNotMatch" | "InvalidClientTokenId" => 403,
            "NoSuchEntity" => 404,
            "LimitExceeded" => 409,
            "ServerException" | "ServiceFailure" | "InternalFailure" => 500,
            "ServiceUnavailable" => 503,
            _ => 400,
        };
        Self { status, code: code.to_owned(), message: message.into(), members: None }
    }

    /// The same error with another status.
    #[must_use]
    pub fn with_status(mut self, status: u16) -> Self {
        self.status = status;
        self
    }

    /// The same error with more members in its body.
    pub(crate) fn with_members(mut self, members: String) -> Self {
        self.members = Some(members);
        self
    }

    /// A function that failed: no error of Lambda's, which tells of it in a header. The text is what the function said.
    pub(crate) fn function_error(text: String) -> Self {
        Self::new("Unhandled", text).with_status(200)
    }

    fn is_function_error(&self) -> bool {
        self.status == 200
    }

    /// ECS's word for most of what it does not take.
    pub(crate) fn client(message: impl Into<String>) -> Self {
        Self::new("ClientException", message)
    }

    /// A body that is no JSON or has values of the wrong type.
    pub(crate) fn serialization(message: impl Into<String>) -> Self {
        Self::new("SerializationException", message)
    }

    /// The bucket was empty.
    pub(crate) fn throttled(service: Service) -> Self {
        let code = if service.speaks_query() { "Throttling" } else { "ThrottlingException" };
        Self::new(code, "Rate exceeded")
    }

    /// The principal may not do this.
    pub(crate) fn denied(service: Service, principal: &str, operation: &str) -> Self {
        let code = if service.speaks_query() { "AccessDenied" } else { "AccessDeniedException" };
        let action = format!("{}:{operation}", service.label());
        Self::new(code, format!("User: {principal} is not authorized to perform: {action}"))
    }
}

/// The body of an answer that went well: JSON, or the XML inside `<...Result>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answer(pub(crate) String);

/// Puts an answer or an error into HTTP.
pub(crate) fn to_http(
    service: Service,
    operation: &str,
    request_id: &str,
    result: Result<Answer, ServiceError>,
) -> Response<Bytes> {
    let code = result.as_ref().err().map(|error| error.code.clone());
    let failed_function = result.as_ref().is_err_and(ServiceError::is_function_error);
    let (status, body) = match (service.speaks_query(), result) {
        (false, Ok(Answer(json))) => (200, json),
        (false, Err(error)) if error.is_function_error() => (200, error.message),
        (false, Err(error)) => {
            let members = error.members.map(|members| format!(",{members}")).unwrap_or_default();
            let body = format!("{{\"__type\":{},\"message\":{}{members}}}", quote(&error.code), quote(&error.message));
            (error.status, body)
        }
        (true, Ok(Answer(xml))) => (200, query_answer(operation, request_id, &xml)),
        (true, Err(error)) => (error.status, query_error(request_id, &error)),
    };
    let mut response = Response::builder();
    match (service, code) {
        (Service::Sqs, Some(code)) => {
            response = response.header("x-amzn-query-error", format!("{};Sender", sqs::older_code(&code)));
        }
        (Service::Lambda, Some(code)) if failed_function => {
            response = response.header("x-amz-function-error", code);
        }
        _ => {}
    }
    response
        .status(StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR))
        .header("content-type", service.content_type())
        .header("content-length", body.len())
        .header("x-amzn-requestid", request_id)
        .body(Bytes::from(body))
        .expect("the parts are plain ASCII")
}

fn query_answer(operation: &str, request_id: &str, inner: &str) -> String {
    format!(
        "<{operation}Response><{operation}Result>{inner}</{operation}Result>\
         <ResponseMetadata><RequestId>{request_id}</RequestId></ResponseMetadata></{operation}Response>"
    )
}

fn query_error(request_id: &str, error: &ServiceError) -> String {
    let side = if error.status < 500 { "Sender" } else { "Receiver" };
    let (code, message) = (xml(&error.code), xml(&error.message));
    format!(
        "<ErrorResponse><Error><Type>{side}</Type><Code>{code}</Code><Message>{message}</Message></Error>\
         <RequestId>{request_id}</RequestId></ErrorResponse>"
    )
}

/// Escapes text for XML.
pub(crate) fn xml(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// A page of a list: where it starts is what the token says, the token for the next one comes back.
///
/// Tokens are opaque to clients, so that nobody can lean on their form; these hide the offset in a word. Of a long list no
/// more is taken than the page is about.
pub(crate) fn page<T>(
    items: impl IntoIterator<Item = T>,
    token: Option<&str>,
    size: usize,
    invalid: impl Fn() -> ServiceError,
) -> Result<(Vec<T>, Option<String>), ServiceError> {
    let start = match token {
        None => 0,
        Some(token) => token.strip_prefix("page-").and_then(|at| at.parse().ok()).ok_or_else(&invalid)?,
    };
    let mut items = items.into_iter();
    if items.by_ref().take(start).count() < start {
        return Err(invalid());
    }
    let page = items.by_ref().take(size).collect();
    let next = items.next().map(|_| format!("page-{}", start + size));
    Ok((page, next))
}
