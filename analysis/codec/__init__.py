"""The autoencoder as a codec, beside JPEG, WebP and AVIF at equal bytes."""
