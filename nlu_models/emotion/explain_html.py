"""Shows an explanation as one page that needs nothing else: readable in light, dark and on a phone."""

from __future__ import annotations

from html import escape

from nlu_models.emotion.explain import Explanation
from nlu_models.emotion.explain_text import head, notes, strength

STYLE = """
:root { color-scheme: light dark; --ink: #1c1b1a; --paper: #fbfaf8; --faint: #6b6762; --rule: #dcd8d2;
  --for: 214 101 12; --against: 30 98 190; }
@media (prefers-color-scheme: dark) { :root { --ink: #ece8e2; --paper: #191817; --faint: #a39d95;
  --rule: #3a3734; --for: 240 140 50; --against: 90 155 245; } }
body { margin: 0 auto; max-width: 44rem; padding: 1.5rem 1rem 3rem; background: var(--paper);
  color: var(--ink); font: 1rem/1.5 system-ui, sans-serif; }
h1 { font-size: 1.25rem; line-height: 1.3; }
p.text { font-size: 1.2rem; line-height: 2; white-space: pre-wrap; overflow-wrap: anywhere; }
mark { color: inherit; border-radius: .2rem; padding: .1rem .15rem; border-bottom: 3px solid transparent; }
mark.for { background: rgb(var(--for) / var(--a)); border-bottom-color: rgb(var(--for)); }
mark.against { background: rgb(var(--against) / var(--a)); border-bottom: 3px dotted rgb(var(--against)); }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; padding: .25rem .5rem .25rem 0; border-bottom: 1px solid var(--rule); }
td { overflow-wrap: anywhere; }
.score { text-align: right; font-variant-numeric: tabular-nums; width: 5rem; }
p.note, .left { color: var(--faint); }
"""
ALPHAS = ("0", ".14", ".28", ".45")  # by strength


def page(explanation: Explanation) -> str:
    """The page, as HTML."""
    title = escape(head(explanation))
    rows = "\n".join(
        f'<tr><td class="score">{word.score:+.2f}</td><td>{escape(word.word)}</td></tr>'
        for word in sorted(explanation.words, key=lambda word: -abs(word.score))
    )
    remarks = "\n".join(f'<p class="note">{escape(note)}</p>' for note in notes(explanation))
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>{STYLE}</style>
</head>
<body>
<h1>{title}</h1>
<p><mark class="for" style="--a:.28">speaks for it</mark> <mark class="against" style="--a:.28">speaks against
it</mark></p>
<p class="text" dir="auto">{_marked(explanation)}</p>
{remarks}
<table>
<thead><tr><th scope="col" class="score">score</th><th scope="col">word</th></tr></thead>
<tbody>
{rows}
</tbody>
</table>
</body>
</html>
"""


def _marked(explanation: Explanation) -> str:
    strongest = max((abs(word.score) for word in explanation.words), default=0.0)
    parts, at = [], 0
    for word in explanation.words:
        parts.append(escape(explanation.text[at : word.start]))
        at = word.end
        level = strength(word, strongest)
        if not level:
            parts.append(escape(word.word))
            continue
        side = "for" if word.score > 0 else "against"
        parts.append(
            f'<mark class="{side}" style="--a:{ALPHAS[level]}" title="{word.score:+.2f}">'
            f"{escape(word.word)}</mark>"
        )
    parts.append(escape(explanation.text[at : explanation.cut_at]))
    if explanation.cut_at is not None:
        parts.append('<span class="left"> […]</span>')
    return "".join(parts)
