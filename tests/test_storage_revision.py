"""The revision of a library: another for each change that pages show, and the same without one."""

import pytest

from storage.library import Library
from tests.test_library_reading import NEW, OLD, begin, open_library, read


@pytest.fixture
def library(tmp_path):
    with open_library(tmp_path / "library") as opened:
        yield opened


def test_every_change_of_documents_and_conversations_shows_and_looking_changes_nothing(library):
    seen = [library.revision()]

    def changed() -> None:
        assert library.revision() != seen[-1]
        assert library.revision() == library.revision()
        seen.append(library.revision())

    version = read(library, "/a", OLD)
    changed()
    read(library, "/a", NEW)  # a new version of it
    changed()
    begun, claim = begin(library, "/b", OLD)
    changed()
    library.fail(begun.id, claim, "It is torn.", "parse")
    changed()
    first = library.create_conversation("First")
    changed()
    library.add_message(first.id, "user", {"text": "Who?"})
    changed()
    library.delete_conversation(first.id)
    changed()
    library.create_conversation("Second")
    changed()
    library.delete(version.document_id)
    changed()
    other = read(library, "/c", OLD)
    changed()
    library.delete(other.document_id)
    read(library, "/c", OLD)  # as many as before, in the same states
    changed()


def test_what_another_process_changes_shows_too(library):
    before = library.revision()
    with Library(library.database.parent) as other:
        read(other, "/a", OLD)
    assert library.revision() != before
