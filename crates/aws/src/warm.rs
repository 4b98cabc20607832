//! The warm-up: brings an image through a pull-through cache into the private registry, before anything refers to it.
//!
//! Knows: in which order ECR has to be asked, and what to do when a part of it fails. Must not know: which family
//! needs the image.
//!
//! The first pull through a cache rule needs a way to the internet, and a pull by digest does not fill the cache. So the
//! function, which runs outside of the closed VPC, pulls by tag as a container runtime would, and throws the layers
//! away. One warmer for each image at a time, by a lease of its own; what came of an unfinished fetch is not asked for
//! again.

use crate::clients::Clients;
use crate::deadline::Deadline;
use crate::ecr::Login;
use crate::error::{Chain, Error};
use crate::image::record_id;
use crate::ledger::Lease;
use crate::registry::{PullError, Registry};
use crate::settings::Settings;
use ecs_sidecar_core::decision::Fetch;
use ecs_sidecar_core::ids::ImageDigest;
use ecs_sidecar_core::image::{PrivateImage, Version};
use ecs_sidecar_core::manifest::{Parts, Tagged, architecture_of};
use ecs_sidecar_core::policy::Architecture;
use ecs_sidecar_core::reason::Reason;
use ecs_sidecar_core::refusal::Refusal;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// How long one fetch may take before it goes on in a later invocation.
pub const LONGEST: Duration = Duration::from_secs(90);

/// How long a lease holds beyond that, for the calls around the fetch.
const MARGIN: Duration = Duration::from_secs(60);

/// How often one pull is tried, with these waits between.
const WAITS: [Duration; 4] =
    [Duration::from_secs(1), Duration::from_secs(2), Duration::from_secs(4), Duration::from_secs(8)];

/// How often ECR is asked whether it shows the image, with these waits before, in seconds.
const LOOKS: [u64; 6] = [0, 1, 2, 4, 8, 16];

/// What came of a fetch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fetched {
    /// All of it is there, and ECR shows it.
    Done,
    /// Not yet: the family is to be looked at again.
    Later {
        /// After so many seconds.
        seconds: u32,
        /// Why.
        refusal: Refusal,
    },
    /// It cannot be had until somebody does something about it.
    Refused(Refusal),
}

/// How soon a family is looked at again whose image is being fetched, or came to its last layer, in seconds.
const SOON: u32 = 10;

/// And when the network or the registry is in the way.
const AFTER_TROUBLE: u32 = 60;

/// Fetches an image.
///
/// Guarantees: no two fetch one image at a time, as far as they share a table. After [`Fetched::Done`] each of the
/// architectures can be pulled by digest without upstream. What is cut off goes on where it was, blob by blob.
/// Assumptions: the registry can be reached from here; `CreatePullThroughCacheRule` if a rule is to be made, and for
/// the repository what a puller through a cache needs: `BatchGetImage`, `GetDownloadUrlForLayer`,
/// `BatchImportUpstreamImage`, `CreateRepository`.
/// Errors: those of calls to AWS; all of them may be retried. What the registry says is in the answer.
pub(crate) async fn fetch(
    clients: &Clients,
    settings: &Settings,
    fetch: &Fetch,
    deadline: Deadline,
) -> Result<Fetched, Error> {
    let id = record_id(&settings.registry, &fetch.repository, &fetch.image.tag);
    let Some(lease) = clients.ledger.take(&id, LONGEST + MARGIN).await? else {
        let refusal = Refusal::new(Reason::ImageWarming, format!("{} is being fetched already", fetch.image));
        return Ok(Fetched::Later { seconds: SOON, refusal });
    };
    let image = PrivateImage {
        registry: settings.registry.clone(),
        region: settings.region.clone(),
        repository: fetch.repository.clone(),
        version: Version::Tag(fetch.image.tag.clone()),
    };
    let warmer = Warmer { clients, fetch, image, own: settings.registry == settings.account, lease: &lease };
    let until = deadline.bounded(LONGEST);
    let done = match until.limit(warmer.run()).await {
        Some(done) => done,
        None => Err(Stop::later(SOON, Reason::ImageWarming, format!("{} is on its way", fetch.image))),
    };
    let answer = match done {
        Ok(digest) => {
            clients.ledger.finish(&lease, &digest, &fetch.architectures).await?;
            return Ok(Fetched::Done);
        }
        Err(Stop::Answer(answer)) => Ok(*answer),
        Err(Stop::Error(error)) => Err(*error),
    };
    // It ends by itself too, only later.
    if let Err(error) = clients.ledger.give_up(&lease).await {
        tracing::warn!(error = %Chain(&error), "the lease of an image could not be given back");
    }
    answer
}

/// Why a fetch ends before its end.
enum Stop {
    Answer(Box<Fetched>),
    Error(Box<Error>),
}

impl Stop {
    fn later(seconds: u32, reason: Reason, message: String) -> Self {
        Self::Answer(Box::new(Fetched::Later { seconds, refusal: Refusal::new(reason, message) }))
    }

    fn refused(refusal: Refusal) -> Self {
        Self::Answer(Box::new(Fetched::Refused(refusal)))
    }
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Error(Box::new(error))
    }
}

struct Warmer<'a> {
    clients: &'a Clients,
    fetch: &'a Fetch,
    image: PrivateImage,
    /// Whether the registry is our own account's.
    own: bool,
    lease: &'a Lease,
}

impl Warmer<'_> {
    async fn run(&self) -> Result<ImageDigest, Stop> {
        if let Some(rule) = &self.fetch.rule {
            self.clients.ecr.create_rule(rule).await?.map_err(Stop::refused)?;
        }
        let mut session = Session { warmer: self, registry: self.log_in().await? };
        let tag = &self.fetch.image.tag;
        let (text, digest) = session.pull(Pull::Tag(tag)).await?;
        let mut manifests = Vec::new();
        let parts = match Tagged::read(&text).map_err(|why| self.unreadable(&why))? {
            Tagged::Single(parts) => vec![self.only(&mut session, parts).await?],
            Tagged::Index(children) => {
                let mut found = Vec::new();
                for child in self.wanted(&children)? {
                    let (text, _) = session.pull(Pull::Manifest(child)).await?;
                    found.push(Parts::read(&text).map_err(|why| self.unreadable(&why))?);
                    manifests.push(child.clone());
                }
                found
            }
        };
        let blobs: BTreeSet<&ImageDigest> = parts.iter().flat_map(Parts::blobs).collect();
        self.layers(&mut session, &blobs).await?;
        self.shown(&digest, &manifests).await?;
        Ok(digest)
    }

    async fn log_in(&self) -> Result<Registry, Stop> {
        let login: Login = self.clients.ecr.log_in().await.map_err(|error| {
            if error.is_retryable() { error.into() } else { self.not_fetched(&Chain(&error).to_string()) }
        })?;
        Registry::new(&login, self.own, &self.image).map_err(|error| self.not_fetched(&error.to_string()))
    }

    /// The manifests of the architectures that are wanted. What upstream does not offer is told.
    fn wanted<'c>(&self, children: &'c BTreeMap<Architecture, ImageDigest>) -> Result<Vec<&'c ImageDigest>, Stop> {
        let child = |wanted: &Architecture| children.get(wanted).ok_or_else(|| self.no_such_architecture(*wanted));
        self.fetch.architectures.iter().map(child).collect()
    }

    /// An image that is for one architecture alone: it must be the one that is wanted.
    async fn only(&self, session: &mut Session<'_>, parts: Parts) -> Result<Parts, Stop> {
        let (config, _) = session.pull(Pull::Config(&parts.config)).await?;
        let architecture = architecture_of(&config).map_err(|why| self.unreadable(&why))?;
        match self.fetch.architectures.iter().find(|wanted| Some(**wanted) != architecture) {
            Some(other) => Err(self.no_such_architecture(*other)),
            None => Ok(parts),
        }
    }

    /// Pulls what is not there yet, blob by blob, and notes each.
    async fn layers(&self, session: &mut Session<'_>, blobs: &BTreeSet<&ImageDigest>) -> Result<(), Stop> {
        let all = blobs.iter().map(|blob| (*blob).clone()).collect();
        // Where ECR will not say, everything is pulled; that takes longer and does no harm.
        let missing = self.clients.ecr.missing_layers(&self.fetch.repository, &all).await?.unwrap_or(all);
        for blob in missing.iter().filter(|blob| !self.lease.fetched.contains(blob)) {
            session.pull(Pull::Blob(blob)).await?;
            if !self.clients.ledger.note(self.lease, blob).await? {
                let message = format!("another function goes on with {}", self.fetch.image);
                return Err(Stop::later(SOON, Reason::ImageWarming, message));
            }
        }
        Ok(())
    }

    /// Waits until ECR shows the image. It copies what was pulled on its own time.
    async fn shown(&self, digest: &ImageDigest, manifests: &[ImageDigest]) -> Result<(), Stop> {
        let repository = &self.fetch.repository;
        for seconds in LOOKS {
            self.clients.clock.wait(Duration::from_secs(seconds)).await;
            let tagged = self.clients.ecr.tag(repository, &self.fetch.image.tag).await?;
            let tagged = tagged.map_err(|why| self.not_fetched(&why))?;
            let there = tagged.is_some_and(|tagged| tagged.digest == *digest);
            if there && self.has(manifests).await? {
                return Ok(());
            }
        }
        let message = format!("{} was pulled, and ECR does not show it yet", self.fetch.image);
        Err(Stop::later(SOON, Reason::ImageWarming, message))
    }

    /// Whether ECR has these manifests by their digests. Where it will not say, it has given them to us just before.
    async fn has(&self, manifests: &[ImageDigest]) -> Result<bool, Stop> {
        let wanted: Vec<&ImageDigest> = manifests.iter().collect();
        if wanted.is_empty() {
            return Ok(true);
        }
        let found = self.clients.ecr.manifests(&self.fetch.repository, &wanted).await?;
        Ok(found.map_or(true, |found| wanted.iter().all(|wanted| found.contains_key(*wanted))))
    }

    fn no_such_architecture(&self, architecture: Architecture) -> Stop {
        let message = format!("{} is not made for {architecture}", self.fetch.image);
        Stop::refused(Refusal::new(Reason::ArchitectureMissing, message))
    }

    fn unreadable(&self, why: &str) -> Stop {
        self.not_fetched(&format!("a manifest that cannot be read: {why}"))
    }

    fn not_fetched(&self, why: &str) -> Stop {
        Stop::refused(Refusal::new(Reason::ImageNotFetched, format!("{} from {}: {why}", self.fetch.image, self.image)))
    }
}

/// One thing to pull.
#[derive(Clone, Copy)]
enum Pull<'a> {
    Tag(&'a str),
    Manifest(&'a ImageDigest),
    Config(&'a ImageDigest),
    Blob(&'a ImageDigest),
}

/// A login, renewed when it ends.
struct Session<'a> {
    warmer: &'a Warmer<'a>,
    registry: Registry,
}

impl Session<'_> {
    /// Pulls with patience: what may pass is tried again. Returns the bytes, and the digest where a tag was asked for.
    async fn pull(&mut self, what: Pull<'_>) -> Result<(Vec<u8>, ImageDigest), Stop> {
        let mut waits = WAITS.iter();
        let mut denied = false;
        loop {
            let error = match self.once(what).await {
                Ok(pulled) => return Ok(pulled),
                Err(error) => error,
            };
            tracing::debug!(image = %self.warmer.image, error = error.label(), "a pull failed");
            // A rule or a repository that was made a moment ago may not be seen everywhere yet.
            let fresh = self.warmer.fetch.rule.is_some() && matches!(error, PullError::NotFound(_));
            // Whether a login has expired or the pull is forbidden, a new login tells.
            let expired = matches!(error, PullError::Denied(_)) && !std::mem::replace(&mut denied, true);
            let Some(wait) = waits.next().filter(|_| error.may_pass() || fresh || expired) else {
                return Err(self.give_up(error));
            };
            if matches!(error, PullError::LoginExpired | PullError::Denied(_)) {
                self.registry = self.warmer.log_in().await?;
            }
            self.warmer.clients.clock.wait(*wait).await;
        }
    }

    async fn once(&self, what: Pull<'_>) -> Result<(Vec<u8>, ImageDigest), PullError> {
        match what {
            Pull::Tag(tag) => self.registry.by_tag(tag).await,
            Pull::Manifest(digest) => Ok((self.registry.by_digest(digest).await?, digest.clone())),
            Pull::Config(digest) => Ok((self.registry.small(digest).await?, digest.clone())),
            Pull::Blob(digest) => {
                self.registry.drain(digest).await?;
                Ok((Vec::new(), digest.clone()))
            }
        }
    }

    fn give_up(&self, error: PullError) -> Stop {
        let (image, place) = (&self.warmer.fetch.image, &self.warmer.image);
        let message = format!("{image} from {place}: {error}");
        match error {
            PullError::NotFound(_) => Stop::refused(Refusal::new(Reason::ImageNotUpstream, message)),
            PullError::Corrupt(_) => Stop::refused(Refusal::new(Reason::ImageCorrupt, message)),
            PullError::Denied(_) | PullError::Refused(_) | PullError::LoginExpired => {
                Stop::refused(Refusal::new(Reason::ImageNotFetched, message))
            }
            PullError::Throttled => Stop::later(AFTER_TROUBLE, Reason::RegistryThrottled, message),
            PullError::Unavailable(_) => Stop::later(AFTER_TROUBLE, Reason::ImageNotFetched, message),
        }
    }
}
