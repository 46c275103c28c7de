//! The real transport against a server that misbehaves.

use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use crate::client::{ReqwestTransport, SendLimits, Transport as _, TransportErrorKind};
use crate::spec::Timeouts;

/// Serves `answer` to every connection, then closes it; waits `pause` before.
async fn serve(answer: &'static str, pause: Duration) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut request = [0; 4_096];
                drop(stream.read(&mut request).await);
                crate::clock::Clock::sleep(&crate::clock::SystemClock::new(), pause).await;
                drop(stream.write_all(answer.as_bytes()).await);
                drop(stream.shutdown().await);
            });
        }
    });
    url
}

async fn send(url: &str) -> Result<http::Response<Bytes>, (TransportErrorKind, String)> {
    let limits = SendLimits {
        timeouts: Timeouts {
            connect: Duration::from_secs(2),
            read: Duration::from_millis(300),
            total: Duration::from_secs(3),
        },
        body_bytes_max: 1_000,
    };
    let request = http::Request::get(url).body(Bytes::new()).unwrap();
    let transport = ReqwestTransport::new().unwrap();
    transport.send(request, limits).await.map_err(|error| (error.kind, error.to_string()))
}

async fn kind(answer: &'static str) -> TransportErrorKind {
    let url = serve(answer, Duration::ZERO).await;
    let (kind, text) = send(&format!("{url}/x?api_key=hush")).await.unwrap_err();
    assert!(!text.contains("hush") && !text.contains("127.0.0.1"), "an error shows the URL: {text}");
    kind
}

#[tokio::test]
async fn a_whole_answer_is_returned_as_it_is() {
    let url = serve("HTTP/1.1 418 Teapot\r\nx-a: b\r\ncontent-length: 2\r\n\r\nhi", Duration::ZERO).await;
    let response = send(&url).await.unwrap();
    assert_eq!((response.status().as_u16(), response.body().as_ref()), (418, b"hi".as_slice()));
    assert_eq!(response.headers()["x-a"], "b");
}

#[tokio::test]
async fn each_misbehaviour_has_its_kind() {
    assert_eq!(kind("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf").await, TransportErrorKind::Truncated);
    let chunked = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n";
    assert_eq!(kind(chunked).await, TransportErrorKind::Truncated);
    assert_eq!(kind("").await, TransportErrorKind::Closed);
    let elsewhere = "HTTP/1.1 302 Found\r\nlocation: http://elsewhere.example/\r\ncontent-length: 0\r\n\r\n";
    assert_eq!(kind(elsewhere).await, TransportErrorKind::Redirect);
}

#[tokio::test]
async fn a_body_past_its_bound_is_not_read_to_its_end() {
    let url = serve("HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n", Duration::ZERO).await;
    assert!(send(&url).await.is_ok());
    let large: &'static str =
        Box::leak(format!("HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n{}", "x".repeat(5_000)).into_boxed_str());
    assert_eq!(kind(large).await, TransportErrorKind::BodyTooLarge);
}

#[tokio::test]
async fn a_slow_answer_and_no_server_at_all_are_told_apart() {
    let url = serve("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", Duration::from_secs(2)).await;
    assert_eq!(send(&url).await.unwrap_err().0, TransportErrorKind::Timeout);
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    assert_eq!(send(&format!("http://{closed}")).await.unwrap_err().0, TransportErrorKind::Connect);
}
