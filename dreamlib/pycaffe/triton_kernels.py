"""Triton's kernels: max pooling with small winners, LRN and their gradients, a launch each.

They compute what `kernels` does on the CPU, in float32, on tensors that lie channels-last: float32,
bfloat16 or float16. `gpu_kernels` launches them. A row of a picture is below 2^31 values, and so is
an offset in it; rows begin at offsets of 64 bits. What changes with a picture's size alone is not
compiled in.
"""

from __future__ import annotations

import triton
import triton.language as tl


@triton.jit(do_not_specialize=["height", "width", "rows", "columns"])
def maxima(
    x, top, winner, height, width, rows, columns, channels,
    KERNEL_Y: tl.constexpr, KERNEL_X: tl.constexpr, STRIDE_Y: tl.constexpr, STRIDE_X: tl.constexpr,
    PAD_Y: tl.constexpr, PAD_X: tl.constexpr, COLUMNS: tl.constexpr, CHANNELS: tl.constexpr,
):  # fmt: skip
    """Pool a row of the output: some columns, and some channels of them."""
    row = tl.program_id(0).to(tl.int64)
    j = tl.program_id(1) * COLUMNS + tl.arange(0, COLUMNS)[:, None]
    c = tl.program_id(2) * CHANNELS + tl.arange(0, CHANNELS)[None, :]
    n, i = row // rows, (row % rows).to(tl.int32)
    above, beside = i * STRIDE_Y - PAD_Y, j * STRIDE_X - PAD_X
    # As the CPU's: the first tap in the picture wins, and then what is more, which no NaN is.
    first = tl.maximum(-above, 0) * KERNEL_X + tl.maximum(-beside, 0)
    best = tl.full((COLUMNS, CHANNELS), float("-inf"), tl.float32)
    won = tl.full((COLUMNS, CHANNELS), 0, tl.int32)
    for down in range(KERNEL_Y):
        y = above + down
        line = x + (n * height + y) * width * channels
        end = tl.where((y >= 0) & (y < height), width, 0)  # outside the picture a row has no values
        for right in tl.static_range(KERNEL_X):
            z, tap = beside + right, down * KERNEL_X + right
            there = (z >= 0) & (z < end) & (c < channels)
            value = tl.load(line + (z * channels + c), mask=there, other=0).to(tl.float32)
            more = there & ((value > best) | (first == tap))
            best = tl.where(more, value, best)
            won = tl.where(more, tap, won)
    at = row * columns * channels + (j * channels + c)
    inside = (j < columns) & (c < channels)
    tl.store(top + at, best.to(top.dtype.element_ty), mask=inside)
    tl.store(winner + at, won.to(tl.uint8), mask=inside)


@triton.jit(do_not_specialize=["height", "width", "rows", "columns"])
def maxima_gradient(
    diff, winner, gradient, height, width, rows, columns, channels,
    KERNEL_Y: tl.constexpr, KERNEL_X: tl.constexpr, STRIDE_Y: tl.constexpr, STRIDE_X: tl.constexpr,
    PAD_Y: tl.constexpr, PAD_X: tl.constexpr, COLUMNS: tl.constexpr, CHANNELS: tl.constexpr,
):  # fmt: skip
    """Gather the gradient for a row of the input from the windows that hold its values."""
    row = tl.program_id(0).to(tl.int64)
    z = tl.program_id(1) * COLUMNS + tl.arange(0, COLUMNS)[:, None]
    c = tl.program_id(2) * CHANNELS + tl.arange(0, CHANNELS)[None, :]
    n, y = row // height, (row % height).to(tl.int32)
    WINDOWS_Y: tl.constexpr = (KERNEL_Y + STRIDE_Y - 1) // STRIDE_Y
    WINDOWS_X: tl.constexpr = (KERNEL_X + STRIDE_X - 1) // STRIDE_X
    total = tl.full((COLUMNS, CHANNELS), 0, tl.float32)
    for later in range(WINDOWS_Y):
        i = (y + PAD_Y) // STRIDE_Y - (WINDOWS_Y - 1) + later
        down = y + PAD_Y - i * STRIDE_Y
        line = (n * rows + i) * columns * channels
        end = tl.where((i >= 0) & (i < rows) & (down < KERNEL_Y), columns, 0)
        for further in tl.static_range(WINDOWS_X):
            j = (z + PAD_X) // STRIDE_X - (WINDOWS_X - 1) + further
            right = z + PAD_X - j * STRIDE_X
            there = (j >= 0) & (j < end) & (right < KERNEL_X) & (c < channels)
            at = line + (j * channels + c)
            won = tl.load(winner + at, mask=there, other=0).to(tl.int32)
            given = tl.load(diff + at, mask=there, other=0).to(tl.float32)
            total += tl.where(won == down * KERNEL_X + right, given, 0.0)
    at = row * width * channels + (z * channels + c)
    inside = (z < width) & (c < channels)
    tl.store(gradient + at, total.to(gradient.dtype.element_ty), mask=inside)


@triton.jit
def _block(count, channels, SIZE: tl.constexpr):
    """Return the offsets of a program's values, their channels, and which of them there are."""
    start = tl.program_id(0).to(tl.int64) * SIZE
    value = tl.arange(0, SIZE)
    at = start + value
    return at, ((start % channels).to(tl.int32) + value) % channels, at < count


@triton.jit
def _near(values, at, c, inside, channels, shift: tl.constexpr):
    """Return the values so many channels further; zero where there is none."""
    there = inside & (c >= -shift) & (c < channels - shift)
    return tl.load(values + at + shift, mask=there, other=0).to(tl.float32)


@triton.jit
def _scale(
    x, at, c, inside, channels, alpha, k, shift: tl.constexpr, NEAR: tl.constexpr
):  # fmt: skip
    """Return what a value so many channels further is divided by, before the power."""
    scale = tl.full(at.shape, 0, tl.float32) + k
    for other in tl.static_range(-NEAR, NEAR + 1):
        near = _near(x, at, c, inside, channels, shift + other)
        scale += alpha * near * near
    return scale


@triton.jit
def _power(scale, beta, ROOTS: tl.constexpr):
    """Return ``scale^-beta``; by two roots where beta is 0.75, Krizhevsky's, and everybody's."""
    if ROOTS:
        root = tl.rsqrt(scale)
        return root * tl.sqrt(root)
    else:
        return tl.exp2(-beta * tl.log2(scale))


@triton.jit
def normalise(
    x, top, count, channels, alpha, beta, k,
    NEAR: tl.constexpr, ROOTS: tl.constexpr, SIZE: tl.constexpr,
):  # fmt: skip
    """LRN of some values; `alpha` is what a square is multiplied by."""
    at, c, inside = _block(count, channels, SIZE)
    value = _near(x, at, c, inside, channels, 0)
    power = _power(_scale(x, at, c, inside, channels, alpha, k, 0, NEAR), beta, ROOTS)
    tl.store(top + at, (value * power).to(top.dtype.element_ty), mask=inside)


@triton.jit
def normalise_gradient(
    x, diff, gradient, count, channels, alpha, beta, k,
    NEAR: tl.constexpr, ROOTS: tl.constexpr, SIZE: tl.constexpr,
):  # fmt: skip
    """Gradient of LRN; the sums of all values near a value are found again.

    d/dx_i sum_j y_j dy_j = dy_i s_i^-b - 2ab/n x_i sum_(j near i) x_j dy_j s_j^(-b-1)
    """
    at, c, inside = _block(count, channels, SIZE)
    total = tl.full((SIZE,), 0, tl.float32)
    direct = tl.full((SIZE,), 0, tl.float32)
    for shift in tl.static_range(-NEAR, NEAR + 1):
        scale = _scale(x, at, c, inside, channels, alpha, k, shift, NEAR)
        power = _near(diff, at, c, inside, channels, shift) * _power(scale, beta, ROOTS)
        shared = _near(x, at, c, inside, channels, shift) * power / scale
        # Beyond the last channel a sum may be zero, and what is divided by it no number.
        total += tl.where((c >= -shift) & (c < channels - shift), shared, 0.0)
        if shift == 0:
            direct = power
    result = direct - 2 * alpha * beta * _near(x, at, c, inside, channels, 0) * total
    tl.store(gradient + at, result.to(gradient.dtype.element_ty), mask=inside)
