"""The benches: each module of this package is one, found by its name; `minerva bench` runs them.

A bench's docstring begins with what it measures, and its `run() -> Iterable[Result]` measures it.
One that makes its material by chance may take a `seed`: int; one that can use other voices `voices`: names.
"""
