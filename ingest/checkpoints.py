"""Which states of a reading are kept: some, evenly spread, however long the document.

Counted in segments read.
"""

#: A killed reading loses at most this many segments; a memory as of a page re-reads fewer
#: (twice as many each time a document outgrows MOST).
INTERVAL = 16
#: Most snapshots a document has. Two are the last state and the one before the last segment.
MOST = 32


def interval(segments: int) -> int:
    """Segments between kept states after `segments`: INTERVAL, doubled until MOST - 2 suffice."""
    step = INTERVAL
    while segments // step > MOST - 2:
        step *= 2
    return step


def is_checkpoint(segments: int, total: int) -> bool:
    """Whether the state after `segments` of `total` is written down when it is reached."""
    return segments % interval(segments) == 0 or segments >= total - 1


def kept(segments: int, total: int) -> set[int]:
    """The states to keep once `segments` of `total` are read: at most MOST.

    The state before the last segment is among them, so that a document that grew is
    read from its changed end on.
    """
    step = interval(segments)
    return {*range(step, segments + 1, step), segments} | (
        {total - 1} if segments >= total - 1 else set()
    )
