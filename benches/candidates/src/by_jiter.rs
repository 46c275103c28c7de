//! jiter: an iterator over the values of a text, which the schema drives.

use arrow::array::{BooleanBuilder, Int64Builder, StringBuilder, TimestampMicrosecondBuilder};
use jiter::{Jiter, NumberInt, Peek};

use crate::instant::instant;
use crate::rows::{Flat, Outcome, Rows, Wide};

/// Reads an object: the members that are named, by what is said of them, and passes over the others.
macro_rules! members {
    ($jiter:expr, $($key:literal => $read:expr),+ $(,)?) => {{
        let mut key = $jiter.next_object()?;
        while let Some(name) = key {
            match name {
                $($key => $read?,)+
                _ => $jiter.next_skip()?,
            }
            key = $jiter.next_key()?;
        }
    }};
}

/// Reads a value unless it is null, which is appended.
macro_rules! or_null {
    ($jiter:expr, $column:expr, $read:expr) => {
        if $jiter.peek()? == Peek::Null {
            $jiter.known_null()?;
            $column.append_null();
            Ok(())
        } else {
            $read
        }
    };
}

pub(crate) fn page<R: Rows>(
    bytes: &[u8],
    rows: &mut R,
    record: fn(&mut Jiter<'_>, &mut R) -> Outcome<()>,
) -> Outcome<()> {
    let mut jiter = Jiter::new(bytes);
    let before = rows.count();
    members!(jiter, "items" => items(&mut jiter, rows, record));
    jiter.finish()?;
    if rows.count() == before { Err("no records".into()) } else { Ok(()) }
}

fn items<R: Rows>(
    jiter: &mut Jiter<'_>,
    rows: &mut R,
    record: fn(&mut Jiter<'_>, &mut R) -> Outcome<()>,
) -> Outcome<()> {
    let mut next = jiter.next_array()?;
    while next.is_some() {
        record(jiter, rows)?;
        rows.end_row()?;
        next = jiter.array_step()?;
    }
    Ok(())
}

pub(crate) fn flat(jiter: &mut Jiter<'_>, rows: &mut Flat) -> Outcome<()> {
    members!(jiter,
        "event_id" => required(jiter, &mut rows.event_id),
        "start_time" => moment(jiter, &mut rows.start_time),
        "end_time" => moment(jiter, &mut rows.end_time),
        "summary" => text(jiter, &mut rows.summary),
    );
    Ok(())
}

pub(crate) fn wide(jiter: &mut Jiter<'_>, rows: &mut Wide) -> Outcome<()> {
    members!(jiter,
        "id" => required(jiter, &mut rows.id),
        "status" => text(jiter, &mut rows.status),
        "created" => moment(jiter, &mut rows.created),
        "updated" => moment(jiter, &mut rows.updated),
        "summary" => text(jiter, &mut rows.summary),
        "description" => text(jiter, &mut rows.description),
        "location" => text(jiter, &mut rows.location),
        "organizer" => or_null!(jiter, rows.organizer, {
            members!(jiter,
                "email" => text(jiter, &mut rows.organizer.email),
                "displayName" => text(jiter, &mut rows.organizer.name),
            );
            rows.organizer.end()
        }),
        "start" => or_null!(jiter, rows.start, {
            members!(jiter,
                "dateTime" => moment(jiter, &mut rows.start.instant),
                "timeZone" => text(jiter, &mut rows.start.zone),
            );
            rows.start.end()
        }),
        "end" => or_null!(jiter, rows.end, {
            members!(jiter,
                "dateTime" => moment(jiter, &mut rows.end.instant),
                "timeZone" => text(jiter, &mut rows.end.zone),
            );
            rows.end.end()
        }),
        "recurrence" => or_null!(jiter, rows.recurrence, {
            let mut next = jiter.next_array()?;
            while next.is_some() {
                text(jiter, rows.recurrence.values())?;
                next = jiter.array_step()?;
            }
            rows.recurrence.append(true);
            Outcome::Ok(())
        }),
        "sequence" => integer(jiter, &mut rows.sequence),
        "attendees" => attendees(jiter, rows),
        "guestsCanInviteOthers" => boolean(jiter, &mut rows.guests_can_invite_others),
        "reminders" => json(jiter, &mut rows.reminders),
    );
    Ok(())
}

fn attendees(jiter: &mut Jiter<'_>, rows: &mut Wide) -> Outcome<()> {
    let column = &mut rows.attendees;
    or_null!(jiter, column, {
        let (mut next, mut length) = (jiter.next_array()?, 0);
        while next.is_some() {
            members!(jiter,
                "email" => text(jiter, &mut column.email),
                "displayName" => text(jiter, &mut column.name),
                "responseStatus" => text(jiter, &mut column.status),
                "optional" => boolean(jiter, &mut column.optional),
            );
            column.end_attendee()?;
            length += 1;
            next = jiter.array_step()?;
        }
        column.end(length);
        Ok(())
    })
}

fn required(jiter: &mut Jiter<'_>, column: &mut StringBuilder) -> Outcome<()> {
    column.append_value(jiter.next_str()?);
    Ok(())
}

fn text(jiter: &mut Jiter<'_>, column: &mut StringBuilder) -> Outcome<()> {
    or_null!(jiter, column, {
        column.append_value(jiter.next_str()?);
        Ok(())
    })
}

fn moment(jiter: &mut Jiter<'_>, column: &mut TimestampMicrosecondBuilder) -> Outcome<()> {
    or_null!(jiter, column, {
        column.append_value(instant(jiter.next_str()?)?);
        Ok(())
    })
}

fn boolean(jiter: &mut Jiter<'_>, column: &mut BooleanBuilder) -> Outcome<()> {
    or_null!(jiter, column, {
        column.append_value(jiter.next_bool()?);
        Ok(())
    })
}

fn integer(jiter: &mut Jiter<'_>, column: &mut Int64Builder) -> Outcome<()> {
    or_null!(jiter, column, {
        match jiter.next_int()? {
            NumberInt::Int(number) => column.append_value(number),
            NumberInt::BigInt(_) => return Err("an integer of more than 64 bits".into()),
        }
        Ok(())
    })
}

fn json(jiter: &mut Jiter<'_>, column: &mut StringBuilder) -> Outcome<()> {
    or_null!(jiter, column, {
        let from = jiter.current_index();
        jiter.next_skip()?;
        column.append_value(std::str::from_utf8(jiter.slice_to_current(from))?);
        Ok(())
    })
}
