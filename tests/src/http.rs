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
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// A server of a world, as long as it lives. It listens on the loopback interface only: it has no secrets to keep.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    accepting: JoinHandle<Infallible>,
}

impl Server {
    /// Starts on a port, or on any free one if it is 0.
    ///
    /// Must be called inside a tokio runtime, which has to go on running.
    pub async fn start(world: World, port: u16) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
        let address = listener.local_addr()?;
        let accepting = tokio::spawn(async move {
            loop {
                // A connection that failed before it was one is its sender's trouble.
                if let Ok((stream, _)) = listener.accept().await {
                    tokio::spawn(serve(stream, world.clone()));
                }
            }
        });
        Ok(Self { address, accepting })
    }

    /// Where it answers: what to put into `AWS_ENDPOINT_URL`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn serve(stream: TcpStream, world: World) {
    let service = service_fn(move |request| answer(world.clone(), request));
    // An error here is a connection that one of the two sides closed on purpose.
    let _closed = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}

/// An error closes the connection without an answer.
async fn answer(world: World, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, io::Error> {
    let (parts, body) = request.into_parts();
    let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
    match world.handle(&Request::from_parts(parts, body)) {
        Ok(response) => Ok(response.map(Full::new)),
        Err(NoAnswer::Dropped) => Err(io::ErrorKind::ConnectionAborted.into()),
        // The sender decides how long it waits.
        Err(NoAnswer::TimedOut) => std::future::pending().await,
    }
}
