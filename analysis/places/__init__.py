"""Where a model sees words in a picture: scores of heat maps against masks of things whose place is known."""
