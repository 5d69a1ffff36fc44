"""The example corpus is what its questions and its README promise."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections import Counter
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import pypdfium2
import pytest

EXAMPLES = Path(__file__).parent.parent / "examples"
CORPUS = EXAMPLES / "corpus"
HANDBOOK = "ellermouth-handbook.pdf"
SCAN = "light-float-certificate-scan.pdf"
QUESTIONS: list[dict[str, Any]] = json.loads((CORPUS / "questions.json").read_text("utf-8"))[
    "questions"
]
ANSWERABLE = [question for question in QUESTIONS if question["kind"] != "unanswerable"]
UNANSWERABLE = [question for question in QUESTIONS if question["kind"] == "unanswerable"]


def plain(text: str) -> str:
    """Single spaces, and no hyphen where PDFium saw a word parted at the end of a line."""
    return re.sub(r"\s+", " ", re.sub("[\ufffe\u00ad\x02]\\s*", "", text)).strip()


@cache
def pages(name: str) -> tuple[str, ...]:
    if name.endswith(".pdf"):
        with pypdfium2.PdfDocument(CORPUS / name) as pdf:
            return tuple(plain(page.get_textpage().get_text_range()) for page in pdf)
    text = (CORPUS / name).read_text("utf-8")
    return tuple(plain(page) for page in text.split("\f"))


def title(name: str) -> str:
    if name.endswith(".pdf"):
        with pypdfium2.PdfDocument(CORPUS / name) as pdf:
            return str(pdf.get_metadata_value("Title"))
    if name.endswith(".md"):
        return (CORPUS / name).read_text("utf-8").splitlines()[0].removeprefix("# ")
    return Path(name).stem


def documents() -> list[str]:
    return sorted(path.name for path in CORPUS.iterdir() if path.name != "questions.json")


def test_the_corpus_has_ten_documents_and_stays_small():
    assert Counter(Path(name).suffix for name in documents()) == {".pdf": 5, ".txt": 3, ".md": 2}
    assert sum(path.stat().st_size for path in CORPUS.iterdir()) < 3_000_000


def test_the_documents_are_as_long_as_promised():
    words = {name: [len(page.split()) for page in pages(name)] for name in documents()}
    assert len(words[HANDBOOK]) == 48 and min(words[HANDBOOK]) >= 250
    assert len(words["night-migration-paper.pdf"]) >= 6
    assert len(words["dunmarrow-water-accounts-2022.pdf"]) >= 5
    assert len(words["fennick-council-minutes.pdf"]) == 3
    assert len(words["sanderling-logbook.txt"]) == 5
    assert sum(words["sanderling-logbook.txt"]) >= 6000
    assert sum(words["the-bell-at-low-water.txt"]) >= 2500


def test_the_handbook_is_labelled_in_roman_and_then_in_arabic_and_prints_its_labels():
    expected = ["i", "ii", "iii", "iv", "v", "vi", *(str(number) for number in range(1, 43))]
    with pypdfium2.PdfDocument(CORPUS / HANDBOOK) as pdf:
        assert [pdf.get_page_label(index) for index in range(len(pdf))] == expected
    assert [page.split()[-1] for page in pages(HANDBOOK)] == expected


def test_no_two_pages_of_the_handbook_say_the_same():
    sentences = Counter(
        sentence
        for page in pages(HANDBOOK)
        for sentence in re.split(r"(?<=[.?!]) ", page)
        if len(sentence.split()) > 8
    )
    assert [sentence for sentence, times in sentences.items() if times > 1] == []


def test_the_scan_is_one_page_without_text():
    assert pages(SCAN) == ("",)


def test_the_columns_and_the_minutes_part_words_at_line_ends():
    for name in ("night-migration-paper.pdf", "fennick-council-minutes.pdf"):
        with pypdfium2.PdfDocument(CORPUS / name) as pdf:
            assert any("\ufffe" in page.get_textpage().get_text_range() for page in pdf), name


def test_ids_are_unique_and_there_are_enough_questions_of_each_kind():
    ids = [question["id"] for question in QUESTIONS]
    assert len(set(ids)) == len(ids)
    assert len(ANSWERABLE) >= 75 and len(UNANSWERABLE) >= 20
    assert sum("as_of_page" in question for question in ANSWERABLE) >= 10
    kinds = {question["kind"] for question in ANSWERABLE}
    assert kinds == {"fact", "number", "date", "name", "change", "table"}


def test_every_document_with_text_is_asked_about_early_in_the_middle_and_late():
    asked = {question["document"] for question in ANSWERABLE}
    assert asked == set(documents()) - {SCAN}
    thirds = {question["page"] // 16 for question in ANSWERABLE if question["document"] == HANDBOOK}
    assert thirds == {0, 1, 2}


@pytest.mark.parametrize("question", ANSWERABLE, ids=lambda question: question["id"])
def test_a_quote_stands_on_its_page_and_holds_every_answer(question: dict[str, Any]):
    assert question["title"] == title(question["document"])
    assert question["quote"] == plain(question["quote"])
    assert question["quote"] in pages(question["document"])[question["page"]]
    assert question["answers"]
    for answer in question["answers"]:
        assert answer and answer.lower() in question["quote"].lower()


@pytest.mark.parametrize("question", UNANSWERABLE, ids=lambda question: question["id"])
def test_an_unanswerable_question_names_no_document_and_no_answer(question: dict[str, Any]):
    assert question["question"].endswith("?")
    assert question["answers"] == [] and question["document"] is None


def test_a_question_as_of_a_page_is_answered_before_that_page_and_not_changed_until_then():
    changes = [question for question in ANSWERABLE if question["kind"] == "change"]
    assert all(question["page"] <= question["as_of_page"] for question in changes)
    by_text: dict[str, list[dict[str, Any]]] = {}
    for question in changes:
        by_text.setdefault(question["question"], []).append(question)
    for versions in by_text.values():
        assert len(versions) > 1
        assert len({version["answers"][0] for version in versions}) == len(versions)
        for earlier, later in pairwise(versions):
            assert earlier["as_of_page"] < later["page"]


def test_the_generator_makes_the_committed_files_byte_for_byte(tmp_path: Path):
    command = [sys.executable, str(EXAMPLES / "make_corpus.py"), "--output", str(tmp_path)]
    subprocess.run(command, check=True, capture_output=True, timeout=60)
    made = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert made == {path.name: path.read_bytes() for path in CORPUS.glob("*.pdf")}
