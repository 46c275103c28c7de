use super::*;
use lakefeed_model::error::ErrorKind;

fn with_keys() -> Environment {
    [("AWS_ACCESS_KEY_ID", "id"), ("AWS_SECRET_ACCESS_KEY", "key")].into_iter().collect()
}

fn open(url: &str) -> Result<Lake> {
    Lake::open(&DestinationSpec::at(url), &Environment::empty())
}

fn s3(endpoint: Option<&str>) -> DestinationSpec {
    DestinationSpec { endpoint: endpoint.map(str::to_owned), ..DestinationSpec::at("s3://bucket/prefix") }
}

#[test]
fn a_local_folder_is_created_and_named_as_it_was_written() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("a/lake");
    let lake = open(folder.to_str().unwrap()).unwrap();
    assert!(folder.is_dir());
    assert_eq!(lake.table("events").url(), format!("{}/events", folder.display()));
    let url = Url::from_file_path(&folder).unwrap();
    assert!(open(url.as_str()).is_ok());
}

#[test]
fn a_folder_that_cannot_be_created_is_a_storage_error_that_names_it() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("file");
    std::fs::File::create(&file).unwrap();
    let place = file.join("lake");
    let error = open(place.to_str().unwrap()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Storage);
    assert!(error.to_string().contains(place.to_str().unwrap()), "{error}");
}

#[test]
fn an_unknown_scheme_and_a_missing_bucket_are_config_errors() {
    for url in ["gs://bucket/x", "s3:///x", "ftp://host", "http://host/x"] {
        assert_eq!(open(url).unwrap_err().kind(), ErrorKind::Config, "{url}");
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
        let outcome = s3_builder(&with_keys(), &s3(Some(endpoint)), "bucket");
        assert_eq!(outcome.is_ok(), accepted, "{endpoint}: {outcome:?}");
        if accepted {
            outcome.unwrap().build().unwrap();
        }
    }
    let allowed = DestinationSpec { allow_http: true, ..s3(Some("http://store.example.com")) };
    assert!(s3_builder(&with_keys(), &allowed, "bucket").is_ok());
}

#[test]
fn the_endpoint_of_the_environment_is_honoured_and_checked() {
    let environment = with_keys().with_variable("AWS_ENDPOINT_URL", "http://store.example.com");
    assert!(s3_builder(&environment, &s3(None), "bucket").is_err());
    let builder = s3_builder(&environment, &s3(Some("http://localhost:1")), "bucket").unwrap();
    assert_eq!(builder.get_config_value(&AmazonS3ConfigKey::S3Endpoint).unwrap(), "http://localhost:1");
}

#[test]
fn a_bucket_in_the_host_name_goes_in_front_of_the_endpoint() {
    let destination = DestinationSpec { path_style: false, ..s3(Some("https://store.example.com")) };
    let builder = s3_builder(&with_keys(), &destination, "bucket").unwrap();
    assert_eq!(builder.get_config_value(&AmazonS3ConfigKey::S3Endpoint).unwrap(), "https://bucket.store.example.com");
}

#[test]
fn missing_credentials_are_a_config_error_that_names_the_variables() {
    let error = s3_builder(&Environment::empty(), &s3(None), "bucket").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(error.hints()[0].contains("AWS_ACCESS_KEY_ID"), "{error:?}");
    let half = Environment::empty().with_variable("AWS_ACCESS_KEY_ID", "id");
    assert!(s3_builder(&half, &s3(None), "bucket").is_err());
}

#[test]
fn a_store_is_reached_by_the_proxy_that_the_environment_names_and_by_no_other() {
    let proxied = |variables: &[(&str, &str)], endpoint: Option<&str>| {
        let environment = variables.iter().fold(with_keys(), |all, (name, value)| all.with_variable(*name, *value));
        let builder = s3_builder(&environment, &s3(endpoint), "bucket").unwrap();
        let setting = |key| builder.get_config_value(&AmazonS3ConfigKey::Client(key)).unwrap();
        (setting(ClientConfigKey::ProxyUrl), setting(ClientConfigKey::ProxyExcludes))
    };
    let both = [("HTTP_PROXY", "http://plain:1"), ("https_proxy", "http://tls:1"), ("NO_PROXY", "example.com")];
    assert_eq!(proxied(&both, Some("http://localhost:1")), ("http://plain:1".into(), "example.com".into()));
    assert_eq!(proxied(&both, None), ("http://tls:1".into(), "example.com".into()));
    assert_eq!(proxied(&[("ALL_PROXY", "http://all:1")], None), ("http://all:1".into(), String::new()));
    assert_eq!(proxied(&[("AWS_PROXY_URL", "http://own:1"), ("AWS_PROXY_EXCLUDES", "x")], None).0, "http://own:1");
    assert_eq!(proxied(&[], None).1, "*, 0.0.0.0/0, ::/0");
}
