import bz2
import gzip
import lzma
import os
import zipfile
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from embedclf.errors import DataError
from embedclf.system.text_files import open_text

TABLE = b"text,label\n" + b"".join(b"row %d,a\n" % number for number in range(5000))


def read(path: Path) -> bytes:
    with open_text(str(path), path.name, None).open() as stream:
        return stream.read()


def zstd(content: bytes) -> bytes:
    return bytes(pa.compress(content, codec="zstd", asbytes=True))


def zip_bytes(path: Path, members: dict[str, bytes]) -> bytes:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path.read_bytes()


COMPRESSIONS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "bz2": bz2.compress,
    "xz": lzma.compress,
    "zstd": zstd,
}


@pytest.mark.parametrize("name", COMPRESSIONS)
@pytest.mark.parametrize("file", ["t.csv", "t.csv.gz", "table"])
def test_a_compressed_file_is_recognized_whatever_its_name(
    tmp_path: Path, name: str, file: str
) -> None:
    path = tmp_path / file
    path.write_bytes(COMPRESSIONS[name](TABLE))
    assert read(path) == TABLE


@pytest.mark.parametrize("name", COMPRESSIONS)
def test_several_compressed_pieces_in_a_row_are_one_file(tmp_path: Path, name: str) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(COMPRESSIONS[name](TABLE[:100]) + COMPRESSIONS[name](TABLE[100:]))
    assert read(path) == TABLE


def test_a_file_named_gz_that_is_not_compressed_is_read_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "t.csv.gz"
    path.write_bytes(TABLE)
    assert read(path) == TABLE


def test_the_only_file_in_a_zip_archive_is_read(tmp_path: Path) -> None:
    path = tmp_path / "t.csv.zip"
    zip_bytes(path, {"data/t.csv": TABLE, "__MACOSX/._t.csv": b"x", "data/.DS_Store": b"y"})
    assert read(path) == TABLE


@pytest.mark.parametrize(
    ("members", "fault"),
    [
        ({"a.csv": b"1", "b.csv": b"2"}, "the zip archive has 2 files (a.csv, b.csv); unpack it"),
        ({"__MACOSX/._a.csv": b"1"}, "the zip archive is empty"),
        ({}, "the zip archive is empty"),
    ],
)
def test_an_archive_without_exactly_one_file_is_refused(
    tmp_path: Path, members: dict[str, bytes], fault: str
) -> None:
    path = tmp_path / "t.zip"
    zip_bytes(path, members)
    with pytest.raises(DataError) as caught:
        read(path)
    assert fault in str(caught.value)


def test_an_encrypted_archive_is_named_as_such(tmp_path: Path) -> None:
    path = tmp_path / "t.zip"
    content = bytearray(zip_bytes(path, {"t.csv": TABLE}))
    for start in (content.index(b"PK\x03\x04") + 6, content.index(b"PK\x01\x02") + 8):
        content[start] |= 1  # the flag in the member's own header, and in the directory
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"t.zip: the zip archive is encrypted; unpack it first"):
        read(path)


@pytest.mark.parametrize("name", COMPRESSIONS)
def test_a_truncated_file_is_one_line(tmp_path: Path, name: str) -> None:
    path = tmp_path / "t.csv"
    packed = COMPRESSIONS[name](TABLE)
    path.write_bytes(packed[: len(packed) // 2])
    with pytest.raises(DataError, match=f"t.csv: damaged or incomplete {name} file; download"):
        read(path)


@pytest.mark.parametrize("kept", [20, 1000])
def test_a_truncated_zip_archive_is_one_line(tmp_path: Path, kept: int) -> None:
    path = tmp_path / "t.zip"
    content = zip_bytes(path, {"t.csv": os.urandom(3000)})
    path.write_bytes(content[:kept])
    with pytest.raises(DataError, match=r"t.zip: damaged or incomplete zip file; download"):
        read(path)


@given(content=st.binary(max_size=300), name=st.sampled_from(sorted(COMPRESSIONS)))
def test_compressing_changes_nothing_that_is_read(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, name: str
) -> None:
    path = tmp_path_factory.mktemp("packed") / "t.csv"
    text = b"text\n" + content.hex().encode()
    path.write_bytes(COMPRESSIONS[name](text))
    assert read(path) == text
