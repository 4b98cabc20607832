//! ECS's task definitions, byte for byte.
//!
//! Knows: the four calls, and what their answers prove. Must not know: what a definition should look like.

use crate::error::{Error, Failure, Said};
use crate::meter::Meter;
use crate::raw::{Answer, KeepRaw, NoBlindResend, SendRaw};
use aws_sdk_ecs::operation::register_task_definition::RegisterTaskDefinitionError;
use aws_sdk_ecs::types::{SortOrder, TaskDefinitionFamilyStatus, TaskDefinitionField, TaskDefinitionStatus};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_types::SdkConfig;
use bytes::Bytes;
use ecs_sidecar_core::definition::{InputError, TaskDefinition};
use ecs_sidecar_core::ids::{Arn, Family};

/// What ECS answers to a Describe of something that does not exist. It has no code of its own for that.
const NO_SUCH_DEFINITION: [&str; 1] = ["ClientException"];

/// Codes by which ECS says that it will never take this definition.
const REFUSED: [&str; 5] = [
    "ClientException",
    "InvalidParameterException",
    "LimitExceededException",
    "SerializationException",
    "ValidationException",
];

/// The ECS client.
#[derive(Debug, Clone)]
pub struct Ecs {
    client: aws_sdk_ecs::Client,
    read_only: Vec<String>,
}

/// What became of a registration.
#[derive(Debug)]
pub enum Registration {
    /// There is a new revision; this is how ECS describes it.
    Registered {
        /// Its ARN.
        arn: Arn,
        /// The definition as ECS keeps it.
        definition: Box<TaskDefinition>,
    },
    /// ECS will not take this definition; nothing was registered.
    Refused(Said),
    /// The operator may not register this definition, or may not pass its roles; nothing was registered.
    Denied(Said),
}

/// How many names ECS lists at once.
const PAGE: i32 = 100;

/// A page of a list.
#[derive(Debug, Clone)]
pub struct Page<T> {
    /// What is on it.
    pub items: Vec<T>,
    /// For the next page; `None` if it is the last one.
    pub token: Option<String>,
}

/// Which revisions of a family to list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Listed {
    /// ACTIVE ones.
    Active,
    /// INACTIVE ones.
    Inactive,
}

impl Ecs {
    /// A client. `read_only` names members, beside those that core knows, which ECS returns but does not take.
    /// Each attempt of a call is counted.
    pub fn new(config: &SdkConfig, read_only: Vec<String>, meter: Meter) -> Self {
        let config = aws_sdk_ecs::config::Builder::from(config).interceptor(meter).build();
        Self { client: aws_sdk_ecs::Client::from_conf(config), read_only }
    }

    /// The definition of a revision (`web:3` or its ARN) or of a family's newest ACTIVE one, tags included.
    ///
    /// Guarantees: every member that ECS sent and that can be registered is in it as the very bytes that came, also
    /// where the typed client could not read the answer. Nothing is written.
    /// Assumptions: `DescribeTaskDefinition` is allowed. Emulators may answer an INACTIVE revision for a family.
    /// Errors: [`Error::Call`] if ECS is not reached or forbids it, [`Error::Unreadable`] if the answer is no task
    /// definition. `None` if there is no such revision or no ACTIVE one.
    pub async fn describe(&self, what: &str) -> Result<Option<TaskDefinition>, Error> {
        let keep = KeepRaw::default();
        let sent = self
            .client
            .describe_task_definition()
            .task_definition(what)
            .include(TaskDefinitionField::Tags)
            .customize()
            .interceptor(keep.clone())
            .send()
            .await;
        match (keep.take().filter(Answer::is_success), sent) {
            (Some(answer), _) => {
                let unreadable = |source| Error::Unreadable { object: what.to_owned(), source };
                read(&answer.body, &self.read_only).map(Some).map_err(unreadable)
            }
            (None, Err(error)) => {
                let error = Error::call("DescribeTaskDefinition", what, &error);
                if error.is_code(&NO_SUCH_DEFINITION) { Ok(None) } else { Err(error) }
            }
            (None, Ok(_)) => {
                let said = Said { code: None, message: "the client kept no body of the answer".to_owned() };
                let failure = Failure::Unavailable;
                Err(Error::Call { operation: "DescribeTaskDefinition", object: what.to_owned(), failure, said })
            }
        }
    }

    /// Registers a definition as the family's next revision.
    ///
    /// Guarantees: the bytes of `definition` are the body on the wire. At most one revision is registered by one
    /// call: it is sent again only after an answer which proves that nothing was (throttling).
    /// Assumptions: `RegisterTaskDefinition`, `PassRole` for the definition's roles, and `TagResource` if it has tags.
    /// Errors: [`Error::Call`] if nothing was registered and it may work later; [`Error::Uncertain`] if nobody can
    /// tell whether it was registered, so that the family must be observed again before anything else.
    pub async fn register(&self, family: &Family, definition: &TaskDefinition) -> Result<Registration, Error> {
        let keep = KeepRaw::default();
        let body = Bytes::copy_from_slice(definition.text().as_bytes());
        let careful = aws_sdk_ecs::config::Builder::new().retry_classifier(NoBlindResend);
        let sent = self
            .client
            .register_task_definition()
            .customize()
            .config_override(careful)
            .interceptor(SendRaw(body))
            .interceptor(keep.clone())
            .send()
            .await;
        if let Some(answer) = keep.take().filter(Answer::is_success) {
            return self.registered(family, &answer);
        }
        match sent {
            Err(error) => judge_refusal(family, &error),
            Ok(_) => Err(uncertain(family, "the client kept no body of the answer")),
        }
    }

    /// Reads a success from the bytes alone: the typed client may stumble over a member that it does not know.
    fn registered(&self, family: &Family, answer: &Answer) -> Result<Registration, Error> {
        let definition = read(&answer.body, &self.read_only)
            .map_err(|error| uncertain(family, &format!("an answer that cannot be read: {error}")))?;
        match definition.described().arn.clone() {
            Some(arn) => Ok(Registration::Registered { arn, definition: Box::new(definition) }),
            None => Err(uncertain(family, "an answer without an ARN")),
        }
    }

    /// Makes a revision INACTIVE.
    ///
    /// Guarantees: done once or twice is the same, so the client may send it again. After a success the revision is
    /// not ACTIVE.
    /// Assumptions: `DeregisterTaskDefinition` and `DescribeTaskDefinition` are allowed. What runs on the revision keeps
    /// running.
    /// Errors: [`Error::Call`]. A revision that is not ACTIVE any more is none.
    pub async fn deregister(&self, arn: &Arn) -> Result<(), Error> {
        let sent = self.client.deregister_task_definition().task_definition(arn.as_str()).send().await;
        let Err(error) = sent else { return Ok(()) };
        let error = Error::call("DeregisterTaskDefinition", arn.as_str(), &error);
        if !error.is_code(&NO_SUCH_DEFINITION) {
            return Err(error);
        }
        // The code says "gone already" as well as anything else that ECS may dislike; a look tells.
        let status = self.describe(arn.as_str()).await?.map(|found| found.described().status.clone());
        match status {
            Some(None) => Err(error),
            Some(Some(status)) if status == "ACTIVE" => Err(error),
            Some(Some(_)) | None => Ok(()),
        }
    }

    /// A page of all families' ACTIVE revisions: ECS lists each family in one piece, the newest first.
    ///
    /// Guarantees: nothing is written. Assumptions: `ListTaskDefinitions`. Errors: [`Error::Call`].
    pub async fn revisions_page(&self, token: Option<String>) -> Result<Page<(Family, u64)>, Error> {
        let request = self.client.list_task_definitions().status(TaskDefinitionStatus::Active).sort(SortOrder::Desc);
        let page = request.max_results(PAGE).set_next_token(token).send().await;
        let page = page.map_err(|error| Error::call("ListTaskDefinitions", "all", &error))?;
        let arns = page.task_definition_arns().iter().filter_map(|arn| arn.parse::<Arn>().ok());
        Ok(Page { items: arns.filter_map(|arn| arn.revision()).collect(), token: page.next_token })
    }

    /// A page of the families that have an ACTIVE revision.
    ///
    /// Guarantees: nothing is written. Assumptions: `ListTaskDefinitionFamilies`. Errors: [`Error::Call`].
    pub async fn families_page(&self, token: Option<String>) -> Result<Page<Family>, Error> {
        let request = self.client.list_task_definition_families().status(TaskDefinitionFamilyStatus::Active);
        let page = request.max_results(PAGE).set_next_token(token).send().await;
        let page = page.map_err(|error| Error::call("ListTaskDefinitionFamilies", "all", &error))?;
        Ok(Page {
            items: page.families().iter().filter_map(|name| name.parse().ok()).collect(),
            token: page.next_token,
        })
    }

    /// The number of a family's newest ACTIVE revision.
    ///
    /// Errors: those of [`Ecs::list`].
    pub(crate) async fn newest_number(&self, family: &Family) -> Result<Option<u64>, Error> {
        let newest = self.list(family, Listed::Active).await?;
        Ok(newest.first().and_then(|arn| arn.revision()).map(|(_, number)| number))
    }

    /// ARNs of a family's revisions, newest first: a page of up to a hundred, or more where emulators mix in
    /// families that only begin with the same letters.
    ///
    /// Guarantees: all are of just this family. Nothing is written.
    /// Assumptions: `ListTaskDefinitions` is allowed.
    /// Errors: [`Error::Call`].
    pub async fn list(&self, family: &Family, listed: Listed) -> Result<Vec<Arn>, Error> {
        let status = match listed {
            Listed::Active => TaskDefinitionStatus::Active,
            Listed::Inactive => TaskDefinitionStatus::Inactive,
        };
        let mut found: Vec<Arn> = Vec::new();
        let mut token = None;
        loop {
            let page = self
                .client
                .list_task_definitions()
                .family_prefix(family.as_str())
                .status(status.clone())
                .sort(SortOrder::Desc)
                .set_next_token(token)
                .send()
                .await
                .map_err(|error| Error::call("ListTaskDefinitions", family.as_str(), &error))?;
            let arns = page.task_definition_arns().iter().filter_map(|arn| arn.parse::<Arn>().ok());
            found.extend(arns.filter(|arn| arn.revision().is_some_and(|(of, _)| of == *family)));
            token = page.next_token;
            if token.is_none() || !found.is_empty() {
                // Some emulators do not sort.
                found.sort_by_key(|arn| std::cmp::Reverse(arn.revision().map(|(_, number)| number)));
                return Ok(found);
            }
        }
    }
}

/// Reads the body of an answer. What is not UTF-8 is an error: replacing a byte would register something else.
fn read(body: &[u8], read_only: &[String]) -> Result<TaskDefinition, InputError> {
    let text = std::str::from_utf8(body).map_err(|error| InputError::Shape(format!("not UTF-8: {error}")))?;
    TaskDefinition::parse_dropping(text, read_only)
}

/// What an unsuccessful answer to a registration proves.
fn judge_refusal(
    family: &Family,
    error: &SdkError<RegisterTaskDefinitionError, HttpResponse>,
) -> Result<Registration, Error> {
    let said = Said::of(error);
    let call = |failure, said| Error::Call {
        operation: "RegisterTaskDefinition",
        object: family.as_str().to_owned(),
        failure,
        said,
    };
    match (Failure::of(error, &said), error) {
        (Failure::Throttled, SdkError::ServiceError(_)) => Err(call(Failure::Throttled, said)),
        (Failure::Denied, SdkError::ServiceError(_)) => Ok(Registration::Denied(said)),
        (Failure::Refused, SdkError::ServiceError(_)) if said.is(&REFUSED) => Ok(Registration::Refused(said)),
        // Such as an expired credential: an answer of ECS that nothing was done, and no word about the definition.
        (Failure::Refused, SdkError::ServiceError(_)) => Err(call(Failure::Unavailable, said)),
        // Nothing was sent at all.
        (_, SdkError::ConstructionFailure(_)) => Err(call(Failure::Unavailable, said)),
        _ => Err(Error::Uncertain { family: family.as_str().to_owned(), said }),
    }
}

fn uncertain(family: &Family, message: &str) -> Error {
    let said = Said { code: None, message: message.to_owned() };
    Error::Uncertain { family: family.as_str().to_owned(), said }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_that_is_not_utf_8_is_not_changed_but_refused() {
        let mut body =
            br#"{"taskDefinition":{"family":"web","containerDefinitions":[{"name":"web","image":"caf*"}]}}"#.to_vec();
        assert!(read(&body, &[]).is_ok());
        let star = body.iter().position(|byte| *byte == b'*').expect("it is there");
        // As Latin-1 has it.
        body[star] = 0xE9;
        let error = read(&body, &[]).expect_err("no UTF-8").to_string();
        assert!(error.contains("UTF-8"), "{error}");
    }
}
