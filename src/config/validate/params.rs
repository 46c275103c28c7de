//! The parameters of an endpoint: those that its path binds, and those that stay.

use super::values::{json_path, template};
use crate::config::document::Mapping as _;
use crate::config::document::endpoint::{BoundParamDocument, ParamDocument};
use crate::config::document::problems::Problems;
use crate::config::document::resource::ResourceDocument;
use crate::spec::{IncrementalValue, Placeholder, Template, TemplatePart};

/// What becomes of the parameters of an endpoint.
#[derive(Debug)]
pub(crate) struct Params {
    /// The path with each `{name}` bound to the parameter of that name.
    pub(crate) path: Option<Template>,
    /// The other parameters.
    pub(crate) params: Vec<(String, Template)>,
}

pub(crate) fn validate_params(resource: &ResourceDocument, path: &str, problems: &Problems) -> Params {
    let place = format!("{}/params", resource.endpoint.place());
    let mut params = Vec::new();
    // Parameters of dlt's older `type: resolve`, which are there for the path only.
    let mut resolved = Vec::new();
    for (name, param) in &resource.endpoint.params {
        let place = format!("{place}/{name}");
        match param {
            ParamDocument::Texts(texts) => {
                params.extend(texts.iter().filter_map(|text| Some((name.clone(), template(text, &place, problems)?))));
            }
            ParamDocument::Bound(BoundParamDocument::Incremental(document)) => {
                if resource.endpoint.incremental().is_some_and(|other| other.place() != document.place()) {
                    problems.add(&place, "an endpoint has one incremental; there is another");
                }
                let start = Placeholder::Incremental(IncrementalValue::StartValue);
                params.push((name.clone(), Template::placeholder(start)));
            }
            ParamDocument::Bound(BoundParamDocument::Resolve(document)) => {
                let field =
                    document.field.as_ref().and_then(|field| json_path(field, &format!("{place}/field"), problems));
                if let (Some(field), Some(resource)) = (field, document.resource.clone()) {
                    params.push((name.clone(), Template::placeholder(Placeholder::Parent { resource, field })));
                    resolved.push(name);
                }
            }
        }
    }
    let (path_template, bound) = bind_path(resource, path, &params, problems);
    params.retain(|(name, _)| !bound.contains(name));
    for name in resolved.into_iter().filter(|name| !bound.contains(name)) {
        let what = format!(
            "the param '{name}' of type resolve is not bound in the path '{path}' of resource '{}': put {{{name}}} there; a query parameter takes {{resources.NAME.FIELD}}",
            resource.name()
        );
        problems.add(&format!("{place}/{name}"), what);
    }
    for (name, value) in &params {
        for placeholder in value.placeholders() {
            if let Placeholder::Name(unbound) = placeholder {
                let what = format!(
                    "the expression '{{{unbound}}}' is not valid: it starts with neither resources. nor incremental.; write {{{{{unbound}}}}} for the text itself"
                );
                problems.add(&format!("{place}/{name}"), what);
            }
        }
    }
    Params { path: path_template, params }
}

/// Returns the path with each `{name}` bound to the parameter of that name, and the names of these.
fn bind_path(
    resource: &ResourceDocument,
    text: &str,
    params: &[(String, Template)],
    problems: &Problems,
) -> (Option<Template>, Vec<String>) {
    let place = format!("{}/path", resource.endpoint.place());
    let Some(path) = template(text, &place, problems) else { return (None, Vec::new()) };
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
                resource.name()
            );
            problems.add(&place, what);
        }
    }
    (Some(Template::new(parts)), bound)
}
