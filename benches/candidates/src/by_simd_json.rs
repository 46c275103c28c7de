//! simd-json: the page as a tape of values, which is then walked. The parser writes into its input, so the page is copied first.

use simd_json::{Buffers, Node, StaticNode};

use crate::instant::instant;
use crate::rows::{Flat, Outcome, Rows, Wide};

/// What is kept from page to page.
pub(crate) struct Scratch {
    copy: Vec<u8>,
    buffers: Buffers,
}

impl Default for Scratch {
    fn default() -> Self {
        Self { copy: Vec::new(), buffers: Buffers::new(0) }
    }
}

/// The tape from where the walk has got to.
pub(crate) struct Walk<'t, 'i>(&'t [Node<'i>]);

impl<'i> Walk<'_, 'i> {
    fn next(&mut self) -> Outcome<Node<'i>> {
        let (first, rest) = self.0.split_first().ok_or("the tape is at its end")?;
        self.0 = rest;
        Ok(*first)
    }

    fn skip(&mut self) -> Outcome<()> {
        let more = match self.next()? {
            Node::Object { count, .. } | Node::Array { count, .. } => count,
            Node::String(_) | Node::Static(_) => 0,
        };
        self.0 = &self.0[more..];
        Ok(())
    }

    fn key(&mut self) -> Outcome<&'i str> {
        match self.next()? {
            Node::String(key) => Ok(key),
            _ => Err("a key is a text".into()),
        }
    }

    /// The members of an object; `None` for null.
    fn object(&mut self) -> Outcome<Option<usize>> {
        match self.next()? {
            Node::Object { len, .. } => Ok(Some(len)),
            Node::Static(StaticNode::Null) => Ok(None),
            _ => Err("not an object".into()),
        }
    }

    fn array(&mut self) -> Outcome<Option<usize>> {
        match self.next()? {
            Node::Array { len, .. } => Ok(Some(len)),
            Node::Static(StaticNode::Null) => Ok(None),
            _ => Err("not an array".into()),
        }
    }

    fn text(&mut self) -> Outcome<Option<&'i str>> {
        match self.next()? {
            Node::String(text) => Ok(Some(text)),
            Node::Static(StaticNode::Null) => Ok(None),
            _ => Err("not a text".into()),
        }
    }

    fn instant(&mut self) -> Outcome<Option<i64>> {
        self.text()?.map(instant).transpose()
    }

    fn boolean(&mut self) -> Outcome<Option<bool>> {
        match self.next()? {
            Node::Static(StaticNode::Bool(value)) => Ok(Some(value)),
            Node::Static(StaticNode::Null) => Ok(None),
            _ => Err("not a boolean".into()),
        }
    }

    fn integer(&mut self) -> Outcome<Option<i64>> {
        match self.next()? {
            Node::Static(StaticNode::I64(value)) => Ok(Some(value)),
            Node::Static(StaticNode::U64(value)) => Ok(Some(i64::try_from(value)?)),
            Node::Static(StaticNode::Null) => Ok(None),
            _ => Err("not an integer".into()),
        }
    }

    /// A value's text, made anew: the tape does not know how it was written.
    fn write_json(&mut self, out: &mut String) -> Outcome<()> {
        match self.next()? {
            Node::String(text) => out.push_str(&serde_json::to_string(text)?),
            Node::Static(value) => out.push_str(&value.to_string()),
            Node::Array { len, .. } => {
                out.push('[');
                for index in 0..len {
                    out.push_str(if index == 0 { "" } else { "," });
                    self.write_json(out)?;
                }
                out.push(']');
            }
            Node::Object { len, .. } => {
                out.push('{');
                for index in 0..len {
                    out.push_str(if index == 0 { "" } else { "," });
                    out.push_str(&serde_json::to_string(self.key()?)?);
                    out.push(':');
                    self.write_json(out)?;
                }
                out.push('}');
            }
        }
        Ok(())
    }
}

pub(crate) fn page<R: Rows>(
    bytes: &[u8],
    rows: &mut R,
    scratch: &mut Scratch,
    record: fn(&mut Walk<'_, '_>, &mut R) -> Outcome<()>,
) -> Outcome<()> {
    scratch.copy.clear();
    scratch.copy.extend_from_slice(bytes);
    let tape = simd_json::to_tape_with_buffers(&mut scratch.copy, &mut scratch.buffers)?;
    let mut walk = Walk(&tape.0);
    let mut found = false;
    for _ in 0..walk.object()?.ok_or("a page is an object")? {
        if walk.key()? != "items" || found {
            walk.skip()?;
            continue;
        }
        found = true;
        for _ in 0..walk.array()?.ok_or("items are an array")? {
            record(&mut walk, rows)?;
            rows.end_row()?;
        }
    }
    if found { Ok(()) } else { Err("no items".into()) }
}

pub(crate) fn flat(walk: &mut Walk<'_, '_>, rows: &mut Flat) -> Outcome<()> {
    for _ in 0..walk.object()?.ok_or("a record is an object")? {
        match walk.key()? {
            "event_id" => rows.event_id.append_value(walk.text()?.ok_or("event_id is null")?),
            "start_time" => rows.start_time.append_option(walk.instant()?),
            "end_time" => rows.end_time.append_option(walk.instant()?),
            "summary" => rows.summary.append_option(walk.text()?),
            _ => walk.skip()?,
        }
    }
    Ok(())
}

pub(crate) fn wide(walk: &mut Walk<'_, '_>, rows: &mut Wide) -> Outcome<()> {
    for _ in 0..walk.object()?.ok_or("a record is an object")? {
        match walk.key()? {
            "id" => rows.id.append_value(walk.text()?.ok_or("id is null")?),
            "status" => rows.status.append_option(walk.text()?),
            "created" => rows.created.append_option(walk.instant()?),
            "updated" => rows.updated.append_option(walk.instant()?),
            "summary" => rows.summary.append_option(walk.text()?),
            "description" => rows.description.append_option(walk.text()?),
            "location" => rows.location.append_option(walk.text()?),
            "organizer" => person(walk, rows)?,
            "start" => time(walk, &mut rows.start)?,
            "end" => time(walk, &mut rows.end)?,
            "recurrence" => match walk.array()? {
                None => rows.recurrence.append(false),
                Some(length) => {
                    for _ in 0..length {
                        rows.recurrence.values().append_option(walk.text()?);
                    }
                    rows.recurrence.append(true);
                }
            },
            "sequence" => rows.sequence.append_option(walk.integer()?),
            "attendees" => attendees(walk, rows)?,
            "guestsCanInviteOthers" => rows.guests_can_invite_others.append_option(walk.boolean()?),
            "reminders" => {
                let mut text = String::new();
                walk.write_json(&mut text)?;
                rows.reminders.append_option((text != "null").then_some(text));
            }
            _ => walk.skip()?,
        }
    }
    Ok(())
}

fn person(walk: &mut Walk<'_, '_>, rows: &mut Wide) -> Outcome<()> {
    let Some(members) = walk.object()? else {
        rows.organizer.append_null();
        return Ok(());
    };
    for _ in 0..members {
        match walk.key()? {
            "email" => rows.organizer.email.append_option(walk.text()?),
            "displayName" => rows.organizer.name.append_option(walk.text()?),
            _ => walk.skip()?,
        }
    }
    rows.organizer.end()
}

fn time(walk: &mut Walk<'_, '_>, column: &mut crate::rows::Time) -> Outcome<()> {
    let Some(members) = walk.object()? else {
        column.append_null();
        return Ok(());
    };
    for _ in 0..members {
        match walk.key()? {
            "dateTime" => column.instant.append_option(walk.instant()?),
            "timeZone" => column.zone.append_option(walk.text()?),
            _ => walk.skip()?,
        }
    }
    column.end()
}

fn attendees(walk: &mut Walk<'_, '_>, rows: &mut Wide) -> Outcome<()> {
    let column = &mut rows.attendees;
    let Some(length) = walk.array()? else {
        column.append_null();
        return Ok(());
    };
    for _ in 0..length {
        for _ in 0..walk.object()?.ok_or("an attendee is an object")? {
            match walk.key()? {
                "email" => column.email.append_option(walk.text()?),
                "displayName" => column.name.append_option(walk.text()?),
                "responseStatus" => column.status.append_option(walk.text()?),
                "optional" => column.optional.append_option(walk.boolean()?),
                _ => walk.skip()?,
            }
        }
        column.end_attendee()?;
    }
    column.end(length);
    Ok(())
}
