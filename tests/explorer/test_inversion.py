"""Real pictures in the noise space: they come back, walks pass through them, and losses are reported."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch

from thoughtspace.explorer.diffusion.anderson import Solver, solve
from thoughtspace.explorer.diffusion.inversion import invert, inverting, inverting_scheduler
from thoughtspace.explorer.diffusion.loop import denoise, seeded
from thoughtspace.explorer.errors import Cancelled, ModelError, SpaceError
from thoughtspace.explorer.explorer import Explorer
from thoughtspace.explorer.spaces.round_trip import psnr, relative_error, round_trip

pytestmark = pytest.mark.filterwarnings("ignore:__array_:DeprecationWarning")  # of diffusers, under NumPy 2

FINE = Solver(tolerance=1e-6)
NAIVE = Solver(iterations=1)
STEPS = 8


@pytest.fixture(scope="module")
def explorer(tiny_model: Path) -> Explorer:
    """The tiny model with a smaller last layer: an untrained one bends so much that large steps have no inverse."""
    opened = Explorer.open(tiny_model, device="cpu")
    with torch.no_grad():
        for weight in opened.model.denoiser.unet.conv_out.parameters():
            weight.mul_(0.3)
    return opened


def pixels(picture) -> np.ndarray:
    return np.asarray(picture, int)


def of_model(explorer: Explorer, pictures, prompt: str = ""):
    """Latents of pictures, and what guides them."""
    model = explorer.model
    latents = model.autoencoder.encode(pictures)
    prompts = model.denoiser.encode_prompts([prompt] * len(pictures))
    return latents, model.denoiser.conditioning(seeded([0] * len(pictures)), prompts=prompts)


# --- the solver


def test_a_linear_system_is_solved_in_as_many_steps_as_it_has_slopes():
    """Mixing is GMRES on a linear map: k slopes, k updates and one more; the plain iteration diverges on one of 3."""
    slopes = torch.tensor([[0.2, 1.0, 3.0, 0.2, 3.0]], dtype=torch.float64)
    x = torch.tensor([[1.0, -2.0, 0.5, 4.0, 3.0]], dtype=torch.float64)
    found = solve(lambda y: slopes * y, 0 * x, slopes * x, gain=1.0, solver=Solver(tolerance=1e-10))
    torch.testing.assert_close(found.x, x, atol=1e-7, rtol=0)
    assert found.iterations <= 5
    plain = solve(lambda y: slopes * y, 0 * x, slopes * x, gain=1.0, solver=Solver(tolerance=1e-10, memory=0))
    assert float(plain.residual) > 0.1


def test_a_curved_map_is_solved_and_one_without_a_solution_tells_what_is_left():
    x = torch.linspace(-2, 2, 40, dtype=torch.float64).view(2, 20)

    def curved(y: torch.Tensor) -> torch.Tensor:
        return y + 0.5 * torch.sin(y)

    found = solve(curved, x, curved(x + 1), gain=1.0, solver=Solver(tolerance=1e-12))
    assert float(found.residual.max()) < 1e-12
    torch.testing.assert_close(found.x, x + 1, atol=1e-10, rtol=0)
    hopeless = solve(torch.tanh, x, torch.full_like(x, 2.0), gain=0.5, solver=Solver(iterations=10))
    assert float(hopeless.residual.min()) > 0.4


def test_a_row_that_is_not_finite_spoils_no_other():
    target = torch.tensor([[1.0, 2.0], [float("nan"), 1.0]], dtype=torch.float64)
    found = solve(lambda y: 2 * y, torch.zeros_like(target), target, gain=1.0, solver=Solver(tolerance=1e-9))
    torch.testing.assert_close(found.x[0], target[0] / 2)
    assert not float(found.residual[1]) < 1


@pytest.mark.parametrize(
    ("name", "value"),
    [("tolerance", -1.0), ("tolerance", float("nan")), ("iterations", 0), ("iterations", True), ("memory", -1)],
)
def test_settings_out_of_range_raise_an_error(refused, name, value):
    with refused(ModelError, name, repr(value)):
        Solver(**{name: value})


# --- a model


@pytest.mark.parametrize("name", ["ddim", "euler"])
@pytest.mark.parametrize("guidance", [1.0, 0.0, 2.0])
def test_invert_then_denoise_returns_the_latents(explorer, pictures, name, guidance):
    denoiser = explorer.model.denoiser
    latents, conditioning = of_model(explorer, pictures[:3], "a red fox")
    errors = []
    for solver in (FINE, NAIVE):
        asked = {"steps": STEPS, "guidance": guidance, "scheduler": denoiser.scheduler(name)}
        found = invert(denoiser, conditioning, latents, **asked, solver=solver)
        *_, last = denoise(denoiser, conditioning, found.noise, **asked)
        errors.append(float(relative_error(last.x_next, latents).max()))
    assert errors[0] < (1e-4 if name == "ddim" else 1e-3)  # Euler keeps its state in float32 up to σ = 4096
    assert errors[1] > 20 * errors[0]


def test_each_step_is_yielded_backwards_and_chains(explorer, pictures):
    latents, conditioning = of_model(explorer, pictures[:2])
    asked = {"steps": STEPS, "solver": FINE}
    steps = list(inverting(explorer.model.denoiser, conditioning, latents, **asked))
    found = invert(explorer.model.denoiser, conditioning, latents, **asked)
    assert [step.index for step in steps] == [*reversed(range(STEPS))]
    assert torch.equal(steps[0].x_next, latents)
    assert all(torch.equal(later.x_next, sooner.x_t) for sooner, later in pairwise(steps))
    assert found.residuals.shape == (STEPS, 2)
    assert found.converged
    assert torch.equal(found.residuals[0], steps[-1].residual)
    assert not invert(explorer.model.denoiser, conditioning, latents, steps=STEPS, solver=NAIVE).converged


def test_unsuitable_latents_steps_and_samplers_raise_an_error(refused, explorer, pictures):
    latents, conditioning = of_model(explorer, pictures[:2])
    with refused(ModelError, "rows", "1 latents for 2 conditionings"):
        invert(explorer.model.denoiser, conditioning, latents[:1], steps=4)
    with refused(ModelError, "steps", "steps 0"):
        explorer.noise.image(pictures[0], steps=0)
    unipc = explorer.model.denoiser.scheduler("unipc")
    with refused(ModelError, "scheduler", "UniPCMultistepScheduler"):
        invert(explorer.model.denoiser, conditioning, latents, steps=4, scheduler=unipc)
    with refused(SpaceError, "not a text", "int"):
        explorer.noise.image(pictures[0], prompt=3)


# --- the space


def test_a_picture_decodes_to_what_the_autoencoder_makes_of_it(explorer, pictures):
    """By default, and not at the model's own guidance or by another sampler."""
    noise, latent = explorer.noise, explorer.latent
    points = noise.image(*pictures[:2], steps=STEPS, solver=FINE)
    expected = latent.decode(latent.image(*pictures[:2]))
    again = noise.decode(points, steps=STEPS)
    assert all(np.abs(pixels(a) - pixels(b)).max() <= 1 for a, b in zip(again, expected, strict=True))
    for other in ({"guidance": 3.0}, {"scheduler": "euler-ancestral"}, {"steps": 2}):
        changed = noise.decode(points, **{"steps": STEPS, **other})
        assert max(np.abs(pixels(a) - pixels(b)).max() for a, b in zip(changed, expected, strict=True)) > 1
    options = again.provenances[0].record["options"]
    scheduler = inverting_scheduler(explorer.model.denoiser)
    assert {"steps": STEPS, "guidance": 1.0, "prompt": "", "scheduler": scheduler}.items() <= options.items()


def test_a_draw_is_decoded_as_before(explorer):
    drawn = explorer.noise.decode(explorer.noise.draw(3)).provenances[0].record["options"]
    assert (drawn["guidance"], drawn["scheduler"]) == (explorer.model.guidance, None)


def test_pictures_are_stops_of_a_walk(explorer, pictures, tmp_path):
    for index in (0, 1):
        pictures[index].save(tmp_path / f"{index}.png")
    stops = [f'img("{(tmp_path / f"{index}.png").as_posix()}")' for index in (0, 1)]
    ends = explorer.latent.decode(explorer.latent.image(*pictures[:2]))
    for options in ({}, {"prompt": "a red fox", "scheduler": "ddim"}):
        walk = explorer.walk(stops, frames=3, space="noise", spacing="uniform", steps=STEPS, **options)
        for made, expected in zip((walk.images[0], walk.images[-1]), ends, strict=True):
            assert np.abs(pixels(made) - pixels(expected)).max() <= 1
    blend = explorer.blend(stops, 3, space="noise", steps=STEPS, prompt="a cat")
    assert np.abs(pixels(blend[0]) - pixels(ends[0])).max() <= 1
    (path,) = explorer.decode(stops[0], "noise", steps=STEPS, prompt="a cat").save(tmp_path / "made.png")
    assert explorer.replay(path).identical


def test_progress_sees_every_step_and_may_stop(explorer, pictures):
    seen = []

    def progress(ticks, *, total, desc):
        for tick in ticks:
            seen.append((total, desc, tick.index))
            yield tick

    points = explorer.noise.image(*pictures, steps=STEPS, progress=progress)
    assert [each[2] for each in seen] == [*reversed(range(STEPS))]
    assert {each[:2] for each in seen} == {(STEPS, "inverting")}
    assert points.values.shape == (len(pictures), *explorer.noise.shape)
    assert len(explorer.noise.image()) == 0

    def stop(ticks, **_):
        raise Cancelled

    with pytest.raises(Cancelled):
        explorer.noise.image(pictures[0], progress=stop)


def test_a_picture_that_will_come_back_changed_is_warned_of(tiny_explorer, pictures):
    with pytest.warns(
        UserWarning, match=r"given\(.a picture of 64x64.\), whose inversion has a step with a residual of"
    ):
        tiny_explorer.noise.image(pictures[0], steps=1, solver=NAIVE)


# --- what is lost where


def test_the_round_trip_is_split(explorer, pictures):
    solved, naive = (
        round_trip(explorer.noise, pictures[:3], edit="a red fox", steps=STEPS, solver=solver)
        for solver in (FINE, NAIVE)
    )
    assert float(solved.inversion_error.max()) < 1e-4
    assert float(naive.inversion_error.min()) > 20 * float(solved.inversion_error.max())
    torch.testing.assert_close(solved.picture_psnr, solved.autoencoder_psnr, atol=0.01, rtol=0)
    assert torch.equal(solved.autoencoder_psnr, naive.autoencoder_psnr)
    assert bool((solved.inversion_psnr > naive.inversion_psnr).all())
    assert float(solved.edit_error.min()) > 1e-3
    same = round_trip(explorer.noise, pictures[:1], edit="", steps=STEPS)
    assert float(same.edit_error) == 0
    assert round_trip(explorer.noise, pictures[:1], steps=STEPS).edit_psnr is None


def test_psnr_is_ten_times_the_logarithm_of_the_mean_square():
    rng = np.random.default_rng(0)
    a, b = rng.uniform(-1, 1, size=(2, 3, 3, 8, 8))
    expected = [10 * np.log10(4 / np.mean((x - y) ** 2)) for x, y in zip(a, b, strict=True)]
    assert psnr(torch.from_numpy(a), torch.from_numpy(b)).tolist() == pytest.approx(expected)
    assert psnr(torch.full((1, 3, 2, 2), 9.0), torch.ones(1, 3, 2, 2)).tolist() == [float("inf")]
