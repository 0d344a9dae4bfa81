"""What both services compute of a text: the code that must not differ between serving and training."""

import numpy as np

SIZE = 64


def vector(text: str) -> np.ndarray:
    """Counts the characters of a text in SIZE buckets; the length of the result is 1."""
    counts = np.bincount([ord(c) % SIZE for c in text] or [0], minlength=SIZE).astype(float)
    return counts / np.linalg.norm(counts)
