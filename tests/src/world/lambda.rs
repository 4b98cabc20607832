//! Lambda's calls about a function: its configuration, and running it.
//!
//! Knows: how Lambda writes both over REST. Must not know: what the functions do; a test says what they answer.

use crate::World;
use crate::world::answer::{Answer, ServiceError};
use crate::world::clock::lock;
use crate::world::ecs::Deed;
use crate::world::input::Input;
use crate::world::state::{Function, Place, State};
use crate::world::{Caller, Rules};
use bytes::Bytes;
use ecs_sidecar_core::json::quote;
use http::{Method, Request};
use percent_encoding::percent_decode_str;
use std::sync::Arc;

const FUNCTIONS: &str = "/2015-03-31/functions/";

/// How long a function may run unless it says otherwise, in seconds.
const TIMEOUT: u64 = 3;

/// What a function answers to a payload: JSON, or the JSON of an error.
pub(crate) type Answering = Arc<dyn Fn(&str) -> Result<String, String> + Send + Sync>;

/// The operation and the name of the function in a request.
fn parts(request: &Request<Bytes>) -> Option<(&'static str, String)> {
    let (name, what) = request.uri().path().strip_prefix(FUNCTIONS)?.split_once('/')?;
    let operation = match (request.method(), what) {
        (&Method::GET, "configuration") => "GetFunctionConfiguration",
        (&Method::POST, "invocations") => "Invoke",
        _ => return None,
    };
    Some((operation, percent_decode_str(name).decode_utf8_lossy().into_owned()))
}

/// The deed of that name.
pub(crate) fn deed(operation: &str) -> Option<Deed> {
    Some(match operation {
        "GetFunctionConfiguration" => Deed::Read(configuration),
        "Invoke" => Deed::Run(World::invoke),
        _ => return None,
    })
}

/// The operation, which only the path tells.
pub(crate) fn operation(request: &Request<Bytes>) -> String {
    parts(request).map(|(operation, _)| operation.to_owned()).unwrap_or_default()
}

/// What the path, the query and the headers say, as other services say it in the body.
pub(crate) fn input(request: &Request<Bytes>) -> Result<Input, ServiceError> {
    let (_, name) = parts(request).unwrap_or_default();
    let payload = std::str::from_utf8(request.body());
    let payload =
        payload.map_err(|_| ServiceError::new("InvalidRequestContentException", "the payload is not UTF-8"))?;
    let query = request.uri().query().unwrap_or_default().split('&').filter_map(|pair| pair.split_once('='));
    let qualifier = query.filter(|(name, _)| *name == "Qualifier").map(|(_, value)| percent_decode_str(value));
    let qualifier = qualifier.map(|value| value.decode_utf8_lossy().into_owned()).next();
    let kind = request.headers().get("x-amz-invocation-type").and_then(|value| value.to_str().ok());
    Input::of_json(format!(
        "{{\"FunctionName\":{},\"Payload\":{},\"Qualifier\":{},\"InvocationType\":{}}}",
        quote(&name),
        quote(payload),
        quote(&qualifier.unwrap_or_else(|| "$LATEST".to_owned())),
        quote(kind.unwrap_or("RequestResponse"))
    ))
}

fn arn(place: &Place, name: &str) -> String {
    place.arn("lambda", &format!("function:{name}"))
}

/// The function that a request names, plainly or by its ARN, and its name.
fn named<'a>(state: &'a State, place: &Place, input: &Input) -> Result<(String, &'a Arc<Function>), ServiceError> {
    let given = input.required("FunctionName")?;
    let name = given.strip_prefix(&arn(place, "")).unwrap_or(&given).to_owned();
    let (name, qualifier) = match name.split_once(':') {
        Some((name, qualifier)) => (name.to_owned(), qualifier.to_owned()),
        None => (name, input.text("Qualifier").unwrap_or_default()),
    };
    let found = state.functions.get(&(place.clone(), name.clone())).filter(|_| qualifier == "$LATEST");
    let missing = || {
        let message = format!("Function not found: {}", arn(place, &name));
        ServiceError::new("ResourceNotFoundException", message).with_status(404)
    };
    let found = found.ok_or_else(missing)?;
    Ok((name, found))
}

impl World {
    /// A test's answer is asked for without a lock in hand, because what it does may be calls of its own.
    fn invoke(&self, caller: &Caller, input: &Input) -> Result<Answer, ServiceError> {
        let kind = input.text("InvocationType").unwrap_or_default();
        if !["RequestResponse", "Event"].contains(&&*kind) {
            let message = format!("InvocationType {kind} is not among those of this fake");
            return Err(ServiceError::new("InvalidParameterValueException", message));
        }
        let payload = input.text("Payload").unwrap_or_default();
        let name = self.write(|state| {
            let (name, function) = named(state, &caller.place, input)?;
            let mut function = Function::clone(function);
            function.invocations.push(payload.clone());
            state.functions.insert((caller.place.clone(), name.clone()), Arc::new(function));
            Ok(name)
        })?;
        // Whoever does not wait for the answer gets none. When the function runs is its own business: here, never.
        if kind == "Event" {
            return Ok(Answer(String::new()));
        }
        let answering = lock(&self.shared.answers).get(&(caller.place.clone(), name)).cloned();
        match answering.map_or_else(|| Ok("null".to_owned()), |answering| answering(&payload)) {
            Ok(text) => Ok(Answer(text)),
            Err(text) => Err(ServiceError::function_error(text)),
        }
    }

    /// Makes a function with these variables and answers its ARN.
    pub fn add_function(&self, name: &str, variables: &[(&str, &str)]) -> String {
        let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let function = Function { variables, timeout: TIMEOUT, invocations: Vec::new() };
        let key = (self.place.clone(), name.to_owned());
        lock(&self.shared.history).now.functions.insert(key, Arc::new(function));
        arn(&self.place, name)
    }

    /// From now on a function may run so many seconds.
    pub fn set_function_timeout(&self, name: &str, seconds: u64) {
        let key = (self.place.clone(), name.to_owned());
        if let Some(function) = lock(&self.shared.history).now.functions.get_mut(&key) {
            Arc::make_mut(function).timeout = seconds;
        }
    }

    /// From now on a function answers what this says: JSON, or the JSON of an error, which makes the invocation one of a
    /// function that failed. Without it, it answers `null`.
    pub fn answer_invocations(
        &self,
        name: &str,
        answering: impl Fn(&str) -> Result<String, String> + Send + Sync + 'static,
    ) {
        lock(&self.shared.answers).insert((self.place.clone(), name.to_owned()), Arc::new(answering));
    }

    /// The payloads with which a function was invoked.
    pub fn invocations(&self, name: &str) -> Vec<String> {
        let key = (self.place.clone(), name.to_owned());
        self.look(|state| state.functions.get(&key).map(|function| function.invocations.clone()).unwrap_or_default())
    }
}

fn configuration(state: &State, caller: &Caller, _: &Rules, input: &Input) -> Result<Answer, ServiceError> {
    let (name, function) = named(state, &caller.place, input)?;
    let variables: Vec<String> =
        function.variables.iter().map(|(name, value)| format!("{}:{}", quote(name), quote(value))).collect();
    Ok(Answer(format!(
        "{{\"FunctionName\":{},\"FunctionArn\":{},\"Environment\":{{\"Variables\":{{{}}}}},\"Timeout\":{},\
         \"Version\":\"$LATEST\"}}",
        quote(&name),
        quote(&arn(&caller.place, &name)),
        variables.join(","),
        function.timeout
    )))
}
