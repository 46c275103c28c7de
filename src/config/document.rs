//! The pipeline file as its user wrote it: the wire types, one per mapping. Their field docs are the reference of the file.
//!
//! Reading checks the form only: known keys, right types. Whether the values make sense together is `validate`'s business.

use serde_json::{Map, Value};

use super::fields::{Fields, kind};
use super::problems::Problems;
use super::resource_document::read_resources;

/// A pipeline file.
#[derive(Debug, Default)]
pub(super) struct Document {
    /// The pipeline's name; the file's name without extension unless given.
    pub(super) name: Option<String>,
    pub(super) client: ClientDocument,
    /// The resources with the defaults merged in, in the order of the file.
    pub(super) resources: Vec<ResourceDocument>,
    pub(super) destination: Option<DestinationDocument>,
    pub(super) limits: LimitsDocument,
}

/// `client`: how to talk to the API.
#[derive(Debug, Default)]
pub(super) struct ClientDocument {
    /// The URL that relative paths are joined to.
    pub(super) base_url: Option<String>,
    /// Headers of every request.
    pub(super) headers: Vec<(String, String)>,
    pub(super) auth: Option<AuthDocument>,
    /// The paginator of endpoints that name none.
    pub(super) paginator: Option<PaginatorDocument>,
    pub(super) retry: Option<RetryDocument>,
    /// `rate_limit.requests_per_second`
    pub(super) requests_per_second: Option<f64>,
    /// `timeouts.connect_seconds`: 10 unless given.
    pub(super) connect_seconds: Option<f64>,
    /// `timeouts.read_seconds`, until the next byte: 60 unless given.
    pub(super) read_seconds: Option<f64>,
    /// `timeouts.total_seconds`, for the whole exchange: 300 unless given.
    pub(super) total_seconds: Option<f64>,
}

/// `client.auth`, by its `type`.
#[derive(Debug)]
pub(super) enum AuthDocument {
    /// `bearer`; also a mapping without `type`.
    Bearer { token: String },
    /// `http_basic`
    HttpBasic { username: String, password: String },
    /// `api_key`; `location` is `header` unless given.
    ApiKey { name: String, api_key: String, location: crate::spec::ApiKeyLocation },
    /// `oauth2_client_credentials`, or `oauth2`, where `token_url` is another word for `access_token_url`.
    OAuth2(OAuth2Document),
}

/// `oauth2_client_credentials`.
#[derive(Debug)]
pub(super) struct OAuth2Document {
    pub(super) place: String,
    pub(super) token_url: String,
    pub(super) client_id: String,
    pub(super) client_secret: String,
    /// `client_secret_post` (as dlt does) unless `client_secret_basic`.
    pub(super) client_authentication: crate::spec::ClientAuthentication,
    /// Further form fields; `scope` and `audience` may stand beside it.
    pub(super) request_data: Vec<(String, String)>,
    /// Seconds that a token lives whose answer does not say: 3600 unless given.
    pub(super) default_token_expiration: Option<f64>,
    /// Seconds before its expiry at which a token is refreshed: 60 unless given.
    pub(super) expiry_leeway_seconds: Option<f64>,
}

/// `client.retry`.
#[derive(Debug, Default)]
pub(super) struct RetryDocument {
    pub(super) statuses: Option<Vec<u64>>,
    /// Tries after the first one.
    pub(super) max_retries: Option<u64>,
    /// The first wait, in seconds; it doubles from retry to retry.
    pub(super) backoff_factor: Option<f64>,
    pub(super) max_wait_seconds: Option<f64>,
    /// The share of a wait that is added at random at most.
    pub(super) jitter: Option<f64>,
}

/// `resources[n]`, with `resource_defaults` merged in.
#[derive(Debug)]
pub(super) struct ResourceDocument {
    pub(super) place: String,
    pub(super) name: String,
    pub(super) table_name: Option<String>,
    pub(super) endpoint: EndpointDocument,
    /// A JSON Schema file, relative to the pipeline file.
    pub(super) schema: Option<String>,
    pub(super) primary_key: Vec<String>,
    pub(super) write_disposition: Option<crate::spec::WriteDisposition>,
    pub(super) partition_by: Vec<PartitionDocument>,
}

/// `resources[n].endpoint`.
#[derive(Debug, Default)]
pub(super) struct EndpointDocument {
    /// The resource's name unless given.
    pub(super) path: Option<String>,
    pub(super) method: Option<crate::spec::Method>,
    pub(super) params: Vec<(String, String)>,
    pub(super) json: Option<Value>,
    pub(super) headers: Vec<(String, String)>,
    pub(super) paginator: Option<PaginatorDocument>,
    pub(super) data_selector: Option<String>,
}

/// A paginator, by its `type` or as that type's name alone.
#[derive(Debug, Clone)]
pub(super) enum PaginatorDocument {
    SinglePage,
    Offset(Box<OffsetDocument>),
    /// It is a problem already.
    Refused,
}

/// dlt's offset paginator.
#[derive(Debug, Clone)]
pub(super) struct OffsetDocument {
    pub(super) place: String,
    pub(super) limit: Option<u64>,
    pub(super) offset: Option<u64>,
    pub(super) offset_param: Option<String>,
    pub(super) limit_param: Option<String>,
    pub(super) offset_body_path: Option<String>,
    pub(super) limit_body_path: Option<String>,
    /// Where a page states the total: `total` unless given.
    pub(super) total_path: TotalPath,
    pub(super) maximum_offset: Option<u64>,
    pub(super) stop_after_empty_page: Option<bool>,
    pub(super) has_more_path: Option<String>,
}

/// `total_path`, of which null has a meaning of its own.
#[derive(Debug, Clone)]
pub(super) enum TotalPath {
    /// It is not there: the default holds.
    Default,
    /// It is null: the API does not state a total.
    Null,
    /// A path, or something that is a problem already.
    Given(Option<String>),
}

/// One level of `partition_by`.
#[derive(Debug)]
pub(super) struct PartitionDocument {
    pub(super) place: String,
    pub(super) column: String,
    pub(super) transform: crate::spec::Transform,
    pub(super) name: Option<String>,
}

/// `destination`, or its URL alone.
#[derive(Debug, Default)]
pub(super) struct DestinationDocument {
    pub(super) url: String,
    pub(super) endpoint: Option<String>,
    pub(super) region: Option<String>,
    pub(super) path_style: Option<bool>,
    pub(super) allow_http: Option<bool>,
}

/// `limits`, each by the name of its field in [`crate::spec::Limits`].
#[derive(Debug, Default)]
pub(super) struct LimitsDocument {
    pub(super) page_bytes_max: Option<u64>,
    pub(super) pages_max: Option<u64>,
    pub(super) run_time_max_seconds: Option<f64>,
    pub(super) nesting_depth_max: Option<u64>,
    pub(super) batch_rows: Option<u64>,
    pub(super) batch_bytes: Option<u64>,
    pub(super) writer_buffer_bytes: Option<u64>,
    pub(super) file_bytes_target: Option<u64>,
    pub(super) row_group_rows: Option<u64>,
}

impl Document {
    /// Reads a document; `None` when it is no mapping at all.
    pub(super) fn read(value: &Value, problems: &Problems) -> Option<Self> {
        let mut fields = Fields::of(".".to_owned(), value, problems)?;
        if let Some(version) = fields.whole("version")
            && version != 1
        {
            problems.add("./version", format!("version {version} is not known (accepted: 1)"));
        }
        let name = fields.text("name");
        if fields.value("client").is_none() {
            problems.add(".", "'client' is missing");
        }
        let client = fields.object("client").map(ClientDocument::read).unwrap_or_default();
        let defaults = fields.value("resource_defaults").cloned();
        let resources = match fields.value("resources") {
            Some(Value::Array(resources)) if !resources.is_empty() => {
                read_resources(resources, defaults.as_ref(), problems)
            }
            Some(Value::Array(_)) | None => {
                problems.add(".", "'resources' is missing: name at least one");
                Vec::new()
            }
            Some(other) => {
                problems.add("./resources", format!("expected a list, found {}", kind(other)));
                Vec::new()
            }
        };
        let destination = DestinationDocument::read(&mut fields);
        let limits = fields.object("limits").map(LimitsDocument::read).unwrap_or_default();
        fields.finish();
        Some(Self { name, client, resources, destination, limits })
    }
}

impl ClientDocument {
    fn read(mut fields: Fields<'_>) -> Self {
        let mut client = Self {
            base_url: fields.required_text("base_url"),
            headers: pairs(&mut fields, "headers"),
            auth: fields.object("auth").and_then(AuthDocument::read),
            paginator: PaginatorDocument::read(&mut fields, "paginator"),
            retry: fields.object("retry").map(RetryDocument::read),
            ..Self::default()
        };
        if let Some(mut limit) = fields.object("rate_limit") {
            client.requests_per_second = limit.number("requests_per_second");
            limit.finish();
        }
        if let Some(mut timeouts) = fields.object("timeouts") {
            client.connect_seconds = timeouts.number("connect_seconds");
            client.read_seconds = timeouts.number("read_seconds");
            client.total_seconds = timeouts.number("total_seconds");
            timeouts.finish();
        }
        fields.unsupported(&["session"]);
        fields.finish();
        client
    }
}

impl AuthDocument {
    fn read(mut fields: Fields<'_>) -> Option<Self> {
        const TYPES: &[(&str, u8)] =
            &[("bearer", 0), ("http_basic", 1), ("api_key", 2), ("oauth2", 3), ("oauth2_client_credentials", 3)];
        let auth = match if fields.has("type") { fields.choice("type", TYPES)? } else { 0 } {
            0 => fields.required_text("token").map(|token| Self::Bearer { token }),
            1 => match (fields.required_text("username"), fields.required_text("password")) {
                (Some(username), Some(password)) => Some(Self::HttpBasic { username, password }),
                _ => None,
            },
            2 => Self::read_api_key(&mut fields),
            _ => OAuth2Document::read(&mut fields).map(Self::OAuth2),
        };
        fields.finish();
        auth
    }

    fn read_api_key(fields: &mut Fields<'_>) -> Option<Self> {
        use crate::spec::ApiKeyLocation::{Cookie, Header, Query};
        let choices = [("header", Header), ("query", Query), ("param", Query), ("cookie", Cookie)];
        let location = fields.choice("location", &choices).unwrap_or(Header);
        let name = fields.text("name").unwrap_or_else(|| "Authorization".to_owned());
        Some(Self::ApiKey { name, api_key: fields.required_text("api_key")?, location })
    }
}

impl OAuth2Document {
    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        use crate::spec::ClientAuthentication::{SecretBasic, SecretPost};
        let token_url = match (fields.text("access_token_url"), fields.text("token_url")) {
            (Some(_), Some(_)) => {
                fields.problems.add(&fields.place, "'token_url' and 'access_token_url' are the same thing; give one");
                None
            }
            (None, None) if fields.value("access_token_url").or(fields.value("token_url")).is_none() => {
                fields.problems.add(&fields.place, "'token_url' is missing");
                None
            }
            (url, None) | (None, url) => url,
        };
        let (client_id, client_secret) = (fields.required_text("client_id"), fields.required_text("client_secret"));
        let ways = [("client_secret_post", SecretPost), ("client_secret_basic", SecretBasic)];
        let client_authentication = fields.choice("client_authentication", &ways).unwrap_or(SecretPost);
        let mut request_data = pairs(fields, "access_token_request_data");
        for (key, name) in [("scope", "scope"), ("scopes", "scope"), ("audience", "audience")] {
            if let Some(texts) = fields.texts(key) {
                request_data.push((name.to_owned(), texts.join(" ")));
            }
        }
        let default_token_expiration = fields.number("default_token_expiration");
        let expiry_leeway_seconds = fields.number("expiry_leeway_seconds");
        // dlt treats a given token as expired and replaces it; so it changes nothing.
        fields.ignored(&["access_token"]);
        fields.unsupported(&["session"]);
        Some(Self {
            place: fields.place.clone(),
            token_url: token_url?,
            client_id: client_id?,
            client_secret: client_secret?,
            client_authentication,
            request_data,
            default_token_expiration,
            expiry_leeway_seconds,
        })
    }
}

impl RetryDocument {
    fn read(mut fields: Fields<'_>) -> Self {
        let statuses = fields.convert("statuses", "a list of statuses (100 to 599)", |value| {
            let status = |value: &Value| value.as_u64().or_else(|| value.as_str()?.trim().parse().ok());
            let statuses: Option<Vec<u64>> = value.as_array()?.iter().map(status).collect();
            statuses.filter(|statuses| statuses.iter().all(|status| (100..600).contains(status)))
        });
        let retry = Self {
            statuses,
            max_retries: fields.whole("max_retries"),
            backoff_factor: fields.number("backoff_factor"),
            max_wait_seconds: fields.number("max_wait_seconds"),
            jitter: fields.number("jitter"),
        };
        fields.finish();
        retry
    }
}

impl PaginatorDocument {
    pub(super) fn read(parent: &mut Fields<'_>, key: &'static str) -> Option<Self> {
        const LATER: &[&str] =
            &["auto", "page_number", "cursor", "header_cursor", "json_link", "json_response", "header_link"];
        let place = parent.place_of(key);
        let problems = parent.problems;
        let value = parent.value(key)?;
        let chosen = match value {
            Value::String(name) => name.as_str(),
            Value::Object(object) => match object.get("type") {
                Some(Value::String(name)) => name.as_str(),
                Some(other) => {
                    problems.add(&place, format!("'type' must be a text, found {}", kind(other)));
                    return Some(Self::Refused);
                }
                None => {
                    problems.add(&place, "'type' is missing (accepted: offset, single_page)");
                    return Some(Self::Refused);
                }
            },
            other => {
                problems.add(&place, format!("expected a paginator, found {}", kind(other)));
                return Some(Self::Refused);
            }
        };
        let empty = Map::new();
        let object = Value::Object(value.as_object().unwrap_or(&empty).clone());
        match chosen {
            "single_page" => {
                let mut fields = Fields::of(place, &object, problems)?;
                fields.raw("type");
                fields.finish();
                Some(Self::SinglePage)
            }
            "offset" => {
                Fields::of(place, &object, problems).map(|fields| Self::Offset(Box::new(OffsetDocument::read(fields))))
            }
            later if LATER.contains(&later) => {
                problems.add(&place, format!("the paginator '{later}' is not supported by this version of lakefeed (accepted: offset, single_page)"));
                Some(Self::Refused)
            }
            unknown => {
                let known = super::problems::accepted(unknown, &["offset", "single_page"]);
                problems.add(&place, format!("the paginator '{unknown}' is not known {known}"));
                Some(Self::Refused)
            }
        }
    }
}

impl OffsetDocument {
    fn read(mut fields: Fields<'_>) -> Self {
        fields.raw("type");
        let total_path = match fields.raw("total_path") {
            None => TotalPath::Default,
            Some(Value::Null) => TotalPath::Null,
            Some(_) => TotalPath::Given(fields.text("total_path")),
        };
        let offset = Self {
            place: fields.place.clone(),
            limit: fields.whole("limit"),
            offset: fields.whole("offset"),
            offset_param: fields.text("offset_param"),
            limit_param: fields.text("limit_param"),
            offset_body_path: fields.text("offset_body_path"),
            limit_body_path: fields.text("limit_body_path"),
            total_path,
            maximum_offset: fields.whole("maximum_offset"),
            stop_after_empty_page: fields.truth("stop_after_empty_page"),
            has_more_path: fields.text("has_more_path"),
        };
        if !fields.has("limit") {
            fields.problems.add(&fields.place, "'limit' is missing");
        }
        fields.finish();
        offset
    }
}

impl DestinationDocument {
    fn read(parent: &mut Fields<'_>) -> Option<Self> {
        if let Some(Value::String(url)) = parent.value("destination") {
            return Some(Self { url: url.clone(), ..Self::default() });
        }
        let mut fields = parent.object("destination")?;
        let destination = Self {
            url: fields.required_text("url").unwrap_or_default(),
            endpoint: fields.text("endpoint"),
            region: fields.text("region"),
            path_style: fields.truth("path_style"),
            allow_http: fields.truth("allow_http"),
        };
        fields.finish();
        Some(destination)
    }
}

impl LimitsDocument {
    fn read(mut fields: Fields<'_>) -> Self {
        let limits = Self {
            page_bytes_max: fields.whole("page_bytes_max"),
            pages_max: fields.whole("pages_max"),
            run_time_max_seconds: fields.number("run_time_max_seconds"),
            nesting_depth_max: fields.whole("nesting_depth_max"),
            batch_rows: fields.whole("batch_rows"),
            batch_bytes: fields.whole("batch_bytes"),
            writer_buffer_bytes: fields.whole("writer_buffer_bytes"),
            file_bytes_target: fields.whole("file_bytes_target"),
            row_group_rows: fields.whole("row_group_rows"),
        };
        fields.finish();
        limits
    }
}

/// A mapping of texts. Numbers and truth values count as their text; null leaves the name out; a list repeats it.
pub(super) fn pairs(fields: &mut Fields<'_>, key: &'static str) -> Vec<(String, String)> {
    let place = fields.place_of(key);
    let problems = fields.problems;
    let Some(object) = fields.object(key) else { return Vec::new() };
    let mut pairs = Vec::new();
    for (name, value) in object.entries() {
        let values = match value {
            Value::Array(elements) => elements.iter().collect(),
            single => vec![single],
        };
        for value in values {
            match value {
                Value::Null => {}
                Value::String(text) => pairs.push((name.clone(), text.clone())),
                Value::Bool(_) | Value::Number(_) => pairs.push((name.clone(), value.to_string())),
                Value::Array(_) | Value::Object(_) => {
                    problems.add(&format!("{place}/{name}"), format!("expected a text, found {}", kind(value)));
                }
            }
        }
    }
    pairs
}
