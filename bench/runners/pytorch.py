"""PyTorch as a runner: the protocol of serve.cjs. Its variants are the two layouts of images it has; both are measured."""

import json
import re
import sys
import time


def say(value):
    print(json.dumps(value), flush=True)


try:
    import torch
    from torch import nn
    from torch.nn import functional as F

    from networks import NETWORKS, sample
except ImportError:
    say({"missing": 'not installed: run "pip install torch", and name the Python that has it in RECEPTIVE_BENCH_PYTHON'})
    sys.exit(0)

torch.set_num_threads(int(sys.argv[1]) if len(sys.argv) > 1 else 2)
torch.manual_seed(1)
FORMATS = {"default": torch.contiguous_format, "channels_last": torch.channels_last}


def laid_out(value, variant):
    """A tensor with four axes, or a module, in the layout; what has other axes knows one layout only."""
    if isinstance(value, nn.Module):
        return value.to(memory_format=FORMATS[variant])
    return value.contiguous(memory_format=FORMATS[variant]) if value.dim() == 4 else value


def layer(case, variant):
    op, batch, size = case["op"], case["batch"], case["size"]
    inputs, outputs = case["in"], case["out"]
    if len(size) < 2 and variant == "channels_last":
        return {}
    if op in ("linear", "matmul"):
        x = torch.randn(batch, inputs)
        w = nn.Parameter(torch.randn(inputs, outputs)) if op == "matmul" else None
        module = None if op == "matmul" else nn.Linear(inputs, outputs)
    else:
        kinds = {"conv1d": nn.Conv1d, "conv2d": nn.Conv2d, "convTranspose2d": nn.ConvTranspose2d}
        options = {name: case[name] for name in ("stride", "padding", "dilation", "groups")}
        x = laid_out(torch.randn(batch, inputs, *size), variant)
        module = laid_out(kinds[op](inputs, outputs, case["kernel"], **options), variant)
    leaves = [w] if module is None else list(module.parameters())
    run = (lambda value: value @ w) if module is None else module
    with torch.no_grad():
        gradient = torch.randn_like(run(x))
    wanting = x.clone().requires_grad_(True)

    @torch.inference_mode()
    def forward():
        run(x)

    def train():
        for leaf in (wanting, *leaves):
            leaf.grad = None
        run(wanting).backward(gradient)

    return {"forward": forward, "train": train}


def network(case, variant):
    if variant == "channels_last" and len(case["input"]) != 3:
        return {}
    model = laid_out(NETWORKS[case["name"]](case), variant)
    x = laid_out(sample(case, case["batch"]), variant)
    training = []  # made when it is asked for, so that measuring inference holds no more than it needs

    @torch.inference_mode()
    def forward():
        model.eval()
        model(x)

    def train():
        model.train()
        if not training:
            xs = laid_out(sample(case, case["trainBatch"]), variant)
            with torch.no_grad():
                target = torch.randint(0, case["classes"], (len(xs),)) if case["classes"] else torch.randn_like(model(xs))
            training.extend([xs, target, torch.optim.SGD(model.parameters(), lr=1e-3, momentum=0.9)])
        xs, target, optimizer = training
        optimizer.zero_grad()
        loss = (F.cross_entropy if case["classes"] else F.mse_loss)(model(xs), target)
        loss.backward()
        optimizer.step()
        loss.item()

    parameters = sum(p.numel() for p in model.parameters())
    return {"forward": forward, "train": train if case["trainBatch"] else "is measured in inference only", "parameters": parameters}


def memory(case, variant):
    """Peak resident memory of this process, in bytes, after a few training steps."""
    tasks = network(case, variant)
    for _ in range(5):
        tasks["train"]()
    try:
        with open("/proc/self/status") as status:
            return {"bytes": 1024 * int(re.search(r"VmHWM:\s+(\d+) kB", status.read())[1])}
    except OSError:
        return {"unsupported": "peak memory is read from /proc, which this system lacks"}


def digits(folder):
    """MNIST's training set, normalised, in memory."""

    def read(name, header):
        with open(f"{folder}/{name}", "rb") as file:
            return torch.frombuffer(bytearray(file.read()[header:]), dtype=torch.uint8)

    images = read("train-images-idx3-ubyte", 16).view(-1, 1, 28, 28)
    return (images / 255 - 0.1307) / 0.3081, read("train-labels-idx1-ubyte", 8).long()


def epoch(case, variant):
    """One epoch over the digits in a random order; images are numbers in memory before it begins, batches are gathered on the way."""
    images, labels = digits(case["digits"])
    images = laid_out(images, variant)
    model = laid_out(NETWORKS["lenet5"](case), variant).train()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    begin, total = time.perf_counter(), 0.0
    for batch in torch.randperm(len(images)).split(case["batch"]):
        optimizer.zero_grad()
        loss = F.cross_entropy(model(images[batch]), labels[batch])
        loss.backward()
        optimizer.step()
        total += loss.item() * len(batch)
    return {"ms": (time.perf_counter() - begin) * 1e3, "samples": len(images), "loss": total / len(images)}


def measure(step, seconds):
    start = time.perf_counter()
    for i in range(3):
        if i == 0 or time.perf_counter() < start + 10 * seconds:  # as in serve.cjs
            step()
    times, end = [], time.perf_counter() + seconds
    while not times or time.perf_counter() < end:
        begin = time.perf_counter()
        step()
        times.append(time.perf_counter() - begin)
    times.sort()
    return {"ms": times[len(times) // 2] * 1e3, "repetitions": len(times)}


def main():
    say({"name": "PyTorch", "version": torch.__version__, "variants": list(FORMATS)})
    direct = {"memory": memory, "epoch": epoch}
    key, prepared = None, {}
    for line in sys.stdin:
        request = json.loads(line)
        case, task, variant = request["case"], request["task"], request["variant"]
        if task in direct:
            say(direct[task](case, variant))
            continue
        if key != (case["set"], case["name"]):
            key, prepared = (case["set"], case["name"]), {}
        if variant not in prepared:
            prepared[variant] = (layer if case["set"] == "layers" else network)(case, variant)
        tasks = prepared[variant]
        step = tasks.get(task, "this layout is one of images")
        if callable(step):
            say({**measure(step, request["seconds"]), "parameters": tasks.get("parameters")})
        else:
            say({"unsupported": step})


main()
