//! Arranging the world and looking at it, without calls.

use crate::world::answer::{Answer, ServiceError};
use crate::world::call::{Service, Shown};
use crate::world::clock::lock;
use crate::world::ecs;
use crate::world::input::Input;
use crate::world::state::{CacheRule, Repository, Revision, Role};
use crate::world::view::RevisionView;
use crate::{Image, World};
use bytes::Bytes;
use ecs_sidecar_core::json::{Document, quote};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

impl World {
    fn direct(&self, operation: &str, body: &str) -> Result<Answer, ServiceError> {
        let input = Input::read(Service::Ecs, body.as_bytes())?;
        self.perform(Service::Ecs, operation, &self.caller(), &input, &Shown::Now)
    }

    /// Registers a definition, written as RegisterTaskDefinition takes it, and answers its ARN.
    pub fn register(&self, text: &str) -> Result<String, ServiceError> {
        let Answer(answer) = self.direct("RegisterTaskDefinition", text)?;
        let answer = Document::parse(answer).map_err(|error| ServiceError::serialization(error.to_string()))?;
        let definition = answer.root().get("taskDefinition");
        Ok(definition.map(|definition| ecs::text_of(definition, "taskDefinitionArn").into_owned()).unwrap_or_default())
    }

    /// DescribeTaskDefinition's answer with tags, for a family, a family with a revision, or an ARN.
    pub fn describe(&self, name: &str) -> Result<String, ServiceError> {
        let body = format!("{{\"taskDefinition\":{},\"include\":[\"TAGS\"]}}", quote(name));
        self.direct("DescribeTaskDefinition", &body).map(|Answer(text)| text)
    }

    /// Deregisters a revision.
    pub fn deregister(&self, name: &str) -> Result<(), ServiceError> {
        let body = format!("{{\"taskDefinition\":{}}}", quote(name));
        self.direct("DeregisterTaskDefinition", &body).map(|_| ())
    }

    /// Removes an INACTIVE revision for good. Its number is never given again.
    pub fn delete(&self, name: &str) -> Result<(), ServiceError> {
        self.write(|state| ecs::delete(state, &self.place, name))
    }

    /// The newest ACTIVE revision of a family: what its bare name means to ECS.
    pub fn newest_active(&self, family: &str) -> Option<RevisionView> {
        let history = lock(&self.shared.history);
        history.now.family(&self.place, family)?.newest_active().map(|revision| self.view(revision))
    }

    /// All revisions of a family by number, deregistered ones included.
    pub fn revisions(&self, family: &str) -> Vec<RevisionView> {
        let history = lock(&self.shared.history);
        let family = history.now.family(&self.place, family);
        family.into_iter().flat_map(|family| family.revisions.values()).map(|revision| self.view(revision)).collect()
    }

    /// Names of the families that there ever were, those without an ACTIVE revision included.
    pub fn families(&self) -> Vec<String> {
        let history = lock(&self.shared.history);
        let here = history.now.families.keys().filter(|(place, _)| *place == self.place);
        here.map(|(_, family)| family.clone()).collect()
    }

    fn view(&self, revision: &Revision) -> RevisionView {
        RevisionView {
            arn: revision.arn(),
            number: revision.number,
            status: revision.status,
            text: ecs::described(revision, &lock(&self.shared.rules)),
            tags: revision.tags.to_string(),
            registered_by: revision.registered_by.clone(),
        }
    }

    /// Makes a role, written with its path as `app/web`, and answers its ARN.
    pub fn add_role(&self, path_and_name: &str) -> String {
        let name = path_and_name.rsplit('/').next().unwrap_or_default();
        let path = format!("/{}", path_and_name.strip_suffix(name).unwrap_or_default());
        let arn = format!("arn:{}:iam::{}:role/{path_and_name}", self.place.partition(), self.place.account);
        let role = Role { arn: arn.clone(), path, attached: Vec::new(), shown_from: BTreeMap::new() };
        let key = (self.place.account.clone(), name.to_owned());
        lock(&self.shared.history).now.roles.insert_mut(key, Arc::new(role));
        arn
    }

    /// Removes a role with what is attached to it.
    pub fn remove_role(&self, name: &str) {
        lock(&self.shared.history).now.roles.remove_mut(&(self.place.account.clone(), name.to_owned()));
    }

    /// Makes a policy of the account's own and answers its ARN. AWS's own that the project uses are there already.
    pub fn add_policy(&self, name: &str) -> String {
        let arn = format!("arn:{}:iam::{}:policy/{name}", self.place.partition(), self.place.account);
        lock(&self.shared.history).now.policies.insert(arn.clone());
        arn
    }

    /// Attaches a policy to a role, whether or not anybody may.
    pub fn attach(&self, role: &str, policy: &str) {
        let key = (self.place.account.clone(), role.to_owned());
        if let Some(role) = lock(&self.shared.history).now.roles.get_mut(&key) {
            Arc::make_mut(role).attached.push(policy.to_owned());
        }
    }

    /// Detaches a policy from a role, whether or not anybody may. `false`: the role has it not.
    pub fn detach(&self, role: &str, policy: &str) -> bool {
        let key = (self.place.account.clone(), role.to_owned());
        let mut history = lock(&self.shared.history);
        let Some(role) = history.now.roles.get_mut(&key) else { return false };
        let before = role.attached.len();
        Arc::make_mut(role).attached.retain(|attached| attached != policy);
        role.attached.len() < before
    }

    /// ARNs of the policies that are attached to a role, in the order in which they were.
    pub fn attached(&self, role: &str) -> Vec<String> {
        let key = (self.place.account.clone(), role.to_owned());
        lock(&self.shared.history).now.roles.get(&key).map(|role| role.attached.clone()).unwrap_or_default()
    }

    /// Names of the account's roles.
    pub fn roles(&self) -> Vec<String> {
        let history = lock(&self.shared.history);
        let own = history.now.roles.keys().filter(|(account, _)| *account == self.place.account);
        own.map(|(_, name)| name.clone()).collect()
    }

    /// Makes a repository without images.
    pub fn add_repository(&self, name: &str) {
        self.repository(name, |_| ());
    }

    /// Puts an image for both architectures with a tag into a repository, made if it is not there, and answers its digest.
    pub fn add_image(&self, repository: &str, tag: &str) -> String {
        self.put_image(repository, tag, &Image::index(&format!("{repository}:{tag}"), &["amd64", "arm64"]))
    }

    /// Puts an image with a tag into a repository, made if it is not there, and answers its digest.
    pub fn put_image(&self, repository: &str, tag: &str, image: &Image) -> String {
        let now = self.shared.clock.since_epoch().as_secs();
        self.repository(repository, |repository| {
            repository.tags.insert(tag.to_owned(), image.digest.clone());
            repository.manifests.extend(image.manifests.clone());
            repository.blobs.extend(image.blobs.clone());
            repository.pushed_at = now;
        });
        image.digest.clone()
    }

    /// Takes layers out of a repository, as if they had never come.
    pub fn lose_layers(&self, repository: &str) {
        self.repository(repository, |repository| repository.blobs.clear());
    }

    /// Takes a tag out of a repository.
    pub fn remove_tag(&self, repository: &str, tag: &str) {
        self.repository(repository, |repository| drop(repository.tags.remove(tag)));
    }

    /// From now on ECR does not tell of this repository's layers, though they are there.
    pub fn hide_layers(&self, repository: &str) {
        self.repository(repository, |repository| repository.hides_layers = true);
    }

    /// Lets other accounts look at a repository.
    pub fn share_repository(&self, name: &str) {
        self.repository(name, |repository| repository.shared = true);
    }

    /// Gives a repository a lifecycle policy.
    pub fn set_lifecycle_policy(&self, repository: &str, policy: &str) {
        self.repository(repository, |repository| repository.lifecycle_policy = Some(policy.to_owned()));
    }

    fn repository<T>(&self, name: &str, deed: impl FnOnce(&mut Repository) -> T) {
        let key = (self.place.clone(), name.to_owned());
        deed(Arc::make_mut(lock(&self.shared.history).now.repositories.entry(key).or_default()));
    }

    /// What is in a repository: digests of its manifests and of its layers.
    pub fn stored(&self, repository: &str) -> (BTreeSet<String>, BTreeSet<String>) {
        let history = lock(&self.shared.history);
        let found = history.now.repositories.get(&(self.place.clone(), repository.to_owned()));
        let keys = |map: &BTreeMap<String, Bytes>| map.keys().cloned().collect();
        found.map(|found| (keys(&found.manifests), keys(&found.blobs))).unwrap_or_default()
    }

    /// Makes a pull-through cache rule. `part` is the part of the upstream that it stands for.
    pub fn add_cache_rule(&self, prefix: &str, upstream: &str, part: Option<&str>) {
        let rule = CacheRule {
            prefix: prefix.to_owned(),
            upstream: upstream.to_owned(),
            upstream_prefix: part.map(str::to_owned),
        };
        lock(&self.shared.history).now.cache_rules.entry(self.place.clone()).or_default().push(rule);
    }

    /// Prefixes of the pull-through cache rules.
    pub fn cache_rules(&self) -> Vec<String> {
        let history = lock(&self.shared.history);
        let rules = history.now.cache_rules.get(&self.place).into_iter().flatten();
        rules.map(|rule| rule.prefix.clone()).collect()
    }

    /// From now on an upstream registry has this image, with that tag.
    pub fn publish(&self, registry: &str, repository: &str, tag: &str, image: Image) {
        let key = (registry.to_owned(), repository.to_owned(), tag.to_owned());
        lock(&self.shared.history).now.upstream.insert(key, Arc::new(image));
    }

    /// From now on nobody reaches the upstream registries, or everybody does again.
    pub fn cut_upstream(&self, cut: bool) {
        lock(&self.shared.history).now.upstream_cut = cut;
    }

    /// From now on ECR takes so many seconds to show an image that was pulled through a rule.
    pub fn show_images_after(&self, seconds: u64) {
        lock(&self.shared.history).now.image_lag = seconds;
    }

    /// Makes all logins to the registry worthless.
    pub fn expire_logins(&self) {
        lock(&self.shared.history).now.logins += 1;
    }

    /// Makes a log group.
    pub fn add_log_group(&self, name: &str) {
        lock(&self.shared.history).now.log_groups.insert((self.place.clone(), name.to_owned()), None);
    }

    /// The retention of a log group in days; `None` if there is no such group.
    pub fn log_group(&self, name: &str) -> Option<Option<i64>> {
        lock(&self.shared.history).now.log_groups.get(&(self.place.clone(), name.to_owned())).copied()
    }

    /// Lets a role, named by its ARN, do something.
    pub fn allow(&self, role: &str, action: &str) {
        lock(&self.shared.history).now.may.insert((role.to_owned(), action.to_owned()));
    }
}
