"""`python -m app`: JSON with the promised keys and nothing else, exit codes, standard input."""

import io
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from app.__main__ import main
from ingest.pipeline import ingest_paths
from ingest.settings import DEFAULT_MODEL
from storage.library import Library
from tests.fakes import CALIBRATION_JSON

ROOT = Path(__file__).resolve().parent.parent
PAGES = (
    "The lighthouse on Vessel Rock is kept by Henrike Aalto.",
    "The ferry leaves for Tarn Island at twenty past seven.",
)
QUESTION = "When does the ferry leave for Tarn Island?"
ANSWER_KEYS = {
    "question", "answer", "found", "confidence", "source", "answer_start", "answer_end",
    "citations", "memory_answer", "timings_ms", "since",
}  # fmt: skip
CITATION_KEYS = {
    "document_id", "title", "page", "page_label", "start", "end", "quote", "passage_id", "score",
    "also",
}  # fmt: skip
PASSAGE_KEYS = {
    "passage_id", "document_id", "title", "page", "page_label", "start", "end", "text", "score",
    "also",
}  # fmt: skip


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Path:
    """The model that ships, with a calibration of this test's own."""
    folder = Path(shutil.copytree(DEFAULT_MODEL, tmp_path_factory.mktemp("model") / "model"))
    (folder / "answering.json").write_text(CALIBRATION_JSON, encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def filled(tmp_path_factory, reader) -> Path:
    """A library of one text of two pages, and two of the same title."""
    folder = tmp_path_factory.mktemp("filled")
    (folder / "island.txt").write_text("\f".join(PAGES), encoding="utf-8")
    for name in ("a", "b"):
        (folder / name).mkdir()
        (folder / name / "notes.txt").write_text(f"Notes of {name}.", encoding="utf-8")
    with Library(folder / "library") as library:
        list(ingest_paths([folder / "island.txt", folder / "a", folder / "b"], library, reader))
    return folder / "library"


@pytest.mark.parametrize(
    "command",
    [
        ["app", "documents", "--library"],
        ["app", "show", "no such document", "--json", "--library"],
        ["ingest", "no such file", "--json", "--ocr", "?", "--library"],
    ],
)
def test_a_command_ends_quietly_once_nobody_reads_what_it_prints(filled, command):
    process = subprocess.Popen(
        [sys.executable, "-m", *command, str(filled)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None and process.stderr is not None
    process.stdout.close()  # as head does
    assert process.stderr.read() == b"" and process.wait(60) == 141


@pytest.fixture
def run(capsys, monkeypatch, reader, filled, model):
    """Runs a command in this process: its exit code and what it printed."""
    monkeypatch.setattr("app.answering.open_reader", lambda folder: reader)
    monkeypatch.setattr("ingest.settings.open_reader", lambda folder: reader)

    def command(*arguments: str, stdin: str = "", library: Path = filled):
        monkeypatch.setattr(sys, "stdin", io.StringIO(stdin))
        given = [*arguments, "--library", str(library), "--model", str(model)]
        code = main(given)
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return command


def test_ask_prints_one_json_object_with_the_promised_keys(run):
    code, out, _ = run("ask", QUESTION, "--json")
    answer = json.loads(out)
    assert code == 0 and set(answer) == ANSWER_KEYS and out.count("\n") == 1
    assert (answer["found"], answer["source"], answer["answer"]) == (True, "passage", PAGES[1])
    assert all(set(c) == CITATION_KEYS for c in answer["citations"])
    first = answer["citations"][0]
    assert (first["title"], first["page"], first["page_label"]) == ("island", 1, None)
    assert first["quote"] == PAGES[1][first["start"] : first["end"]]
    assert all(isinstance(ms, float) for ms in answer["timings_ms"].values())
    assert answer["since"] is None


def test_not_found_is_well(run):
    code, out, _ = run("ask", "What is the capital of Mongolia?", "--json")
    answer = json.loads(out)
    assert code == 0 and set(answer) == ANSWER_KEYS
    assert (answer["answer"], answer["found"], answer["source"], answer["citations"]) == (
        None, False, "none", [],
    )  # fmt: skip
    code, out, _ = run("ask", "What is the capital of Mongolia?")
    assert code == 0 and out.startswith("Not found in these documents.")
    assert "The nearest passages:" in out
    assert "    " + PAGES[1] in out.splitlines()


def test_ask_prints_the_answer_and_where_it_stands_for_people(run):
    code, out, _ = run("ask", QUESTION, "-k", "1")
    lines = out.splitlines()
    assert code == 0 and lines[0] == PAGES[1]
    assert lines[2].startswith("[1] island, page 2 (") and lines[3].strip() == PAGES[1]


def test_a_copy_is_named_with_the_citation_and_the_passage(run, filled, tmp_path, reader):
    shutil.copytree(filled, tmp_path / "library")
    (tmp_path / "isle.txt").write_text("\f".join((*PAGES, "A copy.")), encoding="utf-8")
    with Library(tmp_path / "library") as library:
        list(ingest_paths([tmp_path / "isle.txt"], library, reader))
    for command, indent in (("ask", "    "), ("search", "       ")):
        _, out, _ = run(command, QUESTION, "-k", "1", library=tmp_path / "library")
        lines = out.splitlines()
        place = next(line for line in lines if "page 2 (" in line or line.endswith("page 2"))
        other = "isle" if "island" in place else "island"
        assert f"{indent}also in {other}, page 2" in lines
        _, out, _ = run(command, QUESTION, "--json", library=tmp_path / "library")
        said = json.loads(out)
        (also,) = (said["citations"] if command == "ask" else said["passages"])[0]["also"]
        assert (also["title"], also["page"], also["page_label"]) == (other, 1, None)
        assert set(also) == {"document_id", "title", "page", "page_label"}


def test_documents_of_one_title_are_named_without_the_folders_they_came_from(run, filled):
    code, _, err = run("show", "notes")
    assert code == 2 and err.count("(notes.txt, added 20") == 2
    assert str(filled.parent) not in err


def test_ask_says_that_the_memory_is_untrained_while_it_is(run, reader):
    _, out, _ = run("ask", QUESTION)
    assert ("The memory of this model is not trained yet." in out) != reader.reads_memory


def test_parts_are_left_out_by_name_and_others_are_wrong_usage(run):
    code, out, _ = run(
        "ask", "What is the capital of Mongolia?", "--json", "--without", "threshold"
    )
    assert code == 0 and json.loads(out)["found"]
    _, whole, _ = run("search", QUESTION, "--json", "--method", "vectors")
    _, less, _ = run(
        "search", QUESTION, "--json", "--method", "vectors", "--without", "sentence-vectors"
    )
    assert json.loads(whole) != json.loads(less)
    code, out, err = run("search", QUESTION, "--json", "--without", "memory-vectors")
    assert code == 2 and "do not depend on its memory" in out + err
    with pytest.raises(SystemExit) as wrong:
        run("ask", QUESTION, "--without", "luck")
    assert wrong.value.code == 2


def test_the_options_of_ask_reach_the_answer(run):
    code, out, _ = run("ask", QUESTION, "--json", "--document", "island", "--as-of-page", "0")
    answer = json.loads(out)
    assert code == 0 and not answer["found"]
    _, out, _ = run("ask", QUESTION, "--json", "--memory", "empty", "-k", "1")
    assert len(json.loads(out)["citations"]) == 1


def test_search_prints_passages(run):
    code, out, _ = run("search", "ferry", "--json", "-k", "2")
    passages = json.loads(out)["passages"]
    assert code == 0 and set(json.loads(out)) == {"passages"} and len(passages) == 2
    assert all(set(p) == PASSAGE_KEYS for p in passages)
    assert (passages[0]["title"], passages[0]["page"]) == ("island", 1)
    code, out, _ = run("search", "ferry", "--json", "--method", "words")
    assert [p["text"] for p in json.loads(out)["passages"]] == [PAGES[1]]
    code, out, _ = run("search", "ferry", "--method", "words")
    assert code == 0 and "island, page 2" in out and PAGES[1] in out


def test_documents_and_show_print_what_is_kept(run):
    code, out, _ = run("documents", "--json")
    (documents,) = json.loads(out).values()
    assert code == 0 and [d["title"] for d in documents] == ["island", "notes", "notes"]
    code, out, _ = run("show", "ISLAND", "--json")
    shown = json.loads(out)
    assert code == 0 and shown["document_id"] == documents[0]["document_id"]
    assert set(shown) == {*documents[0], "snapshots"}
    assert (shown["state"], shown["pages"], shown["segments"], shown["segments_read"]) == (
        "ready", 2, 2, 2,
    )  # fmt: skip
    assert shown["tokens"] > 10 and shown["bytes_kept"] > 1_700_000
    assert len(shown["snapshot_sha256"]) == 64
    assert shown["snapshots"][-1]["sha256"] == shown["snapshot_sha256"]
    code, out, _ = run("documents")
    assert code == 0 and len(out.splitlines()) == 3
    code, out, _ = run("show", "island")
    assert code == 0 and shown["snapshot_sha256"] in out


@pytest.mark.parametrize(
    ("arguments", "code", "name"),
    [
        (["ask", "Who?", "--document", "mainland"], 1, "unknown_document"),
        (["show", "mainland"], 1, "unknown_document"),
        (["delete", "mainland", "--yes"], 1, "unknown_document"),
        (["reread", "mainland"], 1, "unknown_document"),
        (["ask", "Who?", "--document", "Notes"], 2, "ambiguous_name"),
        (["show", "notes"], 2, "ambiguous_name"),
        (["ask", " "], 2, "usage"),
        (["ask", "Who?", "-k", "0"], 2, "usage"),
        (["ask", "Who?", "--as-of-page", "9", "--document", "island"], 2, "usage"),
    ],
)
def test_errors_are_json_with_a_code_and_words_for_people_on_standard_error(
    run, arguments, code, name
):
    got, out, err = run(*arguments, "--json")
    error = json.loads(out)
    assert got == code and set(error) == {"error"} and set(error["error"]) == {"code", "message"}
    assert error["error"]["code"] == name and err.startswith(f"error: {error['error']['message']}")
    got, out, err = run(*arguments)
    assert (got, out) == (code, "") and err.startswith("error: ")


def test_an_empty_library_is_an_error_to_ask_and_none_to_list(run, tmp_path):
    code, out, _ = run("ask", "Who?", "--json", library=tmp_path / "new")
    assert code == 1 and json.loads(out)["error"]["code"] == "empty_library"
    code, out, err = run("documents", "--json", library=tmp_path / "new")
    assert (code, json.loads(out)) == (0, {"documents": []})
    code, out, err = run("documents", library=tmp_path / "new")
    assert (code, out) == (0, "") and "python -m ingest" in err


def test_wrong_arguments_are_exit_code_2(run, capsys):
    for arguments in (["dance"], ["ask"], ["ask", "Who?", "--memory", "half"], ["show"]):
        with pytest.raises(SystemExit) as stopped:
            run(*arguments)
        assert stopped.value.code == 2
        assert "usage:" in capsys.readouterr().err


def test_lines_of_standard_input_are_answered_in_order_and_a_bad_one_in_its_place(run):
    lines = [
        QUESTION,
        "",
        json.dumps({"question": QUESTION, "documents": ["island"], "as_of_page": 0}),
        '{"question": "broken',
        json.dumps({"question": QUESTION, "documents": ["mainland"]}),
        json.dumps({"question": "Who keeps the lighthouse on Vessel Rock?", "k": 1}),
        json.dumps({"question": "Who?", "pages": 3}),
        json.dumps({"documents": ["island"]}),
        json.dumps({"question": "Who?", "documents": []}),
        json.dumps({"question": "Who?", "k": True}),
        '{"question": "half a pair: \\ud800"}',
        "[[[[[ what",
        QUESTION,
    ]
    code, out, _ = run("ask", "-", "--json", stdin="\n".join(lines) + "\n")
    values = [json.loads(line) for line in out.splitlines()]
    assert code == 1 and len(values) == len(lines) - 1  # the empty line is no question
    said = [value["error"]["code"] if "error" in value else value["answer"] for value in values]
    assert said[:4] == [PAGES[1], None, "usage", "unknown_document"]
    assert said[4] == PAGES[0] and len(values[4]["citations"]) == 1
    assert said[5:10] == ["usage"] * 5 and said[11] == PAGES[1]
    assert (
        "pages" in values[5]["error"]["message"] and "'question'" in values[6]["error"]["message"]
    )
    assert values[10]["question"] == "[[[[[ what"


def test_flags_are_the_defaults_of_lines(run):
    lines = [QUESTION, json.dumps({"question": QUESTION, "as_of_page": 1, "k": 2})]
    flags = ("--as-of-page", "0", "--document", "island", "-k", "1")
    code, out, _ = run("ask", "-", "--json", *flags, stdin="\n".join(lines))
    first, second = (json.loads(line) for line in out.splitlines())
    assert code == 0 and not first["found"]
    assert second["answer"] == PAGES[1] and len(second["citations"]) == 2


def test_bad_lines_for_people_stand_between_the_answers(run):
    code, out, _ = run("ask", "-", stdin=f"{QUESTION}\n{{nonsense\n{QUESTION}\n")
    assert code == 1
    assert (
        out.index(PAGES[1]) < out.index("error: This line begins like JSON") < out.rindex(PAGES[1])
    )


def test_nothing_is_deleted_without_yes(run, tmp_path, reader):
    (tmp_path / "a.txt").write_text("Something to forget.", encoding="utf-8")
    with Library(tmp_path / "library") as library:
        list(ingest_paths([tmp_path / "a.txt"], library, reader))
        (document,) = library.documents()
    code, out, _ = run("delete", "a", "--json", library=tmp_path / "library")
    assert code == 2 and json.loads(out)["error"]["code"] == "usage"
    assert "Nothing deleted" in json.loads(out)["error"]["message"]
    code, out, _ = run("documents", "--json", library=tmp_path / "library")
    assert len(json.loads(out)["documents"]) == 1
    code, out, _ = run("delete", "a", "--yes", "--json", library=tmp_path / "library")
    assert (code, json.loads(out)) == (0, {"deleted": document.id, "backups": []})
    code, out, _ = run("documents", "--json", library=tmp_path / "library")
    assert json.loads(out) == {"documents": []} and (tmp_path / "a.txt").exists()


def test_verify_finds_a_damaged_memory_and_reread_mends_it(run, tmp_path, reader):
    import sqlite3

    (tmp_path / "a.txt").write_text("Something to remember.", encoding="utf-8")
    with Library(tmp_path / "library") as library:
        list(ingest_paths([tmp_path / "a.txt"], library, reader))
        sha256 = library.document("a").snapshot_sha256
        database = library.database
    code, out, _ = run("verify", "--json", library=tmp_path / "library")
    assert (code, json.loads(out)) == (0, {"problems": [], "other_model": []})
    assert json.loads(run("reread", "a", "--json", library=tmp_path / "library")[1]).keys() == {
        "document_id", "segments_read",
    }  # fmt: skip
    with sqlite3.connect(database) as connection:
        connection.execute("UPDATE snapshot SET data = zeroblob(100)")
    code, out, _ = run("verify", "--json", library=tmp_path / "library")
    assert code == 1 and len(json.loads(out)["problems"]) >= 1
    code, out, _ = run("ask", "What?", "--json", library=tmp_path / "library")
    assert code == 1 and json.loads(out)["error"]["code"] == "damaged_snapshot"
    code, out, _ = run("reread", library=tmp_path / "library")
    assert code == 0 and out == 'Read "a" again: 1 segments.\n'
    code, out, _ = run("verify", library=tmp_path / "library")
    assert (code, out) == (0, "The library is sound.\n")
    code, out, _ = run("show", "a", "--json", library=tmp_path / "library")
    assert json.loads(out)["snapshot_sha256"] == sha256
    code, out, _ = run("reread", library=tmp_path / "library")
    assert (code, out) == (0, "Nothing has to be read again.\n")


def test_a_model_folder_that_is_none_is_named(capsys, filled, tmp_path):
    code = main(["ask", "Who?", "--library", str(filled), "--model", str(tmp_path), "--json"])
    error = json.loads(capsys.readouterr().out)["error"]
    assert code == 1 and error["code"] == "model" and str(tmp_path) in error["message"]


def module(*arguments: str, **settings) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "app", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, check=False, **settings)


def test_the_real_command_prints_only_json_also_for_bytes_that_are_no_text(filled, model):
    options = ["--json", "--library", str(filled), "--model", str(model)]
    stdin = QUESTION.encode() + b"\nbroken \xff\xfe bytes\n" + "Größe?\n".encode()
    done = module("ask", "-", *options, input=stdin)
    values = [json.loads(line) for line in done.stdout.decode("utf-8").splitlines()]
    assert done.returncode == 1 and len(values) == 3, done.stderr
    assert values[0]["answer"] == PAGES[1]
    assert values[1]["error"]["code"] == "usage" and values[2]["question"] == "Größe?"


def test_the_real_command_has_its_exit_codes_and_help(filled):
    unknown = module("show", "mainland", "--json", "--library", str(filled))
    assert unknown.returncode == 1
    assert json.loads(unknown.stdout)["error"]["code"] == "unknown_document"
    shown = module("ask", "--help")
    assert shown.returncode == 0 and not shown.stderr
    for word in (b"QUESTION", b"--document", b"--as-of-page", b"--memory", b"-k", b"--json"):
        assert word in shown.stdout
    for word in (b"standard input", b"counted from 0", b"default: 5"):
        assert word in b" ".join(shown.stdout.split())
