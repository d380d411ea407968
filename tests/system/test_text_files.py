import codecs
import itertools
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from embedclf.errors import DataError
from embedclf.system.text_files import TextFile, open_text

# Sentences about orders; their first rows have no accents.
SENTENCES = {
    ("cp1251", "Russian"): "Посылка пришла быстро, но коробка помята.|Отличный товар, спасибо!",
    ("koi8-r", "Russian"): "Посылка пришла быстро, но коробка помята.|Отличный товар, спасибо!",
    ("cp1250", "Polish"): "Paczka przyszła szybko, lecz pudełko zgniecione.|Świetny zakup, dzięki!",
    ("cp1250", "Czech"): "Balík přišel rychle, ale krabice je zničená.|Skvělý nákup, děkuji!",
    ("cp1252", "German"): "Das Päckchen kam früh, aber völlig zerdrückt.|Schönes Gerät, großartig!",
    ("cp1252", "French"): "Le colis est arrivé très tôt, mais abîmé.|Génial, je suis enchantée !",
    (
        "cp1252",
        "English",
    ): "It’s “fine”, but didn’t last – broke in May…|Café-quality, naïve price: £5",
    ("mac-roman", "French"): "Le colis est arrivé très tôt, mais abîmé.|Génial, enchantée, déjà !",
    (
        "cp1254",
        "Turkish",
    ): "Kargo hızlı geldi ama kutu ezilmişti.|Çok güzel, teşekkürler, yarın alırım!",
    ("cp1253", "Greek"): "Το δέμα ήρθε γρήγορα, αλλά χαλασμένο.|Πολύ καλή αγορά, ευχαριστώ!",
    ("cp1255", "Hebrew"): "החבילה הגיעה מהר, אבל הקופסה נפגמה.|קנייה מצוינת, תודה רבה!",
    ("cp1256", "Arabic"): "وصل الطرد بسرعة لكن العلبة مكسورة.|شراء رائع وشكرا جزيلا",
    ("gb18030", "Chinese"): "包裹很快就到了，但是盒子压坏了。|非常好的商品，谢谢卖家！",
    ("big5", "Chinese"): "包裹很快就到了，但是盒子壓壞了。|非常好的商品，謝謝賣家！",
    (
        "cp932",
        "Japanese",
    ): "荷物は早く届きましたが、箱がつぶれていました。|とても良い買い物でした。",
    (
        "cp949",
        "Korean",
    ): "소포는 빨리 왔지만 상자가 찌그러졌어요.|아주 좋은 물건입니다, 감사합니다!",
}


def table(sentences: str, rows: int = 40) -> str:
    texts = ["fine", "works", *itertools.islice(itertools.cycle(sentences.split("|")), rows)]
    return "text;label\n" + "".join(f"{text};{'ab'[len(text) % 2]}\n" for text in texts)


def read(path: Path, encoding: str | None = None) -> str:
    with open_text(str(path), path.name, encoding).open() as stream:
        return stream.read().decode()


def decode_error(path: Path, encoding: str | None = None) -> str:
    return str(open_text(str(path), path.name, encoding).find_decode_error())


@pytest.mark.parametrize("encoding", [key for key in SENTENCES if key[0] != "cp1252"])
def test_the_hint_names_an_encoding_that_gives_the_text(
    tmp_path: Path, encoding: tuple[str, str]
) -> None:
    content = table(SENTENCES[encoding])
    path = tmp_path / "t.csv"
    path.write_bytes(content.encode(encoding[0]))
    message = decode_error(path)
    assert message.startswith("t.csv:4: byte 0x")
    hint = message.partition("--encoding ")[2].split(",")[0].split(" ")[0]
    assert path.read_bytes().decode(hint) == content


@pytest.mark.parametrize("language", ["German", "French", "English"])
def test_cp1252_is_read_if_nothing_else_makes_sense(tmp_path: Path, language: str) -> None:
    content = table(SENTENCES["cp1252", language])
    path = tmp_path / "t.csv"
    path.write_bytes(content.encode("cp1252"))
    file = open_text(str(path), "t.csv", None)
    assert file.described_encoding == "utf-8"
    with file.open() as stream:
        assert stream.read().decode() == content == read(path, "cp1252")
    assert file.described_encoding == "cp1252 (assumed)"
    # Small pieces, as `csv` reads them, are the same bytes.
    with file.open() as stream:
        pieces = iter(lambda: stream.decoded.read(7), b"")
        assert b"".join(pieces).decode() == content


def test_cp1252_is_found_behind_megabytes_of_ascii(tmp_path: Path) -> None:
    content = "text;label\n" + "plain words;a\n" * 200_000
    content += table(SENTENCES["cp1252", "German"])
    path = tmp_path / "t.csv"
    path.write_bytes(content.encode("cp1252"))
    assert read(path) == content


@pytest.mark.parametrize(
    "content",
    [
        "text;label\ncafé;a\n".encode("cp1252"),  # one character proves nothing
        table(SENTENCES["cp1252", "German"]).encode() + b"caf\xe9;a\n" * 12,  # UTF-8 elsewhere
        table("20 ¤ für das Gerät|Nur 5 ¤, schön").encode("cp1252"),  # the euro of ISO 8859-15
        table(SENTENCES["cp1252", "German"]).encode("cp1252") + b"\x81\n",  # not in cp1252
        b"\xef\xbb\xbf" + table(SENTENCES["cp1252", "German"]).encode("cp1252"),
    ],
)
def test_thin_or_mixed_evidence_is_no_reason_to_assume_an_encoding(
    tmp_path: Path, content: bytes
) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(content)
    file = open_text(str(path), "t.csv", None)
    with file.open() as stream:
        assert stream.read() == content
    assert file.assumed_encoding is None
    assert "is not utf-8" in str(file.find_decode_error())


def test_stray_bytes_in_utf8_are_named_as_such(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    content = table(SENTENCES["cp1252", "German"]).encode()
    # One row, or more rows of another file than there are above them.
    for stray in (b"caf\xe9;a\n", b"caf\xe9;a\n" * 500):
        path.write_bytes(content + stray)
        assert decode_error(path) == (
            "t.csv:44: byte 0xe9 is not utf-8, but other characters are; correct such lines, or "
            "save the file as UTF-8"
        )


def test_a_wrong_named_encoding_gets_a_hint_too(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(table(SENTENCES["cp1252", "German"]).encode())
    assert "--encoding utf-8, or" in decode_error(path, "ascii")
    path.write_bytes(table(SENTENCES["cp932", "Japanese"]).encode("cp932"))
    assert "--encoding cp932, or" in decode_error(path, "cp1252")


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"])
@pytest.mark.parametrize("text", ["text,label\nplain,a\n", "文本,标签\n很好,好\n"])
def test_wide_encodings_without_a_mark_are_named(tmp_path: Path, encoding: str, text: str) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes((text * 20).encode(encoding))
    with pytest.raises(DataError, match=f"looks like {encoding} .* --encoding {encoding}, or"):
        open_text(str(path), "t.csv", None)
    assert read(path, encoding) == text * 20


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32"])
def test_a_byte_order_mark_names_the_encoding(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "t.csv"
    content = table(SENTENCES["cp1250", "Polish"])
    path.write_bytes(content.encode(encoding))
    assert read(path).removeprefix("\ufeff") == content == read(path, encoding)


def test_utf16_without_its_mark_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(b"text,label\nplain,a\n")
    with pytest.raises(DataError, match=r"not utf-16: .*; name the encoding: --encoding utf-8, or"):
        read(path, "utf-16")


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("ansi", "did you mean cp1252?"),
        ("windows1252", "did you mean cp1252?"),
        ("UTF-8-BOM", "did you mean utf-8-sig?"),
        ("utf8 with bom", "did you mean utf-8-sig?"),
        ("hex", "try utf-8, cp1252 or latin-1"),
        ("a\0b", "try utf-8, cp1252 or latin-1"),
    ],
)
def test_an_unknown_encoding_gets_the_name_that_was_meant(
    tmp_path: Path, name: str, hint: str
) -> None:
    with pytest.raises(DataError) as caught:
        read(tmp_path / "t.csv", name)
    assert str(caught.value) == f"t.csv: unknown encoding {name!r}; {hint}"


def test_a_missing_file_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"t.csv: cannot be read: No such file"):
        read(tmp_path / "t.csv")


@given(text=st.text(), size=st.integers(1, 9))
def test_utf8_is_read_unchanged_in_pieces_of_any_size(
    tmp_path_factory: pytest.TempPathFactory, text: str, size: int
) -> None:
    path = tmp_path_factory.mktemp("text") / "t.txt"
    path.write_bytes(content := text.encode())
    with TextFile(str(path), "t.txt", is_detected=True).open() as stream:
        assert b"".join(iter(lambda: stream.read(size), b"")) == content


@given(
    texts=st.lists(st.text(st.characters(codec="cp1252", min_codepoint=32)), max_size=5),
    size=st.integers(1, 9),
)
def test_assumed_cp1252_is_read_like_named_cp1252(
    tmp_path_factory: pytest.TempPathFactory, texts: list[str], size: int
) -> None:
    path = tmp_path_factory.mktemp("text") / "t.csv"
    content = table(SENTENCES["cp1252", "German"]) + "\n".join(texts)
    path.write_bytes(content.encode("cp1252"))
    file = TextFile(str(path), "t.csv", is_detected=True)
    with file.open() as stream:
        decoded = b"".join(iter(lambda: stream.read(size), b""))
    expected = codecs.encode(content, "utf-8") if file.assumed_encoding else path.read_bytes()
    assert decoded == expected
