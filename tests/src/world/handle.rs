//! A request's way through the world: signature, faults, buckets, deed, answer.
//!
//! Knows: in which order things happen to a request. Must not know: what the deeds are.

use crate::world::answer::{Answer, ServiceError, to_http};
use crate::world::call::{Call, Mishap, NoAnswer, Outcome, Script, Service, Shown, Spoilt};
use crate::world::clock::{Bucket, lock};
use crate::world::ecs::{self, Deed};
use crate::world::input::Input;
use crate::world::signature::{self, Scope};
use crate::world::state::Place;
use crate::world::{Caller, World, dynamodb, ecr, events, iam, lambda, logs, scheduler, sqs, states, sts};
use bytes::Bytes;
use http::{Request, Response};

impl World {
    /// Answers a request, or loses it.
    pub fn handle(&self, request: &Request<Bytes>) -> Result<Response<Bytes>, NoAnswer> {
        let scope = Scope::of(request);
        let service = scope.as_ref().and_then(|scope| Service::of_scope(&scope.service));
        let (Some(scope), Some(service)) = (scope, service) else {
            let error = ServiceError::new(
                "MissingAuthenticationTokenException",
                "The request is not signed for a service that is here",
            )
            .with_status(403);
            return Ok(to_http(Service::Ecs, "", "0", Err(error)));
        };
        let (operation, input) = if service == Service::Lambda {
            (lambda::operation(request), lambda::input(request))
        } else if service == Service::Scheduler {
            (scheduler::operation(request), scheduler::input(request))
        } else {
            let input = Input::read(service, request.body());
            (operation(request, input.as_ref().ok()), input)
        };
        let call = self.note(service, operation, request, &scope, input.as_ref().ok());
        let result = self.run(&call, request, &scope, input);
        self.answer(&call, result)
    }

    /// Gives the request its number and writes it down.
    fn note(
        &self,
        service: Service,
        operation: String,
        request: &Request<Bytes>,
        scope: &Scope,
        input: Option<&Input>,
    ) -> Call {
        let principal = lock(&self.shared.principals).get(&scope.access_key).map(|known| known.arn.clone());
        let mut log = lock(&self.shared.log);
        let sequence = self.shared.next_sequence();
        let call = Call {
            sequence,
            service,
            operation,
            target: input.map(Input::target).unwrap_or_default(),
            principal: principal.unwrap_or_else(|| scope.access_key.clone()),
            body: request.body().clone(),
            at: self.clock().now(),
            outcome: Outcome::Pending,
        };
        log.push(call.clone());
        call
    }

    fn run(
        &self,
        call: &Call,
        request: &Request<Bytes>,
        scope: &Scope,
        input: Result<Input, ServiceError>,
    ) -> Outgoing {
        let principal = lock(&self.shared.principals).get(&scope.access_key).cloned();
        let Some(principal) = principal else {
            return Outgoing::error(ServiceError::new(
                "UnrecognizedClientException",
                "The security token included in the request is invalid.",
            ));
        };
        let trusting = lock(&self.shared.rules).trusting;
        if !trusting && let Err(error) = signature::verify(request, scope, call.service, &principal) {
            return Outgoing::error(error);
        }
        let hook = lock(&self.shared.hook).clone();
        let Script { before, mishap, shown, after } = hook.map(|hook| hook(call)).unwrap_or_default().script();
        let place = Place { account: principal.account.clone(), region: scope.region.clone() };
        let caller = Caller { place, principal: principal.arn.clone(), ..self.caller() };
        let somebody = self.somebody();
        before.into_iter().for_each(|deed| deed(&somebody));
        let spoilt = match mishap {
            Mishap::Nothing => None,
            Mishap::FailBefore(error) => return Outgoing::error(error),
            Mishap::Throttle => return Outgoing::error(ServiceError::throttled(call.service)),
            Mishap::LoseRequest => return Outgoing::Lost(NoAnswer::Dropped),
            Mishap::Answer(spoilt) => Some(spoilt),
        };
        let result = input.and_then(|input| {
            self.admit(call, &caller)?;
            self.perform(call.service, &call.operation, &caller, &input, &shown)
        });
        after.into_iter().for_each(|deed| deed(&somebody));
        match (spoilt, result) {
            (None, result) => Outgoing::Result(result),
            (Some(Spoilt::Dropped), _) => Outgoing::Lost(NoAnswer::Dropped),
            (Some(Spoilt::Late), _) => Outgoing::Lost(NoAnswer::TimedOut),
            (Some(Spoilt::Error(error)), _) => Outgoing::error(error),
            (Some(Spoilt::Garbled), result) => Outgoing::Garbled(result),
        }
    }

    /// Takes a token from the bucket and looks whether the principal may do this.
    fn admit(&self, call: &Call, caller: &Caller) -> Result<(), ServiceError> {
        let rules = lock(&self.shared.rules).clone();
        let bucket = Bucket::of(&call.operation).filter(|_| rules.metered && call.service == Service::Ecs);
        if let Some(bucket) = bucket {
            let now = self.shared.clock.since_epoch();
            if !lock(&self.shared.buckets).take(&caller.place, bucket, now) {
                return Err(ServiceError::throttled(call.service));
            }
        }
        let denied = rules.denied.iter().any(|(operation, target)| {
            *operation == call.operation && target.as_ref().is_none_or(|target| *target == call.target)
        });
        if denied {
            return Err(ServiceError::denied(call.service, &caller.principal, &call.operation));
        }
        Ok(())
    }

    /// Does the deed. A write that is refused leaves no trace.
    pub(crate) fn perform(
        &self,
        service: Service,
        operation: &str,
        caller: &Caller,
        input: &Input,
        shown: &Shown,
    ) -> Result<Answer, ServiceError> {
        let deed = match service {
            Service::Ecs => ecs::deed(operation),
            Service::Iam => iam::deed(operation),
            Service::Ecr => ecr::deed(operation),
            Service::Logs => logs::deed(operation),
            Service::DynamoDb => dynamodb::deed(operation),
            Service::Sqs => sqs::deed(operation),
            Service::Sts => sts::deed(operation),
            Service::Events => events::deed(operation),
            Service::Lambda => lambda::deed(operation),
            Service::Scheduler => scheduler::deed(operation),
            Service::States => states::deed(operation),
        };
        let rules = lock(&self.shared.rules).clone();
        match deed {
            None => {
                let message = format!("{}:{operation} is not among the calls of this fake", service.label());
                Err(ServiceError::new("UnknownOperationException", message))
            }
            Some(Deed::Read(read)) => {
                let world = if let Shown::AsIn(other) = shown { other } else { self };
                let history = lock(&world.shared.history);
                let state = match shown {
                    Shown::Now | Shown::AsIn(_) => &history.now,
                    Shown::BeforeLastWrite => &history.before,
                };
                read(state, caller, &rules, input)
            }
            Some(Deed::Run(run)) => run(self, caller, input),
            Some(Deed::Write(write)) => self.write(|state| write(state, caller, &rules, input)),
        }
    }

    fn answer(&self, call: &Call, outgoing: Outgoing) -> Result<Response<Bytes>, NoAnswer> {
        let outcome = match &outgoing {
            Outgoing::Result(Ok(_)) => Outcome::Answered,
            Outgoing::Result(Err(error)) => Outcome::Failed(error.code.clone()),
            Outgoing::Lost(_) | Outgoing::Garbled(_) => Outcome::Lost,
        };
        if let Some(noted) = lock(&self.shared.log).iter_mut().rfind(|noted| noted.sequence == call.sequence) {
            noted.outcome = outcome;
        }
        let request_id = format!("00000000-0000-0000-0000-{:012}", call.sequence);
        match outgoing {
            Outgoing::Lost(why) => Err(why),
            Outgoing::Result(result) => Ok(to_http(call.service, &call.operation, &request_id, result)),
            Outgoing::Garbled(_) => {
                let half = Ok(Answer("{\"taskDefinition\":".to_owned()));
                Ok(to_http(call.service, &call.operation, &request_id, half))
            }
        }
    }
}

/// What leaves the world.
enum Outgoing {
    Result(Result<Answer, ServiceError>),
    Garbled(
        #[expect(dead_code, reason = "what the answer would have been is of use in a debugger")]
        Result<Answer, ServiceError>,
    ),
    Lost(NoAnswer),
}

impl Outgoing {
    fn error(error: ServiceError) -> Self {
        Self::Result(Err(error))
    }
}

/// The operation: behind the dot of the target header, or the form's action.
fn operation(request: &Request<Bytes>, input: Option<&Input>) -> String {
    let target = request.headers().get("x-amz-target").and_then(|value| value.to_str().ok());
    let target = target.and_then(|target| target.rsplit('.').next()).map(str::to_owned);
    target.or_else(|| input?.text("Action")).unwrap_or_default()
}
