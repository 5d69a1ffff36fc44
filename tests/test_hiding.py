"""What stories are hidden among."""

from training import hiding


def test_a_long_document_is_one_of_much_text_and_each_stretch_is_read_once(monkeypatch):
    read = []

    def of_filler(model, words, texts, number, most, draw):
        read.append((number, most))
        return [draw.random() for _ in range(number)]

    monkeypatch.setattr(hiding, "filler", of_filler)
    bare = hiding.Filler(None, None, None, 64)
    first = bare.at(0)
    assert len(first) == hiding.POOL and bare.at(hiding.POOL - 1) is first
    others = bare.at(hiding.POOL)
    assert not set(others) & set(first) and bare.at(2 * hiding.POOL - 1) is others
    assert read == [(hiding.POOL, 64)] * 2
    # The next document begins with what the one before it began with.
    assert bare.at(0) == first
