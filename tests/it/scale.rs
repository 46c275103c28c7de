//! Many pages: memory must not grow with them.

use std::time::Duration;

use lakefeed::demo::{Fault, Faults};

use crate::support::Stage;

/// 250,000 events through 2,500 pages, then again with nothing changed.
#[tokio::test(flavor = "multi_thread")]
async fn a_quarter_million_events_pass_in_bounded_memory() {
    let small = peak_kib_of(2_500).await;
    let large = peak_kib_of(250_000).await;
    // The key index of a merge is what grows: 250,000 keys at 56 bytes, twice that while its table doubles. Beside it come the
    // buffers of 32 connections, about half a MiB each, which the small run hardly fills, and the pages that are
    // kept for a run to go on from: a MiB that is gathered, one that is compressed and one that is written.
    let allowed = small + 112 * 1024;
    assert!(large < allowed, "peak {large} KiB for 250,000 events, {small} KiB for 2,500");
}

async fn peak_kib_of(events: usize) -> u64 {
    let stage = Stage::with_events(events).await;
    let pipeline = stage.pipeline();
    let arguments = ["run", pipeline.to_str().unwrap(), "--output", "json"];
    let script = "import resource, subprocess, sys\n\
        code = subprocess.run(sys.argv[1:]).returncode\n\
        print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, file=sys.stderr)\n\
        sys.exit(code)";
    let mut command = std::process::Command::new(crate::support::python());
    command
        .args(["-c", script, env!("CARGO_BIN_EXE_lakefeed")])
        .args(arguments)
        .args(["--quiet"])
        .current_dir(stage.folder.path())
        .envs(stage.environment());
    let ran = crate::support::output_of(command).await;
    assert_eq!(ran.code, 0, "{ran:?}");
    let resource = ran.resource();
    assert_eq!(resource["pages"].as_u64().unwrap(), events.div_ceil(100) as u64);
    assert_eq!(resource["rows"]["inserted"].as_u64().unwrap(), events as u64);
    assert_eq!(resource["complete"]["verdict"], "true");
    ran.stderr.trim().lines().last().unwrap().parse().unwrap_or_else(|_| panic!("no peak in {}", ran.stderr))
}

/// 200 pages that each take 20 ms: one after the other that would be four seconds of waiting.
#[tokio::test(flavor = "multi_thread")]
async fn pages_that_take_their_time_are_fetched_side_by_side() {
    let stage = Stage::with_events(20_000).await;
    stage.api.set_faults(Faults::always_from_request(0, Fault::Slow(Duration::from_millis(20))));
    let report = stage.run().await;
    let resource = &report["resources"][0];
    assert_eq!(resource["rows"]["inserted"], 20_000);
    // Each page once, and the token.
    assert_eq!(resource["requests"], 201);
    let seconds = resource["seconds"].as_f64().unwrap();
    assert!(seconds < 2.0, "{seconds} seconds");
    crate::support::assert_same("the lake", &crate::support::rows_below(&stage.table()), &stage.truth().await);
}
