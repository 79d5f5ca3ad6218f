"""A vision transformer's cut into patches as one matrix product.

The one law: the result is the convolution's own, up to rounding; only work is saved. A convolution
whose stride is its kernel is a matrix product over patches, and its gradient in the pixels is a
quarter of an inversion's time when it is computed as a convolution (small ViT, CPU).
"""

from torch import Tensor, nn
from torch.nn import functional


class LinearPatches(nn.Module):
    """Stands in for a `Conv2d` without overlap; shares its weights."""

    def __init__(self, convolution: nn.Conv2d) -> None:
        """Take over the weights.

        Args:
            convolution: One that `cuts_patches` accepts.
        """
        super().__init__()
        self.weight, self.bias = convolution.weight, convolution.bias

    def forward(self, pixels: Tensor) -> Tensor:
        """Patches of images ``(n, c, h, w)``, as the convolution gives them ``(n, width, h', w')``.

        A rest of pixels that fills no patch is left out, as the convolution does.
        """
        down, across = self.weight.shape[2:]
        n, channels, height, width = pixels.shape
        rows, columns = height // down, width // across
        cut = pixels[:, :, : rows * down, : columns * across]
        cut = cut.reshape(n, channels, rows, down, columns, across).permute(0, 2, 4, 1, 3, 5)
        patches = cut.reshape(n * rows * columns, channels * down * across)
        found = functional.linear(patches, self.weight.flatten(1), self.bias)
        return found.view(n, rows, columns, -1).permute(0, 3, 1, 2)


def cuts_patches(module: nn.Module) -> bool:
    """Whether a module is a convolution that `LinearPatches` can stand in for."""
    return (
        isinstance(module, nn.Conv2d)
        and module.stride == module.kernel_size
        and module.padding in ((0, 0), "valid")
        and module.dilation == (1, 1)
        and module.groups == 1
    )
