"""A flame graph from `perf script`: stacks folded, drawn as SVG. Width is time, height is who called whom."""
import collections
import html
import re
import zlib

WIDTH, ROW, LEAST = 1100, 16, 0.4  # pixels; a box narrower than LEAST is left out


def read(script):
    """Stacks from the outermost call to the innermost, with how often each was seen."""
    stacks, frames = collections.Counter(), None
    for line in script.splitlines():
        if not line.strip():
            if frames:
                stacks[tuple(reversed(frames))] += 1
            frames = None
        elif not line.startswith(("\t", " ")):
            frames = []
        elif frames is not None and "([unknown])" not in line:
            frames.append(name_of(line))
    if frames:
        stacks[tuple(reversed(frames))] += 1
    return stacks


def name_of(line):
    found = re.match(r"\s*[0-9a-f]+\s+(.*?)\s+\(([^()]*)\)\s*$", line)
    if not found:
        return "?"
    symbol, library = found[1], found[2].rsplit("/", 1)[-1]
    if symbol == "[unknown]":
        return f"[{library}]"
    return f"{symbol} [k]" if "kernel" in library or "vmlinux" in library else symbol


def tree(stacks):
    root = {"name": "all", "count": 0, "children": {}}
    for stack, count in stacks.items():
        node = root
        node["count"] += count
        for name in stack:
            node = node["children"].setdefault(name, {"name": name, "count": 0, "children": {}})
            node["count"] += count
    return root


def depth_of(node):
    return 1 + max((depth_of(child) for child in node["children"].values()), default=0)


def colour(name):
    """By name, so that a function has one colour; the operating system's are cooler."""
    seed = zlib.crc32(name.encode())
    if name.endswith("[k]"):
        return f"hsl({190 + seed % 30}, 45%, {70 + seed // 64 % 12}%)"
    return f"hsl({15 + seed % 40}, 75%, {66 + seed // 64 % 14}%)"


def render(stacks):
    root = tree(stacks)
    height = (depth_of(root) + 1) * ROW
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" class="flame" font-family="sans-serif" font-size="10">']
    draw(root, 0.0, 0, WIDTH / max(1, root["count"]), height, root["count"], parts)
    parts.append("</svg>")
    return "".join(parts)


def draw(node, left, level, scale, height, total, parts):
    width = node["count"] * scale
    if width < LEAST:
        return
    top = height - (level + 1) * ROW
    label = html.escape(node["name"])
    parts.append(f'<g><title>{label}: {100 * node["count"] / total:.2f} %</title>'
                 f'<rect x="{left:.2f}" y="{top}" width="{max(0.1, width - 0.3):.2f}" height="{ROW - 1}" fill="{colour(node["name"])}"/>')
    room = int(width / 5.6)
    if room >= 4:
        text = node["name"] if len(node["name"]) <= room else node["name"][:room - 1] + "…"
        parts.append(f'<text x="{left + 2:.2f}" y="{top + ROW - 5}">{html.escape(text)}</text>')
    parts.append("</g>")
    for child in sorted(node["children"].values(), key=lambda child: child["name"]):
        draw(child, left, level + 1, scale, height, total, parts)
        left += child["count"] * scale
