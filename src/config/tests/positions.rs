//! Problems of meaning point at a line and a column, as those of syntax do.

use std::collections::HashMap;

use super::{Listed, sources};
use crate::config::interpolate::Missing;
use crate::config::{Format, Sources, parse, validated};

fn problems(name: &str, text: &str, sources: &dyn Sources) -> String {
    let format = Format::of(std::path::Path::new(name)).unwrap();
    parse(name, text, format, sources).unwrap_err().to_string()
}

#[test]
fn problems_of_a_yaml_file_have_line_and_column() {
    let text = "\
x-patient: &patient {max_retries: 9999}
client:
  base_url: ftp://api.example
  retry: {<<: *patient, jitter: 2}
resource_defaults:
  primary_key: id
  endpoint:
    params: {a: '{b}'}
resources:
  - events
  - name: people
    endpoint:
      path: people
      paginator:
        type: offset
        limit: 0
        offset_body_path: a[18446744073709551615]
    columns:
      a/b[0]: {data_type: text, x-arrow: int33}
  - {name: events, processing_steps: [{filter: record.a.lowerascii()}, {}]}
limits: {rejects_max: lots}
";
    insta::assert_snapshot!(problems("shop.yaml", text, &sources()), @r"
    shop.yaml has 12 problems:
      shop.yaml:3:13: ./client/base_url: 'ftp' is not http or https
      shop.yaml:4:15: ./client/retry/max_retries: expected an integer from 0 to 1000, found 9999
      shop.yaml:4:33: ./client/retry/jitter: expected a number from 0 to 1, found 2
      shop.yaml:8:17: ./resources[0]/endpoint/params/a: the expression '{b}' is not valid: it starts with neither resources. nor incremental.; write {{b}} for the text itself
      shop.yaml:16:16: ./resources[1]/endpoint/paginator/limit: expected an integer, at least 1, found 0
      shop.yaml:17:27: ./resources[1]/endpoint/paginator/offset_body_path: must name one place in the body, with no index of more than 1000
      shop.yaml:19:7: ./resources[1]/columns/a/b[0]: give either 'data_type' or 'x-arrow'
      shop.yaml:19:42: ./resources[1]/columns/a/b[0]/x-arrow: 'int33' is not a type; docs/types.md has them all
      shop.yaml:20:12: ./resources[2]/name: resource 'events' is already defined at ./resources[0]
      shop.yaml:20:48: ./resources[2]/processing_steps[0]/filter: the function 'lowerascii' is not known; docs/expressions.md has those that are
      shop.yaml:20:72: ./resources[2]/processing_steps[1]: give either 'filter' or 'map'
      shop.yaml:21:23: ./limits/rejects_max: expected an integer that is not negative or a share such as '1%', found 'lots'
    ");
}

#[test]
fn problems_of_a_json_file_have_line_and_column() {
    let text = "{\"client\": {\n\t\"base_url\": \"ftp://x\"},\n \"resources\": [\n  {\"name\": \"a\", \"primary_kye\": \"id\",\n   \"endpoint\": {\"incremental\": {\"cursor_path\": \"a[\"}}}]}";
    insta::assert_snapshot!(problems("shop.json", text, &sources()), @r#"
    shop.json has 3 problems:
      shop.json:2:14: ./client/base_url: 'ftp' is not http or https
      shop.json:4:17: ./resources[0]: received unexpected field 'primary_kye' (accepted: columns, deletes, endpoint, include_from_parent, load_metadata, merge_key, name, naming, nested, partition_by, primary_key, processing_steps, schema, schema_contract, selected, table_name, write_disposition; did you mean 'primary_key'?)
      shop.json:5:48: ./resources[0]/endpoint/incremental/cursor_path: is not a JSON path: expected a quoted key, an index or * at character 2 of "a["
    "#);
}

#[test]
fn problems_of_a_toml_file_have_line_and_column() {
    let text = "\
client.base_url = 'ftp://x'
[[resources]]
name = 'a'
endpoint.incremental = {cursor_path = 'a['}

[[resources]]
name = 'b'
primary_kye = 'id'

[limits]
pages_max = 0
";
    insta::assert_snapshot!(problems("shop.toml", text, &sources()), @r#"
    shop.toml has 4 problems:
      shop.toml:1:19: ./client/base_url: 'ftp' is not http or https
      shop.toml:4:39: ./resources[0]/endpoint/incremental/cursor_path: is not a JSON path: expected a quoted key, an index or * at character 2 of "a["
      shop.toml:8:1: ./resources[1]: received unexpected field 'primary_kye' (accepted: columns, deletes, endpoint, include_from_parent, load_metadata, merge_key, name, naming, nested, partition_by, primary_key, processing_steps, schema, schema_contract, selected, table_name, write_disposition; did you mean 'primary_key'?)
      shop.toml:11:13: ./limits/pages_max: expected an integer, at least 1, found 0
    "#);
}

#[test]
fn what_is_not_there_points_at_what_is_around_it() {
    insta::assert_snapshot!(problems("shop.yaml", "client: {}\n", &sources()), @r"
    shop.yaml has 2 problems:
      shop.yaml:1:1: ./client: 'base_url' is missing
      shop.yaml:1:1: .: 'resources' is missing
    ");
    insta::assert_snapshot!(problems("shop.yaml", "# nothing yet\n", &sources()), @r"
    shop.yaml has 1 problem:
      shop.yaml:2:1: .: is empty; a pipeline has at least 'client' and 'resources'
    ");
    insta::assert_snapshot!(problems("shop.yaml", "- a\n", &sources()), @r"
    shop.yaml has 1 problem:
      shop.yaml:1:1: .: expected a mapping, found a list
    ");
}

/// A variable that is not set is one problem, whatever would follow from it.
#[test]
fn what_is_missing_is_one_problem() {
    let text = "\
client:
  base_url: ${env:BASE}/v2
  auth: {type: http_basic, username: \"${env:USER_NAME}\", password: \"${file:secret}\"}
  concurrency: ${env:MANY}
resources:
  - name: events
    endpoint: {paginator: {type: offset, limit: \"${env:LIMIT}\"}}
    table_name: ${env:TABLE}
";
    insta::assert_snapshot!(problems("shop.yaml", text, &Listed(HashMap::new())), @r"
    shop.yaml has 6 problems:
      shop.yaml:2:13: ./client/base_url: the environment variable BASE is not set; export BASE=… and run again
      shop.yaml:3:38: ./client/auth/username: the environment variable USER_NAME is not set; export USER_NAME=… and run again
      shop.yaml:3:68: ./client/auth/password: the file secret cannot be read (no such file)
      shop.yaml:4:16: ./client/concurrency: the environment variable MANY is not set; export MANY=… and run again
      shop.yaml:7:49: ./resources[0]/endpoint/paginator/limit: the environment variable LIMIT is not set; export LIMIT=… and run again
      shop.yaml:8:17: ./resources[0]/table_name: the environment variable TABLE is not set; export TABLE=… and run again
    ");
}

/// Without secrets, what depends on a value that is not there is left out, and nothing else.
#[test]
fn without_secrets_everything_else_is_checked() {
    let check = |text: &str| {
        let found = validated("shop.yaml", text, Format::Yaml, &Listed(HashMap::new()), Missing::Open);
        found.map(|(spec, open)| (spec.is_some(), open)).map_err(|error| error.to_string())
    };
    let whole = "\
client:
  base_url: ${env:BASE}/v2
  auth: {type: jwt, private_key: \"${file:key.pem}\", lifetime_seconds: \"${env:SECONDS}\"}
  allow_http: ${env:ALLOW}
resources:
  - name: events
    primary_key: [\"${env:KEY}\"]
    write_disposition: ${env:DISPOSITION}
    endpoint:
      data_selector: ${env:SELECTOR}
      paginator: {type: offset, limit: \"${env:LIMIT}\"}
      incremental: {cursor_path: \"${env:CURSOR}\", initial_value: \"2026-01-01\", step: \"${env:STEP}\"}
destination: ${env:LAKE}
limits: {rejects_max: \"${env:REJECTS}\"}
";
    let open =
        ["BASE", "KEY", "ALLOW", "CURSOR", "DISPOSITION", "LAKE", "LIMIT", "REJECTS", "SECONDS", "SELECTOR", "STEP"];
    let mut open: Vec<String> = open.iter().map(|name| format!("env:{name}")).collect();
    open.push("file:key.pem".to_owned());
    open.sort();
    assert_eq!(check(whole), Ok((true, open)));
    let spoilt = whole
        .replace("type: offset,", "type: offset, limt: 5,")
        .replace("name: events", "name: events\n    naming: snake");
    let found = check(&spoilt).unwrap_err();
    assert!(found.contains("has 2 problems") && found.contains("limt") && found.contains("'snake'"), "{found}");
    let found = check(&whole.replace("${env:SELECTOR}", "${vault:SELECTOR}")).unwrap_err();
    assert!(found.contains("'${vault:SELECTOR}' is not known"), "{found}");
    let found = check(&whole.replace("\"${env:KEY}\"", "{a: \"${env:KEY}\"}")).unwrap_err();
    assert!(found.contains("primary_key[0]: expected a string"), "{found}");
}
