"""Training: what is drawn, what is learned, and going on after a stop."""

import copy
import json
import lzma
import math
import random
import tarfile
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from transformers import AutoTokenizer, BertConfig

from armt_core import ArmtConfig, ArmtModel
from armt_core.apart import through
from armt_core.associative import dpfp
from armt_core.errors import ModelError
from armt_core.spans import SpanHead, best_span
from ingest.settings import DEFAULT_MODEL
from tests.fakes import random_ids, tiny_model
from training import checkpoints
from training.data import files
from training.data.articles import articles_of, passages_of
from training.data.files import Question, Span
from training.data.splits import split_of
from training.decoys import decoy
from training.depth import read_to_learn
from training.fresh import _texts, begin
from training.hiding import hide, tell
from training.objectives import babilong
from training.objectives.asking import Asking, AskingSettings
from training.objectives.babilong import Babilong, Story
from training.objectives.lengths import Lengths
from training.objectives.meanings import Meanings, MeaningsSettings
from training.objectives.recall import Recall, RecallSettings, whole_words
from training.recipe import Recipe, RecipeError, Stage, load_recipe
from training.rows import Answers, Words, alike, pack
from training.run import begin_roles, objectives_over, open_start
from training.text import Texts
from training.trainer import train
from training.worlds import Asked, replay

PROSE = "The {} ship left the harbour of {} at dawn. Nobody saw it come back from the north. "


@pytest.fixture(scope="module")
def words() -> Words:
    return Words.of(AutoTokenizer.from_pretrained(DEFAULT_MODEL))


@pytest.fixture(scope="module")
def texts(words) -> Texts:
    names = ["first", "second", "third", "tall", "small", "grey", "old"]
    return Texts(
        ["".join(PROSE.format(names[i % 7], names[-i % 5]) for i in range(300)) for _ in range(3)],
        words,
    )


def small_model(words: Words, seed: int = 0) -> ArmtModel:
    torch.manual_seed(seed)
    backbone = BertConfig(
        vocab_size=words.tokenizer.vocab_size,
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=64,
        max_position_embeddings=512,
        bos_token_id=words.cls,
        eos_token_id=words.sep,
    )
    settings = {
        "num_memory_tokens": 4, "memory_dim": 8, "reads_spans": True, "memory_tokens": "apart",
    }  # fmt: skip
    model = ArmtModel(ArmtConfig(backbone=backbone, **settings))
    with torch.no_grad():
        model.associative.value.normal_(std=0.1)
    return model


def an_article() -> list[Question]:
    rows = []
    for i, (name, place) in enumerate(
        [("Orla", "Lindholm"), ("Matis", "Ostend"), ("Ilse", "Riga")]
    ):
        context = f"{name} was born in {place}. The town is small and lies by the sea."
        answer = Span(place, context.index(place))
        rows.append(Question("People", context, f"Where was {name} born?", (answer,)))
        rows.append(Question("People", context, f"Who taught {name} to swim in {i}?", ()))
    return rows


# What is drawn


def test_one_title_in_eight_is_kept_apart_the_same_ones_each_time():
    names = [f"title {i}" for i in range(4000)]
    dev = [name for name in names if split_of(name) == "dev"]
    assert 0.1 < len(dev) / len(names) < 0.15
    assert split_of("Scottish Parliament") == "dev" and split_of("Normans") == "train"


def test_pack_joins_whole_sentences_and_cuts_only_what_is_too_long():
    assert pack([[1, 2], [3], [4, 5, 6], [7] * 9], 4) == [
        [1, 2, 3],
        [4, 5, 6],
        [7] * 4,
        [7] * 4,
        [7],
    ]
    assert pack([[1] * 5, [2]], 4) == [[1] * 4, [1, 2]]


def test_answers_predict_each_token_from_the_one_before_and_the_stop_from_the_last(words):
    answers = Answers.of(words, [[7, 8], [9]], [[50, 51], [52]])
    c, s = words.cls, words.sep
    assert answers.ids.tolist() == [[c, 7, 8, s, c, 50, 51, s], [c, 9, s, c, 52, s, 0, 0]]
    assert answers.mask.sum(-1).tolist() == [8, 6]
    assert answers.prefix.tolist() == [4, 3]
    assert answers.row.tolist() == [0, 0, 0, 1, 1]
    assert answers.place.tolist() == [4, 5, 6, 3, 4]
    assert answers.target.tolist() == [50, 51, s, 52, s]
    # Every predicting position holds the token before its target.
    before = answers.ids[answers.row, answers.place + 1]
    assert before.tolist() == answers.target.tolist()


def test_filled_questions_of_a_story_share_a_row_with_a_mask_for_each_answer(words):
    c, s, m = words.cls, words.sep, words.mask
    answers = Answers.filled(words, [[], [5]], [[([7, 8], 50), ([9], 51)], [([9], 52)]])
    assert answers.ids.tolist() == [[c, 7, 8, m, 9, m, s], [c, 5, 9, m, s, 0, 0]]
    assert answers.prefix.tolist() == [7, 5]  # all of a row is seen
    assert (answers.ids[answers.row, answers.place] == m).all()
    assert answers.target.tolist() == [50, 51, 52] and answers.question.tolist() == [0, 1, 2]
    assert answers.questions == 3


def test_facts_beside_their_questions_are_answered_without_memory(words, texts):
    model, settings = small_model(words).eval(), Lengths(batch=3, questions=2, filled=1.0)
    told = {}
    for beside in (0.0, 1.0):
        objective = Babilong(replace(settings, beside=beside), words, texts, {})
        for value in (0.1, 0.2):
            torch.nn.init.normal_(model.associative.value, std=value)
            told[beside, value] = objective.learn(model, random.Random(1), empty=False)
    assert torch.equal(told[1.0, 0.1].loss, told[1.0, 0.2].loss)
    assert not torch.equal(told[0.0, 0.1].loss, told[0.0, 0.2].loss)
    assert set(told[1.0, 0.1].figures) == {"beside/all", "beside/qa1"}
    assert set(told[0.0, 0.1].figures) == {"right/all", "right/qa1"}
    with pytest.raises(RecipeError, match="one token"):
        objective.answers([[]], [[Asked(1, "Who?", "unbelievable harbourmasters")]], True)


def test_a_mixed_story_is_asked_all_that_it_answers(words, texts):
    settings = Lengths(tasks=(5,), batch=3, questions=8, facts=(12, 16), segment_tokens=(256,))
    model, asked = small_model(words).eval(), {}
    for share in (0.0, 1.0):
        objective = Babilong(replace(settings, mixed=share), words, texts, {})
        with torch.no_grad():
            stories, of = objective.drawn(model, 2, 256, random.Random(0))
        for story, questions in zip(stories, of, strict=True):
            true = {a.question: a.answer for a in replay(story.facts).questions()}
            assert all(true[a.question] == a.answer for a in questions)
        asked[share] = {a.task for questions in of for a in questions}
    assert asked == {0.0: {5}, 1.0: {1, 2, 5}}


def test_of_what_a_story_does_not_tell_nothing_is_to_be_said(words, texts):
    settings = Lengths(tasks=(1, 2), batch=3, questions=4, facts=(4, 9), absent=0.5)
    objective, model = Babilong(settings, words, texts, {}), small_model(words).eval()
    with torch.no_grad():
        objective.learn(model, random.Random(0), empty=True)  # stories are read at first use
    told = objective._told[64]
    counts = {True: 0, False: 0}
    for seed in range(40):
        story, asked = objective._draw(told, 2, random.Random(seed))
        true = {a.question: a.answer for a in replay(story.facts).questions()}
        for a in asked:
            assert true.get(a.question, "") == a.answer
            counts[a.answer == ""] += 1
    assert 0.2 < counts[True] / 160 < 0.6
    nothing = [[Asked(1, "Where is Mary?", "")]]
    for filled in (True, False):
        answers = objective.answers([[]], nothing, filled)
        assert answers.target.tolist() == [words.sep]
    weeps = ["Why did the king weep?"]
    objective = Babilong(replace(settings, absent=0.0, strange=0.5), words, texts, {}, weeps)
    _, asked = objective.drawn(model, 2, 64, random.Random(0))
    silent = [a.question for of in asked for a in of if not a.answer]
    assert 0 < len(silent) < 12
    told = {a.question for of in asked for a in of if a.answer}
    assert all(question.startswith("Where is ") for question in told)
    assert not any(question.startswith("Where is ") for question in silent)
    with pytest.raises(RecipeError, match="strange"):
        Babilong(replace(settings, strange=0.5), words, texts, {})


def test_a_question_in_other_words_keeps_its_answer_and_its_facts(words, texts):
    settings = Lengths(tasks=(1,), batch=4, questions=3, facts=(4, 9), reworded=0.5)
    objective, model = Babilong(settings, words, texts, {}), small_model(words).eval()
    stories, asked = objective.drawn(model, 2, 64, random.Random(0))
    put = {}
    for story, questions in zip(stories, asked, strict=True):
        known = {a.question: a for a in replay(story.facts).questions()}
        for a in questions:
            assert replace(a, wording="") == known[a.question]
            put[a.put] = a.question
    assert 0 < sum(wording != question for wording, question in put.items()) < len(put)
    tokens = objective.answers([[]] * 4, asked, filled=False).ids.tolist()
    rows = [words.encode([a.put])[0] for of in asked for a in of]
    assert [row[1 : 1 + len(own)] for row, own in zip(tokens, rows, strict=True)] == rows


def test_where_people_were_before_is_asked_of_a_share_of_stories(words, texts):
    def asked_of(before: float) -> list[Asked]:
        settings = Lengths((3,), 60, 4, segments=(8,), facts=(16, 24), before=before)
        objective = Babilong(settings, words, texts, {})
        _, asked = objective.drawn(small_model(words).eval(), 8, 128, random.Random(0))
        return [a for of in asked for a in of]

    def of_people(asked: list[Asked]) -> float:
        return sum(" the " not in a.question.split(" before ")[0] for a in asked) / len(asked)

    assert of_people(asked_of(0.0)) == 0 and of_people(asked_of(1.0)) == 1
    half = asked_of(0.5)
    assert 0.4 < of_people(half) < 0.9  # where nothing was brought anywhere people are asked about
    assert all(a.task == 3 and a.slots and a.present for a in half)
    assert not all(a.slots for a in asked_of(0.0))


def test_strange_questions_come_from_the_training_half_of_other_sets(words, texts, monkeypatch):
    asked = []

    def questions(data: Path, name: str, split: str) -> list[Question]:
        asked.append((name, split))
        told = "Where is the king?", f"Why did the king weep over {name}?"
        return [Question("Tale", "He wept.", question, ()) for question in told]

    monkeypatch.setattr(files, "questions", questions)
    monkeypatch.setattr(files, "books", lambda data, split: texts.texts)
    for share, sets in ((0.0, ()), (0.5, ("fairytaleqa", "qamr"))):
        settings = {"babilong": {"simulated": 1.0, "strange": share}}
        stage = Stage("s", 1, {"babilong": 1.0}, settings)
        made = objectives_over(Path(), words)(stage)["babilong"]
        assert isinstance(made, Babilong)
        assert list(made.strange) == [f"Why did the king weep over {name}?" for name in sets]
    assert sorted(asked) == [("fairytaleqa", "train"), ("qamr", "train")]


def test_a_share_of_filler_and_of_stories_has_decoys(words, texts, monkeypatch):
    drawn, told = [], []
    bare, tell_story = babilong.filler, babilong.tell

    def of_filler(model, words, texts, number, *rest):
        drawn.append((texts.change, number))
        return bare(model, words, texts, number, *rest)

    def of_stories(words, facts, texts, *rest):
        told.append(texts.change)
        return tell_story(words, facts, texts, *rest)

    monkeypatch.setattr(babilong, "filler", of_filler)
    monkeypatch.setattr(babilong, "tell", of_stories)
    model = small_model(words).eval()
    for share, parts, some in ((0.0, [(None, 64)], 0), (0.25, [(None, 48), (decoy, 16)], 50)):
        drawn.clear(), told.clear()
        settings = Lengths(batch=2, segments=(2,), stories=200, decoys=share)
        objective = Babilong(settings, words, texts, {})
        stories, _ = objective.drawn(model, 2, 64, random.Random(0))
        read = objective.segments(model, stories, 2, 64, random.Random(0))
        assert drawn == parts and [len(text.told) for text in read] == [2, 2]
        assert abs(told.count(decoy) - some) <= 20 * bool(some) and len(told) == 200


def test_stories_stand_closer_together_where_a_recipe_says_so(words, texts, monkeypatch):
    model, over = small_model(words).eval(), []
    tell_story = babilong.tell

    def counted(words, facts, texts, segments, *rest):
        over.append(segments)
        return tell_story(words, facts, texts, segments, *rest)

    monkeypatch.setattr(babilong, "tell", counted)
    # Three facts of 8 tokens are more than half of 32 and less than nine tenths.
    for full, segments in ((0.9, {1, 2, 3}), (0.5, {2, 3}), (0.3, {3})):
        over.clear()
        settings = Lengths(tasks=(1,), batch=2, stories=60, facts=(3, 3), full=full)
        Babilong(settings, words, texts, {}).drawn(model, 1, 32, random.Random(0))
        assert set(over) == segments and len(over) == 60


def test_only_the_kinds_of_questions_that_a_recipe_names_are_asked(words, texts):
    settings = Lengths(tasks=(5,), batch=2, questions=3, facts=(4, 6), kinds=("Who gave",))
    objective, model = Babilong(settings, words, texts, {}), small_model(words).eval()
    _, asked = objective.drawn(model, 1, 64, random.Random(0))
    assert all(a.question.startswith("Who gave") for questions in asked for a in questions)
    _, asked = Babilong(replace(settings, kinds=("",)), words, texts, {}).drawn(
        model, 1, 64, random.Random(0)
    )
    assert not all(a.question.startswith("Who gave") for questions in asked for a in questions)


def test_a_recipe_whose_stories_answer_nothing_is_told_so(words, texts):
    model = small_model(words).eval()
    for wrong in ({"tasks": (2,), "facts": (1, 1)}, {"tasks": (1,), "kinds": ("Why",)}):
        objective = Babilong(Lengths(**wrong), words, texts, {})
        with pytest.raises(RecipeError, match="answer no question that begins with"):
            objective.drawn(model, 1, 64, random.Random(0))
    only_questions = Meanings(MeaningsSettings(tasks=(2,), facts=(1, 1)), words, texts, {})
    with pytest.raises(RecipeError, match="Let the recipe have longer stories"):
        only_questions.learn(model, random.Random(0), empty=False)


def test_a_role_can_begin_as_another_or_near_it_where_its_rank_is_lower(words):
    model = tiny_model(memory_tokens="apart", deltas={"answer": 3, "reader": 3, "memory": 2})
    with torch.no_grad():
        for weight in model.deltas["reader"].parameters():
            weight.normal_()
    begin_roles(model, {"answer": "reader", "memory": "reader"})

    def product(role: str) -> torch.Tensor:
        part = model.deltas[role][1].widen
        return (part.outward @ part.inward).detach()

    wanted = product("reader")
    torch.testing.assert_close(product("answer"), wanted, rtol=1e-4, atol=1e-4)
    # The nearest of rank 2 leaves out the smallest singular value, and nothing else.
    least = torch.linalg.svdvals(wanted)[2]
    torch.testing.assert_close((product("memory") - wanted).norm(), least, rtol=1e-3, atol=1e-4)
    for impossible in ({"reader": "memory"}, {"answer": "other"}, {"other": "answer"}):
        with pytest.raises(RecipeError, match="cannot begin as"):
            begin_roles(model, impossible)


def test_ranks_and_the_write_change_at_the_start_and_nothing_else(words, tmp_path):
    model = tiny_model(memory_tokens="apart", deltas={"answer": 3, "reader": 1}, reads_spans=True)
    with torch.no_grad():
        for weight in model.deltas.parameters():
            weight.normal_()
    model.save_pretrained(tmp_path)
    words.tokenizer.save_pretrained(tmp_path)
    with pytest.raises(ModelError, match="read in order"):
        open_start(tmp_path, reads_in_order=True)  # its write is not the exact one
    ranks = {"answer": 2, "memory": 4, "reader": 5}
    lower, _ = open_start(tmp_path, ranks, "armt-exact", reads_in_order=True)
    assert lower.config.system == lower.associative.system == "armt-exact"
    assert lower.config.reads_in_order and not model.config.reads_in_order
    assert lower.config.deltas == {"answer": 2, "memory": 4, "reader": 5}
    grown, x = lower.deltas["reader"][1].widen, torch.randn(7, model.config.hidden_size)
    torch.testing.assert_close(grown(x), model.deltas["reader"][1].widen(x))
    grown(x).sum().backward()
    assert all(bool(row.any()) for row in grown.outward.grad.T)  # the new rows learn
    ours, theirs = (m.deltas["answer"][0].query for m in (lower, model))
    gap = (ours.outward @ ours.inward - theirs.outward @ theirs.inward).norm()
    least = torch.linalg.svdvals(theirs.outward @ theirs.inward)[2]
    torch.testing.assert_close(gap, least, rtol=1e-3, atol=1e-4)
    for name, weight in lower.named_parameters():
        if not name.startswith("deltas."):
            assert torch.equal(weight, model.get_parameter(name)), name


def test_facts_are_hidden_in_order_and_filler_fills_the_segments(words, texts):
    facts = ["Mary went to the kitchen.", "John took the milk there.", "Mary moved to the garden."]
    segments = hide(words, facts, texts, 6, 62, random.Random(3))
    assert len(segments) == 6 and all(40 < len(s) <= 62 for s in segments)
    text = " ".join(words.tokenizer.decode(s) for s in segments)
    places = [text.index(fact.lower().rstrip(".")) for fact in facts]
    assert places == sorted(places) and "harbour" in text


def test_where_a_fact_stands_is_known(words, texts):
    facts = [f"Mary went to the {place}." for place in ("kitchen", "garden", "office")] * 4
    for seed in range(5):
        story = tell(words, facts, texts, 3, 62, random.Random(seed))
        assert [p.segment for p in story.places] == sorted(p.segment for p in story.places)
        for fact, place in zip(facts, story.places, strict=True):
            row = words.segment(story.segments[place.segment])
            assert words.tokenizer.decode(row[place.first : place.last + 1]) == fact.lower()
        assert all(len(row) <= 62 for row in story.segments.values())
    with pytest.raises(ValueError, match="do not fit into 1 x 62"):
        tell(words, facts, texts, 1, 62, random.Random(0))


def test_whole_words_are_masked_with_all_their_pieces(words):
    tokens = words.segment(words.encode(["unbelievable harbourmasters sail"])[0])
    pieces = words.tokenizer.convert_ids_to_tokens(tokens)
    for seed in range(10):
        gaps = whole_words(words, tokens, 0.34, random.Random(seed))
        for i in gaps:
            assert tokens[i] not in (words.cls, words.sep)
            if i + 1 < len(pieces) and pieces[i + 1].startswith("##"):
                assert i + 1 in gaps
            if pieces[i].startswith("##"):
                assert i - 1 in gaps


def test_articles_keep_their_contexts_in_order_and_split_into_whole_sentences(words):
    (article,) = articles_of(an_article())
    assert len(article.contexts) == 3 and [len(q) for q in article.questions] == [2, 2, 2]
    context = "One two three. Four five six seven. Eight nine."
    (passages,) = passages_of([context], words.tokenizer, 9)
    assert [p.text for p in passages] == ["One two three. Four five six seven.", "Eight nine."]
    first, second = passages
    assert first.span(0, 3) == (0, 0) and first.span(context.index("Eight"), 45) is None
    start = context.index("nine")
    assert second.span(start, start + 4) == (1, 1)


def test_the_data_folder_gives_stories_books_and_questions(tmp_path):
    (tmp_path / "babi").mkdir()
    story = (
        "1 Mary went to the hall.\n2 Where is Mary? \tHall\t1\n1 John left.\n2 Who left?\tJohn\t1\n"
    )
    source = tmp_path / "qa1_train.txt"
    source.write_text(story)
    with tarfile.open(tmp_path / "babi" / "babi.tar.xz", "w:xz") as archive:
        archive.add(source, "en-valid-10k/qa1_train.txt")
    first, second = files.babi(tmp_path, 1, "train")
    assert (first.facts, first.question, first.answer) == (
        ("Mary went to the hall.",), "Where is Mary?", "hall",
    )  # fmt: skip
    assert second.facts == ("John left.",)
    with pytest.raises(files.DataMissing, match="qa2_train"):
        files.babi(tmp_path, 2, "train")
    (tmp_path / "docs").mkdir()
    with lzma.open(tmp_path / "docs" / "a.jsonl.xz", "wt") as file:
        for i in range(40):
            file.write(json.dumps({"title": f"t{i}", "text": f"text {i}"}) + "\n")
    both = files.documents(tmp_path, "train"), files.documents(tmp_path, "dev")
    assert sorted(both[0] + both[1]) == sorted(f"text {i}" for i in range(40)) and both[1]
    with pytest.raises(files.DataMissing, match="--data"):
        files.books(tmp_path, "train")


def test_books_of_collections_without_a_licence_are_left_out(tmp_path):
    (tmp_path / "books").mkdir()
    names = [f"book-{i}.txt" for i in range(20)]
    with tarfile.open(tmp_path / "books" / "train.tar.xz", "w:xz") as archive:
        for name in names:
            path = tmp_path / name
            path.write_text(f"This is {name}.")
            archive.add(path, f"books/{name}")

    def read() -> list[str]:
        return files.books(tmp_path, "train") + files.books(tmp_path, "dev")

    assert len(read()) == 20
    rows = ["file\ttitle\tsource", 'book-3.txt\tA "b\tcomputationalstylistics/100_english_novels']
    (tmp_path / "books" / "train-index.tsv").write_text("\n".join([*rows, "book-4.txt\tC\tx/y"]))
    assert len(read()) == 19 and "This is book-3.txt." not in read()


# Spans


def test_the_best_span_and_its_margin_by_hand():
    first = torch.tensor([1.0, -torch.inf, 3.0, 0.0, 2.0])
    last = torch.tensor([0.5, -torch.inf, 0.0, 4.0, 1.0])
    assert best_span(first, last) == (2, 3, 3.0 + 4.0 - 1.5)
    assert best_span(first, last, longest=1) == (3, 3, pytest.approx(4.0 - 1.5))
    only_none = torch.tensor([1.0, -torch.inf])
    assert best_span(only_none, only_none) == (0, 0, -torch.inf)


def test_the_head_scores_only_the_passage_and_the_place_of_no_answer():
    head = SpanHead(4)
    hidden = torch.randn(1, 5, 4)
    first, last = head(hidden, torch.tensor([[False, False, True, True, False]]))
    assert torch.isinf(first[0, [1, 4]]).all() and torch.isinf(last[0, [1, 4]]).all()
    plain = hidden @ head.weight.T + head.bias
    kept = [0, 2, 3]
    assert torch.allclose(first[0, kept], plain[0, kept, 0])
    assert torch.allclose(last[0, kept], plain[0, kept, 1])


def test_a_model_without_the_head_is_opened_with_a_fresh_one():
    model = ArmtModel.from_pretrained(DEFAULT_MODEL, dtype=torch.float32, reads_spans=True)
    assert model.span is not None
    if not ArmtConfig.from_pretrained(DEFAULT_MODEL).reads_spans:
        assert 0.01 < float(model.span.weight.detach().std()) < 0.03


# Depth


def test_gradients_reach_as_far_back_as_asked_and_recomputing_changes_nothing():
    model = tiny_model()
    ids = random_ids(2, 4, 9)
    mask = torch.ones_like(ids)
    along = torch.randn(2, 9, 32)

    def gradient(**how) -> torch.Tensor:
        model.zero_grad()
        _, memory = read_to_learn(model, ids, mask, **how)
        hidden, _ = model.run(ids[:, 0], mask[:, 0], memory)
        (hidden * along).sum().backward()
        return model.associative.key.grad.clone()

    whole = gradient()
    assert torch.equal(gradient(depth=4), whole)
    assert torch.allclose(gradient(recompute=True), whole, rtol=1e-3, atol=1e-6)
    short = gradient(depth=1)
    assert float((short - whole).abs().max()) > 1e-4
    # The cut is where it says: the same as a detached memory.
    with torch.no_grad():
        _, before = read_to_learn(model, ids[:, :3], mask[:, :3])
    model.zero_grad()
    _, memory = read_to_learn(model, ids[:, 3:], mask[:, 3:], memory=before)
    hidden, _ = model.run(ids[:, 0], mask[:, 0], memory)
    (hidden * along).sum().backward()
    assert torch.allclose(short, model.associative.key.grad, rtol=1e-3, atol=1e-6)


# Where a fresh memory starts


def test_a_memory_begins_with_tokens_that_are_alike_and_keys_that_share_a_feature(words, texts):
    config = ArmtConfig.from_pretrained(DEFAULT_MODEL, sentence_ends=[])
    model = ArmtModel.from_pretrained(DEFAULT_MODEL, config=config, dtype=torch.float32)
    begin(model, words, texts, number=8)
    mask = model.get_input_embeddings().weight[words.mask]
    assert torch.equal(model.memory_tokens, mask.expand_as(model.memory_tokens))
    again = copy.deepcopy(model)
    assert model.config.sentence_ends == words.ends()
    begin(again, words, texts, number=8)
    assert torch.equal(model.associative.key, again.associative.key)
    ids, seen = _texts(model, words, texts, 4, random.Random(9))
    with torch.no_grad():
        _, made = through(model, ids, seen, model.empty_memory(4))
        keys = dpfp(torch.einsum("lbmd,lkd->lbmk", made, model.associative.key))
    # u_1 u_0 is the first roll's second feature: of every key of every layer it is about 0.7^2.
    shared = keys[..., 1]
    assert float(shared.min()) > 0.1 and 0.4 < float(shared.mean()) < 0.6
    cosines = torch.nn.functional.cosine_similarity(keys[:, :, :1], keys[:, :, 1:], dim=-1)
    assert float(cosines.min()) > 0.05


# Recipes and the loop


def test_recipes_refuse_what_they_do_not_know(tmp_path):
    path = tmp_path / "r.toml"
    path.write_text("speed = 3\n[[stage]]\nsteps = 1\nrecall = {}\n")
    with pytest.raises(RecipeError, match="speed"):
        load_recipe(path)
    path.write_text("seed = 3\n")
    with pytest.raises(RecipeError, match="stage"):
        load_recipe(path)
    path.write_text("[[stage]]\nrecall = {}\n")
    with pytest.raises(RecipeError, match="number of steps"):
        load_recipe(path)
    path.write_text('system = "rmt"\n[[stage]]\nsteps = 1\nrecall = {}\n')
    with pytest.raises(RecipeError, match=r"system 'rmt' is none of .*'armt-exact'"):
        load_recipe(path)
    path.write_text("decay = 4\nwarmup = 2\n[[stage]]\nsteps = 8\nrecall = { share = 2.0 }\n")
    recipe = load_recipe(path)
    assert recipe.stages[0].shares == {"recall": 2.0}
    rates = [recipe.rate_at(step) for step in range(8)]
    assert rates == [0.5, 1, 1, 1, 1, 0.75, 0.5, 0.25]


@pytest.mark.parametrize("path", sorted(Path("training/recipes").glob("*.toml")), ids=str)
def test_the_recipes_that_ship_can_be_read(path: Path):
    recipe = load_recipe(path)
    kinds = {
        "babilong": Lengths, "meanings": MeaningsSettings, "recall": RecallSettings,
        "asking": AskingSettings,
    }  # fmt: skip
    for stage in recipe.stages:
        for name, given in stage.settings.items():
            settings = dict(given)
            kinds[settings.pop("objective", name)](**settings)


def test_only_what_is_named_is_trained(words, texts, tmp_path):
    model, made = small_model(words), objective("babilong", words, texts)
    before = {name: weight.clone() for name, weight in model.named_parameters()}
    trained = ("associative.", "backbone.bert.encoder.layer.0.")
    some = replace(recipe("babilong", 2), trained=trained)
    train(model, some, lambda _: {"babilong": made}, tmp_path)
    for name, weight in model.named_parameters():
        assert torch.equal(weight, before[name]) != name.startswith(trained), name
    with pytest.raises(RecipeError, match="'asociative'"):
        train(model, replace(some, trained=("asociative",)), lambda _: {}, tmp_path / "other")


def test_rows_of_like_length_go_together_within_the_tokens_allowed():
    assert alike([3, 9, 4, 9, 1], 18) == [[1, 3], [2, 0, 4]]
    assert alike([50], 18) == [[0]]
    groups = alike(list(range(1, 40)), 100)
    assert sorted(i for group in groups for i in group) == list(range(39))
    assert all(len(g) * (max(g) + 1) <= 100 for g in groups)


def objective(name: str, words: Words, texts: Texts):
    if name == "babilong":
        return Babilong(Lengths(tasks=(1, 4), batch=4, segments=(1, 2)), words, texts, {})
    if name == "meanings":
        chosen = MeaningsSettings(tasks=(1, 4), batch=6, stories=8, simulated=1.0, keys=True)
        return Meanings(chosen, words, texts, {})
    if name == "recall":
        return Recall(RecallSettings(batch=4, segments=(1, 2), segment_tokens=(32,)), words, texts)
    settings = AskingSettings(documents=2, questions=3, passages=2)
    return Asking(settings, words, articles_of(an_article()))


def recipe(name: str, steps: int) -> Recipe:
    rates = {"learning_rate": 3e-3, "fresh_learning_rate": 3e-3, "warmup": 1}
    return Recipe(seed=5, stages=(Stage("one", steps, {name: 1.0}, {name: {}}),), **rates)


@pytest.mark.parametrize("name", ["babilong", "meanings", "recall", "asking"])
def test_a_short_training_lowers_the_loss(name, words, texts, tmp_path):
    torch.manual_seed(0)
    model = small_model(words)
    made = objective(name, words, texts)

    def loss() -> float:
        model.eval()
        with torch.no_grad():
            batches = [made.learn(model, random.Random(i), empty=False) for i in range(4)]
        return sum(float(batch.loss) for batch in batches) / 4

    before = loss()
    train(model, recipe(name, 40), lambda stage: {name: made}, tmp_path)
    assert loss() < 0.8 * before


def test_a_training_in_pieces_is_the_training_in_one(words, texts, tmp_path):
    made = {"babilong": objective("babilong", words, texts)}
    six, exact = recipe("babilong", 6), {"precision": "no"}
    whole = train(small_model(words), six, lambda _: made, tmp_path / "a", **exact)
    train(small_model(words), six, lambda _: made, tmp_path / "b", stop_after=3, **exact)
    # Other weights: they must come from the checkpoint.
    rest = train(small_model(words, 9), six, lambda _: made, tmp_path / "b")
    for (name, one), other in zip(whole.named_parameters(), rest.parameters(), strict=True):
        assert torch.equal(one, other), name
    with pytest.raises(checkpoints.CheckpointError, match="another training"):
        train(small_model(words), recipe("babilong", 7), lambda _: made, tmp_path / "b")


def test_a_checkpoint_of_before_a_setting_was_there_goes_on(words, texts, tmp_path):
    made = {"babilong": objective("babilong", words, texts)}
    train(small_model(words), recipe("babilong", 6), lambda _: made, tmp_path, stop_after=2)
    state = checkpoints.load(tmp_path)
    assert state["recipe"].pop("reads_in_order", 0) is None
    checkpoints.save(tmp_path, state)
    train(small_model(words), recipe("babilong", 6), lambda _: made, tmp_path)
    assert checkpoints.load(tmp_path)["step"] == 6
    del state["recipe"]["clip"]
    checkpoints.save(tmp_path, state)
    with pytest.raises(checkpoints.CheckpointError, match=r"another training \(clip\)"):
        train(small_model(words), recipe("babilong", 6), lambda _: made, tmp_path)


def test_a_checkpoint_counts_the_processor_time_of_all_its_pieces(words, texts, tmp_path):
    made = {"babilong": objective("babilong", words, texts)}

    def seconds(stop_after: int) -> float:
        train(small_model(words), recipe("babilong", 6), lambda _: made, tmp_path, 5.0, stop_after)
        return checkpoints.load(tmp_path)["processor_seconds"]

    before = time.process_time()
    first, both = seconds(2), seconds(2)
    assert 0 < first < both < time.process_time() - before
    state = checkpoints.load(tmp_path)
    del state["processor_seconds"]  # as of before it was counted
    checkpoints.save(tmp_path, state)
    assert math.isnan(seconds(2))


def test_a_damaged_checkpoint_is_named(tmp_path):
    (tmp_path / "checkpoint.pt").write_bytes(b"not a checkpoint")
    with pytest.raises(checkpoints.CheckpointError, match="cannot be read"):
        checkpoints.load(tmp_path)


def test_an_emptied_memory_says_nothing_of_the_story(words, texts):
    """The control is fair only if the story reaches the answer through memory alone."""
    model = small_model(words).eval()
    losses = []
    for tasks in ((1,), (1,)):
        made = Babilong(Lengths(tasks=tasks, batch=4), words, texts, {})
        with torch.no_grad():
            losses.append(float(made.learn(model, random.Random(1), empty=True).loss))
    full = Babilong(Lengths(batch=4), words, texts, {})
    with torch.no_grad():
        assert losses[0] == losses[1]
        assert float(full.learn(model, random.Random(1), empty=False).loss) != losses[0]


def test_other_stories_are_told_after_so_many_steps_and_a_restart_tells_the_same(words, texts):
    settings, model = Lengths(batch=4, stories=8, renewed=10), small_model(words).eval()

    def losses(*steps: int) -> list[float]:
        made = Babilong(settings, words, texts, {})
        found = []
        for step in steps:
            made.at(step)
            with torch.no_grad():  # the same draw, so that only the stories differ
                found.append(float(made.learn(model, random.Random(1), empty=False).loss))
        return found

    first, same, second, third = losses(0, 9, 10, 25)
    assert first == same and len({first, second, third}) == 3
    assert losses(19, 29) == [second, third]


def test_filler_is_other_text_in_each_round(words, texts):
    made, model = Babilong(Lengths(renewed=10), words, texts, {}), small_model(words).eval()
    of_rounds = []
    for step in (0, 9, 10):
        made.at(step)
        with torch.no_grad():
            segments = made.segments(model, [Story([], [], {})], 40, 64, random.Random(1))
        of_rounds.append(torch.cat([text.seen[0].keys for text in segments]))
    assert torch.equal(of_rounds[0], of_rounds[1])
    assert not torch.equal(of_rounds[0], of_rounds[2])


def test_a_vocabulary_without_a_mask_is_refused():
    class Bare:
        cls_token_id, sep_token_id, pad_token_id = 1, 2, 0

    with pytest.raises(ModelError, match="MASK"):
        Words.of(Bare())
