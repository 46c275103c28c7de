//! An endpoint of the document becomes the endpoint of a resource: its places are bound, its parent is found.

use std::collections::BTreeMap;
use std::sync::Arc;

use url::Url;

use super::auth::validate_auth;
use super::paginator::{Around, validate_paginator};
use super::values::{headers, http_url, refuse_plain_http};
use crate::config::document::endpoint::{DataDocument, EndpointAuth, EndpointDocument};
use crate::config::document::fields::json_path;
use crate::config::document::paginator::PaginatorDocument;
use crate::config::document::problems::Problems;
use crate::config::document::resource::ResourceDocument;
use crate::spec::{
    Auth, BodySpec, EndpointSpec, EndpointUrl, Incremental, JsonPath, Method, PaginationSpec, ParentSpec, Placeholder,
    Template, TemplatePart,
};

/// What stands around an endpoint.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Client<'a> {
    pub(crate) base_url: Option<&'a Url>,
    /// Whether relative paths may be joined to `base_url`; otherwise it only says whose the credentials are.
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
    let place = format!("{}/endpoint", resource.place);
    let endpoint = &resource.endpoint;
    let (path, params) = bind_path(resource, &place, problems);
    let is_single_entity = Template::parse(path_of(resource)).is_ok_and(|path| path.leads_to_single_entity());
    let url = path.and_then(|path| endpoint_url(client, path, &place));
    let method = endpoint.method.unwrap_or(Method::Get);
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
    let (incremental, more_params) = match &endpoint.incremental {
        Some(incremental) => (Some(Incremental::Cursor(incremental.spec.clone())), incremental.params.clone()),
        None => (None, Vec::new()),
    };
    let auth = match &endpoint.auth {
        EndpointAuth::OfClient => None,
        EndpointAuth::None => Some(Auth::None),
        EndpointAuth::Own(auth) => validate_auth(auth, &format!("{place}/auth"), problems),
    };
    let token_url = auth.as_ref().and_then(Auth::token_url);
    refuse_plain_http(token_url, client.allow_http, &format!("{place}/auth"), problems);
    let spec = EndpointSpec {
        url: url?,
        method,
        params: params.into_iter().chain(more_params).collect(),
        body: body_of(endpoint),
        headers: headers(&endpoint.headers, &format!("{place}/headers"), problems),
        data_selector,
        paginator: paginator?,
        incremental,
        response_actions: endpoint.response_actions.clone(),
        auth: auth.map(Arc::new),
        record_format: endpoint.record_format,
    };
    let parent = find_parent(resource, &spec, &place, problems);
    Some((spec, parent))
}

/// The path with each `{name}` bound to the parameter of that name, which is then no parameter any more.
fn bind_path(
    resource: &ResourceDocument,
    place: &str,
    problems: &Problems,
) -> (Option<Template>, Vec<(String, Template)>) {
    let mut params = resource.endpoint.params.clone();
    let text = path_of(resource);
    let path_place = format!("{place}/path");
    let path = match Template::parse(text) {
        Ok(path) => path,
        Err(error) => {
            problems.add(&path_place, error.to_string());
            return (None, params);
        }
    };
    let mut parts = Vec::new();
    let mut bound = Vec::new();
    for part in path.parts() {
        let TemplatePart::Placeholder(Placeholder::Name(name)) = part else {
            parts.push(part.clone());
            continue;
        };
        if let Some((_, value)) = params.iter().find(|(param, _)| param == name) {
            parts.extend(value.parts().iter().cloned());
            bound.push(name.clone());
        } else {
            let what = format!(
                "the path '{text}' of resource '{}' requires a param named '{name}', which is not in endpoint.params: give it, write {{resources.NAME.FIELD}}, or {{{{{name}}}}} for the text itself",
                resource.name
            );
            problems.add(&path_place, what);
        }
    }
    params.retain(|(name, _)| !bound.contains(name));
    for name in resource.endpoint.resolved_params.iter().filter(|name| !bound.contains(name)) {
        let what = format!(
            "the param '{name}' of type resolve is not bound in the path '{text}' of resource '{}': put {{{name}}} there; a query parameter takes {{resources.NAME.FIELD}}",
            resource.name
        );
        problems.add(&format!("{place}/params/{name}"), what);
    }
    for (name, value) in &params {
        for placeholder in value.placeholders() {
            if let Placeholder::Name(unbound) = placeholder {
                problems.add(
                    &format!("{place}/params/{name}"),
                    format!("the expression '{{{unbound}}}' is not valid: it starts with neither resources. nor incremental.; write {{{{{unbound}}}}} for the text itself"),
                );
            }
        }
    }
    (Some(Template::new(parts)), params)
}

fn path_of(resource: &ResourceDocument) -> &str {
    resource.endpoint.path.as_deref().unwrap_or(&resource.name)
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

fn body_of(endpoint: &EndpointDocument) -> BodySpec {
    match (&endpoint.json, &endpoint.data) {
        (Some(json), _) => BodySpec::Json(json.clone()),
        (None, Some(DataDocument::Form(fields))) => BodySpec::Form(fields.clone()),
        (None, Some(DataDocument::Raw(text))) => BodySpec::Raw(text.clone()),
        (None, None) => BodySpec::None,
    }
}

/// The one resource whose records the endpoint is asked with, if any.
fn find_parent(
    resource: &ResourceDocument,
    endpoint: &EndpointSpec,
    place: &str,
    problems: &Problems,
) -> Option<ParentSpec> {
    let mut parents: BTreeMap<String, Vec<JsonPath>> = BTreeMap::new();
    let mut uses_cursor = false;
    let mut note = |template: &Template| {
        for placeholder in template.placeholders() {
            match placeholder {
                Placeholder::Parent { resource, field } => {
                    let fields = parents.entry(resource.clone()).or_default();
                    if !fields.contains(field) {
                        fields.push(field.clone());
                    }
                }
                Placeholder::Incremental(_) => uses_cursor = true,
                Placeholder::Name(_) => {}
            }
        }
    };
    if let EndpointUrl::Templated { path, .. } = &endpoint.url {
        note(path);
    }
    endpoint.params.iter().for_each(|(_, template)| note(template));
    for header in &endpoint.headers {
        match Template::parse(header.value.expose()) {
            Ok(template) => note(&template),
            Err(error) => problems.add(&format!("{place}/headers/{}", header.name), error.to_string()),
        }
    }
    match &endpoint.body {
        BodySpec::None => {}
        BodySpec::Json(json) => each_text(json, &mut |text| match Template::parse(text) {
            Ok(template) => note(&template),
            Err(error) => problems.add(&format!("{place}/json"), error.to_string()),
        }),
        BodySpec::Form(fields) => fields.iter().for_each(|(_, template)| note(template)),
        BodySpec::Raw(template) => note(template),
    }
    if uses_cursor && endpoint.incremental.is_none() {
        problems.add(place, "'{incremental.…}' needs 'incremental' with a cursor_path");
    }
    if parents.len() > 1 {
        let names: Vec<&str> = parents.keys().map(String::as_str).collect();
        let what = format!(
            "resource '{}' has multiple parent resources ({}); it may depend on one",
            resource.name,
            names.join(", ")
        );
        problems.add(place, what);
    }
    let Some((parent, fields)) = parents.into_iter().next() else {
        if !resource.include_from_parent.is_empty() {
            let what = format!(
                "resource '{}' has 'include_from_parent' but is not dependent on another resource: its endpoint needs a {{resources.NAME.FIELD}}",
                resource.name
            );
            problems.add(&resource.place, what);
        }
        return None;
    };
    let include = resource.include_from_parent.iter().filter_map(|field| {
        let path = json_path(field, &format!("{}/include_from_parent", resource.place), problems)?;
        Some((path, format!("_{parent}_{}", field.replace('.', "_"))))
    });
    Some(ParentSpec { include: include.collect(), resource: parent, fields })
}

fn each_text(json: &serde_json::Value, take: &mut impl FnMut(&str)) {
    match json {
        serde_json::Value::String(text) => take(text),
        serde_json::Value::Array(elements) => elements.iter().for_each(|element| each_text(element, take)),
        serde_json::Value::Object(members) => members.values().for_each(|member| each_text(member, take)),
        serde_json::Value::Null | serde_json::Value::Bool(_) | serde_json::Value::Number(_) => {}
    }
}
