"""Writes advisories.toml anew: what the RustSec database (CC0) says about the crates of Cargo.lock.

    git clone https://github.com/rustsec/advisory-db && python3 tests/architecture/advisories.py advisory-db
"""

import json
import pathlib
import re
import subprocess
import sys
import tomllib

HERE = pathlib.Path(__file__).parent
database = pathlib.Path(sys.argv[1])
date = subprocess.check_output(["git", "-C", database, "log", "-1", "--format=%cs"], text=True).strip()
lock = tomllib.loads((HERE / "../../Cargo.lock").read_text())
lines = []
for crate in sorted({package["name"] for package in lock["package"]}):
    for file in sorted((database / "crates" / crate).glob("RUSTSEC-*.md")):
        front_matter, text = re.fullmatch(r"```toml\n(.*?)```(.*)", file.read_text(), re.S).groups()
        front = tomllib.loads(front_matter)
        if "withdrawn" in front["advisory"]:
            continue
        sound = front["versions"].get("patched", []) + front["versions"].get("unaffected", [])
        title = re.search(r"^# (.*)", text, re.M)[1].strip()
        fields = {"id": front["advisory"]["id"], "crate": crate, "sound": sound, "title": title}
        lines.append("  { " + ", ".join(f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in fields.items()) + " },")
head = f"# What the RustSec database of {date} says about crates of Cargo.lock; advisories.py wrote it. `sound` are versions without the fault.\n"
(HERE / "advisories.toml").write_text(head + "advisories = [\n" + "\n".join(lines) + "\n]\n")
print(f"{len(lines)} advisories, of {date}")
