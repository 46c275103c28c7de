//! Reads a value by its kind, and notes what is missing, unknown or of another type. The macros
//! [`mapping`], [`tagged`] and [`words`] make a type, its reading and its description of one text,
//! so that no key can be read that is not described.

use serde_json::{Map, Value};

use super::kind::{Entry, Form, Holds, Key, Kind, Need, Union, Variant};
use super::problems::{Problems, accepted, has_stand_in};

/// Words in a place's name that make its value a secret: it is not shown, whatever is wrong with
/// it.
const SECRET_PLACES: &[&str] = &["auth", "headers"];

/// A place of the document, such as `./resources[0]/endpoint`, and where problems go.
#[derive(Debug, Clone)]
pub(crate) struct At<'a> {
    pub(crate) place: String,
    problems: &'a Problems,
}

/// What is read of a place.
pub(crate) trait Read {
    /// What becomes of it.
    type Value;
    /// What may stand there.
    const KIND: Kind;
    /// Whether null has a meaning; elsewhere it is as good as absent.
    const TAKES_NULL: bool = false;

    /// Reads the value; notes a problem, and returns `None`, where it is of another kind.
    fn read(value: &Value, at: &At<'_>) -> Option<Self::Value>;

    /// Writes a value as a file has it, for defaults.
    fn write(_: &Self::Value) -> Value {
        Value::Null
    }
}

/// A mapping with described keys.
pub(crate) trait Mapping: Sized {
    /// Its keys.
    const FORM: Form;

    /// Reads every key.
    fn read_keys(fields: &Fields<'_>) -> Self;

    /// Returns its place in the file.
    fn place(&self) -> &str;

    /// Returns what holds where the whole mapping is absent.
    fn absent(place: &str) -> Self {
        let problems = Problems::default();
        let at = At { place: place.to_owned(), problems: &problems };
        Self::read_keys(&Fields { at, object: &Map::new(), form: &Self::FORM, spared: "" })
    }
}

/// The fields of one mapping of a document.
#[derive(Debug)]
pub(crate) struct Fields<'a> {
    pub(crate) at: At<'a>,
    object: &'a Map<String, Value>,
    form: &'static Form,
    /// The required key that may be missing.
    spared: &'static str,
}

impl<'a> At<'a> {
    /// Returns the whole document.
    pub(crate) fn root(problems: &'a Problems) -> Self {
        Self { place: ".".to_owned(), problems }
    }

    /// Returns the place of a key of the mapping here.
    pub(crate) fn key(&self, key: &str) -> Self {
        Self { place: format!("{}/{key}", self.place), problems: self.problems }
    }

    /// Returns the place of an element of the list here.
    pub(crate) fn element(&self, position: usize) -> Self {
        Self { place: format!("{}[{position}]", self.place), problems: self.problems }
    }

    /// Notes a problem of form.
    pub(crate) fn add(&self, what: impl AsRef<str>) {
        self.problems.add_form(&self.place, None, what);
    }

    /// Notes that something else is expected.
    pub(crate) fn expected(&self, kind: &Kind, found: &Value) {
        let is_secret = SECRET_PLACES.iter().any(|word| self.place.split('/').any(|part| part == *word));
        let found = if is_secret { name_of(found).to_owned() } else { self.show(found) };
        self.add(format!("expected {}, found {found}", kind.phrase()));
    }

    /// Returns a value for a message, cut to a bearable length.
    fn show(&self, value: &Value) -> String {
        match value {
            Value::Array(_) | Value::Object(_) => name_of(value).to_owned(),
            Value::Null | Value::Bool(_) | Value::Number(_) => value.to_string(),
            // What is cut would not be known for a secret any more.
            Value::String(text) => format!("'{}'", self.problems.masked(text).chars().take(60).collect::<String>()),
        }
    }
}

impl<'a> Fields<'a> {
    /// Returns the fields of `value`; a problem and `None` when it is not a mapping. Keys that the
    /// form does not have are problems; `tag` is one that it need not have.
    pub(crate) fn of(value: &'a Value, at: &At<'a>, form: &'static Form, tag: &str) -> Option<Self> {
        let Value::Object(object) = value else {
            at.expected(&Kind::Mapping(form), value);
            return None;
        };
        let mut names: Vec<&str> = form.keys().flat_map(Key::names).collect();
        names.extend((!tag.is_empty()).then_some(tag));
        names.sort_unstable();
        for (key, value) in object {
            let here = |what: String| at.problems.add_form(&at.place, Some(key), what);
            let other = form
                .entries()
                .into_iter()
                .find(|entry| matches!(entry, Entry::Ignored(name) | Entry::Refused(name) if name == key));
            match other {
                _ if names.contains(&key.as_str()) => {}
                Some(Entry::Refused(_)) if !value.is_null() => {
                    here(format!("'{key}' is not supported by this version of lakefeed"));
                }
                Some(_) => {}
                None => here(format!("received unexpected field '{key}' {}", accepted(key, &names))),
            }
        }
        Some(Self { at: at.clone(), object, form, spared: "" })
    }

    /// Returns the same fields, of which `key` may be missing.
    pub(crate) fn sparing(self, key: &'static str) -> Self {
        Self { spared: key, ..self }
    }

    /// Returns the value of a key, which the form has.
    pub(crate) fn get<R: Read>(&self, name: &str) -> Option<R::Value> {
        let key = self.form.keys().find(|key| key.name == name)?;
        let given = |name: &&str| self.object.get(*name).is_some_and(|value| R::TAKES_NULL || !value.is_null());
        let found: Vec<&str> = key.names().filter(given).collect();
        match found.as_slice() {
            [] if matches!(key.need, Need::Required) && self.spared != key.name => {
                let words = match key.kind {
                    Kind::Words { words, .. } => format!(" (accepted: {})", words.join(", ")),
                    _ => String::new(),
                };
                self.at.add(format!("'{}' is missing{words}", key.name));
                None
            }
            [] => None,
            [name] => R::read(self.object.get(*name)?, &self.at.key(name)),
            [one, other, ..] => {
                self.at.add(format!("'{one}' and '{other}' are the same thing; give one"));
                None
            }
        }
    }
}

impl Key {
    /// Returns its name and the other words for it.
    pub(crate) fn names(&self) -> impl Iterator<Item = &'static str> + use<> {
        std::iter::once(self.name).chain(self.aliases.iter().copied())
    }
}

/// Reads a mapping, or the string that stands for one.
pub(crate) fn read_mapping<M: Mapping>(value: &Value, at: &At<'_>) -> Option<M> {
    let short = match (value, M::FORM.short) {
        (Value::String(_), Some(short)) => Some(Value::Object(Map::from_iter([(short.to_owned(), value.clone())]))),
        _ => None,
    };
    let fields = Fields::of(short.as_ref().unwrap_or(value), at, const { &M::FORM }, "")?;
    Some(M::read_keys(&fields))
}

/// Returns the variant that a mapping, or a word alone, names.
pub(crate) fn variant_of(value: &Value, at: &At<'_>, union: &'static Union) -> Option<&'static Variant> {
    let (given, at) = match value {
        Value::String(_) if union.is_short => (Some(value), at.clone()),
        Value::Object(object) => (object.get(union.tag).filter(|tag| !tag.is_null()), at.key(union.tag)),
        _ => {
            at.expected(&Kind::Union(union), value);
            return None;
        }
    };
    let words = union.words();
    match (given, union.default) {
        (Some(Value::String(word)), _) if has_stand_in(word) => None,
        (Some(Value::String(word)), _) => {
            let found =
                union.variants.iter().find(|variant| variant.word == word || variant.aliases.contains(&word.as_str()));
            if found.is_none() {
                at.add(format!("'{word}' is not known {}", accepted(word, &words)));
            }
            found
        }
        (Some(other), _) => {
            at.expected(&Kind::String(Holds::Text), other);
            None
        }
        (None, Some(word)) => union.variants.iter().find(|variant| variant.word == word),
        (None, None) => {
            at.add(format!("'{}' is missing (accepted: {})", union.tag, words.join(", ")));
            None
        }
    }
}

/// Reads the mapping of a variant.
pub(crate) fn read_variant<M: Mapping>(value: &Value, at: &At<'_>, tag: &str) -> Option<M> {
    let nothing = Value::Object(Map::new());
    let value = match (value, M::FORM.required().next()) {
        (Value::String(word), Some(key)) => {
            at.add(format!("'{word}' alone is not enough: write {{{tag}: {word}, {key}: …}}"));
            return None;
        }
        (Value::String(_), None) => &nothing,
        _ => value,
    };
    Fields::of(value, at, const { &M::FORM }, tag).map(|fields| M::read_keys(&fields))
}

/// Returns whether a value is only known when the pipeline runs.
pub(crate) fn is_open(value: &Value) -> bool {
    value.as_str().is_some_and(has_stand_in)
}

/// Returns the kind of a value, for messages that must not show it.
pub(crate) fn name_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "a mapping",
    }
}

/// Makes a mapping: its type, its description and its reading. A key stands as
/// `name: Kind [what holds where it is absent]`:
///
/// * `[required]`: an `Option`, and a problem where it is absent
/// * `[none]`, `[usually "…"]`: an `Option`
/// * `[list]`: a list or mapping without anything in it
/// * `[empty]`: a mapping, as if it were there without keys
/// * `[VALUE]`: that value
///
/// `..part: Other` has the keys of another mapping. Doc comments are the reference of the file.
macro_rules! mapping {
    (
        $(#[doc = $about:literal])+
        $name:ident $title:literal $(or $short:literal)? {
            $(
                $(#[doc = $doc:literal])+
                $key:ident $($spelled:literal)? $(| $alias:ident)* : $kind:ty [$($need:tt)+] $(like $example:literal)*,
            )*
            $(.. $part:ident : $part_type:ty,)*
            $(ignored [$($ignored:literal),+],)?
            $(refused [$($refused:literal),+],)?
        }
    ) => {
        $(#[doc = $about])+
        #[derive(Debug, Clone)]
        pub(crate) struct $name {
            place: String,
            $($(#[doc = $doc])+ pub(crate) $key: mapping!(@type $kind, $($need)+),)*
            $(pub(crate) $part: $part_type,)*
        }

        impl $crate::config::document::read::Mapping for $name {
            const FORM: $crate::config::document::kind::Form = $crate::config::document::kind::Form {
                name: $title,
                about: concat!($($about),+),
                short: mapping!(@short $($short)?),
                entries: &[
                    $($crate::config::document::kind::Entry::Key($crate::config::document::kind::Key {
                        name: mapping!(@name $key $($spelled)?),
                        aliases: &[$(stringify!($alias)),*],
                        kind: <$kind as $crate::config::document::read::Read>::KIND,
                        need: mapping!(@need $kind, $($need)+),
                        about: concat!($($doc),+),
                        examples: &[$($example),*],
                    }),)*
                    $($crate::config::document::kind::Entry::All(
                        &<$part_type as $crate::config::document::read::Mapping>::FORM,
                    ),)*
                    $($($crate::config::document::kind::Entry::Ignored($ignored),)+)?
                    $($($crate::config::document::kind::Entry::Refused($refused),)+)?
                ],
            };

            fn read_keys(fields: &$crate::config::document::read::Fields<'_>) -> Self {
                Self {
                    place: fields.at.place.clone(),
                    $($key: mapping!(@read fields, $kind, mapping!(@name $key $($spelled)?), $($need)+),)*
                    $($part: <$part_type as $crate::config::document::read::Mapping>::read_keys(fields),)*
                }
            }

            fn place(&self) -> &str {
                &self.place
            }
        }

        impl $crate::config::document::read::Read for $name {
            type Value = Self;
            const KIND: $crate::config::document::kind::Kind = $crate::config::document::kind::Kind::Mapping(
                &<Self as $crate::config::document::read::Mapping>::FORM,
            );

            fn read(
                value: &serde_json::Value,
                at: &$crate::config::document::read::At<'_>,
            ) -> Option<Self> {
                $crate::config::document::read::read_mapping(value, at)
            }
        }
    };
    (@type $kind:ty, required) => { Option<<$kind as $crate::config::document::read::Read>::Value> };
    (@type $kind:ty, none) => { Option<<$kind as $crate::config::document::read::Read>::Value> };
    (@type $kind:ty, usually $text:literal) => { Option<<$kind as $crate::config::document::read::Read>::Value> };
    (@type $kind:ty, list) => { <$kind as $crate::config::document::read::Read>::Value };
    (@type $kind:ty, empty usually $text:literal) => { $kind };
    (@type $kind:ty, empty) => { $kind };
    (@type $kind:ty, $default:expr) => { <$kind as $crate::config::document::read::Read>::Value };
    (@need $kind:ty, required) => { $crate::config::document::kind::Need::Required };
    (@need $kind:ty, none) => { $crate::config::document::kind::Need::Optional };
    (@need $kind:ty, usually $text:literal) => { $crate::config::document::kind::Need::Usually($text) };
    (@need $kind:ty, list) => { $crate::config::document::kind::Need::Optional };
    (@need $kind:ty, empty usually $text:literal) => { $crate::config::document::kind::Need::Usually($text) };
    (@need $kind:ty, empty) => { $crate::config::document::kind::Need::Usually("see there") };
    (@need $kind:ty, $default:expr) => {
        $crate::config::document::kind::Need::Default(|| {
            <$kind as $crate::config::document::read::Read>::write(&$default)
        })
    };
    (@read $fields:ident, $kind:ty, $name:expr, required) => { $fields.get::<$kind>($name) };
    (@read $fields:ident, $kind:ty, $name:expr, none) => { $fields.get::<$kind>($name) };
    (@read $fields:ident, $kind:ty, $name:expr, usually $text:literal) => { $fields.get::<$kind>($name) };
    (@read $fields:ident, $kind:ty, $name:expr, list) => { $fields.get::<$kind>($name).unwrap_or_default() };
    (@read $fields:ident, $kind:ty, $name:expr, empty usually $text:literal) => {
        mapping!(@read $fields, $kind, $name, empty)
    };
    (@read $fields:ident, $kind:ty, $name:expr, empty) => {
        $fields.get::<$kind>($name).unwrap_or_else(|| {
            <$kind as $crate::config::document::read::Mapping>::absent(&$fields.at.key($name).place)
        })
    };
    (@read $fields:ident, $kind:ty, $name:expr, $default:expr) => {
        $fields.get::<$kind>($name).unwrap_or_else(|| $default)
    };
    (@name $key:ident) => { stringify!($key) };
    (@name $key:ident $spelled:literal) => { $spelled };
    (@short) => { None };
    (@short $short:literal) => { Some($short) };
}

/// A mapping whose keys depend on a word, where it has no more of them.
#[derive(Debug)]
pub(crate) struct Nothing;

impl Mapping for Nothing {
    const FORM: Form = Form { name: "nothing", about: "It has no other key.", short: None, entries: &[] };

    fn read_keys(_: &Fields<'_>) -> Self {
        Self
    }

    fn place(&self) -> &'static str {
        "."
    }
}

/// Makes a mapping whose keys depend on a word:
/// `"word" | "another word for it" => Variant(Mapping)`.
macro_rules! tagged {
    (
        $(#[doc = $about:literal])+
        $name:ident $title:literal by $tag:literal $(else $default:literal)?, short: $is_short:literal {
            $($word:literal $(| $alias:literal)* => $variant:ident$(($type:ty))?,)+
        }
    ) => {
        $(#[doc = $about])+
        #[derive(Debug, Clone)]
        pub(crate) enum $name {
            $($variant$((Box<$type>))?,)+
        }

        impl $name {
            pub(crate) const UNION: $crate::config::document::kind::Union = $crate::config::document::kind::Union {
                name: $title,
                about: concat!($($about),+),
                tag: $tag,
                default: mapping!(@short $($default)?),
                is_short: $is_short,
                variants: &[$($crate::config::document::kind::Variant {
                    word: $word,
                    aliases: &[$($alias),*],
                    form: tagged!(@form $($type)?),
                }),+],
            };
        }

        impl $crate::config::document::read::Read for $name {
            type Value = Self;
            const KIND: $crate::config::document::kind::Kind =
                $crate::config::document::kind::Kind::Union(&Self::UNION);

            fn read(
                value: &serde_json::Value,
                at: &$crate::config::document::read::At<'_>,
            ) -> Option<Self> {
                let variant = $crate::config::document::read::variant_of(value, at, const { &Self::UNION })?;
                match variant.word {
                    $($word => tagged!(@read $variant, value, at, $tag $(, $type)?),)+
                    _ => None,
                }
            }
        }
    };
    (@form) => { &<$crate::config::document::read::Nothing as $crate::config::document::read::Mapping>::FORM };
    (@form $type:ty) => { &<$type as $crate::config::document::read::Mapping>::FORM };
    (@read $variant:ident, $value:ident, $at:ident, $tag:literal) => {
        $crate::config::document::read::read_variant::<$crate::config::document::read::Nothing>($value, $at, $tag)
            .map(|_| Self::$variant)
    };
    (@read $variant:ident, $value:ident, $at:ident, $tag:literal, $type:ty) => {
        $crate::config::document::read::read_variant::<$type>($value, $at, $tag)
            .map(|read| Self::$variant(Box::new(read)))
    };
}

/// Makes the words of a choice: `"word" = VALUE`, and after `also` other words for the same.
macro_rules! words {
    ($($type:ty { $($word:literal = $value:expr),+ $(; also $($alias:literal = $other:expr),+)? })+) => {$(
        impl $crate::config::document::values::Words for $type {
            const NAMES: &'static [&'static str] = &[$($word),+];
            const ALIASES: &'static [&'static str] = &[$($($alias),+)?];
            const VALUES: &'static [(&'static str, Self)] = &[$(($word, $value),)+ $($(($alias, $other),)+)?];
        }
    )+};
}

pub(crate) use {mapping, tagged, words};
