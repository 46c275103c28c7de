//! The same job on a real S3-protocol server; stores that lie about conditions.

use crate::support::s3::{S3Server, answering, environment_of, forgetful_proxy};
use crate::support::{Stage, assert_same, read_table, rows_in};

const DESTINATION: &str = "s3://lake/daily";

async fn run_on_s3(stage: &Stage, environment: &[(String, String)]) -> crate::support::Ran {
    let pipeline = stage.pipeline();
    let arguments = ["run", pipeline.to_str().unwrap(), "--destination", DESTINATION, "--output", "json"];
    stage.lakefeed_with(&arguments, environment).await
}

#[tokio::test(flavor = "multi_thread")]
async fn on_s3_every_reader_sees_what_the_api_holds() {
    let server = S3Server::start();
    let stage = Stage::with_events(700).await;
    let ran = run_on_s3(&stage, &server.environment()).await;
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(ran.resource()["rows"]["inserted"], 700);

    let again = run_on_s3(&stage, &server.environment()).await;
    assert_eq!(again.resource()["rows"]["unchanged"], 700, "{again:?}");
    assert_eq!(again.resource()["files"].as_array().unwrap().len(), 0);

    let changes = stage.api.advance();
    let changed = run_on_s3(&stage, &server.environment()).await;
    assert_eq!(changed.resource()["rows"]["moved"], changes.moved, "{changed:?}");
    let truth = stage.truth().await;
    let readings = read_table(&format!("{DESTINATION}/calendar_events"), &server.environment()).await;
    for (engine, rows) in &readings.rows {
        assert_same(engine, rows, &truth);
    }
    let shown = ["table", "show", DESTINATION, "calendar_events", "--limit", "2"];
    let shown = stage.lakefeed_with(&shown, &server.environment()).await;
    assert_eq!(shown.code, 0, "{shown:?}");
    assert!(shown.stdout.contains("summary"), "{shown:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_runs_at_once_one_gives_way_and_the_lake_is_right() {
    let server = S3Server::start();
    let stage = Stage::with_events(300).await;
    let environment = server.environment();
    let (one, other) = tokio::join!(run_on_s3(&stage, &environment), run_on_s3(&stage, &environment));
    let mut codes = [one.code, other.code];
    codes.sort_unstable();
    assert!(codes == [0, 8] || codes == [0, 0], "{one:?}\n{other:?}");
    for ran in [&one, &other] {
        if ran.code == 8 {
            assert!(ran.stderr.contains("held by run"), "{ran:?}");
        }
    }
    let rows = rows_in(&server, "daily/calendar_events").await;
    assert_same("the lake after a race", &rows, &stage.truth().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_ignores_conditions_is_refused() {
    let server = S3Server::start();
    let stage = Stage::with_events(50).await;
    let liar = forgetful_proxy(&server.endpoint).await;
    let ran = run_on_s3(&stage, &environment_of(&liar)).await;
    assert_eq!(ran.code, 7, "{ran:?}");
    assert!(ran.stderr.contains("If-None-Match"), "{ran:?}");
    assert!(rows_in(&server, "daily/calendar_events").await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn s3_troubles_are_named() {
    let server = S3Server::start();
    let stage = Stage::with_events(5).await;
    let pipeline = stage.pipeline();
    let run = |destination: &'static str| {
        ["run", pipeline.to_str().unwrap(), "--destination", destination].map(str::to_owned)
    };
    let start = |arguments: [String; 4], environment: Vec<(String, String)>| {
        let stage = &stage;
        async move {
            let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
            stage.lakefeed_with(&arguments, &environment).await
        }
    };
    let no_bucket = start(run("s3://nowhere/lake"), server.environment()).await;
    assert_eq!(no_bucket.code, 7, "{no_bucket:?}");
    assert!(no_bucket.stderr.contains("nowhere"), "{no_bucket:?}");

    let no_credentials = start(run(DESTINATION), vec![("AWS_ENDPOINT_URL".to_owned(), server.endpoint.clone())]).await;
    assert_eq!(no_credentials.code, 2, "{no_credentials:?}");
    assert!(no_credentials.stderr.contains("AWS_ACCESS_KEY_ID"), "{no_credentials:?}");
}

/// A parser would be busy with each of them for minutes, or fill the memory.
#[tokio::test(flavor = "multi_thread")]
async fn a_listing_that_abuses_the_parser_is_refused_unread() {
    let listing = |attributes: String, content: &str| {
        format!("<?xml version=\"1.0\"?><ListBucketResult{attributes}><Name>lake</Name>{content}</ListBucketResult>")
    };
    let each = |name: &str| (0..300_000).map(|number| format!(" {name}{number}=\"1\"")).collect::<Vec<_>>().concat();
    let stage = Stage::with_events(1).await;
    for (body, told) in [
        (listing(each("a"), ""), "a tag that does not end within 1024 bytes"),
        (listing(each("xmlns:a"), ""), "a tag that does not end within 1024 bytes"),
        (listing(String::new(), &"<Contents/>".repeat(2_000_000)), "longer than 16 MiB"),
    ] {
        let environment = environment_of(&answering(body.into()).await);
        let ran = stage.lakefeed_with(&["table", "ls", DESTINATION], &environment).await;
        assert!(ran.code == 7 && ran.stderr.contains(told), "{ran:?}");
    }
    let environment =
        environment_of(&answering(listing(String::new(), "<IsTruncated>false</IsTruncated>").into()).await);
    let ran = stage.lakefeed_with(&["table", "ls", DESTINATION], &environment).await;
    assert!(ran.code == 0, "{ran:?}");
}
