"""Fields that are written before a text, and split off again."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st

from embedclf.system.arrow import text_column
from embedclf.system.fields import TextColumns, field_name, find_fields, split_fields

ANY = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)

CELLS = ANY | st.sampled_from(["", " ", "a=b", '"', "channel=web", "\u00a0x\u2028y", "z" * 10_000])


def written(column: str, cell: str) -> str:
    return f"{field_name(column)}={'_'.join(cell.split())}"


@given(
    st.lists(ANY.filter(bool), min_size=1, max_size=3, unique_by=field_name).flatmap(
        lambda names: st.tuples(
            st.just(names),
            st.lists(st.tuples(*[CELLS for _ in names], CELLS), min_size=1, max_size=4),
        )
    )
)
@example((["channel"], [("web", "channel=web Good"), ("", "")]))
@example((["a=b", "a"], [("=", "", "a=1 a=2"), ("a=1", "a_b=3", " = ")]))
def test_what_is_written_before_a_text_is_split_off_again(
    table: tuple[list[str], list[tuple[str, ...]]],
) -> None:
    names, rows = table
    *fields, texts = map(list, zip(*rows, strict=True))
    columns = TextColumns(["text"], names)
    joined = columns.join([*map(text_column, fields), text_column(texts)])
    words, rest = split_fields(joined, names)
    assert rest.to_pylist() == texts
    for name, cells, column in zip(names, fields, words, strict=True):
        assert column.to_pylist() == [written(name, cell) for cell in cells]
    # The same beside a text without fields, which has to be looked at more closely.
    more_words, more = split_fields(text_column([*joined.to_pylist(), "x"]), names)
    assert more.to_pylist() == [*texts, "x"]
    assert [column.to_pylist() for column in more_words] == [
        [*column.to_pylist(), ""] for column in words
    ]
    for text, row in zip(joined.to_pylist(), rows, strict=True):
        spans, start = find_fields(text, names)
        expected = [*map(written, names, row[:-1])]
        assert [text[first:last] for first, last in spans] == expected
        assert text[start:] == row[-1]


def test_texts_without_fields_stay_as_they_are() -> None:
    texts = text_column(["a", "channel=web b"])
    assert TextColumns(["text"]).join([texts]) is texts
    words, rest = split_fields(text_column(["a b", "xchannel=web", "", "channel"]), ["channel"])
    assert (words[0].to_pylist(), rest.to_pylist()) == (
        ["", "", "", ""],
        ["a b", "xchannel=web", "", "channel"],
    )


def test_each_field_can_be_missing_but_they_keep_their_order() -> None:
    texts = text_column(["b=1 x", "a=1 x", "b=1 a=2 x", "a=1\tb=2\nx", "b=2"])
    (a, b), rest = split_fields(texts, ["a", "b"])
    assert a.to_pylist() == ["", "a=1", "", "a=1", ""]
    assert b.to_pylist() == ["b=1", "", "b=1", "b=2", "b=2"]
    assert rest.to_pylist() == ["x", "x", "a=2 x", "x", ""]


def test_a_field_can_be_the_same_in_all_rows() -> None:
    columns = TextColumns(["text"], ["minutes", "channel"], {"channel": "web site", "other": "x"})
    assert columns.names == ["minutes", "text"]
    joined = columns.join([text_column(["7.5", ""]), text_column(["Good", ""])])
    assert joined.to_pylist() == ["minutes=7.5 channel=web_site Good", "minutes= channel=web_site "]
