"""Matches of expressions in texts: automata that run from many places at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from embedclf.export.tensors.operations import CharacterRows

if TYPE_CHECKING:
    from embedclf.export.automata.automaton import Automaton
    from embedclf.export.tensors.operations import Operations, Tensor
    from embedclf.system.arrays import Int64s


class Matches(NamedTuple):
    """Parts of texts, from left to right."""

    starts: Tensor
    """(matches,) where each starts."""
    ends: Tensor
    """(matches,) the place behind each."""
    labels: Tensor
    """(matches,) the number of the expression."""

    def keep(self, ops: Operations, mask: Tensor) -> Matches:
        """Keep the matches where a mask (matches,) is true."""
        return Matches(*(ops.compress(each, mask) for each in self))


def find_matches(
    ops: Operations, characters: CharacterRows, automaton: Automaton, examples: Int64s
) -> Matches:
    """Find the match of each place that has one; matches can overlap.

    All places are followed at once. Where a state stays the same, a run of characters is one step.
    So a tag of HTML takes few steps, however long its attributes are.

    Args:
        ops: Of the library.
        characters: Of the texts.
        automaton: Of the expressions.
        examples: (rows,) a code point of each row.
    """
    classes = _classify(ops, characters, automaton, examples)
    starts = ops.places(ops.gather(ops.constant(automaton.first), classes))
    matches = _follow(ops, classes, starts, automaton)
    return matches.keep(ops, matches.labels > 0)


def match_at(
    ops: Operations,
    characters: CharacterRows,
    starts: Tensor,
    automaton: Automaton,
    examples: Int64s,
) -> Matches:
    """Find the match at each of some places (n,); its label is 0 where there is none."""
    classes = _classify(ops, characters, automaton, examples)
    return _follow(ops, classes, starts, automaton)


def _follow(ops: Operations, classes: Tensor, starts: Tensor, automaton: Automaton) -> Matches:
    """Follow the states of an automaton from some places (n,)."""
    table = _constant(ops, automaton.table.reshape(-1))
    labels_of = _constant(ops, automaton.labels)
    runs, run_of_state = _find_runs(ops, classes, automaton)
    last = ops.size(classes) - 1

    def is_alive(states: Tensor, *_: Tensor) -> Tensor:
        return ops.any(states >= automaton.finals)

    def step(states: Tensor, places: Tensor, ends: Tensor, labels: Tensor) -> list[Tensor]:
        read = ops.gather(classes, places)
        states = ops.gather(table, states * automaton.table.shape[1] + read)
        following = ops.smaller(places + 1, last)
        places = ops.gather(runs, ops.gather(run_of_state, states) + following)
        found = ops.gather(labels_of, states)
        ended = found > 0
        ends = ops.where(ended, places - 1, ends)
        return [states, places, ends, ops.where(ended, found, labels)]

    none = starts * 0
    before = ops.gather(classes, ops.larger(starts - 1, 0))
    states = ops.gather(_constant(ops, automaton.initial), before)
    _, _, ends, labels = ops.repeat(is_alive, step, states, starts, none, none)
    return Matches(starts, ends, labels)


def choose(ops: Operations, matches: Matches, size: Tensor) -> Matches:
    """Choose matches from left to right that do not overlap.

    The match after each is known; so those after two, four and so on follow.

    Args:
        ops: Of the library.
        matches: At most one for each place.
        size: Number of characters.
    """
    ones = matches.starts * 0 + 1
    up_to = ops.cumulate(ops.scatter(size, matches.starts, ones))
    count = ops.size(matches.starts)
    following = ops.gather(up_to, matches.ends - 1)
    following = ops.concatenate([following, ops.range(count + 1)[-1:]])
    chosen = ops.to_integers(ops.range(count + 1) == 0)

    def continues(following: Tensor, chosen: Tensor) -> Tensor:
        del chosen
        return ops.any(following[:1] < count)

    def step(following: Tensor, chosen: Tensor) -> list[Tensor]:
        reached = ops.compress(following, chosen > 0)
        marked = ops.scatter(count + 1, reached, reached * 0 + 1)
        return [ops.gather(following, following), ops.larger(chosen, ops.smaller(marked, 1))]

    _, chosen = ops.repeat(continues, step, following, chosen)
    return matches.keep(ops, (chosen > 0)[:-1])


def replace(
    ops: Operations, characters: CharacterRows, matches: Matches, *rows: Tensor
) -> tuple[CharacterRows, Tensor]:
    """Replace matches by characters.

    Args:
        ops: Of the library.
        characters: Of the texts.
        matches: That do not overlap.
        rows: (matches,) of the first character of each, the second and so on; -1 for none.

    Returns:
        The characters, and (characters,) which of the former ones they take the place of.
    """
    size = ops.size(characters.rows)
    replaced, kept = characters.rows, ~are_inside(ops, matches, size)
    for distance, own in enumerate(rows):
        # From 1, so that 0 is no row
        written = ops.scatter(size, matches.starts + distance, own + 1)
        replaced = ops.where(written > 0, written - 1, replaced)
        kept = kept | (written > 0)
    texts = ops.compress(characters.texts, kept)
    return CharacterRows(ops.compress(replaced, kept), texts), kept


def are_inside(ops: Operations, matches: Matches, size: Tensor) -> Tensor:
    """Return whether each of `size` characters is in a match; no two overlap."""
    ones = matches.starts * 0 + 1
    starts, ends = (ops.scatter(size + 1, each, ones) for each in matches[:2])
    return ops.cumulate(starts - ends)[:-1] > 0


def _classify(
    ops: Operations, characters: CharacterRows, automaton: Automaton, examples: Int64s
) -> Tensor:
    """Return the class of each character, and two borders behind them, (characters + 2,)."""
    classes = _constant(ops, automaton.classes[examples])
    begins = characters.texts != ops.shift(characters.texts, 1, -1)
    found = ops.where(begins, automaton.border, ops.gather(classes, characters.rows))
    borders = ops.constant(np.full(2, automaton.border, np.int64))
    return ops.concatenate([found, borders])


def _find_runs(ops: Operations, classes: Tensor, automaton: Automaton) -> tuple[Tensor, Tensor]:
    """Return where runs end.

    Returns:
        For each set of classes, the next place (characters + 2,) that has one of the set, one set
        after the other; and for each state (states,) where its set begins in it.
    """
    sets, set_of_state = automaton.leaving
    size = ops.size(classes)
    nexts = [ops.range(size)]
    for leaving in sets[1:]:
        leaves = ops.gather(ops.constant(leaving), classes)
        counts = ops.to_integers(leaves)
        nexts.append(ops.gather(ops.places(leaves), ops.cumulate(counts) - counts))
    return ops.concatenate(nexts), _constant(ops, set_of_state) * size


def _constant(ops: Operations, column: np.ndarray) -> Tensor:
    """Return integers, which are small in a file."""
    return ops.to_integers(ops.constant(column.astype(np.int16)))
