"""How points are decoded and paths are walked: every option described, defaulted, checked and recorded here, once.

A new option is one field of `Decoding` and its line in `Keywords`. The methods that decode take them all as keywords,
the command line makes its options of the fields, and the record of a picture is `Decoding.record`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields
from functools import partial
from typing import Any, Literal, TypedDict, get_args

from .checks import choice, number, whole
from .errors import ModelError, SpaceError

MAX_STEPS, MAX_GUIDANCE, MAX_SCALE, MAX_BATCH, MAX_SEED, MAX_ROUNDS = 1000, 100.0, 10.0, 256, 2**64 - 1, 100


class Keywords(TypedDict, total=False):
    """The fields of `Decoding`, as `decode`, `walk`, `blend` and `heat_maps` take them."""

    seed: int | Sequence[int]
    steps: int | None
    guidance: float | None
    prompt: str
    negative: str
    scheduler: str | None
    preview: bool
    few_steps: bool
    adapter_scale: float | None
    until: float | None
    variety: float | None
    batch: int | None


Gap = Literal["open", "mean", "linear"]
"""How the gap between texts and pictures is closed: not at all, by the means of both, or by a map to pictures."""
Spacing = Literal["equal", "uniform"]
Attention = Literal["inner", "outer", "fused"]
GAPS, SPACINGS, ATTENTIONS = get_args(Gap), get_args(Spacing), get_args(Attention)


def _says(
    help: str, *, also: str = "", usual: str = "", unless: Any = MISSING, choices: Sequence[str] = ()
) -> dict[str, Any]:
    """The metadata of a field.

    Args:
        help: its description.
        also: what Python takes besides, which the command line does not.
        usual: what its default means, where the value does not say it.
        unless: the value at which records leave it out.
        choices: its values, where they are few.
    """
    return {"help": help, "also": also, "usual": usual, "unless": unless, "choices": choices}


_MODELS = "the model's own"

_RANGES: dict[str, Callable[[str, Any], float]] = {
    "steps": partial(whole, low=1, high=MAX_STEPS, error=ModelError, hint="10 to 50 is usual"),
    "guidance": partial(number, low=0, high=MAX_GUIDANCE, error=ModelError, hint="1 turns guidance off"),
    "adapter_scale": partial(number, low=0, high=MAX_SCALE, error=ModelError, hint="1 is usual"),
    "until": partial(number, low=0, high=1, error=ModelError, hint="1 edits in all steps"),
    "variety": partial(number, low=0, high=1, error=ModelError, hint="1 is the draw itself"),
    "batch": partial(whole, low=1, high=MAX_BATCH, error=ModelError, hint="16 suits most machines"),
}
"""The check of each number that may be None."""


@dataclass(frozen=True)
class Decoding:
    """How points are decoded. None means the model's own choice.

    Raises:
        SpaceError: a seed that is not a whole number from 0 to 2**64 - 1.
        ModelError: another option of a wrong type or out of range.

    >>> Decoding(steps=20, guidance=3).record(("steps", "guidance"))
    {'steps': 20, 'guidance': 3.0}
    """

    seed: int | Sequence[int] = field(
        default=0,
        metadata=_says(
            "seed of the starting noise, for all points",
            also="; a sequence is one per point, and for one point with n seeds n pictures",
        ),
    )
    steps: int | None = field(default=None, metadata=_says("denoising steps", usual=_MODELS))
    guidance: float | None = field(
        default=None,
        metadata=_says("scale of classifier-free guidance; 1 turns it off, 0 ignores the prompt", usual=_MODELS),
    )
    prompt: str = field(
        default="",
        metadata=_says("a text that guides too, where the points are not prompts themselves", usual="none"),
    )
    negative: str = field(default="", metadata=_says("a text that guidance leads away from", usual="none"))
    scheduler: str | None = field(
        default=None, metadata=_says("sampler, such as ddim, euler, dpm++ or unipc", usual=_MODELS)
    )
    preview: bool = field(
        default=False,
        metadata=_says("decode with the model's tiny autoencoder: quick and a little coarse", unless=False),
    )
    few_steps: bool = field(
        default=False,
        metadata=_says("decode with the model's few-step weights: much quicker, nearly as true", unless=False),
    )
    adapter_scale: float | None = field(
        default=None,
        metadata=_says(
            "how strongly joint points guide through an IP-Adapter; 0 is not at all, 1 as it was trained",
            unless=None,
            usual=_MODELS,
        ),
    )
    until: float | None = field(
        default=None,
        metadata=_says(
            "share of the steps, from the first, in which a bottleneck offset is added", usual="all of them"
        ),
    )
    variety: float | None = field(
        default=None,
        metadata=_says(
            "how far pictures of a sentence differ: 0 is its own point, 1 a draw for each seed from the model's prior",
            unless=None,
            usual="that of the model; its own point where it is a point already",
        ),
    )
    batch: int | None = field(
        default=None,
        metadata=_says(
            "points decoded at once; equal points are equal to the last bit only in batches of equal size",
            usual="what suits the memory",
        ),
    )

    def __post_init__(self) -> None:
        if isinstance(self.seed, Sequence) and not isinstance(self.seed, str):
            object.__setattr__(self, "seed", tuple(self.seed))
        for seed in self.seeds:
            whole("seed", seed, 0, MAX_SEED, error=SpaceError)
        for name, check in _RANGES.items():
            value = getattr(self, name)
            if value is not None:
                object.__setattr__(self, name, check(name.replace("_", " "), value))
        for name in ("preview", "few_steps"):
            if not isinstance(getattr(self, name), bool):
                raise ModelError(f"Got {name} {getattr(self, name)!r}, expected True or False.", code=name)

    @property
    def seeds(self) -> list[int]:
        """The seeds as a list, also where there is one."""
        return [*self.seed] if isinstance(self.seed, tuple) else [self.seed]  # type: ignore[list-item]  # a number

    @property
    def asked(self) -> set[str]:
        """The names of the options that differ from their defaults."""
        return {each.name for each in fields(Decoding) if getattr(self, each.name) != each.default}

    def record(self, takes: Collection[str]) -> dict[str, Any]:
        """The named options as the record of a picture keeps them, without those at their `unless` value."""
        found = {}
        for each in fields(Decoding):
            value = getattr(self, each.name)
            if each.name in takes and value is not each.metadata["unless"]:
                found[each.name] = value
        return found


@dataclass(frozen=True)
class Settled(Decoding):
    """Options in which the model's own choices are filled in."""

    steps: int = 1
    guidance: float = 1.0


@dataclass(frozen=True)
class Walking:
    """How a path is walked, besides how its points are decoded.

    Raises:
        SpaceError: a value out of range.
    """

    spacing: Spacing = field(
        default="equal",
        metadata=_says("equal: steps look equal; uniform: steps are equal in the space", choices=SPACINGS),
    )
    interpolant: str | None = field(
        default=None, metadata=_says("slerp, lerp, nlerp, lol or squad", usual="the space's own")
    )
    attention: Attention | None = field(
        default=None,
        metadata=_says("let each frame attend to the stops on its two sides", choices=ATTENTIONS, usual="none"),
    )
    tolerance: float = field(
        default=0.1, metadata=_says("how much equal steps may vary: their coefficient of variation")
    )
    rounds: int = field(default=6, metadata=_says("most rounds of decoding to make the steps equal"))

    def __post_init__(self) -> None:
        choice("spacing", self.spacing, SPACINGS, error=SpaceError)
        number("tolerance", self.tolerance, 0, 10, error=SpaceError, hint="0.1 is usual")
        whole("rounds", self.rounds, 1, MAX_ROUNDS, error=SpaceError, hint="6 is usual")


class WalkKeywords(Keywords, total=False):
    """The fields of `Walking` and of `Decoding`, as `Explorer.walk` takes them."""

    spacing: Spacing
    interpolant: str | None
    attention: Attention | None
    tolerance: float
    rounds: int


def split_keywords(how: Mapping[str, Any]) -> tuple[Walking, Decoding]:
    """Split the keywords of a walk into its two kinds of options."""
    own = {each.name for each in fields(Walking)}
    walking = Walking(**{name: value for name, value in how.items() if name in own})
    return walking, Decoding(**{name: value for name, value in how.items() if name not in own})


def _described(kind: type) -> None:
    """Write the descriptions of the fields into the docstring of the class."""
    lines = [f"        {each.name}: {each.metadata['help']}{each.metadata['also']}." for each in fields(kind)]
    kind.__doc__ = "\n".join([f"{kind.__doc__}\n    Attributes:", *lines, "    "])


_described(Decoding)
_described(Walking)
