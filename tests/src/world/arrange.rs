//! Arranging the world and looking at it, without calls.

use crate::World;
use crate::world::answer::{Answer, ServiceError};
use crate::world::call::Service;
use crate::world::clock::lock;
use crate::world::ecs;
use crate::world::input::Input;
use crate::world::state::{Repository, Revision, Role};
use crate::world::view::{Message, RevisionView};
use ecs_sidecar_core::json::{Document, quote};
use sha2::{Digest, Sha256};
use std::sync::Arc;

impl World {
    fn direct(&self, operation: &str, body: &str) -> Result<Answer, ServiceError> {
        let input = Input::read(Service::Ecs, body.as_bytes())?;
        self.perform(Service::Ecs, operation, &self.caller(), &input, false)
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
        let role = Role { arn: arn.clone(), path, attached: Vec::new() };
        let key = (self.place.account.clone(), name.to_owned());
        lock(&self.shared.history).now.roles.insert(key, Arc::new(role));
        arn
    }

    /// Removes a role with what is attached to it.
    pub fn remove_role(&self, name: &str) {
        lock(&self.shared.history).now.roles.remove(&(self.place.account.clone(), name.to_owned()));
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

    /// ARNs of the policies that are attached to a role, in the order in which they were.
    pub fn attached(&self, role: &str) -> Vec<String> {
        let key = (self.place.account.clone(), role.to_owned());
        lock(&self.shared.history).now.roles.get(&key).map(|role| role.attached.clone()).unwrap_or_default()
    }

    /// Makes a repository without images.
    pub fn add_repository(&self, name: &str) {
        self.repository(name, |_| ());
    }

    /// Puts an image with a tag into a repository, made if it is not there, and answers its digest.
    pub fn add_image(&self, repository: &str, tag: &str) -> String {
        let hash = Sha256::digest(format!("{repository}:{tag}").as_bytes());
        let digest = hash.iter().fold("sha256:".to_owned(), |text, byte| format!("{text}{byte:02x}"));
        self.repository(repository, |repository| repository.tags.insert(tag.to_owned(), digest.clone()));
        digest
    }

    fn repository<T>(&self, name: &str, deed: impl FnOnce(&mut Repository) -> T) {
        let key = (self.place.clone(), name.to_owned());
        deed(Arc::make_mut(lock(&self.shared.history).now.repositories.entry(key).or_default()));
    }

    /// Makes a queue and answers its URL.
    pub fn add_queue(&self, name: &str) -> String {
        lock(&self.shared.history).now.queues.entry((self.place.clone(), name.to_owned())).or_default();
        format!("https://sqs.{}.amazonaws.com/{}/{name}", self.place.region, self.place.account)
    }

    /// The messages that were sent to a queue.
    pub fn messages(&self, queue: &str) -> Vec<Message> {
        let key = (self.place.clone(), queue.to_owned());
        lock(&self.shared.history).now.queues.get(&key).map(|queue| queue.to_vec()).unwrap_or_default()
    }
}
