"""What is printed: nothing from a document or a file's name acts on the terminal."""

import json
import logging

from ingest.terminal import harmless, log_to_terminal, say

HOSTILE = "a\x1b[31mRED\x1b]0;title\x07\r\n\x9b2J\u202egpj.exe\u2066\ud800"


def test_what_acts_on_a_terminal_is_shown_as_its_number(capsys):
    say(HOSTILE, "second line")
    out = capsys.readouterr().out
    assert out == (
        "a\\u001b[31mRED\\u001b]0;title\\u0007\\u000d\\u000a\\u009b2J\\u202egpj.exe\\u2066\\ud800\n"
        "second line\n"
    )
    assert harmless("Größe ∞ – 潮 “quoted”") == "Größe ∞ – 潮 “quoted”"


def test_json_stays_the_same_json():
    value = {"title": HOSTILE}
    assert json.loads(harmless(json.dumps(value, ensure_ascii=False))) == value


def test_messages_of_the_log_are_harmless_too(capsys, monkeypatch):
    root = logging.getLogger()
    monkeypatch.setattr(root, "handlers", [])
    log_to_terminal()
    logging.getLogger("app").warning("%s is damaged", HOSTILE)
    said = capsys.readouterr().err
    assert said.startswith("WARNING a\\u001b[31mRED") and said.count("\n") == 1
    assert not any(sign in said for sign in "\x1b\x07\r\u202e")
