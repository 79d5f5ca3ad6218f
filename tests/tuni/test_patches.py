import pytest
import torch
from torch import nn

from tuni.patches import LinearPatches, cuts_patches


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("side", [32, 37])
def test_patches_and_their_gradient_are_the_convolutions(bias, side):
    torch.manual_seed(0)
    convolution = nn.Conv2d(3, 24, 16, stride=16, bias=bias)
    pixels = torch.randn(5, 3, side, side, requires_grad=True)
    weights = torch.randn(5, 24, 2, 2)
    for module in (convolution, LinearPatches(convolution)):
        found = module(pixels)
        (gradient,) = torch.autograd.grad((found * weights).sum(), pixels)
        if module is convolution:
            expected, expected_gradient = found, gradient
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-5)
    torch.testing.assert_close(gradient, expected_gradient, rtol=0, atol=1e-5)


def test_only_convolutions_without_overlap_are_replaced():
    assert cuts_patches(nn.Conv2d(3, 8, 16, stride=16, bias=False))
    assert not cuts_patches(nn.Conv2d(3, 8, 3, stride=2, padding=1))
    assert not cuts_patches(nn.Conv2d(3, 8, 4, stride=4, padding=2))
    assert not cuts_patches(nn.Conv2d(4, 8, 4, stride=4, groups=2))
    assert not cuts_patches(nn.Linear(3, 8))
