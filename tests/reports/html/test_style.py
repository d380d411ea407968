"""The style sheet: text is readable on every ground, in both color schemes."""

from __future__ import annotations

import re
from itertools import product

import pytest

from tests.reports.html.test_rendering import TEMPLATES

MOST_OPAQUE = 0.75
"""Of the color behind a token or in a cell."""

Color = tuple[float, ...]


def schemes() -> dict[str, dict[str, Color]]:
    """The colors of both schemes, by name; dark replaces some of the light ones."""
    sheet = (TEMPLATES / "page.css").read_text(encoding="utf-8")
    light, dark = (parse(block) for block in re.findall(r":root \{(.*?)\}", sheet, re.DOTALL)[:2])
    assert set(light) == set(dark)
    return {"light": light, "dark": dark}


def parse(block: str) -> dict[str, Color]:
    colors: dict[str, Color] = {}
    for name, value in re.findall(r"--(\w+): ([^;]+);", block):
        if re.fullmatch(r"#[0-9a-f]{6}", value):
            colors[name] = tuple(bytes.fromhex(value[1:]))
        elif re.fullmatch(r"\d+ \d+ \d+", value):
            colors[name] = tuple(map(float, value.split()))
    return colors


def contrast(one: Color, other: Color) -> float:
    """The contrast ratio of the Web Content Accessibility Guidelines (WCAG) 2.2."""
    lighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def luminance(color: Color) -> float:
    channels = (channel / 255 for channel in color)
    red, green, blue = (
        channel / 12.92 if channel <= 0.04045 else ((channel + 0.055) / 1.055) ** 2.4
        for channel in channels
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def blend(color: Color, ground: Color, opacity: float) -> Color:
    return tuple(opacity * c + (1 - opacity) * g for c, g in zip(color, ground, strict=True))


def test_contrast_is_that_of_the_guidelines() -> None:
    assert contrast((0, 0, 0), (255, 255, 255)) == pytest.approx(21)
    assert contrast((119, 119, 119), (255, 255, 255)) == pytest.approx(4.48, abs=0.005)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_has_enough_contrast(scheme: str) -> None:
    colors = schemes()[scheme]
    for text, ground in product(("text", "muted", "accent"), ("ground", "surface")):
        assert contrast(colors[text], colors[ground]) >= 4.5, (text, ground)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("color", ["for", "against"])
def test_text_is_readable_on_the_strongest_colors(scheme: str, color: str) -> None:
    colors = schemes()[scheme]
    ground = blend(colors[color], colors["ground"], MOST_OPAQUE)
    assert contrast(colors["text"], ground) >= 4.5


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_lines_bars_and_intervals_stand_out(scheme: str) -> None:
    colors = schemes()[scheme]
    for name, ground in product(("bar", "for", "against", "soft"), ("ground", "surface")):
        if (name, ground) != ("bar", "surface"):
            assert contrast(colors[name], colors[ground]) >= 3, (name, ground)
    assert contrast(colors["text"], colors["bar"]) >= 3


def test_every_color_of_a_style_sheet_is_defined() -> None:
    names = set(schemes()["light"])
    for sheet in TEMPLATES.glob("*.css"):
        source = sheet.read_text(encoding="utf-8")
        local = set(re.findall(r"--([\w-]+):", source))
        set_by_templates = {"width", "strength", "value", "low", "high", "mark"}
        used = set(re.findall(r"var\(--([\w-]+)\)", source))
        sizes = {"small", "large", "heading", "figure", "title"}
        assert used <= names | local | set_by_templates | sizes, sheet.name
