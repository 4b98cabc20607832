//! Where a sidecar's image is, and whether all of it is there.
//!
//! Knows: which calls answer that. Must not know: what is done about an image that is not there. Writes nothing, and
//! fetches nothing from upstream: ECR is asked for what it has, never for a pull.

use crate::clock::Clock;
use crate::ecr::{Ecr, Rules, Seen, TaggedImage};
use crate::error::Error;
use crate::ledger::{ImageRecord, Ledger};
use crate::registry::Registry;
use aws_types::SdkConfig;
use ecs_sidecar_core::cache::{self, CacheState};
use ecs_sidecar_core::ids::{AccountId, ImageDigest, Region};
use ecs_sidecar_core::image::{PrivateImage, Upstream, Version};
use ecs_sidecar_core::lifecycle;
use ecs_sidecar_core::manifest::{Parts, Tagged, architecture_of};
use ecs_sidecar_core::observed::{ImageState, StoredImage};
use ecs_sidecar_core::policy::Architecture;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Partitions whose Regions have no pull-through cache rules (ECR user guide, "Considerations").
const WITHOUT_RULES: [&str; 2] = ["aws-cn", "aws-us-gov"];

/// For how long nobody looks for a newer image after that failed, in seconds.
const PAUSE: u64 = 3600;

/// The registry that tasks pull from, and where they run.
#[derive(Debug, Clone)]
pub struct PrivateRegistry {
    /// The account that tasks run in.
    pub account: AccountId,
    /// The account whose registry it is.
    pub registry: AccountId,
    /// The Region of both.
    pub region: Region,
    /// Prefix of the repository where no cache rule is found.
    pub cache_prefix: String,
}

/// Looks for images.
#[derive(Debug, Clone)]
pub struct Images {
    ecr: Ecr,
    ledger: Arc<Ledger>,
    clock: Clock,
    place: PrivateRegistry,
}

impl Images {
    /// With clients of a configuration. `ledger` is where fetches are recorded.
    pub fn new(config: &SdkConfig, place: PrivateRegistry, ledger: Arc<Ledger>) -> Self {
        Self { ecr: Ecr::new(config, place.registry.clone()), ledger, clock: Clock::of(config), place }
    }

    /// Finds an image: by which rule it comes, and what is in the private registry. `pinned`: definitions name its
    /// digest, so that what would delete it is looked for too.
    ///
    /// Guarantees: nothing is written.
    /// Assumptions: the reads of `Ecr`; what is not allowed is said in the states.
    /// Errors: those of the calls; all of them may be retried.
    pub async fn locate(&self, image: &Upstream, pinned: bool) -> Result<(CacheState, ImageState), Error> {
        let (cache, depth) = self.rule(image).await?;
        let repository = cache.repository(image, &self.place.cache_prefix);
        // Somebody else's images: not even looked at.
        if matches!(cache, CacheState::PrefixTaken(_)) {
            return Ok((cache, ImageState::Missing));
        }
        let state = match self.ecr.tag(&repository, &image.tag).await? {
            Ok(None) => ImageState::Missing,
            Err(why) => ImageState::Refused(why),
            Ok(Some(tagged)) => match depth {
                Depth::Layers => {
                    Look { images: self, repository: &repository, tag: &image.tag }.stored(&tagged, pinned).await?
                }
                Depth::Tag => ImageState::Present(shown(tagged.digest)),
            },
        };
        Ok((cache, state))
    }

    /// The rule by which an image comes. The rules of another account's registry are that account's business.
    async fn rule(&self, image: &Upstream) -> Result<(CacheState, Depth), Error> {
        let place = &self.place;
        if place.registry != place.account {
            return Ok((CacheState::NotChecked, Depth::Layers));
        }
        if WITHOUT_RULES.contains(&place.region.partition().name) {
            return Ok((CacheState::Unavailable, Depth::Layers));
        }
        Ok(match self.ecr.rules().await? {
            Ok(Rules::Are(rules)) => (cache::find(&rules, image, &place.cache_prefix), Depth::Layers),
            Ok(Rules::Unheard) => (CacheState::Unavailable, Depth::Tag),
            Err(why) => (CacheState::Refused(why), Depth::Layers),
        })
    }
}

/// How deep an image is looked into.
enum Depth {
    /// To its last layer.
    Layers,
    /// An emulator that has no cache of anything keeps tags and nothing behind them: there the tag counts.
    Tag,
}

/// An image of which the tag is all that there is to see.
fn shown(digest: ImageDigest) -> StoredImage {
    let complete = BTreeSet::from(Architecture::ALL);
    StoredImage { digest, offered: None, complete, unseen: None, age_hours: None, expires: None }
}

/// The id of an image's record.
pub(crate) fn record_id(registry: &AccountId, repository: &str, tag: &str) -> String {
    format!("{registry}/{repository}:{tag}")
}

/// An image with its architectures: their manifests, as far as those are in the registry.
type Architectures = BTreeMap<Architecture, Option<Parts>>;

/// A look into one repository.
struct Look<'a> {
    images: &'a Images,
    repository: &'a str,
    tag: &'a str,
}

impl Look<'_> {
    /// What is there of the image.
    async fn stored(&self, tagged: &TaggedImage, pinned: bool) -> Result<ImageState, Error> {
        let record = self.record().await?;
        let (architectures, unseen) = match self.architectures(&tagged.digest).await? {
            Ok(Some(architectures)) => (Some(architectures), None),
            // What the tag stands for went meanwhile.
            Ok(None) => return Ok(ImageState::Missing),
            Err(why) => (None, Some(why)),
        };
        let fetched =
            if record.digest.as_ref() == Some(&tagged.digest) { record.architectures } else { BTreeSet::new() };
        let (complete, unseen) = match &architectures {
            None => (fetched, unseen),
            Some(architectures) => self.complete(architectures, fetched).await?,
        };
        let expires = match self.expires(pinned).await? {
            Ok(expires) => expires,
            Err(why) => return Ok(ImageState::Refused(why)),
        };
        let now = self.images.clock.now();
        let since = |then: u64| now.saturating_sub(then);
        // While upstream is out of reach, not every family has to find that out anew.
        let failed = record.failed_at.is_some_and(|then| since(then) < PAUSE);
        let looked_up = record.checked_at.max(tagged.pushed_at).filter(|_| !failed);
        Ok(ImageState::Present(StoredImage {
            digest: tagged.digest.clone(),
            offered: architectures.map(|architectures| architectures.into_keys().collect()),
            complete,
            unseen,
            age_hours: looked_up.map(|then| since(then) / 3600),
            expires,
        }))
    }

    async fn record(&self) -> Result<ImageRecord, Error> {
        self.images.ledger.image(&record_id(&self.images.place.registry, self.repository, self.tag)).await
    }

    /// The architectures of an image. `None`: it is not there any more.
    async fn architectures(&self, digest: &ImageDigest) -> Result<Seen<Option<Architectures>>, Error> {
        let text = match self.images.ecr.manifests(self.repository, &[digest]).await? {
            Ok(mut found) => match found.remove(digest) {
                Some(text) => text,
                None => return Ok(Ok(None)),
            },
            Err(why) => return Ok(Err(why)),
        };
        match Tagged::read(text.as_bytes()) {
            Err(why) => Ok(Err(format!("the manifest {digest} cannot be read: {why}"))),
            Ok(Tagged::Single(parts)) => Ok(self.single(digest, parts).await?.map(Some)),
            Ok(Tagged::Index(children)) => Ok(self.children(&children).await?.map(Some)),
        }
    }

    async fn children(&self, children: &BTreeMap<Architecture, ImageDigest>) -> Result<Seen<Architectures>, Error> {
        if children.is_empty() {
            return Ok(Ok(Architectures::new()));
        }
        let digests: Vec<&ImageDigest> = children.values().collect();
        let manifests = match self.images.ecr.manifests(self.repository, &digests).await? {
            Ok(manifests) => manifests,
            Err(why) => return Ok(Err(why)),
        };
        let mut found = Architectures::new();
        for (architecture, digest) in children {
            let parts = match manifests.get(digest).map(|text| Parts::read(text.as_bytes())) {
                Some(Err(why)) => return Ok(Err(format!("the manifest {digest} cannot be read: {why}"))),
                Some(Ok(parts)) => Some(parts),
                None => None,
            };
            found.insert(*architecture, parts);
        }
        Ok(Ok(found))
    }

    /// An image for one architecture, which only its configuration names.
    async fn single(&self, digest: &ImageDigest, parts: Parts) -> Result<Seen<Architectures>, Error> {
        let image = PrivateImage {
            registry: self.images.place.registry.clone(),
            region: self.images.place.region.clone(),
            repository: self.repository.to_owned(),
            version: Version::Digest(digest.clone()),
        };
        let login = match self.images.ecr.log_in().await {
            Ok(login) => login,
            Err(error) if error.is_retryable() => return Err(error),
            Err(error) => return Ok(Err(crate::error::Chain(&error).to_string())),
        };
        let own = self.images.place.registry == self.images.place.account;
        let config = match Registry::new(&login, own, &image) {
            Ok(registry) => registry.small(&parts.config).await,
            Err(error) => Err(error),
        };
        Ok(match config.map(|config| architecture_of(&config)) {
            Ok(Ok(Some(architecture))) => Ok(Architectures::from([(architecture, Some(parts))])),
            Ok(Ok(None)) => Ok(Architectures::new()),
            Ok(Err(why)) => Err(format!("the configuration {} cannot be read: {why}", parts.config)),
            Err(error) => Err(format!("the configuration {} cannot be pulled: {error}", parts.config)),
        })
    }

    /// The architectures of which all layers are there: because ECR says so, or because they came by a fetch of ours.
    /// (That ECR knows cached layers under this call is its documented meaning and nobody's promise.) And why ECR would
    /// not say.
    async fn complete(
        &self,
        architectures: &Architectures,
        fetched: BTreeSet<Architecture>,
    ) -> Result<(BTreeSet<Architecture>, Option<String>), Error> {
        let there = || architectures.iter().filter_map(|(of, parts)| Some((of, parts.as_ref()?)));
        let unsure = there().filter(|(of, _)| !fetched.contains(of));
        let layers: BTreeSet<ImageDigest> = unsure.flat_map(|(_, parts)| parts.blobs()).cloned().collect();
        if layers.is_empty() {
            return Ok((fetched, None));
        }
        let missing = match self.images.ecr.missing_layers(self.repository, &layers).await? {
            Ok(missing) => missing,
            Err(why) => return Ok((fetched, Some(why))),
        };
        let whole = |parts: &Parts| parts.blobs().iter().all(|blob| !missing.contains(*blob));
        let complete = there().filter(|(of, parts)| fetched.contains(of) || whole(parts)).map(|(of, _)| *of).collect();
        Ok((complete, None))
    }

    async fn expires(&self, pinned: bool) -> Result<Seen<Option<String>>, Error> {
        if !pinned {
            return Ok(Ok(None));
        }
        let policy = self.images.ecr.lifecycle_policy(self.repository).await?;
        Ok(policy.map(|text| text.and_then(|text| lifecycle::expires(&text, self.tag))))
    }
}
