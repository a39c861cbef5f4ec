"""What the kit costs and what it withstands, measured on this machine: ``python -m benchmarks``."""
