//! What the demo's API does wrong on demand.

use std::time::Duration;

/// Something that goes wrong with an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Another status, with a JSON error.
    Status(u16),
    /// 429 with a `Retry-After` in seconds.
    RateLimited(u32),
    /// The connection ends in the middle of the body.
    TruncatedBody,
    /// The connection ends before the body begins.
    ConnectionDropped,
    /// The answer comes late.
    Slow(Duration),
    /// A web page, with status 200.
    HtmlInsteadOfJson,
    /// A page without `items`.
    ItemsMissing,
    /// Half of a page, as if it were all of it.
    PageCutInHalf,
    /// A total of ten more than there are.
    TotalTooLarge,
    /// The token is not valid any more, although it has not expired.
    TokenRevoked,
}

/// Which requests for events go wrong, counted from 0 since the faults were set.
#[derive(Debug, Clone, Default)]
pub struct Faults {
    rules: Vec<Rule>,
}

#[derive(Debug, Clone)]
struct Rule {
    first: u64,
    last: u64,
    fault: Fault,
}

impl Faults {
    /// Returns faults of which none ever happens.
    pub fn none() -> Self {
        Self::default()
    }

    /// Returns faults by which request `number` goes wrong, once.
    pub fn once_at_request(number: u64, fault: Fault) -> Self {
        Self::none().and_once_at_request(number, fault)
    }

    /// Returns faults by which every request from `number` on goes wrong.
    pub fn always_from_request(number: u64, fault: Fault) -> Self {
        Self { rules: vec![Rule { first: number, last: u64::MAX, fault }] }
    }

    /// Returns these faults with request `number` going wrong too, once.
    #[must_use]
    pub fn and_once_at_request(mut self, number: u64, fault: Fault) -> Self {
        self.rules.push(Rule { first: number, last: number, fault });
        self
    }

    /// Returns what goes wrong with request `number`.
    pub(super) fn of_request(&self, number: u64) -> Option<Fault> {
        self.rules.iter().find(|rule| (rule.first..=rule.last).contains(&number)).map(|rule| rule.fault)
    }
}
