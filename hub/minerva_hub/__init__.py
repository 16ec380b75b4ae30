"""The Minerva hub."""

import os

# onnxruntime 1.29 and newer reports its use to Microsoft unless this stands in the environment before it is
# imported, here or by a library. Nothing leaves the hub, whatever the environment says.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"
# pyannote.audio 4 reports its use to its makers unless this says otherwise; it is an extra.
os.environ["PYANNOTE_METRICS_ENABLED"] = "false"
# Models are looked up on the disk only: pipelines that name others by their repositories would fetch them.
os.environ["HF_HUB_OFFLINE"] = "1"
