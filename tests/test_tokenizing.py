"""Two threads that encode with one tokenizer at once, each with settings of its own."""

import threading

from armt_core.tokenizing import OneAtATime


def test_what_one_thread_encodes_does_not_change_how_another_does(reader):
    assert isinstance(reader.tokenizer, OneAtATime)
    texts = ["a short one", "one that has more words, " * 40]
    expected = {
        most: reader.tokenizer(texts, truncation=True, max_length=most)["input_ids"]
        for most in (8, 40)
    }
    assert [len(ids) for ids in expected[8]] == [5, 8] and len(expected[40][1]) == 40
    other = []

    def encode(most):
        for _ in range(300):
            found = reader.tokenizer(texts, truncation=True, max_length=most)["input_ids"]
            if found != expected[most]:
                other.append((most, [len(ids) for ids in found]))

    threads = [threading.Thread(target=encode, args=(most,)) for most in (8, 40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert other == []
