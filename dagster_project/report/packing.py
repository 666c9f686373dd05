"""Circles side by side without overlap: largest first, each as near to the middle as it fits. Pure.

Not here: what a circle stands for (`topic_map.py`).
"""

import math
from collections.abc import Sequence
from itertools import combinations

Circle = tuple[float, float, float]
"""x, y, radius."""
_TOUCH = 1e-6


def packed(radii: Sequence[float]) -> list[Circle]:
    """A place for each circle, in the order given, around (0, 0). Equal radii give equal places."""
    placed: dict[int, Circle] = {}
    for i in sorted(range(len(radii)), key=lambda i: (-radii[i], i)):
        placed[i] = _place(radii[i], list(placed.values()))
    return [placed[i] for i in range(len(radii))]


def around(circles: Sequence[Circle]) -> Circle:
    """A circle that holds all of them: around the middle of their box."""
    x = (min(c[0] - c[2] for c in circles) + max(c[0] + c[2] for c in circles)) / 2
    y = (min(c[1] - c[2] for c in circles) + max(c[1] + c[2] for c in circles)) / 2
    return x, y, max(math.hypot(c[0] - x, c[1] - y) + c[2] for c in circles)


def _place(radius: float, placed: Sequence[Circle]) -> Circle:
    if not placed:
        return 0.0, 0.0, radius
    if len(placed) == 1:
        x, y, r = placed[0]
        return x + r + radius, y, radius
    free = [
        (x, y, radius)
        for a, b in combinations(placed, 2)
        for x, y in _touching(a, b, radius)
        if all(math.hypot(x - c[0], y - c[1]) >= radius + c[2] - _TOUCH for c in placed)
    ]
    return min(free, key=lambda c: (round(math.hypot(c[0], c[1]), 6), round(c[1], 6), round(c[0], 6)))


def _touching(a: Circle, b: Circle, radius: float) -> list[tuple[float, float]]:
    """Middles of the circles of this radius that touch both."""
    from_a, from_b = a[2] + radius, b[2] + radius
    apart = math.hypot(b[0] - a[0], b[1] - a[1])
    if apart > from_a + from_b or apart == 0:
        return []
    along = (from_a**2 - from_b**2 + apart**2) / (2 * apart)
    aside = math.sqrt(max(from_a**2 - along**2, 0.0))
    dx, dy = (b[0] - a[0]) / apart, (b[1] - a[1]) / apart
    x, y = a[0] + along * dx, a[1] + along * dy
    return [(x - aside * dy, y + aside * dx), (x + aside * dy, y - aside * dx)]
