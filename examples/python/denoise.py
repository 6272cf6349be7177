# SPDX-License-Identifier: BSD-2-Clause
"""Trains a small de-noiser on pictures that it draws, saves and loads it, and removes noise.

    python3 denoise.py [FOLDER]

The model file goes to FOLDER, else to a temporary folder. The numbers are the same in every run.
Exits with 1 if the noise did not become less.
"""

import os
import sys
import tempfile

import cae
import numpy as np

SIGMA = 25 / 255
NETWORK = """input 1 32 32
conv 16 kernel 3 pad 1 relu
maxpool 2
conv 16 kernel 3 pad 1 relu
code
tconv 16 kernel 2 stride 2 relu
conv 1 kernel 3 pad 1 sigmoid
"""


def draw(count, size, seed):
    """Bright discs on ramps: uint8 pixels of shape (count, size, size)."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[-1:1:size * 1j, -1:1:size * 1j]
    a, b, cx, cy = rng.uniform(-0.5, 0.5, (4, count, 1, 1))
    disc = (x - cx) ** 2 + (y - cy) ** 2 < rng.uniform(0.1, 0.4, (count, 1, 1))
    return (255 * (0.4 + 0.3 * a * x + 0.3 * b * y + 0.3 * disc)).astype(np.uint8)


def main(folder):
    path = os.path.join(folder, "denoiser.safetensors")
    images = cae.images_from_pixels(draw(200, 32, seed=1))
    with cae.Model(NETWORK, seed=1, threads=0, reproducible=1, learning_rate=3e-3) as model:
        trainer = cae.Trainer(model, images, noise=SIGMA, batch_size=20, seed=1, checkpoint=path)
        for epoch in trainer.epochs(20):
            if epoch.number % 5 == 0:
                print(f"epoch {epoch.number}: loss {epoch.loss:.6f}")

    clean = cae.images_from_pixels(draw(5, 100, seed=2))  # unseen, and of another size
    noisy = cae.add_noise(clean, SIGMA, seed=3)
    with cae.Model.load(path, threads=0) as model:
        restored = model.denoise(noisy, SIGMA)
    before, after = (float(((x - clean) ** 2).mean()) for x in (noisy, restored))
    print(f"mean squared error {before:.6f} with noise, {after:.6f} restored")
    return 0 if after < before / 2 else 1


if __name__ == "__main__":
    if len(sys.argv) > 1:
        sys.exit(main(sys.argv[1]))
    with tempfile.TemporaryDirectory() as temporary:
        sys.exit(main(temporary))
