use super::*;
use crate::error::ErrorKind;

#[test]
fn only_statements_that_read_are_taken() {
    for reads in [
        "select 1",
        "  WITH x AS (SELECT 1) SELECT * FROM x",
        "-- all of it\n/* or (not) */ ((SELECT 1))",
        "FROM events",
        "EXPLAIN SELECT 1",
    ] {
        assert!(check_reads(reads).is_ok(), "{reads}");
    }
    for (other, told) in [
        ("DELETE FROM events", "this is DELETE"),
        ("--SELECT\n drop table events", "this is DROP"),
        ("", "this is no statement"),
        ("/* SELECT 1", "this is no statement"),
        ("SELECTED", "this is SELECTED"),
    ] {
        let error = check_reads(other).unwrap_err();
        assert!(error.kind() == ErrorKind::Config && error.to_string().contains(told), "{other}: {error}");
    }
}

#[test]
fn names_are_shown_as_sql_takes_them() {
    for (name, shown) in
        [("events", "events"), ("order-lines", "\"order-lines\""), ("a\"b", "\"a\"\"b\""), ("2024", "\"2024\"")]
    {
        assert_eq!(quoted(name), shown);
    }
}

#[test]
fn an_error_about_files_is_not_one_about_the_query() {
    for (error, kind, told) in [
        (PolarsError::ColumnNotFound("x\n\nResolved plan: …".into()), ErrorKind::Config, "cannot be run: not found: x"),
        (PolarsError::ComputeError("parquet: File out of specification".into()), ErrorKind::Damaged, "cannot be read"),
        (std::io::Error::from(std::io::ErrorKind::NotFound).into(), ErrorKind::Damaged, "cannot be read"),
        (std::io::Error::other("gone").into(), ErrorKind::Storage, "cannot be read"),
    ] {
        let error = refused(&error);
        assert!(error.kind() == kind && error.to_string().contains(told), "{error}");
        assert!(!error.to_string().contains("plan"), "{error}");
    }
}
