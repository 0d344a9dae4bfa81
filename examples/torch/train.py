"""Multiplies two matrices on the best device there is."""

import torch

device = "cuda" if torch.cuda.is_available() else "cpu"
x = torch.arange(9.0, device=device).reshape(3, 3)
print("torch", torch.__version__, "CUDA", torch.version.cuda, "on", device)
print((x @ x).tolist())
