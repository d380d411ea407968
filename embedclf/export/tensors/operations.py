"""The operations that the export of a classifier is made of.

An algorithm is written once, over these operations. With TensorFlow or ONNX it builds a graph; the
tests compute with NumPy. Integers are int64, and wrap at 2**63.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy as np

    from embedclf.export.tensors.characters.character_table import CharacterTable
    from embedclf.system.arrays import Int64s

Tensor: TypeAlias = Any
"""A tensor of the library; it has the operators + - * == != < <= > >= and, for masks, & | ~; for
integers that are not negative, // and %."""


class CharacterRows(NamedTuple):
    """The characters of all texts, one text after the other, each after a separating space."""

    rows: Tensor
    """(characters,) of a `CharacterTable`."""
    texts: Tensor
    """(characters,) number of the text of each."""


class Operations(Protocol):
    """What a library has to offer."""

    def constant(self, values: np.ndarray[Any, Any] | np.generic) -> Tensor:
        """Return numbers, masks or strings as a tensor."""

    def read_characters(self, texts: Tensor, table: CharacterTable) -> CharacterRows:
        """Look up the characters of texts (n,), which are strings."""

    def size(self, tensor: Tensor) -> Tensor:
        """Return the length of the first axis, a scalar."""

    def range(self, size: Tensor) -> Tensor:
        """Return 0 to `size` - 1, (size,)."""

    def to_integers(self, tensor: Tensor) -> Tensor:
        """Convert masks or numbers to integers."""

    def to_floats(self, tensor: Tensor) -> Tensor:
        """Convert integers to float32."""

    def gather(self, table: Tensor, places: Tensor) -> Tensor:
        """Return the rows of a table at some places."""

    def where(self, mask: Tensor, values: Tensor, others: Tensor) -> Tensor:
        """Return numbers where a mask is true, and other numbers where it is false."""

    def compress(self, tensor: Tensor, mask: Tensor) -> Tensor:
        """Return the rows where a mask (rows,) is true."""

    def places(self, mask: Tensor) -> Tensor:
        """Return the places where a mask (n,) is true."""

    def cumulate(self, numbers: Tensor) -> Tensor:
        """Return the sums of integers (n,) up to each, inclusively."""

    def shift(self, tensor: Tensor, places: int, fill: int) -> Tensor:
        """Move integers or a mask (n,) towards the end, or with negative places to the start."""

    def concatenate(self, tensors: Sequence[Tensor], axis: int = 0) -> Tensor:
        """Join tensors of one type."""

    def scatter(self, size: Tensor, places: Tensor, values: Tensor) -> Tensor:
        """Return zeros (size,) with integers at some places."""

    def look_up(self, numbers: Tensor, keys: Int64s, values: Int64s, default: int) -> Tensor:
        """Return the value of each number (n,) that is a key, and a default for the others."""

    def reshape(self, tensor: Tensor, *sizes: Tensor | int) -> Tensor:
        """Return the same numbers in another shape; one size can be -1."""

    def any(self, mask: Tensor) -> Tensor:
        """Return whether a mask (n,) is true anywhere, a scalar."""

    def repeat(
        self,
        condition: Callable[..., Tensor],
        step: Callable[..., Sequence[Tensor]],
        *state: Tensor,
    ) -> Sequence[Tensor]:
        """Repeat a step while a condition holds.

        Args:
            condition: Of the tensors of a state (n,) each, a scalar mask.
            step: The next state; its tensors can have other lengths.
            state: The first one.

        Returns:
            The last state.
        """

    def sum(self, tensor: Tensor, axis: int, *, keep: bool = False) -> Tensor:
        """Sum numbers along an axis."""

    def largest(self, tensor: Tensor, axis: int) -> Tensor:
        """Return the largest numbers along an axis."""

    def smaller(self, numbers: Tensor, others: Tensor) -> Tensor:
        """Return the smaller one of each two numbers."""

    def larger(self, numbers: Tensor, others: Tensor) -> Tensor:
        """Return the larger one of each two numbers."""

    def multiply(self, features: Tensor, kernel: Tensor) -> Tensor:
        """Return a product of matrices."""

    def square_root(self, numbers: Tensor) -> Tensor:
        """Return square roots."""

    def sigmoid(self, logits: Tensor) -> Tensor:
        """Return the logistic function of numbers."""

    def softmax(self, logits: Tensor) -> Tensor:
        """Return probabilities that sum to 1 in each row."""

    def best(self, numbers: Tensor) -> Tensor:
        """Return the place of the largest number of each row, the first of equal ones."""
