//! The same pipeline in every form that it may be written in.

use std::path::Path;

use crate::support::{Stage, data_files, read_table};

#[tokio::test(flavor = "multi_thread")]
async fn every_example_runs_against_the_demo_api() {
    let stage = Stage::with_events(150).await;
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let mut examples: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    // The other examples are for APIs of their own: see `examples::`.
    examples.retain(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("calendar.")));
    examples.sort();
    assert!(examples.len() >= 3, "{examples:?}");
    let truth = stage.truth().await;
    for (number, example) in examples.iter().enumerate() {
        let lake = stage.folder.path().join(format!("lake{number}"));
        let arguments = ["run", example.to_str().unwrap(), "--destination", lake.to_str().unwrap(), "--output", "json"];
        for expected in [("inserted", 150), ("unchanged", 150)] {
            let ran = stage.lakefeed(&arguments).await;
            assert_eq!(ran.code, 0, "{}: {ran:?}", example.display());
            assert_eq!(ran.resource()["rows"][expected.0], expected.1, "{}: {ran:?}", example.display());
        }
        let table = lake.join("calendar_events");
        assert!(!data_files(&table).is_empty(), "{}", example.display());
        if !example.to_str().unwrap().contains("dlt") {
            for (engine, rows) in read_table(table.to_str().unwrap(), &[]).await.rows {
                crate::support::assert_same(&engine, &rows, &truth);
            }
        }
    }
}
