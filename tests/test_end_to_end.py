"""The example documents, from files to cited answers, as the demo does it."""

import json
from pathlib import Path

import pytest

from app.answering import Answerer
from ingest.pipeline import ingest_paths
from ingest.reports import FileReport
from storage.library import Library

CORPUS = Path(__file__).resolve().parent.parent / "examples" / "corpus"
QUESTIONS = json.loads((CORPUS / "questions.json").read_text(encoding="utf-8"))["questions"]
ANSWERABLE = [q for q in QUESTIONS if q["answers"]]
#: Every third question: all of them, as benchmarks/calibrate.py asks, take minutes.
SAMPLE = QUESTIONS[::3]


@pytest.fixture(scope="module")
def ingested(tmp_path_factory, reader):
    with Library(tmp_path_factory.mktemp("library")) as library:
        reports = list(ingest_paths([CORPUS], library, reader))
        yield library, reports


@pytest.fixture(scope="module")
def answerer(ingested) -> Answerer:
    return Answerer.open(ingested[0])


def test_every_document_goes_in_and_the_scan_needs_ocr(ingested):
    library, reports = ingested
    by_name: dict[str, FileReport] = {Path(r.path).name: r for r in reports}
    assert by_name.pop("questions.json").outcome == "skipped"
    assert {r.outcome for r in by_name.values()} == {"added"} and len(by_name) >= 8
    scans = [r for r in by_name.values() if r.pages_without_text]
    assert len(scans) == 1 and "needs OCR" in (scans[0].reason or "")
    assert library.verify() == []


def test_most_questions_are_answered_from_the_right_page_and_most_others_refused(
    ingested, answerer
):
    library, _ = ingested
    right = refused = 0
    for item in SAMPLE:
        answer = answerer.ask(item["question"])
        for citation in (*answer.citations, *answer.nearest):
            text = library.page(citation.document_id, citation.page).text
            assert text[citation.start : citation.end] == citation.quote
        if not item["answers"]:
            refused += not answer.found
        elif answer.source == "passage":
            first = answer.citations[0]
            right += (first.title, first.page) == (item["title"], item["page"])
    # What calibration reached is in benchmarks/results/calibrate.json; these are floors.
    answerable = sum(bool(item["answers"]) for item in SAMPLE)
    assert right / answerable >= 0.45
    assert refused / (len(SAMPLE) - answerable) >= 0.2


def test_passages_and_their_answers_are_the_same_with_an_emptied_memory(answerer):
    """Text is read without the memory: what it remembers stands apart, in `memory_answer`."""
    for item in QUESTIONS[::16]:
        final, empty = (
            answerer.ask(item["question"]),
            answerer.ask(item["question"], memory="empty"),
        )
        assert (final.citations, final.nearest) == (empty.citations, empty.nearest)
        if "passage" in (final.source, empty.source):
            assert (final.answer, final.confidence) == (empty.answer, empty.confidence)


def test_as_of_a_page_gives_what_was_true_then(ingested, answerer):
    changing = [q for q in ANSWERABLE if "as_of_page" in q]
    assert changing
    for item in changing:
        answer = answerer.ask(
            item["question"], documents=[item["title"]], as_of_page=item["as_of_page"]
        )
        for citation in (*answer.citations, *answer.nearest):
            assert citation.page <= item["as_of_page"]
