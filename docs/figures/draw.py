#!/usr/bin/env python3
"""Draws the figures of docs/experiments.md. Without arguments it writes them beside itself; with --check it says whether they are up to date."""
import math
import pathlib
import sys

STYLE = """<style>
  .ground { fill: #ffffff }  .ink { fill: #1f2328 }  .quiet { fill: #59636e }  .axis, .grid, .box, .flow { fill: none; stroke: #59636e }
  .grid { stroke-opacity: .25 }  .box { fill: #f6f8fa }  .curve { fill: none; stroke-width: 2.5 }  .one { stroke: #0969da }  .two { stroke: #bc4c00; stroke-dasharray: 7 4 }
  .flow { stroke-width: 1.8 }  .head { fill: #59636e }  text { font: 14px system-ui, sans-serif }  .small { font-size: 12px }  .strong { font-weight: 600 }
  @media (prefers-color-scheme: dark) {
    .ground { fill: #0d1117 }  .ink { fill: #e6edf3 }  .quiet { fill: #9198a1 }  .axis, .grid, .box, .flow { stroke: #9198a1 }  .box { fill: #161b22 }
    .one { stroke: #58a6ff }  .two { stroke: #f0883e }  .head { fill: #9198a1 }
  }
</style>"""


def svg(width, height, title, body):
    return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img" aria-label="{title}">\n'
            f'<title>{title}</title>\n{STYLE}\n<rect class="ground" width="{width}" height="{height}"/>\n' + "\n".join(body) + "\n</svg>\n")


def text(x, y, words, kind="ink", anchor="middle"):
    return f'<text class="{kind}" x="{x}" y="{y}" text-anchor="{anchor}">{words}</text>'


def exploration():
    left, right, top, bottom, most = 62, 600, 44, 292, 400
    def at(n, p):
        return left + (right - left) * n / most, bottom - (bottom - top) * p
    body = [text(left, 24, "Probability of a uniform draw at the n-th decision", "ink strong", "start")]
    for p in (0, .25, .5, .75, 1):
        x, y = at(0, p)
        body += [f'<path class="grid" d="M{x:.1f} {y:.1f}H{right}"/>', text(left - 8, f"{y + 5:.1f}", f"{p:g}", "quiet small", "end")]
    for n in (1, 100, 200, 300, 400):
        body.append(text(f"{at(n, 0)[0]:.1f}", bottom + 20, n, "quiet small"))
    body.append(text((left + right) / 2, bottom + 42, "n, decisions", "quiet"))
    curve = " ".join(f"{x:.1f},{y:.1f}" for x, y in (at(n, 1 / math.sqrt(n)) for n in list(range(1, 20)) + list(range(20, most + 1, 5))))
    body += [f'<polyline class="curve one" points="{curve}"/>', '<path class="curve two" d="M{:.1f} {:.1f}H{}"/>'.format(*at(1, .05), right), f'<path class="axis" d="M{left} {top}V{bottom}H{right}"/>']
    body += [text(at(75, 0)[0], round(at(0, .2)[1]), "1 / &#8730;n: dies out, for a world that does not change", "ink small", "start"),
             text(right, round(at(0, .1)[1]), "0.05: goes on noticing", "ink small", "end")]
    return svg(640, 350, "Exploration rate over n", body)


def loop():
    def box(x, y, w, h, lines):
        out = [f'<rect class="box" x="{x}" y="{y}" width="{w}" height="{h}" rx="8"/>']
        for i, (words, kind) in enumerate(lines):
            out.append(text(x + w / 2, y + 26 + 20 * i, words, kind))
        return out
    def arrow(points, dx, dy):
        (x, y) = points[-1]
        line = "M" + "L".join(f"{a} {b}" for a, b in points)
        wing = [(x - 9 * dx - 5 * dy, y - 9 * dy - 5 * dx), (x - 9 * dx + 5 * dy, y - 9 * dy + 5 * dx)]
        return [f'<path class="flow" d="{line}"/>', f'<path class="head" d="M{x} {y}L{wing[0][0]} {wing[0][1]}L{wing[1][0]} {wing[1][1]}Z"/>']
    body = [text(150, 28, "your machine", "quiet"), text(560, 28, "the machine under test", "quiet"), '<path class="grid" d="M355 14V296"/>']
    body += box(30, 46, 240, 96, [("policy", "ink strong"), ("a network with a softmax over arms,", "quiet small"), ("and a uniform draw now and then", "quiet small")])
    body += box(440, 46, 240, 96, [("experiment", "ink strong"), ("attach the arm, read it back,", "quiet small"), ("run the work, put eevdf back", "quiet small")])
    body += box(440, 196, 240, 80, [("result", "ink strong"), ("windows of 250 ms, slowdown of jobs", "quiet small")])
    body += box(30, 196, 240, 80, [("learning", "ink strong"), ("cost: ln ratio to the life's first run", "quiet small")])
    body += arrow([(270, 94), (440, 94)], 1, 0) + [text(355, 84, "arm", "ink")]
    body += arrow([(560, 142), (560, 196)], 0, 1)
    body += arrow([(440, 236), (270, 236)], -1, 0) + [text(355, 226, "windows, cost", "ink")]
    body += arrow([(150, 196), (150, 142)], 0, -1) + [text(162, 174, "before it is asked again", "quiet small", "start")]
    return svg(710, 300, "The learning loop", body)


def main():
    here = pathlib.Path(__file__).parent
    stale = []
    for name, drawn in (("exploration.svg", exploration()), ("learning-loop.svg", loop())):
        file = here / name
        if "--check" in sys.argv:
            if not file.exists() or file.read_text() != drawn:
                stale.append(name)
        else:
            file.write_text(drawn)
    if stale:
        sys.exit(f"not up to date: {', '.join(stale)} (docs/figures/draw.py draws them)")


main()
