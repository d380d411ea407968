"""The automata that find markup, from the expressions of `embedclf.text.markup`."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from embedclf.export.automata.automaton import Automaton, compile_automaton
from embedclf.export.automata.dialects import match_in_python, parse_pattern
from embedclf.export.automata.tempered import Referenced, TemperedAutomaton, compile_tempered
from embedclf.text.markup import SUBSTITUTIONS
from embedclf.text.words import ALL_CODE_POINTS, SPACE, SURROGATES

if TYPE_CHECKING:
    import re

    from embedclf.system.arrays import Int32s

OTHER = 128
"""Stands for a character that is not of ASCII."""


@dataclass(frozen=True)
class MarkupAutomata:
    """What finds markup."""

    entity: Automaton
    hidden: TemperedAutomaton
    formatting: Automaton
    separating: Automaton

    @classmethod
    @cache
    def compile(cls) -> MarkupAutomata:
        """Compile the expressions of the run's own code, once per process."""
        entity, _, hidden, formatting, separating = (pattern for pattern, _ in SUBSTITUTIONS)
        source = Referenced.read(hidden.pattern).write_out()
        return cls(
            _compile(entity),
            compile_tempered(parse_pattern(hidden, source), match_in_python),
            _compile(formatting),
            _compile(separating),
        )


@cache
def markup_alphabet() -> Int32s:
    """(code points,) a number of each; equal ones have the same role in all markup."""
    automata = MarkupAutomata.compile()
    ascii_ = np.minimum(np.arange(ALL_CODE_POINTS), OTHER)
    columns = [
        ascii_,
        automata.entity.classes,
        automata.hidden.opening.classes,
        automata.hidden.inside.classes,
        automata.formatting.classes,
        automata.separating.classes,
    ]
    numbers = np.zeros(ALL_CODE_POINTS, np.int64)
    for column in columns:
        numbers = numbers * (int(column.max()) + 1) + column
    numbers[SURROGATES] = numbers[SPACE]
    alphabet = np.unique(numbers, return_inverse=True)[1]
    return alphabet.reshape(-1).astype(np.int32)


def _compile(pattern: re.Pattern[str]) -> Automaton:
    return compile_automaton([parse_pattern(pattern)], match_in_python)
