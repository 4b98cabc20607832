//! The registry's HTTP API in front of a world's ECR, with its pull-through cache.
//!
//! Knows: what a pull does in ECR, as its guide has it: a pull by tag fills the cache through the rule that covers the
//! repository, a pull by digest of what is not cached finds nothing. Must not know: who pulls. What goes wrong is
//! [said](Registry::on_pull) by the test.

use crate::image::{digest_of, media_type};
use crate::world::clock::lock;
use crate::world::state::{CacheRule, Place, State};
use crate::{Image, World};
use bytes::Bytes;
use futures_util::stream;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full, StreamBody, combinators::BoxBody};
use hyper::body::{Frame, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use std::convert::Infallible;
use std::fmt;
use std::io;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// What a client wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pull {
    /// A manifest by its tag.
    Tag(String),
    /// A manifest by its digest.
    Manifest(String),
    /// A configuration or a layer.
    Blob(String),
}

/// What goes wrong with a pull.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mishap {
    /// It is answered with this status, and nothing is done.
    Status(u16),
    /// The connection breaks in the middle of the body.
    Cut,
    /// A byte of the body is another one.
    Corrupt,
    /// Nothing comes, ever.
    Hang,
}

type Hook = Box<dyn FnMut(&Pull) -> Option<Mishap> + Send>;
type Body = BoxBody<Bytes, io::Error>;

struct Shared {
    world: World,
    pulls: Mutex<Vec<Pull>>,
    hook: Mutex<Option<Hook>>,
}

/// A registry on the loopback interface, as long as it lives.
pub struct Registry {
    shared: Arc<Shared>,
    accepting: JoinHandle<Infallible>,
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Registry of {:?}", self.shared.world)
    }
}

impl Registry {
    /// Starts in front of a world, whose ECR says from now on that its registry is here.
    ///
    /// Must be called inside a tokio runtime, which has to go on running.
    pub async fn start(world: &World) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let url = format!("http://{}", listener.local_addr()?);
        world
            .write(|state| {
                state.registry_url = Some(url);
                Ok(())
            })
            .expect("nothing is refused");
        let shared = Arc::new(Shared { world: world.clone(), pulls: Mutex::default(), hook: Mutex::default() });
        let serving = shared.clone();
        let accepting = tokio::spawn(async move {
            loop {
                // A connection that failed before it was one is its sender's trouble.
                if let Ok((stream, _)) = listener.accept().await {
                    let shared = serving.clone();
                    let service = service_fn(move |request| answer(shared.clone(), request));
                    tokio::spawn(async move {
                        // An error here is a connection that one of the two sides closed on purpose.
                        let _closed = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
                    });
                }
            }
        });
        Ok(Self { shared, accepting })
    }

    /// Asks this for every pull from now on, before anything is done.
    pub fn on_pull(&self, hook: impl FnMut(&Pull) -> Option<Mishap> + Send + 'static) {
        *lock(&self.shared.hook) = Some(Box::new(hook));
    }

    /// No more mishaps.
    pub fn leave_pulls_alone(&self) {
        *lock(&self.shared.hook) = None;
    }

    /// The pulls since the last look.
    pub fn take_pulls(&self) -> Vec<Pull> {
        std::mem::take(&mut *lock(&self.shared.pulls))
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn answer(shared: Arc<Shared>, request: Request<Incoming>) -> Result<Response<Body>, io::Error> {
    let authorized =
        request.headers().get("authorization").and_then(|value| value.to_str().ok()).is_some_and(|given| {
            let login = format!("AWS:{}", shared.world.look(|state| state.registry_password()));
            given == format!("Basic {}", aws_smithy_types::base64::encode(login))
        });
    if !authorized {
        return Ok(failure(StatusCode::UNAUTHORIZED, "UNAUTHORIZED"));
    }
    let Some((repository, pull)) = asked(request.uri().path()) else {
        return Ok(failure(StatusCode::OK, "no error"));
    };
    lock(&shared.pulls).push(pull.clone());
    let mishap = lock(&shared.hook).as_mut().and_then(|hook| hook(&pull));
    if let Some(Mishap::Status(status)) = mishap {
        let code = match status {
            429 => "TOOMANYREQUESTS",
            // ECR's own answer to an expired token as well.
            403 => "DENIED",
            _ => "UNKNOWN",
        };
        return Ok(failure(StatusCode::from_u16(status).map_err(io::Error::other)?, code));
    }
    if mishap == Some(Mishap::Hang) {
        return std::future::pending().await;
    }
    // What breaks on its way does not get into the cache either.
    let keeps = mishap.is_none();
    match shared.world.pull(&repository, &pull, keeps) {
        Ok(bytes) => Ok(success(&pull, &bytes, mishap)),
        Err((status, code)) => Ok(failure(status, code)),
    }
}

/// The repository and the thing that a path names; `None` for the greeting at `/v2/`.
fn asked(path: &str) -> Option<(String, Pull)> {
    let path = path.strip_prefix("/v2/")?;
    if let Some((repository, digest)) = path.rsplit_once("/blobs/") {
        return Some((repository.to_owned(), Pull::Blob(digest.to_owned())));
    }
    let (repository, reference) = path.rsplit_once("/manifests/")?;
    let by_digest = reference.starts_with("sha256:");
    let pull = if by_digest { Pull::Manifest(reference.to_owned()) } else { Pull::Tag(reference.to_owned()) };
    Some((repository.to_owned(), pull))
}

fn failure(status: StatusCode, code: &str) -> Response<Body> {
    let body = format!("{{\"errors\":[{{\"code\":\"{code}\",\"message\":\"so says the test\"}}]}}");
    Response::builder()
        .status(status)
        .header("www-authenticate", "Basic realm=\"ecr\",service=\"ecr.amazonaws.com\"")
        .header("content-type", "application/json")
        .body(Full::new(Bytes::from(body)).map_err(|never| match never {}).boxed())
        .expect("the parts are plain ASCII")
}

fn success(pull: &Pull, bytes: &Bytes, mishap: Option<Mishap>) -> Response<Body> {
    let content_type = match pull {
        Pull::Blob(_) => "application/octet-stream",
        Pull::Tag(_) | Pull::Manifest(_) => media_type(bytes),
    };
    let mut sent = bytes.to_vec();
    if let (Some(Mishap::Corrupt), Some(first)) = (mishap, sent.first_mut()) {
        *first ^= 1;
    }
    let body = if mishap == Some(Mishap::Cut) {
        let half = Bytes::copy_from_slice(&sent[..sent.len() / 2]);
        let frames = [Ok(Frame::data(half)), Err(io::Error::from(io::ErrorKind::ConnectionReset))];
        StreamBody::new(stream::iter(frames)).boxed()
    } else {
        Full::new(Bytes::from(sent)).map_err(|never| match never {}).boxed()
    };
    Response::builder()
        .header("content-type", content_type)
        .header("content-length", bytes.len())
        .header("docker-content-digest", digest_of(bytes))
        .body(body)
        .expect("the parts are plain ASCII")
}

type Refused = (StatusCode, &'static str);

const UNKNOWN: Refused = (StatusCode::NOT_FOUND, "MANIFEST_UNKNOWN");

impl World {
    /// Pulls from a repository of this handle's registry. `keeps`: what comes from upstream is cached.
    fn pull(&self, repository: &str, pull: &Pull, keeps: bool) -> Result<Bytes, Refused> {
        let place = Place { account: self.account().to_owned(), region: self.region().to_owned() };
        let now = self.clock().since_epoch().as_secs();
        let mut answer = Err(UNKNOWN);
        self.write(|state| {
            let mut after = state.clone();
            answer = after.pull(&place, repository, pull, now);
            if keeps {
                *state = after;
            }
            Ok(())
        })
        .expect("nothing is refused");
        answer
    }
}

impl State {
    fn pull(&mut self, place: &Place, repository: &str, pull: &Pull, now: u64) -> Result<Bytes, Refused> {
        let upstream = self.upstream_of(place, repository);
        let reached = upstream.clone().filter(|_| !self.upstream_cut);
        let lag = self.image_lag;
        let images = reached.map(|(registry, path)| self.published(&registry, &path)).unwrap_or_default();
        let key = (place.clone(), repository.to_owned());
        let there = self.repositories.contains_key(&key);
        let found = |image: &(String, Arc<Image>)| match pull {
            Pull::Tag(tag) => image.0 == *tag,
            Pull::Manifest(digest) => image.1.manifests.contains_key(digest),
            Pull::Blob(digest) => image.1.blobs.contains_key(digest),
        };
        let source = images.iter().find(|image| found(image)).map(|(_, image)| image.clone());
        let cut = upstream.is_some() && self.upstream_cut;
        let missing = if cut { (StatusCode::INTERNAL_SERVER_ERROR, "UNKNOWN") } else { UNKNOWN };
        if !there && (source.is_none() || !matches!(pull, Pull::Tag(_))) {
            return Err(missing);
        }
        let stored = Arc::make_mut(self.repositories.entry(key).or_default());
        match pull {
            Pull::Tag(tag) => {
                if let Some(image) = source {
                    stored.tags.insert(tag.clone(), image.digest.clone());
                    stored.manifests.insert(image.digest.clone(), image.manifests[&image.digest].clone());
                    stored.pushed_at = now;
                    stored.shown_from = now + lag;
                }
                let digest = stored.tags.get(tag).ok_or(missing)?;
                stored.manifests.get(digest).cloned().ok_or(missing)
            }
            // Only what a cached index names is fetched by its digest.
            Pull::Manifest(digest) => {
                let named = stored.manifests.values().any(|text| names(text, digest));
                let more = source.filter(|_| named).map(|image| image.manifests[digest].clone());
                stored
                    .manifests
                    .get(digest)
                    .cloned()
                    .or_else(|| keep(&mut stored.manifests, digest, more))
                    .ok_or(missing)
            }
            Pull::Blob(digest) => {
                let more = source.map(|image| image.blobs[digest].clone());
                stored.blobs.get(digest).cloned().or_else(|| keep(&mut stored.blobs, digest, more)).ok_or(missing)
            }
        }
    }

    /// The registry and the path that a repository stands for, by the longest rule that covers it.
    fn upstream_of(&self, place: &Place, repository: &str) -> Option<(String, String)> {
        let rest = |rule: &CacheRule| match rule.prefix.as_str() {
            "ROOT" => Some(repository.to_owned()),
            prefix => Some(repository.strip_prefix(prefix)?.strip_prefix('/')?.to_owned()),
        };
        let rules = self.cache_rules.get(place).into_iter().flatten();
        let covering = rules.filter_map(|rule| Some((rule, rest(rule)?)));
        let (rule, rest) =
            covering.max_by_key(|(rule, _)| if rule.prefix == "ROOT" { 0 } else { rule.prefix.len() })?;
        let path = rule.upstream_prefix.as_ref().map_or(rest.clone(), |prefix| format!("{prefix}/{rest}"));
        Some((rule.upstream.clone(), path))
    }

    /// Images of an upstream repository, with their tags.
    fn published(&self, registry: &str, path: &str) -> Vec<(String, Arc<Image>)> {
        let here = self.upstream.iter().filter(|((of, repository, _), _)| of == registry && repository == path);
        here.map(|((_, _, tag), image)| (tag.clone(), image.clone())).collect()
    }
}

fn names(text: &Bytes, digest: &str) -> bool {
    text.windows(digest.len()).any(|part| part == digest.as_bytes())
}

fn keep(store: &mut std::collections::BTreeMap<String, Bytes>, digest: &str, bytes: Option<Bytes>) -> Option<Bytes> {
    let bytes = bytes?;
    store.insert(digest.to_owned(), bytes.clone());
    Some(bytes)
}
