//! One attempt: a message posted over HTTP/1.1 within a time limit, on a kept connection where there is one. And the
//! request that slows the server down.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Context;
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::header::{CONTENT_TYPE, HOST, RETRY_AFTER};
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use seawall::Outcome;
use tokio::net::TcpStream;

use crate::log::Ending;
use crate::message::Message;

/// A kept connection.
pub(crate) type Connection = SendRequest<Full<Bytes>>;

/// How an attempt ended.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reply {
    pub(crate) ending: Ending,
    /// The wait that a refusing server named.
    pub(crate) retry_after: Option<Duration>,
}

impl Reply {
    /// The same in the words of the guard.
    pub(crate) fn outcome(self) -> Outcome {
        match self.ending {
            Ending::Answered => Outcome::Success,
            Ending::Refused => Outcome::Throttled(self.retry_after),
            Ending::TimedOut | Ending::Failed => Outcome::Failure,
        }
    }
}

/// Posts `message`. A connection that can be used again comes back; after a time-out it is closed, as the late
/// answer would be taken for the next one's.
pub(crate) async fn post(
    server: SocketAddr,
    kept: Option<Connection>,
    message: &Message,
    limit: Duration,
) -> (Reply, Option<Connection>) {
    match tokio::time::timeout(limit, exchange(server, kept, message)).await {
        Ok(Ok((reply, connection))) => (reply, Some(connection)),
        Ok(Err(_)) => (Reply { ending: Ending::Failed, retry_after: None }, None),
        Err(_) => (Reply { ending: Ending::TimedOut, retry_after: None }, None),
    }
}

async fn exchange(
    server: SocketAddr,
    kept: Option<Connection>,
    message: &Message,
) -> anyhow::Result<(Reply, Connection)> {
    let body = serde_json::to_vec(message)?;
    let (response, connection) = send(server, kept, Method::POST, "/messages", body).await?;
    let ending = match response.status() {
        StatusCode::OK => Ending::Answered,
        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => Ending::Refused,
        _ => Ending::Failed,
    };
    let seconds = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.trim().parse().ok());
    response.into_body().collect().await?;
    Ok((Reply { ending, retry_after: seconds.map(Duration::from_secs) }, connection))
}

/// Makes the server work at `speed`, of full speed, from the next request on.
pub(crate) async fn put_speed(server: SocketAddr, speed: f64, limit: Duration) -> anyhow::Result<()> {
    let sent = send(server, None, Method::PUT, "/speed", serde_json::to_vec(&speed)?);
    let (response, _) = tokio::time::timeout(limit, sent).await.context("the server is not to be reached")??;
    anyhow::ensure!(response.status() == StatusCode::OK, "the server does not take the speed {speed}");
    Ok(())
}

async fn send(
    server: SocketAddr,
    kept: Option<Connection>,
    method: Method,
    path: &str,
    body: Vec<u8>,
) -> anyhow::Result<(Response<Incoming>, Connection)> {
    let mut connection = match kept.filter(|connection| !connection.is_closed()) {
        Some(connection) => connection,
        None => {
            let stream = TcpStream::connect(server).await?;
            stream.set_nodelay(true)?;
            let (connection, driver) = handshake(TokioIo::new(stream)).await?;
            // Its error reaches the caller through `connection`.
            tokio::spawn(async move { drop(driver.await) });
            connection
        }
    };
    connection.ready().await?;
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header(HOST, server.to_string())
        .header(CONTENT_TYPE, "application/json")
        .body(Full::new(Bytes::from(body)))?;
    Ok((connection.send_request(request).await?, connection))
}
