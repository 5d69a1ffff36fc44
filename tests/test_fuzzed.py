"""Files harmed at random are read or refused with a reason; none ends the parser."""

import random
import re

from ingest.child import ParserPool
from tests.fuzzing import LIMITS, bases, harmed, outcome_of
from tests.pdf_makers import pdf_bytes, written


def test_bases_are_good_files_and_harm_is_the_same_for_the_same_seed(tmp_path):
    with ParserPool(1, LIMITS) as pool:
        for name, data in bases().items():
            assert outcome_of(pool, written(tmp_path, name, data)) == "added", name
    data = pdf_bytes("words")
    assert harmed(data, random.Random(5)) == harmed(data, random.Random(5))
    assert len({harmed(data, random.Random(seed)) for seed in range(20)}) > 15


def test_every_harmed_file_has_an_outcome_and_the_parser_lives_on(tmp_path):
    outcomes = []
    with ParserPool(1, LIMITS) as pool:
        for name, data in bases().items():
            for seed in range(8):
                path = written(tmp_path, name, harmed(data, random.Random(f"{seed} {name}")))
                outcomes.append(outcome_of(pool, path))
                # An error that nobody expected ends the child with an exit code.
                assert not re.search("exit code|no reason", outcomes[-1]), (name, seed)
    assert 20 < outcomes.count("added") < len(outcomes)
