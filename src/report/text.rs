//! The report for people: one paragraph per resource.

use std::fmt::Write as _;

use super::{ResourceReport, RunReport, Status};
use crate::error::ErrorKind;
use crate::event::{ErrorFacts, Verdict};
use crate::reject::command_to_show;

/// Returns the report as lines of text. Needs no colour to be understood.
pub(super) fn render_text(report: &RunReport) -> String {
    let mut text = String::new();
    for resource in &report.resources {
        render_resource(&mut text, resource, &report.run_id);
        // The worst error is shown as that of the run.
        if let Some(error) = &resource.error
            && report.error.as_ref().is_none_or(|worst| worst.message != error.message)
        {
            render_error(&mut text, error);
        }
    }
    text
}

fn render_error(text: &mut String, error: &ErrorFacts) {
    // Writing to a String cannot fail.
    let mut line = |content: String| writeln!(text, "  error     {content}").unwrap_or_default();
    line(error.message.clone());
    if let Some(said) = error.http.as_ref().and_then(|http| http.body_excerpt.as_deref()) {
        line(format!("the API said: {said}"));
    }
}

fn render_resource(text: &mut String, report: &ResourceReport, run_id: &str) {
    let rows = &report.rows;
    let outcome = match (report.status, report.commit) {
        (Status::Ok, Some(commit)) => format!("commit {commit}"),
        (Status::Ok, None) => "nothing changed, no data file written".to_owned(),
        (Status::Failed, _) => "failed, the table is as it was".to_owned(),
        (Status::Interrupted, _) => "interrupted, the table is as it was".to_owned(),
    };
    // Writing to a String cannot fail.
    let mut line = |content: String| writeln!(text, "{content}").unwrap_or_default();
    line(format!("{} → {}: {outcome}", report.name, report.table));
    // What has rows and no page is a child table.
    line(if report.pages == 0 && rows.read > 0 {
        format!("  read      {} items of lists, {:.1} s", number(rows.read), report.seconds)
    } else {
        format!(
            "  read      {} records in {} pages, {}, {:.1} s",
            number(rows.read),
            number(report.pages),
            bytes(report.bytes.read),
            report.seconds
        )
    });
    if report.status == Status::Ok {
        line(format!(
            "  rows      {} inserted, {} updated ({} of them moved), {} unchanged, {} deleted",
            number(rows.inserted),
            number(rows.updated),
            number(rows.moved),
            number(rows.unchanged),
            number(rows.deleted)
        ));
        if rows.kept > 0 || rows.retired > 0 || rows.missed > 0 {
            line(format!(
                "  merge     {} kept as the table has them, {} closed as absent, {} deletes of nothing",
                number(rows.kept),
                number(rows.retired),
                number(rows.missed)
            ));
        }
        line(format!("  files     {} changed, {} written", report.files.len(), bytes(report.bytes.written)));
    }
    render_aside(text, report, run_id);
    render_course(text, report);
}

/// Writes what did not become rows as it was.
fn render_aside(text: &mut String, report: &ResourceReport, run_id: &str) {
    let rows = &report.rows;
    let mut line = |content: String| writeln!(text, "{content}").unwrap_or_default();
    if rows.nulled > 0 {
        line(format!("  nulled    {} values did not fit, and null stands for them", number(rows.nulled)));
    }
    if rows.rejected > 0 || rows.duplicate > 0 {
        line(format!(
            "  aside     {} rejected{}, {} duplicate",
            number(rows.rejected),
            by_reason(report),
            number(rows.duplicate)
        ));
    }
    let is_kept = report.error.as_ref().map_or(report.status == Status::Ok, |error| error.kind == ErrorKind::Schema);
    if let Some(look) = command_to_show(&report.table, run_id).filter(|_| rows.rejected > 0 && is_kept) {
        line(format!("            `{look}` shows them"));
    }
    if rows.filtered > 0 {
        line(format!("  filtered  {} left out by a filter or the cursor", number(rows.filtered)));
    }
    if report.values_discarded > 0 {
        line(format!("  discarded {} values that did not fit", number(report.values_discarded)));
    }
    if let Some(retried) = &report.retried {
        line(format!(
            "  again     of {} rejects of earlier runs: {} accepted, {} left out, {} refused again, {} overtaken",
            number(retried.tried),
            number(retried.accepted),
            number(retried.dropped),
            number(retried.refused),
            number(retried.overtaken)
        ));
    }
}

/// Writes how the run went.
fn render_course(text: &mut String, report: &ResourceReport) {
    let mut line = |content: String| writeln!(text, "{content}").unwrap_or_default();
    if report.retry_count > 0 {
        line(format!("  retries   {}", number(report.retry_count)));
    }
    if let Some(commit) = report.recovered_commit {
        line(format!("  recovered commit {commit} of a run that did not finish"));
    }
    if report.resumed_pages > 0 {
        line(format!("  resumed   {} pages of a run that was stopped", number(report.resumed_pages)));
    }
    for change in &report.schema_changes {
        line(format!("  schema    {change}"));
    }
    if let (Some(reason), Some(complete)) = (&report.stop_reason, &report.complete) {
        let verdict = match complete.verdict {
            Verdict::True => "complete",
            Verdict::False => "incomplete",
            Verdict::Unknown => "completeness unknown",
        };
        line(format!("  listing   {verdict}: {} ({reason})", complete.reason));
    }
}

/// Returns ` (2 wrong_type, 1 missing_value)`, the most frequent first.
fn by_reason(report: &ResourceReport) -> String {
    let mut reasons: Vec<_> = report.rejected_by_reason.iter().collect();
    if reasons.is_empty() {
        return String::new();
    }
    reasons.sort_by_key(|(code, count)| (std::cmp::Reverse(**count), **code));
    let reasons = reasons.into_iter().map(|(code, count)| format!("{} {}", number(*count), code.as_str()));
    format!(" ({})", reasons.collect::<Vec<_>>().join(", "))
}

/// Writes `1234567` as `1,234,567`.
fn number(value: u64) -> String {
    let digits = value.to_string();
    let mut text = String::new();
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Writes bytes in the largest unit that leaves something before the point.
fn bytes(value: u64) -> String {
    const UNITS: [(&str, u64); 3] = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];
    for (unit, size) in UNITS {
        if value >= size {
            let tenths = value.saturating_mul(10) / size;
            return format!("{}.{} {unit}", tenths / 10, tenths % 10);
        }
    }
    format!("{value} bytes")
}
