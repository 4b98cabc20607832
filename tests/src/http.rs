//! The face with a socket, for whatever speaks HTTP.
//!
//! Knows: HTTP/1.1 on the loopback interface. Must not know: what is in the requests.

use crate::World;
use crate::world::call::NoAnswer;
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use std::convert::Infallible;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

/// A server of a world, as long as it lives. It listens on the loopback interface only: it has no secrets to keep.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    accepting: JoinHandle<Infallible>,
    scheme: &'static str,
}

/// How a server answers.
#[derive(Clone, Default)]
pub struct Manner {
    /// With which certificate; `None`: in plain text.
    pub tls: Option<TlsAcceptor>,
    /// How long each answer takes beside the work.
    pub latency: Duration,
}

impl Server {
    /// Starts on a port, or on any free one if it is 0.
    ///
    /// Must be called inside a tokio runtime, which has to go on running.
    pub async fn start(world: World, port: u16) -> io::Result<Self> {
        Self::start_in_a_manner(world, port, Manner::default()).await
    }

    /// The same, with TLS or with answers that take their time.
    pub async fn start_in_a_manner(world: World, port: u16, manner: Manner) -> io::Result<Self> {
        let scheme = if manner.tls.is_some() { "https" } else { "http" };
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
        let address = listener.local_addr()?;
        let accepting = tokio::spawn(async move {
            loop {
                // A connection that failed before it was one is its sender's trouble.
                if let Ok((stream, _)) = listener.accept().await {
                    tokio::spawn(accept(stream, world.clone(), manner.clone()));
                }
            }
        });
        Ok(Self { address, accepting, scheme })
    }

    /// Where it answers: what to put into `AWS_ENDPOINT_URL`.
    pub fn url(&self) -> String {
        format!("{}://{}", self.scheme, self.address)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn accept(stream: TcpStream, world: World, manner: Manner) {
    // Without it, an answer's second half would wait for the acknowledgement of its first.
    let _best_effort = stream.set_nodelay(true);
    match manner.tls {
        Some(tls) => {
            // Whoever does not trust the certificate has gone by then.
            if let Ok(stream) = tls.accept(stream).await {
                serve(stream, world, manner.latency).await;
            }
        }
        None => serve(stream, world, manner.latency).await,
    }
}

async fn serve(stream: impl AsyncRead + AsyncWrite + Unpin, world: World, latency: Duration) {
    let service = service_fn(move |request| answer(world.clone(), request, latency));
    // An error here is a connection that one of the two sides closed on purpose.
    let _closed = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}

/// An error closes the connection without an answer.
async fn answer(
    world: World,
    request: Request<Incoming>,
    latency: Duration,
) -> Result<Response<Full<Bytes>>, io::Error> {
    let (parts, body) = request.into_parts();
    let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
    let answer = world.handle(&Request::from_parts(parts, body));
    if !latency.is_zero() {
        tokio::time::sleep(latency).await;
    }
    match answer {
        Ok(response) => Ok(response.map(Full::new)),
        Err(NoAnswer::Dropped) => Err(io::ErrorKind::ConnectionAborted.into()),
        // The sender decides how long it waits.
        Err(NoAnswer::TimedOut) => std::future::pending().await,
    }
}
