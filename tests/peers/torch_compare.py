# SPDX-License-Identifier: BSD-2-Clause
"""The presets against PyTorch: weights travel through model files in both directions, then codes,
results and 50 steps of Adam must agree (10 for the two that differ from another in width alone).

    LIBCAE=build/lib/libcae.so.0 /usr/bin/python3 tests/peers/torch_compare.py [PRESET...]

Exits with 77 (skipped) where PyTorch or NumPy is missing (Debian: python3-torch, python3-numpy).
"""

import os
import sys
import tempfile

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
sys.dont_write_bytecode = True
sys.path[:0] = [os.path.join(ROOT, "examples", "python"), os.path.join(ROOT, "tests", "peers")]

try:
    import numpy as np
    import torch
    from torch import nn
except ImportError as error:
    print(f"SKIP: the comparison with PyTorch is left out: {error} "
          "(Debian: apt-get install python3-torch python3-numpy)")
    sys.exit(77)

import cae
import plain_safetensors

RESULT_TOLERANCE = 1e-5  # absolute, on results in [0,1] and codes
LOSS_TOLERANCE = 1e-3  # relative
STEPS, FEWER_STEPS, BATCH, SIDE = 50, 10, 8, 64

# At Adam's usual 1e-3 any two programs part, PyTorch in float32 and in float64 by up to 4e-3 in 50
# steps: the first gradient that an almost dead unit gets, be it rounding alone, moves its weights
# by a whole learning rate. At a tenth of that rate rounding has less to work with.
LEARNING_RATE = 1e-4


def convolutional(code):
    """Table 1 of the paper; returns the network and its encoder."""
    net = nn.Sequential(
        nn.Conv2d(1, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(32, 64, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(64, code, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.ConvTranspose2d(code, 64, 5, stride=2, padding=1), nn.ReLU(),
        nn.ConvTranspose2d(64, 32, 3, stride=2, padding=1), nn.ReLU(),
        nn.ConvTranspose2d(32, 16, 2, stride=2, padding=1), nn.ReLU(),
        nn.ConvTranspose2d(16, 1, 3, padding=1), nn.Sigmoid())
    return net, net[:9]


def dense(hidden):
    net = nn.Sequential(
        nn.Flatten(), nn.Linear(SIDE * SIDE, hidden), nn.ReLU(),
        nn.Linear(hidden, SIDE * SIDE), nn.Sigmoid(), nn.Unflatten(1, (1, SIDE, SIDE)))
    return net, net[:3]


def normal_numbers(seed, step, count):
    """What docs/numerics.md says a sampled code draws: Philox4x32-10 written again, and the inverse
    of the normal distribution function from PyTorch."""
    low = np.uint64(0xFFFFFFFF)
    blocks = np.arange(-(-count // 4), dtype=np.uint64)
    stream = np.uint64(2**32 + step)
    c = [blocks & low, blocks >> np.uint64(32), (stream & low) + 0 * blocks,
         (stream >> np.uint64(32)) + 0 * blocks]
    for turn in range(10):
        key = [np.uint64((seed + turn * 0x9E3779B9) % 2**32), np.uint64(turn * 0xBB67AE85 % 2**32)]
        first, second = c[0] * np.uint64(0xD2511F53), c[2] * np.uint64(0xCD9E8D57)
        c = [second >> np.uint64(32) ^ c[1] ^ key[0], second & low,
             first >> np.uint64(32) ^ c[3] ^ key[1], first & low]
    bits = np.stack(c, axis=1).reshape(-1)[:count].astype(np.float64)
    return torch.special.ndtri(torch.from_numpy((bits + 0.5) / 2**32)).float()


class Variational(nn.Sequential):
    """The preset `vae`. The code is no module, as in libcae's names of weights."""

    ENCODER, CODE, KL_WEIGHT = 11, 64, 0.3

    def __init__(self):
        super().__init__(
            nn.Conv2d(1, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(32, 64, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(64, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
            nn.Flatten(), nn.Linear(32 * 8 * 8, 2 * self.CODE),
            nn.Linear(self.CODE, 64 * 8 * 8), nn.ReLU(),
            nn.ConvTranspose2d(64, 64, 5, stride=2, padding=1), nn.ReLU(),
            nn.ConvTranspose2d(64, 32, 3, stride=2, padding=1), nn.ReLU(),
            nn.ConvTranspose2d(32, 16, 2, stride=2, padding=1), nn.ReLU(),
            nn.ConvTranspose2d(16, 1, 3, padding=1), nn.Sigmoid())
        self.eps = None  # of a batch in training

    def statistics(self, images):
        for module in list(self)[: self.ENCODER]:
            images = module(images)
        return images.chunk(2, dim=1)

    def encode(self, images):
        return self.statistics(images)[0]

    def forward(self, images):
        mean, log_variance = self.statistics(images)
        code = mean if self.eps is None else mean + (log_variance / 2).exp() * self.eps
        # Kingma & Welling 2014, appendix B
        self.divergence = -0.5 * (1 + log_variance - mean**2 - log_variance.exp()).sum() / len(mean)
        images = self[self.ENCODER + 1](self[self.ENCODER](code)).reshape(-1, 64, 8, 8)
        for module in list(self)[self.ENCODER + 2 :]:
            images = module(images)
        return images


def variational():
    net = Variational()
    return net, net.encode


NETWORKS = {
    "sae-compress": lambda: dense(2048),
    "sae-denoise": lambda: dense(4096),
    "cae-compress": lambda: convolutional(32),
    "cae-denoise": lambda: convolutional(64),
    "vae": variational,
}


def pictures(count, seed, height=SIDE, width=SIDE):
    """Ovals on ramps, with grain: among equal pixels rounding alone decides what a pool takes."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[-1:1:height * 1j, -1:1:width * 1j]
    a, b, cx, cy = rng.uniform(-0.5, 0.5, (4, count, 1, 1))
    r, level = rng.uniform(0.2, 0.8, (2, count, 1, 1))
    oval = (x - cx) ** 2 + 1.5 * (y - cy) ** 2 < r**2
    image = 0.5 + 0.4 * a * x + 0.4 * b * y + (level - 0.5) * oval
    image += rng.normal(0, 0.1, image.shape)
    return image.astype(np.float32)[:, np.newaxis]


def difference(ours, theirs):
    """The largest difference; NaN anywhere fails every comparison."""
    theirs = theirs.numpy().reshape(ours.shape)
    return float(np.abs(ours - theirs).max())


def loss_of(net, result, clean):
    loss = ((result - torch.from_numpy(clean)) ** 2).mean()
    if isinstance(net, Variational):
        loss = loss + net.KL_WEIGHT * net.divergence / clean[0].size
    return loss


def compare_results(model, net, encoder, images):
    with torch.no_grad():
        codes = encoder(torch.from_numpy(images))
        result = net(torch.from_numpy(images))
        loss = loss_of(net, result, images).item()
    return max(difference(model.encode(images), codes), difference(model.denoise(images), result),
               abs(model.evaluate(images, images) - loss))


def compare_training(model, net, denoising, seed, steps):
    """The largest relative difference of the losses of some steps on the same batches."""
    model.settings["learning_rate"] = LEARNING_RATE
    optimizer = torch.optim.Adam(net.parameters(), lr=LEARNING_RATE)
    worst = 0.0
    for step in range(steps):
        clean = pictures(BATCH, 1000 + step)
        noisy = cae.add_noise(clean, 25 / 255 if denoising else 0.0, seed=step)
        ours = model.train_step(noisy, clean)
        optimizer.zero_grad()
        if isinstance(net, Variational):
            net.eps = normal_numbers(seed, step, BATCH * net.CODE).reshape(BATCH, net.CODE)
        loss = loss_of(net, net(torch.from_numpy(noisy)), clean)
        loss.backward()
        optimizer.step()
        relative = abs(ours - loss.item()) / loss.item()
        if not relative <= worst:  # so written, NaN stays
            worst = relative
    return worst


def compare(preset, path):
    """(name, figure, tolerance) of each comparison."""
    net, encoder = NETWORKS[preset]()
    sizes = [(SIDE, SIDE), (72, 40)] if preset.startswith("cae") else [(SIDE, SIDE)]
    batches = [pictures(4, 7, *size) for size in sizes]

    state = {name: tensor.numpy() for name, tensor in net.state_dict().items()}
    plain_safetensors.write(path, state)
    model = cae.Model(preset, seed=2)
    model.load_weights(path)
    from_torch = [compare_results(model, net, encoder, images) for images in batches]

    model = cae.Model(preset, seed=3)
    model.save(path)
    tensors, _ = plain_safetensors.read(path)
    net.load_state_dict({name: torch.tensor(array) for name, array in tensors.items()
                         if not name.startswith("codec.")})
    to_torch = [compare_results(model, net, encoder, images) for images in batches]
    denoising = preset.endswith("denoise")
    steps = FEWER_STEPS if denoising else STEPS
    return [("weights of PyTorch in libcae, results differ by", max(from_torch), RESULT_TOLERANCE),
            ("weights of libcae in PyTorch, results differ by", max(to_torch), RESULT_TOLERANCE),
            (f"{steps} steps of Adam, losses differ relatively by",
             compare_training(model, net, denoising, seed=3, steps=steps), LOSS_TOLERANCE)]


def main():
    torch.manual_seed(1)
    torch.set_num_threads(1)  # other tests run beside this one
    failed = False
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "weights.safetensors")
        for preset in sys.argv[1:] or NETWORKS:
            for name, figure, tolerance in compare(preset, path):
                good = figure <= tolerance
                failed = failed or not good
                print(f"{'ok' if good else 'FAILED'}: {preset}: {name} {figure:.2e} "
                      f"(allowed {tolerance:.0e})", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
