"""Helpers of an executable survey of pain neuromodulation trials and their brain targets."""

__version__ = "1.2.0"
