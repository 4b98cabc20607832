//! From a request to its answer.
//!
//! Knows: which reads a decision needs, and what is told of it. Must not know: templates. Whatever happens, CloudFormation
//! gets an answer with a message: an error of the function itself it would show as a bare failure.

use aws_types::SdkConfig;
use ecs_sidecar_aws::{Chain, Clients, Error, Settings};
use ecs_sidecar_core::ids::{AccountId, Region};
use ecs_sidecar_core::plan;
use ecs_sidecar_template::request::{self, Problem};
use ecs_sidecar_template::{Images, Place, Problems, Template, Told};
use futures_util::FutureExt as _;
use serde_json::Value;
use std::panic::AssertUnwindSafe;
use tracing::{error, info};

/// Why there is no answer with a template.
#[derive(Debug, thiserror::Error)]
pub enum MacroError {
    /// The request cannot be understood.
    #[error(transparent)]
    Request(#[from] Problem),
    /// The template is deployed elsewhere than the function can see.
    #[error(
        "the template is deployed in account {account}, Region {region}, and the macro knows the images of its own alone"
    )]
    Elsewhere {
        /// The account.
        account: AccountId,
        /// The Region.
        region: Region,
    },
    /// The operator's policies could not be read.
    #[error("cannot read the sidecar policies")]
    Policies(#[source] Error),
    /// Nobody could say whether an image is there.
    #[error("cannot look for the sidecar's image {image}")]
    Image {
        /// The image as its publisher names it.
        image: String,
        /// Why not.
        #[source]
        source: Error,
    },
    /// The template is refused; the message says what to do.
    #[error(transparent)]
    Template(#[from] Problems),
}

impl MacroError {
    /// What kind of error it is.
    pub fn label(&self) -> &'static str {
        match self {
            Self::Request(_) => "badRequest",
            Self::Elsewhere { .. } => "elsewhere",
            Self::Policies(error) | Self::Image { source: error, .. } => error.label(),
            Self::Template(_) => "templateRefused",
        }
    }
}

/// A template with its sidecars, and what was decided.
type Made = (Value, Vec<Told>);

/// Answers CloudFormation.
#[derive(Debug)]
pub struct Handler {
    clients: Clients,
    settings: Settings,
}

impl Handler {
    /// A handler with clients of a configuration.
    pub fn new(config: &SdkConfig, settings: Settings) -> Self {
        Self { clients: Clients::new(config, &settings), settings }
    }

    /// Answers a request: always with CloudFormation's id of it, and a failure always with a message.
    ///
    /// Guarantees: nothing is written to AWS. Assumptions: the reads of `Images`, and with a table in the settings a
    /// query of its policies.
    pub async fn handle(&self, request: Value, invocation: &str) -> Value {
        let id = request::id(&request);
        answer(&id, invocation, Box::pin(self.transform(request))).await
    }

    async fn transform(&self, request: Value) -> Result<Made, MacroError> {
        let template = request::read(request)?;
        let settings = &self.settings;
        if (&template.account, &template.region) != (&settings.account, &settings.region) {
            return Err(MacroError::Elsewhere { account: template.account, region: template.region });
        }
        let plan = self.policies().await?;
        let images = self.images(&template, &plan).await?;
        let place = Place { registry: settings.registry.clone(), cache_prefix: settings.cache_prefix.clone() };
        let made = template.transform(&plan, &place, &images)?;
        Ok((made.fragment, made.told))
    }

    /// The policies that stand: those of the operator's table and the stack's own.
    async fn policies(&self) -> Result<plan::Settings, MacroError> {
        let Some(table) = &self.clients.table else { return Ok(self.settings.plan.clone()) };
        let standing = table.standing(&self.settings).await.map_err(MacroError::Policies)?;
        Ok(plan::Settings::clone(&standing.plan))
    }

    async fn images(&self, template: &Template, plan: &plan::Settings) -> Result<Images, MacroError> {
        let mut images = Images::new();
        for (image, pinned) in template.images(plan)? {
            let found = self.clients.images.locate(&image, pinned).await;
            let found = found.map_err(|source| MacroError::Image { image: image.to_string(), source })?;
            images.insert(image.to_string(), found);
        }
        Ok(images)
    }
}

/// The answer that comes of some work, also if it panics.
async fn answer(id: &str, invocation: &str, work: impl Future<Output = Result<Made, MacroError>>) -> Value {
    match AssertUnwindSafe(work).catch_unwind().await {
        Ok(Ok((fragment, told))) => {
            told.iter().for_each(|told| tell(invocation, told));
            request::success(id, fragment)
        }
        Ok(Err(problem)) => {
            let message = Chain(&problem).to_string();
            error!(request_id = invocation, kind = problem.label(), error = message, "template refused");
            request::failure(id, &message)
        }
        // What was being read is in the panic's own message, so that only its place is logged (see the host).
        Err(_) => {
            let message = format!("the macro is at fault; invocation {invocation} is in its log group");
            request::failure(id, &message)
        }
    }
}

fn tell(invocation: &str, told: &Told) {
    let granted: Vec<String> = told.granted.iter().map(|(role, arn)| format!("{role} {arn}")).collect();
    info!(
        request_id = invocation,
        resource = told.resource,
        decision = told.decision.label(),
        reason = told.reason.map(|reason| reason.label()),
        message = told.message,
        granted = (!granted.is_empty()).then(|| granted.join(", ")),
        "decided"
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn answered(work: impl Future<Output = Result<Made, MacroError>>) -> Value {
        answer("1", "invocation-7", work).now_or_never().expect("nothing to wait for")
    }

    #[test]
    fn whatever_happens_there_is_an_answer_with_the_id() {
        let made = answered(async { Ok((json!({ "Resources": {} }), Vec::new())) });
        assert_eq!(made, json!({ "requestId": "1", "status": "success", "fragment": { "Resources": {} } }));
        let refused = answered(async { Err(MacroError::Request(Problem::Missing("fragment"))) });
        assert_eq!(refused["errorMessage"], "the request has no usable fragment");
        let at_fault = answered(async { panic!("a value of the template") });
        assert_eq!((&at_fault["status"], &at_fault["requestId"]), (&json!("failure"), &json!("1")));
        let message = at_fault["errorMessage"].as_str().expect("a message");
        assert!(message.contains("invocation-7") && !message.contains("value of the template"), "{message}");
    }
}
