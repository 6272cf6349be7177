# SPDX-License-Identifier: BSD-2-Clause
"""Loss curves as SVG: reads the logs of `cae train --log` and draws them on a logarithmic scale.

Colours and fonts come from the page that the SVG stands in: a series is drawn in the CSS variable
that it names, everything else in the colour of the text.
"""

import csv
import math
from html import escape

WIDTH, HEIGHT = 480, 330
LEFT, RIGHT, TOP, BOTTOM = 76, 18, 14, 48  # margins around the plot
POINTS = 160  # of one drawn line


class Log:
    """What `cae train --log` wrote: losses and unseen (measured with --val) as points of step and
    mean squared error, epoch_steps, and the seconds of the whole run."""

    def __init__(self, path):
        with open(path, newline="", encoding="ascii") as file:
            rows = list(csv.DictReader(file))
        self.losses = [(int(row["step"]), float(row["loss"])) for row in rows]
        self.unseen = [(int(row["step"]), float(row["val_mse"])) for row in rows if row["val_mse"]]
        self.epoch_steps = sum(row["epoch"] == "1" for row in rows)
        self.seconds = float(rows[-1]["seconds"])


def smooth(losses, window):
    """Means over a sliding window of steps, thinned out to what can be seen."""
    window = max(1, min(window, len(losses)))
    means = []
    for last in range(window - 1, len(losses)):
        part = losses[last - window + 1 : last + 1]
        means.append((part[-1][0], sum(loss for _, loss in part) / window))
    stride = max(1, len(means) // POINTS)
    return means[::stride] + ([] if (len(means) - 1) % stride == 0 else means[-1:])


def _ticks(low, high):
    """Round numbers from low to high; the fewer powers of ten, the more of each."""
    digits = (1, 2, 3, 4, 6, 8) if high / low < 20 else (1, 2, 5) if high / low < 1000 else (1,)
    exponents = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    values = [digit * 10.0**exponent for exponent in exponents for digit in digits]
    return [value for value in values if low <= value <= high]


def _round_step(last, most=6):
    """A round distance between at most `most` ticks up to `last`."""
    power = 10 ** math.floor(math.log10(last))
    return next(
        step
        for step in (power // 10, power // 5, power // 2, power, 2 * power)
        if step * most >= last
    )


class _Scale:
    """Places of values in the plot: steps along x, the logarithm of losses along y."""

    def __init__(self, points, levels):
        values = [value for _, value in points] + levels
        self.last = max(step for step, _ in points)
        self.low, self.high = min(values) * 0.9, max(values) * 1.1

    def x(self, step):
        return LEFT + step / self.last * (WIDTH - LEFT - RIGHT)

    def y(self, value):
        part = math.log(value / self.low) / math.log(self.high / self.low)
        return HEIGHT - BOTTOM - part * (HEIGHT - TOP - BOTTOM)

    def path(self, points):
        return "M" + "L".join(f"{self.x(step):.1f} {self.y(value):.1f}" for step, value in points)


def _axes(scale):
    right, bottom = WIDTH - RIGHT, HEIGHT - BOTTOM
    for value in _ticks(scale.low, scale.high):
        y = scale.y(value)
        yield f'<path class="rule" d="M{LEFT} {y:.1f}H{right}"/>'
        yield f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{value:g}</text>'
    for step in range(0, scale.last + 1, _round_step(scale.last)):
        x = scale.x(step)
        yield f'<path class="axis" d="M{x:.1f} {bottom}v5"/>'
        yield f'<text x="{x:.1f}" y="{bottom + 19}" text-anchor="middle">{step}</text>'
    yield f'<path class="axis" d="M{LEFT} {TOP}V{bottom}H{right}"/>'
    middle = (LEFT + right) / 2
    yield f'<text x="{middle}" y="{HEIGHT - 8}" text-anchor="middle">training steps</text>'
    turn = f'transform="translate(14 {(TOP + bottom) / 2}) rotate(-90)"'
    yield f'<text {turn} text-anchor="middle">mean squared error</text>'


def _marks(scale, series, level):
    if level:
        y = scale.y(level[1])
        yield f'<path class="level" d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}"/>'
        place = f'x="{WIDTH - RIGHT - 4}" y="{y - 5:.1f}" text-anchor="end"'
        yield f"<text {place}>{escape(level[0])}</text>"
    for one in series:
        style = f'style="stroke:var({one["colour"]})"'
        yield f'<path class="line" {style} d="{scale.path(one["training"])}"/>'
        if one["unseen"]:
            yield f'<path class="line dashed" {style} d="{scale.path(one["unseen"])}"/>'


def _legend(series):
    for one in series:
        for part, dashed in (("training faces", ""), ("unseen faces", " dashed")):
            stroke = f'<path class="line{dashed}" style="stroke:var({one["colour"]})" d="M1 6H27"/>'
            sample = (
                f'<svg viewBox="0 0 28 12" width="28" height="12" aria-hidden="true">{stroke}</svg>'
            )
            yield f"<span>{sample} {escape(one['name'])}, {part}</span>"


def draw(title, series, level=None):
    """An SVG and its legend. Each of the series is a dict: name, colour (a CSS variable), training
    and unseen (points of step and loss). `level` is a (name, value) drawn across."""
    points = [point for one in series for point in one["training"] + one["unseen"]]
    scale = _Scale(points, [level[1]] if level else [])
    box = f"0 0 {WIDTH} {HEIGHT}"
    drawn = "".join([*_axes(scale), *_marks(scale, series, level)])
    return (
        f'<svg class="curves" viewBox="{box}" role="img" aria-label="{escape(title)}">'
        f'{drawn}</svg><p class="legend">{"".join(_legend(series))}</p>'
    )
