"""`python -m ingest`: files -> pages -> passages -> memory.

Light to import: the child processes that parse files load neither torch nor transformers.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ingest.pipeline import ingest_paths

__all__ = ["ingest_paths"]


def __getattr__(name: str) -> Any:
    if name != "ingest_paths":
        raise AttributeError(f"ingest has no {name!r}")
    from ingest.pipeline import ingest_paths

    return ingest_paths
