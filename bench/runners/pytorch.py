"""PyTorch as a runner: the protocol of serve.cjs, and the network of lib/models/lenet5.ts."""

import json
import sys
import time

BATCH, THREADS = 64, 2


def say(value):
    print(json.dumps(value), flush=True)


try:
    import torch
    from torch import nn
except ImportError:
    say({"missing": "not installed: run \"pip install torch\", and name the Python that has it in RECEPTIVE_BENCH_PYTHON"})
    sys.exit(0)

torch.set_num_threads(THREADS)
torch.manual_seed(1)
model = nn.Sequential(
    nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2),
    nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2),
    nn.Flatten(), nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10),
)  # fmt: skip
x = torch.randn(BATCH, 1, 28, 28)
labels = torch.arange(BATCH) % 10
optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)


def train():
    model.train()
    optimizer.zero_grad()
    loss = nn.functional.cross_entropy(model(x), labels)
    loss.backward()
    optimizer.step()
    loss.item()


@torch.inference_mode()
def infer():
    model.eval()
    model(x)


def measure(step, seconds):
    for _ in range(3):
        step()
    times, end = [], time.perf_counter() + seconds
    while not times or time.perf_counter() < end:
        begin = time.perf_counter()
        step()
        times.append(time.perf_counter() - begin)
    times.sort()
    return {"ms": times[len(times) // 2] * 1e3, "repetitions": len(times)}


say({"name": "PyTorch", "version": torch.__version__})
for line in sys.stdin:
    request = json.loads(line)
    say(measure({"train": train, "infer": infer}[request["task"]], request["seconds"]))
