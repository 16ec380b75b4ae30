"""The gate's reference in numpy, its small network and how that is trained.

`firmware_rs/crates/dsp/src/gate.rs` computes exactly the same; docs/decisions/0014 has the reasons.
"""
