"""The contract of a model that runs its own denoising loop, where ours cannot stand in for it."""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

from .autoencoder import Autoencoder


@runtime_checkable
class RunsItself(Protocol):
    """A `Generator` that is asked for whole pictures, since it has no `predict`."""

    def trajectory(self, *args: Any) -> Any:
        """The latents after each step."""
        ...

    def autoencoder(self) -> Autoencoder | None:
        """Its autoencoder for pictures of its size, where it can be used by itself."""
        ...
