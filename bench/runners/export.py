"""Writes networks as ONNX files, with random weights, for runners that only read such files.

usage: python3 export.py FOLDER < CASES, a list of models of ../cases.cjs as JSON. Prints {"written": names} or {"missing": reason}.
"""

import json
import sys
import warnings


def main():
    try:
        import torch

        from networks import NETWORKS, sample
    except ImportError as error:
        return {"missing": str(error)}
    warnings.filterwarnings("ignore")
    torch.manual_seed(1)
    # Since 2.x there are two exporters. The older one, of TorchScript, is the one that needs no package beside torch in 1.13.
    options = {"dynamo": False} if int(torch.__version__.split(".")[0]) > 1 else {}
    cases = json.load(sys.stdin)
    for case in cases:
        model = NETWORKS[case["name"]](case).eval()
        file = f"{sys.argv[1]}/{case['name']}.onnx"
        torch.onnx.export(model, sample(case, case["batch"]), file, opset_version=13, input_names=["input"], output_names=["output"], **options)
    return {"written": [case["name"] for case in cases]}


print(json.dumps(main()))
