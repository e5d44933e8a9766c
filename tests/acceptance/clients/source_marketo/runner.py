"""The command `source-marketo`, but for how long it waits between two looks at a job.

It runs in the virtual environment of the connector, as a process of its own.
"""

from source_marketo.run import run
from source_marketo.source import MarketoExportBase

MarketoExportBase.poll_interval = 0.2  # seconds; there is no option for it
run()
