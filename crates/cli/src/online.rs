//! How the command line reaches AWS, and the operator in it.
//!
//! Knows: configurations, and what a stack's function says of the stack. Must not know: what is asked.
//!
//! The functions' own environment says where the table is and how definitions are looked at, so that the command line
//! decides with the same settings as the operator does. Nothing in it is secret.

use crate::arguments::{AwsArguments, StackArguments};
use crate::error::Error;
use crate::site;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, SdkConfig};
use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::InvocationType;
use aws_smithy_http_client::tls::Provider;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use ecs_sidecar_aws::table::Table;
use ecs_sidecar_aws::{Error as CallError, Settings};
use ecs_sidecar_core::ids::Region;
use serde::Deserialize;
use serde_json::Value;
use std::time::Duration;

/// The variable that names the stack where no option does.
const STACK: &str = "ECS_SIDECAR_STACK";

/// How long a call may take with all its attempts. A person waits.
const CALL: Duration = Duration::from_secs(30);

/// How long a connection may take to come about.
const CONNECT: Duration = Duration::from_secs(5);

/// How long a function may take that is waited for: its own time, and a little more.
const INVOCATION: Duration = Duration::from_secs(930);

/// AWS, as somebody with these credentials sees it.
pub(crate) struct Aws {
    pub(crate) config: SdkConfig,
    pub(crate) region: Region,
    runtime: tokio::runtime::Runtime,
}

/// An operator's stack.
pub(crate) struct Stack {
    pub(crate) name: String,
    /// The settings of its functions.
    pub(crate) settings: Settings,
    /// Its table.
    pub(crate) table: Table,
    lambda: aws_sdk_lambda::Client,
}

/// A function of a stack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Function {
    /// Works on one family.
    Reconcile,
    /// Has all of them looked at.
    Sweep,
}

impl Aws {
    /// Credentials, Region and endpoints as the AWS CLI finds them.
    pub(crate) fn connect(arguments: &AwsArguments) -> Result<Self, Error> {
        if let Some(profile) = &arguments.profile {
            site::profile_must_exist(profile)?;
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Error::Runtime)?;
        let config = runtime.block_on(configuration(arguments));
        let region =
            config.region().ok_or(Error::Site { what: "Region", option: "--region REGION", variable: "AWS_REGION" })?;
        let configured = |source| Error::Configured { place: "the Region".to_owned(), source };
        let region = region.as_ref().parse().map_err(configured)?;
        Ok(Self { config, region, runtime })
    }

    /// Waits for an answer.
    pub(crate) fn run<T>(&self, work: impl Future<Output = T>) -> T {
        self.runtime.block_on(work)
    }

    /// Who asks, as AWS names him.
    pub(crate) async fn caller(&self) -> Result<String, Error> {
        let answer = aws_sdk_sts::Client::new(&self.config).get_caller_identity().send().await;
        let answer = answer.map_err(|error| CallError::call("GetCallerIdentity", "myself", &error))?;
        Ok(answer.arn.unwrap_or_default())
    }

    /// Finds an operator.
    ///
    /// Assumptions: `lambda:GetFunctionConfiguration` for its function.
    pub(crate) async fn stack(&self, arguments: &StackArguments) -> Result<Stack, Error> {
        let name = arguments.stack.clone();
        let lambda = aws_sdk_lambda::Client::new(&self.config);
        let function = Function::Reconcile.name(&name);
        let answer = lambda.get_function_configuration().function_name(&function).send().await;
        let answer = answer.map_err(|error| {
            let error = CallError::call("GetFunctionConfiguration", &function, &error);
            if error.is_code(&["ResourceNotFoundException"]) {
                return Error::NoStack { stack: name.clone(), region: self.region.clone() };
            }
            Error::Call(error)
        })?;
        let variables = answer.environment.and_then(|environment| environment.variables).unwrap_or_default();
        let lookup = |name: &str| match name {
            // Lambda itself sets this one.
            ecs_sidecar_aws::settings::REGION => Some(self.region.to_string()),
            _ => variables.get(name).cloned(),
        };
        let settings = Settings::read(lookup)?;
        let table = settings.table.clone().ok_or_else(|| Error::NoTable { stack: name.clone() })?;
        Ok(Stack { table: Table::new(&self.config, table), name, settings, lambda })
    }
}

impl Stack {
    /// Has a function do something, and does not wait for it.
    ///
    /// Assumptions: `lambda:InvokeFunction` for it.
    pub(crate) async fn start(&self, function: Function, payload: &Value) -> Result<(), Error> {
        let name = function.name(&self.name);
        let invocation = self.lambda.invoke().function_name(&name).invocation_type(InvocationType::Event);
        let answer = invocation.payload(Blob::new(payload.to_string())).send().await;
        answer.map_err(|error| CallError::call("Invoke", &name, &error))?;
        Ok(())
    }

    /// Has a function do something, and waits for its answer.
    ///
    /// Assumptions: `lambda:InvokeFunction` for it.
    pub(crate) async fn invoke(&self, function: Function, payload: &Value) -> Result<Value, Error> {
        let name = function.name(&self.name);
        // It may take its whole time, and must not be called twice for that.
        let patient = TimeoutConfig::builder().connect_timeout(CONNECT).operation_timeout(INVOCATION).build();
        let patient = aws_sdk_lambda::config::Builder::new()
            .timeout_config(patient)
            .retry_config(aws_sdk_lambda::config::retry::RetryConfig::disabled());
        let invocation = self.lambda.invoke().function_name(&name).payload(Blob::new(payload.to_string()));
        let answer = invocation.customize().config_override(patient).send().await;
        let answer = answer.map_err(|error| CallError::call("Invoke", &name, &error))?;
        let body = answer.payload.map(Blob::into_inner).unwrap_or_default();
        let body: Value = serde_json::from_slice(&body).unwrap_or_default();
        if answer.function_error.is_none() {
            return Ok(body);
        }
        let text = |name: &str| body.get(name).and_then(Value::as_str).unwrap_or("no answer").to_owned();
        Err(Error::Function { function: name, kind: text("errorType"), message: text("errorMessage") })
    }

    /// What a function answered, as far as it is of use.
    ///
    /// Errors: [`Error::Answer`].
    pub(crate) fn understood<'a, T: Deserialize<'a>>(&self, function: Function, answer: &'a Value) -> Result<T, Error> {
        T::deserialize(answer).map_err(|_| Error::Answer { function: function.name(&self.name) })
    }
}

impl Function {
    /// What CloudFormation calls it in that stack.
    pub(crate) fn name(self, stack: &str) -> String {
        match self {
            Self::Reconcile => format!("{stack}-reconcile"),
            Self::Sweep => format!("{stack}-sweep"),
        }
    }
}

/// The stack that was named, or the one that is meant without a name.
pub(crate) fn stack_of(named: Option<&str>, aws: &AwsArguments) -> StackArguments {
    let from_environment = || std::env::var(STACK).ok().filter(|name| !name.is_empty());
    let stack = named.map(str::to_owned).or_else(from_environment);
    StackArguments { stack: stack.unwrap_or_else(|| ecs_sidecar_core::names::OPERATOR.to_owned()), aws: aws.clone() }
}

async fn configuration(arguments: &AwsArguments) -> SdkConfig {
    // Ring, since the other provider makes every process start slowly (docs/decisions.md).
    let http = aws_smithy_http_client::Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).build_https();
    let timeouts = TimeoutConfig::builder().connect_timeout(CONNECT).operation_timeout(CALL).build();
    let mut loader = aws_config::defaults(BehaviorVersion::v2026_01_12()).http_client(http).timeout_config(timeouts);
    if let Some(profile) = &arguments.profile {
        loader = loader.profile_name(profile);
    }
    if let Some(region) = &arguments.region {
        loader = loader.region(aws_config::Region::new(region.to_string()));
    }
    if let Some(url) = &arguments.endpoint_url {
        loader = loader.endpoint_url(url);
    }
    loader.load().await
}
