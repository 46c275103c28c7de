"""Counts the instructions of small fixed work under callgrind, and compares them with the counts in instructions.json.

usage: instructions.py PROGRAM [--renew] [--only TEXT]

PROGRAM is the built example `instructions`; its dev profile is what the counts are of. Unlike seconds, instructions do not depend on what else the machine does: the
same build gives the same counts within a thousandth. A count is the difference between one and several rounds of the same work, so that the start of the process and the
preparations drop out.

With the compiler, processor and flags of the baseline each count is compared itself. With others it is compared as a multiple of the first case, which is a library's work, and
may differ by more. Where the architecture is another, or there is no callgrind and none can be had, nothing is checked, and that is said; LAKEFEED_REQUIRE_VALGRIND=1 makes
it an error.
"""

import argparse
import concurrent.futures
import json
import os
import pathlib
import queue
import re
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
BASELINE = ROOT / "benches" / "instructions.json"
PROFILES = ROOT / "target" / "instructions"
OWN_VALGRIND = ROOT / ".valgrind"
ROUNDS = (1, 3)
RENEWAL = "`make instructions-baseline` makes the counts of now the baseline; say in the commit message what they buy"


class NotChecked(Exception):
    """The counts cannot be had, or mean nothing here."""


def output_of(*command, **options):
    done = subprocess.run([str(part) for part in command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options)
    if done.returncode != 0:
        raise RuntimeError(f"{command[0]} ended with {done.returncode}:\n{done.stderr.strip()}")
    return done.stdout.strip()


def find_valgrind():
    """The command and the folder of its tools, which a copy in a place of its own has to be told."""
    installed = shutil.which("valgrind")
    if installed:
        return installed, None
    if not own_valgrind():
        fetch_valgrind()
    return own_valgrind()


def own_valgrind():
    tools = sorted(OWN_VALGRIND.glob("root/usr/lib*/**/callgrind-*-linux"))
    return (OWN_VALGRIND / "root/usr/bin/valgrind", tools[0].parent) if tools else None


def fetch_valgrind():
    """Unpacks Debian's package below the repository, for which nobody has to be root."""
    if not (shutil.which("apt-get") and shutil.which("dpkg")):
        raise NotChecked("there is no valgrind, and no apt-get to get it with; install valgrind")
    print("getting valgrind into .valgrind, since it is not installed", file=sys.stderr)
    shutil.rmtree(OWN_VALGRIND, ignore_errors=True)
    for folder in ["state/lists/partial", "cache/archives/partial", "packages", "root"]:
        (OWN_VALGRIND / folder).mkdir(parents=True)
    places = [f"Dir::State={OWN_VALGRIND}/state", f"Dir::Cache={OWN_VALGRIND}/cache", "Dir::State::status=/var/lib/dpkg/status", "APT::Sandbox::User="]
    own = [part for place in places for part in ("-o", place)]
    packages = OWN_VALGRIND / "packages"
    try:
        try:
            output_of("apt-get", "download", "valgrind", cwd=packages)
        except RuntimeError:
            # A machine whose lists of packages are old or were never fetched: fetch them to a place of our own.
            output_of("apt-get", *own, "update")
            output_of("apt-get", *own, "download", "valgrind", cwd=packages)
        [package] = packages.glob("*.deb")
        output_of("dpkg", "-x", package, OWN_VALGRIND / "root")
    except (RuntimeError, ValueError) as error:
        shutil.rmtree(OWN_VALGRIND, ignore_errors=True)
        raise NotChecked(f"there is no valgrind, and it could not be downloaded; install valgrind\n{error}") from error
    for folder in ["state", "cache", "packages"]:
        shutil.rmtree(OWN_VALGRIND / folder)


class Counter:
    def __init__(self, program):
        self.program = program
        self.valgrind, tools = find_valgrind()
        # Nothing of the caller's environment, which would change where things lie on the stack; one thread for what would use more.
        self.environment = {"RAYON_NUM_THREADS": "1"} | ({"VALGRIND_LIB": str(tools)} if tools else {})
        PROFILES.mkdir(parents=True, exist_ok=True)
        try:
            output_of(self.valgrind, "--tool=callgrind", "--callgrind-out-file=/dev/null", program, "cases", env=self.environment)
        except RuntimeError as error:
            raise NotChecked(f"valgrind does not work here\n{error}") from error

    def count(self, case):
        few, many = (self.collect(case, rounds) for rounds in ROUNDS)
        return (many - few) // (ROUNDS[1] - ROUNDS[0])

    def collect(self, case, rounds):
        profile = profile_of(case)
        command = [self.valgrind, "--tool=callgrind", f"--callgrind-out-file={profile}", self.program, case, rounds]
        output_of(*command, env=self.environment)
        totals = re.search(r"^(?:summary|totals): (\d+)$", profile.read_text(), re.MULTILINE)
        return int(totals.group(1))


def count_all(counter, cases):
    """Case by case, as many at a time as there are processors, each on one of them: a program keeps as many files in flight as it may use processors."""
    free = queue.SimpleQueue()
    for processor in os.sched_getaffinity(0):
        free.put({processor})
    # What a thread is bound to, the processes that it starts are.
    pool = concurrent.futures.ThreadPoolExecutor(free.qsize(), initializer=lambda: os.sched_setaffinity(0, free.get()))
    with pool:
        return dict(zip(cases, pool.map(counter.count, cases)))


def profile_of(case):
    return PROFILES / (re.sub(r"\W+", "-", case) + ".callgrind")


def environment_of(program):
    rustc = shutil.which(os.environ.get("RUSTC") or "rustc")
    rustc = output_of(rustc, "-V", cwd=ROOT) if rustc else "unknown"
    flags = " ".join(f"{name}={os.environ[name]}" for name in ("RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS") if os.environ.get(name))
    return {"machine": output_of(program, "machine"), "rustc": rustc, "flags": flags}


def compare(counts, baseline, environment):
    """The lines of a table, and whether no case takes too much."""
    old = baseline["counts"]
    is_same = environment == baseline["environment"]
    tolerance = baseline["tolerance" if is_same else "tolerance_elsewhere"]
    reference = next(iter(old))
    scale = 1.0 if is_same else counts[reference] / old[reference]
    if not is_same:
        print(f"compared by multiples of {reference!r}, since these are not counts of\n{baseline['environment']}, but of\n{environment}")
    is_good = True
    print(f"{'case':36} {'baseline':>14} {'now':>14} {'change':>8}")
    for case, count in counts.items():
        if case not in old:
            print(f"{case:36} {'':>14} {count:>14,}      new  {RENEWAL}")
            is_good = False
            continue
        change = count / (old[case] * scale) - 1
        verdict = ""
        if change > tolerance:
            is_good = False
            verdict = f"more than {tolerance:+.0%}: look with callgrind_annotate {profile_of(case).relative_to(ROOT)}"
        elif change < -tolerance:
            verdict = "better: renew the baseline, so that it stays so"
        print(f"{case:36} {old[case]:>14,} {count:>14,} {change:>+8.1%}  {verdict}".rstrip())
    return is_good


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program", type=pathlib.Path)
    parser.add_argument("--renew", action="store_true", help="write the counts into instructions.json")
    parser.add_argument("--only", default="", help="cases whose name has this text")
    options = parser.parse_args()
    program = options.program.resolve()
    baseline = json.loads(BASELINE.read_text())
    try:
        environment = environment_of(program)
        architecture, usual = (place["machine"].split(",")[0] for place in (environment, baseline["environment"]))
        if architecture != usual and not options.renew:
            raise NotChecked(f"the baseline was counted on {usual}, and this is {architecture}")
        counter = Counter(program)
    except NotChecked as error:
        print(f"NOT CHECKED: how many instructions things take.\n{error}", file=sys.stderr)
        sys.exit(1 if os.environ.get("LAKEFEED_REQUIRE_VALGRIND") == "1" else 0)
    cases = output_of(program, "cases").splitlines()
    # The first one is what the others may be measured by.
    cases = [case for case in cases if options.only in case or case == cases[0]]
    counts = count_all(counter, cases)
    if options.renew:
        BASELINE.write_text(json.dumps(baseline | {"environment": environment, "counts": baseline["counts"] | counts}, indent=2) + "\n")
    elif not compare(counts, baseline, environment):
        sys.exit(f"\nSomething takes more instructions than it did. If that is meant: {RENEWAL}.")


if __name__ == "__main__":
    main()
