//! ECR's calls.
//!
//! Knows: what a private registry holds, and its pull-through cache rules. Must not know: how an image gets into a
//! repository; see [`Registry`](crate::Registry) for that.

use crate::image::media_type;
use crate::world::answer::{Answer, ServiceError, page};
use crate::world::ecs::{Deed, text_of};
use crate::world::input::Input;
use crate::world::members::{list, strings};
use crate::world::state::{CacheRule, Place, Repository, State};
use crate::world::{Caller, Rules};
use ecs_sidecar_core::json::{Value, quote};
use std::collections::BTreeMap;

/// How many rules a registry may have.
const RULES: usize = 50;

/// Registries that ECR has rules for without credentials, with ECR's word for them.
const UPSTREAMS: [(&str, &str); 3] =
    [("public.ecr.aws", "ecr-public"), ("quay.io", "quay"), ("registry.k8s.io", "k8s")];

/// The deed of that name.
pub(crate) fn deed(operation: &str) -> Option<Deed> {
    Some(match operation {
        "DescribeImages" => Deed::Read(describe_images),
        "BatchGetImage" => Deed::Read(batch_get_image),
        "BatchCheckLayerAvailability" => Deed::Read(layer_availability),
        "DescribePullThroughCacheRules" => Deed::Read(describe_rules),
        "CreatePullThroughCacheRule" => Deed::Write(create_rule),
        "GetLifecyclePolicy" => Deed::Read(lifecycle_policy),
        "PutLifecyclePolicy" => Deed::Write(put_lifecycle_policy),
        "GetAuthorizationToken" => Deed::Read(authorization_token),
        _ => return None,
    })
}

/// The place whose registry a request is about. Another account's shows only what it shares.
fn registry(caller: &Caller, input: &Input) -> Place {
    let account = input.text("registryId").unwrap_or_else(|| caller.place.account.clone());
    Place { account, region: caller.place.region.clone() }
}

fn repository<'a>(state: &'a State, caller: &Caller, input: &Input) -> Result<(String, &'a Repository), ServiceError> {
    let name = input.required("repositoryName")?;
    let place = registry(caller, input);
    let found = state.repositories.get(&(place.clone(), name.clone()));
    let shared = |found: &&std::sync::Arc<Repository>| place.account == caller.place.account || found.shared;
    let now = caller.now.split('.').next().and_then(|seconds| seconds.parse::<u64>().ok()).unwrap_or(u64::MAX);
    let found = found.filter(shared).filter(|found| found.shown_from <= now).ok_or_else(|| {
        let id = &place.account;
        let message = format!("The repository with name '{name}' does not exist in the registry with id '{id}'");
        ServiceError::new("RepositoryNotFoundException", message)
    })?;
    Ok((name, found))
}

fn describe_images(state: &State, caller: &Caller, _: &Rules, input: &Input) -> Result<Answer, ServiceError> {
    let (name, repository) = repository(state, caller, input)?;
    let registry = registry(caller, input).account;
    let wanted = input.json().and_then(|root| root.get("imageIds")).filter(|ids| ids.items().len() > 0);
    let digests: Vec<String> = match wanted {
        Some(ids) => {
            let find = |id| find_image(repository, id).ok_or_else(|| no_image(id, &name, &registry));
            ids.items().map(find).collect::<Result<_, _>>()?
        }
        None => repository.manifests.keys().cloned().collect(),
    };
    let size = usize::try_from(input.number("maxResults").unwrap_or(100)).unwrap_or(100);
    let invalid = || ServiceError::new("InvalidParameterException", "Invalid token");
    let (digests, next) = page(digests, input.text("nextToken").as_deref(), size, invalid)?;
    let tags = tags(repository);
    let details = list(digests.iter().map(|digest| {
        let manifest = repository.manifests.get(digest).map(|bytes| media_type(bytes)).unwrap_or_default();
        format!(
            "{{\"registryId\":{},\"repositoryName\":{},\"imageDigest\":{},\"imageTags\":{},\
             \"imageSizeInBytes\":12345678,\"imagePushedAt\":{},\"imageManifestMediaType\":{}}}",
            quote(&registry),
            quote(&name),
            quote(digest),
            strings(tags.get(digest).into_iter().flatten()),
            repository.pushed_at,
            quote(manifest),
        )
    }));
    let next = next.map(|token| format!(",\"nextToken\":{}", quote(&token))).unwrap_or_default();
    Ok(Answer(format!("{{\"imageDetails\":{details}{next}}}")))
}

/// Tags by digest.
fn tags(repository: &Repository) -> BTreeMap<String, Vec<String>> {
    let mut tags: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (tag, digest) in &repository.tags {
        tags.entry(digest.clone()).or_default().push(tag.clone());
    }
    tags
}

/// The digest that an image id stands for, if there is such an image.
fn find_image(repository: &Repository, id: Value<'_>) -> Option<String> {
    let (tag, digest) = (text_of(id, "imageTag"), text_of(id, "imageDigest"));
    let by_tag = repository.tags.get(&*tag);
    match (tag.is_empty(), digest.is_empty()) {
        (false, true) => by_tag.cloned(),
        (true, false) => repository.manifests.get_key_value(&*digest).map(|(digest, _)| digest.clone()),
        (false, false) => by_tag.filter(|has| **has == digest).cloned(),
        (true, true) => None,
    }
}

fn no_image(id: Value<'_>, name: &str, registry: &str) -> ServiceError {
    let (tag, digest) = (text_of(id, "imageTag"), text_of(id, "imageDigest"));
    if tag.is_empty() && digest.is_empty() {
        return ServiceError::new("InvalidParameterException", "An image needs a tag or a digest");
    }
    let or_null = |text: &str| if text.is_empty() { "null".to_owned() } else { text.to_owned() };
    let message = format!(
        "The image with imageId {{imageDigest:'{}', imageTag:'{}'}} does not exist within the repository with name \
         '{name}' in the registry with id '{registry}'",
        or_null(&digest),
        or_null(&tag),
    );
    ServiceError::new("ImageNotFoundException", message)
}

fn batch_get_image(state: &State, caller: &Caller, _: &Rules, input: &Input) -> Result<Answer, ServiceError> {
    let (name, repository) = repository(state, caller, input)?;
    let ids = input.json().and_then(|root| root.get("imageIds"));
    let (mut images, mut failures) = (Vec::new(), Vec::new());
    for id in ids.into_iter().flat_map(|ids| ids.items().collect::<Vec<_>>()) {
        let digest = find_image(repository, id);
        match digest.as_ref().and_then(|digest| Some((digest, repository.manifests.get(digest)?))) {
            Some((digest, manifest)) => images.push(format!(
                "{{\"registryId\":{},\"repositoryName\":{},\"imageId\":{{\"imageDigest\":{}}},\
                 \"imageManifest\":{},\"imageManifestMediaType\":{}}}",
                quote(&registry(caller, input).account),
                quote(&name),
                quote(digest),
                quote(&String::from_utf8_lossy(manifest)),
                quote(media_type(manifest)),
            )),
            None => failures.push(format!(
                "{{\"imageId\":{},\"failureCode\":\"ImageNotFound\",\"failureReason\":\"Requested image not found\"}}",
                id.raw()
            )),
        }
    }
    Ok(Answer(format!("{{\"images\":{},\"failures\":{}}}", list(images), list(failures))))
}

fn layer_availability(state: &State, caller: &Caller, _: &Rules, input: &Input) -> Result<Answer, ServiceError> {
    let (_, repository) = repository(state, caller, input)?;
    let digests = input.texts("layerDigests");
    if !(1..=100).contains(&digests.len()) {
        return Err(ServiceError::new("InvalidParameterException", "layerDigests: 1 to 100"));
    }
    let layers = list(digests.iter().map(|digest| {
        let there = repository.blobs.contains_key(digest) && !repository.hides_layers;
        let word = if there { "AVAILABLE" } else { "UNAVAILABLE" };
        format!("{{\"layerDigest\":{},\"layerAvailability\":\"{word}\"}}", quote(digest))
    }));
    Ok(Answer(format!("{{\"layers\":{layers},\"failures\":[]}}")))
}

fn describe_rules(state: &State, caller: &Caller, _: &Rules, input: &Input) -> Result<Answer, ServiceError> {
    let place = registry(caller, input);
    let rules: Vec<&CacheRule> = state.cache_rules.get(&place).into_iter().flatten().collect();
    let size = usize::try_from(input.number("maxResults").unwrap_or(100)).unwrap_or(100);
    let invalid = || ServiceError::new("InvalidParameterException", "Invalid token");
    let (rules, next) = page(rules, input.text("nextToken").as_deref(), size, invalid)?;
    let rules = list(rules.into_iter().map(|rule| {
        let upstream_prefix = rule.upstream_prefix.as_deref().unwrap_or("ROOT");
        format!(
            "{{\"ecrRepositoryPrefix\":{},\"upstreamRegistryUrl\":{},\"upstreamRepositoryPrefix\":{},\
             \"createdAt\":1767225600.0,\"registryId\":{}}}",
            quote(&rule.prefix),
            quote(&rule.upstream),
            quote(upstream_prefix),
            quote(&place.account)
        )
    }));
    let next = next.map(|token| format!(",\"nextToken\":{}", quote(&token))).unwrap_or_default();
    Ok(Answer(format!("{{\"pullThroughCacheRules\":{rules}{next}}}")))
}

fn create_rule(state: &mut State, caller: &Caller, _: &Rules, input: &Input) -> Result<Answer, ServiceError> {
    let (prefix, upstream) = (input.required("ecrRepositoryPrefix")?, input.required("upstreamRegistryUrl")?);
    let Some((_, word)) = UPSTREAMS.iter().find(|(url, _)| *url == upstream) else {
        return Err(ServiceError::new(
            "UnsupportedUpstreamRegistryException",
            "The upstream registry is not supported",
        ));
    };
    let place = registry(caller, input);
    let rules = state.cache_rules.entry(place.clone()).or_default();
    if rules.iter().any(|rule| rule.prefix == prefix) {
        let message = format!("The pull through cache rule with prefix '{prefix}' already exists");
        return Err(ServiceError::new("PullThroughCacheRuleAlreadyExistsException", message));
    }
    if rules.len() >= RULES {
        return Err(ServiceError::new("LimitExceededException", "The limit of pull through cache rules is reached"));
    }
    let answer = format!(
        "{{\"ecrRepositoryPrefix\":{},\"upstreamRegistryUrl\":{},\"upstreamRegistry\":\"{word}\",\
         \"createdAt\":1767225600.0,\"registryId\":{}}}",
        quote(&prefix),
        quote(&upstream),
        quote(&place.account)
    );
    rules.push(CacheRule { prefix, upstream, upstream_prefix: None });
    Ok(Answer(answer))
}

fn lifecycle_policy(state: &State, caller: &Caller, _: &Rules, input: &Input) -> Result<Answer, ServiceError> {
    let (name, repository) = repository(state, caller, input)?;
    match &repository.lifecycle_policy {
        Some(policy) => Ok(Answer(format!(
            "{{\"registryId\":{},\"repositoryName\":{},\"lifecyclePolicyText\":{}}}",
            quote(&registry(caller, input).account),
            quote(&name),
            quote(policy)
        ))),
        None => Err(ServiceError::new("LifecyclePolicyNotFoundException", "Lifecycle policy does not exist")),
    }
}

fn put_lifecycle_policy(
    state: &mut State,
    caller: &Caller,
    rules: &Rules,
    input: &Input,
) -> Result<Answer, ServiceError> {
    let (name, _) = repository(state, caller, input)?;
    let text = input.required("lifecyclePolicyText")?;
    let key = (registry(caller, input), name);
    if let Some(repository) = state.repositories.get_mut(&key) {
        std::sync::Arc::make_mut(repository).lifecycle_policy = Some(text);
    }
    lifecycle_policy(state, caller, rules, input)
}

fn authorization_token(state: &State, caller: &Caller, _: &Rules, _: &Input) -> Result<Answer, ServiceError> {
    let Place { account, region } = &caller.place;
    let own = format!("https://{account}.dkr.ecr.{region}.amazonaws.com");
    let endpoint = state.registry_url.as_ref().unwrap_or(&own);
    let token = aws_smithy_types::base64::encode(format!("AWS:{}", state.registry_password()));
    Ok(Answer(format!(
        "{{\"authorizationData\":[{{\"authorizationToken\":{},\"expiresAt\":4102444800.0,\"proxyEndpoint\":{}}}]}}",
        quote(&token),
        quote(endpoint)
    )))
}
