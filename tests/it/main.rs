//! The integration tests: whole runs against real servers and real readers. One binary, so that it
//! links once.

#![expect(unreachable_pub, reason = "what the support modules offer is public to the tests")]
#![expect(clippy::unwrap_used, clippy::panic, reason = "tests panic to fail, and their names say what they hold")]
#![expect(clippy::disallowed_methods, reason = "tests live in the real world: its clock, its files, its environment")]

mod bad_input; // what goes wrong, what the operator reads, and that the lake stays as it was
mod cassette; // a run that is recorded and played again without a network
mod child_tables; // lists of records as tables of their own, against an oracle and as readers join them
mod compat; // lakes that earlier versions wrote
mod conformance; // what a declarative REST source must do, as data
mod crash; // kill -9 at every step of a commit, then again
mod embedding; // the example of a program that embeds the library
mod evolution; // schemas that evolve, contracts, readers of old and new files together
mod examples; // the pipelines for public APIs, each against a server that answers as the API's documentation says
mod formats; // the same pipeline as YAML, JSON, TOML and a dlt dictionary
mod fuzz; // the body of a fuzz target over pages that are changed at random
mod guards; // what keeps a run from being green and incomplete, and a table from being emptied
mod lists; // lists of records as tables of their own: readers that join, contracts, rejects
mod main_job; // the calendar API into a lake, read back by DuckDB, pyarrow and Polars
mod merging; // strategies of merging: partitions, tombstones, counts, proofs
mod oauth; // tokens of a real OAuth2 server: how a client proves itself, expiry, rotation
mod rejects; // records that are refused: bounded, shown, tried again after a fix
mod renames; // columns that have another name now, their ids and what files say of them
mod resume; // a long listing that is stopped, and gone on with
mod scale; // many pages, bounded memory
mod shapes; // columns with other names than their fields, and fields of objects as columns
mod simulation; // random histories, faults and kills against an oracle
mod source; // the REST source by the command line: what is refused, what ends early, what the report says of it
mod storage; // the same on a real S3-protocol server; stores that lie
mod support;
mod table; // the commands that look at a table and look after it, on disk and on S3
mod types; // every type, its values and its rejects, through a run and read back by DuckDB, pyarrow and Polars
