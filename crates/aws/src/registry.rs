//! A registry's HTTP API: pulling, as a container runtime does, without keeping anything.
//!
//! Knows: what the registry's answers mean. Must not know: what the image is for.
//!
//! A pull by tag is what makes ECR fetch an image from upstream. Layers are streamed through their checksum and thrown
//! away, so that an image of any size takes the memory of a few network buffers.

use crate::ecr::Login;
use ecs_sidecar_core::ids::ImageDigest;
use ecs_sidecar_core::image::PrivateImage;
use ecs_sidecar_core::manifest;
use futures_util::TryStreamExt as _;
use oci_client::Reference;
use oci_client::client::{ClientConfig, ClientProtocol};
use oci_client::errors::{DigestError, OciDistributionError, OciErrorCode};
use oci_client::secrets::RegistryAuth;
use std::error::Error as StdError;
use std::time::Duration;

/// How long a connection may take to come about.
const CONNECT: Duration = Duration::from_secs(5);

/// How long a stream may stand still. A cache that first asks upstream needs some time for its first byte.
const STALL: Duration = Duration::from_secs(20);

/// More than the configuration of any image has.
const LARGEST_CONFIG: usize = 4 * 1024 * 1024;

/// A registry that we are logged in to, and one repository of it.
pub(crate) struct Registry {
    client: oci_client::Client,
    auth: RegistryAuth,
    host: String,
    repository: String,
}

/// How many characters of a registry's words are told: some answer a whole page.
const LONGEST_WORDS: usize = 400;

/// Why something could not be pulled.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum PullError {
    /// The token does not hold.
    #[error("the registry does not take the login")]
    LoginExpired,
    /// The registry was asked too often.
    #[error("the registry was asked too often")]
    Throttled,
    /// It has no such thing, or will not say; its words.
    #[error("the registry has no such thing: {0}")]
    NotFound(String),
    /// It forbids the pull; its words. ECR says so too when a token has expired.
    #[error("the registry forbids it: {0}")]
    Denied(String),
    /// Its answer is none that a registry gives; its words.
    #[error("the registry refuses: {0}")]
    Refused(String),
    /// What came is not what its digest says.
    #[error("what came is corrupt: {0}")]
    Corrupt(String),
    /// It was not reached, did not answer, failed itself, or stopped in the middle.
    #[error("the registry is not reached, or stopped in the middle: {0}")]
    Unavailable(String),
}

impl Registry {
    /// The repository of an image. A registry of our own is found where ECR says that it is, another's by its name.
    pub(crate) fn new(login: &Login, own: bool, image: &PrivateImage) -> Result<Self, PullError> {
        // One TLS for the whole program. Whoever comes second finds it installed.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let (scheme, host) = login.endpoint.split_once("://").unwrap_or(("https", &login.endpoint));
        let host = if own { host.trim_end_matches('/').to_owned() } else { image.host() };
        // A login leaves this machine encrypted only, whatever an endpoint says.
        let here = ["127.0.0.1:", "localhost:"].iter().any(|name| host.starts_with(name));
        let protocol = if here && scheme == "http" { ClientProtocol::Http } else { ClientProtocol::Https };
        let config = ClientConfig {
            protocol,
            connect_timeout: Some(CONNECT),
            read_timeout: Some(STALL),
            user_agent: concat!("ecs-sidecar/", env!("CARGO_PKG_VERSION")),
            ..ClientConfig::default()
        };
        let client = oci_client::Client::try_from(config).map_err(|error| PullError::of(&error))?;
        let auth = RegistryAuth::Basic(login.user.clone(), login.password.clone());
        Ok(Self { client, auth, host, repository: image.repository.clone() })
    }

    /// What a tag stands for: the bytes, and their digest.
    pub(crate) async fn by_tag(&self, tag: &str) -> Result<(Vec<u8>, ImageDigest), PullError> {
        let reference = Reference::with_tag(self.host.clone(), self.repository.clone(), tag.to_owned());
        let (bytes, digest) = self.manifest(&reference).await?;
        let digest =
            digest.parse().map_err(|_| PullError::Refused(format!("the registry names {digest} as a digest")))?;
        Ok((bytes, digest))
    }

    /// The manifest with that digest.
    pub(crate) async fn by_digest(&self, digest: &ImageDigest) -> Result<Vec<u8>, PullError> {
        Ok(self.manifest(&self.reference(digest)).await?.0)
    }

    async fn manifest(&self, reference: &Reference) -> Result<(Vec<u8>, String), PullError> {
        let pulled = self.client.pull_manifest_raw(reference, &self.auth, &manifest::ACCEPTED).await;
        let (bytes, digest) = pulled.map_err(|error| PullError::of(&error))?;
        Ok((bytes.to_vec(), digest))
    }

    /// Pulls a blob and throws it away.
    ///
    /// Guarantees: a success means that all of it came, and that it is what its digest says. Never more of it is held
    /// than a network buffer.
    pub(crate) async fn drain(&self, digest: &ImageDigest) -> Result<(), PullError> {
        self.stream(digest, |_| Ok(())).await
    }

    /// A small blob, as an image's configuration is.
    pub(crate) async fn small(&self, digest: &ImageDigest) -> Result<Vec<u8>, PullError> {
        let mut kept = Vec::new();
        let keep = |chunk: &[u8]| {
            if kept.len() + chunk.len() > LARGEST_CONFIG {
                return Err(PullError::Refused(format!("{digest} is larger than any image's configuration")));
            }
            kept.extend_from_slice(chunk);
            Ok(())
        };
        self.stream(digest, keep).await?;
        Ok(kept)
    }

    async fn stream(
        &self,
        digest: &ImageDigest,
        mut each: impl FnMut(&[u8]) -> Result<(), PullError>,
    ) -> Result<(), PullError> {
        self.client.store_auth_if_needed(&self.host, &self.auth).await;
        // By its digest alone: a manifest may name other addresses for a layer, and nobody shall lead us there.
        let pulled = self.client.pull_blob_stream(&self.reference(digest), digest.as_str()).await;
        let mut stream = pulled.map_err(|error| PullError::of(&error))?.stream;
        while let Some(chunk) = stream.try_next().await.map_err(|error| PullError::of_stream(&error))? {
            each(&chunk)?;
        }
        Ok(())
    }

    fn reference(&self, digest: &ImageDigest) -> Reference {
        Reference::with_digest(self.host.clone(), self.repository.clone(), digest.to_string())
    }
}

impl PullError {
    #[expect(clippy::wildcard_enum_match_arm, reason = "the library's errors; what is new there is a refusal")]
    fn of(error: &OciDistributionError) -> Self {
        let words = || chain(error);
        match error {
            OciDistributionError::UnauthorizedError { .. } => Self::LoginExpired,
            OciDistributionError::DigestError(_) => Self::Corrupt(words()),
            OciDistributionError::ServerError { code, message, .. } => match code {
                401 => Self::LoginExpired,
                429 => Self::Throttled,
                403 => Self::Denied(tellable(message)),
                404 => Self::NotFound(tellable(message)),
                400..=499 => Self::Refused(words()),
                _ => Self::Unavailable(words()),
            },
            OciDistributionError::RegistryError { envelope, .. } => {
                let has = |codes: &[OciErrorCode]| envelope.errors.iter().any(|error| codes.contains(&error.code));
                if has(&[OciErrorCode::Toomanyrequests]) {
                    Self::Throttled
                } else if has(&[OciErrorCode::Unauthorized]) {
                    Self::LoginExpired
                } else if has(&[OciErrorCode::Denied]) {
                    Self::Denied(tellable(&envelope.to_string()))
                } else if has(&[
                    OciErrorCode::ManifestUnknown,
                    OciErrorCode::NameUnknown,
                    OciErrorCode::NotFound,
                    OciErrorCode::BlobUnknown,
                    OciErrorCode::ManifestBlobUnknown,
                ]) {
                    Self::NotFound(tellable(&envelope.to_string()))
                } else {
                    Self::Refused(words())
                }
            }
            OciDistributionError::RequestError(_) | OciDistributionError::IoError(_) => Self::Unavailable(words()),
            _ => Self::Refused(words()),
        }
    }

    /// A stream's failure: the checksum at its end, or the network.
    fn of_stream(error: &std::io::Error) -> Self {
        let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<DigestError>());
        if inner.is_some() { Self::Corrupt(chain(error)) } else { Self::Unavailable(chain(error)) }
    }

    /// What kind of failure it is, for logs.
    pub(crate) fn label(&self) -> &'static str {
        match self {
            Self::LoginExpired => "loginExpired",
            Self::Throttled => "throttled",
            Self::NotFound(_) => "notFound",
            Self::Denied(_) => "denied",
            Self::Refused(_) => "refused",
            Self::Corrupt(_) => "corrupt",
            Self::Unavailable(_) => "unavailable",
        }
    }

    /// Whether the very same pull may succeed a moment later.
    pub(crate) fn may_pass(&self) -> bool {
        match self {
            Self::LoginExpired | Self::Throttled | Self::Corrupt(_) | Self::Unavailable(_) => true,
            Self::NotFound(_) | Self::Denied(_) | Self::Refused(_) => false,
        }
    }
}

fn chain(error: &(dyn StdError + 'static)) -> String {
    tellable(&crate::error::Chain(error).to_string())
}

/// What of a registry's words is told: their beginning, and no address's query. ECR leads to its layers by addresses
/// that are signed in their query, and whoever reads one can use it.
fn tellable(words: &str) -> String {
    let mut told = String::new();
    let mut rest = words;
    while let Some(at) = rest.find('?') {
        told.push_str(&rest[..at]);
        let after = &rest[at..];
        rest = after.find(|end: char| end.is_whitespace() || "),\"'".contains(end)).map_or("", |end| &after[end..]);
    }
    told.push_str(rest);
    match told.char_indices().nth(LONGEST_WORDS) {
        Some((end, _)) => format!("{}...", &told[..end]),
        None => told,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signed_addresses_are_not_told() {
        let words = "error for url (https://layers.example/sha256:ab?X-Amz-Signature=beef&X=1): timed out, why?";
        assert_eq!(tellable(words), "error for url (https://layers.example/sha256:ab): timed out, why");
        let page = "x".repeat(3000);
        assert_eq!(tellable(&page).len(), LONGEST_WORDS + 3);
    }

    #[test]
    fn codes_say_whether_the_same_pull_may_pass() {
        let server = |code| {
            PullError::of(&OciDistributionError::ServerError {
                code,
                url: "https://r/v2/x?token=1".to_owned(),
                message: "no".to_owned(),
            })
        };
        assert_eq!(server(401), PullError::LoginExpired);
        assert_eq!(server(429), PullError::Throttled);
        assert_eq!(server(404), PullError::NotFound("no".to_owned()));
        assert!(server(503).may_pass() && !server(403).may_pass());
        assert!(!format!("{:?}", server(503)).contains("token"));
    }
}
