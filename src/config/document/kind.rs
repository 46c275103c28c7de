//! What may stand where in a pipeline file, as data. Reading, the words of messages, the reference
//! and the JSON Schema all come from it.

use serde_json::Value;

/// What may stand in one place.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Kind {
    /// Any JSON.
    Any,
    Boolean,
    /// An integer from `min` to `max`.
    Integer {
        min: u64,
        max: u64,
        unit: &'static str,
    },
    /// A number from `min` to `max`, or above `min` where that is not included.
    Number {
        min: f64,
        excludes_min: bool,
        max: f64,
        unit: &'static str,
    },
    AnyNumber,
    String(Holds),
    /// Seconds, or an integer with a unit: `90`, `15m`, `1d`.
    Duration,
    /// One of some words, and other spellings of them.
    Words {
        words: &'static [&'static str],
        aliases: &'static [&'static str],
    },
    /// A string, number or boolean that goes into a request as text; null leaves it out.
    Scalar,
    List {
        of: &'static Self,
        min: usize,
    },
    /// A list of a name and a value.
    Pair(&'static Self),
    /// A mapping whose keys are the user's.
    Map(&'static Self),
    Mapping(&'static Form),
    /// A mapping of which no key is required.
    Partial(&'static Form),
    /// A mapping of which one more key is required.
    Named(&'static Form, &'static str),
    Union(&'static Union),
    Either(&'static [Self]),
    /// A string of which a regular expression knows the form, and what it is called.
    Pattern(&'static str, &'static str),
    /// One JSON value, and what stands for it in messages.
    Only(&'static str),
}

/// What a string holds. Whether it does is a matter of meaning, not of form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Holds {
    Text,
    Url,
    /// A path into JSON.
    Path,
    /// A text with placeholders.
    Template,
    Expression,
    Secret,
    /// The name of a column.
    Column,
    File,
    /// A date or a date-time.
    Instant,
    /// A column's type.
    Type,
}

/// A mapping: its keys.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Form {
    /// What the JSON Schema and the reference call it.
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    /// The key that a string means which stands in place of the mapping.
    pub(crate) short: Option<&'static str>,
    pub(crate) entries: &'static [Entry],
}

/// What a mapping has.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Entry {
    Key(Key),
    /// The keys of another form, which several mappings have in common.
    All(&'static Form),
    /// A key of dlt's vocabulary that changes nothing here.
    Ignored(&'static str),
    /// A key of dlt's vocabulary that this version does not do, and that would change what is
    /// loaded.
    Refused(&'static str),
}

/// A key of a mapping, said once.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Key {
    pub(crate) name: &'static str,
    /// Other words for it.
    pub(crate) aliases: &'static [&'static str],
    pub(crate) kind: Kind,
    pub(crate) need: Need,
    /// What it means, in Markdown.
    pub(crate) about: &'static str,
    pub(crate) examples: &'static [&'static str],
}

/// What holds where a key is absent.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Need {
    /// It must be there.
    Required,
    /// Nothing.
    Optional,
    /// What the text says, in Markdown.
    Usually(&'static str),
    /// A value.
    Default(fn() -> Value),
}

/// A mapping whose keys depend on a word in it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Union {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    /// The key of the word.
    pub(crate) tag: &'static str,
    /// The word that holds where none is given.
    pub(crate) default: Option<&'static str>,
    /// Whether the word alone may stand in place of the mapping.
    pub(crate) is_short: bool,
    pub(crate) variants: &'static [Variant],
}

/// One of the mappings of a [`Union`].
#[derive(Debug, Clone, Copy)]
pub(crate) struct Variant {
    pub(crate) word: &'static str,
    /// Other words for it.
    pub(crate) aliases: &'static [&'static str],
    pub(crate) form: &'static Form,
}

impl Form {
    /// Returns every entry, those of the forms in it included.
    pub(crate) fn entries(&self) -> Vec<&'static Entry> {
        let all = |entry: &'static Entry| match entry {
            Entry::All(form) => form.entries(),
            Entry::Key(_) | Entry::Ignored(_) | Entry::Refused(_) => vec![entry],
        };
        self.entries.iter().flat_map(all).collect()
    }

    /// Returns every key.
    pub(crate) fn keys(&self) -> impl Iterator<Item = &'static Key> {
        self.entries().into_iter().filter_map(|entry| match entry {
            Entry::Key(key) => Some(key),
            Entry::All(_) | Entry::Ignored(_) | Entry::Refused(_) => None,
        })
    }

    /// Returns the names of its required keys.
    pub(crate) fn required(&self) -> impl Iterator<Item = &'static str> {
        self.keys().filter(|key| matches!(key.need, Need::Required)).map(|key| key.name)
    }
}

impl Holds {
    /// Returns what it is called.
    const fn name(self) -> &'static str {
        match self {
            Self::Text | Self::Secret => "",
            Self::Url => "URL",
            Self::Path => "JSON path",
            Self::Template => "template",
            Self::Expression => "expression",
            Self::Column => "column",
            Self::File => "file",
            Self::Instant => "date or date-time",
            Self::Type => "type",
        }
    }
}

impl Union {
    /// Returns the words, without other spellings of them.
    pub(crate) fn words(&self) -> Vec<&'static str> {
        self.variants.iter().map(|variant| variant.word).collect()
    }
}

impl Kind {
    /// Returns what is expected, for messages: `a boolean`, `an integer of at least 1`.
    pub(crate) fn phrase(&self) -> String {
        match self {
            Self::Any => "any value".to_owned(),
            Self::Boolean => "a boolean".to_owned(),
            Self::Integer { min, max, .. } if min == max => min.to_string(),
            Self::Integer { min, max, unit } => {
                let of = if unit.is_empty() { String::new() } else { format!(" of {unit}") };
                match (min, max) {
                    (0, &u64::MAX) => format!("an integer{of} that is not negative"),
                    (min, &u64::MAX) => format!("an integer{of}, at least {min}"),
                    (min, max) => format!("an integer{of} from {min} to {max}"),
                }
            }
            Self::Number { min, excludes_min, max, unit } => {
                let of = if unit.is_empty() { String::new() } else { format!(" of {unit}") };
                match excludes_min {
                    true => format!("a number{of}, more than {min}"),
                    false if max.is_finite() => format!("a number{of} from {min} to {max}"),
                    false => format!("a number{of} that is not negative"),
                }
            }
            Self::AnyNumber => "a number".to_owned(),
            Self::String(holds) => match holds.name() {
                "" => "a string".to_owned(),
                name => format!("a string ({name})"),
            },
            Self::Duration => "a duration such as 30m, 6h or 1d".to_owned(),
            Self::Words { words, .. } => format!("one of {}", words.join(", ")),
            Self::Scalar => "a string, a number or a boolean".to_owned(),
            Self::List { of, .. } => match of {
                Self::String(_) => "a list of strings".to_owned(),
                Self::Integer { .. } => "a list of integers".to_owned(),
                Self::Pair(_) => "a list of [name, value] pairs".to_owned(),
                Self::Mapping(_) | Self::Named(_, _) => "a list of mappings".to_owned(),
                _ => "a list".to_owned(),
            },
            Self::Pair(_) => "a pair: [name, value]".to_owned(),
            Self::Map(_) | Self::Mapping(Form { short: None, .. }) | Self::Partial(_) | Self::Named(_, _) => {
                "a mapping".to_owned()
            }
            Self::Mapping(Form { short: Some(short), .. }) => format!("a mapping, or its {short} alone"),
            Self::Union(union) if union.is_short => format!("a mapping, or its {} alone", union.tag),
            Self::Union(_) => "a mapping".to_owned(),
            Self::Either(kinds) => kinds.iter().map(Self::phrase).collect::<Vec<_>>().join(" or "),
            Self::Pattern(_, phrase) => (*phrase).to_owned(),
            Self::Only(value) => (*value).to_owned(),
        }
    }
}
