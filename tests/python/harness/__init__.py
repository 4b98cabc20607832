"""The emulator, the deployed stack and the events around it, for the demo and for the tests.

Everything the emulator does otherwise than AWS is worked around here, never in the template.
"""
