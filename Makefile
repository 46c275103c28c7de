# `make` alone lists the targets. On a fresh machine with Rust and Python 3 each of them installs what it needs.

CARGO ?= cargo
PYTHON ?= python3
VENV := .venv
TREE ?= .
TEST_PYTHON := $(CURDIR)/$(VENV)/bin/python
READERS := tests/readers/requirements.txt

.DEFAULT_GOAL := help
.PHONY: help demo rooms lines test instructions instructions-baseline soak test-ceph test-spark test-adversaries reader-race check fmt lint doc bench bench-merge clean

help: ## list the targets
	@awk 'BEGIN {FS = ":.*## "} /^[a-z -]+:.*## / {printf "  make %-22s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# Built as tests are: that takes half as long as a release, and `make test` need not build dependencies again. Without SQL, whose engine takes longer
# to compile than everything else.
demo: ## build, start the embedded calendar API with OAuth2, run the pipeline, show the table
	$(CARGO) run --locked --no-default-features --features cli,demo -- demo

# Both take TREE, the folder of another checkout.
rooms lines: ## the shape of the source: rooms, arrows and rings of each module; lines of code, tests left out, by room
	@LAKEFEED_TREE=$(abspath $(TREE)) $(CARGO) test --locked --quiet --package lakefeed-architecture -- --exact figures_of_$@ >/dev/null
	@cat target/tmp/$@.txt

test: check $(VENV)/.installed ## everything: format, lints, docs, unit and integration tests with real servers and readers, counts of instructions
	LAKEFEED_TEST_PYTHON=$(TEST_PYTHON) $(CARGO) test --locked --workspace
	@$(MAKE) --no-print-directory instructions

instructions: ## does small fixed work take more instructions than its baseline? (valgrind; Debian's package is fetched where it is missing)
	$(CARGO) build --locked --quiet --example instructions
	@$(PYTHON) benches/instructions.py target/debug/examples/instructions

instructions-baseline: ## make the counts of now the baseline
	$(CARGO) build --locked --quiet --example instructions
	@$(PYTHON) benches/instructions.py target/debug/examples/instructions --renew

soak: $(VENV)/.installed ## ten thousand random histories against an oracle, 300 kills; LAKEFEED_SIMULATION_SEEDS=17..18 plays one history again
	LAKEFEED_TEST_PYTHON=$(TEST_PYTHON) LAKEFEED_KILLS=$${LAKEFEED_KILLS:-300} \
	LAKEFEED_SIMULATION_SEEDS=$${LAKEFEED_SIMULATION_SEEDS:-0..10000} LAKEFEED_S3_SIMULATION_SEEDS=$${LAKEFEED_S3_SIMULATION_SEEDS:-0..200} \
	LAKEFEED_CHILD_TABLES_SEEDS=$${LAKEFEED_CHILD_TABLES_SEEDS:-0..1000} \
	$(CARGO) test --locked --test it -- simulation:: crash::the_command_survives child_tables::random_histories

test-ceph: $(VENV)/.installed ## the S3 tests on Ceph's radosgw, which checks signatures (root, Debian packages)
	LAKEFEED_TEST_PYTHON=$(TEST_PYTHON) LAKEFEED_S3_SIMULATION_SEEDS=$${LAKEFEED_S3_SIMULATION_SEEDS:-0..100} \
	tests/servers/with-ceph.sh $(CARGO) test --locked --test it -- --test-threads 1 --skip ignores_conditions storage:: crash::on_s3 simulation::on_s3

test-spark: $(VENV)-spark/.installed ## Spark reads a lake as the other readers do, on disk and on S3, also while it is being merged (Java 17 or newer)
	$(CARGO) build --locked
	$(VENV)-spark/bin/python tests/readers/compare_spark.py target/debug/lakefeed
	$(VENV)-spark/bin/python tests/readers/compare_spark_evolved.py target/debug/lakefeed
	$(VENV)-spark/bin/python tests/readers/reader_race.py target/debug/lakefeed --reader spark --seconds 60 --pause 5

test-adversaries: $(VENV)/.installed ## stores that break their promises: refused, or safe (npm; compiles Garage, which takes minutes)
	$(CARGO) build --locked
	tests/servers/with-s3rver.sh $(TEST_PYTHON) tests/servers/adversary.py target/debug/lakefeed --server-dies
	tests/servers/with-garage.sh $(TEST_PYTHON) tests/servers/adversary.py target/debug/lakefeed

reader-race: $(VENV)/.installed ## DuckDB, pyarrow and Polars read a lake while it is being merged; wrong answers are counted
	$(CARGO) build --locked
	$(TEST_PYTHON) tests/readers/reader_race.py target/debug/lakefeed

check: fmt lint doc ## what needs no test run: format, lints, docs

fmt: ## is the code formatted?
	$(CARGO) fmt --all --check

# Of the whole workspace, so that polars is looked at once.
lint: ## clippy, warnings are errors: with all features, with each alone, and with none
	$(CARGO) clippy --locked --workspace --all-targets -- -D warnings
	for feature in cli demo query; do \
	  $(CARGO) clippy --locked --workspace --lib --bins --no-default-features --features $$feature -- -D warnings || exit 1; \
	done
	$(CARGO) clippy --locked --lib --no-default-features -- -D warnings

doc: ## does the documentation build without a warning?
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --locked --workspace --no-deps --document-private-items --quiet

bench: $(VENV)/.bench-installed ## whole runs beside dlt and a hand-tuned pipeline, writes docs/benchmarks.md; then the hot paths
	$(CARGO) build --release --locked --bin lakefeed --example merge_lake
	$(VENV)/bin/python benches/bench_end_to_end.py target/release/lakefeed target/release/examples/merge_lake --write docs/benchmarks.md
	$(CARGO) bench --locked

bench-merge: $(VENV)/.bench-installed ## 100,000 changes into 5,000,000 rows, beside delta-rs, DuckDB and Polars; writes docs/benchmarks-merge.md
	$(CARGO) build --release --locked --example merge_lake
	$(VENV)/bin/python benches/bench_merge.py target/release/examples/merge_lake --write docs/benchmarks-merge.md


clean: ## remove what was built and installed here
	$(CARGO) clean
	rm -rf $(VENV) $(VENV)-spark .valgrind lakefeed-demo

# A virtual environment with DuckDB, pyarrow, Polars, an S3-protocol and an OAuth2 server; made anew when the list changes.
$(VENV)/.installed: $(READERS)
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/pip install --quiet --disable-pip-version-check -r $(READERS)
	touch $@

# What the benchmarks compare with.
$(VENV)/.bench-installed: benches/requirements.txt $(VENV)/.installed
	$(VENV)/bin/pip install --quiet --disable-pip-version-check -r $<
	touch $@

# The same with Spark, which is large.
$(VENV)-spark/.installed: $(READERS) tests/readers/requirements-spark.txt tests/readers/requirements-spark-s3.txt
	$(PYTHON) -m venv $(VENV)-spark
	$(VENV)-spark/bin/pip install --quiet --disable-pip-version-check -r $(READERS) -r tests/readers/requirements-spark.txt
	$(VENV)-spark/bin/pip install --quiet --disable-pip-version-check --no-deps -r tests/readers/requirements-spark-s3.txt
	touch $@
