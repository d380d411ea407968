"""Columns of exports from annotation tools that are neither text nor label."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from embedclf.autoconfig.columns.names import ColumnName

if TYPE_CHECKING:
    from collections.abc import Sequence

    from embedclf.autoconfig.columns.profiles import ColumnProfile

UNDECIDED = "ignore"
"""What Prodigy writes in the column `answer` of a row that nobody decided."""

_DECISIONS = frozenset({"accept", "reject", UNDECIDED})


@dataclass(frozen=True)
class _Tool:
    marks: frozenset[str]
    """Names that no other program uses."""
    others: frozenset[str]
    """Further names that it adds; in other tables, these could be labels."""


def _tool(marks: str, others: str) -> _Tool:
    return _Tool(frozenset(marks.split()), frozenset(others.split()))


_TOOLS = (
    # Label Studio (https://labelstud.io/guide/export)
    _tool(
        "annotation_id annotator lead_time completed_by was_cancelled inner_id total_annotations",
        "id created_at updated_at created_username created_ago cancelled_annotations comment_count "
        "comment_authors last_comment_updated_at last_action last_created_by file_upload drafts "
        "draft_created_at from_name to_name type origin ground_truth import_id meta predictions "
        "parent_annotation parent_prediction prediction project result_count task score "
        "total_predictions unique_id unresolved_comment_count updated_by bulk_created",
    ),
    # Argilla, records of version 1 and 2 (https://docs.argilla.io)
    _tool(
        "prediction_agent annotation_agent event_timestamp _server_id",
        "id external_id status multi_label prediction explanation vectors metrics metadata "
        "suggestions suggestion users user_id inserted_at updated_at",
    ),
    # Prodigy (https://prodi.gy/docs/api-interfaces)
    _tool(
        "_input_hash _task_hash _view_id _session_id _annotator_id",
        "meta options config spans tokens html score priority _timestamp _is_binary",
    ),
    # doccano (https://doccano.github.io/doccano)
    _tool("annotation_approver", "id meta user username Comments is_confirmed"),
)


def added_columns(names: Sequence[str]) -> frozenset[str]:
    """Return the names of columns that the annotation tool added, if one wrote the table.

    Such columns have few values and many rows each, as labels have.
    """
    parts = {name: _own_parts(name) for name in names}
    present = frozenset().union(*parts.values())
    tools = [tool for tool in _TOOLS if tool.marks & present]
    added = frozenset().union(*(tool.marks | tool.others for tool in tools))
    return frozenset(name for name in names if parts[name] & added)


def is_decision(column: ColumnProfile) -> bool:
    """Whether a column says which rows a person accepted, as Prodigy writes it."""
    is_answer = column.meaning.parts[-1] == "answer"
    return is_answer and "accept" in column.values and set(column.values) <= _DECISIONS


def find_control(label: ColumnProfile, columns: Sequence[ColumnProfile]) -> ColumnProfile | None:
    """Return the column that says which question a label answers, if Label Studio asked several.

    The first answer of a row can then be to any of them.
    """
    path, value, _ = label.name.rpartition(".value.")
    name = f"{path}.from_name"
    return next(
        (each for each in columns if value and each.name == name and each.distinct > 1), None
    )


def _own_parts(name: str) -> frozenset[str]:
    """Return the names on a path that a tool may have chosen."""
    first, *others = ColumnName(name).parts
    # Label Studio's `data` and Argilla's `fields` hold the columns that were annotated.
    is_own = not others or first not in {"data", "fields", "inputs"}
    return frozenset([first, *others] if is_own else [])
