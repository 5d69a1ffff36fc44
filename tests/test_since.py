"""The sentence that told a memory what it says."""

from collections.abc import Callable
from contextlib import nullcontext

import pytest

from app.handing_over import export_memory, import_memory
from app.searching import Scope, Searcher
from app.since import told_by
from armt_core.document_model import DocumentModel, Said
from ingest.pipeline import ingest_paths
from storage.library import Library
from tests.test_default_model import AROUND

JOHN = "Where is John?"
#: What pages say among other text; a page is a few segments.
TOLD = {
    1: "John went to the garden.",
    2: "Sandra journeyed to the office.",
    3: "John moved to the hallway.",
    5: "John travelled to the garden.",
    6: "John went to the garden.",
}
PAGES = 8


def page(number: int) -> str:
    return f"{4 * AROUND}{TOLD.get(number, '')} {4 * AROUND}"


@pytest.fixture(scope="module")
def library(tmp_path_factory, reader):
    """A document of more than one checkpoint."""
    folder = tmp_path_factory.mktemp("since")
    text = "\f".join(page(number) for number in range(PAGES))
    (folder / "story.txt").write_text(text, encoding="utf-8")
    with Library(folder / "library") as library:
        list(ingest_paths([folder / "story.txt"], library, reader))
        document = library.document("story")
        kept = [s.segments_read for s in library.snapshots(document.version_id)]
        assert len(kept) > 1 and kept[-1] == document.segments_read
        yield library


def scope_of(library: Library, reader: DocumentModel, question: str, **settings) -> Scope:
    (scope,) = Searcher(library, reader).scopes(question, ["story"], **settings)
    return scope


@pytest.mark.parametrize(
    ("question", "as_of_page", "answer", "number"),
    [
        (JOHN, None, "garden", 5),  # again there, and what page 6 says changes nothing
        (JOHN, 4, "hallway", 3),
        (JOHN, 2, "garden", 1),
        ("Where is Sandra?", None, "office", 2),
    ],
)
def test_it_is_the_passage_after_which_memory_says_so_ever_since(
    library, reader, question, as_of_page, answer, number
):
    scope = scope_of(library, reader, question, as_of_page=as_of_page)
    assert reader.answer(question, scope.memory).text.strip() == answer
    told = told_by(answer, question, scope, library, reader, nullcontext())
    assert told is not None and told.passage.page == number
    assert told.passage.text[slice(*told.span)] == TOLD[number]


def read_again(monkeypatch, of: Callable[[], object]) -> list[str]:
    """The texts that are read while `of` is called."""
    read: list[str] = []
    real = DocumentModel.read

    def counted(self, text, memory):
        read.append(text)
        return real(self, text, memory)

    with monkeypatch.context() as patched:
        patched.setattr(DocumentModel, "read", counted)
        of()
    return read


def test_only_what_changed_the_memory_between_two_checkpoints_is_read_again(
    library, reader, monkeypatch
):
    document = library.document("story")
    kept = [0, *(s.segments_read for s in library.snapshots(document.version_id))]
    passages = library.passages(document.id)
    at = next(n for n, p in enumerate(passages) if TOLD[5] in p.text)
    begin = max(s for s in kept if s <= at)
    end = min(s for s in kept if s > at)
    scope = scope_of(library, reader, JOHN)

    def asked() -> None:
        told = told_by("garden", JOHN, scope, library, reader, nullcontext())
        assert told is not None and told.passage == passages[at]

    sentences = " ".join(passages[at].text.split())
    between = [passage.text for passage in passages[begin:end]]
    telling = [text for text in between if any(fact in text for fact in TOLD.values())]
    read = read_again(monkeypatch, asked)
    assert read[: len(telling)] == telling and len(telling) < len(between) < len(passages)
    assert " ".join(read[len(telling) :]) == sentences
    # What was read before changes were noted may have told it.
    monkeypatch.setattr(Library, "notes", lambda self, document_id: [])
    read = read_again(monkeypatch, asked)
    assert read[: len(between)] == between and " ".join(read[len(between) :]) == sentences


class Turns:
    """A lock that counts how often it was taken."""

    held, taken = False, 0

    def __enter__(self) -> None:
        assert not self.held
        self.held, self.taken = True, self.taken + 1

    def __exit__(self, *exception: object) -> None:
        self.held = False


def test_the_model_is_used_in_turn_with_others(library, reader, monkeypatch):
    turns = Turns()
    for name in ("read", "answers"):
        real = getattr(DocumentModel, name)

        def only_in_turn(self, *arguments, real=real):
            assert turns.held
            return real(self, *arguments)

        monkeypatch.setattr(DocumentModel, name, only_in_turn)
    told = told_by("garden", JOHN, scope_of(library, reader, JOHN), library, reader, turns)
    assert told is not None and turns.taken > 2


def test_where_no_sentence_by_itself_tells_it_the_whole_passage_is_quoted(
    library, reader, monkeypatch
):
    real = DocumentModel.read

    def whole(self, text, memory):
        return (None, memory) if text == TOLD[5] else real(self, text, memory)

    monkeypatch.setattr(DocumentModel, "read", whole)
    scope = scope_of(library, reader, JOHN)
    told = told_by("garden", JOHN, scope, library, reader, nullcontext())
    assert told is not None and told.passage.page == 5 and TOLD[5] in told.passage.text
    assert told.span == (0, len(told.passage.text))


def test_a_memory_alone_and_an_emptied_one_were_told_by_nothing(library, reader, tmp_path):
    empty = scope_of(library, reader, JOHN, memory="empty")
    assert told_by("garden", JOHN, empty, library, reader, nullcontext()) is None
    export_memory(library, "story", tmp_path / "story.safetensors")
    with Library(tmp_path / "taker") as taker:
        import_memory(taker, reader, tmp_path / "story.safetensors")
        alone = scope_of(taker, reader, JOHN)
        assert told_by("garden", JOHN, alone, taker, reader, nullcontext()) is None


def test_what_a_memory_of_nothing_says_too_was_told_by_nothing(library, reader, monkeypatch):
    scope = scope_of(library, reader, JOHN)

    def always(self, question, memory):
        return [Said("garden", 0.9, 3.0)] * memory.batch

    monkeypatch.setattr(DocumentModel, "answers", always)
    assert told_by("garden", JOHN, scope, library, reader, nullcontext()) is None
    never_said = told_by("office", JOHN, scope, library, reader, nullcontext())
    assert never_said is None
