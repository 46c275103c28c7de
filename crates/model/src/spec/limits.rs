//! The bounds of a run. Every queue, page, retry and file has one.

use std::time::Duration;

/// The bounds of a run, each settable under `limits:` by the name of its field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The largest page body, decompressed, in bytes. A larger one fails the run.
    pub page_bytes_max: u64,
    /// The most pages of one listing. Reaching it with more to come fails the run as incomplete.
    pub pages_max: u64,
    /// The longest time for one listing; each record of a parent, and each window, has one of its
    /// own.
    pub run_time_max: Duration,
    /// How old the pages of a stopped run may be for the next one to go on from them; zero keeps
    /// none.
    pub resume_age_max: Duration,
    /// The deepest nesting of a page's JSON.
    pub nesting_depth_max: u32,
    /// Rows of a batch between decoder and writer.
    pub batch_rows: usize,
    /// Bytes of a batch between decoder and writer; whichever bound comes first.
    pub batch_bytes: usize,
    /// Bytes that all open Parquet writers of a run may buffer together; the largest is flushed
    /// first.
    pub writer_buffer_bytes: usize,
    /// Bytes that a merge's index of its keys may take in memory; what does not fit goes to
    /// temporary files.
    pub merge_index_bytes: usize,
    /// A data file is closed when it has about this many bytes.
    pub file_bytes_target: u64,
    /// Rows of a Parquet row group.
    pub row_group_rows: usize,
    /// Records of one pass over a resource that may be refused; with more of them it fails and
    /// commits nothing. No bound when `None`.
    pub rejects_max: Option<CountOrShare>,
    /// Records from which on a pass fails that refused every one of them. One into a table that is
    /// new or replaced fails with a single record.
    pub all_refused_min: u64,
    /// Rows of a table that one run may take away because they did not come: by replacing it, or by
    /// absence. Those that records themselves delete do not count. When `None`, half of a table of
    /// 100 rows or more, and never all rows because nothing came.
    pub shrink_max: Option<CountOrShare>,
}

/// A bound on a part of something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CountOrShare {
    /// So many of them.
    Count(u64),
    /// So many of each million; at most a million.
    PerMillion(u32),
}

impl CountOrShare {
    /// Returns the bound that a string means: a count, or a share such as `1%` with up to four
    /// digits after the point.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let Some(share) = text.strip_suffix('%') else { return text.parse().ok().map(Self::Count) };
        let (whole, fraction) = share.trim().split_once('.').unwrap_or((share.trim(), "0"));
        let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        if !is_number(whole) || !is_number(fraction) || fraction.len() > 4 {
            return None;
        }
        let per_million =
            whole.parse::<u32>().ok()?.checked_mul(10_000)? + format!("{fraction:0<4}").parse::<u32>().ok()?;
        (per_million <= 1_000_000).then_some(Self::PerMillion(per_million))
    }

    /// All of it.
    pub const WHOLE: Self = Self::PerMillion(1_000_000);

    /// Returns whether `part` of `whole` is too much.
    pub fn is_exceeded(self, part: u64, whole: u64) -> bool {
        match self {
            Self::Count(count) => part > count,
            Self::PerMillion(share) => u128::from(part) * 1_000_000 > u128::from(whole) * u128::from(share),
        }
    }
}

/// Rows from which on a table may not lose more than half of them at once, unless the pipeline says
/// otherwise.
const SHRINK_ROWS_MIN: u64 = 100;

impl Limits {
    /// Returns the bound that is broken when a table of `before` rows loses `lost` of them because
    /// they did not come; `came` says whether anything did.
    pub fn shrinks_too_much(&self, lost: u64, before: u64, came: bool) -> Option<CountOrShare> {
        const HALF: CountOrShare = CountOrShare::PerMillion(500_000);
        let is_guarded = before >= SHRINK_ROWS_MIN || !came;
        let bound = self.shrink_max.or_else(|| is_guarded.then_some(HALF))?;
        bound.is_exceeded(lost, before).then_some(bound)
    }
}

impl std::fmt::Display for CountOrShare {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Count(count) => write!(f, "{count}"),
            Self::PerMillion(share) => {
                let fraction = format!(".{:04}", share % 10_000);
                write!(f, "{}{}%", share / 10_000, fraction.trim_end_matches('0').trim_end_matches('.'))
            }
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            page_bytes_max: 64 * 1024 * 1024,
            pages_max: 10_000_000,
            run_time_max: Duration::from_secs(24 * 60 * 60),
            resume_age_max: Duration::from_secs(24 * 60 * 60),
            nesting_depth_max: 64,
            batch_rows: 8_192,
            batch_bytes: 8 * 1024 * 1024,
            writer_buffer_bytes: 32 * 1024 * 1024,
            merge_index_bytes: 32 * 1024 * 1024,
            file_bytes_target: 128 * 1024 * 1024,
            row_group_rows: 131_072,
            rejects_max: None,
            all_refused_min: 10,
            shrink_max: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_of_rejects_is_a_count_or_a_share() {
        for (text, bound, shown) in [
            ("0", Some(CountOrShare::Count(0)), "0"),
            (" 25 ", Some(CountOrShare::Count(25)), "25"),
            ("1%", Some(CountOrShare::PerMillion(10_000)), "1%"),
            ("0.5 %", Some(CountOrShare::PerMillion(5_000)), "0.5%"),
            ("0.0001%", Some(CountOrShare::PerMillion(1)), "0.0001%"),
            ("100%", Some(CountOrShare::PerMillion(1_000_000)), "100%"),
            ("100.1%", None, ""),
            ("0.00001%", None, ""),
            ("-1%", None, ""),
            ("1.%", None, ""),
            ("%", None, ""),
            ("1.5", None, ""),
            ("many", None, ""),
            ("99999999999999%", None, ""),
        ] {
            assert_eq!(CountOrShare::parse(text), bound, "{text:?}");
            assert_eq!(bound.map(|bound| bound.to_string()).unwrap_or_default(), shown);
        }
    }

    #[test]
    fn a_bound_is_exceeded_by_the_first_record_beyond_it() {
        let one_percent = CountOrShare::PerMillion(10_000);
        for (bound, rejected, read, exceeded) in [
            (CountOrShare::Count(0), 0, 0, false),
            (CountOrShare::Count(0), 1, 1_000, true),
            (CountOrShare::Count(3), 3, 3, false),
            (one_percent, 1, 100, false),
            (one_percent, 2, 100, true),
            (one_percent, 1, 99, true),
            (CountOrShare::PerMillion(1_000_000), 7, 7, false),
            (one_percent, u64::MAX, u64::MAX, true),
        ] {
            assert_eq!(bound.is_exceeded(rejected, read), exceeded, "{bound}: {rejected} of {read}");
        }
    }
}
