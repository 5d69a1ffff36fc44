"""The library as the rest of Recollect sees it."""

from types import TracebackType
from typing import Self

from storage.backing_up import BackingUp
from storage.beginning import Beginning
from storage.conversations import Conversations
from storage.deleting import Deleting
from storage.documents import Documents
from storage.finishing import Finishing
from storage.importing import Importing
from storage.passages import Passages
from storage.readings import Readings
from storage.revision import Revision
from storage.search import Search
from storage.snapshots import Snapshots
from storage.verifying import Verifying


class Library(
    Beginning,
    Readings,
    Finishing,
    Importing,
    Snapshots,
    Documents,
    Passages,
    Search,
    Conversations,
    Deleting,
    Revision,
    Verifying,
    BackingUp,
):
    """Documents and what was learned from them, in one SQLite file with originals beside it.

    Reading: `begin_reading`, `keep_original`, `set_parsed`, perhaps `inherit`, `checkpoint` again
    and again, `finish` (or `fail`, `release`). Asking: `documents`, `search_words`, `vectors`,
    `passages_by_id`, `latest_snapshot`. Each method says what it raises; any of them raises
    LibraryError when the files cannot be read or written. Use it as a context manager.
    """

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
