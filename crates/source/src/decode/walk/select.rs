//! Finds the records and the paginator's values in one walk over a page.
//!
//! The walk descends only where the selector or a lookup leads, and skips (but checks) everything
//! else. A record is handed to a [`RecordSink`] with the cursor on it. Where a key comes twice in
//! one object, the last one counts: what the first one gave is taken back. Under a wildcard of the
//! selector every member counts.
//!
//! A selector that leads nowhere is only reported when the rest of the page is known to be valid
//! JSON, because a page that was cut lacks things for another reason.

use twox_hash::XxHash3_128;

use crate::paginate::{Content, Lookup, Scalar};
use lakefeed_model::spec::JsonPath;
use lakefeed_model::spec::json_path::Segment;

use crate::decode::error::{DecodeError, PageResult};
use crate::decode::json::scanner::{Kind, Scanner};
use crate::decode::value::refusal::describe;

/// Takes the records of a page.
pub(crate) trait RecordSink {
    /// How much was taken.
    type Mark: Copy;

    /// Takes the value at the cursor and moves the cursor behind it.
    fn record(&mut self, scanner: &mut Scanner<'_>) -> PageResult<()>;

    /// Returns how much was taken so far.
    fn mark(&self) -> Self::Mark;

    /// Takes back what was taken since `mark`.
    fn roll_back(&mut self, mark: Self::Mark);
}

/// What a walk over a page found beside its records.
#[derive(Debug)]
pub(crate) struct Walked {
    /// What was found at each of the lookups.
    pub(crate) values: Vec<Lookup>,
    /// The records, as far as it takes to know them again.
    pub(crate) content: Option<Content>,
}

/// Walks over a page: records go to `sink`, and what was found at each of `lookups` is returned.
///
/// # Errors
/// When the page is not valid JSON, or has no records where `selector` says.
pub(crate) fn walk<S: RecordSink>(
    scanner: &mut Scanner<'_>,
    selector: &JsonPath,
    lookups: &[JsonPath],
    sink: &mut S,
) -> PageResult<Walked> {
    let paths: Vec<_> = lookups.iter().enumerate().map(|(index, path)| (index, path.segments())).collect();
    let values = vec![Lookup::Missing; lookups.len()];
    let mut walker = Walker { scanner, selector, sink, values, seen: Seen::default(), problem: None };
    walker.value(Some(selector.segments()), &paths)?;
    walker.scanner.end()?;
    match walker.problem {
        Some(problem) => Err(problem),
        None => Ok(Walked { values: walker.values, content: walker.seen.content() }),
    }
}

/// Walks over a page of lines: each is a record, and blank ones are passed over.
///
/// # Errors
/// When a line is not valid JSON; the last one, which may be cut, included.
pub(crate) fn walk_lines<S: RecordSink>(scanner: &mut Scanner<'_>, sink: &mut S) -> PageResult<Option<Content>> {
    let mut seen = Seen::default();
    let start = scanner.bookmark();
    while scanner.peek().is_some() {
        seen.record(scanner, sink)?;
        scanner.skip_whitespace();
    }
    seen.note(scanner.text_from(start));
    Ok(seen.content())
}

/// Makes a hash depend on the order of what it is made of (FNV, 128 bits).
const FNV_PRIME: u128 = 0x0000_0000_0100_0000_0000_0000_0000_013B;

/// The records so far.
#[derive(Default)]
struct Seen<'a> {
    first: Option<&'a str>,
    is_varied: bool,
    hash: u128,
}

impl<'a> Seen<'a> {
    /// Hands on the record at the cursor.
    #[inline]
    fn record<S: RecordSink>(&mut self, scanner: &mut Scanner<'a>, sink: &mut S) -> PageResult<()> {
        if self.is_varied {
            return sink.record(scanner);
        }
        let start = scanner.bookmark();
        sink.record(scanner)?;
        let text = scanner.text_from(start);
        self.is_varied = text != *self.first.get_or_insert(text);
        Ok(())
    }

    /// Takes note of `text`, which is records one after another and nothing else: one hash of many
    /// records costs a third of what as many hashes do.
    fn note(&mut self, text: &str) {
        self.hash = (self.hash ^ XxHash3_128::oneshot(text.as_bytes())).wrapping_mul(FNV_PRIME);
    }

    fn content(&self) -> Option<Content> {
        self.first.map(|_| Content { hash: self.hash, is_varied: self.is_varied })
    }
}

struct Walker<'w, 'a, S> {
    scanner: &'w mut Scanner<'a>,
    selector: &'w JsonPath,
    sink: &'w mut S,
    values: Vec<Lookup>,
    seen: Seen<'a>,
    problem: Option<Box<DecodeError>>,
}

/// What is left of the selector below a value; none when the value is beside its path.
type Selecting<'p> = Option<&'p [Segment]>;
/// What is left of each lookup below a value.
type Looking<'p> = Vec<(usize, &'p [Segment])>;

impl<'p, S: RecordSink> Walker<'p, '_, S> {
    fn value(&mut self, selecting: Selecting<'p>, looking: &Looking<'p>) -> PageResult<()> {
        for (index, _) in looking.iter().filter(|(_, rest)| rest.is_empty()) {
            let found = self.scalar()?;
            if let Some(value) = self.values.get_mut(*index) {
                *value = Lookup::Found(found);
            }
        }
        if selecting == Some(&[]) {
            let start = self.scanner.bookmark();
            self.records()?;
            let deeper: Looking<'p> = looking.iter().filter(|(_, rest)| !rest.is_empty()).copied().collect();
            if !deeper.is_empty() {
                self.scanner.return_to(start);
                self.value(None, &deeper)?;
            }
            return Ok(());
        }
        let leads_deeper = selecting.is_some() || looking.iter().any(|(_, rest)| !rest.is_empty());
        match self.scanner.kind()? {
            Kind::Object if leads_deeper => self.object(selecting, looking),
            Kind::Array if leads_deeper => self.array(selecting, looking),
            Kind::Object | Kind::Array | Kind::Null | Kind::Boolean | Kind::Number | Kind::Text => {
                let value = self.scanner.value_text()?;
                if let Some(rest) = selecting {
                    self.selector_missing(rest, describe(value), Vec::new());
                }
                Ok(())
            }
        }
    }

    fn object(&mut self, selecting: Selecting<'p>, looking: &Looking<'p>) -> PageResult<()> {
        let start = self.scanner.clone();
        // What was taken before the selected key first came.
        let mut before_selected = None;
        let wanted = selecting.and_then(|rest| rest.split_first());
        let mut more = self.scanner.enter_object()?;
        while more {
            // A key that is no Unicode text is not the key of a path.
            let key = self.scanner.key()?.decoded().ok();
            let is_key = |name: &str| key.as_deref() == Some(name);
            let below_selector = match wanted {
                Some((Segment::Key(name), rest)) if is_key(name) => {
                    let mark = *before_selected.get_or_insert_with(|| self.sink.mark());
                    self.sink.roll_back(mark);
                    Some(rest)
                }
                Some((Segment::Wildcard, rest)) => Some(rest),
                Some((Segment::Key(_) | Segment::Index(_) | Segment::FromEnd(_), _)) | None => None,
            };
            let mut below_lookups = Looking::new();
            for (index, path) in looking {
                match path.split_first() {
                    Some((Segment::Key(name), rest)) if is_key(name) => {
                        // A key that comes again replaces what came before.
                        if let Some(value) = self.values.get_mut(*index) {
                            *value = Lookup::Missing;
                        }
                        below_lookups.push((*index, rest));
                    }
                    Some((Segment::Wildcard, rest)) => below_lookups.push((*index, rest)),
                    Some((Segment::Key(_) | Segment::Index(_) | Segment::FromEnd(_), _)) | None => {}
                }
            }
            self.value(below_selector, &below_lookups)?;
            more = self.scanner.next_member()?;
        }
        match wanted {
            Some((Segment::Key(_), _)) if before_selected.is_none() => self.key_missing(selecting, start),
            Some((Segment::Index(_) | Segment::FromEnd(_), _)) => self.key_missing(selecting, start),
            Some((Segment::Key(_) | Segment::Wildcard, _)) | None => Ok(()),
        }
    }

    fn array(&mut self, selecting: Selecting<'p>, looking: &Looking<'p>) -> PageResult<()> {
        let mut found = false;
        let mut position = 0;
        let counts_from_end = |path: &[Segment]| matches!(path.first(), Some(Segment::FromEnd(_)));
        let from_end = selecting.is_some_and(counts_from_end) || looking.iter().any(|(_, path)| counts_from_end(path));
        let length = if from_end { self.scanner.clone().skip_elements()? } else { 0 };
        let leads_here = |segment: &Segment, position: usize| match segment {
            Segment::Wildcard => true,
            Segment::Index(index) => *index == position,
            Segment::FromEnd(index) => length.checked_sub(*index) == Some(position),
            Segment::Key(_) => false,
        };
        let wanted = selecting.and_then(|rest| rest.split_first());
        let mut more = self.scanner.enter_array()?;
        while more {
            let below_selector = wanted.filter(|(segment, _)| leads_here(segment, position)).map(|(_, rest)| rest);
            found |= below_selector.is_some();
            let below_lookups: Looking<'p> = looking
                .iter()
                .filter_map(|(index, path)| path.split_first().map(|(segment, rest)| (*index, segment, rest)))
                .filter(|(_, segment, _)| leads_here(segment, position))
                .map(|(index, _, rest)| (index, rest))
                .collect();
            self.value(below_selector, &below_lookups)?;
            position += 1;
            more = self.scanner.next_element()?;
        }
        match (wanted, selecting) {
            // An array without elements has no records, and that is not an error.
            (Some((Segment::Key(_) | Segment::Index(_) | Segment::FromEnd(_), _)), Some(rest)) if !found => {
                let plural = if position == 1 { "" } else { "s" };
                self.selector_missing(rest, format!("an array of {position} element{plural}"), Vec::new());
            }
            _ => {}
        }
        Ok(())
    }

    /// Hands on the records at the cursor.
    fn records(&mut self) -> PageResult<()> {
        let start = self.scanner.bookmark();
        match self.scanner.kind()? {
            Kind::Array => {
                let mut more = self.scanner.enter_array()?;
                while more {
                    self.seen.record(self.scanner, self.sink)?;
                    more = self.scanner.next_element()?;
                }
                self.seen.note(self.scanner.text_from(start));
                Ok(())
            }
            Kind::Object => {
                self.seen.record(self.scanner, self.sink)?;
                self.seen.note(self.scanner.text_from(start));
                Ok(())
            }
            Kind::Null => self.scanner.literal("null"),
            Kind::Boolean | Kind::Number | Kind::Text => {
                let found = describe(self.scanner.value_text()?);
                let path = self.selector.clone();
                let problem = DecodeError::SelectorNotRecords { path, found, detected: false };
                self.problem.get_or_insert_with(|| Box::new(problem));
                Ok(())
            }
        }
    }

    /// Returns the value at the cursor as far as paging needs it. The cursor stays.
    fn scalar(&mut self) -> PageResult<Scalar> {
        let mut scanner = self.scanner.clone();
        Ok(match scanner.kind()? {
            Kind::Null => Scalar::Null,
            Kind::Boolean => Scalar::Bool(scanner.peek() == Some(b't')),
            Kind::Number => Scalar::Number(scanner.number()?.text.to_owned()),
            Kind::Text => match scanner.string()?.decoded() {
                Ok(text) => Scalar::Text(text.into_owned()),
                Err(_) => return self.scanner.fail("Unicode text (a surrogate escape stands alone)"),
            },
            Kind::Object | Kind::Array => Scalar::Container,
        })
    }

    /// Says that the object at `start` lacks what is left of the selector.
    fn key_missing(&mut self, selecting: Selecting<'p>, mut start: Scanner<'_>) -> PageResult<()> {
        let mut keys: Vec<String> = Vec::new();
        let mut more = start.enter_object()?;
        while more && keys.len() < KEYS_SHOWN_MAX {
            let key = start.key()?;
            keys.push(key.decoded().unwrap_or_else(|_| key.raw.into()).chars().take(KEY_CHARACTERS_MAX).collect());
            start.skip_value()?;
            more = start.next_member()?;
        }
        let found = match keys.as_slice() {
            [] => "an empty object".to_owned(),
            keys => format!("an object with {}", keys.join(", ")),
        };
        self.selector_missing(selecting.unwrap_or_default(), found, keys);
        Ok(())
    }

    fn selector_missing(&mut self, rest: &[Segment], found: String, keys: Vec<String>) {
        if self.problem.is_some() {
            return;
        }
        let nearest = match rest.first() {
            Some(Segment::Key(name)) => nearest(name, &keys),
            Some(Segment::Index(_) | Segment::FromEnd(_) | Segment::Wildcard) | None => None,
        };
        let reached = self.selector.segments().len().saturating_sub(rest.len());
        let place = self.selector.prefix(reached);
        let path = self.selector.clone();
        self.problem =
            Some(Box::new(DecodeError::SelectorMissing { path, place, found, keys, nearest, detected: false }));
    }
}

/// Keys that an error names.
const KEYS_SHOWN_MAX: usize = 20;
/// Characters of a key that an error shows.
const KEY_CHARACTERS_MAX: usize = 60;

fn nearest(name: &str, keys: &[String]) -> Option<String> {
    let name = name.to_lowercase();
    keys.iter()
        .map(|key| (strsim::jaro_winkler(&name, &key.to_lowercase()), key))
        .filter(|(likeness, _)| *likeness > 0.75)
        .max_by(|(left, _), (right, _)| left.total_cmp(right))
        .map(|(_, key)| key.clone())
}
