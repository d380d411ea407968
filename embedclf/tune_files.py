"""What a search leaves in its folder: the best config, a table of the trials, a page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from embedclf.atomic import write_text
from embedclf.layout import score
from embedclf.rewriting import write_config
from embedclf.space import applied, changed
from embedclf.tune_page import page
from embedclf.tune_report import TOO_GOOD, counted, trials_csv

if TYPE_CHECKING:
    from embedclf.tuning import Found


def write_files(found: Found) -> None:
    """Write all of them, each whole, over those that are there.

    Raises:
        DataError: One cannot be written.
    """
    source, best = found.source, found.best
    write_config(
        found.config,
        applied(source.config, best.settings),
        source=source.path,
        overrides=source.overrides,
        settings=changed(source.config, best.settings),
        comment=[
            f"Found by `embedclf tune {source.path}`, trials {counted(found)}.",
            f"Trial {best.number}: {found.metric} {score(best.score)} on validation rows;",
            f"{TOO_GOOD}.",
            f"  embedclf train {found.config}",
        ],
    )
    write_text(found.folder / "trials.csv", [trials_csv(found)])
    write_text(found.page, [page(found)])
