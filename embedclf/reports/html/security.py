"""The Content-Security-Policy of a page that runs a script."""

from __future__ import annotations

import base64
import hashlib
import re


def security_policy(page: str, *, imports: bool = False) -> str:
    """Return a policy that allows the style and the script of a page, and requests to its server.

    Args:
        page: The page, whatever its policy is so far.
        imports: Whether the script imports modules of its server.
    """
    sources = {
        name: " ".join(
            map(_hash_source, re.findall(rf"<{name}\b{kind}>(.*?)</{name}>", page, re.S))
        )
        for name, kind in (("style", ""), ("script", '(?: type="module")?'))
    }
    scripts = f"'self' {sources['script']}" if imports else sources["script"]
    return (
        f"default-src 'none'; style-src {sources['style']}; script-src {scripts}; "
        "connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'"
    )


def _hash_source(content: str) -> str:
    digest = hashlib.sha256(content.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"
