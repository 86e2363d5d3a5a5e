"""Compare prompts: how alike they are, what their words do, and what the noise does beside them."""
