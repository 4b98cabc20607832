"""The benchmarks: what the project measures of itself, and of what people would use instead.

`python -m bench --help` says how; docs/benchmarks.md says what.
"""
