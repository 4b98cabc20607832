//! The little that is needed of ECR, SQS and STS.
//!
//! Knows: DescribeImages, SendMessage, GetCallerIdentity. Must not know: how an image gets into a repository.

use crate::Message;
use crate::world::answer::{Answer, ServiceError, page, xml};
use crate::world::ecs::{Deed, text_of};
use crate::world::input::Input;
use crate::world::members::{list, strings};
use crate::world::state::{Repository, State};
use crate::world::{Caller, Rules};
use ecs_sidecar_core::json::{Value, quote};
use md5::{Digest, Md5};
use std::collections::BTreeMap;
use std::sync::Arc;

/// SQS's limit for the delay of a message, in seconds.
const MAX_DELAY: i64 = 900;

/// The deed of that name of ECR.
pub(crate) fn of_ecr(operation: &str) -> Option<Deed> {
    (operation == "DescribeImages").then_some(Deed::Read(describe_images))
}

/// The deed of that name of SQS.
pub(crate) fn of_sqs(operation: &str) -> Option<Deed> {
    (operation == "SendMessage").then_some(Deed::Write(send_message))
}

/// The deed of that name of STS.
pub(crate) fn of_sts(operation: &str) -> Option<Deed> {
    (operation == "GetCallerIdentity").then_some(Deed::Read(get_caller_identity))
}

fn describe_images(state: &State, caller: &Caller, _: &Rules, input: &Input) -> Result<Answer, ServiceError> {
    let name = input.required("repositoryName")?;
    let registry = input.text("registryId").unwrap_or_else(|| caller.place.account.clone());
    let missing = || {
        let message = format!("The repository with name '{name}' does not exist in the registry with id '{registry}'");
        ServiceError::new("RepositoryNotFoundException", message)
    };
    if registry != caller.place.account {
        return Err(missing());
    }
    let repository = state.repositories.get(&(caller.place.clone(), name.clone())).ok_or_else(missing)?;
    let wanted = input.json().and_then(|root| root.get("imageIds")).filter(|ids| ids.items().len() > 0);
    let digests: Vec<String> = match wanted {
        Some(ids) => ids.items().map(|id| find_image(repository, id, &name, &registry)).collect::<Result<_, _>>()?,
        None => images(repository).into_keys().collect(),
    };
    let size = usize::try_from(input.number("maxResults").unwrap_or(100)).unwrap_or(100);
    let invalid = || ServiceError::new("InvalidParameterException", "Invalid token");
    let (digests, next) = page(digests, input.text("nextToken").as_deref(), size, invalid)?;
    let tags = images(repository);
    let details = list(digests.iter().map(|digest| {
        format!(
            "{{\"registryId\":{},\"repositoryName\":{},\"imageDigest\":{},\"imageTags\":{},\
             \"imageSizeInBytes\":12345678,\"imagePushedAt\":1767225600.0,\
             \"imageManifestMediaType\":\"application/vnd.oci.image.index.v1+json\"}}",
            quote(&registry),
            quote(&name),
            quote(digest),
            strings(tags.get(digest).into_iter().flatten()),
        )
    }));
    let next = next.map(|token| format!(",\"nextToken\":{}", quote(&token))).unwrap_or_default();
    Ok(Answer(format!("{{\"imageDetails\":{details}{next}}}")))
}

/// Tags by digest.
fn images(repository: &Repository) -> BTreeMap<String, Vec<String>> {
    let mut images: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (tag, digest) in &repository.tags {
        images.entry(digest.clone()).or_default().push(tag.clone());
    }
    images
}

fn find_image(repository: &Repository, id: Value<'_>, name: &str, registry: &str) -> Result<String, ServiceError> {
    let (tag, digest) = (text_of(id, "imageTag"), text_of(id, "imageDigest"));
    let by_tag = repository.tags.get(&*tag);
    let by_digest = repository.tags.values().find(|has| **has == digest);
    let found = match (tag.is_empty(), digest.is_empty()) {
        (false, true) => by_tag,
        (true, false) => by_digest,
        (false, false) => by_tag.filter(|has| **has == digest),
        (true, true) => return Err(ServiceError::new("InvalidParameterException", "An image needs a tag or a digest")),
    };
    found.cloned().ok_or_else(|| {
        let message = format!(
            "The image with imageId {{imageDigest:'{}', imageTag:'{}'}} does not exist within the repository with name '{name}' in the registry with id '{registry}'",
            if digest.is_empty() { "null" } else { &digest },
            if tag.is_empty() { "null" } else { &tag },
        );
        ServiceError::new("ImageNotFoundException", message)
    })
}

fn send_message(state: &mut State, caller: &Caller, _: &Rules, input: &Input) -> Result<Answer, ServiceError> {
    let url = input.required("QueueUrl")?;
    let body = input.required("MessageBody")?;
    let delay = input.number("DelaySeconds").unwrap_or(0);
    if !(0..=MAX_DELAY).contains(&delay) {
        let message = format!("Value {delay} for parameter DelaySeconds is invalid. Reason: must be between 0 and 900");
        return Err(ServiceError::new("InvalidParameterValue", message));
    }
    let name = url.rsplit('/').next().unwrap_or_default().to_owned();
    let missing = || ServiceError::new("QueueDoesNotExist", "The specified queue does not exist.");
    let queue = state.queues.get_mut(&(caller.place.clone(), name)).ok_or_else(missing)?;
    let digest: String = Md5::digest(body.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect();
    let queue = Arc::make_mut(queue);
    queue.push(Message { body, delay_seconds: delay.unsigned_abs() });
    Ok(Answer(format!(
        "{{\"MessageId\":\"00000000-0000-0000-0000-{:012}\",\"MD5OfMessageBody\":{}}}",
        queue.len(),
        quote(&digest)
    )))
}

fn get_caller_identity(_: &State, caller: &Caller, _: &Rules, _: &Input) -> Result<Answer, ServiceError> {
    Ok(Answer(format!(
        "<Arn>{}</Arn><UserId>AIDAEXAMPLE</UserId><Account>{}</Account>",
        xml(&caller.principal),
        caller.place.account
    )))
}
