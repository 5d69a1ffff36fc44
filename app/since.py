"""Since when a memory says what it says: the sentence that told it.

Nothing in a memory tells where it is from. But asked as it was after each checkpoint that reading
left, between two of them after each passage that changed it, and in a passage after each sentence,
which are read again, it shows when it came to say so. Axes: N states of one memory, asked side by
side.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass

from app.searching import Scope
from armt_core.document_model import DocumentModel
from armt_core.memory import MemoryState
from armt_core.snapshot import load_snapshot
from ingest.sentences import sentence_spans
from storage.library import Library
from storage.records import Passage

#: States of a memory that are asked at once, 1.8 MB each with the default model.
_AT_ONCE = 8

#: A passage that changed the memory less than this, as a share of the largest change that one of
#: its document made, told it nothing. Of the default model those that tell a fact change it about
#: 1e7 times as much as those that do not.
_NOTHING = 1e-4

#: Which of N states say something else.
_Others = Callable[[Sequence[MemoryState]], list[int]]


@dataclass(frozen=True)
class Told:
    """What told a memory something. span: of its sentence in the passage's cleaned text, or of all
    of it where no sentence by itself does."""

    passage: Passage
    span: tuple[int, int]


def told_by(
    answer: str,
    question: str,
    scope: Scope,
    library: Library,
    model: DocumentModel,
    turn: AbstractContextManager[object],
) -> Told | None:
    """What the memory of `scope` read when it came to give this answer, as it does ever since.
    None where there is no text (of a memory that was handed over alone, or emptied), or nothing in
    it that told it: a memory of nothing gives the same answer, or, read again, gives another one.

    turn: held while the model is used, and left between two uses, so that others may.

    Takes as long as reading those passages between two checkpoints that changed the memory: at most
    16 of a document of 480, 128 of one of a million tokens.
    """
    read = int(scope.memory.segments_read[0])
    passages = library.passages_of(scope.document.version_id)[:read]
    if not passages:
        return None

    def others(states: Sequence[MemoryState]) -> list[int]:
        said = model.answers(question, MemoryState.stack(states))
        return [n for n, one in enumerate(said) if one.text.strip() != answer]

    begin, state, end = _last_checkpoint(scope, read, others, library, model, turn)
    passages = _changing(passages[begin:end], scope, library)
    number, state = _read_until([passage.text for passage in passages], state, others, model, turn)
    if number == len(passages):
        return None
    if begin == number == 0:
        with turn:
            if not others([state]):
                return None
    passage = passages[number]
    spans = sentence_spans(passage.text)
    sentences = [passage.text[slice(*span)] for span in spans]
    number, _ = _read_until(sentences, state, others, model, turn)
    return Told(passage, spans[number] if number < len(spans) else (0, len(passage.text)))


def _changing(passages: Sequence[Passage], scope: Scope, library: Library) -> list[Passage]:
    """Those that changed the memory, and those of which nobody noted whether they did."""
    changes = {note.passage_id: note.change for note in library.notes(scope.document.id)}
    least = _NOTHING * max(changes.values(), default=0.0)
    return [passage for passage in passages if changes.get(passage.id, least) >= least]


def _read_until(
    texts: Sequence[str],
    state: MemoryState,
    others: _Others,
    model: DocumentModel,
    turn: AbstractContextManager[object],
) -> tuple[int, MemoryState]:
    """Reads texts one after the other: the number of the one after which memory says so, as after
    all that follow, and the memory before it. All of them: it does not in the end."""
    number, before = 0, state
    for at in range(0, len(texts), _AT_ONCE):
        states = []
        with turn:
            for text in texts[at : at + _AT_ONCE]:
                _, state = model.read(text, state)
                states.append(state)
            other = others(states)
        if other:
            number, before = at + other[-1] + 1, states[other[-1]]
    return number, before


def _last_checkpoint(
    scope: Scope,
    read: int,
    others: _Others,
    library: Library,
    model: DocumentModel,
    turn: AbstractContextManager[object],
) -> tuple[int, MemoryState, int]:
    """Of the checkpoints before segment `read` the last one that says something else: the segments
    it had read, its memory, and those that the one after it had read. An empty memory says
    something else."""
    version, end = scope.document.version_id, read
    kept = [s.segments_read for s in library.snapshots(version) if s.segments_read < read]
    while kept:
        some, kept = kept[-_AT_ONCE:], kept[:-_AT_ONCE]
        states = []
        for segments in some:
            snapshot = library.snapshot_at_or_before(version, segments)
            assert snapshot is not None
            state = load_snapshot(snapshot.data, model.config, model.fingerprint)
            states.append(state.to(model.model.device))
        with turn:
            other = others(states)
        if other:
            after = some[other[-1] + 1 :]
            return some[other[-1]], states[other[-1]], after[0] if after else end
        end = some[0]
    return 0, model.model.empty_memory(), end
