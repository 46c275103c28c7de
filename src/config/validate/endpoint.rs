//! An endpoint of the document becomes the endpoint of a resource: its places are bound, its parent
//! is found.

use std::sync::Arc;

use url::Url;

use super::auth::validate_auth;
use super::incremental::{own_params, validate_incremental};
use super::paginator::{Around, validate_paginator};
use super::params::{Params, validate_params};
use super::parent::Places;
use super::values::{headers, http_url, json_path, refuse_plain_http, template};
use crate::config::document::Mapping as _;
use crate::config::document::endpoint::{ActionDocument, DataDocument, EndpointDocument};
use crate::config::document::paginator::PaginatorDocument;
use crate::config::document::problems::Problems;
use crate::config::document::resource::ResourceDocument;
use crate::spec::{
    Auth, BodySpec, EndpointSpec, EndpointUrl, Incremental, JsonPath, PaginationSpec, ParentSpec, ResponseAction,
    Template, TemplatePart,
};

/// What stands around an endpoint.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Client<'a> {
    pub(crate) base_url: Option<&'a Url>,
    /// Whether relative paths may be joined to `base_url`; otherwise it only says whose the
    /// credentials are.
    pub(crate) has_base: bool,
    pub(crate) paginator: Option<&'a PaginatorDocument>,
    pub(crate) allow_http: bool,
    pub(crate) problems: &'a Problems,
}

pub(crate) fn validate_endpoint(
    resource: &ResourceDocument,
    client: Client<'_>,
) -> Option<(EndpointSpec, Option<ParentSpec>)> {
    let problems = client.problems;
    let endpoint = &resource.endpoint;
    let place = endpoint.place();
    let Params { path, params } = validate_params(resource, path_of(resource), problems);
    let is_single_entity = Template::parse(path_of(resource)).is_ok_and(|path| path.leads_to_single_entity());
    let incremental = endpoint.incremental();
    let mut places = Places::default();
    if let Some(path) = &path {
        places.note_path(path, incremental, &format!("{place}/path"), problems);
    }
    for (_, template) in &params {
        places.note(template);
    }
    let (headers, body) =
        (headers(&endpoint.headers, &format!("{place}/headers"), problems), body_of(endpoint, problems));
    places.note_request(&headers, &body, place, problems);
    let parent = places.parent(resource, problems);
    let url = path.and_then(|path| endpoint_url(client, path, place));
    let data_selector = match &endpoint.data_selector {
        Some(selector) => json_path(selector, &format!("{place}/data_selector"), problems),
        None => is_single_entity.then(JsonPath::root),
    };
    let around = Around { data_selector: data_selector.as_ref(), problems };
    let paginator = match (&endpoint.paginator, client.paginator) {
        (Some(own), _) => validate_paginator(own, around),
        (None, _) if is_single_entity => Some(PaginationSpec::SinglePage),
        (None, Some(common)) => validate_paginator(common, around),
        (None, None) => Some(PaginationSpec::Auto),
    };
    let more_params = incremental.into_iter().flat_map(own_params);
    let incremental =
        incremental.and_then(|incremental| validate_incremental(incremental, problems)).map(Incremental::Cursor);
    let actions = endpoint.response_actions.iter().filter_map(|action| action_of(action, problems)).collect();
    let auth = match &endpoint.auth {
        None => None,
        Some(None) => Some(Auth::None),
        Some(Some(auth)) => validate_auth(auth, problems),
    };
    let token_url = auth.as_ref().and_then(Auth::token_url);
    refuse_plain_http(token_url, client.allow_http, &format!("{place}/auth"), problems);
    let spec = EndpointSpec {
        url: url?,
        method: endpoint.method,
        params: params.into_iter().chain(more_params).collect(),
        body,
        headers,
        data_selector,
        paginator: paginator?,
        incremental,
        response_actions: actions,
        auth: auth.map(Arc::new),
        record_format: endpoint.record_format,
        graphql_errors: endpoint.graphql_errors,
    };
    Some((spec, parent))
}

fn path_of(resource: &ResourceDocument) -> &str {
    resource.endpoint.path.as_deref().unwrap_or(resource.name())
}

fn endpoint_url(client: Client<'_>, path: Template, place: &str) -> Option<EndpointUrl> {
    let Client { base_url: base, problems, .. } = client;
    let place = format!("{place}/path");
    let is_whole = match path.parts().first() {
        Some(TemplatePart::Literal(text)) => text.starts_with("http://") || text.starts_with("https://"),
        // A record may hold the whole URL.
        Some(TemplatePart::Placeholder(_)) => true,
        None => false,
    };
    if !client.has_base && !is_whole {
        problems
            .add(&place, "is relative, and client.base_url is empty: write a whole http(s) URL, or give a base_url");
        return None;
    }
    let Some(text) = path.as_literal() else {
        return Some(EndpointUrl::Templated { base: base?.clone(), path });
    };
    if is_whole {
        return http_url(text, &place, problems).map(EndpointUrl::Fixed);
    }
    match crate::spec::join_url(base?, text) {
        Ok(url) => Some(EndpointUrl::Fixed(url)),
        Err(error) => {
            problems.add(&place, format!("cannot be joined to base_url ({error})"));
            None
        }
    }
}

fn body_of(endpoint: &EndpointDocument, problems: &Problems) -> BodySpec {
    let place = format!("{}/data", endpoint.place());
    if endpoint.json.is_some() && endpoint.data.is_some() {
        problems.add(endpoint.place(), "'json' and 'data' exclude each other; give one");
    }
    match (&endpoint.json, &endpoint.data) {
        (Some(json), _) => BodySpec::Json(json.clone()),
        (None, Some(DataDocument::Form(fields))) => {
            let field = |(name, text): &(String, String)| {
                Some((name.clone(), template(text, &format!("{place}/{name}"), problems)?))
            };
            BodySpec::Form(fields.iter().filter_map(field).collect())
        }
        (None, Some(DataDocument::Raw(text))) => template(text, &place, problems).map_or(BodySpec::None, BodySpec::Raw),
        (None, None) => BodySpec::None,
    }
}

fn action_of(action: &ActionDocument, problems: &Problems) -> Option<ResponseAction> {
    if action.status_code.is_none() && action.content.is_none() {
        problems.add(action.place(), "give 'status_code', 'content' or both: an action needs a condition");
    }
    let status = action.status_code.and_then(|status| u16::try_from(status).ok());
    Some(ResponseAction {
        status: status.and_then(|status| http::StatusCode::from_u16(status).ok()),
        content: action.content.clone(),
        action: action.action?,
    })
}
