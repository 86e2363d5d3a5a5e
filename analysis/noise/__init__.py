"""What a denoiser knows about noise: its errors, its paths, its guidance, its cost, and what is new in its pictures."""
