//! Which resource depends on which: every parent must be there, and nobody may be their own
//! ancestor.

use crate::config::document::Mapping as _;
use crate::config::document::problems::{Problems, accepted};
use crate::config::document::resource::ResourceDocument;
use crate::spec::ResourceSpec;

pub(crate) fn check_graph(resources: &[ResourceSpec], documents: &[ResourceDocument], problems: &Problems) {
    let place_of = |name: &str| {
        documents.iter().find(|document| document.name() == name).map_or("./resources", |document| document.place())
    };
    let names: Vec<&str> = documents.iter().map(ResourceDocument::name).collect();
    let parent_of = |name: &str| {
        let resource = resources.iter().find(|resource| resource.name == name)?;
        resource.parent.as_ref().map(|parent| parent.resource.as_str())
    };
    for resource in resources {
        let Some(parent) = &resource.parent else { continue };
        if !names.contains(&parent.resource.as_str()) {
            let what = format!(
                "resource '{}' depends on the non existing '{}', which is not a resource {}",
                resource.name,
                parent.resource,
                accepted(&parent.resource, &names)
            );
            problems.add(place_of(&resource.name), what);
            continue;
        }
        let mut chain = vec![resource.name.as_str()];
        let mut next = parent_of(&resource.name);
        while let Some(ancestor) = next {
            if ancestor == resource.name {
                chain.push(ancestor);
                problems.add(
                    place_of(&resource.name),
                    format!("resources depend on each other in a circle: {}", chain.join(" → ")),
                );
                break;
            }
            // A circle further up is reported by those that are in it.
            if chain.contains(&ancestor) {
                break;
            }
            chain.push(ancestor);
            next = parent_of(ancestor);
        }
    }
}
