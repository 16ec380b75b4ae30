"""The Minerva hub."""

import os

# onnxruntime 1.29 and newer reports its use to Microsoft unless this stands in the environment before it is
# imported, here or by a library. Nothing leaves the hub, whatever the environment says.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"
