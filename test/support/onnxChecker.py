"""Says of each ONNX file that is named what onnx's own checker has against it, as a line of JSON: null for nothing."""

import json
import sys

import onnx

faults = {}
for path in sys.argv[1:]:
    try:
        onnx.checker.check_model(path, full_check=True)
        faults[path] = None
    except Exception as error:
        faults[path] = str(error)
print(json.dumps({"version": onnx.__version__, "faults": faults}))
