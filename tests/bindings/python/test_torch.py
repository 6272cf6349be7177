# SPDX-License-Identifier: BSD-2-Clause
"""state_dict() of the Python package and PyTorch's own, in both directions: the presets' networks
give the same results within 1e-5. Exits with 77 (skipped) where PyTorch is missing.
"""

import unittest

from common import GREY, Case, cae, np, pictures, trained
import torch_compare  # leaves with 77 without PyTorch
import torch
from torch import nn

TOLERANCE = 1e-5


def sequential():
    """The network of GREY."""
    return nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
                         nn.ConvTranspose2d(4, 1, 2, stride=2), nn.Sigmoid())


class Torch(Case):
    def assert_same(self, model, net, images):
        with torch.no_grad():
            theirs = net(torch.from_numpy(images)).numpy()
        self.assertLess(np.abs(model.denoise(images) - theirs).max(), TOLERANCE)

    def test_presets_both_ways(self):
        torch.manual_seed(1)
        for preset in ("cae-compress", "cae-denoise", "sae-compress"):
            net, _ = torch_compare.NETWORKS[preset]()
            images = pictures(2, 1, 64, 64)
            with cae.Model(preset, seed=1) as model:
                model.load_state_dict(net.state_dict())
                self.assert_same(model, net, images)
            with cae.Model(preset, seed=2) as model:
                self.assertGreater(np.abs(model.denoise(images)
                                          - net(torch.from_numpy(images)).detach().numpy()).max(),
                                   TOLERANCE)
                net.load_state_dict({name: torch.from_numpy(array)
                                     for name, array in model.state_dict().items()})
                self.assert_same(model, net, images)
                if preset.startswith("cae"):
                    self.assert_same(model, net, pictures(1, 1, 72, 40))

    def test_parameters_that_require_gradients(self):
        net, model = sequential(), cae.Model(GREY)
        model.load_state_dict(dict(net.named_parameters()))
        self.assert_same(model, net, pictures())
        model.load_state_dict(net.state_dict(keep_vars=True))

    def test_tensors_that_are_not_contiguous(self):
        net, model = sequential(), cae.Model(GREY)
        state = {name: tensor.to(memory_format=torch.channels_last) if tensor.ndim == 4 else tensor
                 for name, tensor in net.state_dict().items()}
        state["0.bias"] = torch.arange(8.0)[::2]
        net.load_state_dict(state)
        model.load_state_dict(state)
        self.assertFalse(state["3.weight"].is_contiguous() and state["0.bias"].is_contiguous())
        self.assert_same(model, net, pictures())

    def test_inside_a_larger_module(self):
        class Larger(nn.Module):
            def __init__(self):
                super().__init__()
                self.head, self.inner = nn.Linear(3, 3), sequential()

        larger, model = Larger(), cae.Model(GREY)
        self.refused(cae.WrongModelError, "pass prefix='inner.'", model.load_state_dict,
                     larger.state_dict())
        model.load_state_dict(larger.state_dict(), prefix="inner.")
        self.assert_same(model, larger.inner, pictures())

    def test_what_cannot_be_read_and_changes_nothing(self):
        model, good = trained(), sequential().state_dict()
        before = model.to_bytes(training=True)
        for kind, words, name, tensor in (
                (TypeError, r"3\.weight has dtype torch\.float16.*\.float\(\)", "3.weight",
                 good["3.weight"].half()),
                (TypeError, r"torch\.float64.*\.float\(\)", "0.bias", good["0.bias"].double()),
                (TypeError, r"torch\.bfloat16.*\.float\(\)", "0.bias", good["0.bias"].bfloat16()),
                (TypeError, r"torch\.int64", "0.bias", good["0.bias"].long()),
                (TypeError, r"device meta; pass it with \.cpu\(\)", "0.bias",
                 good["0.bias"].to("meta")),
                (TypeError, "3.bias has no array", "3.bias", good["3.bias"].to_sparse()),
                (cae.WrongModelError, r"shape \(1, 4, 2, 2\); the model's has \(4, 1, 2, 2\)",
                 "3.weight", good["3.weight"].transpose(0, 1)),
                (cae.NonFiniteError, "3.bias contains", "3.bias", good["3.bias"] / 0)):
            with self.subTest(words):
                self.refused(kind, words, model.load_state_dict, {**good, name: tensor})
                self.assertEqual(model.to_bytes(training=True), before)
        self.refused(TypeError, "state is a Sequential; pass a dict", model.load_state_dict,
                     sequential())

    def test_another_device(self):
        class OnDevice:  # as a tensor of a processor that this machine lacks
            device = torch.device("cuda", 1)
            dtype = torch.float32

            def detach(self):
                return self

        self.refused(TypeError, r"0\.bias is on the device cuda:1; pass it with \.cpu\(\)",
                     cae.Model(GREY).load_state_dict,
                     {**sequential().state_dict(), "0.bias": OnDevice()})

    def test_a_tensor_for_images(self):
        self.refused(TypeError, r"images is a Tensor; .*images\.detach\(\)\.cpu\(\)\.numpy\(\)",
                     cae.Model(GREY).encode, torch.zeros(1, 1, 16, 16))
        images = torch.rand(1, 1, 16, 16)
        cae.Model(GREY).denoise(images.numpy(), out=(out := torch.empty_like(images)).numpy())
        self.assertTrue(bool((out > 0).all()))


if __name__ == "__main__":
    unittest.main()
