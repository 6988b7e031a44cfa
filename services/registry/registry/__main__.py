"""`python -m registry`: the service in the foreground."""

from chassis.app import start

from registry.main import main

start(main)
