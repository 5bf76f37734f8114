#!/usr/bin/env python3
"""Runs a command in a terminal of its own and writes what was to be seen as an SVG that plays: terminal.py OUT.svg [--columns N] [--rows N] COMMAND [ARGUMENT ...]

Pauses are shortened to a second and a half, since nobody wants to wait for a kernel to boot twice. Needs Python's standard library alone."""
import argparse
import codecs
import fcntl
import html
import os
import pty
import re
import select
import struct
import sys
import termios
import time

LONGEST_PAUSE_S, SHORTEST_FRAME_S, LAST_FRAME_S = 1.5, .1, 8
CHAR_WIDTH, LINE_HEIGHT, MARGIN = 8.4, 18, 12
COLOURS = {30: "#59636e", 31: "#ff7b72", 32: "#7ee787", 33: "#e3b341", 34: "#79c0ff", 35: "#d2a8ff", 36: "#76e3ea", 37: "#e6edf3"}
SEQUENCE = re.compile(r"\x1b\[([?\d;]*)([A-Za-z])|\x1b[()][A-Z0-9]|\x1b.|[\r\n\b\t]|[^\x1b\r\n\b\t]+")


class Screen:
    """The part of a terminal that progress bars and tables need: colours, returns, moving up, erasing."""

    def __init__(self, columns, rows):
        self.columns, self.rows = columns, rows
        self.cells, self.x, self.y, self.style = [{}], 0, 0, ""

    def feed(self, text):
        for match in SEQUENCE.finditer(text):
            token, parameters, command = match.group(0), match.group(1), match.group(2)
            if command:
                self.control([int(p) for p in re.findall(r"\d+", parameters)], command)
            elif token == "\r":
                self.x = 0
            elif token == "\n":
                self.y += 1
                self.x = 0
            elif token == "\b":
                self.x = max(0, self.x - 1)
            elif token == "\t":
                self.x = (self.x // 8 + 1) * 8
            elif token[0] != "\x1b":
                for char in token:
                    if self.x == self.columns:
                        self.x, self.y = 0, self.y + 1
                    self.line()[self.x] = (char, self.style)
                    self.x += 1

    def line(self):
        while len(self.cells) <= self.y:
            self.cells.append({})
        return self.cells[self.y]

    def control(self, numbers, command):
        first = numbers[0] if numbers else None
        if command == "m":
            for n in numbers or [0]:
                self.style = "" if n == 0 else self.style + " font-weight='bold'" if n == 1 else self.style + " opacity='.6'" if n == 2 else \
                    f" fill='{COLOURS[n % 60]}'" if n % 60 in COLOURS else self.style
        elif command == "A":
            self.y = max(0, self.y - (first or 1))
        elif command == "B":
            self.y += first or 1
        elif command == "C":
            self.x += first or 1
        elif command == "D":
            self.x = max(0, self.x - (first or 1))
        elif command == "G":
            self.x = (first or 1) - 1
        elif command == "K":
            line = self.line()
            for x in [x for x in line if first == 2 or (x <= self.x if first == 1 else x >= self.x)]:
                del line[x]
        elif command == "J":
            self.control([], "K")
            del self.cells[self.y + 1:]

    def frame(self):
        """The visible lines, each as SVG spans of one style."""
        self.line()  # the one that the cursor is on is there
        out = []
        for line in self.cells[-self.rows:]:
            spans, last = [], None
            for x in range(max(line, default=-1) + 1):
                char, style = line.get(x, (" ", ""))
                if style != last:
                    spans.append([style, ""])
                    last = style
                spans[-1][1] += char
            out.append("".join(f"<tspan{s}>{html.escape(t)}</tspan>" if s else html.escape(t) for s, t in spans))
        return tuple(out)


def record(command, columns, rows):
    """[(seconds, text)] and how the command ended."""
    child, master = pty.fork()
    if child == 0:
        os.environ.update(TERM="xterm-256color", COLUMNS=str(columns), LINES=str(rows))
        try:
            os.execvp(command[0], command)
        except OSError as error:
            print(f"{command[0]}: {error.strerror}", file=sys.stderr)
            os._exit(127)
    fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    decode = codecs.getincrementaldecoder("utf-8")(errors="replace")
    begin, events = time.monotonic(), []
    while True:
        select.select([master], [], [])
        try:
            data = os.read(master, 65536)
        except OSError:
            break
        if not data:
            break
        events.append((time.monotonic() - begin, decode.decode(data)))
    return events, os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def frames_of(events, screen, prompt):
    screen.feed(prompt)
    shown, at, before = [(0.0, screen.frame())], 0.0, 0.0
    for moment, text in events:
        at += min(moment - before, LONGEST_PAUSE_S)
        before = moment
        screen.feed(text)
        if at - shown[-1][0] < SHORTEST_FRAME_S and len(shown) > 1:
            shown[-1] = (shown[-1][0], screen.frame())
        elif screen.frame() != shown[-1][1]:
            shown.append((at, screen.frame()))
    return shown, at + LAST_FRAME_S


def draw(shown, length_s, columns, rows, title):
    width, height = MARGIN * 2 + columns * CHAR_WIDTH, MARGIN * 2 + rows * LINE_HEIGHT
    numbers, definitions, frames, steps = {}, [], [], []
    for k, (at, lines) in enumerate(shown):
        uses = []
        for row, line in enumerate(lines):
            if not line.strip():
                continue
            if line not in numbers:
                numbers[line] = len(numbers)
                definitions.append(f"<text id='l{numbers[line]}' xml:space='preserve'>{line}</text>")
            uses.append(f"<use href='#l{numbers[line]}' y='{row * LINE_HEIGHT}'/>")
        frames.append(f"<g transform='translate(0 {k * height + LINE_HEIGHT - 5:g})'>{''.join(uses)}</g>")
        steps.append(f"{100 * at / length_s:.3f}% {{ transform: translateY({-k * height:g}px) }}")
    last = -(len(shown) - 1) * height
    return f"""<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" width="{width:g}" height="{height:g}" role="img" aria-label="{html.escape(title)}">
<title>{html.escape(title)}</title>
<style>
text {{ font: 14px ui-monospace, 'DejaVu Sans Mono', monospace; fill: #e6edf3 }}
#film {{ animation: play {length_s:.2f}s steps(1, end) infinite }}
@keyframes play {{ {' '.join(steps)} 100% {{ transform: translateY({last:g}px) }} }}
@media (prefers-reduced-motion: reduce) {{ #film {{ animation: none; transform: translateY({last:g}px) }} }}
</style>
<rect width="{width:g}" height="{height:g}" rx="8" fill="#0d1117"/>
<defs>
{chr(10).join(definitions)}
</defs>
<svg x="{MARGIN}" y="{MARGIN}" width="{width - MARGIN}" height="{height - MARGIN}" overflow="hidden"><g id="film">
{chr(10).join(frames)}
</g></svg>
</svg>
"""


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out")
    parser.add_argument("--columns", type=int, default=120)
    parser.add_argument("--rows", type=int, default=34)
    parser.add_argument("command", nargs=argparse.REMAINDER)
    options = parser.parse_args()
    if not options.command:
        parser.error("name a command to run")
    events, status = record(options.command, options.columns, options.rows)
    title = " ".join([os.path.basename(options.command[0])] + options.command[1:])
    shown, length_s = frames_of(events, Screen(options.columns, options.rows), f"# {title}\r\n")
    with open(options.out, "w", encoding="utf-8") as out:
        out.write(draw(shown, length_s, options.columns, options.rows, title))
    print(f"{options.out}: {len(shown)} frames, {length_s:.0f} s of {events[-1][0] if events else 0:.0f}")
    return status


if __name__ == "__main__":
    sys.exit(main())
