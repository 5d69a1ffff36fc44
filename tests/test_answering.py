"""Answers: exact quotes, not found, memory as of a page, errors in words, several at once."""

import json
import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from fpdf import FPDF

from app.answering import Answerer
from app.as_json import answer_json
from app.conversing import begin, keep, turns
from app.results import Answer, page_name
from app.sentences import quotable
from app.service import Service
from app.since import told_by
from app.support import (
    Calibration,
    Calibrations,
    MemoryCalibration,
    QuestionWords,
    load_calibration,
)
from armt_core.document_model import DocumentModel, Said
from armt_core.errors import (
    AmbiguousName,
    DamagedSnapshot,
    EmptyLibrary,
    LibraryError,
    OtherModel,
    ReadAnew,
    UnknownDocument,
    UsageError,
)
from armt_core.memory import MemoryState
from ingest.pipeline import ingest_paths, reread_document
from ingest.settings import DEFAULT_MODEL
from storage.library import Library
from tests.fakes import CALIBRATION, CALIBRATION_JSON
from tests.test_default_model import AROUND

#: Half passage, half sentence; what is below 0.5 in both is not found.
QUESTIONS = (
    "Who keeps the lighthouse on Vessel Rock?",
    "When does the ferry leave for Tarn Island?",
    "How many bees live in the glass hive?",
)
PAGES = (
    "The lighthouse on Vessel Rock is kept by Henrike Aalto. She winds the clock each evening "
    "and writes the weather into a green book.",
    "The ferry leaves for Tarn Island at twenty past seven. In winter it does not sail at all, "
    "and the post goes by sledge.",
    "The glass hive in the school holds forty thousand bees. The pupils count the dead ones on "
    "the sill every Friday.",
)


def add(library: Library, model: DocumentModel, *paths: Path) -> list[str]:
    """The ids of the files' documents."""
    reports = list(ingest_paths(paths, library, model))
    assert [r.outcome for r in reports] == ["added"] * len(paths), reports
    return [r.document_id or "" for r in reports]


def text_file(folder: Path, name: str, *pages: str) -> Path:
    path = folder / name
    path.write_text("\f".join(pages), encoding="utf-8")
    return path


def at_threshold(threshold: float) -> Calibrations:
    return replace(CALIBRATION, sentences=replace(CALIBRATION.sentences, threshold=threshold))


def without_timings(answer: Answer) -> dict:
    value = asdict(answer)
    del value["timings_ms"]
    return value


@pytest.fixture(scope="module")
def island(tmp_path_factory, reader):
    """One text of three pages."""
    folder = tmp_path_factory.mktemp("island")
    with Library(folder / "library") as library:
        add(library, reader, text_file(folder, "island.txt", *PAGES))
        yield library


@pytest.fixture(scope="module")
def remembered(tmp_path_factory, remembering):
    """Two documents read by `remembering`."""
    folder = tmp_path_factory.mktemp("remembered")
    with Library(folder / "library") as library:
        other = ("The bakery opens at six.", "Rye bread is sold on Tuesdays alone.")
        add(
            library,
            remembering,
            text_file(folder, "island.txt", *PAGES),
            text_file(folder, "bakery.txt", *other),
        )
        yield library


@pytest.mark.parametrize("page", [0, 1, 2])
def test_the_answer_is_a_sentence_of_the_right_page_quoted_exactly(island, reader, page):
    answer = Answerer(island, reader, CALIBRATION).ask(QUESTIONS[page])
    first = answer.citations[0]
    assert (answer.found, answer.source, first.page, first.title) == (
        True, "passage", page, "island",
    )  # fmt: skip
    assert answer.answer == PAGES[page].split(". ")[0] + "."
    assert answer.confidence == first.score == max(c.score for c in answer.citations)
    assert [c.score for c in answer.citations] == sorted(c.score for c in answer.citations)[::-1]
    assert first.page_label is None
    assert (answer.answer_start, answer.answer_end) == (first.start, first.end)
    for citation in answer.citations:
        text = island.page(citation.document_id, citation.page).text
        assert text[citation.start : citation.end] == citation.quote
        passage = island.passage(citation.passage_id)
        assert passage.page == citation.page and passage.document_id == citation.document_id


def test_each_part_of_an_answer_is_told_as_soon_as_it_is_known(remembered, remembering):
    answerer = Answerer(remembered, remembering, at_threshold(0.0))
    found, first, last = answerer.steps(QUESTIONS[1], k=3)
    assert isinstance(found, list) and isinstance(first, Answer) and isinstance(last, Answer)
    assert found == answerer.search(QUESTIONS[1], k=3)
    assert {p.passage_id for p in found} == {c.passage_id for c in last.citations}
    assert first.found and first.memory_answer is None and last.memory_answer is not None
    assert replace(last, memory_answer=None) == first  # the same quote, before memory was asked
    assert without_timings(answerer.ask(QUESTIONS[1], k=3)) == without_timings(last)
    assert set(last.timings_ms) == {"open", "search", "read", "memory", "total"}


def test_what_passages_do_not_say_is_told_once_memory_was_asked_too(remembered, remembering):
    answerer = Answerer(remembered, remembering, at_threshold(2.0))
    found, last = answerer.steps(QUESTIONS[1])
    assert isinstance(found, list) and isinstance(last, Answer) and last.source != "passage"


def test_others_may_ask_while_somebody_takes_the_parts_slowly(island, reader):
    answerer = Answerer(island, reader, CALIBRATION)
    slow = answerer.steps(QUESTIONS[0])
    next(slow)
    assert answerer.ask(QUESTIONS[1]).answer == PAGES[1].split(". ")[0] + "."
    *_, answer = slow
    assert isinstance(answer, Answer) and answer.answer == PAGES[0].split(". ")[0] + "."


def test_a_quote_is_exact_where_hyphens_and_ligatures_were_mended(tmp_path, reader):
    printed = (
        "This is the chronicle of the harbour office, and it begins with the signals.\n"
        "The night signal at the harbour is a lantern of coloured glass, which the har-\n"
        "bour master keeps in his oﬃce; it was ﬁrst lit in the year of the great frost.\n"
        "Nobody has changed it since the day on which the old harbour wall was built.\n"
    )
    with Library(tmp_path / "library") as library:
        add(library, reader, text_file(tmp_path, "signals.txt", "Nothing here.", printed))
        answer = Answerer(library, reader, CALIBRATION).ask(
            "What is the night signal at the harbour?"
        )
        assert answer.answer is not None and "harbour master keeps in his office" in answer.answer
        assert "first lit" in answer.answer and "-" not in answer.answer
        quote = answer.citations[0].quote
        assert "har-\nbour master" in quote and "oﬃce" in quote and "ﬁrst" in quote
        page = library.page(answer.citations[0].document_id, 1).text
        assert answer.citations[0].page == 1
        assert page[answer.answer_start : answer.answer_end] == quote


def test_a_pdf_is_cited_by_index_and_by_the_label_printed_on_the_page(tmp_path, reader):
    pdf = FPDF()
    pdf.set_font("Helvetica", size=12)
    pdf.set_title("Yearbook")
    pdf.add_page(label_style="r", label_start=4)
    pdf.multi_cell(0, text="A preface about nothing in particular, by the editor.")
    pdf.add_page(label_style="D", label_start=31)
    pdf.multi_cell(0, text=PAGES[1])
    path = tmp_path / "book.pdf"
    pdf.output(str(path))
    with Library(tmp_path / "library") as library:
        add(library, reader, path)
        answer = Answerer(library, reader, CALIBRATION).ask(QUESTIONS[1])
        first = answer.citations[0]
        assert (first.title, first.page, first.page_label) == ("Yearbook", 1, "31")
        assert {c.page_label for c in answer.citations} == {"iv", "31"}
        for c in answer.citations:
            assert library.page(c.document_id, c.page).text[c.start : c.end] == c.quote


def test_below_the_threshold_nothing_is_found_and_the_nearest_places_are_offered(island, reader):
    usual = Answerer(island, reader, CALIBRATION).ask(QUESTIONS[0])
    above = at_threshold(usual.confidence + 1e-9)
    answer = Answerer(island, reader, above).ask(QUESTIONS[0])
    assert (answer.answer, answer.found, answer.source, answer.citations) == (
        None, False, "none", (),
    )  # fmt: skip
    assert (answer.answer_start, answer.answer_end) == (None, None)
    assert answer.nearest == usual.citations and answer.confidence == usual.confidence
    exactly = at_threshold(usual.confidence)
    assert Answerer(island, reader, exactly).ask(QUESTIONS[0]).found


def test_what_the_documents_do_not_say_is_not_found(island, reader):
    answer = Answerer(island, reader, CALIBRATION).ask("What is the capital of Mongolia?")
    assert not answer.found and answer.answer is None and answer.confidence < 0.5
    scores = [c.score for c in answer.nearest]
    assert len(scores) == 3 and scores == sorted(scores, reverse=True)


def test_k_limits_the_passages_that_are_cited(island, reader):
    answerer = Answerer(island, reader, CALIBRATION)
    assert len(answerer.ask(QUESTIONS[0], k=1).citations) == 1
    assert len(answerer.ask(QUESTIONS[0], k=2).citations) == 2


def test_as_of_a_page_only_what_stands_up_to_it_counts(island, reader):
    answerer = Answerer(island, reader, CALIBRATION)
    before = answerer.ask(QUESTIONS[2], as_of_page=1)
    assert not before.found and {c.page for c in before.nearest} == {0, 1}
    after = answerer.ask(QUESTIONS[2], as_of_page=2)
    assert after.found and after.citations[0].page == 2


@pytest.mark.parametrize("settings", [{}, {"k": 1}, {"k": 2, "as_of_page": 1}, {"as_of_page": 0}])
def test_with_the_model_that_ships_memory_changes_no_answer_of_a_passage(island, reader, settings):
    answerer = Answerer(island, reader, CALIBRATION)
    for question in (*QUESTIONS, "Who sails to the moon?"):
        final = answerer.ask(question, memory="final", **settings)
        empty = answerer.ask(question, memory="empty", **settings)
        final, empty = replace(final, memory_answer=None), replace(empty, memory_answer=None)
        assert without_timings(final) == without_timings(empty)


def test_a_written_memory_changes_scores_and_as_of_a_page_it_is_another(remembered, remembering):
    answerer = Answerer(remembered, remembering, at_threshold(0.0))

    def scores(**settings) -> dict[int, float]:
        answer = answerer.ask(QUESTIONS[0], documents=["island"], **settings)
        return {c.page: c.score for c in answer.citations}

    final, empty, early = scores(), scores(memory="empty"), scores(as_of_page=1)
    assert set(final) == set(empty) == {0, 1, 2} and set(early) == {0, 1}
    for page in (0, 1):
        assert abs(final[page] - empty[page]) > 1e-4
        assert abs(final[page] - early[page]) > 1e-5
        assert abs(empty[page] - early[page]) > 1e-4
    # Emptied twice, and emptied as of a page: no memory at all, so the same numbers.
    emptied_early = scores(memory="empty", as_of_page=1)
    assert emptied_early == pytest.approx({page: empty[page] for page in (0, 1)}, rel=1e-9)


def test_memory_alone_answers_from_the_most_confident_document(remembered, remembering):
    answerer = Answerer(remembered, remembering, CALIBRATION)
    assert answerer.answers_from_memory
    for question in QUESTIONS:
        documents = remembered.documents()
        memories = MemoryState.stack([answerer.memories.of(d) for d in documents])
        answers = remembering.answers(question, memories)
        by_hand = {d.id: answer for d, answer in zip(documents, answers, strict=True)}
        best = max(by_hand, key=lambda name: by_hand[name].chance)
        said = answerer.ask(question).memory_answer
        assert said is not None and said.text and 0.0 <= said.confidence <= 1.0
        assert said.document_id == best
        assert said.confidence == pytest.approx(by_hand[best].chance, rel=1e-9)
        assert said.text == by_hand[best].text.strip()
        for document in remembered.documents():
            alone = answerer.ask(question, documents=[document.id]).memory_answer
            assert alone is not None and alone.document_id == document.id
            one = remembering.answer(question, answerer.memories.of(document))
            assert alone.confidence == pytest.approx(one.chance, rel=1e-9)


def test_an_untrained_memory_answers_nothing(island, reader):
    answerer = Answerer(island, reader, CALIBRATION)
    if not answerer.answers_from_memory:
        assert answerer.ask(QUESTIONS[0]).memory_answer is None


#: With a reader whose margin alone decides.
READS = replace(
    CALIBRATION, reader=Calibration((0.0,) * 6 + (1.0,), (0.0,) * 6 + (1.0, 0.0), 0.0, 0.0)
)


def test_with_a_reader_the_answer_is_its_best_span_inside_the_quote(remembered, remembering):
    answerer = Answerer(remembered, remembering, READS)
    for question in QUESTIONS:
        answer = answerer.ask(question)
        first = answer.citations[0]
        page = remembered.page(first.document_id, first.page).text
        assert answer.answer_start is not None and answer.answer_end is not None
        assert first.start <= answer.answer_start < answer.answer_end <= first.end
        assert page[answer.answer_start : answer.answer_end] == answer.answer
        # By hand: no sentence of any passage has a span with a higher margin.
        margins = {}
        for document in remembered.documents():
            memory = answerer.memories.of(document)
            passages = remembered.passages(document.id)
            read = remembering.read_beside(question, [p.text for p in passages], memory)
            for passage, one in zip(passages, read, strict=True):
                for sentence in quotable(passage.text):
                    best = one.best(*sentence.span)
                    assert best is not None
                    margins[passage.text[best[0] : best[1]]] = best[2]
        assert answer.answer == max(margins, key=lambda text: margins[text])
        best_margin = max(-15.0, min(15.0, max(margins.values())))
        assert answer.confidence == pytest.approx(1 / (1 + math.exp(-best_margin)), rel=1e-3)


def test_what_an_answer_is_chosen_from_stands_no_later_than_the_page_that_is_asked_of(
    island, reader
):
    answerer = Answerer(island, reader, CALIBRATION)
    last = max(item.passage.page for item in answerer.evidence(QUESTIONS[0]))
    early = {item.passage.page for item in answerer.evidence(QUESTIONS[0], as_of_page=0)}
    assert early == {0} and last > 0


def test_sentences_are_judged_by_the_vectors_that_reading_left_if_it_told_them_apart_so(
    island, reader, monkeypatch
):
    answerer = Answerer(island, reader, CALIBRATION)
    question = QUESTIONS[0]
    query, empty = reader.vector(question), reader.model.empty_memory()

    def cosines() -> tuple[list[float], list[float], list[float]]:
        """As judged; by what reading left; of each sentence by itself."""
        judged, left, alone = [], [], []
        for item in answerer.evidence(question):
            text, held = item.passage.text, real([item.passage.id])[item.passage.id]
            number = [s.span for s in quotable(text)].index(item.span)
            judged.append(item.features[1])
            left.append(float(held[number].astype("float32") @ query))
            alone.append(float(reader.vectors([text[slice(*item.span)]], empty)[0] @ query))
        return judged, left, alone

    real = island.sentence_vectors
    judged, left, alone = cosines()
    assert len(judged) >= 4 and judged == pytest.approx(left, abs=1e-5)
    assert judged != pytest.approx(alone, abs=1e-2)
    monkeypatch.setattr(
        island, "sentence_vectors", lambda ids: {n: v[:1] for n, v in real(ids).items()}
    )
    judged, _, alone = cosines()
    assert judged == pytest.approx(alone, abs=5e-3)  # in a batch, 16 bits are rounded otherwise


def test_each_part_can_be_left_out_and_changes_what_it_is_for(remembered, remembering):
    def ask(*without, calibrations=READS, **settings) -> Answer:
        answerer = Answerer(remembered, remembering, calibrations, without)
        return answerer.ask(QUESTIONS[0], **settings)

    whole = ask()
    assert whole.memory_answer is not None and whole.answer_start is not None
    assert ask("memory-answer").memory_answer is None
    sentence = ask("reader")
    assert sentence.answer == PAGES[0].split(". ")[0] + "."
    assert (sentence.answer_start, sentence.answer_end) == (
        sentence.citations[0].start, sentence.citations[0].end,
    )  # fmt: skip
    strict = replace(READS, reader=replace(READS.reader, threshold=1.1))
    assert not ask(calibrations=strict).found
    assert ask("threshold", calibrations=strict).found

    def scores(*without, memory="final") -> dict[int, float]:
        found = Answerer(remembered, remembering, READS, without).search(
            QUESTIONS[0], method="vectors", memory=memory
        )
        return {p.passage_id: p.score for p in found}

    plain = scores("memory-vectors")
    assert plain == pytest.approx(scores(memory="empty"), abs=1e-6)
    assert any(abs(plain[i] - score) > 1e-3 for i, score in scores().items())
    with pytest.raises(UsageError, match="'luck'"):
        ask("luck")


def test_memory_answers_where_no_passage_does_and_its_own_threshold_is_passed(
    remembered, remembering
):
    nothing = at_threshold(1.1)
    said = Answerer(remembered, remembering, nothing).ask(QUESTIONS[0])
    assert not said.found and said.memory_answer is not None
    easy = replace(nothing, memory=MemoryCalibration(1.0, 0.0, 0.0, said.memory_answer.confidence))
    answer = Answerer(remembered, remembering, easy).ask(QUESTIONS[0])
    assert (answer.found, answer.source, answer.citations) == (True, "memory", ())
    assert answer.answer == said.memory_answer.text
    assert answer.confidence == said.memory_answer.confidence
    assert answer.answer_start is None and answer.nearest == said.nearest


def test_of_a_passage_and_of_memory_the_surer_answers(remembered, remembering):
    def asked(bias: float) -> list[Answer]:
        memory = MemoryCalibration(0.0, 0.0, bias, 0.1)  # of the same confidence whatever is said
        answerer = Answerer(remembered, remembering, replace(at_threshold(0.0), memory=memory))
        _, before, *_, last = answerer.steps(QUESTIONS[0])
        assert isinstance(before, Answer) and isinstance(last, Answer)
        assert before.source == "passage" and before.citations and not before.nearest
        return [before, last]

    passage = asked(-30.0)[0]
    even = math.log(passage.confidence / (1 - passage.confidence))
    before, last = asked(even - 0.01)
    assert last == replace(before, memory_answer=last.memory_answer, timings_ms=last.timings_ms)
    before, last = asked(even + 0.01)
    assert last.memory_answer is not None and last.memory_answer.confidence > passage.confidence
    assert (last.source, last.answer) == ("memory", last.memory_answer.text)
    assert last.confidence == last.memory_answer.confidence and last.answer_start is None
    assert (last.citations, last.nearest) == ((), before.citations)


def test_an_answer_from_memory_quotes_what_told_it_once_that_is_found(tmp_path, reader):
    question, fact = "Where is John?", "John moved to the hallway."
    pages = (AROUND, f"{AROUND}{fact} {AROUND}", f"{AROUND}John is a name. {AROUND}")
    with Library(tmp_path / "library") as library:
        add(library, reader, text_file(tmp_path, "story.txt", *pages))
        calibrations = load_calibration(DEFAULT_MODEL)
        answerer = Answerer(library, reader, calibrations)
        *_, before, last = answerer.steps(question)
        assert isinstance(before, Answer) and isinstance(last, Answer)
        assert (before.source, before.answer, before.since) == ("memory", "hallway", None)
        assert last == replace(before, since=last.since) and last.since is not None
        assert (last.since.quote, last.since.page) == (fact, 1)
        text = library.page(last.since.document_id, 1).text
        assert text[last.since.start : last.since.end] == fact
        assert last.since.score == last.confidence and "since" in last.timings_ms
        left_out = Answerer(library, reader, calibrations, ["memory-since"]).ask(question)
        assert (left_out.source, left_out.since) == ("memory", None)
        # As it is kept in a conversation, and as JSON.
        kept = keep(library, begin(library, None, question), last)
        assert turns(library, kept.conversation_id)[0].answer == last
        assert answer_json(last)["since"] == asdict(last.since)


def test_a_document_that_is_replaced_or_deleted_while_memory_answers_is_not_quoted(
    tmp_path, reader, monkeypatch
):
    question = "Where is John?"
    story = text_file(tmp_path, "story.txt", f"{AROUND}John moved to the hallway. {AROUND}")
    with Library(tmp_path / "library") as library:
        add(library, reader, story)
        answerer = Answerer(library, reader, load_calibration(DEFAULT_MODEL))

        def replaced(*arguments):
            text_file(tmp_path, "story.txt", f"{AROUND}John went to the garden. {AROUND}")
            assert [r.outcome for r in ingest_paths([story], library, reader)] == ["reread"]
            return told_by(*arguments)

        monkeypatch.setattr("app.answering.told_by", replaced)
        answer = answerer.ask(question)
        assert (answer.source, answer.answer, answer.since) == ("memory", "hallway", None)

        def deleted(*arguments):
            library.delete(library.document("story").id)
            return told_by(*arguments)

        monkeypatch.setattr("app.answering.told_by", deleted)
        with pytest.raises(EmptyLibrary):
            answerer.ask(question)


def test_memory_confidence_is_the_logistic_of_the_chance_and_of_how_strongly_memory_was_asked():
    same = MemoryCalibration(1.0, 0.0, 0.0, 0.5)
    chances = [same.confidence(Said("hall", raw, 3.0)) for raw in (0.1, 0.5, 0.9)]
    assert chances == pytest.approx([0.1, 0.5, 0.9])
    doubtful = MemoryCalibration(2.0, 0.5, -1.0, 0.5)
    sure = doubtful.confidence(Said("hall", 0.75, 4.0))
    assert sure == pytest.approx(1 / (1 + math.exp(1 - 0.5 * 4.0) / 9))
    assert 0.0 < doubtful.confidence(Said("", 0.0, 0.0)) < 1e-9
    assert doubtful.confidence(Said("hall", 1.0, 0.0)) < 1.0


def test_two_who_ask_at_once_get_the_answers_they_get_alone(remembered, remembering):
    alone = Answerer(remembered, remembering, CALIBRATION)
    requests = [
        (question, memory, documents)
        for question, documents in zip(QUESTIONS, (["island"], ["bakery"], None), strict=True)
        for memory in ("final", "empty")
    ]
    expected = [without_timings(alone.ask(q, memory=m, documents=d)) for q, m, d in requests]
    one = Answerer(remembered, remembering, CALIBRATION)
    other = Answerer(remembered, remembering, CALIBRATION)
    with ThreadPoolExecutor(4) as pool:
        futures = [
            pool.submit((one, other)[i % 2].ask, q, memory=m, documents=d)
            for i, (q, m, d) in enumerate([*requests, *reversed(requests)])
        ]
        got = [without_timings(f.result()) for f in futures]
    assert got == [*expected, *reversed(expected)]


def test_the_right_one_of_twelve_documents_is_chosen_and_answers(tmp_path, reader):
    subjects = [
        "owls",
        "kites",
        "drums",
        "maps",
        "tiles",
        "ropes",
        "stamps",
        "coins",
        "boots",
        "hats",
        "jars",
        "lamps",
    ]
    with Library(tmp_path / "library") as library:
        files = [
            text_file(
                tmp_path,
                f"{word}.txt",
                f"The collection of {word} was given by Mrs Number{i}. It fills {i + 3} shelves.",
            )
            for i, word in enumerate(subjects)
        ]
        ids = dict(zip(subjects, add(library, reader, *files), strict=True))
        answerer = Answerer(library, reader, CALIBRATION)
        for i in (0, 6, 11):
            answer = answerer.ask(f"Who gave the collection of {subjects[i]}?")
            assert answer.found and answer.answer is not None
            assert answer.answer.endswith(f"by Mrs Number{i}.")
            assert answer.citations[0].document_id == ids[subjects[i]]
        with pytest.raises(UsageError, match="At most 8 documents at a time, not 9"):
            answerer.ask("Who gave the maps?", documents=subjects[:9])
        named = answerer.ask("Who gave the maps?", documents=[*subjects[:8], ids["owls"]])
        assert named.found  # one of them twice: still eight
        # A page far behind every end is the whole of each document.
        assert answerer.ask("Who gave the collection of maps?", as_of_page=10**30).found


def test_errors_say_what_is_wrong(island, reader, tmp_path):
    answerer = Answerer(island, reader, CALIBRATION)
    with pytest.raises(UsageError, match="question is empty"):
        answerer.ask(" \n")
    with pytest.raises(UsageError, match="k must be at least 1, not 0"):
        answerer.ask("Who?", k=0)
    with pytest.raises(UsageError, match="memory must be"):
        answerer.ask("Who?", memory="half")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="memory must be"):
        answerer.search("Who?", memory="half")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="method must be one of"):
        answerer.search("Who?", method="magic")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="No document is named"):
        answerer.ask("Who?", documents=[])
    with pytest.raises(UnknownDocument, match="'mainland'"):
        answerer.ask("Who?", documents=["island", "mainland"])
    for page in (3, -1):
        with pytest.raises(UsageError, match=f"has pages 0 to 2.*as of page {page}"):
            answerer.ask("Who?", documents=["island"], as_of_page=page)
    with pytest.raises(UsageError, match="as of page -1"):
        answerer.ask("Who?", as_of_page=-1)
    with (
        Library(tmp_path / "none") as nothing,
        pytest.raises(EmptyLibrary, match="python -m ingest"),
    ):
        Answerer(nothing, reader, CALIBRATION).ask("Who?")


def test_a_title_of_two_documents_and_one_that_failed_are_refused(tmp_path, reader):
    for name, text in (("a", "One text about owls."), ("b", "Another text about kites.")):
        (tmp_path / name).mkdir()
        text_file(tmp_path / name, "notes.txt", text)
    (tmp_path / "broken.pdf").write_bytes(b"%PDF-1.7 and nothing more")
    with Library(tmp_path / "library") as library:
        files = [tmp_path / "broken.pdf"]
        assert [r.outcome for r in ingest_paths(files, library, reader)] == ["failed"]
        answerer = Answerer(library, reader, CALIBRATION)
        with pytest.raises(EmptyLibrary):  # one that failed is none to ask
            answerer.ask("Who?")
        ids = add(library, reader, tmp_path / "a" / "notes.txt", tmp_path / "b" / "notes.txt")
        with pytest.raises(AmbiguousName) as ambiguous:
            answerer.ask("Who?", documents=["Notes"])
        assert all(name in str(ambiguous.value) for name in ids)
        with pytest.raises(LibraryError, match='"broken" cannot be asked: it is failed \\('):
            answerer.ask("Who?", documents=["broken"])


def test_a_memory_of_another_model_is_refused_with_what_to_do(island, reader):
    other = replace(reader, fingerprint="f" * 64)
    for memory in ("final", "empty"):
        with pytest.raises(OtherModel, match="python -m app reread"):
            Answerer(island, other, CALIBRATION).ask(QUESTIONS[0], memory=memory)


def test_a_passage_that_does_not_fit_its_page_is_never_quoted(island, reader, monkeypatch):
    answerer = Answerer(island, reader, CALIBRATION)
    real = island.page_of
    monkeypatch.setattr(island, "page_of", lambda *a: replace(real(*a), text=real(*a).text[:20]))
    with pytest.raises(DamagedSnapshot, match="does not fit its page"):
        answerer.ask(QUESTIONS[0])


def test_rare_words_weigh_more_and_coverage_goes_from_0_to_1(island):
    words = QuestionWords.of("the ferry of Tarn", island)
    assert words.coverage("Ferries to Tarn") == pytest.approx(1.0)
    assert words.coverage("nothing of it") == 0.0
    assert 0.0 < words.coverage("a ferry") < 1.0
    common = QuestionWords({"a": 1.0, "b": 3.0})
    assert common.coverage("a") == 0.25 and common.coverage("b") == 0.75


def test_confidence_is_the_logistic_of_the_weighted_features():
    calibration = Calibration((0.0,) * 7, (1.0, 2.0, 0.0, -1.0, 0.0, 0.0, 0.5, 4.0), 0.5, 0.5)
    features = (0.5, 0.25, 9.0, 2.5, 1.0, 1.0, 0.0)
    assert calibration.confidence(features, 0.25) == pytest.approx(0.5)
    assert calibration.confidence(features, 0.5) == pytest.approx(0.7310585786)
    certain = (*features[:-1], -2.0)
    assert calibration.confidence(certain, 0.5) == pytest.approx(0.5)


def test_shares_are_a_softmax_of_the_ranking_over_all_sentences_of_a_question():
    calibration = Calibration((1.0, 0.0, 0.0, 0.0, 0.0, 2.0, 0.0), (0.0,) * 8, 0.0, 0.5)
    first, second = (0.0, 9.0, 9.0, 9.0, 9.0, 0.0, 9.0), (1.0986122887, *[0.0] * 6)
    assert calibration.shares([first, second]) == pytest.approx([0.25, 0.75])
    assert calibration.shares([second]) == [1.0]


def test_what_is_left_out_for_want_of_a_calibration_is_named(
    remembered, remembering, tmp_path, monkeypatch, caplog
):
    (tmp_path / "answering.json").write_text(CALIBRATION_JSON, encoding="utf-8")
    monkeypatch.setattr("app.answering.open_reader", lambda folder: remembering)
    answerer = Answerer.open(remembered, tmp_path)
    assert "no calibration for its reader" in caplog.text
    assert "no calibration for answers from its memory" in caplog.text
    assert not answerer.answers_from_memory


def test_a_folder_without_calibration_is_refused_with_what_to_do(tmp_path):
    from app.support import load_calibration
    from armt_core.errors import ModelError

    with pytest.raises(ModelError, match=r"benchmarks\.calibrate"):
        load_calibration(tmp_path)
    (tmp_path / "answering.json").write_text(json.dumps({"ranking": {}}), encoding="utf-8")
    with pytest.raises(ModelError, match=r"benchmarks\.calibrate"):
        load_calibration(tmp_path)


def test_what_is_deleted_while_all_are_asked_leaves_the_others_to_answer(
    tmp_path, reader, monkeypatch
):
    with Library(tmp_path / "library") as library:
        files = [text_file(tmp_path, f"{n}.txt", page) for n, page in enumerate(PAGES)]
        ids = add(library, reader, *files)
        answerer = Answerer(library, reader, CALIBRATION)
        known = library.documents_by_id

        def too_late(chosen):  # it goes after it was chosen
            if any(document.id == ids[0] for document in library.documents()):
                library.delete(ids[0])
            return known(chosen)

        monkeypatch.setattr(library, "documents_by_id", too_late)
        answer = answerer.ask(QUESTIONS[2])
        assert answer.found and answer.citations[0].document_id == ids[2]
        steps = answerer.steps(QUESTIONS[1])
        found = next(steps)
        assert ids[2] in {passage.document_id for passage in found}
        library.delete(ids[2])
        *_, answer = steps
        assert isinstance(answer, Answer) and answer.citations[0].document_id == ids[1]
        with pytest.raises(UnknownDocument):
            answerer.ask(QUESTIONS[2], documents=[ids[2]])


def test_what_is_read_anew_while_it_is_asked_is_asked_again(tmp_path, reader):
    """Offsets in what was read before say nothing about what stands there now."""
    file = text_file(tmp_path, "ferry.txt", PAGES[1])
    with (
        Library(tmp_path / "library") as library,
        Service(Answerer(library, reader, CALIBRATION)) as service,
    ):
        (name,) = add(library, reader, file)
        before = service.ask(QUESTIONS[1], None, None, "final").citations[0]
        assert service.page(before).text[before.start : before.end] == before.quote
        steps = service.answerer.steps(QUESTIONS[1])
        next(steps)
        text_file(tmp_path, "ferry.txt", f"{PAGES[2]} {PAGES[1]}")
        (report,) = ingest_paths([file], library, reader)
        assert report.document_id == name
        *_, answer = steps
        assert isinstance(answer, Answer) and answer.answer is not None
        cited = answer.citations[0]
        assert answer.answer in cited.quote
        assert library.page(name, 0).text[cited.start : cited.end] == cited.quote
        assert cited.start > before.start  # where it stands now
        with pytest.raises(ReadAnew, match="read anew since"):
            service.page(before)
        with pytest.raises(ReadAnew, match="deleted or replaced"):
            library.page_of(library.document(name).version_id + 99, 0)
        with pytest.raises(LibraryError, match="has no page 9"):
            library.page_of(library.document(name).version_id, 9)


def test_what_is_read_anew_with_its_text_unchanged_is_still_shown(tmp_path, reader):
    with (
        Library(tmp_path / "library") as library,
        Service(Answerer(library, reader, CALIBRATION)) as service,
    ):
        (name,) = add(library, reader, text_file(tmp_path, "ferry.txt", PAGES[1]))
        before = service.ask(QUESTIONS[1], None, None, "final").citations[0]
        reread_document(library.document(name), library, reader)
        with pytest.raises(ReadAnew):
            library.passage(before.passage_id)
        assert before.quote in service.page(before).text


def test_a_page_is_called_by_its_number_and_a_chapter_by_its_name():
    assert [page_name(3, None), page_name(3, "xiv"), page_name(3, "A-12")] == [
        "page 4", "page xiv", "page A-12",
    ]  # fmt: skip
    assert [page_name(0, "Chapter 2"), page_name(0, "Introduction")] == [
        "Chapter 2", "Introduction",
    ]  # fmt: skip
