"""Diagrams are well-formed SVG that stays inside its frame."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest

from nlu_models.emotion import plots


def drawings() -> dict[str, str]:
    line = plots.Line((0.0, 0.5, 2.0), (-1.0, 0.5, 1.0), name="a < b", has_points=True, is_dashed=True)
    return {
        "chart": plots.chart([line], 'says "so"', "x & y", "y", verticals=[(0.9, "here")]),
        "bars": plots.bars(["one", "<two>"], [0.0, 1.0], [0.2, 0.9], "two bars"),
        "small map": plots.heat_map(["a", "b"], [[1.0, 0.0], [0.5, 0.5]], "a map", with_numbers=True),
        "map": plots.heat_map(["a", "b"], [[1.0, 0.0], [0.0, 0.0]], "a map", with_numbers=False),
    }


@pytest.mark.parametrize("name", list(drawings()))
def test_a_drawing_is_well_formed_and_described(name: str) -> None:
    root = ET.fromstring(drawings()[name])
    assert root.attrib["role"] == "img"
    assert root.attrib["aria-label"]
    assert "style" not in root.attrib  # colours are the page's


def test_points_outside_the_range_are_drawn_at_its_edge() -> None:
    root = ET.fromstring(drawings()["chart"])
    width, height = (float(root.attrib[side]) for side in ("width", "height"))
    for circle in root.iter("circle"):
        assert plots.LEFT <= float(circle.attrib["cx"]) <= width - plots.RIGHT
        assert plots.TOP <= float(circle.attrib["cy"]) <= height - plots.BOTTOM


def test_every_cell_says_what_it_is() -> None:
    root = ET.fromstring(drawings()["map"])
    told = [title.text for title in root.iter("title")]
    assert told == ["a read as a: 100%", "a read as b: 0%", "b read as a: 0%", "b read as b: 0%"]


@pytest.mark.parametrize(("low", "high"), [(0.0, 1.0), (-1.0, 1.0), (0.0, 0.4), (0.0, 0.3)])
def test_ticks_are_round_and_reach_from_end_to_end(low: float, high: float) -> None:
    ticks = plots._ticks(low, high)
    assert (ticks[0], ticks[-1]) == (low, pytest.approx(high))
    assert 3 <= len(ticks) <= 6
