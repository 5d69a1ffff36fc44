"""Since when a memory says what it says: the passage that told it.

Nothing in a memory tells where it is from. But asked as it was after each checkpoint that reading
left, and between two of them after each passage, which are read again, it shows when it came to
say so. Axes: N states of one memory, asked side by side.
"""

from collections.abc import Callable, Sequence

from app.searching import Scope
from armt_core.document_model import DocumentModel
from armt_core.memory import MemoryState
from armt_core.snapshot import load_snapshot
from storage.library import Library
from storage.records import Passage

#: States of a memory that are asked at once, 1.8 MB each with the default model.
_AT_ONCE = 8


def told_by(
    answer: str, question: str, scope: Scope, library: Library, model: DocumentModel
) -> Passage | None:
    """The passage after which the memory of `scope` gives this answer, as it does ever since.
    None where there is no text: of a memory that was handed over alone, or emptied.

    Takes as long as reading what stands between two checkpoints: up to 16 passages of a document of
    480, 128 of one of a million tokens.
    """
    read = int(scope.memory.segments_read[0])
    passages = library.passages_of(scope.document.version_id)[:read]
    if not passages:
        return None

    def others(states: Sequence[MemoryState]) -> list[int]:
        """Which of N states say something else."""
        said = model.answers(question, MemoryState.stack(states))
        return [n for n, one in enumerate(said) if one.text.strip() != answer]

    begin, state, end = _last_checkpoint(scope, read, others, library, model)
    told = begin  # by passage number `told`, counted from 0
    for at in range(begin, end, _AT_ONCE):
        states = []
        for passage in passages[at : min(at + _AT_ONCE, end)]:
            _, state = model.read(passage.text, state)
            states.append(state)
        if other := others(states):
            told = at + other[-1] + 1
    return passages[min(told, end - 1)]


def _last_checkpoint(
    scope: Scope,
    read: int,
    others: Callable[[Sequence[MemoryState]], list[int]],
    library: Library,
    model: DocumentModel,
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
        if other := others(states):
            after = some[other[-1] + 1 :]
            return some[other[-1]], states[other[-1]], after[0] if after else end
        end = some[0]
    return 0, model.model.empty_memory(), end
