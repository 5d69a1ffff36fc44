"""Bad PDFs: each has an outcome with a reason, within limits, and the good file goes in.

Making the files is in hostile_pdfs.py.
"""

import re
import sys
import time
from pathlib import Path

import pytest

from ingest.child import ParserPool
from ingest.limits import ParseLimits
from ingest.pipeline import ingest_paths
from storage.library import Library
from tests import hostile_pdfs
from tests.pdf_makers import pdf_bytes, written

LIMITS = ParseLimits(seconds=30, memory_bytes=200 * 2**20)


@pytest.mark.parametrize("name", hostile_pdfs.readable())
def test_what_only_looks_bad_is_read(tmp_path, name):
    data, words = hostile_pdfs.readable()[name]
    path = written(tmp_path, f"{name}.pdf", data)
    with ParserPool(1, LIMITS) as pool:
        assert pool.submit(path).result().pages[0].text == words
        assert pool.draw(path, 0, scale=0.5).result().startswith(b"\x89PNG")


@pytest.mark.skipif(sys.platform != "linux", reason="memory is limited as on Linux")
def test_every_bad_file_has_its_outcome_and_the_good_one_goes_in(tmp_path, reader):
    folder = tmp_path / "files"
    folder.mkdir()
    refused, blank = hostile_pdfs.refused(), hostile_pdfs.without_text()
    for name, data in [*((n, d) for n, (d, _) in refused.items()), *blank.items()]:
        written(folder, f"{name}.pdf", data)
    written(folder, "the good one.pdf", pdf_bytes("The bell rings at nine."))
    started = time.monotonic()
    with Library(tmp_path / "library") as library:
        reports = {
            Path(report.path).stem: report
            for report in ingest_paths([folder], library, reader, limits=LIMITS)
        }
        assert len(library.documents()) == len(reports) == len(refused) + len(blank) + 1
        assert library.verify() == []
    assert time.monotonic() - started < LIMITS.seconds * 4
    for name, (_, reason) in refused.items():
        assert reports[name].outcome == "failed", name
        assert re.search(reason, reports[name].reason or ""), (name, reports[name].reason)
    for name in blank:
        report = reports[name]
        assert (report.outcome, report.tokens) == ("added", 0), (name, report.reason)
        assert "no text" in (report.reason or "") and report.pages, name
    good = reports["the good one"]
    assert (good.outcome, good.pages, good.reason) == ("added", 1, None)
