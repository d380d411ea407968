"""Send requests that schemathesis makes from the OpenAPI document, valid and invalid ones.

No answer may be a 5xx, and each must have a status, a content type and a body that the document
describes. Requests without a token must be refused where one is needed.

    python -m tests.benchmarks.serving_cases [--examples 250]
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.benchmarks.processes import embedclf
from tests.benchmarks.serving import serving
from tests.conftest import ROOT

_TOKEN = "0123456789abcdef-cases"  # noqa: S105 - of this service alone

_NOT_IN_THE_DOCUMENT = "positive_data_acceptance"
"""JSON Schema cannot say that a shape fits its data, or that top_k is at most the labels."""


def main() -> None:
    """Serve a run with a token and without, and send requests to both."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--examples", type=int, default=250, help="requests for each path")
    examples = parser.parse_args().examples
    statuses = []
    with tempfile.TemporaryDirectory(prefix="serving-") as name:
        folder = Path(name)
        run, token = folder / "reviews-1", folder / "token.txt"
        token.write_text(_TOKEN, encoding="ascii")
        embedclf("train", ROOT / "data" / "reviews.csv", "-q", "--no-baseline", "-o", run)
        serve = (sys.executable, "-m", "embedclf", "serve", run, "--port=0")
        header = ("-H", f"Authorization: Bearer {_TOKEN}")
        for options, headers in (((), ()), (("--token-file", token), header)):
            with serving(folder / "log", *serve, *options) as server:
                url = f"http://127.0.0.1:{server.port}/openapi.json"
                command = [sys.executable, "-m", "schemathesis.cli", "run", url, "--no-color"]
                command += [f"--max-examples={examples}", "--seed=1", *headers]
                command += [f"--exclude-checks={_NOT_IN_THE_DOCUMENT}"]
                statuses.append(subprocess.run(command, check=False).returncode)
    sys.exit(any(statuses))


if __name__ == "__main__":
    main()
