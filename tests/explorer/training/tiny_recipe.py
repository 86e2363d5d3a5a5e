"""A recipe of which every stage takes a second."""

from thoughtspace.explorer.training.fit import Budget
from thoughtspace.explorer.training.recipe import Recipe

QUICK = Budget(steps=2, minutes=10, batch=4, lr=1e-3)
TINY = Recipe(
    size=64,
    patch=8,
    latent_channels=12,
    pictures=12,
    reader_pictures=8,
    autoencoder_widths=(8, 8, 8, 16),
    vocabulary=600,
    embedding=32,
    width=64,
    image_layers=1,
    text_layers=1,
    denoiser_widths=(32, 64),
    shard=40,
    shard_steps=1,
    autoencoder=QUICK,
    clip=QUICK,
    text=QUICK,
    prior_layers=1,
    prior=QUICK,
    denoiser=QUICK,
    decoder=QUICK,
    few_steps_rank=2,
    few_steps=QUICK,
    reader=QUICK,
)
