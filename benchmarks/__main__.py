"""Run every benchmark: ``python -m benchmarks``."""

import sys

from benchmarks import connectome, linkage

for module in (connectome, linkage):
    print(f"== {module.__name__}")
    sys.argv = [module.__name__]
    module.main()
