//! GraphQL answers with 200 and says beside `data` what went wrong (GraphQL spec, 7.1.2): such data
//! lack something.

use crate::paginate::Lookup;
use crate::spec::{EndpointSpec, GraphqlErrors};
use lakefeed_model::spec::JsonPath;
use lakefeed_model::spec::json_path::Segment;

/// Watches for errors beside the data of a listing whose records are within `data`.
#[derive(Debug, Default)]
pub(crate) struct ErrorsBesideData {
    /// Where the first message is; none where nothing is watched.
    place: Option<JsonPath>,
    is_fatal: bool,
    first: Option<String>,
}

impl ErrorsBesideData {
    /// Returns a watch over the pages of an endpoint.
    pub(crate) fn of(endpoint: &EndpointSpec) -> Self {
        let is_data = |segment: &Segment| matches!(segment, Segment::Key(key) if key == "data");
        let selector = endpoint.data_selector.as_ref().map(JsonPath::segments).unwrap_or_default();
        let is_watched = endpoint.graphql_errors != GraphqlErrors::Ignore && selector.first().is_some_and(is_data);
        let key = |name: &str| Segment::Key(name.to_owned());
        let place = is_watched.then(|| JsonPath::of([key("errors"), Segment::Index(0), key("message")]));
        Self { place, is_fatal: endpoint.graphql_errors == GraphqlErrors::Fail, first: None }
    }

    /// Returns where a page has the message.
    pub(crate) fn question(&self) -> Option<JsonPath> {
        self.place.clone()
    }

    /// Takes the answer to [`Self::question`], the last of the values of a page. Returns the
    /// message that fails the listing.
    pub(crate) fn answered(&mut self, values: &mut Vec<Lookup>) -> Option<String> {
        self.place.as_ref()?;
        let said = values.pop()?.found()?.as_text()?;
        let said: String = said.chars().take(200).collect();
        if self.is_fatal {
            return Some(said);
        }
        self.first.get_or_insert(said);
        None
    }

    /// Returns why the data may lack something.
    pub(crate) fn doubt(&self) -> Option<String> {
        self.first.as_ref().map(|said| format!("the API gave errors beside the data, the first of them: {said}"))
    }
}
