"""What compression tries: ways of quantising a model, and of cutting it before, named as they are chosen.

    smooth, static, block8 …    a method of `quantize.METHODS`
    heads-25                    a quarter of the attention heads pruned
    units-25                    a quarter of the hidden units pruned
    layers-2, layers-3-alternate    so many layers dropped, from the top or every other one
    heads-50+recovery           the same, then fine-tuned against the whole model for a while

What is cut is quantised by the default method.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from nlu_models.emotion.prune import Importance, drop_layers, prune_heads, prune_units
from nlu_models.emotion.quantize import METHODS
from nlu_models.encoder import MultiTaskEncoder
from nlu_models.errors import InputError

RECOVERY = "+recovery"
PARTS = {"heads": "% of the heads pruned", "units": "% of the hidden units pruned", "layers": " dropped"}
DEFAULTS = (
    *METHODS,
    "heads-25", "heads-50", "heads-50+recovery",
    "units-25", "units-50", "units-50+recovery",
    "layers-1", "layers-2", "layers-2+recovery", "layers-3-alternate+recovery",
)  # fmt: skip

_FORM = re.compile(r"(heads|units|layers)-(\d+)(-alternate)?")


@dataclass(frozen=True)
class Candidate:
    """One thing to try.

    Attributes:
        name: as it was chosen.
        method: of `quantize.METHODS`; None for the default one.
        part: what is cut, of `PARTS`; None for nothing.
        amount: percent of it, or a number of layers.
        is_alternate: every other layer instead of the top ones.
        is_recovered: whether it is fine-tuned afterwards.
    """

    name: str
    method: str | None = None
    part: str | None = None
    amount: int = 0
    is_alternate: bool = False
    is_recovered: bool = False

    @property
    def title(self) -> str:
        """What it is, for tables."""
        if self.part is None:
            return METHODS[self.method or ""].title
        amount = f"{self.amount}{PARTS[self.part]}"
        if self.part == "layers":
            amount = f"{self.amount} layer{'s' if self.amount > 1 else ''}{PARTS[self.part]}"
        which = ", every other" if self.is_alternate else ""
        return f"{amount}{which}{', recovered' if self.is_recovered else ''}"

    def cut(self, model: MultiTaskEncoder, importance: Importance) -> MultiTaskEncoder:
        """The model without what goes; the model itself where nothing does.

        Raises:
            InputError: there aren't so many layers.
        """
        if self.part == "heads":
            return prune_heads(model, importance, self.amount / 100.0)
        if self.part == "units":
            return prune_units(model, importance, self.amount / 100.0)
        if self.part == "layers":
            return drop_layers(model, self.amount, "alternate" if self.is_alternate else "top")
        return model


def parse(name: str) -> Candidate:
    """The candidate of a name.

    Raises:
        InputError: there is no such candidate.
    """
    if name in METHODS:
        return Candidate(name, method=name)
    found = _FORM.fullmatch(name.removesuffix(RECOVERY))
    if found is None:
        raise InputError(
            f"{name!r} is no way to compress; expected one of {', '.join(METHODS)}, or heads-25, units-25, "
            f"layers-2 or layers-3-alternate, each also with {RECOVERY}"
        )
    part, amount, alternate = found[1], int(found[2]), bool(found[3])
    if alternate and part != "layers":
        raise InputError(f"{name!r}: only layers can go alternately")
    if part != "layers" and not 0 < amount < 100:
        raise InputError(f"{name!r}: expected between 1 and 99 percent")
    return Candidate(name, None, part, amount, alternate, name.endswith(RECOVERY))
