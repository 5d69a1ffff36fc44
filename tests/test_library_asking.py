"""The asking side of the library: naming, pages, words, vectors, deleting, verifying."""

import sqlite3
from dataclasses import replace

import numpy as np
import pytest
from sqlalchemy import event, text

from armt_core.errors import AmbiguousName, LibraryError, UnknownDocument
from storage import Library, Page, search
from storage.database import copy_database
from storage.migrating import backup_before
from storage.records import Askable
from tests.test_library_reading import (
    NEW,
    OLD,
    WIDTH,
    begin,
    memory,
    open_library,
    parse,
    passages_from,
    read,
    sha,
    step,
)


@pytest.fixture
def library(tmp_path):
    with open_library(tmp_path / "library") as opened:
        yield opened


# Documents


def test_a_document_tells_what_is_known_of_it(library, tmp_path):
    source = tmp_path / "a.txt"
    source.write_text("".join(OLD))
    version = read(library, source, OLD, title="Three sentences")
    library.keep_original(version.sha256, source)
    (document,) = library.documents()
    assert (document.id, document.version_id) == (version.document_id, version.id)
    assert (document.title, document.format, document.state) == (
        "Three sentences",
        "text",
        "ready",
    )
    assert (document.sha256, document.fingerprint) == (sha("".join(OLD)), "model")
    assert (document.pages, document.tokens) == (3, 11)
    assert (document.segments_read, document.segments_total) == (3, 3)
    assert document.snapshot_sha256 == sha(memory(OLD, 3).data)
    assert document.aliases == (str(source),) and document.original_kept
    assert document.created_at <= document.updated_at
    text_bytes = len("".join(OLD)) + 3  # with the labels "1", "2", "3"
    runs_bytes = sum(len(f"[[0,0,{len(s)}]]") for s in OLD)
    snapshot_bytes = sum(len(memory(OLD, n).data) for n in (1, 2, 3))
    assert document.bytes_kept == (
        text_bytes
        + len("".join(OLD))
        + runs_bytes
        + 3 * 2 * WIDTH
        + snapshot_bytes
        + source.stat().st_size
    )
    ids, _ = library.vectors(document.id)
    library.set_plain_vectors(document.id, ids, np.ones((3, WIDTH), np.float16))
    library.set_plain_vectors(document.id, ids, np.ones((3, WIDTH), np.float16))
    assert library.document(document.id).bytes_kept == document.bytes_kept + 3 * 2 * WIDTH


def test_documents_come_by_title_whatever_the_case(library):
    for title in ("beta", "Alpha", "gamma"):
        read(library, f"/{title}", [f"{title} speaks."])
    assert [d.title for d in library.documents()] == ["Alpha", "beta", "gamma"]


def test_a_document_is_named_by_its_id_or_its_exact_title_whatever_the_case(library):
    first = read(library, "/1", ["One."], title="Straße und Café")
    read(library, "/2", ["Two."], title="Straße und Café zwei")
    for name in (first.document_id, "STRASSE UND CAFÉ", "straße und cafe\u0301"):
        assert library.document(name).id == first.document_id
    for name in ("Straße", "", "\udce9", "Straße und Café "):
        with pytest.raises(UnknownDocument, match="app documents"):
            library.document(name)


def test_a_title_of_several_documents_is_refused_with_their_ids(library):
    one = read(library, "/x/report", ["One."])
    two = read(library, "/y/report", ["Two."])
    with pytest.raises(AmbiguousName) as caught:
        library.document("REPORT")
    for part in (one.document_id, two.document_id, '"report"', "(report, added 2"):
        assert part in str(caught.value)
    assert "/x/" not in str(caught.value)  # folders are nobody's business who asks from elsewhere
    assert library.document(two.document_id).id == two.document_id


def test_a_title_that_only_an_unfinished_update_has_names_nothing(library):
    old = read(library, "/a", OLD, title="Old title")
    new, claim = begin(library, "/a", NEW)
    parse(library, new, claim, NEW, title="New title")
    assert library.document("old title").id == old.document_id
    with pytest.raises(UnknownDocument):
        library.document("new title")


def test_a_document_that_is_not_ready_shows_its_state(library):
    version, claim = begin(library, "/a", OLD)
    assert library.documents()[0].state == "reading"
    parse(library, version, claim, OLD)
    step(library, version, claim, OLD, 1)
    document = library.documents()[0]
    assert (document.segments_read, document.segments_total) == (1, 3)
    library.fail(version.id, claim, "no reason", "parse")
    assert library.documents()[0].reason_code == "parse"


# Pages and passages


def test_a_page_that_is_not_there_says_how_many_there_are(library):
    version = read(library, "/a", OLD)
    assert library.page(version.document_id, 2) == Page(2, "3", OLD[2])
    for number in (3, -1):
        with pytest.raises(LibraryError, match="counted from 0 and it has 3"):
            library.page(version.document_id, number)


def test_everything_of_an_unknown_document_is_refused(library):
    for ask in (
        lambda: library.pages("nothing"),
        lambda: library.page("nothing", 0),
        lambda: library.passages("nothing"),
        lambda: library.vectors("nothing"),
        lambda: library.missing_plain("nothing"),
        lambda: library.segments_upto_page("nothing", 0),
        lambda: library.set_plain_vectors("nothing", [], np.zeros((0, 4), np.float16)),
        lambda: library.add_alias("nothing", "/a"),
        lambda: library.add_alias("nothing", "/a", "0" * 64),
        lambda: library.delete("nothing"),
    ):
        with pytest.raises(UnknownDocument, match="nothing"):
            ask()


def test_as_of_a_page_only_what_lies_up_to_it_is_given(library):
    document = read(library, "/a", NEW).document_id
    read(library, "/b", [f"{s} Again." for s in NEW])
    assert [p.text for p in library.passages(document, upto_page=1)] == NEW[:2]
    ids, vectors = library.vectors(document, upto_page=1)
    assert vectors[:, 0].tolist() == [0.5, 1.5]
    assert [library.passage(int(i)).text for i in ids] == NEW[:2]
    assert [library.segments_upto_page(document, page) for page in (-1, 0, 2, 9)] == [0, 1, 3, 4]
    found = library.search_words("alpha beta gamma delta", 9, [document], upto_page=2)
    assert sorted(p.page for p in library.passages_by_id([i for i, _ in found])) == [0, 1, 2]


def test_passages_come_in_the_order_asked_for_even_when_there_are_very_many(library):
    document = read(library, "/a", OLD).document_id
    ids = [p.id for p in library.passages(document)]
    asked = [ids[2], ids[0], ids[2]] * 1000
    assert [p.id for p in library.passages_by_id(asked)] == asked
    assert library.passages_by_id([]) == []
    with pytest.raises(LibraryError, match=r"\[987654\].*Ask again"):
        library.passages_by_id([ids[0], 987654])


def test_the_id_of_a_deleted_passage_is_never_given_to_another(library):
    document = read(library, "/a", OLD).document_id
    last = library.passages(document)[-1].id
    library.delete(document)
    assert library.passages(read(library, "/b", OLD).document_id)[0].id == last + 1


# Vectors


def test_plain_vectors_are_kept_once_they_are_computed(library):
    document = read(library, "/a", OLD).document_id
    ids, none = library.vectors(document, "plain")
    assert ids.shape == (0,) and none.shape == (0, 0)
    missing = library.missing_plain(document)
    assert [p.text for p in missing] == OLD
    values = np.arange(2 * WIDTH, dtype=np.float16).reshape(2, WIDTH)
    library.set_plain_vectors(document, [missing[2].id, missing[0].id], values)
    assert [p.text for p in library.missing_plain(document)] == [OLD[1]]
    ids, plain = library.vectors(document, "plain")
    assert ids.tolist() == [missing[0].id, missing[2].id]
    assert plain.tolist() == values[::-1].tolist() and plain.dtype == np.float16
    assert library.search_words("alpha", 1)[0][0] == missing[0].id
    assert library.verify() == []


def test_vectors_of_another_shape_type_or_kind_are_refused(library):
    document = read(library, "/a", OLD).document_id
    ids, _ = library.vectors(document)
    for wrong in (
        np.zeros((3, WIDTH), np.float32),
        np.zeros((2, WIDTH), np.float16),
        np.zeros(3, np.float16),
        np.zeros((3, WIDTH + 1), np.float16),
    ):
        with pytest.raises(LibraryError):
            library.set_plain_vectors(document, ids, wrong)
    with pytest.raises(LibraryError, match="'memory' or 'plain'"):
        library.vectors(document, "other")
    assert len(library.missing_plain(document)) == 3


def test_plain_vectors_never_reach_another_document(library):
    first, second = read(library, "/a", OLD), read(library, "/b", NEW)
    ids, _ = library.vectors(second.document_id)
    library.set_plain_vectors(first.document_id, ids, np.ones((4, WIDTH), np.float16))
    assert len(library.missing_plain(second.document_id)) == 4


# Words


def texts(library, found):
    return [p.text for p in library.passages_by_id([number for number, _ in found])]


def test_words_find_passages_best_first_with_higher_scores_for_better_ones(library):
    sentences = [
        "The cats are climbing.",
        "A cat and a dog; the dog sleeps.",
        "Birds sing.",
        "Ships sail far.",
        "Trees grow old.",
        "Rivers run on.",
    ]
    read(library, "/a", sentences)
    found = library.search_words("dogs and cats", 10)
    assert texts(library, found) == [sentences[1], sentences[0]]
    assert found[0][1] > found[1][1] > 0
    assert library.search_words("dogs and cats", 1) == found[:1]
    assert library.search_words("dogs", 0) == library.search_words("elephants", 5) == []


def test_case_accents_and_endings_do_not_matter(library):
    read(library, "/a", ["Die CAFÉS öffneten früh.", "Nothing here."])
    for query in ("cafe", "CAFE\u0301S", "Café", "offneten", "ÖFFNETEN"):
        assert texts(library, library.search_words(query, 5)) == ["Die CAFÉS öffneten früh."]


@pytest.mark.parametrize(
    "query",
    [
        "",
        "   ",
        '"',
        '"""',
        "'",
        "***",
        "(",
        "NEAR(",
        "-",
        "^",
        ":",
        "{}",
        "\x00",
        "\ud800",
        "\u0301",
        "😀",
        "_",
        "\\",
        ";--",
        "text:",
    ],
)
def test_a_query_without_words_finds_nothing_and_breaks_nothing(library, query):
    read(library, "/a", OLD)
    assert library.search_words(query, 5) == [] or query in ("NEAR(", "text:")


@pytest.mark.parametrize(
    "query",
    [
        'river"',
        '"river',
        "river*",
        "NEAR(river hill, 2)",
        "text : river",
        "river AND",
        "NOT river",
        "river OR OR",
        "^river",
        "-river",
        "river\x00",
        "river\ud800",
        "{river}",
        "river; DROP TABLE passage; --",
        "river'); --",
        "passage_words MATCH river",
        "+river+",
    ],
)
def test_operators_are_just_text(library, query):
    read(library, "/a", OLD)
    assert OLD[0] in texts(library, library.search_words(query, 5))


def test_a_very_long_query_is_answered(library):
    read(library, "/a", OLD)
    query = "river " + " ".join(f"word{number}" for number in range(50_000))
    assert texts(library, library.search_words(query, 5)) == [OLD[0]]
    assert len(search.words_of(query)) == search.MOST_WORDS


def test_stop_words_count_only_if_there_is_nothing_else(library):
    read(library, "/a", ["To be or not to be.", "The hill is high.", "Nothing at all here."])
    assert texts(library, library.search_words("What is the hill?", 5)) == ["The hill is high."]
    assert texts(library, library.search_words("to be or not to be", 5))[0] == "To be or not to be."
    assert search.words_of("The THE the Hill's") == ["hill", "s"]


def test_words_are_found_as_they_are_written(library):
    """Folded further than the index folds them ("strasse") they would be nowhere in it."""
    told = "Die Straße beim Fußballplatz und eine ﬁrst edition."
    read(library, "/a", [told])
    for word in ("Straße", "STRAßE", "Fußballplatz", "ﬁrst"):
        assert texts(library, library.search_words(word, 5)) == [told], word


def test_only_ready_documents_and_those_asked_for_are_searched(library):
    first, second = read(library, "/a", OLD), read(library, "/b", ["A river of its own."])
    version, claim = begin(library, "/c", ["An unread river."])
    parse(library, version, claim, ["An unread river."])
    step(library, version, claim, ["An unread river."], 1)
    assert len(library.search_words("river", 9)) == 2
    assert texts(library, library.search_words("river", 9, [second.document_id])) == [
        "A river of its own."
    ]
    assert library.search_words("river", 9, []) == []
    both = {first.document_id, second.document_id, "unknown"}
    assert len(library.search_words("river", 9, both)) == 2


# Conversations


def test_a_conversation_keeps_its_turns_in_order(library):
    first = library.create_conversation("First")
    second = library.create_conversation("Second")
    content = {"text": "Wer? 😀", "citations": [{"page": 1, "score": 0.5}], "none": None}
    asked = library.add_message(first.id, "user", {"text": "Who?"})
    answered = library.add_message(first.id, "assistant", content)
    assert library.messages(first.id) == [asked, answered]
    assert answered.content == content and answered.role == "assistant"
    assert [c.title for c in library.conversations()] == ["First", "Second"]
    library.delete_conversation(first.id)
    assert [c.id for c in library.conversations()] == [second.id]
    for ask in (library.messages, library.delete_conversation):
        with pytest.raises(LibraryError, match="no conversation"):
            ask(first.id)
    with pytest.raises(LibraryError, match="no conversation"):
        library.add_message(first.id, "user", {})


# Deleting


def library_bytes(library):
    files = [f for f in library.database.parent.rglob("*") if f.is_file()]
    return b"\x00".join(file.read_bytes() for file in files).lower()


SECRET = "The zirconium pelican whispers at midnight."
SECRETS = [b"zirconium pelican", b"zirconium", b"pelican", b"midnight"]


def test_a_deleted_document_is_gone_from_every_file(library, tmp_path):
    source = tmp_path / "secret.txt"
    source.write_text(SECRET)
    kept = [read(library, f"/{n}", [f"{s} Number {n}." for s in NEW]) for n in range(20)]
    sentences = [SECRET, *(f"{SECRET} Page {n} {'zirconium ' * 600}" for n in range(20))]
    version = read(library, source, sentences, title="Secret")
    library.originals.put(source, sha(SECRET))
    read(library, "/last", ["Something after it."])
    conversation = library.create_conversation("Talk")
    library.add_message(conversation.id, "user", {"text": "Who whispers?"})
    library.add_message(
        conversation.id,
        "assistant",
        {"text": SECRET, "citations": [{"document_id": version.document_id}]},
    )
    copy_database(library.database, backup_before(library.database, "0003"))
    for word in SECRETS:
        assert word in library_bytes(library)
    # The original's hash is that of another content here; give the version that content.
    with library._writing() as session:
        session.execute(
            text("UPDATE version SET sha256 = :s WHERE id = :v"),
            {"s": sha(SECRET), "v": version.id},
        )

    library.delete(version.document_id)

    remaining = library_bytes(library)
    for word in SECRETS:
        assert word not in remaining
    assert [m.role for m in library.messages(conversation.id)] == ["user"]
    assert library.search_words("zirconium pelican", 5) == []
    assert len(library.search_words("alpha", 99)) == 20
    assert len(library.documents()) == len(kept) + 1
    assert library.original_path(sha(SECRET)) is None
    assert library.verify() == []
    with pytest.raises(UnknownDocument):
        library.document(version.document_id)


def test_text_of_replaced_versions_is_gone_too_after_a_deletion(library):
    read(library, "/a", [SECRET])
    version = read(library, "/a", ["Harmless words."])
    other = read(library, "/b", ["Other harmless words."])
    library.delete(version.document_id)
    for word in SECRETS:
        assert word not in library_bytes(library)
    assert library.document("b").id == other.document_id


def test_a_deleted_conversation_is_gone_from_every_file(library):
    conversation = library.create_conversation("Talk")
    library.add_message(conversation.id, "user", {"text": SECRET})
    assert b"zirconium" in library_bytes(library)
    library.delete_conversation(conversation.id)
    assert b"zirconium" not in library_bytes(library)


def test_a_deletion_while_another_program_reads_says_that_the_log_is_not_empty(
    library, caplog, monkeypatch
):
    version = read(library, "/a", [SECRET])
    # One engine with a short patience: the reader below never lets go.
    monkeypatch.setattr("storage.database.BUSY_SECONDS", 0.05)
    with Library(library.database.parent) as impatient, library._reading() as session:
        session.execute(text("SELECT count(*) FROM passage")).scalar()
        impatient.delete(version.document_id)
    assert "may hold deleted text until" in caplog.text
    assert library.documents() == []


def test_a_deleted_original_stays_while_another_document_has_the_same_bytes(library, tmp_path):
    source = tmp_path / "a.txt"
    source.write_text("".join(OLD))
    first = read(library, source, OLD)
    library.keep_original(first.sha256, source)
    second = read(library, "/b", ["Other."])
    with library._writing() as session:
        session.execute(
            text("UPDATE version SET sha256 = :s WHERE id = :v"),
            {"s": first.sha256, "v": second.id},
        )
    library.delete(second.document_id)
    assert library.original_path(first.sha256) is not None
    library.delete(first.document_id)
    assert library.original_path(first.sha256) is None


# Verifying


def change(library, statement):
    """Change the database behind the library's back."""
    connection = sqlite3.connect(library.database)
    connection.execute(statement)
    connection.commit()
    connection.close()


@pytest.mark.parametrize(
    ("statement", "problem"),
    [
        ("DELETE FROM page WHERE number = 1", "2 of 3 pages are stored"),
        ("UPDATE page SET text = 'short' WHERE number = 1", "are outside page 1 of 5"),
        (
            "UPDATE page SET text = replace(text, 'climbs', 'climbx') WHERE number = 1",
            "passage 1: run",
        ),
        ("UPDATE passage SET runs = '[[0,0,9],[3,9,2]]' WHERE ordinal = 2", "passage 2: run"),
        ("DELETE FROM passage WHERE ordinal = 1", "2 of 3 passages are stored"),
        ("DELETE FROM snapshot WHERE segments_read = 3", "final memory is missing"),
        ("UPDATE snapshot SET sha256 = 'x' WHERE segments_read = 2", "after 2 segments is damaged"),
        (
            "INSERT INTO snapshot VALUES(99, 99, 1, 'x', 'x', '', x'00')",
            "belongs to nothing in",
        ),
        (
            "INSERT INTO passage_words(passage_words, rowid, text) VALUES('delete', 1, 'alpha')",
            "word index does not match",
        ),
    ],
)
def test_damage_is_found_and_named(library, statement, problem):
    read(library, "/a", OLD, title="Broken")
    assert library.verify() == []
    change(library, statement)
    found = library.verify()
    assert any(problem in line for line in found), found


def test_a_damaged_file_is_reported_and_not_a_crash(tmp_path):
    with Library(tmp_path) as library:
        read(library, "/a", [f"{s} {'word ' * 200}{n}" for n, s in enumerate(NEW * 10)])
    database = tmp_path / "library.db"
    content = bytearray(database.read_bytes())
    for start in range(4096 * 60, len(content), 4096 * 3):
        content[start : start + 2000] = b"\xaa" * len(content[start : start + 2000])
    database.write_bytes(content)
    with Library(tmp_path) as library:
        problems = library.verify()
    assert problems and "The database is damaged" in problems[0]


def test_files_that_belong_to_nothing_are_named(library, tmp_path):
    (tmp_path / "x").write_text("stray")
    place = library.originals.put(tmp_path / "x", sha("stray"))
    place.with_name(place.name + ".part-1").write_text("half")
    first, second = library.verify()
    assert f"{place} belongs to no document" in first
    assert "cut off" in second


def test_a_reading_in_progress_is_no_problem(library):
    version, claim = begin(library, "/a", OLD)
    parse(library, version, claim, OLD)
    library.checkpoint(version.id, claim, passages_from(OLD[:2]), memory(OLD, 2))
    assert library.verify() == []
    with pytest.raises(LibraryError):
        library.checkpoint(
            version.id, claim, [replace(passages_from(OLD)[2], page=7)], memory(OLD, 3)
        )


# Many documents


def statements(library, call):
    """How many statements a call sends to SQLite."""
    sent = []
    event.listen(library._engine, "before_cursor_execute", lambda *said: sent.append(said[2]))
    call()
    return sum(statement.startswith("SELECT") for statement in sent)


def test_a_list_of_many_documents_takes_as_many_queries_as_one_of_few(library, tmp_path):
    with Library(tmp_path / "few") as few:
        read(few, "/0", OLD)
        expected = statements(few, few.documents)
    for number in range(12):
        read(library, f"/{number}", [f"Number {number}.", *OLD[: number % 3]])
    begin(library, "/5", NEW)  # a newer version on its way
    assert statements(library, library.documents) == expected
    listed = library.documents()
    assert listed == [library.document(document.id) for document in listed]
    assert [d.update_state for d in listed if d.update_state] == ["reading"]


def test_what_can_be_asked_is_what_is_ready_by_title(library):
    read(library, "/b", OLD, title="bees")
    read(library, "/a", NEW, title="Alpha")
    begin(library, "/c", ["Not read yet."])
    ready = [d for d in library.documents() if d.state == "ready"]
    assert library.askable() == [
        Askable(d.id, d.version_id, d.pages, d.unknown_ratio, d.memory_alone, d.fingerprint)
        for d in ready
    ]
    assert library.titles() == {d.id: d.title for d in library.documents()}


def test_the_best_of_the_whole_library_are_the_best_of_all_its_documents_named(library):
    for number in range(90):
        words = " ".join(["river"] * (number % 7 + 1) + ["hill"] * (number % 4))
        read(library, f"/{number}", [f"Cover of {number}.", f"The {words} is wide at {number}."])
    read(library, "/0", ["River, river, river: a newer version."])
    every = [document.id for document in library.askable()]
    for upto_page in (None, 0, 1):
        for limit in (1, 2, 50, 200):
            found = library.search_words("hill or river", limit, upto_page=upto_page)
            named = library.search_words("hill or river", limit, every, upto_page)
            assert found == named
            assert len(found) == min(limit, 1 if upto_page == 0 else 90)


def test_passages_without_a_rare_word_are_left_out_only_where_they_cannot_be_among_the_best(
    library, monkeypatch
):
    monkeypatch.setattr(search, "_COMMON", 0.3)
    for number in range(3):
        told = [
            " ".join(
                ["river"] * (n % 5)
                + ["hill"] * 3 * (n % 3 == 1)
                + ["gorse"] * (n % 20 == 7)
                + ["lake"] * (n % 12 in (0, 3, 9))
            )
            for n in range(40)
        ]
        read(library, f"/{number}", [f"The {words} of {number}." for words in told])
    every = [document.id for document in library.askable()]
    tried = []
    counting = search._counting

    def spy(session, expressions, limit, upto_page):
        tried.append(len(expressions))
        return counting(session, expressions, limit, upto_page)

    monkeypatch.setattr(search, "_counting", spy)
    for query, limit, expected in (
        ("river, hill or gorse", 1, [2]),
        ("river, hill or gorse", 6, [2]),
        ("river, hill or gorse", 7, [2, 1]),  # six passages have gorse
        ("hill or lake", 3, [2, 1]),  # where there is a lake there is no hill
    ):
        tried.clear()
        found = library.search_words(query, limit)
        assert tried == expected, (query, limit)
        named = library.search_words(query, limit, every)
        assert [number for number, _ in found] == [number for number, _ in named]
        assert [score for _, score in found] == pytest.approx([score for _, score in named])
    for query in ("river", "gorse", "river or hill"):  # rare or common words alone
        tried.clear()
        assert library.search_words(query, 3) == library.search_words(query, 3, every)
        assert tried == [1]


def test_of_an_early_page_only_its_passages_are_scored(library, monkeypatch):
    for number in range(3):
        read(library, f"/{number}", [f"River {page} of {number}." for page in range(20)])
    monkeypatch.setattr(search, "_counting", None)  # it would score all
    found = library.search_words("river", 9, upto_page=0)
    assert sorted(texts(library, found)) == [f"River 0 of {number}." for number in range(3)]
