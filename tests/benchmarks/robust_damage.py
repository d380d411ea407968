"""Damage at random: bytes of files, values in the JSON of runs, and names that nobody expects."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

from tests.runs.hostile import change_json, nodes, seal

if TYPE_CHECKING:
    import random
    from pathlib import Path

_PIECES = (
    *(b"\0", b'"', b'""', b"'", b",", b";", b"\t", b"\r", b"\n", b"\\", b"|", b"%", b"&a ", b"*a"),
    *(b"\xff\xfe", b"\xef\xbb\xbf", b"\xc3\x28", b"\xed\xa0\x80", b"\x1b[2J", b"\xc2\x9b", b"\x80"),
    *("\u202e".encode(), "\u0130".encode(), "\U0001f469\u200d\U0001f469".encode(), b"NaN", b"-0"),
    *(b"1e999", b"0x" + b"f" * 5000, b"9" * 400, b"[" * 2000, b"{" * 2000),
    *(b'{"a":' * 900, b"- " * 900, b"<<: *a", b"!!python/object:os.system ", b"? ", b"--- "),
    *(b"null", b"true", b"a" * 70_000, b"\n" * 5000, b"," * 5000, b'"' * 5001, b"__label__x "),
    *(b"=cmd()", b"../", b"/dev/zero", b"<!ENTITY a 'a'>&a;", b"</c></row>"),
)

HOSTILE_NAMES = (
    *("text", "label", "a b", " x ", "", "-", "--help", "a,b", "a;b", "a|b", "a\tb", 'a"b', "a'b"),
    *("a\nb", "a\rb", "\\", "null", "~", "yes", "1", "01", "1.0", "NaN", "[x]", "{x}", "{0}", "%s"),
    *("# x", ": x", "x: y", "- x", "*x", "&x", "!x", "@x", "`x`", "<b>x</b>", "__label__x", "a.b"),
    *(
        "a.0",
        "prediction",
        "probability",
        "\u202ex",
        "\x1b[31mx",
        "\x9b",
        "\x7f",
        "\ufeffx",
        "\u2028",
    ),
    *(
        "\U0001f469\u200d\U0001f469",
        "\u0130",
        "\u00df",
        "e\u0301",
        "x" * 5000,
        "=1+1",
        "/etc",
        "..",
    ),
)
"""Names of columns and labels, and values of options."""


def damage(rng: random.Random, content: bytes) -> bytes:
    """Change, remove, repeat and insert bytes, a few times."""
    changed = bytearray(content)
    for _ in range(rng.choice((1, 1, 2, 3, 8))):
        place = rng.randrange(len(changed) + 1)
        length = min(rng.choice((1, 2, 8, 100, 2000)), len(changed) - place)
        choice = rng.randrange(5)
        if choice == 0 and length:
            changed[place] ^= 1 << rng.randrange(8)
        elif choice == 1:
            del changed[place : place + length]
        elif choice == 2:
            changed[place:place] = changed[place : place + length] * rng.choice((1, 3, 50))
        elif choice == 3:
            changed[place:place] = rng.choice(_PIECES)
        else:
            changed[place : place + length] = rng.randbytes(length)
    return bytes(changed)


def change_value(rng: random.Random, run: Path, name: str) -> None:
    """Replace a value in a JSON file of a run by another, and renew all checksums."""

    def change(values: dict[str, Any]) -> None:
        places = list(nodes(values))
        container, key = rng.choice(places)
        other, other_key = rng.choice(places)
        copied = copy.deepcopy(other[other_key])  # it can be around the value
        container[key] = rng.choice(
            (None, True, -1, 0, 1e308, 2**70, "", "x" * 1000, [], {}, [[]], copied)
        )

    if name == "run.json":
        seal(run, change)
    else:
        change_json(run, name, change)
