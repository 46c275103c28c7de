//! Where in its text each value of a pipeline file stands. It is only asked for when there is a
//! problem to point at.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::options::DuplicateKeyPolicy;
use serde_saphyr::{Location, Spanned};
use toml::de::{DeTable, DeValue};

use super::format::{Format, Point, point_of};

/// Where a value and its parts stand.
#[derive(Debug)]
pub(super) struct Positions {
    /// Where it begins.
    value: Point,
    /// Where its key begins, if it has one.
    key: Option<Point>,
    parts: Parts,
}

#[derive(Debug)]
enum Parts {
    None,
    List(Vec<Positions>),
    Map(Vec<(String, Positions)>),
}

impl Positions {
    /// Returns where the values of a text stand; `None` where that cannot be told. JSON is read as
    /// the YAML that it is.
    pub(super) fn of(text: &str, format: Format) -> Option<Self> {
        match format {
            Format::Yaml | Format::Json => {
                let options = serde_saphyr::options! { duplicate_keys: DuplicateKeyPolicy::LastWins };
                let root: Spanned<Node> = serde_saphyr::from_str_with_options(text, options).ok()?;
                Some(Self::of_yaml(None, root))
            }
            Format::Toml => {
                let root = DeTable::parse(text).ok()?;
                Some(Self { value: (1, 1), key: None, parts: parts_of_table(text, root.get_ref()) })
            }
        }
    }

    fn of_yaml(key: Option<Location>, node: Spanned<Node>) -> Self {
        let point = |location: Location| (location.line(), location.column());
        let parts = match node.value {
            Node::Single => Parts::None,
            Node::List(elements) => {
                Parts::List(elements.into_iter().map(|element| Self::of_yaml(None, element)).collect())
            }
            Node::Map(members) => Parts::Map(
                members
                    .into_iter()
                    .map(|(key, member)| (key.value, Self::of_yaml(Some(key.referenced), member)))
                    .collect(),
            ),
        };
        Self { value: point(node.referenced), key: key.map(point), parts }
    }

    /// Returns the point of a place such as `./resources[0]/endpoint`, of a key of the mapping
    /// there, or of what is around it where the text does not have it. What a resource has of the
    /// defaults stands there.
    pub(super) fn find(&self, place: &str, key: Option<&str>) -> Point {
        let rest = place.strip_prefix('.').unwrap_or(place);
        let (mut found, is_there) = self.walk(rest);
        if !is_there
            && let Some((_, within)) = rest.strip_prefix("/resources[").and_then(|rest| rest.split_once(']'))
            && let (default, true) = self.walk(&format!("/resource_defaults{within}"))
        {
            found = default;
        }
        let member = key.and_then(|key| found.part(&format!("/{key}")).map(|(member, _)| member.key));
        member.flatten().unwrap_or_else(|| found.point())
    }

    /// Returns the value of a place, or the one around it that is there; and whether it is the
    /// place's own.
    fn walk(&self, rest: &str) -> (&Self, bool) {
        if rest.is_empty() {
            return (self, true);
        }
        match self.part(rest) {
            Some((part, rest)) => part.walk(rest),
            None => (self, false),
        }
    }

    /// Returns the part that a place begins with, and the rest of the place.
    fn part<'s, 'p>(&'s self, place: &'p str) -> Option<(&'s Self, &'p str)> {
        match &self.parts {
            Parts::None => None,
            Parts::List(elements) => {
                let (position, rest) = place.strip_prefix('[')?.split_once(']')?;
                Some((elements.get(position.parse::<usize>().ok()?)?, rest))
            }
            Parts::Map(members) => {
                let place = place.strip_prefix('/')?;
                // A key may have `/` and `[` in it, so the longest one that fits is meant.
                let fits = |(key, member): &'s (String, Self)| {
                    let rest = place.strip_prefix(key.as_str())?;
                    (rest.is_empty() || rest.starts_with(['/', '['])).then_some((member, rest))
                };
                members.iter().filter_map(fits).min_by_key(|(_, rest)| rest.len())
            }
        }
    }

    /// Returns the place of a value: a mapping or a list is at its key, a single value where it
    /// begins.
    fn point(&self) -> Point {
        match self.parts {
            Parts::None => self.value,
            Parts::List(_) | Parts::Map(_) => self.key.unwrap_or(self.value),
        }
    }
}

/// A YAML value of which only the places count.
enum Node {
    Single,
    List(Vec<Spanned<Self>>),
    Map(Vec<(Spanned<String>, Spanned<Self>)>),
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NodeVisitor)
    }
}

struct NodeVisitor;

impl<'de> Visitor<'de> for NodeVisitor {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_bool<E>(self, _: bool) -> Result<Node, E> {
        Ok(Node::Single)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Node, E> {
        Ok(Node::Single)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Node, E> {
        Ok(Node::Single)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Node, E> {
        Ok(Node::Single)
    }

    fn visit_str<E>(self, _: &str) -> Result<Node, E> {
        Ok(Node::Single)
    }

    fn visit_unit<E>(self) -> Result<Node, E> {
        Ok(Node::Single)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Node, A::Error> {
        let mut found = Vec::new();
        while let Some(element) = elements.next_element()? {
            found.push(element);
        }
        Ok(Node::List(found))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Node, A::Error> {
        let mut found = Vec::new();
        while let Some(member) = members.next_entry()? {
            found.push(member);
        }
        Ok(Node::Map(found))
    }
}

fn parts_of_table(text: &str, table: &DeTable<'_>) -> Parts {
    let member = |(key, value): (&toml::Spanned<toml::de::DeString<'_>>, &toml::Spanned<DeValue<'_>>)| {
        let key_point = point_of(text, key.span().start);
        (key.get_ref().to_string(), of_toml(text, Some(key_point), value))
    };
    Parts::Map(table.iter().map(member).collect())
}

fn of_toml(text: &str, key: Option<Point>, value: &toml::Spanned<DeValue<'_>>) -> Positions {
    let parts = match value.get_ref() {
        DeValue::Array(elements) => Parts::List(elements.iter().map(|element| of_toml(text, None, element)).collect()),
        DeValue::Table(table) => parts_of_table(text, table),
        _ => Parts::None,
    };
    Positions { value: point_of(text, value.span().start), key, parts }
}
