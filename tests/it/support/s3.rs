//! A real S3-protocol server (moto) on loopback, started by the test and gone with it.

use object_store::aws::{AmazonS3, AmazonS3Builder};

use super::python_server::PythonServer;

/// A server with an empty bucket named `lake`.
pub struct S3Server {
    pub endpoint: String,
    _server: PythonServer,
}

impl S3Server {
    pub fn start() -> Self {
        let server = PythonServer::start("s3_server.py");
        Self { endpoint: server.url.clone(), _server: server }
    }

    /// The environment that any S3 client understands.
    pub fn environment(&self) -> Vec<(String, String)> {
        environment_of(&self.endpoint)
    }

    /// The bucket, as this process sees it.
    pub fn store(&self) -> AmazonS3 {
        AmazonS3Builder::new()
            .with_endpoint(&self.endpoint)
            .with_allow_http(true)
            .with_bucket_name("lake")
            .with_region("us-east-1")
            .with_access_key_id("AKLAKE")
            .with_secret_access_key("SKLAKE")
            .build()
            .unwrap()
    }
}

pub fn environment_of(endpoint: &str) -> Vec<(String, String)> {
    [
        ("AWS_ENDPOINT_URL", endpoint),
        ("AWS_ACCESS_KEY_ID", "AKLAKE"),
        ("AWS_SECRET_ACCESS_KEY", "SKLAKE"),
        ("AWS_REGION", "us-east-1"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .to_vec()
}

/// A proxy before an S3-protocol server that forgets the condition of every request: the fault that
/// stores such as garage have, on demand. Returns its URL; it lives as long as the test's runtime.
pub async fn forgetful_proxy(endpoint: &str) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let endpoint = endpoint.to_owned();
    let client = reqwest::Client::new();
    let app = axum::Router::new().fallback(move |request: axum::extract::Request| {
        let (client, endpoint) = (client.clone(), endpoint.clone());
        async move { forward(&client, &endpoint, request).await }
    });
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    url
}

async fn forward(
    client: &reqwest::Client,
    endpoint: &str,
    request: axum::extract::Request,
) -> axum::response::Response<axum::body::Body> {
    let (mut parts, body) = request.into_parts();
    parts.headers.remove("if-none-match");
    parts.headers.remove("host");
    parts.headers.remove("content-length");
    let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
    let url = format!("{endpoint}{}", parts.uri.path_and_query().map_or("/", |path| path.as_str()));
    let answer = client.request(parts.method, url).headers(parts.headers).body(body).send().await.unwrap();
    let mut response = axum::response::Response::builder().status(answer.status());
    for (name, value) in answer.headers() {
        if name != "transfer-encoding" && name != "content-length" {
            response = response.header(name, value);
        }
    }
    response.body(axum::body::Body::from(answer.bytes().await.unwrap())).unwrap()
}

/// A server that answers every request with this body. Returns its URL; it lives as long as the
/// test's runtime.
pub async fn answering(body: axum::body::Bytes) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let app = axum::Router::new().fallback(move || async move { body });
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    url
}
