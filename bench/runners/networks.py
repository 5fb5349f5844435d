"""The networks of networks.cjs and lib/models, in PyTorch."""

from torch import nn
from torch.nn import functional as F
import torch


def lenet5(case):
    return nn.Sequential(
        nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10),
    )  # fmt: skip


def normalized(inputs, outputs, kernel, stride=1, groups=1):
    convolution = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False)
    return [convolution, nn.BatchNorm2d(outputs)]


class Block(nn.Module):
    """A residual block of torchvision's ResNet: two 3x3 convolutions, or a bottleneck."""

    def __init__(self, inputs, width, stride, bottleneck):
        super().__init__()
        outputs = 4 * width if bottleneck else width
        if bottleneck:
            layers = [*normalized(inputs, width, 1), nn.ReLU(True), *normalized(width, width, 3, stride), nn.ReLU(True)]
            layers += normalized(width, outputs, 1)
        else:
            layers = [*normalized(inputs, width, 3, stride), nn.ReLU(True), *normalized(width, width, 3)]
        self.body = nn.Sequential(*layers)
        same = inputs == outputs and stride == 1
        self.shortcut = nn.Identity() if same else nn.Sequential(*normalized(inputs, outputs, 1, stride))

    def forward(self, x):
        return F.relu(self.body(x) + self.shortcut(x), inplace=True)


def resnet(blocks, classes, small, bottleneck):
    layers = [*normalized(3, 64, 3 if small else 7, 1 if small else 2), nn.ReLU(True)]
    if not small:
        layers.append(nn.MaxPool2d(3, 2, 1))
    channels = 64
    for stage, number in enumerate(blocks):
        for i in range(number):
            width = 64 * 2**stage
            layers.append(Block(channels, width, 2 if stage and not i else 1, bottleneck))
            channels = 4 * width if bottleneck else width
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, classes))


class InvertedResidual(nn.Module):
    def __init__(self, inputs, outputs, stride, expansion):
        super().__init__()
        hidden = inputs * expansion
        layers = [*normalized(inputs, hidden, 1), nn.ReLU6(True)] if expansion != 1 else []
        layers += [*normalized(hidden, hidden, 3, stride, hidden), nn.ReLU6(True), *normalized(hidden, outputs, 1)]
        self.body = nn.Sequential(*layers)
        self.same = inputs == outputs and stride == 1

    def forward(self, x):
        return x + self.body(x) if self.same else self.body(x)


def mobilenet_v2(case):
    layers, channels = [*normalized(3, 32, 3, 2), nn.ReLU6(True)], 32
    stages = [(1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1)]
    for expansion, outputs, number, stride in stages:
        for i in range(number):
            layers.append(InvertedResidual(channels, outputs, 1 if i else stride, expansion))
            channels = outputs
    layers += [*normalized(320, 1280, 1), nn.ReLU6(True), nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    return nn.Sequential(*layers, nn.Dropout(0.2), nn.Linear(1280, case["classes"]))


def vgg16(case):
    layers, channels = [], 3
    for width, number in [(64, 2), (128, 2), (256, 3), (512, 3), (512, 3)]:
        for _ in range(number):
            layers += [nn.Conv2d(channels, width, 3, padding=1), nn.ReLU(True)]
            channels = width
        layers.append(nn.MaxPool2d(2))
    head = [nn.Linear(49 * 512, 4096), nn.ReLU(True), nn.Dropout(), nn.Linear(4096, 4096), nn.ReLU(True), nn.Dropout()]
    return nn.Sequential(*layers, nn.Flatten(), *head, nn.Linear(4096, case["classes"]))


class TextCnn(nn.Module):
    """Kim (2014). Unlike receptive's it does not keep windows of padding out of the maximum; the texts measured have no padding."""

    def __init__(self, case):
        super().__init__()
        self.embedding = nn.Embedding(case["vocabulary"], 128, padding_idx=0)
        self.convolutions = nn.ModuleList([nn.Conv1d(128, 100, width) for width in (3, 4, 5)])
        self.dropout = nn.Dropout(0.5)
        self.head = nn.Linear(300, case["classes"])

    def forward(self, x):
        embedded = self.embedding(x).transpose(1, 2)
        features = [F.relu(convolution(embedded).amax(2)) for convolution in self.convolutions]
        return self.head(self.dropout(torch.cat(features, 1)))


def dcgan(case):
    layers, channels = [], 100
    for i, width in enumerate((512, 256, 128, 64)):
        placing = {"stride": 2, "padding": 1} if i else {}
        layers += [nn.ConvTranspose2d(channels, width, 4, bias=False, **placing), nn.BatchNorm2d(width), nn.ReLU(True)]
        channels = width
    return nn.Sequential(*layers, nn.ConvTranspose2d(64, 3, 4, 2, 1, bias=False), nn.Tanh())


class Dilated(nn.Module):
    def __init__(self):
        super().__init__()
        layers = [nn.Conv1d(32, 32, 3, padding=2**i, dilation=2**i) for i in range(10)]
        self.layers = nn.ModuleList(layers)

    def forward(self, x):
        for layer in self.layers:
            x = x + F.relu(layer(x), inplace=True)
        return x


NETWORKS = {
    "lenet5": lenet5,
    "resnet18": lambda case: resnet([2, 2, 2, 2], case["classes"], True, False),
    "resnet50": lambda case: resnet([3, 4, 6, 3], case["classes"], False, True),
    "mobilenetV2": mobilenet_v2,
    "vgg16": vgg16,
    "textCnn": TextCnn,
    "dcgan": dcgan,
    "dilated": lambda case: Dilated(),
}


def sample(case, batch):
    """A batch for the network: tokens, or numbers with the channels first."""
    if case.get("vocabulary"):
        return torch.randint(1, case["vocabulary"], (batch, *case["input"]))
    *size, channels = case["input"]
    return torch.randn(batch, channels, *size)
