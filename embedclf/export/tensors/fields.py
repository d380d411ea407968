"""Fields: words such as `channel=web` at the beginning of texts, which are tokens of their own."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from embedclf.export.tensors.matches import match_at
from embedclf.export.tensors.ngram_ids import TextIds, first_places
from embedclf.export.tensors.numbers import find_bins, number_automaton
from embedclf.export.tensors.operations import CharacterRows
from embedclf.system.fields import field_name
from embedclf.text.vocabulary import PADDING, RESERVED, UNKNOWN

if TYPE_CHECKING:
    from embedclf.export.tensors.characters.character_table import CharacterTable
    from embedclf.export.tensors.operations import Operations, Tensor
    from embedclf.export.tensors.token_hashes import TokenHashes
    from embedclf.text.tokenizer import Tokenizer


@dataclass(frozen=True)
class FieldGraph:
    """Finds the fields of texts."""

    tokenizer: Tokenizer
    table: CharacterTable
    hashes: TokenHashes
    """Of cells."""

    def split(
        self, ops: Operations, characters: CharacterRows
    ) -> tuple[list[Tensor], CharacterRows]:
        """Split fields off, in their order; each can be missing.

        Args:
            ops: Of the library.
            characters: Of the texts, not normalized, each text after a space.

        Returns:
            The ids (n,) of each field, 0 where it is missing; and the characters without them.
        """
        # A space at the end stands behind the last text
        rows = ops.concatenate([characters.rows, ops.range(1)])
        places = ops.range(ops.size(rows))
        spaces = ops.gather(ops.constant(self.table.spaces), rows)
        spaces_up_to = ops.cumulate(ops.to_integers(spaces))
        listed = ops.places(spaces)
        begins = characters.texts != ops.shift(characters.texts, 1, -1)
        separators = ops.places(begins)
        ends = ops.concatenate([separators[1:], places[-1:]])
        starts = separators + 1
        found = []
        for column in self.tokenizer.rules.fields:
            # The spaces before a place are those up to the place before it
            next_space = ops.gather(listed, ops.gather(spaces_up_to, starts - 1))
            name = f"{field_name(column)}="
            has_field = self._match(ops, rows, starts, name)
            cells = ops.smaller(starts + len(name), next_space)
            ids = self._look_up(ops, rows, cells, next_space, name)
            if name in self._edges:
                ids = self._look_up_bins(ops, characters, cells, name, ids)
            found.append(ops.where(has_field, ids, PADDING))
            starts = ops.where(has_field, ops.smaller(next_space + 1, ends), starts)
        removed = places[:-1] < ops.gather(starts, characters.texts)
        kept = begins | ~removed
        return found, CharacterRows(*(ops.compress(each, kept) for each in characters))

    def _match(self, ops: Operations, rows: Tensor, starts: Tensor, name: str) -> Tensor:
        """Return whether the name of a field is at some places (n,)."""
        last = ops.size(rows) - 1
        matches = None
        for place, character in enumerate(name):
            row = int(self.table.rows[ord(character)])
            same = ops.gather(rows, ops.smaller(starts + place, last)) == row
            matches = same if matches is None else matches & same
        return matches

    def _look_up(
        self, ops: Operations, rows: Tensor, starts: Tensor, ends: Tensor, name: str
    ) -> Tensor:
        """Return the id of the cell of each text (n,), between two places."""
        last = ops.size(rows) - 1
        # Characters up to the next cell are measured from the start of this one
        cell_of = self._cell_numbers(ops, starts, rows)
        widths = ops.gather(ops.constant(self.table.cells.widths), rows)
        before = ops.cumulate(widths) - widths
        of_cells = ops.concatenate([ops.range(1), ops.gather(before, starts)])
        places = ops.larger(before - ops.gather(of_cells, cell_of), 0)
        places = ops.smaller(places, self.hashes.longest + 1)
        values = ops.gather(ops.constant(self.table.cells.values), rows)
        terms = values * ops.gather(ops.constant(self.hashes.powers), places)
        totals = ops.cumulate(terms) - terms  # before each place
        hashes = ops.gather(totals, ops.smaller(ends, last)) - ops.gather(totals, starts)
        known = self._known_cells(name)
        # What is no number counts as an empty cell
        default = known[""] if name in self._edges else UNKNOWN
        keys = self.hashes.hash_tokens(list(known))
        return ops.look_up(hashes, keys, np.array(list(known.values())), default)

    def _look_up_bins(
        self, ops: Operations, characters: CharacterRows, starts: Tensor, name: str, ids: Tensor
    ) -> Tensor:
        """Return the ids (n,) of cells that start at some places: of their bin if they are numbers.

        Args:
            ops: Of the library.
            characters: Of the texts.
            starts: (n,)
            name: Of the field.
            ids: (n,) for cells that are no numbers.
        """
        examples, edges = self.table.examples, self._edges[name]
        matches = match_at(ops, characters, starts, number_automaton(), examples)
        ends = ops.larger(matches.ends, starts)
        bins, found = find_bins(ops, characters.rows, starts, ends, edges, examples)
        known = self._known_cells(name)
        of_bins = ops.constant(np.array(list(known.values())[1:]))
        binned = ops.gather(of_bins, ops.smaller(ops.larger(bins, 0), len(edges)))
        return ops.where(found & (matches.labels > 0), binned, ids)

    @cached_property
    def _edges(self) -> dict[str, tuple[float, ...]]:
        return {f"{field.name}=": field.edges for field in self.tokenizer.numeric_fields}

    def _known_cells(self, name: str) -> dict[str, int]:
        """Return the id of each cell of the vocabulary; of a field of numbers, of each bin."""
        known = {
            token.removeprefix(name): number
            for number, token in enumerate(self.tokenizer.tokens, len(RESERVED))
            if token.startswith(name)
        }
        if name not in self._edges:
            return known
        cells = ["", *(f"q{number}" for number in range(1, len(self._edges[name]) + 2))]
        return {cell: known.get(cell, UNKNOWN) for cell in cells}

    def _cell_numbers(self, ops: Operations, starts: Tensor, rows: Tensor) -> Tensor:
        """Return the number of the last cell that starts up to each place, from 1."""
        return ops.cumulate(ops.scatter(ops.size(rows), starts, starts * 0 + 1))


def prepend_fields(
    ops: Operations, fields: list[Tensor], tokens: TextIds
) -> tuple[TextIds, Tensor]:
    """Put the ids of fields (n,) before those of texts.

    Returns:
        The ids, and (ids,) whether each is that of a field.
    """
    counts = None
    for ids in fields:
        has_field = ops.to_integers(ids != PADDING)
        counts = has_field if counts is None else counts + has_field
    ends = ops.cumulate(counts)  # fields of all texts up to each
    total = ops.size(tokens.ids) + ops.sum(counts, 0)
    first = first_places(ops, tokens)[:-1] + ends - counts
    numbers = ops.range(tokens.size)
    places = [ops.range(ops.size(tokens.ids)) + ops.gather(ends, tokens.texts)]
    values, texts = [tokens.ids], [tokens.texts]
    for ids in fields:
        has_field = ids != PADDING
        places.append(ops.compress(first, has_field))
        values.append(ops.compress(ids, has_field))
        texts.append(ops.compress(numbers, has_field))
        first = first + ops.to_integers(has_field)
    every = ops.concatenate(places)
    joined = TextIds(
        ops.scatter(total, every, ops.concatenate(values)),
        ops.scatter(total, every, ops.concatenate(texts)),
        tokens.size,
    )
    of_fields = ops.concatenate(places[1:])
    return joined, ops.scatter(total, of_fields, of_fields * 0 + 1) == 1
