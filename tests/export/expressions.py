"""Regular expressions, and texts that they match."""

from __future__ import annotations

EXPRESSIONS = [
    "[a-z]+",
    r"\w+",
    r"\b\w\w+\b",
    r"(?i)k+|[\x{e9}s]",
    r"\pL+(?:['-]\pL+)*|\p{Nd}+",
    r"\p{Greek}|\P{L}",
    r"[[:upper:]][[:^space:]]*",
    r"[]a^-]+|[^]a]",
    ".",
    "(?s).",
    r"(?m)^.|.$",
    r"\A.|.\z",
    r"a{2,3}?|b{2}|c{1,}",
    r"a{x}|\Q.+\E|\x41\x{1f600}|\t",
    r"(?P<name>a)|(?<other>b)|(c)|(?:d)",
    r"a(?i:b)c|a(?i)b|c",
    r"(?i)a(?-i)b",
    r"#\w+|@\w+|https?://\S+|\$\d+(?:\.\d+)?",
    "a|ab|abc",
    "(?:a|ab)(?:c|bcd)",
    r"[^\s\pP]+",
]
"""Of RE2, with all that it has."""

TEXTS = [
    "abc ABC \u212aKk \u00e9\u00c9 s\u017fS 12\u0663 it's well-known",
    "aaaaa bb cc a{x} .+ A\U0001f600\t]^-",
    "line\nnext\r\u2028\u2029\x85 end\n",
    "\u0391\u03b2\u03b3 #tag @me https://a.b/c?d $12.50 abcd abbcd",
    "",
    "\U0001f600\u0301 _x",
]
