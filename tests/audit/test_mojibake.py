import gzip
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from embedclf.audit.mojibake import examine_characters, find_misdecoded, find_misreading
from embedclf.system.arrow import text_column
from tests.conftest import Invoke
from tests.faults import config_text

TEXTS = {
    "cp1251": ("Посылка пришла быстро", "Отличный товар, советую", "Звук тихий и глухой"),
    "koi8-r": ("Посылка пришла быстро", "Отличный товар, советую", "Звук тихий и глухой"),
    "cp1250": (
        "Balík přišel včas, děkuji",
        "Displej je tmavý a příliš malý",
        "Skvělý nákup, doporučuji",
    ),
    "cp1253": ("Το δέμα ήρθε γρήγορα", "Πολύ καλή αγορά", "Η οθόνη είναι σκοτεινή"),
    "gb18030": ("包裹很快就到了", "盒子压坏了，很失望", "非常好的商品"),
    "cp949": ("소포는 빨리 왔지만", "상자가 찌그러졌어요", "아주 좋은 물건입니다"),
    "utf-8": ("Das Päckchen kam früh", "Schönes Gerät, größer", "Die Hülle war zerkratzt, öde"),
}

GENUINE = [
    "« Voilà », dit-elle… « c'était l'été, où ça\u00a0? »",
    "«\u00a0À la maison, un café\u00a0»",
    "IRMÃ… CORAÇÃO, NÃO! “AMANHÃ”",
    "Für 20 € ist die Größe „Ä“ schön – 5° wärmer",
    "Señor Ñandú, ¿qué tal? ¡Olé!",
    "Å nei, så rart på øya",
    "Çok güzel, şahane; ığdır",
    "Đồ ăn rất ngon, giá 50.000đ",
    "Příliš žluťoučký kůň, ďábelské ódy",
    "Τι ωραία μέρα", "Какой хороший день", "今天天气很好", "とても良い天気です", "오늘 날씨가 좋다",
    "naïve café, £5, 10 µm, ±3 %, ½ cup, 5′10″", "I ❤️ it 😀 ★★★☆☆",
]  # fmt: skip


def sample(texts: tuple[str, ...], copies: int = 2) -> str:
    return "\n".join(texts * copies) + "\n"


@pytest.mark.parametrize("encoding", TEXTS)
@pytest.mark.parametrize("named", [True, False])
def test_texts_that_were_decoded_as_cp1252_are_repaired(encoding: str, named: bool) -> None:
    wrong = [text.encode(encoding).decode("cp1252", "replace") for text in TEXTS[encoding]]
    misreading = find_misreading(sample(tuple(wrong)), "cp1252" if named else None)
    assert misreading is not None
    assert misreading.wrong == "cp1252"
    assert misreading.repair(wrong[0]) == TEXTS[encoding][0]


@pytest.mark.parametrize("wrong", ["cp1251", "mac-roman", "cp437", "latin-1"])
def test_utf8_that_was_decoded_otherwise_is_found(wrong: str) -> None:
    garbled = [text.encode().decode(wrong) for text in TEXTS["utf-8"]]
    misreading = find_misreading(sample(tuple(garbled)), None)
    assert misreading is not None
    assert misreading.right == "utf-8"
    assert misreading.repair(garbled[0]) == TEXTS["utf-8"][0]


@pytest.mark.parametrize("encoding", TEXTS)
def test_texts_that_were_decoded_right_are_left_alone(encoding: str) -> None:
    assert find_misreading(sample(TEXTS[encoding]), None) is None
    if encoding != "utf-8":
        assert find_misreading(sample(TEXTS[encoding]), encoding) is None


@pytest.mark.parametrize("text", GENUINE)
def test_genuine_texts_look_right(text: str) -> None:
    assert not find_misdecoded(text_column([text])).any()
    assert find_misreading(f"{text}\n" * 9, None) is None


@pytest.mark.parametrize("named", [None, "cp1252"])
@pytest.mark.parametrize("words", ["{}", "w{}", "{} {} {}"])
def test_one_word_beyond_ascii_in_many_texts_is_no_evidence(words: str, named: str | None) -> None:
    texts = [f"café {words.format(n, n % 7, n % 5)}" for n in range(40)]
    assert find_misreading("\n".join(texts), named) is None


def test_a_table_in_utf16_with_one_word_beyond_ascii_is_read_right(
    tmp_path: Path, invoke: Invoke
) -> None:
    rows = [f"café {n},{'ab'[n % 2]}\n" for n in range(60)]
    (tmp_path / "cafe.csv").write_text("text,label\n" + "".join(rows), encoding="utf-16")
    assert "mojibake" not in invoke("check", tmp_path / "cafe.csv").stdout


@pytest.mark.parametrize("text", [each for text in TEXTS["utf-8"] for each in text.split()])
def test_one_word_of_utf8_decoded_as_cp1252_is_found(text: str) -> None:
    garbled = text.encode().decode("cp1252", "ignore")
    assert find_misdecoded(text_column([f"plain words and {garbled}"])).all() == (garbled != text)


@given(texts=st.lists(st.text(st.characters(codec="ascii")), max_size=5))
def test_ascii_is_never_mojibake(texts: list[str]) -> None:
    found = examine_characters(text_column(texts))
    assert not (found.beyond_ascii | found.misdecoded | found.replaced).any()
    assert find_misreading("\n".join(texts), None) is None


def check(
    directory: Path, rows: list[tuple[str, str]], invoke: Invoke, encoding: str
) -> list[dict[str, object]]:
    content = "".join(f'{label},"{text}"\n' for text, label in rows)
    (directory / "t.csv").write_bytes(f"label,text\n{content}".encode(encoding))
    (directory / "config.yaml").write_text(config_text(train="t.csv", encoding="cp1252"))
    done = invoke("check", directory / "config.yaml", "--json")
    found: list[dict[str, object]] = json.loads(done.stdout)["findings"]
    return [each for each in found if "mojibake" in str(each["kind"])]


def test_check_shows_a_word_as_it_is_and_as_it_was(tmp_path: Path, invoke: Invoke) -> None:
    rows = [
        (f"{text} {number}", "ab"[number % 2]) for number, text in enumerate(TEXTS["cp1251"] * 9)
    ]
    (finding,) = check(tmp_path, rows, invoke, "cp1251")
    assert "such as 'Ïîñûëêà' for 'Посылка'" in str(finding["what"])
    assert finding["settings"] == {"data.encoding": "cp1251"}
    assert finding["count"] == 27


def test_a_few_garbled_texts_among_many_are_a_note(tmp_path: Path, invoke: Invoke) -> None:
    rows = [(f"plain words {number}", "ab"[number % 2]) for number in range(200)]
    rows[7] = ("un cafÃ©", "a")
    (finding,) = check(tmp_path, rows, invoke, "cp1252")
    assert (finding["count"], finding["severity"]) == (1, "note")


@pytest.mark.parametrize(
    ("name", "fix"),
    [
        ("my reviews.tsv", "repair the file: pip install ftfy; ftfy -o fixed.tsv 'my reviews.tsv'"),
        ("r.csv.gz", "export the table again from its source, with the right encoding"),
    ],
)
def test_the_command_that_repairs_a_file_can_be_copied(
    tmp_path: Path, invoke: Invoke, monkeypatch: pytest.MonkeyPatch, name: str, fix: str
) -> None:
    rows = [f"{'ab'[number % 2]}\tun cafÃ© noir {number}\n" for number in range(60)]
    content = "".join(["label\ttext\n", *rows]).encode()
    (tmp_path / name).write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    (tmp_path / "config.yaml").write_text(config_text(train=name))
    monkeypatch.chdir(tmp_path)
    done = invoke("check", "config.yaml", "--json")
    found = {each["kind"]: each["fix"] for each in json.loads(done.stdout)["findings"]}
    assert found["text-mojibake"] == fix
