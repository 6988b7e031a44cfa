"""`python -m registry`: the service in the foreground."""

import asyncio

from registry.main import main

asyncio.run(main())
