use super::*;
use lakefeed_model::error::ErrorKind;

fn with_keys() -> AmazonS3Builder {
    AmazonS3Builder::new().with_access_key_id("id").with_secret_access_key("key")
}

fn s3(endpoint: Option<&str>) -> DestinationSpec {
    DestinationSpec { endpoint: endpoint.map(str::to_owned), ..DestinationSpec::at("s3://bucket/prefix") }
}

#[test]
fn a_local_folder_is_created_and_named_as_it_was_written() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("a/lake");
    let lake = Lake::open(&DestinationSpec::at(folder.to_str().unwrap())).unwrap();
    assert!(folder.is_dir());
    assert_eq!(lake.table("events").url(), format!("{}/events", folder.display()));
    let url = Url::from_file_path(&folder).unwrap();
    assert!(Lake::open(&DestinationSpec::at(url.as_str())).is_ok());
}

#[test]
fn a_folder_that_cannot_be_created_is_a_storage_error_that_names_it() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("file");
    std::fs::File::create(&file).unwrap();
    let place = file.join("lake");
    let error = Lake::open(&DestinationSpec::at(place.to_str().unwrap())).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Storage);
    assert!(error.to_string().contains(place.to_str().unwrap()), "{error}");
}

#[test]
fn an_unknown_scheme_and_a_missing_bucket_are_config_errors() {
    for url in ["gs://bucket/x", "s3:///x", "ftp://host", "http://host/x"] {
        assert_eq!(Lake::open(&DestinationSpec::at(url)).unwrap_err().kind(), ErrorKind::Config, "{url}");
    }
}

#[test]
fn plain_http_is_for_loopback_unless_it_is_allowed() {
    let cases = [
        ("http://127.0.0.1:5000", true),
        ("http://127.8.9.1:5000", true),
        ("http://localhost:5000", true),
        ("http://[::1]:5000", true),
        ("https://store.example.com", true),
        ("http://store.example.com", false),
        ("http://10.0.0.1:9000", false),
        ("ftp://localhost", false),
        ("not a url", false),
    ];
    for (endpoint, accepted) in cases {
        let outcome = s3_builder(with_keys(), &s3(Some(endpoint)), "bucket");
        assert_eq!(outcome.is_ok(), accepted, "{endpoint}: {outcome:?}");
        if accepted {
            outcome.unwrap().build().unwrap();
        }
    }
    let allowed = DestinationSpec { allow_http: true, ..s3(Some("http://store.example.com")) };
    assert!(s3_builder(with_keys(), &allowed, "bucket").is_ok());
}

#[test]
fn the_endpoint_of_the_environment_is_honoured_and_checked() {
    let environment = with_keys().with_endpoint("http://store.example.com");
    assert!(s3_builder(environment.clone(), &s3(None), "bucket").is_err());
    let builder = s3_builder(environment, &s3(Some("http://localhost:1")), "bucket").unwrap();
    assert_eq!(builder.get_config_value(&AmazonS3ConfigKey::S3Endpoint).unwrap(), "http://localhost:1");
}

#[test]
fn a_bucket_in_the_host_name_goes_in_front_of_the_endpoint() {
    let destination = DestinationSpec { path_style: false, ..s3(Some("https://store.example.com")) };
    let builder = s3_builder(with_keys(), &destination, "bucket").unwrap();
    assert_eq!(builder.get_config_value(&AmazonS3ConfigKey::S3Endpoint).unwrap(), "https://bucket.store.example.com");
}

#[test]
fn missing_credentials_are_a_config_error_that_names_the_variables() {
    let error = s3_builder(AmazonS3Builder::new(), &s3(None), "bucket").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(error.hints()[0].contains("AWS_ACCESS_KEY_ID"), "{error:?}");
    assert!(s3_builder(AmazonS3Builder::new().with_access_key_id("id"), &s3(None), "bucket").is_err());
}
