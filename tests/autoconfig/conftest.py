"""Packages of word vectors, in small."""

from tests.text.vectors.conftest import write_glove, write_use

__all__ = ["write_glove", "write_use"]
