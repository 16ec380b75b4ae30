"""docs/conformance.md: what each variant of the device does, from the tests of tests/firmware.

    scripts/conformance_table.py            run the suite; write the table when everything passed
    scripts/conformance_table.py --check    compare the table with the tests that there are

A row is a mark `feature` of the tests; a variant has it when it has a test with that mark, and that passes.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
TABLE = ROOT / "docs" / "conformance.md"
SUITE = ROOT / "tests" / "firmware"
VARIANTS = {"micropython": "MicroPython", "rust": "Rust"}

HEAD = """\
# What a device does, and which one

<!-- Made by scripts/conformance_table.py from the tests in tests/firmware; a test compares the two. -->

Two firmwares speak the [protocol](protocol.md): the MicroPython application in `device/` and the Rust
firmware in `firmware_rs/`. One set of tests, `tests/firmware/`, drives both as processes against a scripted
hub: the application under the MicroPython interpreter, and `minerva-sim`, the Rust firmware's device on a
computer. This table was written after a run in which every test passed, on both.

The rows marked "board" are also run on a board at a serial port, which holds its settings already:

```sh
.venv/bin/pytest tests/firmware -m hardware --device-port /dev/ttyUSB0 --device-settings settings.json
```
"""


@dataclass
class Row:
    """One feature: its area, its sentence, and the tests of each variant by their ids."""

    area: str
    text: str
    tests: dict[str, list[str]] = field(default_factory=dict)
    board: bool = False


class Collector:
    """A plugin for pytest that keeps the rows, and what became of the tests."""

    def __init__(self) -> None:
        self.rows: dict[tuple[str, str], Row] = {}
        self.passed: set[str] = set()
        self.wrong: dict[str, str] = {}

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        for item in items:
            mark = item.get_closest_marker("feature")
            if mark is None or not isinstance(item, pytest.Function):
                continue
            area, text = mark.args
            row = self.rows.setdefault((area, text), Row(area, text))
            variant = item.callspec.params["variant"]
            if variant == "board":
                row.board = row.board or set(mark.kwargs.get("needs", ())) <= {"power"}
            else:
                row.tests.setdefault(variant, []).append(item.nodeid)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "call" and report.passed:
            self.passed.add(report.nodeid)
        elif not report.passed:
            self.wrong[report.nodeid] = f"{report.outcome}: {report.longreprtext.splitlines()[-1]}"


def collect(*options: str) -> tuple[Collector, int]:
    """Run pytest over the suite: (what it told, its exit status)."""
    collector = Collector()
    suite = [str(path) for path in sorted(SUITE.glob("test_conform_*.py"))]
    status = pytest.main([*suite, "-q", "--no-header", *options], plugins=[collector])
    return collector, int(status)


def cell(there: bool) -> str:
    return "yes" if there else "no"


def table(rows: Iterable[Row]) -> str:
    """The document."""
    out = [HEAD]
    rows = list(rows)
    for area in dict.fromkeys(row.area for row in rows):
        out += [
            f"## {area}",
            "",
            f"| | {' | '.join(VARIANTS.values())} | board |",
            "| --- | --- | --- | --- |",
        ]
        for row in rows:
            if row.area == area:
                cells = [cell(variant in row.tests) for variant in VARIANTS]
                out.append(f"| {row.text} | {' | '.join(cells)} | {cell(row.board)} |")
        out.append("")
    out += ["## What one has more than the other", ""]
    for variant, title in VARIANTS.items():
        more = [row for row in rows if set(row.tests) == {variant}]
        out.append(
            f"- **{title}**: " + ("; ".join(f"{row.area}: {row.text}" for row in more) or "nothing") + "."
        )
    return "\n".join(out) + "\n"


def main() -> int:
    """The script."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--check", action="store_true", help="compare only")
    check = parser.parse_args().check
    collector, status = collect("--collect-only", "-qq")
    if status != 0:
        print(f"the suite ended with {status}; the table is left as it is", file=sys.stderr)
        return 1
    made = table(collector.rows.values())
    if check:
        if made != TABLE.read_text():
            print(
                f"{TABLE.name} is not what the tests make of it: run {Path(__file__).name}", file=sys.stderr
            )
            return 1
        return 0
    run, _ = collect("-n", "2")  # in processes of their own: what they collect is not told here
    asked = {test for row in collector.rows.values() for tests in row.tests.values() for test in tests}
    if asked - run.passed:
        for test in sorted(asked - run.passed):
            print(f"{test} {run.wrong.get(test, 'did not run')}", file=sys.stderr)
        print("not every test passed on every variant; the table is left as it is", file=sys.stderr)
        return 1
    TABLE.write_text(made)
    print(f"{TABLE}: {len(collector.rows)} features, {len(asked)} tests")
    return 0


if __name__ == "__main__":
    sys.exit(main())
