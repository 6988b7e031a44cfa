"""`python -m loader` starts the service."""

import os

# Read when Polars is imported; more threads cost memory and gain nothing beside PostgreSQL and MongoDB.
os.environ.setdefault("POLARS_MAX_THREADS", "2")

from chassis.app import start

from loader.main import main

if __name__ == "__main__":
    start(main)
