"""The paper's networks in PyTorch, behind bench.py: a step of training with Adam, or inference.

    peer_torch.py THREADS

SPDX-License-Identifier: BSD-2-Clause
"""
import ctypes
import json
import os
import sys
import time

import torch
from torch import nn

SIDE = 64


def algebra():
    """The BLAS that is loaded: convolutions and dense layers are as fast as it is."""
    with open('/proc/self/maps', encoding='utf-8') as maps:
        files = {os.path.realpath(line.split()[-1]) for line in maps if '/' in line}
    names = ('blas', 'mkl_core', 'blis', 'atlas')
    return sorted(f for f in files if any(name in os.path.basename(f) for name in names))


def instructions():
    """The instruction sets that PyTorch and its BLAS have chosen on this processor."""
    lines = [line.split(':')[1].strip() for line in torch.__config__.show().splitlines()
             if 'CPU capability usage' in line]
    for path in algebra():
        try:
            name = ctypes.CDLL(path).openblas_get_corename
        except (OSError, AttributeError):
            continue
        name.restype = ctypes.c_char_p
        lines.append('BLAS ' + name().decode())
    return sorted(set(lines))


def simple(hidden):
    pixels = SIDE * SIDE
    return [nn.Flatten(), nn.Linear(pixels, hidden), nn.ReLU(), nn.Linear(hidden, pixels),
            nn.Sigmoid(), nn.Unflatten(1, (1, SIDE, SIDE))]


def convolutional(code):
    layers = []
    for into, out in ((1, 32), (32, 64), (64, code)):
        layers += [nn.Conv2d(into, out, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)]
    for into, out, kernel in ((code, 64, 5), (64, 32, 3), (32, 16, 2)):
        layers += [nn.ConvTranspose2d(into, out, kernel, stride=2, padding=1), nn.ReLU()]
    return layers + [nn.ConvTranspose2d(16, 1, 3, padding=1), nn.Sigmoid()]


LAYERS = {
    'sae-compress': lambda: simple(2048),
    'sae-denoise': lambda: simple(4096),
    'cae-compress': lambda: convolutional(32),
    'cae-denoise': lambda: convolutional(64),
}


class Session:
    def __init__(self):
        self.model = self.optimizer = None
        self.images = torch.empty(0)

    def open(self, preset):
        self.model = nn.Sequential(*LAYERS[preset]())
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=1e-3)
        return {'version': torch.__version__, 'algebra': algebra(), 'instructions': instructions()}

    def train(self):
        self.optimizer.zero_grad(set_to_none=True)
        nn.functional.mse_loss(self.model(self.images), self.images).backward()
        self.optimizer.step()

    def infer(self):
        with torch.no_grad():
            self.model(self.images)

    def call(self, name, count):
        if len(self.images) != int(count):
            self.images = torch.rand(int(count), 1, SIDE, SIDE)
        wall, cpu = time.perf_counter(), time.thread_time()
        {'train': self.train, 'infer': self.infer}[name]()
        return {'cpu': time.thread_time() - cpu, 'wall': time.perf_counter() - wall}


def main():
    torch.manual_seed(1)
    torch.set_num_threads(int(sys.argv[1]))
    session = Session()
    for line in sys.stdin:
        words = line.split('\t')
        command = {'open': session.open, 'call': session.call}[words[0].strip()]
        print(json.dumps(command(*(word.strip() for word in words[1:]))), flush=True)


main()
