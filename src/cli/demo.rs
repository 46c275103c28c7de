//! `lakefeed demo`: the reference pipeline against an embedded calendar API.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::args::{DemoArguments, FaultName, Output};
use super::printer::Printer;
use super::session::{interrupt_on_signals, run_to_its_end};
use super::table;
use crate::config::Format;
use crate::demo::{Changes, DemoOptions, DemoServer, Fault, Faults};
use crate::environment::Environment;
use crate::error::{Error, Result};
use crate::facade::{Lake, Pipeline};
use crate::interrupt::Interrupt;
use crate::report::RunReport;

const PIPELINE: &str = include_str!("../../examples/calendar.yaml");
const SCHEMA: &str = include_str!("../../schemas/calendar_events.json");
const TABLE: &str = "calendar_events";
/// Lies beside a table that a demo made.
const MARKER: &str = ".lakefeed-demo";

/// Starts the API, then serves it or runs the pipeline on it.
pub(super) async fn demo(arguments: DemoArguments, printer: Printer) -> Result<()> {
    let options = DemoOptions {
        events: arguments.events,
        days: arguments.days,
        port: arguments.port,
        token_lifetime: arguments.token_lifetime,
        faults: every_tenth(&arguments.fault),
        latency: arguments.latency,
        keeps_pages: arguments.serve,
        compresses: arguments.gzip,
        ..DemoOptions::default()
    };
    let api = DemoServer::start(options).await?;
    let interrupt = interrupt_on_signals();
    if arguments.serve {
        return serve(&api, printer, &interrupt).await;
    }
    let lake = fresh_lake(&arguments.dir)?;
    let environment = Environment::empty()
        .with_variable("CALENDAR_BASE_URL", api.base_url())
        .with_variable("CLIENT_ID", api.client_id())
        .with_variable("CLIENT_SECRET", api.client_secret())
        .with_file("../schemas/calendar_events.json", SCHEMA);
    let pipeline = Pipeline::parse_with(PIPELINE, Format::Yaml, &environment)?;
    let story = Story { api: &api, pipeline: &pipeline, lake: &lake, printer, interrupt: &interrupt };
    story.tell().await
}

/// Returns the API alone, for pipelines of the user's own.
async fn serve(api: &DemoServer, printer: Printer, interrupt: &Interrupt) -> Result<()> {
    printer.data(&format!(
        "export CALENDAR_BASE_URL={}\nexport CLIENT_ID={}\nexport CLIENT_SECRET='{}'\n",
        api.base_url(),
        api.client_id(),
        api.client_secret()
    ));
    printer.say(
        "serving a calendar API until Ctrl-C; export the variables above, then: lakefeed run examples/calendar.yaml",
    );
    interrupt.raised().await;
    Ok(())
}

fn every_tenth(names: &[FaultName]) -> Faults {
    let mut faults = Faults::none();
    for (position, name) in names.iter().enumerate() {
        let fault = match name {
            FaultName::RateLimited => Fault::RateLimited(1),
            FaultName::ServerError => Fault::Status(500),
            FaultName::Unavailable => Fault::Status(503),
            FaultName::Truncated => Fault::TruncatedBody,
            FaultName::Slow => Fault::Slow(Duration::from_secs(2)),
        };
        for round in 0..1_000 {
            faults = faults.and_once_at_request(round * 10 + 2 + position as u64, fault);
        }
    }
    faults
}

/// Returns an empty folder for the demo's lake. Only a table that an earlier demo made is removed;
/// its marker lies beside it.
fn fresh_lake(folder: &Path) -> Result<PathBuf> {
    let lake = folder.join("lake");
    let (table, marker) = (lake.join(TABLE), lake.join(MARKER));
    let failed = |error: std::io::Error| {
        Error::storage(format!("cannot prepare the demo's folder {}", folder.display()))
            .with_source(error)
            .with_hint("choose another one with --dir")
    };
    if table.try_exists().map_err(failed)? {
        if !marker.try_exists().map_err(failed)? {
            return Err(Error::config(format!("{} is there already, and no demo made it", table.display()))
                .with_hint("choose another folder with --dir, or remove it if nobody needs it"));
        }
        std::fs::remove_dir_all(&table).map_err(failed)?;
    }
    std::fs::create_dir_all(&lake).map_err(failed)?;
    let said = "`lakefeed demo` removes the table beside this file and makes it anew.\n";
    std::fs::File::create(&marker).and_then(|mut file| file.write_all(said.as_bytes())).map_err(failed)?;
    Ok(lake)
}

/// The demo as a story: load, change, merge, nothing new, look.
struct Story<'a> {
    api: &'a DemoServer,
    pipeline: &'a Pipeline,
    lake: &'a Path,
    printer: Printer,
    interrupt: &'a Interrupt,
}

impl Story<'_> {
    async fn tell(&self) -> Result<()> {
        let printer = self.printer;
        printer.say(&format!("A calendar API with OAuth2 listens on {}.", self.api.base_url()));
        printer.say("\nFirst run: the whole calendar. The API answers 429 once, and once it breaks off in the middle of a page.");
        self.api
            .set_faults(Faults::once_at_request(2, Fault::RateLimited(1)).and_once_at_request(5, Fault::TruncatedBody));
        self.run(None).await?;
        let changes = self.api.advance();
        printer.say(&format!(
            "\nTime passes: {} new events, {} moved to another day, {} cancelled, {} renamed.",
            changes.added, changes.moved, changes.cancelled, changes.renamed
        ));
        printer.say("Second run: only partitions with a changed row are rewritten.");
        self.api.set_faults(Faults::none());
        self.run(Some(changes)).await?;
        printer.say("\nThird run: nothing has changed.");
        self.run(Some(Changes::default())).await?;
        self.show().await
    }

    async fn run(&self, expected: Option<Changes>) -> Result<()> {
        let runner = self.pipeline.runner().destination(self.lake.display().to_string());
        let report = run_to_its_end(runner, self.printer, self.interrupt.clone()).await;
        self.printer.say(report.to_string().trim_end());
        let report = report.into_result()?;
        expected.map_or(Ok(()), |expected| self.compare(&report, expected))
    }

    /// Says whether the run found what the API changed.
    fn compare(&self, report: &RunReport, expected: Changes) -> Result<()> {
        let rows = report.resources.first().map(|resource| resource.rows).unwrap_or_default();
        let updated = (expected.moved + expected.cancelled + expected.renamed) as u64;
        let found = (rows.inserted, rows.updated, rows.moved);
        if found == (expected.added as u64, updated, expected.moved as u64) {
            self.printer.say("  These are exactly the changes that the API made.");
            return Ok(());
        }
        Err(Error::defect(format!("the run found {found:?} (inserted, updated, moved), the API changed {expected:?}")))
    }

    async fn show(&self) -> Result<()> {
        let lake = self.lake.display();
        self.printer.say(&format!("\nlakefeed table show {lake} {TABLE}"));
        let table = Lake::open(&self.lake.display().to_string())?.table(TABLE);
        self.printer.data(&table::render(&table, 10, Output::Text).await?);
        self.printer.say(&format!(
            "\nRead it with anything:\n  \
             duckdb -c \"SELECT * FROM read_parquet('{lake}/{TABLE}/**/*.parquet', hive_partitioning = true) LIMIT 5\"\n  \
             python3 -c \"import polars; print(polars.scan_parquet('{lake}/{TABLE}/**/*.parquet', hive_partitioning=True).collect())\"\n  \
             python3 -c \"import pyarrow.dataset as d; print(d.dataset('{lake}/{TABLE}', partitioning='hive').to_table())\""
        ));
        Ok(())
    }
}
