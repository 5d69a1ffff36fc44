"""The model that ships: its size, its vectors, its fingerprint."""

import json
import shutil
from copy import deepcopy
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load, load_file, save_file

from armt_core.document_model import DocumentModel
from armt_core.errors import ModelError
from armt_core.fingerprint import fingerprint
from armt_core.opening import open_model
from armt_core.snapshot import snapshot_bytes
from ingest.settings import DEFAULT_MODEL, PARSER_VERSION
from training.rows import Words

#: The first 16 components of all-MiniLM-L6-v2's own vectors: transformers' BertModel in
#: float32, mean over all tokens, normalised.
REFERENCE = {
    "The lighthouse keeper winds the clock each evening.": [
        0.01974, 0.05768, 0.03938, 0.0674, 0.00676, -0.00621, 0.01517, -0.02622,
        0.03129, -0.03996, -0.0592, 0.02056, -0.05942, -0.0221, 0.02223, 0.0068,
    ],
    "Wie spät ist es?": [
        -0.02018, 0.01195, 0.07344, 0.02293, -0.04726, 0.07352, 0.17901, 0.09177,
        0.07187, 0.01055, -0.00497, 0.00378, -0.02891, 0.07108, 0.00132, -0.06693,
    ],
    "def add(a, b): return a + b": [
        -0.02379, -0.00601, -0.06713, 0.02349, -0.09138, 0.01853, 0.05672, -0.04948,
        0.0147, -0.00381, 0.07743, -0.04439, 0.0128, -0.01948, 0.08767, 0.01837,
    ],
    "42": [
        0.02538, 0.07287, -0.02459, 0.11005, -0.07262, 0.04914, 0.05232, 0.02359,
        0.0071, -0.04215, -0.01016, -0.05566, 0.04555, -0.03761, -0.0531, 0.02347,
    ],
    "A long sentence about harbours, ferries and the weather, which goes on and on, until "
    "nobody remembers how it began or why it was ever written down at all.": [
        0.01408, 0.09055, 0.07864, 0.05563, 0.01404, -0.00363, -0.01175, -0.0302,
        -0.06996, -0.01396, 0.03099, 0.01772, -0.02252, -0.0411, -0.06415, 0.04847,
    ],
}  # fmt: skip
SETTINGS = {"parser": PARSER_VERSION}


@pytest.fixture(scope="module")
def exact() -> DocumentModel:
    return open_model(DEFAULT_MODEL, SETTINGS, dtype=torch.float32)


@pytest.fixture(scope="module")
def half() -> DocumentModel:
    return open_model(DEFAULT_MODEL, SETTINGS, dtype=torch.bfloat16)


@pytest.fixture
def copy(tmp_path) -> Path:
    return Path(shutil.copytree(DEFAULT_MODEL, tmp_path / "model"))


@pytest.mark.parametrize("text", REFERENCE, ids=range(len(REFERENCE)))
def test_vectors_are_those_of_the_original_model(exact, text):
    vector = exact.vector(text)
    assert np.abs(vector[:16] - np.array(REFERENCE[text])).max() < 2e-3  # a 16-bit file
    assert np.linalg.norm(vector) == pytest.approx(1.0, abs=1e-5) and vector.shape == (384,)


def test_bfloat16_gives_the_same_vectors_but_for_a_thousandth(exact, half):
    assert half.model.backbone.dtype == torch.bfloat16
    for text in REFERENCE:
        cosine = float(exact.vector(text) @ half.vector(text))
        assert 0.999 < cosine < 1.0 + 1e-4


def test_what_was_read_before_changes_no_vector(exact):
    memory = exact.model.empty_memory()
    for text in REFERENCE:
        noted, memory = exact.read(text, memory)
        (vector,) = noted.vectors
        assert np.abs(vector - exact.vector(text)).max() < 1e-5
    assert int(memory.segments_read[0]) == len(REFERENCE)
    assert memory.normalizer.any() and memory.associations.any()


#: Who goes where, told one after the other in a document of as many segments.
STORIES = (
    ("Mary went to the kitchen.", "John moved to the garden.", "Mary journeyed to the office."),
    (
        "Daniel travelled to the bathroom.",
        "Sandra went to the hallway.",
        "John went to the office.",
    ),
    (
        "Sandra moved to the bedroom.",
        "Sandra went back to the kitchen.",
        "Mary went to the garden.",
    ),
)
AROUND = (
    "The rain fell on the roofs of the town, and nobody went out before noon. An old man sat by "
    "the fire and read his letters twice, for they were long. "
)


def test_the_memory_knows_what_was_read_and_an_emptied_one_does_not(reader):
    """The memory that ships must change something: here who is where, told among other things."""
    right = {"final": 0, "empty": 0}
    asked = 0
    for story in STORIES:
        memory = reader.model.empty_memory()
        for fact in story:
            _, memory = reader.read(3 * AROUND + fact + " " + 2 * AROUND, memory)
        _, memory = reader.read(5 * AROUND, memory)
        where = {fact.split()[0]: fact.split()[-1].rstrip(".") for fact in story}
        for who, place in where.items():
            asked += 1
            for kind, state in (("final", memory), ("empty", reader.model.empty_memory())):
                right[kind] += reader.answer(f"Where is {who}?", state).text == place
    assert asked == 7 and right["final"] >= 6 and right["empty"] <= 3


def test_a_snapshot_has_the_same_size_however_much_was_read(exact):
    memory, sizes = exact.model.empty_memory(), []
    for _ in range(9):
        _, memory = exact.read("Forty boats left the quay before the storm came.", memory)
        data = snapshot_bytes(memory, exact.fingerprint)
        sizes.append(len(data))
        assert sum(tensor.numel() for tensor in load(data).values()) == 443_520
        assert {tensor.dtype for tensor in load(data).values()} == {torch.float32}
    assert len(set(sizes)) == 1 and sizes[0] < 1_800_000


def test_a_segment_holds_254_tokens_of_text(exact):
    assert exact.text_tokens == 254
    assert exact.token_ids("word " * 1000).shape == (1, 256)


def test_sentences_end_with_the_marks_that_a_training_from_the_beginning_takes(exact):
    words = Words.of(exact.tokenizer)
    assert exact.config.sentence_ends == words.ends() == words.encode([".?!"])[0]


def test_the_fingerprint_is_the_same_in_every_type(exact, half, reader):
    assert exact.fingerprint == half.fingerprint == reader.fingerprint
    assert len(exact.fingerprint) == 64


def test_the_fingerprint_changes_with_whatever_changes_a_memory(copy):
    original = fingerprint(DEFAULT_MODEL, SETTINGS)
    assert fingerprint(copy, SETTINGS) == original
    found = {original, fingerprint(copy, {"parser": PARSER_VERSION + 1})}
    assert len(found) == 2

    def changed(name: str, value: object) -> str:
        path = copy / "config.json"
        before = path.read_text(encoding="utf-8")
        path.write_text(json.dumps({**json.loads(before), name: value}), encoding="utf-8")
        after = fingerprint(copy, SETTINGS)
        path.write_text(before, encoding="utf-8")
        return after

    sizes = {"segment_tokens": 128, "num_memory_tokens": 8, "memory_dim": 16}
    in_order = json.loads((copy / "config.json").read_text(encoding="utf-8")).get("reads_in_order")
    for name, value in {**sizes, "sentence_ends": [], "reads_in_order": not in_order}.items():
        found.add(changed(name, value))
    assert len(found) == 7
    # What changes nothing that is read: a new calibration, another type of the file.
    assert changed("dtype", "float32") == original
    (copy / "answering.json").write_text("{}", encoding="utf-8")
    assert fingerprint(copy, SETTINGS) == original

    tokenizer = copy / "tokenizer.json"
    tokenizer.write_text(tokenizer.read_text(encoding="utf-8") + " ", encoding="utf-8")
    found.add(fingerprint(copy, SETTINGS))
    assert len(found) == 8
    for part, same in (
        ("word_embeddings", False), ("deltas.memory", False), ("associative.key", False),
        ("deltas.answer", True), ("deltas.reader", True), ("span.weight", True),
    ):  # fmt: skip
        weights = load_file(copy / "model.safetensors")
        name = next(name for name in weights if part in name)
        weights[name] = weights[name] + 1
        before = fingerprint(copy, SETTINGS)
        save_file(weights, copy / "model.safetensors", {"format": "pt"})
        assert (fingerprint(copy, SETTINGS) == before) is same, part


def test_weights_that_only_asking_uses_change_neither_memory_nor_passages(exact):
    other = deepcopy(exact.model)
    with torch.no_grad():
        for name, weight in other.named_parameters():
            if name.startswith(("deltas.answer.", "deltas.reader.", "span.")):
                weight.add_(1)
    ids, memory, same = exact.token_ids("John moved to the garden."), None, None
    for _ in range(2):
        read, memory = exact.model.run(ids, memory=memory, write=True)
        again, same = other.run(ids, memory=same, write=True)
        assert torch.equal(read, again) and torch.equal(memory.associations, same.associations)


def test_weights_that_are_not_all_there_are_refused(tmp_path):
    shutil.copy(DEFAULT_MODEL / "config.json", tmp_path)
    for bytes_left in (4, 100, 1_000_000):
        weights = (DEFAULT_MODEL / "model.safetensors").open("rb").read(bytes_left)
        (tmp_path / "model.safetensors").write_bytes(weights)
        with pytest.raises(ModelError, match="cannot be read"):
            fingerprint(tmp_path, SETTINGS)
