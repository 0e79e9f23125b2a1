"""One look for every chart, in light and in dark."""

from typing import Any

FONT = '"Source Sans 3", "Segoe UI", "Helvetica Neue", Arial, "Liberation Sans", sans-serif'
# Okabe and Ito's colour-blind safe hues, in an order that keeps neighbours apart in grey as well
CATEGORIES = ["#0b6e99", "#d1750a", "#2a8f6c", "#a8487f", "#5b7fc7", "#8a6d3b", "#6b7280"]
CATEGORIES_DARK = ["#56b4e9", "#f0a347", "#5cc9a1", "#dd8fbd", "#9db8f2", "#cbb27c", "#a9b2bd"]


def house_config(*, dark: bool = False) -> dict[str, Any]:
    """Return the Vega-Lite configuration of the house style.

    Parameters
    ----------
    dark : bool
        Ink and hues for a dark page. The background is always transparent: the page paints it.
    """
    ink, muted, grid = (
        ("#e6ebf1", "#a9b4c0", "#2e3945") if dark else ("#1d2733", "#55606e", "#e4e8ed")
    )
    hues = CATEGORIES_DARK if dark else CATEGORIES
    return {
        "background": "transparent",
        "font": FONT,
        "padding": {"left": 4, "top": 4, "right": 12, "bottom": 4},
        "view": {"stroke": None},
        "axis": {
            "labelColor": ink,
            "titleColor": muted,
            "gridColor": grid,
            "domainColor": muted,
            "tickColor": muted,
            "labelFontSize": 12,
            "titleFontSize": 12,
            "titleFontWeight": "normal",
            "labelOverlap": True,
            "labelLimit": 260,
            "titlePadding": 8,
        },
        "axisY": {"domain": False, "ticks": False, "labelPadding": 6},
        "legend": {
            "labelColor": ink,
            "titleColor": muted,
            "labelFontSize": 12,
            "titleFontSize": 12,
            "titleFontWeight": "normal",
            "symbolSize": 90,
            "labelLimit": 260,
        },
        "header": {"labelColor": ink, "titleColor": muted, "labelFontSize": 12},
        "title": {"color": ink, "fontSize": 14, "fontWeight": 600, "anchor": "start"},
        "range": {"category": hues},
        "mark": {"color": hues[0]},
        "rule": {"color": muted},
        "tick": {"color": muted},
        "text": {"color": ink, "fontSize": 12},
        "bar": {"cornerRadiusEnd": 2},
        "line": {"strokeWidth": 2.2},
        "point": {"filled": True, "size": 60},
    }
