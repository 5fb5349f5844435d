"""Writes resnet18.safetensors and states.json: state_dicts of PyTorch and what it computes with them, for states.test.ts.

usage: python3 test/golden/generate_states.py    (any PyTorch from 1.13; CPU only, torchvision is not needed)
Weights are multiples of 1/64 and computation is in float64. The ResNet-18 is torchvision's, module for module, with fewer channels.
"""

import json
import math
import struct
from pathlib import Path

import torch
from torch import nn

torch.manual_seed(1)
torch.set_default_dtype(torch.float64)
here = Path(__file__).parent


class BasicBlock(nn.Module):
    def __init__(self, inplanes, planes, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(inplanes, planes, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(planes)
        self.relu = nn.ReLU()
        self.conv2 = nn.Conv2d(planes, planes, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(planes)
        self.downsample = None
        if stride != 1 or inplanes != planes:
            self.downsample = nn.Sequential(nn.Conv2d(inplanes, planes, 1, stride, bias=False), nn.BatchNorm2d(planes))

    def forward(self, x):
        identity = x if self.downsample is None else self.downsample(x)
        y = self.relu(self.bn1(self.conv1(x)))
        return self.relu(self.bn2(self.conv2(y)) + identity)


class ResNet18(nn.Module):
    def __init__(self, width, classes):
        super().__init__()
        self.conv1 = nn.Conv2d(3, width, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.relu = nn.ReLU()
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        inplanes = width
        for i in range(4):
            planes = width * 2**i
            blocks = [BasicBlock(inplanes, planes, 1 if i == 0 else 2), BasicBlock(planes, planes, 1)]
            setattr(self, f"layer{i + 1}", nn.Sequential(*blocks))
            inplanes = planes
        self.avgpool = nn.AdaptiveAvgPool2d((1, 1))
        self.fc = nn.Linear(inplanes, classes)

    def forward(self, x):
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return self.fc(torch.flatten(self.avgpool(x), 1))


def draw(model):
    """Weights that are exact in few digits, and running statistics as after a training."""
    with torch.no_grad():
        for name, tensor in model.state_dict().items():
            if name.endswith("num_batches_tracked"):
                tensor.fill_(7)
            elif name.endswith("running_var") or (name.endswith("weight") and tensor.dim() == 1):
                tensor.copy_((torch.rand(tensor.shape) * 64 + 32).round() / 64)
            else:
                scale = 1.5 / math.sqrt(max(1, tensor[0].numel())) if tensor.dim() > 1 else 0.25
                tensor.copy_((torch.randn(tensor.shape) * scale * 64).round() / 64)
    return model.eval()


def save(path, state):
    """A safetensors file, as safetensors.torch.save_file would write it."""
    header, data = {"__metadata__": {"format": "pt"}}, b""
    for name, tensor in state.items():
        kind = "I64" if tensor.dtype == torch.int64 else "F32"
        tensor = tensor if kind == "I64" else tensor.float()
        raw = struct.pack(f"<{tensor.numel()}{'q' if kind == 'I64' else 'f'}", *tensor.flatten().tolist())
        header[name] = {"dtype": kind, "shape": list(tensor.shape), "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    encoded = json.dumps(header).encode()
    encoded += b" " * (-len(encoded) % 8)
    path.write_bytes(struct.pack("<Q", len(encoded)) + encoded + data)


def plain(tensor):
    return {"shape": list(tensor.shape), "data": [float(f"{v:.9g}") for v in tensor.detach().flatten().tolist()]}


def last(tensor):
    return plain(tensor.movedim(1, -1) if tensor.dim() > 2 else tensor)


def image(*shape):
    """Channels first, by a formula that the test has too."""
    n, c, *places = shape
    flat = torch.arange(n * math.prod(places) * c, dtype=torch.float64)
    return torch.sin(flat * 0.37 + 1).reshape(n, *places, c).movedim(-1, 1)


resnet = draw(ResNet18(2, 5))
save(here / "resnet18.safetensors", resnet.state_dict())
cases = {"resnet18": {"x": [2, 3, 64, 64], "y": last(resnet(image(2, 3, 64, 64)))}}

layers = {
    "conv1d": (nn.Sequential(nn.Conv1d(4, 6, 3, groups=2)), [2, 4, 7]),
    "conv2d": (nn.Sequential(nn.Conv2d(4, 6, (2, 3), groups=2)), [1, 4, 5, 6]),
    "conv3d": (nn.Sequential(nn.Conv3d(2, 3, (1, 2, 3))), [1, 2, 3, 4, 5]),
    "convTranspose1d": (nn.Sequential(nn.ConvTranspose1d(4, 6, 3, stride=2, groups=2)), [1, 4, 5]),
    "convTranspose2d": (nn.Sequential(nn.ConvTranspose2d(4, 6, (2, 3), stride=2, groups=2)), [1, 4, 3, 4]),
    "flattened": (
        nn.Sequential(nn.Conv2d(2, 3, 3), nn.ReLU(), nn.Flatten(), nn.BatchNorm1d(36), nn.ReLU(), nn.Linear(36, 4), nn.ReLU(), nn.Linear(4, 2)),
        [2, 2, 5, 6],
    ),
    "adaptive": (nn.Sequential(nn.Conv2d(2, 3, 3), nn.AdaptiveAvgPool2d((2, 3)), nn.Flatten(), nn.Linear(18, 2)), [1, 2, 9, 11]),
    "sequence": (nn.Sequential(nn.Conv1d(2, 3, 2), nn.Flatten(), nn.Linear(12, 2)), [2, 2, 5]),
}
for name, (model, shape) in layers.items():
    draw(model)
    state = {key: plain(tensor) for key, tensor in model.state_dict().items()}
    cases[name] = {"state": state, "x": shape, "y": last(model(image(*shape)))}

table = draw(nn.Sequential(nn.Embedding(9, 4)))
cases["embedding"] = {"state": {key: plain(t) for key, t in table.state_dict().items()}, "x": [2, 3], "y": plain(table(torch.tensor([[1, 8, 0], [3, 3, 5]])))}

(here / "states.json").write_text(json.dumps(cases, separators=(",", ":")) + "\n")
