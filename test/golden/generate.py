"""Writes pytorch.json: what PyTorch computes for cases where libraries differ, in channels-last layout, for pytorch.test.ts.

usage: python3 test/golden/generate.py    (any PyTorch from 1.13, such as Debian's python3-torch; CPU only)
Inputs are multiples of 1/64, so that the file is short and every number in it exact; computation is in float64.
"""

import json
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional as F

torch.manual_seed(1)
torch.set_default_dtype(torch.float64)


def values(*shape):
    return (torch.randn(*shape) * 64).round() / 64


def last(t):
    """Channels last, as a nested list of its shape and its numbers."""
    if t.dim() > 2:
        t = t.movedim(1, -1)
    return plain(t)


def plain(t):
    return {"shape": list(t.shape), "data": [float(f"{v:.9g}") for v in t.detach().flatten().tolist()]}


def hwio(w):
    """[K,C,kh,kw] as [kh,kw,C,K]; of a transposed convolution [C,K/g,kh,kw] as [kh,kw,K/g,C]."""
    return plain(w.permute(2, 3, 1, 0))


def gradients(y, *inputs):
    g = values(*y.shape)
    return g, torch.autograd.grad(y, inputs, g)


cases = {}

# Batch norm: two training steps, then inference, with gradients.
bn = nn.BatchNorm2d(3, momentum=0.1, eps=1e-5)
with torch.no_grad():
    bn.weight.copy_(values(3))
    bn.bias.copy_(values(3))
steps = []
for _ in range(2):
    x = values(3, 3, 4, 3).requires_grad_()
    y = bn(x)
    g, (dx, dw, db) = gradients(y, x, bn.weight, bn.bias)
    steps.append({"x": last(x), "y": last(y), "g": last(g), "dx": last(dx), "dweight": plain(dw), "dbias": plain(db),
                  "runningMean": plain(bn.running_mean), "runningVar": plain(bn.running_var)})
bn.eval()
x = values(2, 3, 3, 2)
cases["batchNorm"] = {"weight": plain(bn.weight), "bias": plain(bn.bias), "steps": steps, "inference": {"x": last(x), "y": last(bn(x))}}

# Dropout: which elements go is each library's own; that they go whole and what is left over are not.
x = values(300)
y = F.dropout(x, 0.3, training=True)
cases["dropout"] = {"p": 0.3, "x": plain(x), "y": plain(y), "inference": plain(F.dropout(x, 0.3, training=False))}

# Padding 'same' with even kernels: the odd cell goes to the end.
cases["same"] = []
for kernel, dilation in [((2, 2), (1, 1)), ((4, 3), (1, 1)), ((2, 4), (3, 1))]:
    conv = nn.Conv2d(2, 3, kernel, padding="same", dilation=dilation)
    with torch.no_grad():
        conv.weight.copy_(values(*conv.weight.shape))
        conv.bias.copy_(values(3))
    x = values(2, 2, 7, 6).requires_grad_()
    y = conv(x)
    g, (dx, dw) = gradients(y, x, conv.weight)
    cases["same"].append({"x": last(x), "w": hwio(conv.weight), "bias": plain(conv.bias), "dilation": dilation, "y": last(y), "g": last(g),
                          "dx": last(dx), "dw": hwio(dw)})

# Pools in ceil mode.
cases["pools"] = []
for size, kernel, stride, padding in [((7, 8), 3, 2, 0), ((6, 5), 2, 2, 1), ((5, 9), 3, 3, 1), ((4, 4), 2, 3, 0)]:
    for kind in ["max", "avg", "avg without padding"]:
        x = values(2, 2, *size).requires_grad_()
        if kind == "max":
            y = F.max_pool2d(x, kernel, stride, padding, ceil_mode=True)
        else:
            y = F.avg_pool2d(x, kernel, stride, padding, ceil_mode=True, count_include_pad=kind == "avg")
        g, (dx,) = gradients(y, x)
        cases["pools"].append({"kind": kind, "kernelSize": kernel, "stride": stride, "padding": padding, "x": last(x), "y": last(y),
                               "g": last(g), "dx": last(dx)})

# Transposed convolutions, grouped and not.
cases["transposed"] = []
for groups, kernel, stride, padding, output_padding, dilation in [
    (1, 3, 2, 1, 1, 1), (2, 3, 2, 1, 0, 1), (3, 4, 2, 1, 0, 1), (2, 2, 3, 0, 2, 2), (6, 3, 1, 0, 0, 2),
]:
    conv = nn.ConvTranspose2d(6, 12, kernel, stride, padding, output_padding, groups, dilation=dilation)
    with torch.no_grad():
        conv.weight.copy_(values(*conv.weight.shape))
        conv.bias.copy_(values(12))
    x = values(1, 6, 3, 2).requires_grad_()
    y = conv(x)
    g, (dx, dw, db) = gradients(y, x, conv.weight, conv.bias)
    cases["transposed"].append({"groups": groups, "stride": stride, "padding": padding, "outputPadding": output_padding, "dilation": dilation,
                                "x": last(x), "w": hwio(conv.weight), "bias": plain(conv.bias), "y": last(y), "g": last(g), "dx": last(dx),
                                "dw": hwio(dw), "dbias": plain(db)})

# Upsampling, both ways of aligning; adaptive pools; group and layer norm; losses.
cases["upsample"] = []
for mode, align, size in [("nearest", None, (5, 7)), ("bilinear", False, (5, 7)), ("bilinear", True, (5, 7)), ("bilinear", False, (2, 2)), ("bilinear", True, (1, 2))]:
    x = values(1, 2, 3, 4).requires_grad_()
    y = F.interpolate(x, size, mode=mode, align_corners=align)
    g, (dx,) = gradients(y, x)
    cases["upsample"].append({"mode": mode, "alignCorners": bool(align), "size": size, "x": last(x), "y": last(y), "g": last(g), "dx": last(dx)})

x = values(2, 2, 7, 5).requires_grad_()
y = F.adaptive_avg_pool2d(x, (3, 2))
g, (dx,) = gradients(y, x)
cases["adaptiveAvg"] = {"outputSize": [3, 2], "x": last(x), "y": last(y), "g": last(g), "dx": last(dx)}

gn = nn.GroupNorm(2, 6)
with torch.no_grad():
    gn.weight.copy_(values(6))
    gn.bias.copy_(values(6))
x = values(2, 6, 3, 4).requires_grad_()
y = gn(x)
g, (dx, dw, db) = gradients(y, x, gn.weight, gn.bias)
cases["groupNorm"] = {"groups": 2, "weight": plain(gn.weight), "bias": plain(gn.bias), "x": last(x), "y": last(y), "g": last(g), "dx": last(dx),
                      "dweight": plain(dw), "dbias": plain(db)}

logits = values(6, 5).requires_grad_()
labels = torch.tensor([0, 4, 2, -100, 1, 3])
weight = values(5).abs() + 0.25
loss = F.cross_entropy(logits, labels, weight=weight, label_smoothing=0.1)
cases["crossEntropy"] = {"logits": plain(logits), "labels": labels.tolist(), "weight": plain(weight), "labelSmoothing": 0.1, "loss": plain(loss),
                         "dlogits": plain(torch.autograd.grad(loss, logits)[0])}

# Upsampling by scales that are no quotient of sizes; images that lie channels last, for which PyTorch's gradient is that of its values.
cases["upsampleByScale"] = []
for mode, scale in [("nearest", (1.3, 2.4)), ("nearest", (2.5, 0.6)), ("bilinear", (1.3, 2.4)), ("bilinear", (2.5, 0.6))]:
    x = values(1, 2, 3, 4).contiguous(memory_format=torch.channels_last).requires_grad_()
    y = F.interpolate(x, scale_factor=scale, mode=mode)
    g, (dx,) = gradients(y, x)
    cases["upsampleByScale"].append({"mode": mode, "scale": scale, "x": last(x), "y": last(y), "g": last(g), "dx": last(dx)})

x = values(2, 2, 7, 5).requires_grad_()
y = F.adaptive_max_pool2d(x, (3, 2))
g, (dx,) = gradients(y, x)
cases["adaptiveMax"] = {"outputSize": [3, 2], "x": last(x), "y": last(y), "g": last(g), "dx": last(dx)}

# Max unpooling, of windows that do not overlap.
x = values(2, 3, 7, 5)
pooled, indices = F.max_pool2d(x, 2, return_indices=True)
pooled.requires_grad_()
y = F.max_unpool2d(pooled, indices, 2, output_size=(7, 5))
g, (dpooled,) = gradients(y, pooled)
cases["maxUnpool"] = {"kernelSize": 2, "outputSize": [7, 5], "x": last(x), "pooled": last(pooled), "y": last(y), "g": last(g),
                      "dpooled": last(dpooled)}

path = Path(__file__).with_name("pytorch.json")
path.write_text(json.dumps({"torch": torch.__version__.split("+")[0], **cases}, separators=(",", ":")) + "\n")
