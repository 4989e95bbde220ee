#!/usr/bin/env python3
"""Draws the state machines of rules_list.h into engine/README.md, between its two marks.

usage: draw.py [--check]    --check: says whether the drawing is that of the list, and writes nothing
"""
import pathlib
import re
import sys

HERE = pathlib.Path(__file__).resolve().parent
PAGE = HERE.parent / "README.md"
BEGIN, END = "<!-- drawn by engine/admin/draw.py -->\n", "<!-- end of the drawing -->\n"


def entries(text, name, word):
    """What stands between the parentheses of each entry of the list."""
    body = re.search(rf"#define {name}\({word}\)(.*?)\n\n", text + "\n\n", re.S)
    if not body:
        sys.exit(f"rules_list.h has no {name}")
    flat = body.group(1).replace("\\\n", " ")
    found, at = [], 0
    while (at := flat.find(word + "(", at)) >= 0:
        depth, start = 1, at + len(word) + 1
        at, quoted = start, False
        while depth:
            quoted ^= flat[at] == '"'
            if not quoted:
                depth += (flat[at] == "(") - (flat[at] == ")")
            at += 1
        found.append(" ".join(flat[start:at - 1].split()))
    return found


def fields(entry, count):
    return [field.strip() for field in entry.split(",", count - 1)]


def draw(text):
    acts = {name: shown.strip('"') for name, shown, _ in (fields(e, 3) for e in entries(text, "RULE_ACTS", "ACT"))}
    lines = []
    for prefix in re.findall(r"#define (\w+)_STATES\(STATE\)", text):
        shown = {name: word.strip('"') for name, word in (fields(e, 2) for e in entries(text, f"{prefix}_STATES", "STATE"))}
        steps = {}
        for entry in entries(text, f"{prefix}_LINES", "LINE"):
            state, act, role, following, rules = fields(entry, 5)
            conditions = tuple(rule for rule in re.findall(r"R\((\w+)\)", rules))
            steps.setdefault((state, following, act), []).append((role, conditions))
        lines.append({"STOCK": "token"}.get(prefix, prefix.lower()))
        for (state, following, act), by in steps.items():
            who = ", ".join(role.lower() + (f" [{' '.join(c.lower().replace('_', '-') for c in conditions)}]" if conditions else "")
                            for role, conditions in by)
            lines.append(f"  {shown[state]:<9} -> {shown[following]:<9}  {acts[act]:<18} {who}")
        lines.append("")
    return "```\n" + "\n".join(lines).rstrip() + "\n```\n"


def main():
    page = PAGE.read_text()
    before, rest = page.split(BEGIN)
    old, after = rest.split(END)
    new = draw((HERE / "rules_list.h").read_text())
    if "--check" in sys.argv:
        if old != new:
            sys.exit("engine/README.md: the drawing is not that of engine/admin/rules_list.h: run engine/admin/draw.py")
        return
    PAGE.write_text(before + BEGIN + new + END + after)


main()
