//! The real transport against a server that misbehaves.

use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use crate::client::{ReqwestTransport, SendLimits, Transport as _, TransportErrorKind};
use crate::spec::Timeouts;
use lakefeed_model::environment::Environment;

/// Serves `answer` to every connection, then closes it; waits `pause` before.
async fn serve(answer: &'static str, pause: Duration) -> String {
    serve_by(move |_| answer.as_bytes().to_vec(), pause).await
}

/// Answers each request, given its head and body as far as they came in one piece.
async fn serve_by(answer: impl Fn(&str) -> Vec<u8> + Send + Sync + Clone + 'static, pause: Duration) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let answer = answer.clone();
            tokio::spawn(async move {
                let mut request = [0; 4_096];
                let length = stream.read(&mut request).await.unwrap_or(0);
                let answer = answer(&String::from_utf8_lossy(&request[..length]));
                lakefeed_model::clock::Clock::sleep(&lakefeed_model::clock::SystemClock::new(), pause).await;
                drop(stream.write_all(&answer).await);
                drop(stream.shutdown().await);
            });
        }
    });
    url
}

async fn send(url: &str) -> Result<http::Response<Bytes>, (TransportErrorKind, String)> {
    send_request(http::Request::get(url).body(Bytes::new()).unwrap()).await
}

async fn send_request(request: http::Request<Bytes>) -> Result<http::Response<Bytes>, (TransportErrorKind, String)> {
    send_in(&Environment::empty(), request).await
}

async fn send_in(
    environment: &Environment,
    request: http::Request<Bytes>,
) -> Result<http::Response<Bytes>, (TransportErrorKind, String)> {
    let limits = SendLimits {
        timeouts: Timeouts {
            connect: Duration::from_secs(2),
            read: Duration::from_millis(300),
            total: Duration::from_secs(3),
        },
        body_bytes_max: 1_000,
    };
    let transport = ReqwestTransport::new(environment);
    transport.send(request, limits).await.map_err(|error| (error.kind, error.to_string()))
}

#[tokio::test]
async fn the_proxies_of_the_environment_that_is_passed_in_are_used() {
    let proxy = serve("HTTP/1.1 418 Teapot\r\ncontent-length: 0\r\n\r\n", Duration::ZERO).await;
    let status = |variables: Vec<(&'static str, String)>| async move {
        let request = http::Request::get("http://api.invalid/x").body(Bytes::new()).unwrap();
        let answer = send_in(&variables.into_iter().collect(), request).await;
        answer.map(|answer| answer.status().as_u16()).map_err(|(kind, _)| kind)
    };
    let teapot = Ok(418);
    assert_eq!(status(vec![("HTTP_PROXY", proxy.clone())]).await, teapot);
    assert_eq!(status(vec![("all_proxy", proxy.clone())]).await, teapot);
    let none = Err(TransportErrorKind::Connect);
    assert_eq!(status(vec![("https_proxy", proxy.clone())]).await, none);
    assert_eq!(status(vec![("HTTP_PROXY", proxy.clone()), ("NO_PROXY", ".invalid".to_owned())]).await, none);
    assert_eq!(status(vec![("HTTP_PROXY", proxy), ("REQUEST_METHOD", "GET".to_owned())]).await, none);
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

/// `{"items":[]}`, compressed.
const SMALL_GZIP: &[u8] =
    b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\x03\xab\x56\xca\x2c\x49\xcd\x2d\x56\xb2\x8a\x8e\xad\x05\x00\x1d\
    \x1f\x43\xea\x0c\x00\x00\x00";

/// 100,000 times `x`, compressed.
const LARGE_GZIP: &[u8] =
    b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\x03\xed\xc1\x31\x01\x00\x00\x00\xc2\xa0\xda\x8b\x6f\x0d\x0f\xa0\
    \x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\
    \x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\
    \x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\
    \x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x80\x57\x03\x71\
    \x11\x07\xfe\xa0\x86\x01\x00";

/// `{"items":[]}` with Brotli (RFC 7932).
const SMALL_BROTLI: &[u8] = b"\x8b\x05\x80\x7b\x22\x69\x74\x65\x6d\x73\x22\x3a\x5b\x5d\x7d\x03";

/// A mebibyte of spaces with Brotli.
const LARGE_BROTLI: &[u8] = b"\x5b\xff\xff\x8f\x5f\x02\x24\x1e\x0b\x04\x72\xef\x1f\x00";

/// `{"items":[]}` with deflate, as HTTP means it (RFC 9110 §8.4.1.2).
const SMALL_DEFLATE: &[u8] = b"\x78\x9c\xab\x56\xca\x2c\x49\xcd\x2d\x56\xb2\x8a\x8e\xad\x05\x00\x1c\x23\x04\x51";

fn gzipped(body: &[u8], announced: usize) -> Vec<u8> {
    encoded("gzip", body, announced)
}

fn encoded(encoding: &str, body: &[u8], announced: usize) -> Vec<u8> {
    let head = format!("HTTP/1.1 200 OK\r\ncontent-encoding: {encoding}\r\ncontent-length: {announced}\r\n\r\n");
    [head.as_bytes(), body].concat()
}

#[tokio::test]
async fn every_encoding_is_read_within_the_bound() {
    let zstd = |body: &[u8]| zstd::bulk::compress(body, 3).unwrap();
    let small = br#"{"items":[]}"#;
    for (encoding, body) in [("br", SMALL_BROTLI.to_vec()), ("deflate", SMALL_DEFLATE.to_vec()), ("zstd", zstd(small))]
    {
        let url = serve_by(move |_| encoded(encoding, &body, body.len()), Duration::ZERO).await;
        assert_eq!(send(&url).await.unwrap().body(), r#"{"items":[]}"#, "{encoding}");
    }
    for (encoding, body) in [("br", LARGE_BROTLI.to_vec()), ("zstd", zstd(&b" ".repeat(1 << 20)))] {
        assert!(body.len() < 1_000);
        let bomb = serve_by(move |_| encoded(encoding, &body, body.len()), Duration::ZERO).await;
        assert_eq!(send(&bomb).await.unwrap_err().0, TransportErrorKind::BodyTooLarge, "{encoding}");
    }
}

#[tokio::test]
async fn a_compressed_body_is_read_and_its_bound_holds_for_what_it_grows_to() {
    let small = serve_by(|_| gzipped(SMALL_GZIP, SMALL_GZIP.len()), Duration::ZERO).await;
    assert_eq!(send(&small).await.unwrap().body(), r#"{"items":[]}"#);
    assert!(LARGE_GZIP.len() < 1_000);
    let bomb = serve_by(|_| gzipped(LARGE_GZIP, LARGE_GZIP.len()), Duration::ZERO).await;
    assert_eq!(send(&bomb).await.unwrap_err().0, TransportErrorKind::BodyTooLarge);
    let cut = serve_by(|_| gzipped(&SMALL_GZIP[..20], SMALL_GZIP.len()), Duration::ZERO).await;
    assert_eq!(send(&cut).await.unwrap_err().0, TransportErrorKind::Truncated);
    // The transfer is whole, the compressed stream is not.
    let torn = serve_by(|_| gzipped(&SMALL_GZIP[..20], 20), Duration::ZERO).await;
    assert_eq!(send(&torn).await.unwrap_err().0, TransportErrorKind::Truncated);
}

#[tokio::test]
async fn an_announced_body_past_its_bound_is_not_waited_for() {
    let head = "HTTP/1.1 200 OK\r\ncontent-length: 1001\r\n\r\n";
    assert_eq!(kind(head).await, TransportErrorKind::BodyTooLarge);
}

#[tokio::test]
async fn a_redirect_within_the_origin_is_followed_with_headers_and_body() {
    let url = serve_by(
        |request| {
            let found = request.contains("GET /there?page=2 ") || request.contains("POST /there?page=2 ");
            if !found {
                return b"HTTP/1.1 307 Over There\r\nlocation: /there?page=2\r\ncontent-length: 0\r\n\r\n".to_vec();
            }
            let is_same =
                request.contains("authorization: Bearer t") && (request.starts_with("GET") || request.ends_with("hi"));
            format!("HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\n{}", if is_same { "same" } else { "lost" })
                .into_bytes()
        },
        Duration::ZERO,
    )
    .await;
    for method in ["GET", "POST"] {
        let body = if method == "GET" { Bytes::new() } else { Bytes::from_static(b"hi") };
        let request = http::Request::builder()
            .method(method)
            .uri(format!("{url}/here"))
            .header("authorization", "Bearer t")
            .body(body)
            .unwrap();
        assert_eq!(send_request(request).await.unwrap().body(), "same", "{method}");
    }
}

#[tokio::test]
async fn a_redirect_that_loops_or_would_lose_the_body_is_refused() {
    let around = "HTTP/1.1 302 Found\r\nlocation: /around\r\ncontent-length: 0\r\n\r\n";
    let url = serve(around, Duration::ZERO).await;
    let (kind, text) = send(&url).await.unwrap_err();
    assert_eq!((kind, text.as_str()), (TransportErrorKind::Redirect, "the API redirected more than 10 times"));
    let (kind, text) =
        send_request(http::Request::post(&url).body(Bytes::from_static(b"x")).unwrap()).await.unwrap_err();
    assert_eq!(kind, TransportErrorKind::Redirect);
    assert!(text.contains("a POST with 302"), "{text}");
}

#[tokio::test]
async fn a_redirect_without_a_target_is_the_answer() {
    let url = serve("HTTP/1.1 302 Found\r\ncontent-length: 0\r\n\r\n", Duration::ZERO).await;
    assert_eq!(send(&url).await.unwrap().status(), 302);
}

#[tokio::test]
async fn the_program_says_who_it_is_unless_the_pipeline_does() {
    let echo = |request: &str| {
        let agent = request.lines().find(|line| line.starts_with("user-agent")).unwrap_or("none").to_owned();
        format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{agent}", agent.len()).into_bytes()
    };
    let url = serve_by(echo, Duration::ZERO).await;
    let expected = concat!("user-agent: lakefeed/", env!("CARGO_PKG_VERSION"));
    assert_eq!(send(&url).await.unwrap().body(), expected);
    let request = http::Request::get(&url).header("user-agent", "mine").body(Bytes::new()).unwrap();
    assert_eq!(send_request(request).await.unwrap().body(), "user-agent: mine");
}
