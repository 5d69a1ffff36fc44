"""Which sentences of a passage can be an answer."""

from app.sentences import quotable


def quotes(text: str) -> list[str]:
    return [text[slice(*sentence.span)] for sentence in quotable(text)]


def test_a_heading_is_read_with_the_sentence_below_it_and_is_no_answer():
    text = "Part II\nThe lock\nIt is 12 metres wide. It opened in 1931."
    assert quotes(text) == ["It is 12 metres wide.", "It opened in 1931."]
    judged = [sentence.judged for sentence in quotable(text)]
    assert judged == ["The lock\nIt is 12 metres wide.", "It opened in 1931."]


def test_rows_of_a_table_and_the_last_line_stay_answers():
    text = "Tarn Island 07:20 08:05\nOster Rock 09:10 09:40"
    assert quotes(text) == ["Tarn Island 07:20 08:05", "Oster Rock 09:10 09:40"]


def test_a_long_line_without_an_end_is_no_heading():
    line = "the keeper of the northern light and his two sons and their dog went"
    assert quotes(f"{line}\nThey came back.")[0] == line


def test_a_page_number_is_no_answer_unless_there_is_nothing_else():
    assert quotes("They came back in May.\n17") == ["They came back in May."]
    assert quotes("17") == ["17"]
    assert quotes("") == []


def test_a_quotation_mark_after_the_end_still_ends_a_sentence():
    assert quotes("He said\n“The tide is late.”") == ["“The tide is late.”"]
