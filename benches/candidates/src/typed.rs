//! Serde: visitors that push each record into the buffers as it comes, over serde_json or sonic-rs.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::instant::instant;
use crate::rows::{Flat, Outcome, Rows, Wide};

/// The text of a JSON value, as it came.
pub(crate) trait Raw {
    fn text(&self) -> &str;
}

impl Raw for &serde_json::value::RawValue {
    fn text(&self) -> &str {
        self.get()
    }
}

impl Raw for sonic_rs::LazyValue<'_> {
    fn text(&self) -> &str {
        self.as_raw_str()
    }
}

/// Text that is copied only where it has escapes. (Serde copies a `Cow` within an `Option` always.)
struct Text<'a>(Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TextVisitor;
        impl<'de> Visitor<'de> for TextVisitor {
            type Value = Text<'de>;
            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("a text")
            }
            fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Text(Cow::Borrowed(text)))
            }
            fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Text(Cow::Owned(text.to_owned())))
            }
        }
        deserializer.deserialize_str(TextVisitor)
    }
}

struct Instant(i64);

impl<'de> Deserialize<'de> for Instant {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InstantVisitor;
        impl Visitor<'_> for InstantVisitor {
            type Value = Instant;
            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("a date-time")
            }
            fn visit_str<E: Error>(self, text: &str) -> Result<Instant, E> {
                instant(text).map(Instant).map_err(E::custom)
            }
        }
        deserializer.deserialize_str(InstantVisitor)
    }
}

/// A record that goes into buffers.
pub(crate) trait Record<'de>: Deserialize<'de> {
    type Rows: Rows;
    fn push(self, rows: &mut Self::Rows) -> Outcome<()>;
}

#[derive(Deserialize)]
pub(crate) struct FlatEvent<'a> {
    #[serde(borrow)]
    event_id: Text<'a>,
    #[serde(borrow)]
    summary: Option<Text<'a>>,
    start_time: Option<Instant>,
    end_time: Option<Instant>,
}

impl<'de: 'a, 'a> Record<'de> for FlatEvent<'a> {
    type Rows = Flat;

    fn push(self, rows: &mut Flat) -> Outcome<()> {
        rows.event_id.append_value(self.event_id.0);
        rows.start_time.append_option(self.start_time.map(|instant| instant.0));
        rows.end_time.append_option(self.end_time.map(|instant| instant.0));
        rows.summary.append_option(self.summary.map(|text| text.0));
        rows.end_row()
    }
}

#[derive(Deserialize)]
struct Person<'a> {
    #[serde(borrow)]
    email: Option<Text<'a>>,
    #[serde(borrow, rename = "displayName")]
    name: Option<Text<'a>>,
}

#[derive(Deserialize)]
struct Time<'a> {
    #[serde(rename = "dateTime")]
    instant: Option<Instant>,
    #[serde(borrow, rename = "timeZone")]
    zone: Option<Text<'a>>,
}

#[derive(Deserialize)]
struct Attendee<'a> {
    #[serde(borrow)]
    email: Option<Text<'a>>,
    #[serde(borrow, rename = "displayName")]
    name: Option<Text<'a>>,
    #[serde(borrow, rename = "responseStatus")]
    status: Option<Text<'a>>,
    optional: Option<bool>,
}

#[derive(Deserialize)]
#[serde(bound(deserialize = "J: Deserialize<'de>, 'de: 'a"), rename_all = "camelCase")]
pub(crate) struct WideEvent<'a, J> {
    #[serde(borrow)]
    id: Text<'a>,
    #[serde(borrow)]
    status: Option<Text<'a>>,
    created: Option<Instant>,
    updated: Option<Instant>,
    #[serde(borrow)]
    summary: Option<Text<'a>>,
    #[serde(borrow)]
    description: Option<Text<'a>>,
    #[serde(borrow)]
    location: Option<Text<'a>>,
    #[serde(borrow)]
    organizer: Option<Person<'a>>,
    #[serde(borrow)]
    start: Option<Time<'a>>,
    #[serde(borrow)]
    end: Option<Time<'a>>,
    #[serde(borrow)]
    recurrence: Option<Vec<Option<Text<'a>>>>,
    sequence: Option<i64>,
    #[serde(borrow)]
    attendees: Option<Vec<Attendee<'a>>>,
    guests_can_invite_others: Option<bool>,
    reminders: Option<J>,
}

impl<'de: 'a, 'a, J: Raw + Deserialize<'de>> Record<'de> for WideEvent<'a, J> {
    type Rows = Wide;

    fn push(self, rows: &mut Wide) -> Outcome<()> {
        let text = |text: Option<Text<'a>>| text.map(|text| text.0);
        let micros = |instant: Option<Instant>| instant.map(|instant| instant.0);
        rows.id.append_value(self.id.0);
        rows.status.append_option(text(self.status));
        rows.created.append_option(micros(self.created));
        rows.updated.append_option(micros(self.updated));
        rows.summary.append_option(text(self.summary));
        rows.description.append_option(text(self.description));
        rows.location.append_option(text(self.location));
        if let Some(person) = self.organizer {
            rows.organizer.email.append_option(text(person.email));
            rows.organizer.name.append_option(text(person.name));
            rows.organizer.end()?;
        }
        for (time, column) in [(self.start, &mut rows.start), (self.end, &mut rows.end)] {
            if let Some(time) = time {
                column.instant.append_option(micros(time.instant));
                column.zone.append_option(text(time.zone));
                column.end()?;
            }
        }
        if let Some(rules) = self.recurrence {
            rules.into_iter().for_each(|rule| rows.recurrence.values().append_option(text(rule)));
            rows.recurrence.append(true);
        }
        rows.sequence.append_option(self.sequence);
        if let Some(attendees) = self.attendees {
            let length = attendees.len();
            for attendee in attendees {
                rows.attendees.email.append_option(text(attendee.email));
                rows.attendees.name.append_option(text(attendee.name));
                rows.attendees.status.append_option(text(attendee.status));
                rows.attendees.optional.append_option(attendee.optional);
                rows.attendees.end_attendee()?;
            }
            rows.attendees.end(length);
        }
        rows.guests_can_invite_others.append_option(self.guests_can_invite_others);
        rows.reminders.append_option(self.reminders.as_ref().map(Raw::text));
        rows.end_row()
    }
}

/// A page whose records go into `rows` one by one.
pub(crate) struct Page<'r, R, E>(pub(crate) &'r mut R, pub(crate) PhantomData<E>);

impl<'de, E: Record<'de>> DeserializeSeed<'de> for Page<'_, E::Rows, E> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de, E: Record<'de>> Visitor<'de> for Page<'_, E::Rows, E> {
    type Value = ();
    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a page")
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let mut found = false;
        while let Some(key) = map.next_key::<Text<'de>>()? {
            if key.0 == "items" && !found {
                found = true;
                map.next_value_seed(Items(&mut *self.0, PhantomData::<E>))?;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        if found { Ok(()) } else { Err(A::Error::missing_field("items")) }
    }
}

struct Items<'r, R, E>(&'r mut R, PhantomData<E>);

impl<'de, E: Record<'de>> DeserializeSeed<'de> for Items<'_, E::Rows, E> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de, E: Record<'de>> Visitor<'de> for Items<'_, E::Rows, E> {
    type Value = ();
    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("records")
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut records: A) -> Result<(), A::Error> {
        while let Some(record) = records.next_element::<E>()? {
            record.push(self.0).map_err(A::Error::custom)?;
        }
        Ok(())
    }
}
