"""Running as a service: unit file, readiness and watchdog, health page, flight record.

`attend.py` joins what a run needs of it; `commands.py` is `edgeseg service …`.
"""
