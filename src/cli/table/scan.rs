//! The exact files of a table's last commit, on this machine's disk, as one lazy frame of polars.

use std::fs::File;
use std::path::{Path, PathBuf};

use futures::{StreamExt as _, TryStreamExt as _, stream};
use parquet::arrow::ArrowWriter;
use polars::io::HiveOptions;
use polars::prelude::{
    CastColumnsPolicy, DslBuilder, LazyFrame, MissingColumnsPolicy, ParquetOptions, PlRefPath, PolarsResult,
    ScanSources, UnifiedScanArgs,
};
use tokio::io::AsyncWriteExt as _;

use super::widen::{wide_schema, widened};
use crate::error::{Error, Result};
use crate::facade::Table;
use crate::lake::{Manifest, ManifestFile};
use crate::schema::RecordSchema;

/// Files that are fetched at the same time.
const FETCHES_IN_FLIGHT: usize = 4;

/// Returns where the files of a table are to be found; those that are not there yet are put into
/// `folder`, under names that begin with `prefix`.
///
/// The first one has no rows and all columns of `schema`: files that are older than a column, or
/// than a field of an object, lack it.
pub(super) async fn local_files(
    table: &Table,
    manifest: &Manifest,
    schema: &RecordSchema,
    folder: &Path,
    prefix: &str,
) -> Result<Vec<PathBuf>> {
    let first = folder.join(format!("{prefix}-columns.parquet"));
    write_columns(schema, &first)?;
    let is_wide = wide_schema(&schema.to_arrow()).fields() != schema.to_arrow().fields();
    let mut files = vec![first];
    let others = manifest.files.iter().enumerate().map(|(number, file)| {
        let own = folder.join(format!("{prefix}-{number}.parquet"));
        local_file(table, file, own, is_wide)
    });
    // Collected first: a stream that lends of its items is not `Send`.
    let others = others.collect::<Vec<_>>();
    files.extend(stream::iter(others).buffered(FETCHES_IN_FLIGHT).try_collect::<Vec<_>>().await?);
    Ok(files)
}

/// Returns the rows of these files. Nothing is read before a query asks for it.
pub(super) fn scan(files: &[PathBuf]) -> PolarsResult<LazyFrame> {
    let paths = files.iter().map(|path| PlRefPath::try_from_path(path)).collect::<PolarsResult<Vec<_>>>()?;
    let arguments = UnifiedScanArgs {
        glob: false,
        // What stands in the names of folders was derived from columns of the files.
        hive_options: HiveOptions::new_disabled(),
        missing_columns_policy: MissingColumnsPolicy::Insert,
        cast_columns_policy: CastColumnsPolicy {
            missing_struct_fields: MissingColumnsPolicy::Insert,
            ..CastColumnsPolicy::ERROR_ON_MISMATCH
        },
        ..UnifiedScanArgs::default()
    };
    let plan = DslBuilder::scan_parquet(ScanSources::Paths(paths.into()), ParquetOptions::default(), arguments)?;
    Ok(plan.build().into())
}

fn write_columns(schema: &RecordSchema, path: &Path) -> Result<()> {
    let file = File::create_new(path).map_err(|error| unwritable(path, error))?;
    let writer = ArrowWriter::try_new(file, wide_schema(&schema.to_arrow()).into(), None);
    writer.and_then(ArrowWriter::close).map(drop).map_err(|error| unwritable(path, error))
}

/// Returns the place of a data file that polars can read: its own where it is on this machine's
/// disk, `own` otherwise.
async fn local_file(table: &Table, file: &ManifestFile, own: PathBuf, is_wide: bool) -> Result<PathBuf> {
    let mut place = PathBuf::from(&file.location);
    if !place.is_absolute() {
        place.clone_from(&own);
        fetch(table, file, &place).await?;
    }
    if !is_wide {
        return Ok(place);
    }
    let wide = own.with_extension("wide.parquet");
    let (from, to) = (place.clone(), wide.clone());
    let done = tokio::task::spawn_blocking(move || {
        let target = File::create_new(&to).map_err(|error| unwritable(&to, error))?;
        let source = File::open(&from)
            .map_err(|error| Error::storage(format!("cannot read {}", from.display())).with_source(error))?;
        widened(source, target)
            .map_err(|error| Error::damaged(format!("cannot read {}", from.display())).with_source(error))
    });
    let written = done.await.map_err(|error| Error::defect("a file could not be prepared").with_source(error))??;
    Ok(if written.is_some() { wide } else { place })
}

async fn fetch(table: &Table, file: &ManifestFile, path: &Path) -> Result<()> {
    let mut target = tokio::fs::File::create_new(path).await.map_err(|error| unwritable(path, error))?;
    let mut chunks = table.inner().stream_file(&file.path).await?;
    while let Some(chunk) = chunks.try_next().await? {
        target.write_all(&chunk).await.map_err(|error| unwritable(path, error))?;
    }
    target.flush().await.map_err(|error| unwritable(path, error))
}

fn unwritable(path: &Path, error: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::storage(format!("cannot write the temporary file {}", path.display()))
        .with_source(error)
        .with_hint("what a query fetches is kept for its time in the folder for temporary files (TMPDIR)")
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{
        ArrayRef, AsArray as _, Decimal256Array, DictionaryArray, Int8Array, Int64Array, ListArray, RecordBatch,
        StringArray, StructArray,
    };
    use arrow::buffer::OffsetBuffer;
    use arrow::datatypes::{DataType, Int32Type, i256};
    use polars::sql::SQLContext;

    use super::super::frame::Frame;
    use super::super::rows::json_lines;
    use super::*;
    use crate::schema::{Column, ColumnType, IntegerType};

    fn schema(columns: Vec<(&str, ColumnType)>) -> RecordSchema {
        let column =
            |(name, column_type): (&str, ColumnType)| Column { name: name.to_owned(), column_type, nullable: true };
        RecordSchema::new(columns.into_iter().map(column).collect()).unwrap()
    }

    fn object(members: Vec<(&str, ColumnType)>) -> ColumnType {
        ColumnType::Struct(schema(members).columns().to_vec())
    }

    /// A data file of `schema`; polars reads what [`widened`] makes of it.
    fn write(folder: &Path, name: &str, schema: &RecordSchema, columns: Vec<ArrayRef>) -> PathBuf {
        let path = folder.join(name);
        let arrow = schema.to_arrow();
        let mut writer = ArrowWriter::try_new(File::create_new(&path).unwrap(), Arc::clone(&arrow), None).unwrap();
        writer.write(&RecordBatch::try_new(arrow, columns).unwrap()).unwrap();
        writer.close().unwrap();
        let wide = path.with_extension("wide.parquet");
        let written = widened(File::open(&path).unwrap(), File::create_new(&wide).unwrap()).unwrap();
        if written.is_some() { wide } else { path }
    }

    /// A list with one object in it, which has the members `columns`.
    fn list_of_one(element: &ColumnType, columns: Vec<ArrayRef>) -> ArrayRef {
        let DataType::List(field) = ColumnType::List(Box::new(element.clone())).to_arrow() else { panic!("a list") };
        let DataType::Struct(fields) = element.to_arrow() else { panic!("a struct") };
        let values = Arc::new(StructArray::new(fields, columns, None));
        Arc::new(ListArray::new(field, OffsetBuffer::from_lengths([1]), values, None))
    }

    #[test]
    fn files_that_lack_columns_and_fields_are_one_table() {
        let folder = tempfile::tempdir().unwrap();
        let (one, two) =
            (object(vec![("a", ColumnType::Int64)]), object(vec![("a", ColumnType::Int64), ("b", ColumnType::Utf8)]));
        let old = schema(vec![("id", ColumnType::Int64), ("o", one.clone()), ("l", ColumnType::List(Box::new(one)))]);
        let new = schema(vec![
            ("id", ColumnType::Int64),
            ("o", two.clone()),
            ("l", ColumnType::List(Box::new(two.clone()))),
            ("d", ColumnType::Dictionary),
            ("small", ColumnType::Integer(IntegerType::Int8)),
            ("big", ColumnType::Decimal256 { precision: 76, scale: 2 }),
        ]);
        let number = |number: i64| Arc::new(Int64Array::from(vec![number])) as ArrayRef;
        let text = || Arc::new(StringArray::from(vec!["x"])) as ArrayRef;
        let of_old = list_of_one(&object(vec![("a", ColumnType::Int64)]), vec![number(2)]);
        let of_new = list_of_one(&two, vec![number(3), text()]);
        let of = |list: &ArrayRef| Arc::clone(list.as_list::<i32>().values());
        let big =
            Decimal256Array::from(vec![i256::from_string("-12345678901234567890123456789012345678901234567").unwrap()]);
        let words: DictionaryArray<Int32Type> = vec!["w"].into_iter().collect();
        let first = folder.path().join("columns.parquet");
        write_columns(&new, &first).unwrap();
        let files = [
            first,
            write(folder.path(), "old.parquet", &old, vec![number(1), of(&of_old), of_old]),
            write(
                folder.path(),
                "new.parquet",
                &new,
                vec![
                    number(2),
                    of(&of_new),
                    of_new,
                    Arc::new(words),
                    Arc::new(Int8Array::from(vec![-8])),
                    Arc::new(big.with_precision_and_scale(76, 2).unwrap()),
                ],
            ),
        ];
        let rows = |sql: &str| {
            let mut context = SQLContext::new();
            context.register("t", scan(&files).unwrap());
            json_lines(&Frame::of(context.execute(sql).unwrap().collect().unwrap()).unwrap().batches).unwrap()
        };
        assert_eq!(
            rows("SELECT * FROM t ORDER BY id"),
            "{\"id\":1,\"o\":{\"a\":2,\"b\":null},\"l\":[{\"a\":2,\"b\":null}],\"d\":null,\"small\":null,\"big\":null}\n\
             {\"id\":2,\"o\":{\"a\":3,\"b\":\"x\"},\"l\":[{\"a\":3,\"b\":\"x\"}],\"d\":\"w\",\"small\":-8,\
             \"big\":\"-123456789012345678901234567890123456789012345.67\"}\n"
        );
        assert_eq!(
            rows("SELECT small, count(*) AS n FROM t GROUP BY small ORDER BY n, small NULLS FIRST"),
            "{\"small\":null,\"n\":1}\n{\"small\":-8,\"n\":1}\n"
        );
        // An aggregate has its values in another form.
        let last = rows("SELECT last(o) AS o, max(id) AS id FROM t");
        assert!(last.contains("\"id\":2") && last.contains("{\"a\":"), "{last}");
        assert_eq!(rows("SELECT d FROM t WHERE d = 'w'"), "{\"d\":\"w\"}\n");
    }
}
