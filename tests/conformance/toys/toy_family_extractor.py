"""The extraction of the toy family."""

import numpy as np

from tuni.features.prompts import fill


def columns(target, texts, spec, batch, step):
    """Mean number of tokens over the templates, as the column ``toy.tokens``."""
    counts = [
        target.token_counts([fill(prompt, text) for text in texts]) for prompt in spec.prompts
    ]
    step(len(texts))
    return {"toy.tokens": np.mean(counts, axis=0).astype(np.float32).reshape(-1, 1)}
