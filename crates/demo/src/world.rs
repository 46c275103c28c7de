//! The events of the demo's calendar, and how they change from one run to the next. The same seed
//! gives the same events.

use std::fmt::Write as _;

use chrono::{DateTime, FixedOffset};

/// The first second of the calendar: 2026-11-01T00:00:00Z. Fixed, so that a demo looks the same on
/// every day.
const BEGINNING: i64 = 1_793_491_200;

const TOPICS: &[&str] = &[
    "Stand-up",
    "Planning",
    "Retrospective",
    "One-on-one",
    "Design review",
    "Interview",
    "Lunch",
    "Budget",
    "Déjeuner d’équipe",
    "Kundengespräch",
    "Release 🚀",
    "採用面接",
    "Incident review",
    "Board meeting",
    "Onboarding",
];

const TEAMS: &[&str] = &["Data", "Platform", "Sales", "Zürich", "Support", "Legal", "Mobile", "Infra"];

/// Minutes east of UTC.
const OFFSETS: &[i32] = &[0, 60, -300, 330, 540, -480];

/// An event of the calendar.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Its id; never changes.
    pub event_id: String,
    /// When it starts, in seconds since 1970.
    pub start: i64,
    /// How long it lasts, in seconds; some events have no end.
    pub duration: Option<i64>,
    /// The offset in which the API writes its times, in minutes east of UTC.
    pub offset_minutes: i32,
    /// Its title; some events have none.
    pub summary: Option<String>,
    /// Whether it was called off. It stays listed.
    pub cancelled: bool,
}

/// How much of each event a page tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Detail {
    /// The event itself.
    Basic,
    /// Where it is, who called it and who comes, too.
    Full,
}

/// How many events a step in time changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Changes {
    /// Events that came.
    pub added: usize,
    /// Events that moved to another day.
    pub moved: usize,
    /// Events that were called off.
    pub cancelled: usize,
    /// Events with a new title.
    pub renamed: usize,
}

/// All events of the calendar, in the order in which they were made.
#[derive(Debug, Clone)]
pub struct World {
    events: Vec<Event>,
    random: Random,
    /// Days over which events are spread.
    days: u32,
}

impl World {
    /// Returns a calendar of `events` events over so many `days`, of which it has two at least.
    pub fn new(events: usize, seed: u64, days: u32) -> Self {
        let mut world = Self { events: Vec::with_capacity(events), random: Random(seed), days: days.max(2) };
        for _ in 0..events {
            world.add();
        }
        world
    }

    /// Returns the events, in the order in which the API lists them.
    pub fn events(&self) -> &[Event] {
        &self.events
    }

    /// Lets time pass: one event in fifty is new, one in forty is moved to another day, one in a
    /// hundred is called off, one in fifty gets a new title. Each event changes in one way at most,
    /// and each way occurs at least once if there are events enough.
    pub fn advance(&mut self) -> Changes {
        let mut changes = Changes::default();
        let count = self.events.len();
        let step = self.random.below(count.max(1) as u64);
        for turn in 0..count {
            // A stride that is prime to the number of events visits each of them once, all over the
            // calendar.
            let stride = if count.is_multiple_of(7_919) { 7_907 } else { 7_919 };
            let event_number = (turn * stride + usize::try_from(step).unwrap_or(0)) % count;
            let way = turn % 200;
            let moves_by = 1 + i64::try_from(self.random.below(u64::from(self.days) - 1)).unwrap_or(0);
            let Some(event) = self.events.get_mut(event_number) else { continue };
            if event.cancelled {
                continue;
            }
            match way {
                0 | 41 | 81 | 121 | 161 => {
                    event.start +=
                        if event.start < BEGINNING + i64::from(self.days / 2) * 86_400 { moves_by } else { -moves_by }
                            * 86_400;
                    changes.moved += 1;
                }
                1 | 101 => {
                    event.cancelled = true;
                    event.summary = Some(format!("Cancelled: {}", event.summary.as_deref().unwrap_or("untitled")));
                    changes.cancelled += 1;
                }
                2 | 52 | 102 | 152 => {
                    event.summary = Some(format!(
                        "{} (moved to room {})",
                        event.summary.as_deref().unwrap_or("untitled"),
                        moves_by
                    ));
                    changes.renamed += 1;
                }
                _ => {}
            }
        }
        changes.added = (count / 50).max(1);
        for _ in 0..changes.added {
            self.add();
        }
        changes
    }

    /// Returns the JSON of one page: the events from the first of `range` on, the second of them at
    /// most.
    pub(super) fn page(&self, range: (usize, usize), total: usize, detail: Detail) -> String {
        let (offset, limit) = range;
        let page = self.events.iter().skip(offset).take(limit);
        let mut json = String::with_capacity(64 + page.len() * 260);
        json.push_str("{\"items\":[");
        for (position, event) in page.enumerate() {
            if position > 0 {
                json.push(',');
            }
            event.write_json(&mut json, detail);
        }
        // Writing to a String cannot fail.
        let _infallible = write!(json, "],\"total\":{total},\"offset\":{offset},\"limit\":{limit}}}");
        json
    }

    fn add(&mut self) {
        let number = self.events.len();
        let random = &mut self.random;
        let day = random.below(u64::from(self.days));
        let slot = random.below(96);
        let topic = random.of(TOPICS);
        let team = random.of(TEAMS);
        let offset_minutes = *random.of(OFFSETS);
        let event = Event {
            event_id: format!("evt_{number:07}_{:08x}", random.below(1 << 32)),
            start: BEGINNING + i64::try_from(day * 86_400 + slot * 900).unwrap_or(0),
            duration: (random.below(20) > 0).then(|| 900 * (1 + i64::try_from(random.below(8)).unwrap_or(0))),
            offset_minutes,
            summary: (random.below(25) > 0).then(|| format!("{topic}: {team}")),
            cancelled: false,
        };
        self.events.push(event);
    }
}

impl Event {
    fn write_json(&self, json: &mut String, detail: Detail) {
        let end = self.duration.map(|duration| self.start + duration);
        let summary = self.summary.as_deref().map_or_else(|| "null".to_owned(), quoted);
        let status = if self.cancelled { "cancelled" } else { "confirmed" };
        // Writing to a String cannot fail.
        let _infallible = write!(
            json,
            "{{\"event_id\":{},\"status\":\"{status}\",\"start_time\":{},\"end_time\":{},\"summary\":{summary}",
            quoted(&self.event_id),
            quoted(&self.written(self.start)),
            end.map_or_else(|| "null".to_owned(), |end| quoted(&self.written(end))),
        );
        if detail == Detail::Full {
            self.write_details(json);
        }
        json.push('}');
    }

    /// Writes what belongs to an event without ever changing, and comes from its id alone.
    fn write_details(&self, json: &mut String) {
        let mut random = Random(
            self.event_id.bytes().fold(7, |mixed: u64, byte| mixed.wrapping_mul(31).wrapping_add(u64::from(byte))),
        );
        let (room, sequence, cost) = (random.below(40), random.below(9), random.below(100_000));
        let (private, remote) = (random.below(7) == 0, random.below(3) == 0);
        // Writing to a String cannot fail.
        let _infallible = write!(
            json,
            ",\"location\":\"Room {room}\",\"sequence\":{sequence},\"cost\":{}.{:02},\"private\":{private},\"remote\":{remote}",
            cost / 100,
            cost % 100
        );
        let person = |json: &mut String, number: u64| {
            let _infallible = write!(
                json,
                "{{\"id\":{number},\"email\":\"person{number}@example.com\",\"name\":\"Person {number}\"}}"
            );
        };
        json.push_str(",\"organizer\":");
        person(json, random.below(5_000));
        json.push_str(",\"attendees\":[");
        for position in 0..random.below(4) {
            if position > 0 {
                json.push(',');
            }
            person(json, random.below(5_000));
        }
        json.push(']');
    }

    /// Returns a time as the API writes it: RFC 3339 in the event's own offset.
    fn written(&self, seconds: i64) -> String {
        let instant = DateTime::from_timestamp(seconds, 0).unwrap_or_default();
        match FixedOffset::east_opt(self.offset_minutes * 60) {
            Some(offset) if self.offset_minutes != 0 => {
                instant.with_timezone(&offset).format("%Y-%m-%dT%H:%M:%S%:z").to_string()
            }
            _ => instant.format("%Y-%m-%dT%H:%M:%SZ").to_string(),
        }
    }
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// `SplitMix64`: small, fast, and the same everywhere.
#[derive(Debug, Clone)]
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    fn of<'a, T>(&mut self, choices: &'a [T]) -> &'a T {
        let index = usize::try_from(self.below(choices.len() as u64)).unwrap_or(0);
        &choices[index]
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_world() {
        let (mut one, mut other) = (World::new(500, 7, 30), World::new(500, 7, 30));
        assert_eq!(one.advance(), other.advance());
        assert_eq!(one.events(), other.events());
        assert_ne!(one.events(), World::new(500, 8, 30).events());
    }

    #[test]
    fn events_are_on_as_many_days_as_asked_for() {
        for days in [2, 30, 50] {
            let world = World::new(2_000, 7, days);
            let seen: HashSet<i64> =
                world.events().iter().map(|event| (event.start - BEGINNING).div_euclid(86_400)).collect();
            assert_eq!(seen, (0..i64::from(days)).collect());
        }
    }

    #[test]
    fn changes_are_what_they_say() {
        let mut world = World::new(1_000, 1, 30);
        let before = world.events().to_vec();
        let changes = world.advance();
        let (mut moved, mut cancelled, mut renamed) = (0, 0, 0);
        for (old, new) in before.iter().zip(world.events()) {
            assert_eq!(old.event_id, new.event_id);
            let day = |event: &Event| event.start.div_euclid(86_400);
            moved += usize::from(day(old) != day(new));
            cancelled += usize::from(old.cancelled != new.cancelled);
            renamed += usize::from(old.summary != new.summary && !new.cancelled);
        }
        assert_eq!((moved, cancelled, renamed), (changes.moved, changes.cancelled, changes.renamed));
        assert_eq!(world.events().len(), 1_000 + changes.added);
        assert!(moved > 0 && cancelled > 0 && renamed > 0, "{changes:?}");
        let ids: HashSet<_> = world.events().iter().map(|event| &event.event_id).collect();
        assert_eq!(ids.len(), world.events().len());
    }

    #[test]
    fn a_page_is_json_with_offsets_nulls_and_a_total() {
        let world = World::new(300, 1, 30);
        let page: serde_json::Value = serde_json::from_str(&world.page((200, 1_000), 300, Detail::Basic)).unwrap();
        assert_eq!(page["items"].as_array().unwrap().len(), 100);
        assert_eq!(page["total"], 300);
        let all = world.page((0, 300), 300, Detail::Basic);
        for part in ["+01:00", "-05:00", "Z\"", "\"end_time\":null", "\"summary\":null", "🚀"] {
            assert!(all.contains(part), "{part}");
        }
        let page = world.page((0, 300), 300, Detail::Full);
        let page: serde_json::Value = serde_json::from_str(&page).unwrap();
        let guests = page["items"].as_array().unwrap().iter().map(|event| event["attendees"].as_array().unwrap().len());
        assert_eq!(guests.clone().max(), Some(3));
        assert_eq!(guests.min(), Some(0));
        assert_eq!(page["items"][0]["organizer"].as_object().unwrap().len(), 3);
    }
}
