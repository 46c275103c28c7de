use futures::TryStreamExt as _;
use object_store::memory::InMemory;
use object_store::path::Path;

use super::*;
use crate::log::document::KeyBound;
use crate::log::key_range::KeyRange;
use crate::parquet::alignment::PageAlignment;
use crate::parquet::reader::{Part, read};
use crate::staging::area::{FileNaming, FileShape};
use crate::storage::layout::Layout;
use crate::storage::objects::Storage;
use crate::testing::world::{Row, batch, row, rows_of, schema};
use lakefeed_model::spec::Limits;

fn area(limits: Limits) -> StagingArea {
    let schema = schema();
    let storage = Storage {
        store: Arc::new(InMemory::new()),
        layout: Layout::new(Path::from("events")),
        url: "lake/events".to_owned(),
        folder: None,
        durability: None,
    };
    let naming = FileNaming { staged: storage.layout.staged("run", 1), alignment: PageAlignment::of(1) };
    let primary_key = &["id".to_owned()];
    let shape = FileShape { schema: &schema, arrow_schema: schema.to_arrow(), primary_key, order: None };
    StagingArea::new(&storage, naming, shape, limits).unwrap()
}

fn partition(number: usize) -> Arc<Partition> {
    Arc::new(Partition { path: format!("p={number}"), values: Vec::new() })
}

async fn rows_at(area: &StagingArea, file: &StagedFile) -> Vec<Row> {
    let batches = read(&area.storage, &area.source(file), Part::Whole).await.unwrap();
    batches.try_collect::<Vec<_>>().await.unwrap().iter().flat_map(rows_of).collect()
}

#[tokio::test]
async fn many_open_files_stay_within_one_budget_and_every_row_is_where_its_place_says() {
    let budget = 64 * 1024;
    let area = area(Limits { writer_buffer_bytes: budget, row_group_rows: 7, ..Limits::default() });
    let mut writer = RollingWriter::new(area.clone());
    let mut locations = Vec::new();
    for round in 0..5 {
        for p in 0..60 {
            let rows = (0..10).map(|i| row(format!("{p}-{round}-{i}"), 1, i)).collect::<Vec<_>>();
            locations.push((writer.write(&partition(p), &batch(&rows)).await.unwrap(), rows));
            assert!(writer.held_bytes <= budget, "{}", writer.held_bytes);
            assert_eq!(writer.held_bytes, writer.open.values().map(|file| file.held_bytes).sum::<usize>());
        }
    }
    let files = writer.finish().await.unwrap();
    assert!(files.len() > 60, "the budget closes files early: {}", files.len());
    assert_eq!(files.iter().map(|file| file.rows).sum::<u64>(), 3_000);
    for (location, expected) in locations {
        let file = files.iter().find(|file| file.number == location.file).unwrap();
        let first = location.row as usize;
        assert_eq!(rows_at(&area, file).await[first..first + 10], expected);
    }
}

#[tokio::test]
async fn a_file_is_closed_at_its_target_size_and_knows_its_range_of_keys() {
    let area = area(Limits { file_bytes_target: 1_500, ..Limits::default() });
    let mut writer = RollingWriter::new(area.clone());
    for chunk in 0..20 {
        let rows = (0..50).map(|i| row(format!("{:05}", chunk * 50 + i), 1, 1)).collect::<Vec<_>>();
        writer.write(&partition(0), &batch(&rows)).await.unwrap();
    }
    let files = writer.finish().await.unwrap();
    assert!(files.len() > 3 && files.len() < 20, "{}", files.len());
    for file in &files {
        let rows = rows_at(&area, file).await;
        let text = |row: &Row| KeyBound::Text(row.id.clone());
        let range = KeyRange { min: text(&rows[0]), max: text(rows.last().unwrap()) };
        assert_eq!(file.keys, Some(range));
    }
}
