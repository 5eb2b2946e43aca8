"""Where a kernel's window lies on its input (tensorflow/lite/kernels/padding.h)."""

from __future__ import annotations

from typing import NamedTuple

from converter.image.graph import Node

_SAME = 0


class Windows(NamedTuple):
    """Values, not bytes."""

    in_h: int
    in_w: int
    in_c: int
    out_h: int
    out_w: int
    out_c: int
    kernel_h: int
    kernel_w: int
    stride_h: int
    stride_w: int
    dilation_h: int
    dilation_w: int
    pad_top: int
    pad_left: int
    apart_h: int = 1
    """From one pixel of the input to the next; the zero point lies between them."""
    apart_w: int = 1

    @property
    def pointwise(self) -> bool:
        """Whether every output looks at one input, each in turn."""
        return self.kernel_h == self.kernel_w == self.stride_h == self.stride_w == 1 and (
            self.in_h,
            self.in_w,
        ) == (self.out_h, self.out_w)


def windows(node: Node, kernel: tuple[int, ...]) -> Windows:
    """Of a node that goes from one (1, height, width, depth) to another; RefusedError for others."""
    node.require_int8()
    given, made, options = node.input(0).shape, node.output.shape, node.options
    if len(given) != 4 or len(made) != 4 or given[0] != 1 or made[0] != 1 or options is None:
        raise node.refused(f"goes from {given} to {made}")
    stride = int(options.strideH), int(options.strideW)
    dilation = [int(getattr(options, f"dilation{axis}Factor", 1)) for axis in "HW"]
    if len(kernel) != 2 or min(*kernel, *stride, *dilation, *given, *made) < 1:
        raise node.refused(f"has a kernel of {kernel}, strides of {stride} and dilations of {dilation}")
    pads = [
        padding_before(length, made[axis + 1], kernel[axis], stride[axis], dilation[axis])
        if options.padding == _SAME
        else 0
        for axis, length in enumerate(given[1:3])
    ]
    return Windows(*given[1:], *made[1:], *kernel, *stride, *dilation, *pads)


def padding_before(length: int, out: int, kernel: int, stride: int, dilation: int = 1) -> int:
    """What hangs over at the beginning of an axis."""
    reach = (kernel - 1) * dilation + 1
    return max(0, (out - 1) * stride + reach - length) // 2
